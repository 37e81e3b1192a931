"""The sum of exponentials for 1/(n + c): its bound holds, each part of it is real, and it is short."""

from itertools import pairwise
from math import ceil, log, sqrt

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtrc

from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores
from causal_theory.gauss import gauss_discrete
from causal_theory.population import exponential_sums as module
from causal_theory.population import lanes as lanes_module
from causal_theory.population.exponential_sums import exponential_sum
from causal_theory.population.quadrature import ReciprocalRule, reciprocal_rule
from causal_theory.population.transform import transform_scores
from causal_theory.testing import tasks
from tests.helpers import assert_close

EPSILONS = [1e-300, 1e-6, 1e-3, 0.01, 0.3, 1.0, 10.0, 100.0]


def true_error(nodes, weights, shift, counts):
    """The largest relative error of the sum over the counts, with 40 digits."""
    with mpmath.workdps(40):
        points = [mpmath.mpf(float(z)) for z in nodes]
        masses = [mpmath.mpf(float(w)) for w in weights]
        sums = ((n, mpmath.fsum(w * z**n for w, z in zip(masses, points, strict=True))) for n in counts)
        return float(max(abs(total * (n + mpmath.mpf(shift)) - 1) for n, total in sums))


def some_counts(degree):
    """All small ones, where the steep nodes act, and some on every scale up to the last, where the flat ones do."""
    return sorted({*range(min(degree, 40) + 1), *np.geomspace(1, degree, 25).astype(int).tolist(), degree})


class TestBound:
    @pytest.mark.parametrize("epsilon", EPSILONS)
    @pytest.mark.parametrize("length", [1, 2, 20, 150, 1000, 20_000])
    def test_holds_for_lengths_and_constants(self, length, epsilon):
        nodes, weights, error = exponential_sum(epsilon * length, length)
        assert true_error(nodes, weights, epsilon * length, some_counts(length)) <= error

    @given(degree=st.integers(1, 3000), exponent=st.floats(-300.0, 6.0), fraction=st.floats(0.0, 1.0))
    def test_holds_for_any_shift_and_count(self, degree, exponent, fraction):
        """``|sum_k w_k z_k^n (n + c) - 1| <= error`` for n = 0, 1, the degree and a count in between."""
        shift = 10.0**exponent
        nodes, weights, error = exponential_sum(shift, degree)
        assert true_error(nodes, weights, shift, [0, 1, round(fraction * degree), degree]) <= error

    @given(degree=st.integers(1, 10**7), exponent=st.floats(-300.0, 6.0))
    def test_is_small(self, degree, exponent):
        """1.4e-15 for the mathematics, and roundoff: half a unit for each of the factors of a power."""
        _, _, error = exponential_sum(10.0**exponent, degree)
        assert error <= 1.4e-15 + 2.3e-16 * (degree / 2 + 16)

    @pytest.mark.parametrize("left_out", [1, 5, 15, 25, -1])
    def test_every_node_is_needed(self, left_out):
        nodes, weights, error = exponential_sum(3.0, 400)
        kept = np.arange(nodes.size) != np.arange(nodes.size)[left_out]
        assert true_error(nodes[kept], weights[kept], 3.0, some_counts(400)) > 100.0 * error


@pytest.fixture(params=[(0.45, 5, 1e-7), (0.6, 5, 1e-12), (0.3, 3, 1e-6), (0.3, 4, 1e-5)])
def coarse(request, monkeypatch):
    """Settings under which the mathematical part of the bound is far above roundoff."""
    for name, value in zip(("STEP", "FLAT_NODES", "SHARE"), request.param, strict=True):
        monkeypatch.setattr(module, name, value)
    module._flat_rule.cache_clear()
    yield
    module._flat_rule.cache_clear()


