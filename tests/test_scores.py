"""Edge scores: the transform and the enumeration against rational arithmetic, and at any size against identities."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    first_order_gradient,
    limit_edge_scores,
)
from causal_theory.population import lanes as lanes_module
from causal_theory.population import transform as transform_module
from causal_theory.population import work_items
from causal_theory.population.transform import transform_scores
from causal_theory.testing import attention_matrices, forests, tasks, transition_matrices
from tests import oracles
from tests.helpers import assert_close

EPSILONS = [1e-6, 1e-4, 0.01, 0.1, 1.0, 10.0]
FAMILIES = ["chain", "pairs", "star", "binary_tree"]


def true_scores(task, epsilon, pi=None):
    """The exact scores of a task with one matrix, as an array of doubles."""
    matrix = oracles.exact(task.prior.transition if pi is None else pi)
    root = oracles.root_law(matrix, task.root_law)
    return np.tril(
        oracles.to_array(oracles.scores(oracles.context_parents(task.graph), matrix, root, Fraction(epsilon)))
    )


class TestAgainstRationalArithmetic:
    """Both methods are within their own error of the exact rational number, in every entry."""

    @pytest.mark.parametrize("method", ["transform", "enumerate"])
    @given(task=tasks(max_length=5, max_size=3, priors=("point", "orbit")), epsilon=st.sampled_from(EPSILONS))
    def test_small_tasks(self, method, task, epsilon):
        oracles.assert_within_error(edge_scores(task, epsilon=epsilon, method=method), true_scores(task, epsilon))

    @pytest.mark.parametrize("method", ["transform", "enumerate"])
    @given(task=tasks(max_length=8, max_size=2), epsilon=st.sampled_from(EPSILONS))
    def test_longer_tasks_of_two_symbols(self, method, task, epsilon):
        oracles.assert_within_error(edge_scores(task, epsilon=epsilon, method=method), true_scores(task, epsilon))

    @pytest.mark.parametrize("epsilon", [1e-300, 1e-30, 1e3, 1e6])
    def test_extreme_epsilon(self, epsilon):
        """Nothing overflows for small ones; large ones cost digits, which the error admits."""
        task = InContextTask(CausalGraph.from_parents([-1, 0, 0, 1]), PointPrior([[0.25, 0.75], [0.625, 0.375]]))
        for method in ("transform", "enumerate"):
            oracles.assert_within_error(edge_scores(task, epsilon=epsilon, method=method), true_scores(task, epsilon))

    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("parents", [[-1], [-1, -1, -1], [-1, 0, 0, 0], [-1, -1, 1, 0, 2], [-1, 0, 1, -1, 3, -1]])
    def test_named_graphs(self, parents, root_law):
        """The smallest task, no edges, a star, two trees that interleave, three trees."""
        matrix = [[0.125, 0.875], [0.5, 0.5]]
        task = InContextTask(CausalGraph.from_parents(parents), PointPrior(matrix), root_law)
        for method in ("transform", "enumerate"):
            oracles.assert_within_error(edge_scores(task, epsilon=0.05, method=method), true_scores(task, 0.05))

    @pytest.mark.parametrize(
        "matrix",
        [
            [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.5]],
            [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
            [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]],
            [[1 - 2.0**-40, 2.0**-40, 0.0], [0.0, 1 - 2.0**-40, 2.0**-40], [2.0**-40, 0.0, 1 - 2.0**-40]],
        ],
        ids=["zeros", "periodic", "transient symbols", "nearly reducible"],
    )
    @pytest.mark.parametrize("epsilon", [1e-6, 10.0])
    def test_hard_matrices(self, matrix, epsilon):
        task = InContextTask(CausalGraph.from_parents([-1, 0, 1, 0]), PointPrior(matrix))
        for method in ("transform", "enumerate"):
            oracles.assert_within_error(edge_scores(task, epsilon=epsilon, method=method), true_scores(task, epsilon))


class TestTwoAlgorithms:
    @given(task=tasks(max_length=9, max_size=4, priors=("point", "orbit")), epsilon=st.sampled_from(EPSILONS))
    def test_transform_equals_enumeration(self, task, epsilon):
        fast = edge_scores(task, epsilon=epsilon)
        slow = edge_scores(task, epsilon=epsilon, method="enumerate")
        assert (np.abs(fast.value - slow.value) <= fast.error + slow.error).all()
        assert fast.method == slow.method == "exact"

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_twelve_tokens(self, family, root_law):
        matrix = np.random.default_rng(12).dirichlet([0.2] * 3, size=3)
        task = InContextTask(getattr(CausalGraph, family)(12), PointPrior(matrix), root_law)
        fast = edge_scores(task, epsilon=0.02)
        slow = edge_scores(task, epsilon=0.02, method="enumerate")
        assert_close(fast.value, slow.value, rtol=0.0, atol=1e-13)

    def test_errors_are_small(self):
        """A bound that is always satisfied because it is huge would pass the tests above."""
        matrix = np.random.default_rng(1).dirichlet([0.5] * 3, size=3)
        task = InContextTask(CausalGraph.chain(9), PointPrior(matrix))
        for method in ("transform", "enumerate"):
            assert edge_scores(task, epsilon=0.01, method=method).error.max() < 1e-12

    def test_upper_triangle_is_zero(self):
        task = InContextTask(CausalGraph.binary_tree(9), PointPrior([[0.5, 0.5], [0.25, 0.75]]))
        for method in ("transform", "enumerate"):
            scores = edge_scores(task, epsilon=0.1, method=method)
            assert not np.triu(scores.value, k=1).any()
            assert not np.triu(scores.error, k=1).any()


@pytest.fixture(scope="module")
def small_pieces():
    """Cut trees at separators from three positions on, and look for negligible lanes at any length."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_items, "SMALL", 0)
        patch.setattr(transform_module, "PIECE_PER_SYMBOL", 1)
        patch.setattr(transform_module, "PRUNE_FROM", 0)
        yield


