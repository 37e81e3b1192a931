"""The construction with one head for each parent: its loss, its gradient and learning curves."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    counts_rule_loss,
    excess_loss,
    learning_curve,
    loss_floor,
    parent_attention_gradient,
    parent_attention_loss,
    unigram_loss,
)
from causal_theory.errors import InvalidArgumentError, TooLargeError
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
from causal_theory.population.several_parents.baselines import counting_loss, entropy_at, token_counting_loss
from causal_theory.population.several_parents.construction import construction_slopes, row_windows
from causal_theory.population.several_parents.moments import prepare_transfers
from causal_theory.testing import tasks, tensor_tasks
from tests.test_several_parents import dirichlet_kernel, some_matrices, trigram

from . import kernel_oracle
from .helpers import assert_close


class TestConstruction:
    @settings(max_examples=25)
    @given(tensor_tasks(max_length=5), st.floats(0.001, 1.0), st.integers(0, 1000))
    def test_against_enumeration(self, task, epsilon, seed):
        assume(max(task.graph.in_degrees) == len(task.graph.target_parents))
        A2 = some_matrices(task, seed)
        found = parent_attention_loss(task, A2, epsilon=epsilon)
        kernels = kernel_oracle.exact_kernels(task.prior.transitions)
        expected = kernel_oracle.construction_loss(task.graph, kernels, task.vocab_size, A2.tolist(), epsilon)
        assert_close(found.value, expected, rtol=0.0, atol=1e-12)
        assert abs(float(found) - expected) <= float(found.error)

    @settings(max_examples=20)
    @given(tensor_tasks(max_length=5), st.floats(0.05, 2.0), st.data())
    def test_baselines_against_enumeration(self, task, smoothing, data):
        kernels = kernel_oracle.exact_kernels(task.prior.transitions)
        arguments = (task.graph, kernels, task.vocab_size)
        slots = data.draw(st.lists(st.integers(0, len(task.graph.target_parents) - 1), unique=True))
        for found, expected in (
            (counts_rule_loss(task, smoothing=smoothing, parents=slots), (kernel_oracle.counting_loss, slots)),
            (unigram_loss(task, smoothing=smoothing), (kernel_oracle.token_counting_loss, None)),
        ):
            function, chosen = expected
            value = function(*arguments, smoothing) if chosen is None else function(*arguments, smoothing, chosen)
            assert_close(found.value, value, rtol=0.0, atol=1e-12)
            assert abs(float(found) - value) <= float(found.error)
        assert_close(loss_floor(task).value, kernel_oracle.floor(*arguments), rtol=0.0, atol=1e-13)

    @settings(max_examples=20)
    @given(tensor_tasks(max_length=6, max_parents=3, max_size=2), st.floats(0.02, 1.0), st.integers(0, 1000))
    def test_gradient(self, task, epsilon, seed):
        assume(max(task.graph.in_degrees) == len(task.graph.target_parents))
        A2 = some_matrices(task, seed)
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=epsilon)
        assert_close(loss.value, parent_attention_loss(task, A2, epsilon=epsilon).value, rtol=1e-13)
        step = 1e-5
        for place in np.ndindex(*A2.shape):
            shifted = []
            for sign in (1.0, -1.0):
                other = A2.copy()
                other[place] += sign * step
                shifted.append(float(parent_attention_loss(task, other, epsilon=epsilon)))
            assert_close(gradient.value[place], (shifted[0] - shifted[1]) / (2 * step), rtol=1e-6, atol=2e-9)

    @settings(max_examples=30)
    @given(tasks(max_length=8), st.floats(0.01, 1.0), st.integers(0, 1000))
    def test_one_parent_equals_the_forest_engine(self, task, epsilon, seed):
        A2 = some_matrices(task, seed)
        transfers, tensors = prepare_transfers(task, "test"), task.prior.transitions
        loss, gradient = parent_attention_loss_and_gradient(task, A2[0], epsilon=epsilon)
        joined, _ = construction_slopes(transfers, row_windows(A2, transfers, epsilon), epsilon, tensors)
        assert_close(joined, np.append(gradient.value, loss.value), rtol=0.0, atol=1e-12)
        if task.graph.edges:
            counted, _ = counting_loss(transfers, 0.7, (0,), tensors)
            assert_close(counted, counts_rule_loss(task, smoothing=0.7).value, rtol=0.0, atol=1e-12)
        tokens, _ = token_counting_loss(transfers, 0.7, tensors)
        assert_close(tokens, unigram_loss(task, smoothing=0.7).value, rtol=0.0, atol=1e-12)
        assert_close(entropy_at(task, tensors)[0], loss_floor(task).value, rtol=0.0, atol=1e-12)

    @pytest.mark.parametrize("length", [30, 100])
    def test_long_chain_equals_the_forest_engine(self, length):
        task = InContextTask(CausalGraph.chain(length), PointPrior(dirichlet_kernel(4, 1)))
        A2 = some_matrices(task, 1)
        transfers, tensors = prepare_transfers(task, "test"), task.prior.transitions
        joined, _ = construction_slopes(transfers, row_windows(A2, transfers, 1 / length), 1 / length, tensors)
        loss, gradient = parent_attention_loss_and_gradient(task, A2[0], epsilon=1 / length)
        assert_close(joined, np.append(gradient.value, loss.value), rtol=0.0, atol=1e-12)
        counted, _ = counting_loss(transfers, 0.01, (0,), tensors)
        assert_close(counted, counts_rule_loss(task, smoothing=0.01).value, rtol=0.0, atol=1e-12)

    def test_one_matrix_may_come_with_its_axis(self):
        task = InContextTask(CausalGraph.chain(7), PointPrior(dirichlet_kernel(3, 1)))
        A2 = some_matrices(task, 0)
        plain, stacked = (
            parent_attention_gradient(task, A2[0], epsilon=0.1),
            parent_attention_gradient(task, A2, epsilon=0.1),
        )
        assert plain.value.shape == (3, 3)
        assert_close(stacked.value, plain.value[np.newaxis], rtol=0.0)
        ngram = InContextTask(CausalGraph.ngram(7, 1), PointPrior({1: dirichlet_kernel(3, 1)}))
        without = parent_attention_loss(ngram, A2[0], epsilon=0.1)
        assert_close(without.value, parent_attention_loss(ngram, A2, epsilon=0.1).value, rtol=0.0)

    def test_extreme_logits(self):
        """Weights of one position: what is copied is its token."""
        task = trigram(6, 2)
        A2 = 400.0 * np.stack([np.eye(2), np.eye(2)])
        kernels = kernel_oracle.exact_kernels(task.prior.transitions)
        expected = kernel_oracle.construction_loss(task.graph, kernels, 2, A2.tolist(), 0.05)
        assert_close(parent_attention_loss(task, A2, epsilon=0.05).value, expected, rtol=0.0, atol=1e-11)

    def test_long_sequences_do_not_underflow(self):
        task = trigram(1500, 2)
        A2 = 6.0 * np.stack([np.eye(2), np.eye(2)])
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=1e-3)
        sampled = parent_attention_loss(task, A2, epsilon=1e-3, method="monte_carlo", samples=2000, rng=0)
        assert abs(float(loss) - float(sampled)) < 4.5 * float(sampled.error)
        assert np.isfinite(gradient.value).all()
        assert float(excess_loss(task, A2, epsilon=1e-3, normalised=True)) > 0.0

    def test_orbit_is_the_mean_over_relabelings(self):
        prior = OrbitPrior({2: dirichlet_kernel(3, 2)})
        graph = CausalGraph.ngram(6, 2)
        task = InContextTask(graph, prior)
        generic = some_matrices(task, 3)
        invariant = np.stack([np.eye(3), 0.3 - 2.0 * np.eye(3)])
        for A2 in (generic, invariant):
            losses, gradients = [], []
            for kernels in prior.relabelings_of((2,)):
                element = InContextTask(graph, PointPrior(kernels))
                loss, gradient = parent_attention_loss_and_gradient(element, A2, epsilon=0.1)
                losses.append(loss.value)
                gradients.append(gradient.value)
            loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.1)
            assert_close(loss.value, np.mean(losses), rtol=1e-12)
            assert_close(gradient.value, np.mean(gradients, axis=0), rtol=0.0, atol=1e-13)
            assert loss.method == "exact"
        assert np.std(losses) < 1e-12  # the invariant matrices see no names

    def test_average_over_draws(self):
        prior, graph = DirichletPrior(2, 0.7), CausalGraph.ngram(6, 2)
        A2 = np.stack([np.eye(2), 2.0 * np.eye(2)])
        found = excess_loss(InContextTask(graph, prior), A2, epsilon=0.1, draws=30, rng=5)
        values = []
        for kernel in prior.sample_transitions(30, (2,), np.random.default_rng(5))[2]:
            element = InContextTask(graph, PointPrior({2: kernel}))
            values.append(float(parent_attention_loss(element, A2, epsilon=0.1)) - float(loss_floor(element)))
        assert_close(found.value, np.mean(values), rtol=1e-12)
        assert_close(found.error, np.std(values, ddof=1) / np.sqrt(30), rtol=1e-10)

    @pytest.mark.parametrize("graph", [CausalGraph.ngram(9, 2), CausalGraph([(), (0,), (1, 0), (1, 2), ()], (4, 2))])
    def test_monte_carlo(self, graph):
        kernels = {1: dirichlet_kernel(3, 1, 1), 2: dirichlet_kernel(3, 2, 2)}
        task = InContextTask(graph, PointPrior({k: kernels[k] for k in graph.in_degrees}))
        A2 = some_matrices(task, 1)
        options = {"method": "monte_carlo", "samples": 40_000, "rng": 1}
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.05)
        drawn_loss, drawn_gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.05, **options)
        assert abs(float(drawn_loss) - float(loss)) < 4.5 * float(drawn_loss.error)
        assert (np.abs(drawn_gradient.value - gradient.value) < 4.5 * drawn_gradient.error + 1e-15).all()
        for function, settings_of in (
            (loss_floor, {}),
            (unigram_loss, {"smoothing": 0.5}),
            (counts_rule_loss, {"smoothing": 0.5}),
            (counts_rule_loss, {"smoothing": 0.5, "parents": (1,)}),
        ):
            drawn, exact = function(task, **settings_of, **options), function(task, **settings_of)
            assert abs(float(drawn) - float(exact)) < 4.5 * float(drawn.error)
            assert float(drawn.error) > 0.0

    def test_only_positions_with_as_many_parents_as_the_target_count(self):
        kernels = {1: dirichlet_kernel(3, 1, 1), 2: dirichlet_kernel(3, 2, 2)}
        task = InContextTask(CausalGraph([(), (0,), (1, 0), (2,), (3, 1)], (4,)), PointPrior(kernels))
        exact = counts_rule_loss(task, smoothing=0.2)
        drawn = counts_rule_loss(task, smoothing=0.2, method="monte_carlo", samples=40_000, rng=0)
        assert abs(float(drawn) - float(exact)) < 4.5 * float(drawn.error)
        oracle = kernel_oracle.counting_loss(task.graph, kernel_oracle.exact_kernels(kernels), 3, 0.2, (0,))
        assert_close(exact.value, oracle, rtol=0.0, atol=1e-12)

    def test_wide_graph_by_monte_carlo(self):
        task = InContextTask(CausalGraph.binary_tree_and_previous(32), DirichletPrior(5, 0.1))
        A2 = 5.0 * np.stack([np.eye(5), np.eye(5)])
        options = {"method": "monte_carlo", "samples": 4000, "rng": 0}
        with pytest.raises(TooLargeError, match="use method='monte_carlo'"):
            parent_attention_loss(task, A2, epsilon=0.01)
        found = parent_attention_loss(task, A2, epsilon=0.01, **options)
        both, floor = counts_rule_loss(task, smoothing=0.1, **options), loss_floor(task, **options)
        assert float(floor) < float(both) < float(found) < np.log(5)

    @pytest.mark.parametrize(
        ("A2", "message"),
        [
            (
                np.zeros((1, 3, 3)),
                r"A2 must have shape \(2, 3, 3\), one matrix for each of the 2 parents of the target",
            ),
            (np.zeros((2, 3, 2)), r"A2 must have shape \(2, 3, 3\)"),
            (np.full((2, 3, 3), np.nan), "A2 must be finite"),
            (np.zeros((3, 3)), r"with one matrix A2 needs .* at most one parent.* give A2 of shape \(2, 3, 3\)"),
        ],
    )
    @pytest.mark.parametrize("function", [parent_attention_loss, parent_attention_gradient, excess_loss])
    def test_bad_matrices(self, function, A2, message):
        with pytest.raises(InvalidArgumentError, match=message):
            function(trigram(), A2, epsilon=0.1)

    def test_more_parents_than_the_target(self):
        task = InContextTask(CausalGraph([(), (), (0, 1)], (2,)), DirichletPrior(2, 1.0))
        with pytest.raises(InvalidArgumentError, match="the target as many parents as any position, which is 2"):
            parent_attention_loss(task, np.zeros((1, 2, 2)), epsilon=0.1)

    @pytest.mark.parametrize(
        ("parents", "message"),
        [
            ((2,), r"parents must be distinct places from 0 to 1, got \(2,\)"),
            ((0, 0), r"parents must be distinct places from 0 to 1, got \(0, 0\)"),
            ("0", "parents must be places in target_parents, got '0'"),
            (1, "parents must be places in target_parents, got 1"),
        ],
    )
    def test_bad_places(self, parents, message):
        with pytest.raises(InvalidArgumentError, match=message):
            counts_rule_loss(trigram(), smoothing=1.0, parents=parents)

    def test_bad_method(self):
        with pytest.raises(InvalidArgumentError, match="method must be one of 'exact', 'monte_carlo', got 'enumerate'"):
            loss_floor(trigram(), method="enumerate")


def test_learning_curve_of_two_heads():
    """The excess of the best multiple falls with the length, as for one parent."""
    prior = PointPrior({2: dirichlet_kernel(2, 2, 3)})
    curve = learning_curve(lambda length: InContextTask(CausalGraph.ngram(length, 2), prior), [40, 80, 160, 320])
    assert (np.diff(curve.normalised_excess) < 0.0).all()
    assert (curve.normalised_excess > 0.0).all()
    task = InContextTask(CausalGraph.ngram(80, 2), prior)
    both = curve.multiples[1] * np.stack([np.eye(2), np.eye(2)])
    assert_close(parent_attention_loss(task, both, epsilon=1 / 80).value, curve.losses[1], rtol=1e-14)
