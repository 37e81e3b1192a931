"""Stage 2 and its baselines: against outside values, enumeration, finite differences and plain Python."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import CausalGraph, DirichletPrior, InContextTask, OrbitPrior, PointPrior
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.population.baselines import counts_rule_loss, loss_floor, unigram_loss
from causal_theory.population.logarithm import logarithm_rule
from causal_theory.population.parent_attention import parent_attention_gradient, parent_attention_loss
from causal_theory.testing import tasks

from .helpers import assert_close

CASES = json.loads((Path(__file__).parent / "data" / "stage2_cases.json").read_text(encoding="utf-8"))


def case_task(case):
    return InContextTask(CausalGraph.from_parents(case["parents"]), PointPrior(case["transition"]))


def sequences(task):
    """All context sequences with a query, and their probabilities, in plain Python."""
    transition = task.prior.transition
    roots = task.root_distribution(transition)
    parents = task.graph.parent_array[:-1]
    for tokens in itertools.product(range(task.vocab_size), repeat=task.length):
        chance = 1.0 / task.vocab_size
        for token, parent in zip(tokens[:-1], parents, strict=True):
            chance *= roots[token] if parent < 0 else transition[tokens[parent]][token]
        yield tokens, chance


def plain_loss(task, A2, epsilon):
    """The loss by enumeration, roots and query with the uniform key."""
    total = 0.0
    parents = task.graph.parent_array
    for tokens, chance in sequences(task):
        query = tokens[-1]
        column = A2[:, query]
        weights = [math.exp(column[tokens[p]] if p >= 0 else column.mean()) for p in parents]
        for b in range(task.vocab_size):
            share = sum(w for w, token in zip(weights, tokens, strict=True) if token == b) / sum(weights)
            total -= chance * task.prior.transition[query, b] * math.log(share + epsilon)
    return total


def plain_rule(task, predict):
    """Loss of a rule ``predict(tokens) -> probabilities`` by enumeration."""
    total = 0.0
    for tokens, chance in sequences(task):
        for b, p in enumerate(predict(tokens)):
            total -= chance * task.prior.transition[tokens[-1], b] * math.log(p)
    return total


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
class TestReference:
    """Values from outside the project (tests/data)."""

    def test_loss_and_gradient(self, case):
        task, A2, epsilon = case_task(case), case["A2"], case["epsilon"]
        loss = parent_attention_loss(task, A2, epsilon=epsilon)
        assert_close(float(loss), case["loss"], rtol=1e-12)
        expected = np.array(case["grad_A2"])
        gradient = parent_attention_gradient(task, A2, epsilon=epsilon)
        assert_close(gradient.value, expected, rtol=0.0, atol=1e-12 * np.abs(expected).max())

    def test_baselines(self, case):
        task, c = case_task(case), case["smoothing"]
        assert_close(float(loss_floor(task)), case["floor"], rtol=1e-13)
        assert_close(float(counts_rule_loss(task, smoothing=c)), case["counts_rule"], rtol=1e-12)
        assert_close(float(unigram_loss(task, smoothing=c)), case["unigram"], rtol=1e-12)


class TestEnumeration:
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("parents", [[-1, 0, 0, 2, 1], [-1, -1, 0, -1], [-1, -1], [-1]])
    def test_loss_of_any_forest(self, parents, root_law):
        rng = np.random.default_rng(len(parents))
        task = InContextTask(CausalGraph.from_parents(parents), PointPrior(rng.dirichlet(np.ones(3), 3)), root_law)
        A2 = 2.0 * rng.normal(size=(3, 3))
        estimate = parent_attention_loss(task, A2, epsilon=0.03)
        truth = plain_loss(task, A2, 0.03)
        assert abs(float(estimate) - truth) <= float(estimate.error)
        assert_close(float(estimate), truth, rtol=1e-12)

    def test_rules(self):
        rng = np.random.default_rng(5)
        task = InContextTask(CausalGraph.from_parents([-1, 0, 0, -1, 3]), PointPrior(rng.dirichlet(np.ones(2), 2)))
        parents = task.graph.parent_array

        def counts(tokens, c=0.7):
            children = [tokens[i] for i, p in enumerate(parents) if p >= 0 and tokens[p] == tokens[-1]]
            return [(children.count(b) + c) / (len(children) + 2 * c) for b in range(2)]

        def unigram(tokens, c=0.7):
            return [(tokens[:-1].count(b) + c) / (len(tokens) - 1 + 2 * c) for b in range(2)]

        assert_close(float(counts_rule_loss(task, smoothing=0.7)), plain_rule(task, counts), rtol=1e-12)
        assert_close(float(unigram_loss(task, smoothing=0.7)), plain_rule(task, unigram), rtol=1e-12)


class TestGradient:
    @given(task=tasks(max_length=8, max_size=3), seed=st.integers(0, 2**32 - 1))
    def test_equals_finite_differences(self, task, seed):
        """Central differences of the exact loss, for any forest, root law and matrix."""
        rng = np.random.default_rng(seed)
        size = task.vocab_size
        A2 = rng.normal(size=(size, size))
        epsilon = float(10.0 ** rng.uniform(-2, 0))
        gradient = parent_attention_gradient(task, A2, epsilon=epsilon).value
        step = 1e-4
        for a, q in itertools.product(range(size), repeat=2):
            bump = np.zeros((size, size))
            bump[a, q] = step
            up, down = (float(parent_attention_loss(task, A2 + s * bump, epsilon=epsilon)) for s in (1, -1))
            # Truncation of the difference is of the order step^2, roundoff of the order 1e-14 / step.
            assert_close(gradient[a, q], (up - down) / (2 * step), rtol=0.0, atol=3e-7)

    def test_columns_sum_to_zero(self):
        """Adding a constant to a column of A2 changes nothing, because the weights are normalised."""
        rng = np.random.default_rng(0)
        task = InContextTask(CausalGraph.random_forest(30, 0.3, 1), PointPrior(rng.dirichlet(np.ones(4), 4)))
        gradient = parent_attention_gradient(task, rng.normal(size=(4, 4)), epsilon=0.02).value
        assert np.abs(gradient.sum(axis=0)).max() < 1e-13
        assert np.abs(gradient).max() > 1e-3

    def test_orbit_prior_keeps_the_span(self):
        task = InContextTask(CausalGraph.chain(12), OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.3, 0.3, 0.4]]))
        gradient = parent_attention_gradient(task, np.eye(3), epsilon=0.02).value
        assert np.ptp(np.diagonal(gradient)) == 0.0
        assert np.ptp(gradient[~np.eye(3, dtype=bool)]) == 0.0

    def test_orbit_prior_with_any_matrix_averages_relabelings(self):
        prior = OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.3, 0.3, 0.4]])
        graph = CausalGraph.binary_tree(8)
        A2 = np.random.default_rng(1).normal(size=(3, 3))
        points = [InContextTask(graph, PointPrior(matrix)) for matrix in prior.relabelings()]
        for function in (parent_attention_loss, parent_attention_gradient):
            mean = np.mean([function(point, A2, epsilon=0.05).value for point in points], axis=0)
            assert_close(function(InContextTask(graph, prior), A2, epsilon=0.05).value, mean, rtol=1e-12)


class TestLongSequences:
    @pytest.mark.compiled
    def test_long_chain_approaches_the_counts_rule(self):
        """With a large multiple of I the model copies what followed the query: both losses approach the floor."""
        task = InContextTask(CausalGraph.chain(600), OrbitPrior([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2], [0.2, 0.3, 0.5]]))
        floor = float(loss_floor(task))
        model = float(parent_attention_loss(task, 8.0 * np.eye(3), epsilon=1 / 600))
        counts = float(counts_rule_loss(task, smoothing=0.5))
        assert 0.0 < counts - floor < 0.01
        assert abs(model - counts) < 0.01
        assert float(unigram_loss(task, smoothing=0.5)) > floor + 0.05

    def test_steep_matrix(self):
        task = InContextTask(CausalGraph.chain(6), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
        A2 = 40.0 * np.eye(2)
        estimate = parent_attention_loss(task, A2, epsilon=0.01)
        assert_close(float(estimate), plain_loss(task, A2, 0.01), rtol=1e-11)

    def test_dirichlet_prior_has_a_standard_error(self):
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 1.0))
        estimate = parent_attention_loss(task, np.eye(3), epsilon=0.05, draws=16, rng=0)
        assert estimate.method == "monte_carlo"
        assert 0.0 < float(estimate.error) < 0.2


class TestRule:
    @pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.01, 30.0), (1e-8, 1e4)])
    def test_logarithms_and_reciprocals(self, low, high):
        """Between the points of the grid on which its error was measured."""
        rule = logarithm_rule(low, high)
        x = np.exp(np.random.default_rng(0).uniform(np.log(low), np.log(high), 200))
        decay = np.exp(-np.outer(x, rule.nodes))
        logs = (np.exp(-low * rule.nodes) - decay) @ rule.weights
        assert np.abs(logs - np.log(x / low)).max() < 2 * rule.error + 1e-14
        assert np.abs(decay @ (rule.nodes * rule.weights) * x - 1.0).max() < 2 * rule.reciprocal_error + 1e-14
        assert rule.error < 1e-13


@pytest.mark.parametrize("function", [parent_attention_loss, parent_attention_gradient])
def test_bad_input(function):
    task = InContextTask(CausalGraph.chain(5), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
    with pytest.raises(InvalidArgumentError, match=r"A2 must have shape \(2, 2\), got shape \(3, 3\)"):
        function(task, np.eye(3), epsilon=0.1)
    with pytest.raises(InvalidArgumentError, match="epsilon must be a finite number greater than 0, got 0"):
        function(task, np.eye(2), epsilon=0)
    both = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
    with pytest.raises(TaskError, match="at most one parent"):
        function(both, np.eye(2), epsilon=0.1)


@pytest.mark.parametrize("function", [counts_rule_loss, unigram_loss])
def test_bad_smoothing(function):
    task = InContextTask(CausalGraph.chain(5), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
    with pytest.raises(InvalidArgumentError, match=r"smoothing must be a finite number greater than 0, got -1\.0"):
        function(task, smoothing=-1.0)
    for value in (1e-310, 1e308):
        with pytest.raises(InvalidArgumentError, match=r"smoothing must be between 1e-300 and 1e\+300, got 1e"):
            function(task, smoothing=value)


@pytest.mark.parametrize("smoothing", [1e-300, 1e-30, 1e6, 1e300])
def test_extreme_smoothing(smoothing):
    """Within the error of the sum over all sequences, whose predictions are ratios of doubles."""
    task = InContextTask(CausalGraph.from_parents([-1, 0, 0]), PointPrior([[0.3, 0.7], [0.6, 0.4]]))

    def counts(tokens):
        children = [tokens[i] for i in (1, 2) if tokens[0] == tokens[-1]]
        return [(children.count(b) + smoothing) / (len(children) + 2 * smoothing) for b in range(2)]

    found = counts_rule_loss(task, smoothing=smoothing)
    assert abs(float(found) - plain_rule(task, counts)) <= float(found.error) < 1e-10
