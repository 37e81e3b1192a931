"""Two symbols that are both rare: averages under a Dirichlet prior whose integrands vary on a scale of their own."""

from math import lgamma, log

import mpmath
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    edge_scores,
    limit_edge_scores,
    pairwise_joint,
)
from causal_theory.priors.binary_rule import binary_dirichlet_rule
from tests.helpers import average

CHAIN = CausalGraph.chain(3)


def limit(concentration, epsilon, floor=0.0):
    return limit_edge_scores(InContextTask(CHAIN, DirichletPrior(2, concentration, floor=floor)), epsilon=epsilon)


def logit_grid(concentration, floor):
    """Entries and weights by the trapezoidal rule in the logits of both entries: it sees all scales alike.

    Logarithms of the entries come with it: their ratio is the ratio of the stationary probabilities.
    """
    c = concentration
    reach = 38.0 / min(c, 1.0) + 5.0
    step = 0.5 if c < 0.5 else 0.25
    v = step * np.arange(-int(reach / step), int(reach / step) + 1)
    low, high = -np.logaddexp(0.0, -v), -np.logaddexp(0.0, v)
    weight = step * np.exp(c * (low + high) + lgamma(2 * c) - 2 * lgamma(c))
    entry, rest = (0.5 * floor + (1.0 - floor) * np.exp(part) for part in (low, high))
    logs = np.log(entry) if floor else low
    gap = np.clip(logs[:, None] - logs[None, :], -700.0, 700.0)
    mu = 1.0 / (1.0 + np.exp(gap)), 1.0 / (1.0 + np.exp(-gap))
    pi = [[rest[:, None], entry[:, None]], [entry[None, :], rest[None, :]]]
    return pi, mu, weight[:, None] * weight[None, :]


def limit_on_grid(concentration, epsilon, floor):
    """The query's own entry, the diagonal and an edge: sums over symbols from the definition, ``P = mu_a pi_ab``."""
    pi, mu, weight = logit_grid(concentration, floor)
    own = diagonal = edge = 0.0
    for a in (0, 1):
        for b in (0, 1):
            slope = pi[a][b] / (mu[b] + epsilon)
            own = own + slope * ((a == b) - mu[b])
            diagonal = diagonal + slope * ((a == b) - mu[b]) * mu[a]
            edge = edge + slope * (mu[a] * pi[a][b] - mu[a] * mu[b])
    return [0.5 * float((weight * part).sum()) for part in (own, diagonal, edge)]


def entries(estimate):
    return [(part[-1, -1], part[0, 0], part[1, 0]) for part in (estimate.value, estimate.error)]


