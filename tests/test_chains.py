"""Stationary laws against exact rational arithmetic, and the chi-square matrix."""

from fractions import Fraction

import numpy as np
import pytest

from causal_theory.chains import (
    chi2_matrix,
    closed_classes,
    mixing_decay,
    stationary_distribution,
    stationary_distributions,
)
from causal_theory.errors import TransitionError
from causal_theory.kernels import gth
from tests.helpers import assert_close, from_python

ENTRYWISE = 1e-13
"""Relative error allowed for every entry: about 2 S^3 roundoff units for S = 6, the bound proved for the method."""

UNDERFLOW = 1e-322
"""Absolute error allowed where the result leaves the normal range of a double."""


def exact_law(pi):
    """Solve ``mu (Q) = 0, sum mu = 1`` in rational numbers, Q being the generator of the off-diagonal entries."""
    size = len(pi)
    entry = [[Fraction(float(pi[a][b])) for b in range(size)] for a in range(size)]
    for a in range(size):
        entry[a][a] = -sum((entry[a][b] for b in range(size) if b != a), Fraction(0))
    rows = [[entry[a][b] for a in range(size)] + [Fraction(0)] for b in range(size - 1)]
    rows.append([Fraction(1)] * (size + 1))
    for column in range(size):
        pivot = next(r for r in range(column, size) if rows[r][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [value / scale for value in rows[column]]
        for r in range(size):
            if r != column and rows[r][column] != 0:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[column], strict=True)]
    return np.array([float(row[-1]) for row in rows])


def with_diagonal(rates):
    """Complete off-diagonal probabilities to rows that sum to one up to roundoff."""
    matrix = np.array(rates, dtype=float)
    np.fill_diagonal(matrix, 0.0)
    matrix /= np.maximum(matrix.sum(axis=1, keepdims=True), 1.0)
    np.fill_diagonal(matrix, np.maximum(1.0 - matrix.sum(axis=1), 0.0))
    return matrix


