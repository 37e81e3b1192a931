"""Grids: which units they have, that keys and seeds follow from the unit alone, and what is refused."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory.errors import InvalidArgumentError, TooLargeError
from causal_theory.sweeps import Unit, expand_grid, find_study
from tests.sweeps import studies_for_tests as studies

CHEAP = find_study(studies.cheap)


def expand(grid, **options):
    return expand_grid(CHEAP, grid, **options)


def settings(units):
    return [(unit.settings["number"], unit.settings["scale"], unit.repeat) for unit in units]


class TestUnits:
    def test_are_all_combinations_in_order(self):
        units = expand({"scale": [2.0, 1.0], "number": range(3)}, repeats=2)
        expected = [(number, scale, k) for scale in (2.0, 1.0) for number in range(3) for k in range(2)]
        assert settings(units) == expected
        assert {unit.study for unit in units} == {"cheap"}

    def test_of_a_list_are_its_entries(self):
        units = expand([{"number": 3}, {"number": 1, "scale": 2}], settings={"label": "b"})
        assert settings(units) == [(3, 1.0, 0), (1, 2.0, 0)]
        assert {unit.settings["label"] for unit in units} == {"b"}

    def test_of_fixed_settings_are_their_repeats(self):
        assert settings(expand({}, settings={"number": 4}, repeats=2)) == [(4, 1.0, 0), (4, 1.0, 1)]

    def test_take_arrays_of_values(self):
        assert settings(expand({"number": np.arange(2), "scale": np.linspace(0, 1, 2)})) == settings(
            expand({"number": (0, 1), "scale": [0, 1]})
        )


class TestKeys:
    def test_are_those_of_the_canonical_text(self):
        unit = Unit.of("cheap", {"number": 1, "flag": True, "scale": 0.1}, repeat=2, entropy=3)
        text = '["cheap",{"flag":true,"number":1,"scale":0.1},2,3]'
        assert unit.key == hashlib.sha256(text.encode()).hexdigest()

    def test_depend_on_everything_that_is_given(self):
        cases = [
            Unit.of(study, {"number": number}, repeat=repeat, entropy=entropy)
            for study, number, repeat, entropy in itertools.product(("cheap", "waits"), (0, 1), (0, 1), (0, 1))
        ]
        assert len({unit.key for unit in cases}) == 16
        assert len({unit.generator().random() for unit in cases}) == 16

    @given(st.permutations(["number", "scale", "label"]), st.integers(0, 2**70))
    def test_do_not_depend_on_the_order_of_the_settings(self, order, entropy):
        values = {"number": 1, "scale": 0.1, "label": "a"}
        units = [
            Unit.of("cheap", {name: values[name] for name in names}, repeat=0, entropy=entropy)
            for names in (order, values)
        ]
        assert units[0].key == units[1].key

    def test_do_not_depend_on_the_rest_of_the_grid(self):
        small, large = expand({"number": [5]}, repeats=2), expand({"scale": [1.0, 2.0], "number": range(9)}, repeats=3)
        assert {unit.key for unit in small} <= {unit.key for unit in large}

    def test_are_the_same_for_a_default_and_its_value(self):
        assert expand({"number": [1]})[0].key == expand({"number": [1], "scale": [1]})[0].key


class TestSeeds:
    def test_are_children_of_the_seed_of_the_sweep(self):
        """Their place among the children is the key, read as eight numbers of 32 bits."""
        unit = expand({"number": [1]}, entropy=7)[0]
        place = tuple(int(unit.key[8 * k : 8 * k + 8], 16) for k in range(8))
        child = np.random.SeedSequence(7, spawn_key=place)
        assert unit.generator().random() == np.random.default_rng(child).random()

    def test_begin_anew_for_every_generator(self):
        unit = expand({"number": [1]})[0]
        first, second = unit.generator(), unit.generator()
        first.random()
        assert second.random() == unit.generator().random()


class TestBadInput:
    @pytest.mark.parametrize(
        ("grid", "options", "message"),
        [
            ([], {}, "grid must have at least one unit, got no values of any"),
            ({"number": [], "scale": [1.0]}, {}, "grid must have at least one unit, got no values of number"),
            ({"number": [1, 2, 1]}, {}, r"grid must have every unit once, got \{'number': 1, .* twice"),
            ({"number": [1], "scale": [1, 1.0]}, {}, "grid must have every unit once"),
            ([{"number": 1}, {"number": 1, "scale": 1}], {}, "grid must have every unit once"),
            ({"number": 3}, {}, "grid must have a sequence of values for number, got 3"),
            ({"label": "abc", "number": [1]}, {}, "grid must have a sequence of values for label, got 'abc'"),
            ({"number": np.eye(2)}, {}, "grid must have a sequence of values for number, got array"),
            ("number", {}, "grid must be a mapping or a sequence of mappings, got 'number'"),
            (7, {}, "grid must be a mapping or a sequence of mappings, got 7"),
            ([3], {}, "entries of grid must be a mapping from names of parameters to values, got 3"),
            ({1: [2]}, {}, "grid must be a mapping from names"),
            (
                {"number": [1]},
                {"settings": {"number": 2}},
                "settings must not name a parameter of the grid, got 'number'",
            ),
            ({"number": [1]}, {"settings": {"unknown": 2}}, "parameter of study cheap must be one of .*got 'unknown'"),
            ({"number": [1]}, {"settings": [2]}, r"settings must be a mapping from names.*got \[2\]"),
            ({"scale": [1.0]}, {}, "number must be given for study cheap, got nothing"),
            ({"number": [1]}, {"repeats": 0}, "repeats must be an integer of at least 1, got 0"),
            ({"number": [1]}, {"limit": 0}, "limit must be an integer of at least 1, got 0"),
        ],
    )
    def test_is_refused(self, grid, options, message):
        with pytest.raises(InvalidArgumentError, match=message):
            expand(grid, **options)

    def test_too_many_units_are_refused_before_they_are_made(self):
        huge = {"number": range(10**6), "scale": [float(k) for k in range(10)], "flag": [True, False]}
        with pytest.raises(TooLargeError, match="at most 100000 units, or limit must be raised, got 60000000"):
            expand(huge, repeats=3)
        with pytest.raises(TooLargeError, match="at most 3 units"):
            expand({"number": range(4)}, limit=3)
        assert len(expand({"number": range(4)}, limit=4)) == 4
