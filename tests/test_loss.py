"""The population loss and its gradients: against a plain oracle, finite differences, and under every prior."""

from fractions import Fraction
from itertools import product

import mpmath
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
    population_gradient,
    population_loss,
)
from causal_theory.population.names import ignores_labels, mean_over_relabelings
from causal_theory.testing import attention_matrices, forests, tasks, transition_matrices
from tests import oracles
from tests.helpers import assert_close

EPSILONS = [1e-6, 0.01, 0.1, 1.0, 10.0]


def high_precision(matrix):
    """Numbers of 40 digits from doubles or Fractions."""
    return [[mpmath.mpf(Fraction(x).numerator) / Fraction(x).denominator for x in row] for row in matrix]


def true_values(task, A1, A2, epsilon):
    """Loss and gradients with 40 digits, as doubles."""
    with mpmath.workdps(40):
        pi = oracles.exact(task.prior.transition)
        root = high_precision([oracles.root_law(pi, task.root_law)])[0]
        arguments = (
            oracles.context_parents(task.graph),
            high_precision(pi),
            root,
            high_precision(A1),
            high_precision(A2),
            mpmath.mpf(epsilon),
            mpmath.mp,
        )
        return float(oracles.loss(*arguments)), oracles.gradient(*arguments)


def assert_exact(task, A1, A2, epsilon):
    """Loss and gradients by enumeration are within their errors of the truth."""
    loss, gradients = true_values(task, A1, A2, epsilon)
    one_pass = population_loss(task, A1, A2, epsilon=epsilon, method="enumerate")
    gradient = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate")
    # 40 digits, times slopes of up to 1/epsilon and entries of A2, leave 30.
    oracles.assert_within_error(one_pass, loss, truth_error=1e-30)
    for estimate, expected in zip((gradient.A1, gradient.A2, gradient.loss), (*gradients, loss), strict=True):
        oracles.assert_within_error(estimate, expected, truth_error=1e-30)
        assert estimate.method == "exact"


class TestOracle:
    """The oracle's chain rule is checked against a numerical derivative of its loss, so that it can be trusted."""

    def test_gradient(self):
        parents, pi = [-1, 0, 0], [[Fraction(1, 4), Fraction(3, 4)], [Fraction(7, 8), Fraction(1, 8)]]
        generator = np.random.default_rng(0)
        A1, A2 = generator.normal(size=(4, 4)).tolist(), generator.normal(size=(2, 2)).tolist()
        with mpmath.workdps(40):
            root = high_precision([oracles.stationary(pi)])[0]
            numbers = high_precision(pi)

            def loss_at(matrices):
                return oracles.loss(parents, numbers, root, *matrices, mpmath.mpf("0.05"), mpmath.mp)

            exact = oracles.gradient(parents, numbers, root, A1, A2, mpmath.mpf("0.05"), mpmath.mp)
            for which, size in ((0, 4), (1, 2)):
                for i, j in product(range(size), repeat=2):
                    values = []
                    for step in (mpmath.mpf("1e-12"), -mpmath.mpf("1e-12")):
                        matrices = [high_precision(A1), high_precision(A2)]
                        matrices[which][i][j] += step
                        values.append(loss_at(matrices))
                    slope = (values[0] - values[1]) / mpmath.mpf("2e-12")
                    assert abs(slope - exact[which][i, j]) < 1e-15


