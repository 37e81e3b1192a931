"""Rational numbers of other packages, taken exactly, and what is refused."""

import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from causal_theory import CausalGraph, certify_edge_scores
from causal_theory.certificates.rationals import as_rational, as_rational_transition
from causal_theory.errors import InvalidArgumentError, TransitionError


@dataclass
class Attributes:
    numerator: Any
    denominator: Any


@dataclass
class ShortNames:
    p: Any
    q: Any


class Methods:
    def numerator(self):
        return 7

    def denominator(self):
        return 10


class Index:
    def __index__(self):
        return 3


class Broken:
    @property
    def numerator(self):
        raise ValueError("no")

    def __repr__(self):
        raise RuntimeError("no name")


@pytest.mark.parametrize(
    ("value", "true"),
    [
        (Attributes(7, 10), Fraction(7, 10)),
        (Attributes(np.int64(7), np.uint8(10)), Fraction(7, 10)),
        (Attributes(sympy.Integer(-14), 20), Fraction(-7, 10)),
        (ShortNames(7, 10), Fraction(7, 10)),
        (Methods(), Fraction(7, 10)),
        (Index(), 3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.array(3), 3),
        (sympy.QQ(7, 10), Fraction(7, 10)),
        (sympy.ZZ(3), 3),
        (sympy.S.Half, Fraction(1, 2)),
        (Decimal("7e-1"), Fraction(7, 10)),
        (" 7/10 ", Fraction(7, 10)),
        ("1e-300", Fraction(1, 10**300)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exact(value, true):
    found = as_rational("x", value)
    assert type(found.value) is Fraction
    assert found.value == true
    assert found.moved is None


@pytest.mark.parametrize(
    "value",
    [
        Attributes(1, 0),
        Attributes(0.5, 1),
        Attributes(1, None),
        Attributes("1", "2"),
        Broken(),
        True,
        np.True_,
        1j,
        b"1/2",
        "1/0",
        "\ud800",
        Decimal("nan"),
        Decimal("-Infinity"),
        sympy.oo,
        sympy.zoo,
        sympy.nan,
        sympy.sqrt(2),
        sympy.Symbol("x"),
        np.datetime64("2020-01-01"),
        np.timedelta64(3),
        np.float64("nan"),
        np.array(0.5),
        np.array([1, 2]),
        object(),
        Fraction,
    ],
    ids=lambda value: type(value).__name__,
)
def test_not_rational(value):
    with pytest.raises(InvalidArgumentError, match="x must be a finite rational number, got ") as caught:
        as_rational("x", value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "1e999999999",
        "1e-999999999",
        "1E1_000_000_000",
        "1e99999",
        "1" * 5000,
        "1" * 100_000,
        Decimal("1e999999999"),
        Decimal("1e-999999999"),
        Fraction(10**5000),
        10**5000,
        Attributes(1, 3**20_000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_too_long(value):
    """Written out, some would have a billion digits; nothing is written out."""
    with pytest.raises(InvalidArgumentError, match="x must have a numerator and a denominator of at most 14000 bits"):
        as_rational("x", value)


def test_floats_beside_rationals():
    """Rational entries stay as they are, whatever the floats of the row do."""
    found = as_rational_transition("x", [["1/5", 0.8], [Fraction(3, 7), 1 - 3 / 7]])
    assert found.value == ((Fraction(1, 5), Fraction(4, 5)), (Fraction(3, 7), Fraction(4, 7)))
    assert found.given == ((None, Fraction(0.8)), (None, Fraction(1 - 3 / 7)))
    p = 2**-0.5
    found = as_rational_transition("x", [["9/10", p / 10, (1 - p) / 10], [1, 0, 0], [1, 0, 0]])
    assert found.value[0][0] == Fraction(9, 10)
    assert sum(found.value[0]) == 1
    assert 0 < found.moved < Fraction(1, 10**15)


def test_floats_cannot_make_up_for_rationals():
    with pytest.raises(TransitionError, match=r"rows that sum to 1, got 1\.00000"):
        as_rational_transition("x", [["0.5", "0.50000000000001", 0.0], [1, 0, 0], [1, 0, 0]])
    with pytest.raises(TransitionError, match=r"sum to 1 exactly, got 1 - 1e-20 in row 1"):
        as_rational_transition("x", [[2**-0.5, 1 - 2**-0.5], ["0.5", "0.49999999999999999999"]])


PROGRAM = """
from fractions import Fraction
import flint
from sympy import QQ, ZZ
from sympy.external.gmpy import GROUND_TYPES
from causal_theory import CausalGraph, certify_edge_scores, verify_certificate
from causal_theory.certificates.rationals import as_rational
assert GROUND_TYPES == {name!r}, GROUND_TYPES
for value in ({values}):
    found = as_rational("x", value)
    assert type(found.value) is Fraction and type(found.value.numerator) is int, found
    assert found.value in (3, Fraction(7, 10)) and found.moved is None
found = certify_edge_scores(CausalGraph.chain(4), [[QQ(1, 5), QQ(4, 5)], [QQ(3, 5), QQ(2, 5)]], QQ(1, 10))
plain = certify_edge_scores(CausalGraph.chain(4), [["1/5", "4/5"], ["3/5", "2/5"]], "1/10")
assert found == plain and verify_certificate(found).valid
"""


@pytest.mark.parametrize(
    ("name", "package", "values"),
    [
        ("python", "sympy", "QQ(7, 10), ZZ(3)"),
        ("gmpy", "gmpy2", "QQ(7, 10), ZZ(3), gmpy2.mpq(7, 10), gmpy2.mpz(3)"),
        ("flint", "flint", "QQ(7, 10), ZZ(3), flint.fmpq(7, 10), flint.fmpz(3)"),
    ],
)
def test_ground_types_of_sympy(name, package, values):
    """sympy chooses them once, at import."""
    pytest.importorskip(package, reason=f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("import flint", f"import {package}").format(name=name, values=values)],
        env=os.environ | {"SYMPY_GROUND_TYPES": name},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_in_every_place():
    """The matrix, epsilon, and the error of a matrix that names the entry."""
    rows = [[Attributes(1, 5), Attributes(4, 5)], [Methods(), ShortNames(3, 10)]]
    found = certify_edge_scores(CausalGraph.chain(3), rows, ShortNames(1, 10))
    assert found == certify_edge_scores(CausalGraph.chain(3), [["1/5", "4/5"], ["7/10", "3/10"]], "1/10")
    with pytest.raises(TransitionError, match=r"transition\[1, 0\] must be a finite rational number, got "):
        certify_edge_scores(CausalGraph.chain(3), [rows[0], [Broken(), 1]], 1)
