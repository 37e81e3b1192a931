"""Averages over the prior: each kind against its own definition, with functions that can be integrated by hand."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    pairwise_joint,
    parent_attention_gradient,
)
from causal_theory.errors import InvalidArgumentError, TooLargeError
from causal_theory.priors import Prior
from causal_theory.priors.binary_rule import binary_dirichlet_rule
from causal_theory.priors.drawn import DrawnPrior
from tests import oracles
from tests.helpers import assert_close, average

MATRIX = np.array([[0.25, 0.75, 0.0], [0.5, 0.125, 0.375], [0.0, 0.625, 0.375]])
CONCENTRATIONS = [0.05, 0.1, 0.5, 1.0, 2.5, 10.0]


def counted(function):
    """The function with a record of the matrices it was called with."""
    calls = []

    def evaluate(matrix):
        calls.append(np.array(matrix))
        value = np.asarray(function(matrix), dtype=float)
        return value, np.full_like(value, 1e-16)

    return evaluate, calls


class TestOneMatrix:
    @pytest.mark.parametrize("label_invariant", [True, False])
    def test_point(self, label_invariant):
        evaluate, calls = counted(lambda pi: pi)
        result = average(PointPrior(MATRIX), evaluate, label_invariant=label_invariant)
        assert result.method == "exact"
        assert np.array_equal(result.value, MATRIX)
        assert (result.error == 1e-16).all()
        assert len(calls) == 1

    def test_orbit_of_an_invariant_function(self):
        evaluate, calls = counted(np.trace)
        result = average(OrbitPrior(MATRIX), evaluate, label_invariant=True)
        assert (float(result), result.method, len(calls)) == (0.75, "exact", 1)

    def test_orbit_with_a_closed_form(self):
        evaluate, calls = counted(lambda pi: pi)
        result = average(OrbitPrior(MATRIX), evaluate, label_invariant=False, over_names=lambda value: value + 1.0)
        assert np.array_equal(result.value, MATRIX + 1.0)
        assert len(calls) == 1

    def test_orbit_by_all_relabelings(self):
        """S! evaluations, equal weights: an entry, its square and a product that no symmetry helps with."""

        def function(pi):
            return np.array([pi[0, 1], pi[0, 1] ** 2, pi[0, 0] * pi[1, 2]])

        evaluate, calls = counted(function)
        result = average(OrbitPrior(MATRIX), evaluate, label_invariant=False)
        expected = np.mean([function(np.array(pi)) for _, pi in oracles.relabelings(MATRIX.tolist())], axis=0)
        assert len(calls) == 6
        assert result.method == "exact"
        assert_close(result, expected, rtol=1e-15)
        assert (result.error > 0.0).all()

    def test_too_many_relabelings(self):
        evaluate, calls = counted(np.trace)
        with pytest.raises(TooLargeError, match="9! = 362880"):
            average(OrbitPrior(np.full((9, 9), 1 / 9)), evaluate)
        assert calls == []


class TestBinaryRule:
    @pytest.mark.parametrize("concentration", CONCENTRATIONS)
    @pytest.mark.parametrize("floor", [0.0, 0.3])
    def test_moments(self, concentration, floor):
        """``E x^m y^n`` of two independent Beta(c, c) variables: ``prod (c + k)/(2c + k)``."""
        matrices, weights = binary_dirichlet_rule(concentration, floor, 20, label_invariant=False)
        x, y = ((matrices[:, a, 1 - a] - floor / 2) / (1 - floor) for a in (0, 1))
        c = Fraction(concentration)

        def moment(n):
            value = Fraction(1)
            for k in range(n):
                value *= (c + k) / (2 * c + k)
            return value

        for m, n in [(0, 0), (1, 0), (0, 1), (3, 2), (7, 0), (6, 6)]:
            # Weights come from recurrences and one Newton step; their errors add up to some 1e-14.
            assert_close((weights * x**m * y**n).sum(), float(moment(m) * moment(n)), rtol=1e-12)

    @pytest.mark.parametrize("concentration", CONCENTRATIONS)
    def test_stationary_law(self, concentration):
        """``E mu_0^2`` with mu = (y, x)/(x + y), which has no limit in the corner x = y = 0."""
        matrices, weights = binary_dirichlet_rule(concentration, 0.0, 25, label_invariant=False)
        x, y = matrices[:, 0, 1], matrices[:, 1, 0]
        pi, fine = oracles.binary_dirichlet_grid(max(concentration, 0.1), 0.0)
        if concentration >= 0.1:
            expected = (fine * (pi[1][0] / (pi[0][1] + pi[1][0])) ** 2).sum()
            assert_close((weights * (y / (x + y)) ** 2).sum(), expected, rtol=1e-12)
        assert_close((weights * y / (x + y)).sum(), 0.5, rtol=1e-12)

    @pytest.mark.parametrize("concentration", CONCENTRATIONS)
    def test_points(self, concentration):
        matrices, weights = binary_dirichlet_rule(concentration, 0.0, 15, label_invariant=False)
        assert (weights > 0.0).all()
        assert ((matrices >= 0.0) & (matrices <= 1.0)).all()
        assert_close(matrices.sum(axis=2), np.ones(matrices.shape[:2]), rtol=1e-15)
        assert (matrices[:, [0, 1], [1, 0]] > 0.0).all()

    def test_half_the_points_for_invariant_functions(self):
        def mean(label_invariant):
            matrices, weights = binary_dirichlet_rule(0.4, 0.1, 20, label_invariant=label_invariant)
            trace = np.trace(matrices, axis1=1, axis2=2)
            return len(matrices), (weights * np.exp(trace)).sum()

        (all_points, full), (half_points, half) = mean(False), mean(True)
        assert half_points < 0.6 * all_points
        assert_close(half, full, rtol=1e-13)


class TestBinaryAverage:
    @pytest.mark.parametrize("concentration", [0.1, 1.0, 2.5])
    def test_smooth_function(self, concentration):
        """``E exp(pi_01 - 2 pi_10) = 1F1(c; 2c; 1) 1F1(c; 2c; -2)``, to roundoff and with an error that covers it."""
        evaluate, _ = counted(lambda pi: np.exp(pi[0, 1] - 2 * pi[1, 0]))
        result = average(DirichletPrior(2, concentration), evaluate, label_invariant=False)
        c = mpmath.mpf(concentration)
        truth = float(mpmath.hyp1f1(c, 2 * c, 1) * mpmath.hyp1f1(c, 2 * c, -2))
        assert result.method == "quadrature"
        assert abs(float(result) - truth) <= result.error < 1e-12

    def test_kink(self):
        """``E |pi_01 - pi_10| = 1/3`` for uniform entries: convergence is slow, and the error admits it."""
        evaluate, _ = counted(lambda pi: abs(pi[0, 1] - pi[1, 0]))
        result = average(DirichletPrior(2, 1.0), evaluate, label_invariant=True)
        assert abs(float(result) - 1 / 3) <= result.error

    def test_refinement_stops_early(self):
        """A polynomial is exact with the first rule; the second confirms it."""
        evaluate, calls = counted(lambda pi: pi[0, 1] * pi[1, 0])
        result = average(DirichletPrior(2, 1.0), evaluate, label_invariant=True)
        assert_close(result, 0.25, rtol=1e-14)
        assert len(calls) < 5 * (10**2 + 15**2)


class TestDraws:
    def test_mean_and_standard_error(self):
        prior = DirichletPrior(3, 0.5)
        evaluate, calls = counted(lambda pi: np.array([pi[0, 0], pi[0, 1] * pi[1, 2]]))
        result = average(prior, evaluate, label_invariant=False, draws=50, rng=7)
        values = np.array([[pi[0, 0], pi[0, 1] * pi[1, 2]] for pi in prior.sample(50, np.random.default_rng(7))])
        assert result.method == "monte_carlo"
        assert len(calls) == 50
        assert_close(result, values.mean(axis=0), rtol=1e-13)
        assert_close(result.error, values.std(axis=0, ddof=1) / np.sqrt(50), rtol=1e-12)

    def test_no_cancellation_in_the_spread(self):
        """A mean of 1e9 with a spread of one: the sum of squares would have lost it."""
        evaluate, _ = counted(lambda pi: 1e9 + pi[0, 0])
        plain, _ = counted(lambda pi: pi[0, 0])
        prior = DirichletPrior(3, 1.0)
        shifted = average(prior, evaluate, label_invariant=False, draws=40, rng=1)
        reference = average(prior, plain, label_invariant=False, draws=40, rng=1)
        # Doubles near 1e9 are spaced by 1e-7; the spread is 0.2.
        assert_close(shifted.error, reference.error, rtol=1e-6)

    @pytest.mark.parametrize("draws", [1, 0, -3, 2.5, True, "many"])
    def test_number_of_draws(self, draws):
        evaluate, _ = counted(np.trace)
        with pytest.raises(InvalidArgumentError, match="draws must be an integer of at least 2"):
            average(DirichletPrior(3, 1.0), evaluate, label_invariant=True, draws=draws)


class TestFixedDraws:
    @pytest.mark.parametrize("symbols", [2, 3])
    def test_every_quantity_sees_the_same_matrices(self, symbols):
        prior = DrawnPrior(DirichletPrior(symbols, 0.5), 6, rng=1)
        for _ in range(2):
            evaluate, calls = counted(lambda pi: pi[0, 0])
            result = average(prior, evaluate, label_invariant=True, draws=50, rng=7)
            assert np.array_equal(calls, prior.matrices)
            assert result.method == "monte_carlo"
            values = prior.matrices[:, 0, 0]
            assert_close(result, values.mean(), rtol=1e-13)
            assert_close(result.error, values.std(ddof=1) / np.sqrt(6), rtol=1e-12)

    @pytest.mark.parametrize("fixed", [True, False])
    def test_closed_forms_average_over_names(self, fixed):
        """The average over all relabelings of all draws, whose spread is that between the draws."""
        drawn = DrawnPrior(DirichletPrior(3, 0.5), 4, rng=2)
        prior = drawn if fixed else DirichletPrior(3, 0.5)
        evaluate, calls = counted(lambda pi: pi)

        def symmetrise(matrix):
            diagonal = np.trace(matrix) / 3
            return np.where(np.eye(3) > 0, diagonal, (matrix.sum() - 3 * diagonal) / 6)

        result = average(prior, evaluate, label_invariant=False, over_names=symmetrise, draws=4, rng=2)
        orbits = np.array([np.mean(list(OrbitPrior(draw).relabelings()), axis=0) for draw in drawn.matrices])
        assert len(calls) == 4
        assert_close(result, orbits.mean(axis=0), rtol=1e-13)
        assert_close(result.error, orbits.std(axis=0, ddof=1) / 2, rtol=1e-12)


class TestYourOwnPrior:
    """A law that knows the names of the symbols is not averaged over them."""

    class Fixed(Prior):
        vocab_size = 2
        mean = np.array([[0.9, 0.1], [0.4, 0.6]])

        def sample(self, size, rng=None):
            return np.broadcast_to(self.mean, (size, 2, 2))

    def test_keeps_its_names(self):
        graph = CausalGraph.chain(4)
        own, point = (InContextTask(graph, prior) for prior in (self.Fixed(), PointPrior(self.Fixed.mean)))
        found, expected = pairwise_joint(own, draws=4, rng=0), pairwise_joint(point)
        assert_close(found.value, expected.value, rtol=1e-14)
        A2 = np.array([[1.0, -0.5], [0.25, 2.0]])
        gradients = [
            parent_attention_gradient(task, A2, epsilon=0.1, **options)
            for task, options in ((own, {"draws": 4, "rng": 0}), (point, {}))
        ]
        assert_close(gradients[0].value, gradients[1].value, rtol=1e-12)
        assert abs(expected.value - expected.value[:, :, ::-1, ::-1]).max() > 0.1