@given(
    task=tasks(max_length=25, max_size=4, priors=("point", "orbit")),
    epsilon=st.sampled_from(EPSILONS),
)
def test_kernels_for_small_and_for_large_forests_agree(task, epsilon):
    small = edge_scores(task, epsilon=epsilon)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_items, "SMALL", 0)
        large = edge_scores(task, epsilon=epsilon)
    assert (np.abs(small.value - large.value) <= small.error).all()
    np.testing.assert_array_equal(small.error > 0.0, large.error > 0.0)


@pytest.mark.usefixtures("small_pieces")
class TestSeparators:
    """The path of long sequences, on sequences short enough to enumerate."""

    @given(task=tasks(max_length=8, max_size=2), epsilon=st.sampled_from(EPSILONS))
    def test_two_symbols(self, task, epsilon):
        oracles.assert_within_error(edge_scores(task, epsilon=epsilon), true_scores(task, epsilon))

    @given(task=tasks(max_length=9, max_size=4), epsilon=st.sampled_from(EPSILONS))
    def test_equals_enumeration(self, task, epsilon):
        fast = edge_scores(task, epsilon=epsilon)
        slow = edge_scores(task, epsilon=epsilon, method="enumerate")
        assert (np.abs(fast.value - slow.value) <= fast.error + slow.error).all()

    @pytest.mark.parametrize("family", FAMILIES)
    def test_twelve_tokens(self, family):
        matrix = np.random.default_rng(12).dirichlet([0.2] * 3, size=3)
        task = InContextTask(getattr(CausalGraph, family)(12), PointPrior(matrix))
        fast = edge_scores(task, epsilon=0.02)
        slow = edge_scores(task, epsilon=0.02, method="enumerate")
        assert_close(fast.value, slow.value, rtol=0.0, atol=1e-13)