class TestAgainstOracle:
    @given(data=st.data(), epsilon=st.sampled_from(EPSILONS), scale=st.sampled_from([0.1, 2.0, 30.0]))
    def test_small_tasks(self, data, epsilon, scale):
        task = data.draw(tasks(max_length=4))
        A1 = data.draw(attention_matrices(task.length))
        A2 = data.draw(attention_matrices(task.vocab_size, magnitude=scale))
        assert_exact(task, A1, A2, epsilon)

    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("parents", [[-1], [-1, -1, -1], [-1, 0, 1, 2], [-1, 0, -1, 1, 2]])
    def test_named_graphs(self, parents, root_law):
        task = InContextTask(CausalGraph.from_parents(parents), PointPrior([[0.25, 0.75], [0.875, 0.125]]), root_law)
        generator = np.random.default_rng(len(parents))
        A1 = generator.normal(size=(task.length, task.length))
        assert_exact(task, A1, generator.normal(size=(2, 2)), 0.02)

    @pytest.mark.parametrize(("first", "second"), [(1.0, 2000.0), (1000.0, 2000.0), (1000.0, 1.0), (30.0, 300.0)])
    @pytest.mark.parametrize("parents", [[-1, 0, 1], [-1, -1, 0, 2]])
    def test_steep_parameters(self, parents, first, second):
        """Logits of thousands: softmaxes that pick one entry, weights that underflow, nothing infinite."""
        generator = np.random.default_rng(7)
        matrix = [[0.25, 0.75, 0.0], [0.5, 0.25, 0.25], [0.125, 0.0, 0.875]]
        task = InContextTask(CausalGraph.from_parents(parents), PointPrior(matrix))
        for _ in range(3):
            A1 = first * generator.choice([-1.0, 1.0], size=(task.length, task.length))
            A2 = second * generator.choice([-1.0, 1.0], size=(3, 3))
            assert_exact(task, A1, A2, 0.01)
            A1 = first * generator.uniform(-1.0, 1.0, size=(task.length, task.length))
            A2 = second * generator.uniform(-1.0, 1.0, size=(3, 3))
            assert_exact(task, A1, A2, 1e-6)

    @pytest.mark.parametrize("shift", [1.0, 1e3, 1e6, 1e9])
    @pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
    def test_columns_of_a2_far_from_zero(self, shift, scale):
        """A constant in a column of A2 changes nothing, and must not cost digits either."""
        task = InContextTask(CausalGraph.from_parents([-1, 0, 1]), PointPrior([[0.25, 0.75], [0.5, 0.5]]))
        A1 = np.random.default_rng(0).normal(size=(4, 4))
        A2 = np.array([[shift + scale, shift], [shift, shift - scale]])
        assert_exact(task, A1, A2, 0.05)

    @pytest.mark.parametrize("steepness", [3.0, 6.0, 9.0, 12.0])
    def test_tiny_loss(self, steepness):
        """A prediction that is almost certain and right: the roundoff of log f is far more than that of the loss."""
        task = InContextTask(CausalGraph.chain(3), PointPrior([[1 - 2.0**-30, 2.0**-30], [1.0, 0.0]]))
        A2 = steepness * np.array([[1.0, 1.0], [-1.0, -1.0]])
        assert population_loss(task, 100.0 * np.eye(3), A2, epsilon=1e-12).value < 1e-3
        assert_exact(task, 100.0 * np.eye(3), A2, 1e-12)

    def test_errors_are_small(self):
        """Bounds that hold because they are huge would pass the tests above."""
        task = InContextTask(CausalGraph.chain(8), PointPrior([[0.25, 0.75], [0.875, 0.125]]))
        gradient = population_gradient(task, np.zeros((8, 8)), np.eye(2), epsilon=0.01)
        loss = population_loss(task, np.zeros((8, 8)), np.eye(2), epsilon=0.01)
        assert max(float(loss.error), gradient.A1.error.max(), gradient.A2.error.max()) < 1e-13


