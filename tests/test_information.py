"""Joint laws and informations of pairs: rational arithmetic, closed forms, theorems, sampling."""

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
    pairwise_information,
    pairwise_joint,
)
from causal_theory.information import MEASURES
from causal_theory.testing import forests, tasks, transition_matrices
from tests import oracles
from tests.helpers import assert_close


def rational(task):
    """Parents, matrix and root law of a task in rational numbers."""
    matrix = oracles.exact(task.prior.transition)
    return oracles.context_parents(task.graph), matrix, oracles.root_law(matrix, task.root_law)


class TestJoint:
    @given(task=tasks(max_length=5))
    def test_within_error_of_rational_arithmetic(self, task):
        estimate = pairwise_joint(task)
        oracles.assert_within_error(estimate, oracles.joint(*rational(task)))
        assert estimate.method == "exact"
        assert estimate.error.max() < 1e-13

    def test_impossible_pairs_have_probability_zero(self):
        """A transition of probability zero, with a law of the parent that is no dyadic number."""
        task = InContextTask(
            CausalGraph.chain(4), PointPrior([[0.5, 0.25, 0.25], [0.0, 0.375, 0.625], [0.25, 0.75, 0.0]])
        )
        joint = pairwise_joint(task).value
        assert joint[1, 0, 0, 1] == joint[0, 1, 1, 0] == 0.0
        assert joint[2, 1, 2, 2] == 0.0
        assert joint[2, 0, 0, 1] > 0.0

    @given(task=tasks(max_length=8, max_size=4, priors=("point", "orbit", "dirichlet")))
    def test_marginals(self, task):
        """Each block sums to one, has the marginals of its tokens, and is the transpose of its mirror."""
        joint = pairwise_joint(task, draws=4, rng=0).value
        assert (joint >= 0.0).all()
        assert_close(joint.sum(axis=(2, 3)), np.ones((task.length, task.length)), rtol=1e-13)
        diagonal = np.einsum("iiab->iab", joint)
        laws = np.einsum("iaa->ia", diagonal)
        # Differences of laws of order one: roundoff of a few sums.
        assert_close(joint.sum(axis=3), np.broadcast_to(laws[:, None], joint.shape[:3]), rtol=0.0, atol=1e-13)
        assert_close(joint, joint.transpose(1, 0, 3, 2), rtol=1e-14)
        assert not (diagonal * ~np.eye(task.vocab_size, dtype=bool)).any()
        assert_close(laws[-1], np.full(task.vocab_size, 1.0 / task.vocab_size), rtol=1e-14)

    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("kind", ["point", "orbit", "dirichlet"])
    def test_sampling(self, kind, root_law):
        """Counts of all pairs of 40000 sequences: z-scores below 5, with a standard deviation near one."""
        matrix = [[0.25, 0.75, 0.0], [0.5, 0.125, 0.375], [0.0, 0.625, 0.375]]
        prior = {"point": PointPrior(matrix), "orbit": OrbitPrior(matrix), "dirichlet": DirichletPrior(2, 0.5)}[kind]
        task = InContextTask(CausalGraph.from_parents([-1, 0, 0, -1, 2]), prior, root_law)
        count = 40_000
        tokens = task.sample(count, 11).tokens
        joint = pairwise_joint(task).value
        scores = []
        for i, j in product(range(task.length), repeat=2):
            for a, b in product(range(task.vocab_size), repeat=2):
                p = joint[i, j, a, b]
                seen = np.count_nonzero((tokens[:, i] == a) & (tokens[:, j] == b))
                if p < 1e-15:
                    assert seen == 0
                elif i > j:
                    scores.append((seen - count * p) / np.sqrt(count * p * (1 - p)))
        assert np.abs(scores).max() < 5.0
        # The cells are dependent; 60 and more of them still fix the spread to a third.
        assert 0.6 < np.std(scores) < 1.4

    def test_orbit_is_the_average_over_relabelings(self):
        matrix = [[0.25, 0.75, 0.0], [0.5, 0.125, 0.375], [0.0, 0.625, 0.375]]
        task = InContextTask(CausalGraph.from_parents([-1, 0, 1, 0]), OrbitPrior(matrix), "uniform")
        parents, pi, _ = rational(task)
        root = [Fraction(1, 3)] * 3
        tables = [oracles.to_array(oracles.joint(parents, renamed, root)) for _, renamed in oracles.relabelings(pi)]
        oracles.assert_within_error(pairwise_joint(task), np.mean(tables, axis=0))

    @pytest.mark.parametrize("bits", [3, 12, 30])
    def test_orbit_of_a_concentrated_matrix(self, bits):
        """Small entries are sums, not differences: a token is never another symbol than itself."""
        tiny = 2.0**-bits
        matrix = [[1 - 2 * tiny, tiny, tiny], [1.0, 0.0, 0.0], [tiny, 1 - tiny, 0.0]]
        task = InContextTask(CausalGraph.from_parents([-1, 0, 0]), OrbitPrior(matrix))
        parents, pi, _ = rational(task)
        tables = [
            oracles.joint(parents, renamed, oracles.stationary(renamed)) for _, renamed in oracles.relabelings(pi)
        ]
        mean = [
            [[[sum(table[i][j][a][b] for table in tables) / 6 for b in range(3)] for a in range(3)] for j in range(4)]
            for i in range(4)
        ]
        estimate = pairwise_joint(task)
        oracles.assert_within_error(estimate, mean)
        own = np.einsum("iiab->iab", estimate.value)
        assert (own[:, ~np.eye(3, dtype=bool)] == 0.0).all()

    def test_two_symbol_dirichlet(self):
        """Against a fine trapezoidal rule in other variables."""
        pi, weights = oracles.binary_dirichlet_grid(0.5, 0.0)
        total = pi[0][1] + pi[1][0]
        table = oracles.joint([-1, 0, 0], pi, [pi[1][0] / total, pi[0][1] / total])
        mean = [[[[(weights * cell).sum() for cell in row] for row in block] for block in line] for line in table]
        task = InContextTask(CausalGraph.from_parents([-1, 0, 0]), DirichletPrior(2, 0.5))
        estimate = pairwise_joint(task)
        assert estimate.method == "quadrature"
        oracles.assert_within_error(estimate, mean)
        assert estimate.error.max() < 1e-12