def wild_matrix(seed, lowest, zeros=0.0):
    """Entries spread evenly over the powers of ten down to ``lowest``; a cycle keeps it irreducible."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 7))
    rates = 10.0 ** generator.uniform(lowest, -1.0, (size, size))
    cycle = np.arange(size), (np.arange(size) + 1) % size
    keep = generator.random((size, size)) >= zeros
    keep[cycle] = True
    return with_diagonal(np.where(keep, rates, 0.0))


class TestStationaryDistribution:
    @pytest.mark.parametrize("lowest", [-1.5, -10.0, -60.0, -150.0, -300.0])
    @pytest.mark.parametrize("zeros", [0.0, 0.6])
    def test_every_entry_is_accurate(self, lowest, zeros):
        for seed in range(12):
            matrix = wild_matrix(seed, lowest, zeros)
            assert_close(stationary_distribution(matrix), exact_law(matrix), rtol=ENTRYWISE, atol=UNDERFLOW)

    def test_two_symbols(self):
        matrix = [[1.0, 1e-300], [1e-200, 1.0]]
        assert_close(stationary_distribution(matrix), [1.0, 1e-100], rtol=1e-15)

    def test_a_step_whose_probability_underflows(self):
        """The only way from 0 to 1 goes through 2 and has probability 1e-600; mu[1] = 1e-300 all the same."""
        matrix = [[1.0, 0.0, 1e-300], [1e-300, 1.0, 0.0], [1.0, 1e-300, 0.0]]
        assert_close(stationary_distribution(matrix), [1.0, 1e-300, 1e-300], rtol=ENTRYWISE)
        assert_close(stationary_distribution(matrix), exact_law(matrix), rtol=ENTRYWISE)

    def test_a_ratio_that_overflows_on_the_way(self):
        """Weights relative to symbol 0 reach 1e600 before they are normalised."""
        matrix = [[0.0, 1.0, 0.0], [1e-300, 0.5, 0.5], [0.0, 1e-300, 1.0]]
        assert_close(stationary_distribution(matrix), [0.0, 2e-300, 1.0], rtol=ENTRYWISE)

    def test_slow_cycle(self):
        size = 12
        matrix = np.eye(size) + 1e-300 * np.roll(np.eye(size), 1, axis=1)
        assert_close(stationary_distribution(matrix), np.full(size, 1 / size), rtol=ENTRYWISE)

    def test_ladder(self):
        """Detailed balance on a birth-death chain: mu[k] = mu[0] (1e-30)^k, below the smallest double at the end."""
        size = 12
        matrix = with_diagonal(1e-30 * np.eye(size, k=1) + np.eye(size, k=-1))
        law = stationary_distribution(matrix)
        assert_close(law[:11], [10.0 ** (-30 * k) for k in range(11)], rtol=ENTRYWISE)
        assert law[11] == 0.0

    def test_nearly_decoupled_blocks(self):
        """Two blocks of two symbols joined by 1e-300 and 3e-300: masses 3 to 1."""
        matrix = np.kron(np.eye(2), np.full((2, 2), 0.5))
        matrix[0, 2], matrix[3, 1] = 1e-300, 3e-300
        assert_close(stationary_distribution(matrix), [3 / 8, 3 / 8, 1 / 8, 1 / 8], rtol=ENTRYWISE)

    def test_subnormal_entries(self):
        matrix = [[1.0, 5e-324], [1e-323, 1.0]]
        assert_close(stationary_distribution(matrix), [2 / 3, 1 / 3], rtol=1e-15)

    def test_transient_symbols_have_no_mass(self):
        matrix = [[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.5, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4]]
        law = stationary_distribution(matrix)
        assert law[0] == law[3] == 0.0
        assert_close(law, [0.0, 1 / 3, 2 / 3, 0.0], rtol=1e-15)

    def test_absorbing_symbol(self):
        assert stationary_distribution([[0.0, 1.0], [0.0, 1.0]]).tolist() == [0.0, 1.0]

    def test_periodic_chain(self):
        assert_close(stationary_distribution([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), np.full(3, 1 / 3), rtol=1e-15)

    def test_several_closed_classes_are_named(self):
        matrix = [[1, 0, 0, 0], [0.5, 0.2, 0.3, 0], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]]
        assert closed_classes(matrix) == [[0], [2, 3]]
        with pytest.raises(TransitionError, match=r"pi must have .*got 2 closed classes of symbols: \[0\], \[2, 3\]"):
            stationary_distribution(matrix)
        with pytest.raises(TransitionError, match=r"pis\[1\] must have .*: \[0\], \[2, 3\]"):
            stationary_distributions([np.full((4, 4), 0.25), matrix])
        with pytest.raises(TransitionError, match="3 closed classes"):
            stationary_distribution(np.eye(3))

    def test_closed_classes_of_an_irreducible_matrix(self):
        assert closed_classes([[0.5, 0.5], [0.5, 0.5]]) == [[0, 1]]

    def test_both_eliminations_agree_where_both_apply(self):
        """The scaled arithmetic only changes the range of numbers, not their precision."""
        for seed in range(30):
            matrix = wild_matrix(seed, -12.0, zeros=0.3)
            plain, scaled = np.empty(len(matrix)), np.empty(len(matrix))
            from_python(gth._eliminate_plain)(matrix.copy(), plain)
            from_python(gth._eliminate_scaled)(matrix.copy(), scaled)
            assert_close(scaled, plain, rtol=1e-14)

    def test_plain_elimination_is_not_enough(self):
        """Negative control: without scaling the step of probability 1e-600 is lost."""
        matrix = np.array([[1.0, 0.0, 1e-300], [1e-300, 1.0, 0.0], [1.0, 1e-300, 0.0]])
        law = np.empty(3)
        from_python(gth._eliminate_plain)(matrix, law)
        assert abs(law[1] - 1e-300) > 0.5e-300

    def test_large_matrix(self):
        """The law solves its equation."""
        matrix = np.random.default_rng(0).dirichlet(np.full(200, 0.5), size=200)
        law = stationary_distribution(matrix)
        assert_close(law @ matrix, law, rtol=1e-12)
        assert_close(law.sum(), 1.0, rtol=1e-14)

    def test_stack_equals_one_by_one(self):
        generator = np.random.default_rng(5)
        stack = generator.dirichlet([0.02] * 4, size=(200, 4))
        stack[::7] = [[0.5, 0.5, 0, 0], [0.25, 0.75, 0, 0], [0.25, 0.25, 0.25, 0.25], [0, 0, 1, 0]]
        laws = stationary_distributions(stack)
        assert np.array_equal(laws, [stationary_distribution(matrix) for matrix in stack])

    def test_renaming_symbols_renames_the_law(self):
        matrix = wild_matrix(3, -40.0)
        order = np.random.default_rng(0).permutation(len(matrix))
        assert_close(
            stationary_distribution(matrix[np.ix_(order, order)]),
            stationary_distribution(matrix)[order],
            rtol=ENTRYWISE,
        )

    @pytest.mark.parametrize(
        ("matrix", "match"),
        [
            ([[0.5, 0.6], [0.5, 0.5]], "pi must have rows that sum to 1"),
            ([[1.5, -0.5], [0.5, 0.5]], "pi must have finite entries of at least 0"),
            ([[np.nan, 0.5], [0.5, 0.5]], "pi must have finite entries"),
            ([[1.0]], "at least 2 symbols"),
            ([[0.5, 0.5]], r"square matrix .* got shape \(1, 2\)"),
        ],
    )
    @pytest.mark.parametrize("function", [stationary_distribution, chi2_matrix, mixing_decay, closed_classes])
    def test_bad_input(self, function, matrix, match):
        with pytest.raises(TransitionError, match=match):
            function(matrix)

    @pytest.mark.parametrize(
        ("stack", "match"),
        [
            ([[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.6]]], r"pis\[1\] must have rows that sum to 1"),
            ([[[np.inf, 0.5], [0.5, 0.5]]], r"pis\[0\] must have finite entries"),
            ([[[np.nan, 0.5], [0.5, 0.5]]], r"pis\[0\] must have finite entries"),
            ([[[-0.5, 1.5], [0.5, 0.5]]], r"pis\[0\] must have finite entries of at least 0"),
            ([[0.5, 0.5], [0.5, 0.5]], r"shape \(n, S, S\)"),
            ("ab", "stack of square matrices"),
        ],
    )
    def test_bad_stacks(self, stack, match):
        with pytest.raises(TransitionError, match=match):
            stationary_distributions(stack)


class TestChi2Matrix:
    @pytest.mark.parametrize("seed", range(6))
    def test_norm_is_the_information_of_an_edge(self, seed):
        """||B||_F^2 = sum_ab mu_a pi_ab^2 / mu_b - 1, and sqrt(mu) is in both kernels of B."""
        matrix = np.random.default_rng(seed).dirichlet([0.7] * 5, size=5)
        law = stationary_distribution(matrix)
        b = chi2_matrix(matrix)
        information = sum(law[i] * matrix[i, j] ** 2 / law[j] for i in range(5) for j in range(5)) - 1.0
        assert_close((b**2).sum(), information, rtol=1e-12)
        assert_close(b @ np.sqrt(law), np.zeros(5), rtol=0.0, atol=1e-14)
        assert_close(np.sqrt(law) @ b, np.zeros(5), rtol=0.0, atol=1e-14)

    def test_transient_symbols_give_zero_rows_and_columns(self):
        b = chi2_matrix([[0.0, 0.5, 0.5], [0.0, 0.75, 0.25], [0.0, 0.25, 0.75]])
        assert_close(b, [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]], rtol=1e-15)

    def test_extreme_laws_do_not_overflow(self):
        """mu = (1, 1e-300), hence mu_0 / mu_1 = 1e300; every entry but the last cancels to roundoff of 1e-150."""
        b = chi2_matrix([[1.0, 1e-300], [1.0, 0.0]])
        assert_close(b, np.zeros((2, 2)), rtol=0.0, atol=1e-164)


class TestMixingDecay:
    def test_known_values(self):
        assert_close(mixing_decay([[0.75, 0.25], [0.25, 0.75]]), 0.5, rtol=1e-14)
        assert mixing_decay([[0.25, 0.75], [0.25, 0.75]]) < 1e-15
        assert mixing_decay([[0.0, 1.0], [1.0, 0.0]]) == 1.0

    @pytest.mark.parametrize("size", range(2, 12))
    def test_never_above_one(self, size):
        """A cyclic permutation has the singular value 1; roundoff must not lift it."""
        assert 1.0 - 1e-14 < mixing_decay(np.roll(np.eye(size), 1, axis=1)) <= 1.0

    @pytest.mark.parametrize("seed", range(5))
    def test_bounds_the_decay_along_a_path(self, seed):
        """B of pi^k is B^k, so its norm is at most the k-th power."""
        matrix = np.random.default_rng(seed).dirichlet([0.5] * 4, size=4)
        for k in (2, 3, 5):
            assert mixing_decay(np.linalg.matrix_power(matrix, k)) <= mixing_decay(matrix) ** k + 1e-13
