"""Formulas of the documentation: long ones in a line of text can be broken, and none loses a symbol."""

import doctest
import importlib.util
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from latex2mathml.converter import convert

pytest.importorskip("sphinx", reason="formulas are set by an extension of Sphinx; the docs extra is not installed")

PATH = Path(__file__).parents[1] / "docs/_extensions/mathml.py"
LONG = r"P(s_i = a, s_j = b) = \mu_a (P^k)_{ab} + \frac{x = y}{z} \le \text{all of them} + x_1 + x_2 + x_3"


@pytest.fixture(scope="module")
def extension():
    specification = importlib.util.spec_from_file_location("mathml", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def inline_formula(extension):
    return extension.inline_formula


def text(markup):
    return unescape(re.sub(r"<[^>]*>", "", markup))


def test_examples(extension):
    assert doctest.testmod(extension) == (0, 3)


@pytest.mark.parametrize("source", ["x", "a = b", r"\frac{a}{b} \le c"])
def test_short_formulas_stay_whole(inline_formula, source):
    assert inline_formula(source).count("<math") == 1


def test_long_ones_break_after_relations(inline_formula):
    """Not within brackets or fractions; a relation keeps the space around it although it ends its piece."""
    pieces = inline_formula(LONG).split("<wbr>")
    assert [text(piece) for piece in pieces[:1]] == ["P(si=a,sj=b)="]
    assert len(pieces) == 3
    for piece in pieces:
        assert piece.startswith("<math ")
        assert piece.endswith("</mrow></math>")
        assert piece.count("<mrow>") == piece.count("</mrow>")
    assert [piece.count('form="infix"') for piece in pieces] == [1, 1, 0]


def test_nothing_is_lost(inline_formula):
    assert text(inline_formula(LONG)) == text(convert(LONG))


def test_words_are_not_taken_for_markup(extension):
    for display in ("inline", "block"):
        found = ElementTree.fromstring(extension.to_mathml(r"x \text{where a<b & c} y", display))
        assert "".join(found.itertext()) == "xwhere\N{NO-BREAK SPACE}a<b\N{NO-BREAK SPACE}&\N{NO-BREAK SPACE}cy"


def test_a_relation_at_the_end_leaves_no_empty_piece(inline_formula):
    pieces = inline_formula("a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 =").split("<wbr>")
    assert len(pieces) == 1