class TestInformation:
    @pytest.mark.parametrize("measure", MEASURES)
    @given(task=tasks(max_length=5))
    def test_within_error_of_rational_arithmetic(self, measure, task):
        estimate = pairwise_information(task, measure)
        oracles.assert_within_error(estimate, oracles.informations(*rational(task), measure))
        assert estimate.method == "exact"

    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_relative_accuracy(self, measure, root_law):
        """Ordinary matrices with zeros among them: every entry to 13 digits, whatever its size."""
        generator = np.random.default_rng(9)
        for _ in range(20):
            units = generator.integers(0, 2**10, size=(3, 3)) * (generator.random((3, 3)) < 0.7)
            units[np.arange(3), (np.arange(3) + 1) % 3] += 2**12 - units.sum(axis=1)
            graph = CausalGraph.random_forest(5, 0.2, generator)
            task = InContextTask(graph, PointPrior(units / 2.0**12), root_law)
            truth = oracles.to_array(oracles.informations(*rational(task), measure))
            # Informations down to 1e-6 are sums of terms that cancel to that size in the formula.
            assert_close(pairwise_information(task, measure), truth, rtol=1e-12)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_zero_transition(self, measure):
        """The smallest case with an impossible pair and a stationary law that is not dyadic."""
        matrix = [[0.5, 0.25, 0.25], [0.0, 0.375, 0.625], [0.25, 0.75, 0.0]]
        task = InContextTask(CausalGraph.chain(3), PointPrior(matrix))
        truth = oracles.to_array(oracles.informations(*rational(task), measure))
        assert_close(pairwise_information(task, measure), truth, rtol=1e-14)

    @pytest.mark.parametrize("measure", MEASURES)
    @pytest.mark.parametrize("bits", [12, 26, 40])
    def test_near_deterministic(self, measure, bits):
        """A parent that decides its child but for ``2^-bits``, and a law concentrated on one symbol."""
        tiny = 2.0**-bits
        matrices = [
            [[tiny, tiny, 1 - 2 * tiny], [1 - 2 * tiny, tiny, tiny], [tiny, 1 - 2 * tiny, tiny]],
            [[tiny, tiny, 1 - 2 * tiny], [0.25, 0.25, 0.5], [tiny, tiny, 1 - 2 * tiny]],
        ]
        for matrix, root_law in product(matrices, ["stationary", "uniform"]):
            task = InContextTask(CausalGraph.chain(3), PointPrior(matrix), root_law)
            truth = oracles.to_array(oracles.informations(*rational(task), measure))
            estimate = pairwise_information(task, measure)
            # The marginals are near 0 and 1: P - Q loses up to `bits` of 53 binary digits for the rare symbols, but
            # each of their terms is weighted by their probability.
            assert_close(estimate, truth, rtol=1e-12, atol=1e-15)
            oracles.assert_within_error(estimate, truth)

    @pytest.mark.parametrize("measure", MEASURES)
    def test_independent_tokens(self, measure):
        """Different trees, and the query: exactly zero."""
        task = InContextTask(CausalGraph.pairs(8), PointPrior([[0.25, 0.75], [0.875, 0.125]]))
        value = pairwise_information(task, measure).value
        same_tree = np.isfinite(task.graph.distances)
        assert not value[~same_tree].any()
        assert (value[same_tree] > 0.0).all()

    @pytest.mark.parametrize("measure", MEASURES)
    def test_rows_alike(self, measure):
        """A child that ignores its parent carries no information; roundoff of the marginals is all that is left."""
        matrix = [[0.125, 0.25, 0.625]] * 3
        value = pairwise_information(InContextTask(CausalGraph.chain(6), PointPrior(matrix), "uniform"), measure).value
        assert np.abs(value[~np.eye(6, dtype=bool)]).max() < 1e-15

    @pytest.mark.parametrize("measure", MEASURES)
    def test_diagonal_is_a_token_with_itself(self, measure):
        """Closed forms for a law p: S - 1, entropy, ``1 - sum p^2``, ``1 - sum p^(3/2)``."""
        matrix = [[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.25, 0.25, 0.5]]
        task = InContextTask(CausalGraph.from_parents([-1, -1]), PointPrior(matrix))
        p = np.array([1 / 3, 2 / 3])
        forms = {"chi2": 1.0, "kl": -(p @ np.log(p)), "tv": 1 - p @ p, "hellinger": 1 - (p**1.5).sum()}
        uniform = {"chi2": 2.0, "kl": np.log(3.0), "tv": 2 / 3, "hellinger": 1 - 3 * (1 / 3) ** 1.5}
        expected = [forms[measure], forms[measure], uniform[measure]]
        assert_close(np.diag(pairwise_information(task, measure)), expected, rtol=1e-15)

    def test_ratio_zero_over_zero_counts_nothing(self):
        """A symbol of probability zero: chi-square is that of the other symbols, with two of three kept."""
        matrix = [[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.25, 0.25, 0.5]]
        small = [[0.5, 0.5], [0.25, 0.75]]
        for measure in MEASURES:
            with_zero = pairwise_information(InContextTask(CausalGraph.chain(4), PointPrior(matrix)), measure).value
            without = pairwise_information(InContextTask(CausalGraph.chain(4), PointPrior(small)), measure).value
            assert_close(with_zero[:3, :3], without[:3, :3], rtol=1e-14)