class TestPartsOfTheBound:
    @pytest.mark.usefixtures("coarse")
    @pytest.mark.parametrize("shift", [1e-4, 0.3, 5.0, 200.0])
    def test_hold_and_are_not_idle(self, shift):
        """At visible errors the bound still holds, and is no more than a thousand times too large."""
        nodes, weights, error = exponential_sum(shift, 500)
        truth = true_error(nodes, weights, shift, range(501))
        assert error > 1e-11
        assert error / 1000.0 <= truth <= error

    @pytest.mark.parametrize("step", [0.261, 0.4, 0.8])
    def test_aliasing_is_the_error_of_the_infinite_sum(self, step):
        """The error oscillates with the logarithm of x; over one period it comes within a per cent of its bound."""
        bound = module._aliasing(step)
        with mpmath.workdps(40):
            h, worst = mpmath.mpf(step), mpmath.mpf(0)
            for phase in range(24):
                x = mpmath.exp(h * phase / 24)
                times = [mpmath.exp(k * h) for k in range(-ceil(60 / step), ceil(6 / step))]
                worst = max(worst, abs(x * h * mpmath.fsum(t * mpmath.exp(-x * t) for t in times) - 1))
        assert 0.98 * bound < worst <= bound
        assert module._aliasing(module.STEP) < 1e-15

    @pytest.mark.parametrize("count", [2, 4, 7])
    @pytest.mark.parametrize("first", [0.1, 0.5, 2.0])
    def test_steep_nodes(self, first, count):
        """Few nodes in place of 40 points, against the points themselves, for every power."""
        times = first * np.exp(0.3 * np.arange(40))
        masses = 0.3 * times * np.exp(-1.2 * times)
        points = np.exp(-times)
        kept = points > 1e-300
        nodes, weights = gauss_discrete(points[kept], masses[kept], count)
        powers = np.arange(300)
        off = np.abs(weights @ nodes[:, None] ** powers - masses @ points[:, None] ** powers) * (powers + 1.2)
        assert off[: 2 * count].max() < 1e-14
        assert off.max() <= module._steep_error(first, float(masses.sum()), 0.2, 300, count) + 1e-14

    def test_polynomials_of_lower_degree(self):
        """``y^p`` without its Chebyshev terms of degree d and more is off by the tail of a binomial law."""
        p, d = 20, 8
        y = np.linspace(0.0, 1.0, 401)
        terms = np.polynomial.chebyshev.poly2cheb([0.0] * p + [1.0])  # of x^p; y = (1 + x)/2 needs the shifted ones
        shifted = np.polynomial.Chebyshev.interpolate(lambda x: ((1.0 + x) / 2.0) ** p, p).coef
        assert terms.size == shifted.size
        off = np.abs(np.polynomial.chebyshev.chebval(2.0 * y - 1.0, shifted[:d]) - y**p).max()
        assert_close(off, 2.0 * bdtrc(p + d - 1, 2 * p, 0.5), rtol=1e-9)


class TestShape:
    @pytest.mark.parametrize("epsilon", EPSILONS)
    @pytest.mark.parametrize("length", [1, 7, 100, 5000])
    def test_nodes_and_weights(self, length, epsilon):
        nodes, weights, _ = exponential_sum(epsilon * length, length)
        assert nodes[0] == 0.0
        assert (np.diff(nodes) > 0.0).all()
        assert nodes[-1] < 1.0
        assert weights[0] >= 0.0
        assert (weights[1:] > 0.0).all()

    def test_length_grows_like_the_logarithm(self):
        """At ``c = 1`` a factor ten of the degree costs log(10)/h, which is less than nine nodes."""
        sizes = [exponential_sum(1.0, 10**k)[0].size for k in range(2, 8)]
        assert all(b - a <= 9 for a, b in pairwise(sizes))
        assert sizes[-1] < 5.0 * log(10**7)
        # A node on a scale of its own cannot be spared: growth is real.
        assert all(b - a >= 6 for a, b in pairwise(sizes))

    @pytest.mark.parametrize(("length", "epsilon", "most"), [(1000, 0.01, 37), (5000, 0.01, 37), (1000, 1e-3, 46)])
    def test_published_lengths(self, length, epsilon, most):
        """Not longer than the plain sum with a Gauss rule at its flat end only."""
        assert exponential_sum(epsilon * length, length)[0].size <= most

    def test_never_longer_than_the_other_rule(self):
        for epsilon in (1e-6, 0.01, 1.0):
            for length in (10, 36, 60, 80, 100, 300, 1000):
                rule = reciprocal_rule(epsilon * length, length)
                radau = min(ceil(length / 2), ceil(2.4 * sqrt(length) + 8))
                few = reciprocal_rule(epsilon * length, length, radau)
                assert rule.nodes.size <= few.nodes.size or few.relative_error > 4e-15
        assert reciprocal_rule(10.0, 1000).nodes.size < 40

    def test_fewest_terms_is_what_the_choice_assumes(self):
        from causal_theory.population.quadrature import FEWEST_EXPONENTIALS

        sizes = [exponential_sum(e * n, n)[0].size - 1 for e in EPSILONS for n in range(32, 80, 3)]
        assert min(sizes) >= FEWEST_EXPONENTIALS