class TestIdentities:
    @given(task=tasks(max_length=7), data=st.data(), epsilon=st.sampled_from([1e-4, 0.1, 10.0]))
    def test_gradient_is_the_derivative_of_the_loss(self, task, data, epsilon):
        """Central differences of step h have an error of order h^2; with the error at 2h that term drops out."""
        A1, A2 = data.draw(attention_matrices(task.length)), data.draw(attention_matrices(task.vocab_size))
        direction = np.random.default_rng(1)
        along = (direction.normal(size=A1.shape), direction.normal(size=A2.shape))
        gradient = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate")
        expected = (gradient.A1.value * along[0]).sum() + (gradient.A2.value * along[1]).sum()

        def slope(step):
            ahead, behind = (
                float(population_loss(task, A1 + s * along[0], A2 + s * along[1], epsilon=epsilon, method="enumerate"))
                for s in (step, -step)
            )
            return (ahead - behind) / (2 * step)

        step = 1e-4
        # The next term is of order h^4 = 1e-16 times a fifth derivative, up to 1e6 for entries of 3 and eps = 1e-4;
        # the loss, at most 10, loses 1e-15 / h to the subtraction.
        assert_close((4 * slope(step) - slope(2 * step)) / 3, expected, rtol=1e-7, atol=1e-9)

    @given(task=tasks(max_length=6), data=st.data())
    def test_shifts_of_logits_change_nothing(self, task, data):
        """Softmax ignores constants: rows of dL/dA1 and columns of dL/dA2 sum to zero."""
        A1, A2 = data.draw(attention_matrices(task.length)), data.draw(attention_matrices(task.vocab_size))
        gradient = population_gradient(task, A1, A2, epsilon=0.05, method="enumerate")
        assert np.abs(gradient.A1.value.sum(axis=1)).max() <= gradient.A1.error.sum(axis=1).max()
        assert np.abs(gradient.A2.value.sum(axis=0)).max() <= gradient.A2.error.sum(axis=0).max()
        assert not np.triu(gradient.A1.value, k=1).any()

    @given(graph=forests(max_length=5), matrix=transition_matrices(max_size=3), seed=st.integers(0, 99))
    def test_relabeling_everything_changes_nothing(self, graph, matrix, seed):
        """``L(P pi P^T, A1, P A2 P^T) = L(pi, A1, A2)``; the gradient by A2 is relabelled too."""
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(matrix))
        swap = np.ix_(order, order)
        A1, A2 = generator.normal(size=(graph.length, graph.length)), generator.normal(size=matrix.shape)
        one, other = InContextTask(graph, PointPrior(matrix)), InContextTask(graph, PointPrior(matrix[swap]))
        losses = [population_loss(one, A1, A2, epsilon=0.05), population_loss(other, A1, A2[swap], epsilon=0.05)]
        assert abs(float(losses[0]) - float(losses[1])) <= losses[0].error + losses[1].error
        first = population_gradient(one, A1, A2, epsilon=0.05)
        second = population_gradient(other, A1, A2[swap], epsilon=0.05)
        assert (np.abs(first.A1.value - second.A1.value) <= first.A1.error + second.A1.error).all()
        assert (np.abs(first.A2.value[swap] - second.A2.value) <= first.A2.error[swap] + second.A2.error).all()

    @given(task=tasks(max_length=6), epsilon=st.sampled_from(EPSILONS), seed=st.integers(0, 99))
    def test_slope_in_beta_at_zero(self, task, epsilon, seed):
        """At A2 = 0: ``sum_a dL/dA2[a,a] = -(1/T) sum_i sum_j a_ij G_ij``, by the definition of the edge scores."""
        A1 = np.random.default_rng(seed).normal(size=(task.length, task.length))
        zero = np.zeros((task.vocab_size, task.vocab_size))
        gradient = population_gradient(task, A1, zero, epsilon=epsilon)
        scores = edge_scores(task, epsilon=epsilon)
        attention = oracles.to_array([row + [0.0] * (task.length - len(row)) for row in oracles.attention(A1.tolist())])
        expected = -(attention * scores.value).sum() / task.length
        error = gradient.A2.error.sum() + scores.error.sum() / task.length
        assert abs(np.trace(gradient.A2.value) - expected) <= error

    def test_zero_parameters_predict_frequencies(self):
        """A = 0: f is the vector of frequencies; for T = 2, S = 2 the loss can be written down.

        The query is 0 or 1 with probability 1/2 each, the other token follows the root law; the frequencies are
        (1, 0), (0, 1) or (1/2, 1/2).
        """
        (p, q), eps = (0.25, 0.875), 0.125
        task = InContextTask(CausalGraph.from_parents([-1]), PointPrior([[1 - p, p], [q, 1 - q]]), "uniform")
        same_0 = -((1 - p) * np.log(1 + eps) + p * np.log(eps))
        same_1 = -(q * np.log(eps) + (1 - q) * np.log(1 + eps))
        mixed = -np.log(0.5 + eps)
        loss = population_loss(task, np.zeros((2, 2)), np.zeros((2, 2)), epsilon=eps)
        assert_close(loss, 0.25 * (same_0 + same_1) + 0.5 * mixed, rtol=1e-15)

    def test_entries_above_the_diagonal_are_ignored(self):
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.25, 0.75], [0.875, 0.125]]))
        A1 = np.random.default_rng(0).normal(size=(4, 4))
        junk = A1 + np.triu(np.full((4, 4), np.inf), k=1)
        one, other = (population_gradient(task, matrix, np.eye(2), epsilon=0.1) for matrix in (A1, junk))
        assert np.array_equal(one.A1.value, other.A1.value)
        assert population_loss(task, A1, np.eye(2), epsilon=0.1).value == population_loss(
            task, junk, np.eye(2), epsilon=0.1
        )