class TestCuttingDoesNotMatter:
    @given(
        seed=st.integers(0, 10_000),
        length=st.integers(2, 60),
        exponent=st.sampled_from([-2, -20, -160, -300]),
        root_law=st.sampled_from(["stationary", "uniform"]),
        epsilon=st.sampled_from(EPSILONS),
    )
    def test_wild_matrices(self, seed, length, exponent, root_law, epsilon):
        """Transition probabilities down to 1e-300: with and without separators, and the first column sums to zero."""
        generator = np.random.default_rng(seed)
        size = int(generator.integers(2, 5))
        matrix = 10.0 ** generator.uniform(exponent, -0.7, (size, size)) / size
        likely = generator.integers(size, size=size)
        matrix[np.arange(size), likely] = 0.0
        matrix[np.arange(size), likely] = 1.0 - matrix.sum(axis=1)
        graph = CausalGraph.random_forest(length, 0.2, generator)
        task = InContextTask(graph, PointPrior(matrix), root_law)
        results = [edge_scores(task, epsilon=epsilon)]
        for pieces, prune in [(1, 0), (4, 64), (10**6, 10**6)]:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(work_items, "SMALL", 0)
                patch.setattr(transform_module, "PIECE_PER_SYMBOL", pieces)
                patch.setattr(transform_module, "PRUNE_FROM", prune)
                results.append(edge_scores(task, epsilon=epsilon))
        for scores in results:
            assert np.isfinite(scores.value).all()
            assert abs(scores.value[:, 0].sum()) <= scores.error[:, 0].sum()
            assert (np.abs(scores.value - results[-1].value) <= scores.error + results[-1].error).all()

    @pytest.mark.compiled
    def test_dropped_lanes_are_accounted_for(self):
        """With a coarse limit the dropped mass is a visible part of the error, and still covers the difference."""
        matrix = np.random.default_rng(0).dirichlet([1.0] * 3, size=3)
        task = InContextTask(CausalGraph.chain(150), PointPrior(matrix))
        exact = edge_scores(task, epsilon=0.02)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes_module, "NEGLIGIBLE", 1e-4)
            coarse = edge_scores(task, epsilon=0.02)
        off = np.abs(coarse.value - exact.value)
        assert off.max() > 1e-9
        assert (off <= coarse.error).all()


class TestInvariances:
    @given(
        graph=forests(max_length=7),
        matrix=transition_matrices(max_size=4),
        epsilon=st.sampled_from(EPSILONS),
        seed=st.integers(0, 99),
    )
    def test_relabeling_symbols_changes_nothing(self, graph, matrix, epsilon, seed):
        """``G(P pi P^T) = G(pi)`` for every permutation P of the symbols."""
        order = np.random.default_rng(seed).permutation(len(matrix))
        one = edge_scores(InContextTask(graph, PointPrior(matrix)), epsilon=epsilon)
        other = edge_scores(InContextTask(graph, PointPrior(matrix[np.ix_(order, order)])), epsilon=epsilon)
        assert (np.abs(one.value - other.value) <= one.error + other.error).all()

    @given(task=tasks(max_length=12, max_size=4), epsilon=st.sampled_from(EPSILONS))
    def test_first_column_sums_to_zero(self, task, epsilon):
        """``sum_i G_i0 = 0``: the frequencies are the mean of the indicators over all positions i."""
        scores = edge_scores(task, epsilon=epsilon)
        assert abs(scores.value[:, 0].sum()) <= scores.error[:, 0].sum()

    @given(matrix=transition_matrices(max_size=3), epsilon=st.sampled_from(EPSILONS))
    def test_positions_of_equal_standing(self, matrix, epsilon):
        """Trees of one node can be exchanged: without edges all pairs of different context positions are alike."""
        scores = edge_scores(InContextTask(CausalGraph.from_parents([-1] * 7), PointPrior(matrix)), epsilon=epsilon)
        below = scores.value[:-1, :-1][np.tril_indices(7, k=-1)]
        assert np.ptp(below) <= 2 * scores.error.max()
        assert np.ptp(np.diag(scores.value)[:-1]) <= 2 * scores.error.max()

    def test_uniform_matrix_has_equal_scores_off_the_diagonal(self):
        """When every row of pi is uniform no edge of the context can be seen."""
        scores = edge_scores(InContextTask(CausalGraph.chain(8), PointPrior(np.full((3, 3), 1 / 3))), epsilon=0.1)
        assert np.ptp(scores.value[:-1, :-1][np.tril_indices(7, k=-1)]) < 1e-14


