"""The space of a search: every point satisfies what is kept, bounds hold exactly, bad bounds are refused."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_theory.chains import chi2_matrix, mixing_decay
from causal_theory.errors import InvalidArgumentError
from causal_theory.falsification import SearchSpace
from causal_theory.falsification.matrices import coordinates, matrix_at
from causal_theory.falsification.rational import exact_checks, fractions_near

from .helpers import assert_close

KEEP = SearchSpace(
    lengths=(8, 10), symbols=(3, 5), lower_bound="1/10", non_degeneracy="1/2", constant_mean=True, mixing="4/5"
)


def as_floats(matrix):
    return np.array([[float(entry) for entry in row] for row in matrix])


class TestMatrices:
    @pytest.mark.parametrize("symbols", [3, 4, 5])
    def test_every_point_satisfies_what_is_kept(self, symbols):
        rng = np.random.default_rng(symbols)
        made = 0
        for _ in range(300):
            matrix = matrix_at(rng.random(coordinates(symbols)), symbols, KEEP)
            if matrix is None:
                continue
            made += 1
            assert_close(matrix.sum(axis=1), np.ones(symbols), rtol=1e-13)
            assert_close(np.trace(matrix), 1.0, rtol=1e-13)
            assert symbols * matrix.min() >= 0.1 * (1.0 - 1e-12)
            assert np.linalg.norm(chi2_matrix(matrix)) >= 0.5 * (1.0 - 1e-12)
            assert mixing_decay(matrix) <= 0.8 * (1.0 + 1e-12)
        assert made > 50

    def test_points_at_the_corners_are_matrices(self):
        for corner in itertools.product((0.0, 1.0), repeat=coordinates(2)):
            matrix = matrix_at(np.array(corner), 2, SearchSpace(lower_bound=0.1))
            assert_close(matrix.sum(axis=1), np.ones(2), rtol=1e-14)

    def test_fractions_are_exact_and_come_closer(self):
        rng = np.random.default_rng(0)
        point = rng.random(coordinates(4))
        point[16] = 0.2  # nothing hidden
        matrix = matrix_at(point, 4, replace(KEEP, non_degeneracy="1/10"))
        found = list(fractions_near(matrix, replace(KEEP, non_degeneracy="1/10")))
        assert len(found) > 5
        for rational in found:
            assert all(sum(row) == 1 for row in rational)
            assert sum(rational[k][k] for k in range(4)) == 1
            assert min(map(min, rational)) >= Fraction(1, 40)
        distances = [np.abs(as_floats(rational) - matrix).max() for rational in (found[0], found[-1])]
        # One over the largest denominator, 20 million, times the number of entries that share a remainder.
        assert distances[1] < 1e-6 < distances[0]

    def test_exact_checks_at_the_bounds(self):
        """A matrix on the boundary satisfies a bound; one part in a million beyond it does not."""
        half = Fraction(1, 2)
        p = Fraction(3, 4)
        matrix = ((p, 1 - p), (1 - p, p))  # lambda = 1/2, ||B||_F = 1/2, S min pi = 1/2

        def verdicts(**kept):
            return {check.name: check.holds for check in exact_checks(matrix, SearchSpace(**kept)) if check.kept}

        above, below = half + Fraction(1, 10**6), half - Fraction(1, 10**6)
        assert verdicts(lower_bound=half, non_degeneracy=half, mixing=half) == dict.fromkeys(
            ("lower_bound", "non_degeneracy", "mixing"), True
        )
        assert verdicts(lower_bound=above) == {"lower_bound": False}
        assert verdicts(non_degeneracy=above) == {"non_degeneracy": False}
        assert verdicts(mixing=below) == {"mixing": False}
        assert verdicts(constant_mean=True) == {"constant_mean": False}

    def test_a_chain_that_alternates_does_not_mix(self):
        checks = {check.name: check for check in exact_checks(((0, 1), (1, 0)), SearchSpace())}
        assert not checks["mixing"].holds
        assert_close(checks["mixing"].value, 1.0, rtol=1e-14)
        assert checks["non_degeneracy"].value == 1


BAD_SPACES = [
    ({"families": ()}, "families must be a sequence of at least one name, got \\(\\)"),
    ({"families": "chain"}, "families must be a sequence of at least one name, got 'chain'"),
    ({"families": ("ring",)}, "families must be one of .* got 'ring'"),
    ({"lengths": (5, 4)}, r"lengths\[1\] must be an integer of at least 5, got 4"),
    ({"lengths": (1, 4)}, r"lengths\[0\] must be an integer of at least 2, got 1"),
    ({"lengths": 7}, "lengths must be two numbers, the least and the largest, got 7"),
    ({"symbols": (1, 3)}, r"symbols\[0\] must be an integer of at least 2, got 1"),
    ({"symbols": (2.5, 3)}, r"symbols\[0\] must be an integer of at least 2, got 2.5"),
    ({"epsilons": ()}, "epsilons must hold at least one value"),
    ({"epsilons": ("1e-400",)}, r"epsilon must be between 1e-300 and 1e\+06, got about 1e-400"),
    ({"epsilons": ("1e9",)}, r"epsilon must be between 1e-300 and 1e\+06, got 1000000000"),
    ({"epsilons_times_length": ("1e7",), "lengths": (3, 6)}, r"epsilon must be between .* got 10000000/3"),
    ({"epsilon_range": ("1e-310", "1")}, r"epsilon must be between .* got about 1e-310"),
    ({"epsilons": (0,)}, r"epsilons\[0\] must be greater than 0, got 0"),
    ({"epsilons": "1/100"}, "epsilons must be a sequence of numbers, got '1/100'"),
    ({"epsilons": ("small",)}, r"epsilons\[0\] must be a finite rational number, got 'small'"),
    ({"epsilon_range": (2, 1)}, r"epsilon_range must have its least value first, got \(2, 1\)"),
    ({"root_law": "normal"}, "root_law must be one of"),
    ({"constant_mean": 1}, "constant_mean must be True or False, got 1"),
    ({"lower_bound": 2}, "lower_bound must be greater than 0 and at most 1, got 2"),
    ({"lower_bound": 0}, "lower_bound must be greater than 0, got 0"),
    ({"mixing": -1}, "mixing must be greater than 0, got -1"),
    ({"non_degeneracy": 2, "symbols": (2, 3)}, r"non_degeneracy must be at most sqrt\(S - 1\)"),
    ({"non_degeneracy": 1, "mixing": "1/2"}, r"non_degeneracy must be at most sqrt\(S - 1\)"),
    ({"constant_mean": True, "non_degeneracy": 0.1, "symbols": (2, 2)}, "symbols must reach 3"),
]


@pytest.mark.parametrize(("options", "message"), BAD_SPACES)
def test_bad_bounds_are_refused(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        SearchSpace(**options)


class TestSpaces:
    def test_epsilons(self):
        space = SearchSpace(epsilons=(0.01,), epsilons_times_length=(1, 2), epsilon_range=(0.003, "1/10"))
        values = space.epsilon_values(20)
        assert values[:3] == (Fraction(1, 100), Fraction(1, 20), Fraction(1, 10))
        assert values[3:] == (Fraction(3, 1000), Fraction(1, 200), Fraction(1, 50))

    @settings(max_examples=100)
    @given(numbers=st.tuples(*[st.integers(0, 500)] * 5))
    def test_every_choice_is_within_the_bounds(self, numbers):
        space = SearchSpace(lengths=(4, 9), symbols=(3, 5), epsilons=(0.1, 0.2))
        choice = space.choice(*numbers)
        assert 4 <= choice.length <= 9
        assert 3 <= choice.symbols <= 5
        assert choice.epsilon < 2
        assert space.graph(choice).length == choice.length
        assert space.choice(*space.numbers(choice)) == choice
        assert choice.seed == 0 or space.families[choice.family] == "random-forest"
