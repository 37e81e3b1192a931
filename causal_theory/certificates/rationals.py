"""Rational input: what is accepted, how floats are rounded, and the exact stationary law."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import fsum, lcm
from numbers import Rational
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.validation import ROW_SUM_TOLERANCE, normalised

__all__ = ["Rounded", "as_rational", "as_rational_transition", "common_denominator", "integer_matrix", "stationary_law"]

PLAIN = 1000
"""Floats that are the nearest to a fraction with at most this denominator are taken for that fraction: 0.7 is 7/10."""

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Rounded:
    """A rational value, and how far it may be from what was given: ``None`` when that was rational itself."""

    value: Any
    moved: Fraction | None


def as_rational(name: str, value: object) -> Rounded:
    """Return a number as a fraction.

    Integers, ``Fraction``, ``Decimal``, sympy rationals and strings like ``"7/10"`` are exact. A float becomes the
    fraction with a denominator of at most 1000 that it is nearest to, or else its exact binary value.

    Raises
    ------
    InvalidArgumentError
        If the value is not a finite rational number.
    """
    exact = _exact(value)
    if exact is not None:
        return Rounded(exact, None)
    if isinstance(value, float | np.floating) and np.isfinite(value):
        plain = Fraction(float(value)).limit_denominator(PLAIN)
        found = plain if float(plain) == float(value) else Fraction(float(value))
        return Rounded(found, abs(found - Fraction(float(value))))
    raise InvalidArgumentError(f"{name} must be a finite rational number, got {value!r}")


def _exact(value: object) -> Fraction | None:
    """Return what needs no rounding as a fraction, ``None`` for the rest."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, Rational | np.integer):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, str | Decimal):
        try:
            return Fraction(value)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))  # type: ignore[attr-defined]
    return None


def as_rational_transition(name: str, value: object) -> Rounded:
    """Return a transition matrix of fractions whose rows sum to one exactly.

    Rational entries are taken as they are. Floats are taken at the fractions they stand for when these are plain and
    sum to one; otherwise at their exact binary values, and the largest entry of each row closes the sum.

    Raises
    ------
    TransitionError
        If the matrix is not square with at least two symbols, an entry is not rational or negative, or a row does not
        sum to one.
    """
    rows = _entries(name, value)
    size = len(rows)
    if size < 2 or any(len(row) != size for row in rows):
        raise TransitionError(f"{name} must be a square matrix with at least 2 symbols, got {size} rows")
    entries = []
    for a, row in enumerate(rows):
        for b, entry in enumerate(row):
            try:
                found = as_rational(f"{name}[{a}, {b}]", entry)
            except InvalidArgumentError as error:
                raise TransitionError(str(error)) from error
            if found.value < 0:
                raise TransitionError(f"{name} must have entries of at least 0, got {entry!r} at ({a}, {b})")
            entries.append(found)
    matrix = tuple(tuple(entry.value for entry in entries[a * size : (a + 1) * size]) for a in range(size))
    if all(entry.moved is None for entry in entries):
        for a, exact in enumerate(matrix):
            if sum(exact) != 1:
                raise TransitionError(f"{name} must have rows that sum to 1 exactly, got {sum(exact)} in row {a}")
        return Rounded(matrix, None)
    if any(sum(row) != 1 for row in matrix):
        matrix = _closed(name, rows)
    moved = max(
        abs(new - Fraction(float(old)))
        for new_row, row in zip(matrix, rows, strict=True)
        for new, old in zip(new_row, row, strict=True)
    )
    return Rounded(matrix, moved)


def _entries(name: str, value: object) -> list[list[Any]]:
    try:
        return [list(row) for row in value]  # type: ignore[attr-defined]
    except TypeError as error:
        raise TransitionError(f"{name} must be a square matrix with at least 2 symbols, got {value!r}") from error


def _closed(name: str, rows: list[list[Any]]) -> Matrix:
    """Return the exact values of the entries, with the largest of each row changed so that it sums to one.

    Rows of floats are normalised first as priors do it, so that both stand for the same matrix.
    """
    closed = []
    for a, row in enumerate(rows):
        floats = all(_exact(entry) is None for entry in row)
        law = normalised(np.array([row]))[0].tolist() if floats and abs(fsum(row) - 1.0) <= ROW_SUM_TOLERANCE else row
        values = [exact if (exact := _exact(entry)) is not None else Fraction(float(entry)) for entry in law]
        largest = max(range(len(values)), key=values.__getitem__)
        gap = 1 - sum(values, Fraction(0))
        if abs(gap) > Fraction(1, 10**10):
            raise TransitionError(f"{name} must have rows that sum to 1, got {float(1 - gap)!r} in row {a}")
        values[largest] += gap
        closed.append(tuple(values))
    return tuple(closed)


def common_denominator(values: Sequence[Fraction]) -> int:
    """Return the least number that makes every value an integer."""
    return lcm(*(value.denominator for value in values))


def integer_matrix(matrix: Sequence[Sequence[Fraction]]) -> tuple[list[list[int]], int]:
    """Return the entries over their common denominator, and that denominator."""
    denominator = common_denominator([entry for row in matrix for entry in row])
    return [[int(entry * denominator) for entry in row] for row in matrix], denominator


def stationary_law(transition: Matrix) -> tuple[Fraction, ...]:
    """Return the stationary law of a chain by elimination in rationals.

    Raises
    ------
    TransitionError
        If the stationary law is not unique.
    """
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    size = len(transition)
    rows = [
        [QQ(transition[a][b].numerator, transition[a][b].denominator) - (a == b) for a in range(size)]
        for b in range(size)
    ]
    kernel = DomainMatrix(rows, (size, size), QQ).nullspace()
    if kernel.shape[0] != 1:
        raise TransitionError(f"transition must have a unique stationary law, got {kernel.shape[0]} closed classes")
    raw = [Fraction(int(entry.numerator), int(entry.denominator)) for entry in kernel.to_list()[0]]
    total = sum(raw)
    return tuple(entry / total for entry in raw)