class TestAnySize:
    @pytest.mark.compiled
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("epsilon", [1e-6, 0.01, 10.0])
    def test_first_column_at_250_tokens(self, family, epsilon):
        """Zeros, a nearly periodic matrix and a nearly reducible one: finite, and the identity holds within error."""
        slow = 1e-9
        for matrix in (
            [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.5]],
            [[0.0, 1.0, 0.0], [0.0, slow, 1 - slow], [1 - slow, 0.0, slow]],
            [[1 - slow, slow, 0.0], [0.0, 1 - slow, slow], [slow, 0.0, 1 - slow]],
        ):
            scores = edge_scores(InContextTask(getattr(CausalGraph, family)(250), PointPrior(matrix)), epsilon=epsilon)
            assert np.isfinite(scores.value).all()
            assert abs(scores.value[:, 0].sum()) <= scores.error[:, 0].sum()
            # Each entry is claimed to 1e-12 of the positive parts it is the difference of.
            assert (scores.error <= 1e-12 * (np.abs(scores.value) + 3.0)).all()

    @pytest.mark.compiled
    def test_many_symbols(self):
        matrix = np.random.default_rng(0).dirichlet([0.1] * 50, size=50)
        scores = edge_scores(InContextTask(CausalGraph.chain(20), PointPrior(matrix)), epsilon=0.01)
        assert abs(scores.value[:, 0].sum()) <= scores.error[:, 0].sum()
        assert (scores.value[:-1].argmax(axis=1)[1:] == np.arange(18)).all()

    @pytest.mark.compiled
    def test_long_chain_of_two_symbols(self):
        """T = 5000 with 12 nodes: every entry of the middle is within 4/T of the limit, and nothing underflows.

        The distance to the limit is a constant over T; the constant depends on pi and eps and is of order one. With
        eps = 1 the short rule is exact to roundoff, as its measured error shows.
        """
        length, reach = 5000, 100
        matrix = PointPrior([[0.25, 0.75], [0.625, 0.375]])
        task = InContextTask(CausalGraph.chain(length), matrix)
        value, error = transform_scores(task, 1.0, matrix.transition, nodes=12)
        # The limit depends on the distance i - j only: any long row holds it. Beyond the reach it is below 1e-40.
        row = limit_edge_scores(InContextTask(CausalGraph.chain(2 * reach), matrix), epsilon=1.0).value[-2]
        by_distance = np.zeros(length)
        by_distance[:reach] = row[-2 : -2 - reach : -1]
        middle = np.arange(length // 4, 3 * length // 4)
        expected = np.tril(by_distance[np.abs(np.subtract.outer(middle, middle))])
        assert np.isfinite(value).all()
        assert error.max() < 1e-8
        assert np.abs(value[np.ix_(middle, middle)] - expected).max() < 4.0 / length
        assert by_distance[1] > 20.0 / length

    @pytest.mark.compiled
    @pytest.mark.slow
    def test_long_chain_of_four_symbols(self):
        """As above for S = 4 and with all nodes."""
        length = 5000
        matrix = np.random.default_rng(3).dirichlet([1.0] * 4, size=4)
        task = InContextTask(CausalGraph.chain(length), PointPrior(matrix))
        scores = edge_scores(task, epsilon=0.05)
        limit = limit_edge_scores(task, epsilon=0.05).value
        middle = slice(length // 4, 3 * length // 4)
        assert np.isfinite(scores.value).all()
        assert np.abs(scores.value - limit)[middle, middle].max() < 4.0 / length
        # Roundoff grows with the number of tokens: 5000 times 2e-16 for a term, 2 S^-1 terms of size one.
        assert abs(scores.value[:, 0].sum()) <= scores.error[:, 0].sum() < 1e-6


class TestPriors:
    @given(matrix=transition_matrices(max_size=3), graph=forests(max_length=5), epsilon=st.sampled_from(EPSILONS))
    def test_orbit_is_the_average_over_all_relabelings(self, matrix, graph, epsilon):
        estimate = edge_scores(InContextTask(graph, OrbitPrior(matrix)), epsilon=epsilon)
        task = InContextTask(graph, PointPrior(matrix))
        renamed = [true_scores(task, epsilon, pi) for _, pi in oracles.relabelings(matrix.tolist())]
        oracles.assert_within_error(estimate, np.mean(renamed, axis=0))
        assert estimate.method == "exact"

    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("floor", [0.0, 0.1])
    @pytest.mark.parametrize(
        ("concentration", "parents"), [(0.1, [-1]), (0.3, [-1, 0]), (1.0, [-1, 0, 0]), (2.5, [-1, -1, 0])]
    )
    def test_two_symbol_dirichlet_is_exact(self, concentration, parents, floor, root_law):
        """Against a fine trapezoidal rule in other variables; both are accurate to roundoff."""
        pi, weights = oracles.binary_dirichlet_grid(concentration, floor)
        half = np.full_like(weights, 0.5)
        total = pi[0][1] + pi[1][0]
        root = [pi[1][0] / total, pi[0][1] / total] if root_law == "stationary" else [half, half]
        table = oracles.scores(parents, pi, root, 0.05)
        expected = np.tril([[(weights * entry).sum() for entry in row] for row in table])
        prior = DirichletPrior(2, concentration, floor=floor)
        task = InContextTask(CausalGraph.from_parents(parents), prior, root_law)
        for method in ("transform", "enumerate") if concentration >= 1.0 else ("transform",):
            estimate = edge_scores(task, epsilon=0.05, method=method)
            assert estimate.method == "quadrature"
            oracles.assert_within_error(estimate, expected)
            assert estimate.error.max() < 1e-12

    @pytest.mark.compiled
    def test_two_symbol_dirichlet_against_draws(self):
        """Twelve tokens, where no oracle reaches: the mean over 1500 draws, within 5 standard errors everywhere."""
        prior = DirichletPrior(2, 0.1)
        task = InContextTask(CausalGraph.binary_tree(12), prior)
        exact = edge_scores(task, epsilon=0.02)
        draws = np.array(
            [transform_scores(task, 0.02, matrix)[0] for matrix in prior.sample(1500, np.random.default_rng(5))]
        )
        bar = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
        below = np.tril_indices(12)
        z = (draws.mean(axis=0) - exact.value)[below] / bar[below]
        assert np.abs(z).max() < 5.0

    @pytest.mark.compiled
    def test_dirichlet_standard_errors_are_calibrated(self):
        """Two independent runs differ by as much as their error bars say."""
        task = InContextTask(CausalGraph.pairs(10), DirichletPrior(3, 1.0))
        below = np.tril_indices(10)
        runs = [edge_scores(task, epsilon=0.02, draws=64, rng=seed) for seed in range(24)]
        assert {run.method for run in runs} == {"monte_carlo"}
        values = np.array([run.value[below] for run in runs])
        claimed = np.sqrt(np.mean([run.error[below] ** 2 for run in runs], axis=0))
        ratio = values.std(axis=0, ddof=1) / claimed
        # 24 runs give a standard deviation to 15 %; entries are correlated, so the mean ratio is not much better.
        assert 0.6 < ratio.mean() < 1.5

    def test_draws_are_reproducible(self):
        task = InContextTask(CausalGraph.pairs(6), DirichletPrior(3, 1.0))
        one, two = (edge_scores(task, epsilon=0.02, draws=8, rng=3) for _ in range(2))
        other = edge_scores(task, epsilon=0.02, draws=8, rng=4)
        assert np.array_equal(one.value, two.value)
        assert not np.array_equal(one.value, other.value)


class TestFirstOrderGradient:
    @given(graph=forests(min_length=4, max_length=4), A1=attention_matrices(4), beta0=st.sampled_from([1e-3, 0.5]))
    def test_formula(self, graph, A1, beta0):
        """``-(beta0/T) (diag(a_i) - a_i a_i^T) G_i`` row by row."""
        scores = edge_scores(InContextTask(graph, PointPrior([[0.5, 0.5], [0.125, 0.875]])), epsilon=0.1)
        expected = np.zeros((4, 4))
        for i, row in enumerate(oracles.attention(A1.tolist())):
            a = np.array(row)
            expected[i, : i + 1] = -(beta0 / 4) * (np.diag(a) - np.outer(a, a)) @ scores.value[i, : i + 1]
        assert_close(first_order_gradient(scores, A1, beta0), expected, rtol=0.0, atol=1e-15)

    def test_entries_above_the_diagonal_are_ignored(self):
        scores = np.arange(9.0).reshape(3, 3)
        plain = first_order_gradient(np.tril(scores), np.zeros((3, 3)), 0.1)
        assert np.array_equal(first_order_gradient(scores, np.triu(np.full((3, 3), np.inf), k=1), 0.1), plain)
        assert not np.triu(plain, k=1).any()

    def test_is_the_gradient_for_small_beta0(self):
        """The relative error of the enumerated gradient of the oracle is proportional to beta0."""
        parents, epsilon = [-1, 0, -1, 2], 0.05
        matrix = [[0.25, 0.75], [0.875, 0.125]]
        root = [float(value) for value in oracles.stationary(matrix)]
        task = InContextTask(CausalGraph.from_parents(parents), PointPrior(matrix))
        A1 = np.random.default_rng(2).normal(size=(5, 5))
        scores = edge_scores(task, epsilon=epsilon)
        errors = []
        for beta0 in (1e-2, 1e-3):
            exact, _ = oracles.gradient(parents, matrix, root, A1.tolist(), (beta0 * np.eye(2)).tolist(), epsilon)
            errors.append(np.abs(first_order_gradient(scores, A1, beta0) - exact).max() / np.abs(exact).max())
        # One decade in beta0 is one decade in error, up to the next order, which is another factor of beta0.
        assert 8.0 < errors[0] / errors[1] < 12.0