LONG = 1700


@pytest.fixture(scope="module")
def long_chain():
    return InContextTask(CausalGraph.chain(LONG), PointPrior([[0.875, 0.125], [0.125, 0.875]]))


class TestDistantPairs:
    """Symmetric matrix of two symbols with second eigenvalue l: closed forms at any distance d."""

    @pytest.mark.parametrize(
        ("measure", "form"),
        [
            ("chi2", lambda r: r**2),
            ("tv", lambda r: r / 2),
            ("kl", lambda r: r**2 / 2),
            ("hellinger", lambda r: r**2 / 8),
        ],
    )
    def test_relative_accuracy_at_any_distance(self, measure, form, long_chain):
        """chi2 = l^2d, tv = l^d / 2; kl and hellinger by their leading terms once l^d is tiny; down to 1e-200."""
        decay = 0.75 ** np.arange(1.0, LONG - 1)
        value = pairwise_information(long_chain, measure).value[0, 1:-1]
        expected = form(decay)
        far = (expected > 1e-200) if measure in ("chi2", "tv") else (expected > 1e-200) & (decay < 1e-7)
        assert expected[far].min() < 1e-190
        # A product of d matrices: d roundoff units, d up to 1600. The next term of kl and hellinger is 1e-14.
        assert_close(value[far], expected[far], rtol=1e-12)
        # The claimed error is larger, a bound on every sum of two terms, but stays relative.
        assert (pairwise_information(long_chain, measure).error[0, 1:-1][far] <= 1e-9 * expected[far]).all()

    @pytest.mark.parametrize("measure", ["kl", "hellinger"])
    def test_first_distances_with_forty_digits(self, measure, long_chain):
        value = pairwise_information(long_chain, measure).value[0, 1:41]
        with mpmath.workdps(40):
            expected = []
            for k in range(40):
                r = mpmath.mpf(3) ** (k + 1) / mpmath.mpf(4) ** (k + 1)
                if measure == "kl":
                    expected.append(sum((1 + s * r) * mpmath.log(1 + s * r) for s in (1, -1)) / 2)
                else:
                    expected.append(sum((mpmath.sqrt(1 + s * r) - 1) ** 2 for s in (1, -1)) / 4)
        # The series of kl near independence and the logarithm away from it meet where both lose two or three digits.
        assert_close(value, oracles.to_array(expected), rtol=1e-13)

    def test_cousins(self):
        """Two branches of one tree: the exponent is the distance through the common ancestor."""
        task = InContextTask(CausalGraph.binary_tree(64), PointPrior([[0.875, 0.125], [0.125, 0.875]]))
        distance = task.graph.distances
        near = np.isfinite(distance) & (distance > 0)
        expected = 0.5625 ** distance[near]
        assert_close(pairwise_information(task, "chi2").value[near], expected, rtol=1e-13)