class TestSmallEpsilon:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("concentration", "epsilon", "floor"),
        [
            (0.3, 1e-8, 0.0),
            (3.0, 1e-9, 0.0),
            (9.0, 1e-8, 0.0),
            (0.4, 1e-6, 1e-4),
            (0.5, 0.0, 0.02),
            (0.4, 0.0, 1e-6),
        ],
    )
    def test_against_the_grid(self, concentration, epsilon, floor):
        """The grid is good to 1e-14 of the largest term, which is about ``1 / (t + eps)``."""
        values, errors = entries(limit(concentration, epsilon, floor))
        for value, error, truth in zip(values, errors, limit_on_grid(concentration, epsilon, floor), strict=True):
            assert abs(value - truth) <= error + 1e-14 * max(abs(truth), 1.0)
            assert error <= 1e-10 * max(abs(value), 1.0)

    @pytest.mark.parametrize("epsilon", [1e-12, 1e-100])
    def test_uniform_entries_to_thirty_digits(self, epsilon):
        """Concentration 1: with (x, y) = (r, r t) and its mirror image ``int r dr`` is known; mpmath does the rest."""
        with mpmath.workdps(30):
            eps, half, third = mpmath.mpf(epsilon), mpmath.mpf(1) / 2, mpmath.mpf(1) / 3

            def integrand(t):
                first, second = t / (1 + t), 1 / (1 + t)
                stay = (half - third) * second / (first + eps) - third * second / (second + eps)
                return stay + (half - third * t) * first / (second + eps) - third * t * first / (first + eps)

            places = [0, *(eps * mpmath.mpf(10) ** k for k in range(-3, round(-log(epsilon, 10)))), 1]
            truth = mpmath.quad(integrand, places)
        found = limit(1.0, epsilon)
        assert abs(found.value[-1, -1] - float(truth)) <= found.error[-1, -1] < 1e-10

    def test_by_sampling(self):
        """Concentration 0.3, from gamma variables and their logarithms; five standard errors."""
        c, epsilon, count = 0.3, 1e-6, 400_000
        rng = np.random.default_rng(1)
        logs = np.log(rng.standard_gamma(c + 1.0, (4, count))) + np.log(rng.random((4, count))) / c
        x, y = (-np.logaddexp(0.0, logs[k] - logs[k + 1]) for k in (0, 2))
        gap = np.clip(x - y, -700.0, 700.0)
        mu = 1.0 / (1.0 + np.exp(gap)), 1.0 / (1.0 + np.exp(-gap))
        one, two = np.exp(x), np.exp(y)
        own = (1.0 - one) * mu[1] / (mu[0] + epsilon) - one * mu[1] / (mu[1] + epsilon)
        own = 0.5 * (own + (1.0 - two) * mu[0] / (mu[1] + epsilon) - two * mu[0] / (mu[0] + epsilon))
        found = limit(c, epsilon)
        assert abs(found.value[-1, -1] - own.mean()) < 5.0 * own.std() / count**0.5
        assert found.error[-1, -1] < 1e-9 * found.value[-1, -1]

    def test_coarse_scales_keep_the_rule(self):
        """To the last bit: nothing is refined where a plain rule is enough."""
        for name in (False, True):
            plain = binary_dirichlet_rule(0.4, 0.0, 15, label_invariant=name)
            given = binary_dirichlet_rule(0.4, 0.0, 15, label_invariant=name, rarest=0.1)
            assert all(np.array_equal(one, other) for one, other in zip(plain, given, strict=True))
            fine = binary_dirichlet_rule(0.4, 0.0, 15, label_invariant=name, rarest=1e-9)
            assert len(fine[1]) > 2 * len(plain[1])
            # With 15 nodes to a panel exponentials are integrated to some 1e-13.
            assert abs(fine[1].sum() - 1.0) < 1e-12


class TestWithoutEpsilon:
    @pytest.mark.parametrize("concentration", [1.05, 1.1, 1.5, 2.5, 7.5, 12.0])
    def test_own_entry_in_closed_form(self, concentration):
        """``E[pi_00 / mu_0] = E[1 - x] + E[x (1 - x)] E[1 / y]`` with ``E[1 / y] = (2c - 1)/(c - 1)``."""
        c = concentration
        truth = 0.5 + c * (2 * c - 1) / (2 * (2 * c + 1) * (c - 1)) - 1.0
        found = limit(c, 0.0)
        assert abs(found.value[-1, -1] - truth) <= found.error[-1, -1] < 1e-10

    @pytest.mark.parametrize("prior", [DirichletPrior(2, 1.0), DirichletPrior(2, 0.3), DirichletPrior(3, 0.5)])
    def test_no_mean_is_said(self, prior):
        """``E[1 / mu_a]`` is infinite up to (S - 1) c = 1; all other entries have a mean and keep their errors."""
        found = limit_edge_scores(InContextTask(CHAIN, prior), draws=20, rng=0)
        assert found.error[-1, -1] == np.inf
        assert np.isfinite(found.value).all()
        assert np.isfinite(found.error[:-1]).all()

    def test_a_mean_is_not_denied(self):
        for prior in (DirichletPrior(3, 0.6), DirichletPrior(2, 0.3, floor=0.1), DirichletPrior(2, 1.01)):
            found = limit_edge_scores(InContextTask(CHAIN, prior), draws=20, rng=0)
            assert np.isfinite(found.error).all()
        assert np.isfinite(limit(0.3, 1e-3).error).all()