class TestScores:
    @pytest.fixture
    def forced(self, monkeypatch):
        """Take the sum of exponentials at any length."""

        def rule(shift, degree, nodes=None):
            return ReciprocalRule(*exponential_sum(shift, degree))

        monkeypatch.setattr(lanes_module, "reciprocal_rule", rule)
        lanes_module.reciprocal_lanes.cache_clear()
        yield
        lanes_module.reciprocal_lanes.cache_clear()

    @pytest.mark.usefixtures("forced")
    @given(task=tasks(max_length=8, max_size=3), epsilon=st.sampled_from([1e-6, 0.01, 1.0, 10.0]))
    def test_short_tasks_equal_the_enumeration(self, task, epsilon):
        fast = edge_scores(task, epsilon=epsilon)
        slow = edge_scores(task, epsilon=epsilon, method="enumerate")
        assert (np.abs(fast.value - slow.value) <= fast.error + slow.error).all()

    @pytest.mark.usefixtures("forced")
    def test_short_task_to_roundoff(self):
        task = InContextTask(CausalGraph.binary_tree(10), PointPrior([[0.25, 0.75], [0.625, 0.375]]))
        fast = edge_scores(task, epsilon=0.02)
        assert_close(fast.value, edge_scores(task, epsilon=0.02, method="enumerate").value, rtol=0.0, atol=1e-13)
        assert reciprocal_rule(0.2, 10).nodes.size == 6  # what is not used here

    @pytest.mark.compiled
    @pytest.mark.parametrize("epsilon", [1e-6, 1e-3, 0.01, 1.0])
    def test_long_tasks_equal_the_exact_rule(self, epsilon):
        """T = 1000: 500 nodes of the Gauss-Radau rule, which are exact, to a relative 1e-12, and within the errors."""
        matrix = np.random.default_rng(7).dirichlet([1.0] * 3, size=3)
        task = InContextTask(CausalGraph.random_forest(1000, 0.1, np.random.default_rng(8)), PointPrior(matrix))
        value, error = transform_scores(task, epsilon, matrix)
        exact, exact_error = transform_scores(task, epsilon, matrix, nodes=500)
        assert (np.abs(value - exact) <= error + exact_error).all()
        # Relative to the sizes that are subtracted, 1/S and the value itself.
        assert (np.abs(value - exact) <= 1e-12 * (np.abs(exact) + 1.0 / 3.0)).all()

    @pytest.mark.compiled
    def test_a_chain_against_the_law_of_its_counts(self):
        """Two symbols, T = 300: the score of one pair from the law of the count, carried along the chain."""
        length, epsilon, i, j = 300, 0.004, 200, 198
        pi = np.array([[0.25, 0.75], [0.625, 0.375]])
        task = InContextTask(CausalGraph.chain(length), PointPrior(pi))
        root = task.root_distribution(pi)
        total = -0.5
        for b in range(2):
            for q in range(2):
                for at_i, gain in ((None, epsilon), (b, 1.0)):
                    law = np.zeros((2, length))
                    law[:, 0] = root
                    for v in range(length - 1):
                        law = pi.T @ law if v else law
                        for position, symbol in ((j, q), (i, at_i)):
                            if v == position and symbol is not None:
                                law[1 - symbol] = 0.0
                        law[b] = np.roll(law[b], 1)
                    counts = np.arange(length) + (q == b)
                    total += 0.5 * pi[q, b] * gain * (law.sum(axis=0) / (counts / length + epsilon)).sum()
        scores = edge_scores(task, epsilon=epsilon)
        assert scores.error[i, j] < 1e-11
        # Six hundred additions of numbers of order one in the oracle.
        assert abs(scores.value[i, j] - total) < 2e-13
