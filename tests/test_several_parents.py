"""Tasks with several parents: priors, graphs and sampling; laws, informations and losses against enumeration."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    PointPrior,
    best_subset,
    counts_rule_loss,
    loss_floor,
    pairwise_information,
    pairwise_joint,
    parent_attention_loss,
    subset_information,
    subset_informations,
)
from causal_theory.errors import InvalidArgumentError, TooLargeError
from causal_theory.graphs.frontier import find_frontier
from causal_theory.information import MEASURES, SUBSET_MEASURES
from causal_theory.information.pairs import CODES
from causal_theory.population import any_graph_pairs as any_graph_module
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
from causal_theory.population.several_parents.construction import construction_loss, row_windows
from causal_theory.population.several_parents.moments import prepare_transfers
from causal_theory.testing import tasks, tensor_tasks
from causal_theory.token_laws import joint as joint_module
from causal_theory.token_laws import joint_law
from causal_theory.token_laws import subsets as subsets_module
from causal_theory.token_laws.elimination import eliminated_law

from . import kernel_oracle
from .helpers import assert_close

CASES = json.loads((Path(__file__).parent / "data" / "several_parents_cases.json").read_text(encoding="utf-8"))
NAMES = [f"order {case['order']}, T={case['length']}" for case in CASES]

EXCLUSIVE_OR = np.zeros((2, 2, 2))
for first, second in itertools.product(range(2), repeat=2):
    EXCLUSIVE_OR[first, second, first ^ second] = 1.0


def dirichlet_kernel(size, parents, seed=0, concentration=1.0):
    return DirichletPrior(size, concentration).sample_transitions(1, (parents,), seed)[parents][0]


def trigram(length=8, size=3, seed=0):
    return InContextTask(CausalGraph.ngram(length, 2), PointPrior({2: dirichlet_kernel(size, 2, seed)}))


def some_matrices(task, seed, heads=None):
    count = len(task.graph.target_parents) if heads is None else heads
    return np.random.default_rng(seed).normal(scale=1.5, size=(count, task.vocab_size, task.vocab_size))


class TestReferenceCases:
    @pytest.fixture(params=CASES, ids=NAMES)
    def case(self, request):
        return request.param

    @pytest.fixture
    def task(self, case):
        return InContextTask(
            CausalGraph.ngram(case["length"], case["order"]), PointPrior({case["order"]: case["kernel"]})
        )

    def test_losses(self, case, task):
        found = parent_attention_loss(task, case["A2"], epsilon=case["epsilon"])
        assert_close(found.value, case["loss"], rtol=0.0, atol=1e-12)
        assert_close(loss_floor(task).value, case["floor"], rtol=0.0, atol=1e-13)
        counted = counts_rule_loss(task, smoothing=case["smoothing"])
        assert_close(counted.value, case["counts_rule"], rtol=0.0, atol=1e-13)

    def test_informations(self, case, task):
        assert_close(pairwise_information(task, "chi2").value, case["chi2"], rtol=0.0, atol=1e-13)


class TestGraphs:
    def test_ngram(self):
        graph = CausalGraph.ngram(6, 3)
        assert graph.parents == ((), (), (), (0, 1, 2), (1, 2, 3), (2, 3, 4))
        assert graph.target_parents == (3, 4, 5)
        assert graph.in_degrees == (3,)

    def test_ngram_of_order_one_is_a_chain_without_a_separate_query(self):
        assert CausalGraph.ngram(5, 1) == CausalGraph([(), (0,), (1,), (2,), (3,)], (4,))

    def test_binary_tree_and_previous(self):
        graph = CausalGraph.binary_tree_and_previous(32)
        for i, parents in enumerate(graph.parents):
            assert parents == (((i - 1) // 2, i - 1) if i >= 2 else ())
        assert graph.target_parents == (15, 31)

    def test_random_dag(self):
        graph = CausalGraph.random_dag(40, 3, rng=5)
        assert graph == CausalGraph.random_dag(40, 3, rng=5)
        assert graph != CausalGraph.random_dag(40, 3, rng=6)
        assert [len(entry) for entry in graph.parents] == [0, 0, 0] + [3] * 37
        assert all(entry == tuple(sorted(set(entry))) for entry in graph.parents)
        assert len(graph.target_parents) == 3

    def test_parents_of_a_random_dag_are_uniform(self):
        """Position 4 has six equally likely pairs of parents."""
        generator = np.random.default_rng(0)
        counts = dict.fromkeys(itertools.combinations(range(4), 2), 0)
        for _ in range(3000):
            counts[CausalGraph.random_dag(5, 2, generator).parents[4]] += 1
        chi_square = sum((count - 500) ** 2 / 500 for count in counts.values())
        assert chi_square < 20.5  # one in a thousand for five degrees of freedom

    @pytest.mark.parametrize("make", [lambda: CausalGraph.ngram(2, 3), lambda: CausalGraph.random_dag(2, 3, 0)])
    def test_too_short(self, make):
        with pytest.raises(InvalidArgumentError, match="length must be an integer of at least 3, got 2"):
            make()

    def test_bad_order(self):
        with pytest.raises(InvalidArgumentError, match="order must be an integer of at least 1, got 0"):
            CausalGraph.ngram(5, 0)
        with pytest.raises(InvalidArgumentError, match="parents must be an integer of at least 1, got 0"):
            CausalGraph.random_dag(5, 0)


class TestFrontier:
    @pytest.mark.parametrize(
        ("graph", "width"),
        [
            (CausalGraph.ngram(30, 3), 4),
            (CausalGraph.chain(30), 2),
            (CausalGraph.star(30), 2),
            (CausalGraph.binary_tree_and_previous(12), 5),
        ],
    )
    def test_width(self, graph, width):
        assert find_frontier(graph.parents, graph.target_parents).width == width

    def test_barren_positions_are_not_visited(self):
        frontier = find_frontier(CausalGraph.chain(50).parents, (10,), ancestors_only=True)
        assert [step.position for step in frontier.steps] == list(range(11))
        assert frontier.last == (10,)


class TestLaws:
    @given(tensor_tasks(max_length=5), st.data())
    def test_joint_law(self, task, data):
        positions = data.draw(st.lists(st.integers(0, task.length), unique=True, min_size=1, max_size=3))
        law = joint_law(task, task.prior.transitions, positions)
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        expected = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, positions)
        for key, chance in expected.items():
            assert_close(law[key], float(chance), rtol=1e-13)

    @given(tensor_tasks(max_length=7, max_size=2, max_parents=3), st.data())
    def test_elimination_and_transfer_agree(self, task, data):
        positions = data.draw(st.lists(st.integers(0, task.length), unique=True, min_size=1, max_size=3))
        parents = joint_module.parents_with_target(task.graph)
        roots = {i: np.full(task.vocab_size, 1 / task.vocab_size) for i, entry in enumerate(parents) if not entry}
        eliminated = eliminated_law(parents, task.prior.transitions, roots, positions, task.vocab_size)
        assert_close(eliminated, joint_law(task, task.prior.transitions, positions), rtol=1e-12, atol=1e-300)

    @given(tasks(max_length=6), st.data())
    def test_stationary_roots(self, task, data):
        """On forests roots may be stationary; the query is uniform all the same."""
        positions = data.draw(st.lists(st.integers(0, task.length - 1), unique=True, min_size=2, max_size=2))
        joint = pairwise_joint(task).value[positions[0], positions[1]]
        assert_close(joint_law(task, task.prior.transitions, positions), joint, rtol=1e-12, atol=1e-300)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(joint_module, "TRANSFER_ENTRIES", 0)
            assert_close(joint_law(task, task.prior.transitions, positions), joint, rtol=1e-12, atol=1e-300)

    def test_wide_graphs_are_eliminated(self, monkeypatch):
        """A graph whose frontier from left to right is wide although another order is narrow."""
        pairs = [(), *[()] * 30, *[(0, i) for i in range(1, 31)]]
        graph = CausalGraph([*pairs, ()], (61,))
        task = InContextTask(graph, PointPrior({1: np.eye(2), 2: EXCLUSIVE_OR}))
        law = joint_law(task, task.prior.transitions, (60, 30, 0))
        for a, b, c in itertools.product(range(2), repeat=3):
            assert law[a, b, c] == (0.25 if a == b ^ c else 0.0)

    def test_too_wide(self):
        task = InContextTask(CausalGraph.random_dag(60, 3, rng=0), DirichletPrior(5, 1.0))
        with pytest.raises(TooLargeError, match=r"got width \d+: 5\^\d+ = .*draw sequences with InContextTask.sample"):
            subset_information(task, 60, (3, 4), draws=2)
        with pytest.raises(TooLargeError, match=r"frontier, got 5\^\d+ \(width \d+\); use method='monte_carlo'"):
            parent_attention_loss(task, np.zeros((3, 5, 5)), epsilon=0.1)

    @given(tensor_tasks(max_length=5))
    def test_pairs(self, task):
        joint = pairwise_joint(task).value
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        for i, j in itertools.product(range(task.length), repeat=2):
            law = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, (i, j) if i != j else (i,))
            for a, b in itertools.product(range(task.vocab_size), repeat=2):
                expected = law[a, b] if i != j else law[a,] if a == b else 0
                assert_close(joint[i, j, a, b], float(expected), rtol=1e-13)

    @given(tensor_tasks(max_length=5), st.sampled_from(MEASURES))
    def test_pairwise_informations(self, task, measure):
        found = pairwise_information(task, measure)
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        for i, j in itertools.combinations(range(task.length), 2):
            law = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, (i, j))
            expected = float(kernel_oracle.information(law, measure))
            assert abs(found.value[i, j] - expected) <= found.error[i, j] + 1e-15
            assert found.value[i, j] == found.value[j, i]

    @given(tensor_tasks(max_length=5), st.sampled_from(MEASURES))
    def test_wide_route_gives_the_same(self, task, measure):
        narrow = pairwise_information(task, measure)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(any_graph_module, "MAX_STATES", 0)
            wide = pairwise_information(task, measure)
        assert (np.abs(wide.value - narrow.value) <= wide.error + narrow.error + 1e-300).all()

    def test_small_informations_keep_their_accuracy(self):
        """Far apart the information of a noisy copy of the token two before falls by one factor per step."""
        kernel = np.zeros((2, 2, 2))
        kernel[0, :, 0] = kernel[1, :, 1] = 0.55
        kernel[0, :, 1] = kernel[1, :, 0] = 0.45
        task = InContextTask(CausalGraph.ngram(121, 2), PointPrior({2: kernel}))
        found = pairwise_information(task, "chi2").value[120]
        for steps in (1, 10, 60):
            assert_close(found[120 - 2 * steps], 0.1 ** (2 * steps), rtol=1e-10)

    @given(tasks(max_length=6), st.sampled_from(MEASURES))
    def test_forests_by_the_general_route(self, task, measure):
        values, errors = any_graph_module.divergences_of_pairs(task, CODES[measure], 1e-14, task.prior.transitions)
        forest = pairwise_information(task, measure)
        assert (np.abs(values - forest.value) <= errors + forest.error + 1e-15).all()


class TestSubsets:
    @settings(max_examples=30)
    @given(tensor_tasks(max_length=4), st.sampled_from(SUBSET_MEASURES), st.data())
    def test_against_enumeration(self, task, measure, data):
        position = data.draw(st.integers(1, task.length))
        subset = data.draw(st.lists(st.integers(0, position - 1), unique=True, min_size=1, max_size=3))
        found = subset_information(task, position, subset, measure=measure)
        exact = kernel_oracle.exact_kernels(task.prior.transitions)
        law = kernel_oracle.joint_law(task.graph, exact, task.vocab_size, (position, *subset))
        assert abs(float(found) - float(kernel_oracle.information(law, measure))) <= float(found.error) + 1e-15

    @pytest.mark.parametrize("size", [1, 2, 3])
    @pytest.mark.parametrize("graph", [CausalGraph.ngram(7, 2), CausalGraph.binary_tree_and_previous(7)])
    def test_all_sets_share_their_work(self, graph, size):
        kernels = {2: dirichlet_kernel(3, 2)}
        task = InContextTask(graph, PointPrior(kernels))
        for position in (4, 7):
            table = subset_informations(task, position, size, measure="kl")
            assert [tuple(row) for row in table.subsets.tolist()] == list(itertools.combinations(range(position), size))
            single = [float(subset_information(task, position, row, measure="kl")) for row in table.subsets.tolist()]
            assert_close(table.informations.value, single, rtol=1e-12, atol=1e-15)

    def test_many_states_take_the_other_route(self, monkeypatch):
        task = trigram(7)
        shared = subset_informations(task, 6, 2).informations.value
        monkeypatch.setattr(subsets_module, "MAX_STATES", 0)
        assert_close(subset_informations(task, 6, 2).informations.value, shared, rtol=1e-12)

    @given(tensor_tasks(max_length=5), st.sampled_from(MEASURES), st.data())
    def test_growing_sets_and_data_processing(self, task, measure, data):
        position = data.draw(st.integers(2, task.length)) if task.length > 1 else 1
        order = data.draw(st.permutations(range(position)))
        values = [float(subset_information(task, position, order[: m + 1], measure=measure)) for m in range(position)]
        assert all(b >= a - 1e-12 for a, b in itertools.pairwise(values))

    @given(tensor_tasks(max_length=5), st.sampled_from(MEASURES))
    def test_sets_of_one_are_pairs(self, task, measure):
        pairs = pairwise_information(task, measure)
        for i in range(1, task.length):
            table = subset_informations(task, i, 1, measure=measure).informations
            assert (np.abs(table.value - pairs.value[i, :i]) <= table.error + pairs.error[i, :i] + 1e-15).all()

    def test_exclusive_or(self):
        task = InContextTask(CausalGraph.ngram(9, 2), PointPrior({2: EXCLUSIVE_OR}))
        assert float(subset_information(task, 8, (6,))) == 0.0
        assert float(subset_information(task, 8, (7,))) == 0.0
        assert float(subset_information(task, 8, (6, 7))) == 1.0
        assert float(subset_information(task, 8, (6, 7), measure="modified_chi2")) == 0.25
        assert float(subset_information(task, 8, (5, 6, 7), measure="modified_chi2")) == 0.25

    def test_best_subset(self):
        task = trigram(9)
        assert best_subset(task, 8, 2) == (6, 7)
        table = subset_informations(task, 8, 2)
        assert table.best == (6, 7)
        assert table.margin > 0.0
        assert table.of((7, 6)) == table.informations.value.max()
        assert "best (6, 7)" in repr(table)
        assert "6, 7" in table._repr_html_()
        with pytest.raises(InvalidArgumentError, match="subset must be one of the 28 sets, got"):
            table.of((8, 1))

    def test_symbols_that_never_occur(self):
        kernel = np.zeros((3, 3, 3))
        kernel[..., 0] = 1.0
        task = InContextTask(CausalGraph.ngram(8, 2), PointPrior({2: kernel}))
        for measure in SUBSET_MEASURES:
            assert float(subset_information(task, 7, (5, 6), measure=measure)) == 0.0

    def test_average_over_draws(self):
        prior = DirichletPrior(3, 1.0)
        graph = CausalGraph.ngram(6, 2)
        found = subset_information(InContextTask(graph, prior), 5, (3, 4), draws=40, rng=3)
        drawn = prior.sample_transitions(40, (2,), np.random.default_rng(3))[2]
        values = [float(subset_information(InContextTask(graph, PointPrior({2: k})), 5, (3, 4))) for k in drawn]
        assert_close(found.value, np.mean(values), rtol=1e-13)
        assert_close(found.error, np.std(values, ddof=1) / np.sqrt(40), rtol=1e-12)
        assert found.method == "monte_carlo"

    @pytest.mark.parametrize(
        ("position", "subset", "message"),
        [
            (0, (0,), "position must be an integer of at least 1"),
            (9, (0,), "position must be at most T = 8, which is the target, got 9"),
            (5, (5,), "subset must hold one or more distinct positions before 5"),
            (5, (1, 1), "subset must hold one or more distinct positions before 5"),
            (5, (), "subset must hold one or more distinct positions before 5"),
            (5, "12", "subset must be a sequence of positions"),
            (5, (-1,), "positions of subset must be an integer of at least 0"),
        ],
    )
    def test_bad_input(self, position, subset, message):
        with pytest.raises(InvalidArgumentError, match=message):
            subset_information(trigram(), position, subset)

    def test_bad_size(self):
        with pytest.raises(InvalidArgumentError, match="size must be at most the position 3, got 4"):
            subset_informations(trigram(), 3, 4)
        with pytest.raises(TooLargeError, match="size must give at most 100000 sets, got 64684950 sets of 4"):
            best_subset(trigram(200), 200, 4)
        with pytest.raises(InvalidArgumentError, match="measure must be one of"):
            subset_information(trigram(), 3, (1,), measure="renyi")


def test_states_of_probability_zero():
    """A query that cannot occur contributes nothing, not NaN."""
    kernel = np.zeros((2, 2, 2))
    kernel[..., 0] = 1.0
    task = InContextTask(CausalGraph.ngram(7, 2), PointPrior({2: kernel}))
    loss, gradient = parent_attention_loss_and_gradient(task, np.zeros((2, 2, 2)), epsilon=0.1)
    expected = kernel_oracle.construction_loss(task.graph, {2: kernel.tolist()}, 2, np.zeros((2, 2, 2)).tolist(), 0.1)
    assert_close(loss.value, expected, rtol=0.0, atol=1e-12)
    assert np.isfinite(gradient.value).all()
    transfers = prepare_transfers(task, "x")
    assert construction_loss(transfers, row_windows(np.zeros((2, 2, 2)), transfers, 0.1), 0.1, {2: kernel})[1] < 1e-10