class TestSmallFloors:
    """With a tiny floor the stationary law changes where both entries are as small: a share floor^2c of all."""

    @pytest.mark.parametrize(("concentration", "floor"), [(0.25, 1e-8), (0.4, 1e-12), (4.0, 1e-5)])
    def test_joint_law(self, concentration, floor):
        pi, mu, weight = logit_grid(concentration, floor)
        truth = float((weight * mu[0] * pi[0][0]).sum())
        found = pairwise_joint(InContextTask(CHAIN, DirichletPrior(2, concentration, floor=floor)))
        assert abs(found.value[1, 0, 0, 0] - truth) <= found.error[1, 0, 0, 0] + 1e-14
        assert found.error.max() < 1e-12

    def test_a_function_of_the_law(self):
        """``E exp(mu_0)``; without panels the rule settles 1e-5 away."""
        _, mu, weight = logit_grid(0.25, 1e-8)
        truth = float((weight * np.exp(mu[0])).sum())

        def evaluate(matrix):
            value = np.exp(matrix[1, 0] / (matrix[0, 1] + matrix[1, 0]))
            return np.array(value), np.array(4e-16 * value)

        found = average(DirichletPrior(2, 0.25, floor=1e-8), evaluate, label_invariant=False)
        assert abs(float(found) - truth) <= found.error + 1e-14
        assert found.error < 1e-11

    def test_scores_with_tiny_epsilon(self):
        """Three tokens enumerated on the grid; the counts are finite, and so is every term."""
        pi, mu, weight = logit_grid(0.25, 1e-6)
        found = edge_scores(InContextTask(CHAIN, DirichletPrior(2, 0.25, floor=1e-6)), epsilon=1e-12)
        truth = 0.0
        for first in (0, 1):
            for second in (0, 1):
                query = first  # the key is position 0
                tokens = (first, second, query)
                for b in (0, 1):
                    share = tokens.count(b) / 3
                    gain = ((second == b) - share) / (share + 1e-12)
                    truth = truth + 0.5 * mu[first] * pi[first][second] * pi[query][b] * gain
        assert abs(found.value[1, 0] - float((weight * truth).sum())) <= found.error[1, 0] + 1e-14
        assert found.error[1, 0] < 1e-12


@pytest.mark.parametrize("concentration", [0.001, 0.005])
def test_products_below_all_doubles(concentration):
    """Both free entries and their ratio are tiny at once; sampled in logarithms, where nothing underflows."""
    epsilon, count = 1e-300, 1_000_000
    rng = np.random.default_rng(7)

    def logarithms():
        """Of gamma variables of this shape."""
        return np.log(rng.standard_gamma(concentration + 1.0, count)) - rng.standard_exponential(count) / concentration

    def share(odds):
        return 1.0 / (1.0 + np.exp(-np.clip(odds, -709.0, 709.0)))

    stay_0, leave_0, stay_1, leave_1 = (logarithms() for _ in range(4))
    x, y = -np.logaddexp(0.0, stay_0 - leave_0), -np.logaddexp(0.0, stay_1 - leave_1)
    first, second = share(y - x), share(x - y)
    own = 0.5 * epsilon * (share(stay_0 - leave_0) * second - share(leave_1 - stay_1) * first) / (first + epsilon)
    own += 0.5 * epsilon * (share(stay_1 - leave_1) * first - share(leave_0 - stay_0) * second) / (second + epsilon)
    found = limit_edge_scores(InContextTask(CausalGraph.chain(2), DirichletPrior(2, concentration)), epsilon=epsilon)
    allowed = 4.0 * own.std() / count**0.5 + epsilon * found.error[1, 1]
    assert abs(epsilon * found.value[1, 1] - own.mean()) < allowed < 0.001