class TestTheorems:
    @pytest.mark.parametrize("measure", MEASURES)
    @given(task=tasks(max_length=7, max_size=4))
    def test_data_processing_inequality(self, measure, task):
        """``I(s_i; s_j) <= I(s_i; s_p(i))`` and ``I(s_i; s_j) <= I(s_j; s_c)`` along every path of the forest.

        Source: data processing for f-divergences (Csiszar and Shields, 2004): if k lies between i and j on their
        path, s_i - s_k - s_j is a Markov chain and ``I(i, j) <= min(I(i, k), I(k, j))``.
        """
        value = pairwise_information(task, measure).value
        distance = task.graph.distances
        for i, j, k in product(range(task.length), repeat=3):
            if distance[i, k] + distance[k, j] == distance[i, j] < np.inf:
                # All are at most S - 1; 1e-13 is a few hundred roundoff units.
                assert value[i, j] <= min(value[i, k], value[k, j]) + 1e-13

    def test_data_processing_needs_the_path(self):
        """Negative control: a position off the path does not separate i from j."""
        task = InContextTask(CausalGraph.pairs(6), PointPrior([[0.875, 0.125], [0.125, 0.875]]))
        for measure in MEASURES:
            value = pairwise_information(task, measure).value
            assert value[0, 1] > min(value[0, 2], value[2, 1]) + 0.01

    @given(task=tasks(max_length=6, max_size=4))
    def test_divergences_are_ordered(self, task):
        """``tv^2 <= 2 H^2 (2 - H^2) / 2``, ``2 tv^2 <= kl`` (Pinsker), ``2 H^2 <= kl <= log(1 + chi2) <= chi2``.

        H^2 is half the squared distance of square roots: ``H^2 <= tv <= H sqrt(2 - H^2)``.
        """
        tv, kl, chi2, hellinger = (pairwise_information(task, m).value for m in ("tv", "kl", "chi2", "hellinger"))
        slack = 1e-13
        assert (hellinger <= tv + slack).all()
        assert (tv <= np.sqrt(hellinger * (2 - hellinger)) + slack).all()
        assert (2 * tv**2 <= kl + slack).all()
        assert (2 * hellinger <= kl + slack).all()
        assert (kl <= np.log1p(chi2) + slack).all()

    @pytest.mark.parametrize("measure", MEASURES)
    @given(graph=forests(max_length=6), matrix=transition_matrices(max_size=4), seed=st.integers(0, 99))
    def test_relabeling_symbols_changes_nothing(self, measure, graph, matrix, seed):
        order = np.random.default_rng(seed).permutation(len(matrix))
        one = pairwise_information(InContextTask(graph, PointPrior(matrix)), measure)
        other = pairwise_information(InContextTask(graph, OrbitPrior(matrix[np.ix_(order, order)])), measure)
        assert (np.abs(one.value - other.value) <= one.error + other.error).all()
        assert np.array_equal(one.value, one.value.T)

    def test_reversible_chain_at_stationarity(self):
        """A two-state chain is reversible: a pair has the same joint law in both orders."""
        joint = pairwise_joint(InContextTask(CausalGraph.chain(5), PointPrior([[0.25, 0.75], [0.125, 0.875]]))).value
        assert_close(joint[3, 1], joint[3, 1].T, rtol=1e-14)


