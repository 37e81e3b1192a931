"""Arrays, tables and numbers in notebooks."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from causal_theory.notebook import Cell, array_block, facts, table
from causal_theory.wording import number, with_error
from tests.test_notebook import check, estimate, parse, words


class TestArrays:
    @given(arrays(np.float64, array_shapes(min_dims=0, max_dims=4, max_side=12)), st.floats(width=64))
    def test_anything_can_be_shown(self, value, error):
        shown = estimate(value, error)
        check(shown._repr_html_())
        assert len(repr(shown)) < 200

    def test_tints_follow_sign_and_size(self):
        cells = parse(array_block("c", np.array([[2.0, -1.0], [0.0, 1.0]]))).findall(".//tbody/tr/td")
        tints = [re.search(r"rgba\(([\d,]+),(0\.\d+)\)", cell.get("style")) for cell in cells]
        assert tints[2] is None
        (a, strong), (b, middle), (c, other) = (tints[k].groups() for k in (0, 1, 3))
        assert a == c != b
        assert (float(strong), float(middle), float(other)) == (0.5, 0.25, 0.25)


class TestTables:
    def test_long_ones_are_cut_in_words(self):
        markup = table("c", ["n", "square"], [[k, k * k] for k in range(100)])
        assert len(parse(markup).findall(".//tbody/tr")) == 30
        assert words(markup).endswith("and 70 more rows")

    def test_wide_ones_scroll(self):
        assert parse(array_block("c", np.ones((2, 6)))).find("div[@tabindex]") is not None
        assert parse(array_block("c", np.ones((2, 5)))).find("div[@tabindex]") is None
        for columns in (2, 3):
            texts = table("c", ["name", *"abc"[:columns]], [["row", 1, *["word"] * (columns - 1)]])
            assert (parse(texts).find("div[@tabindex]") is None) == (columns == 2)

    def test_long_words_are_broken_where_they_have_to_be(self):
        for word in ("short", "DisentangledTransformer(length=4,"):
            (cell,) = parse(facts("c", {"model": f"a {word} here"})).iter("td")
            assert ("overflow-wrap:anywhere" in cell.get("style")) == (len(word) > 18)

    def test_columns_of_numbers_are_aligned_right(self):
        markup = table("c", ["name", "number", "word", "mixed"], [["a", 1.5, "b", 1], ["c", 2, "d", "none"]])
        sides = [re.search("text-align:(.*?);", cell.get("style") + ";")[1] for cell in parse(markup).iter("td")]
        assert sides == ["right", "left", "left"] * 2

    def test_kinds_of_values(self):
        assert words(facts("c", {"a": True, "b": 0.123456, "c": math.nan, "d": Cell("x", strong=True)})) == (
            "c a yes b 0.1235 c undefined d x"
        )


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "error", "text"),
        [
            (0.5, 0.25, "0.50 ± 0.25"),
            (0.5, 0.0, "0.5"),
            (-1234.5, 67.0, "-1234 ± 67"),
            (1.5, 100.0, "2 ± 100"),
            (0.0, 1e-20, "0 ± 1e-20"),
            (math.nan, 0.1, "undefined ± 0.1"),
            (1.0, math.inf, "1 ± infinite"),
        ],
    )
    def test_errors(self, value, error, text):
        assert with_error(value, error) == text

    @given(st.floats(allow_nan=False, allow_infinity=False), st.floats(min_value=0.0, allow_infinity=False))
    def test_what_is_shown_is_within_the_error(self, value, error):
        """Rounding moves the value by less than a tenth of its error, or than its own sixth digit."""
        shown = float(with_error(value, error).split(" ± ")[0])
        assert abs(shown - value) <= max(0.06 * error, 1e-5 * abs(value)) or abs(value) >= 1e9 or error < 1e-8

    def test_words(self):
        assert [number(math.inf), number(-math.inf), number(math.nan)] == ["infinite", "-infinite", "undefined"]