class TestOrbitPrior:
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("invariant", [True, False])
    def test_average_over_all_relabelings(self, invariant, root_law):
        """Against the oracle at all S! matrices; A2 in and outside the span of I and 11^T."""
        matrix = np.array([[0.25, 0.75, 0.0], [0.5, 0.125, 0.375], [0.0, 0.625, 0.375]])
        parents = [-1, 0, 0]
        task = InContextTask(CausalGraph.from_parents(parents), OrbitPrior(matrix), root_law)
        generator = np.random.default_rng(5)
        A1 = generator.normal(size=(4, 4))
        A2 = 1.5 * np.eye(3) - 0.25 if invariant else generator.normal(size=(3, 3))
        assert ignores_labels(A2) == invariant
        losses, firsts, seconds = [], [], []
        for _, pi in oracles.relabelings(matrix.tolist()):
            root = oracles.root_law(pi, root_law)
            losses.append(oracles.loss(parents, pi, root, A1.tolist(), A2.tolist(), 0.05))
            first, second = oracles.gradient(parents, pi, root, A1.tolist(), A2.tolist(), 0.05)
            firsts.append(first)
            seconds.append(second)
        loss = population_loss(task, A1, A2, epsilon=0.05)
        gradient = population_gradient(task, A1, A2, epsilon=0.05)
        oracles.assert_within_error(loss, np.mean(losses))
        oracles.assert_within_error(gradient.loss, np.mean(losses))
        oracles.assert_within_error(gradient.A1, np.mean(firsts, axis=0))
        oracles.assert_within_error(gradient.A2, np.mean(seconds, axis=0))
        # The relabelings differ, so that evaluating one of them is not enough.
        assert np.ptp(losses) > 0.01 or invariant
        assert np.abs(np.ptp(seconds, axis=0)).max() > 0.01

    @given(matrix=attention_matrices(4))
    def test_mean_over_relabelings(self, matrix):
        expected = np.mean([matrix[np.ix_(order, order)] for order, _ in oracles.relabelings(matrix.tolist())], axis=0)
        assert_close(mean_over_relabelings(matrix), expected, rtol=0.0, atol=1e-14)


class TestDirichletPrior:
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize(("concentration", "floor"), [(0.3, 0.0), (1.0, 0.0), (1.0, 0.2)])
    def test_two_symbols(self, concentration, floor, root_law):
        """Loss and gradients are linear in ``P(sequence) y``, whose mean comes from a fine trapezoidal rule."""
        parents, epsilon = [-1, 0], 0.05
        generator = np.random.default_rng(1)
        A1, A2 = generator.normal(size=(3, 3)).tolist(), generator.normal(size=(2, 2)).tolist()
        pi, weights = oracles.binary_dirichlet_grid(concentration, floor)
        total = pi[0][1] + pi[1][0]
        half = np.full_like(weights, 0.5)
        root = [pi[1][0] / total, pi[0][1] / total] if root_law == "stationary" else [half, half]
        loss, gradients = 0.0, [np.zeros((3, 3)), np.zeros((2, 2))]
        first = oracles.attention(A1)
        for tokens, chance in oracles.sequences(parents, pi, root):
            label = [(weights * chance * pi[tokens[-1]][b]).sum() for b in (0, 1)]
            _, f = oracles.forward(tokens, first, A2)
            loss -= sum(y * np.log(f[b] + epsilon) for b, y in enumerate(label))
            by_first, by_second = oracles.sequence_gradient(tokens, label, A1, A2, epsilon)
            gradients[0] += by_first
            gradients[1] += by_second
        task = InContextTask(CausalGraph.from_parents(parents), DirichletPrior(2, concentration, floor=floor), root_law)
        estimate = population_loss(task, A1, A2, epsilon=epsilon, method="enumerate")
        gradient = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate")
        assert {estimate.method, gradient.A1.method, gradient.A2.method} == {"quadrature"}
        oracles.assert_within_error(estimate, loss)
        oracles.assert_within_error(gradient.loss, loss)
        oracles.assert_within_error(gradient.A1, gradients[0])
        oracles.assert_within_error(gradient.A2, gradients[1])
        assert max(float(estimate.error), gradient.A1.error.max(), gradient.A2.error.max()) < 1e-12

    @pytest.mark.compiled
    def test_draws_and_samples_agree(self):
        """Three symbols: enumeration at drawn matrices against sampled sequences, 5 standard errors."""
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.5))
        generator = np.random.default_rng(2)
        A1, A2 = generator.normal(size=(6, 6)), generator.normal(size=(3, 3))
        one = population_loss(task, A1, A2, epsilon=0.05, method="enumerate", draws=300, rng=1)
        other = population_loss(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=50_000, rng=2)
        assert one.method == other.method == "monte_carlo"
        assert abs(float(one) - float(other)) < 5.0 * np.hypot(one.error, other.error)
        first = population_gradient(task, A1, A2, epsilon=0.05, method="enumerate", draws=300, rng=3)
        second = population_gradient(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=50_000, rng=4)
        for left, right in ((first.A1, second.A1), (first.A2, second.A2), (first.loss, second.loss)):
            assert (np.abs(left.value - right.value) <= 5.0 * np.hypot(left.error, right.error)).all()