class TestDirichletPrior:
    """Two symbols: pi = [[1 - x, x], [y, 1 - y]] with independent x, y from Beta(c, c), second eigenvalue 1 - x - y."""

    @pytest.mark.parametrize("concentration", [0.1, 0.5, 1.0, 3.0])
    def test_chi2_moments(self, concentration):
        """``E (1 - x - y)^2d`` from the moments of the Beta law, in rational numbers."""
        c = Fraction(concentration)

        def moment(n):
            """``E (x - 1/2)^n``, zero for odd n."""
            if n % 2:
                return Fraction(0)
            value = Fraction(1)
            for k in range(n // 2):
                value *= Fraction(2 * k + 1) / (2 * (2 * c + 2 * k + 1)) / 2
            return value

        def binomial(n, k):
            return 1 if k == 0 else binomial(n, k - 1) * (n - k + 1) // k

        task = InContextTask(CausalGraph.chain(8), DirichletPrior(2, concentration))
        estimate = pairwise_information(task, "chi2")
        assert estimate.method == "quadrature"
        for distance in range(1, 7):
            n = 2 * distance
            truth = float(sum(binomial(n, k) * moment(k) * moment(n - k) for k in range(n + 1)))
            assert abs(estimate.value[0, distance] - truth) <= estimate.error[0, distance] < 1e-12

    @pytest.mark.parametrize("concentration", [0.5, 1.0, 2.0])
    def test_a_kink_is_reflected_in_the_error(self, concentration):
        """Total variation of an edge with uniform roots is ``E|1 - x - y| / 2 = integral F (1 - F)``: a slow case.

        The integrand has a kink along a line; the quadrature converges slowly and must say so.
        """
        task = InContextTask(CausalGraph.chain(3), DirichletPrior(2, concentration), "uniform")
        estimate = pairwise_information(task, "tv")
        with mpmath.workdps(30):
            c = mpmath.mpf(concentration)

            def tail(x):
                share = mpmath.betainc(c, c, 0, x, regularized=True)
                return share * (1 - share)

            truth = float(mpmath.quad(tail, [0, 0.5, 1]))
        assert abs(estimate.value[1, 0] - truth) <= estimate.error[1, 0]
        assert estimate.error[1, 0] < 1e-4

    @pytest.mark.parametrize("measure", ["kl", "hellinger"])
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_logarithms_and_roots(self, measure, root_law):
        """An edge and two siblings against a fine trapezoidal rule; singular at the boundary, so errors are larger."""
        pi, weights = oracles.binary_dirichlet_grid(0.5, 0.0)
        total = pi[0][1] + pi[1][0]
        half = np.full_like(weights, 0.5)
        root = [pi[1][0] / total, pi[0][1] / total] if root_law == "stationary" else [half, half]
        table = oracles.joint([-1, 0, 0], pi, root)
        estimate = pairwise_information(InContextTask(CausalGraph.star(4), DirichletPrior(2, 0.5), root_law), measure)
        for i, j in [(1, 0), (2, 1)]:
            total = 0.0
            for a, b in product((0, 1), repeat=2):
                p = table[i][j][a][b]
                q = (table[i][j][a][0] + table[i][j][a][1]) * (table[i][j][0][b] + table[i][j][1][b])
                if measure == "kl":
                    total += (weights * p * np.log(p / q)).sum()
                else:
                    total += (weights * 0.5 * (np.sqrt(p) - np.sqrt(q)) ** 2).sum()
            assert abs(estimate.value[i, j] - total) <= estimate.error[i, j] < 1e-4

    def test_three_symbols_by_draws(self):
        """Two independent Monte Carlo means within 5 standard errors."""
        task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.5))
        one = pairwise_information(task, "kl", draws=300, rng=1)
        other = pairwise_information(task, "kl", draws=900, rng=2)
        assert one.method == "monte_carlo"
        off, bar = np.abs(one.value - other.value), np.hypot(one.error, other.error)
        assert (off <= 5.0 * bar + 1e-15).all()
        assert one.error[1, 0] > other.error[1, 0] > 0.0
