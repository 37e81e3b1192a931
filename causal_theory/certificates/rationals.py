"""Read rational numbers and matrices, round floats to them, and solve for the exact stationary law."""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.validation import normalised

PLAIN = 1000
"""Floats that are the nearest to a fraction with at most this denominator are taken for that fraction: 0.7 is 7/10."""

MOST_BITS = 14_000
"""Longest numerator and denominator of an input: 4200 decimal digits, beyond any double."""

MOST_ROW_BITS = 4 * MOST_BITS
"""Longest common denominator of a row."""

LONGEST_TEXT = 4300
"""Digits beyond which Python does not read an integer."""

CLOSEST = Fraction(1, 10**10)
"""How far a row of floats may be from one."""

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Rounded:
    """A rational value, and what was given where that was a float: ``None`` when it was rational itself."""

    value: Any
    given: Any

    @property
    def moved(self) -> Fraction | None:
        """Distance of a value from the float that was given, ``None`` when all were rational."""
        if self.given is None:
            return None
        if isinstance(self.given, Fraction):
            return abs(Fraction(self.value) - self.given)
        pairs = [pair for new, old in zip(self.value, self.given, strict=True) for pair in zip(new, old, strict=True)]
        return max((abs(Fraction(new) - old) for new, old in pairs if old is not None), default=None)


def as_rational(name: str, value: object) -> Rounded:
    """Return a number as a fraction.

    Integers, ``Fraction``, ``Decimal``, strings like ``"7/10"`` and everything that has an integer ``numerator`` and
    ``denominator`` (or ``p`` and ``q``) are exact: numbers of sympy, gmpy2 and python-flint among them. A float becomes
    the fraction with a denominator of at most 1000 that it is nearest to, or else its exact binary value.

    Raises
    ------
    InvalidArgumentError
        If the value is not a finite rational number, or has thousands of digits.
    """
    exact, given = _read(name, value)
    return Rounded(exact if given is None else plain_fraction(given), given)


def _read(name: str, value: object) -> tuple[Fraction, Fraction | None]:
    """Return the exact value of a number, and the same again if it is a float."""
    given = None
    try:
        exact = _exact(value)
        if exact is None and isinstance(value, float | np.floating) and np.isfinite(value):
            exact = given = Fraction(*value.as_integer_ratio())
        if exact is not None and bits_of(exact) > MOST_BITS:
            raise OverflowError
    except OverflowError as error:
        raise InvalidArgumentError(
            f"{name} must have a numerator and a denominator of at most {MOST_BITS} bits, got {_shown(value)}"
        ) from error
    if exact is None:
        raise InvalidArgumentError(f"{name} must be a finite rational number, got {_shown(value)}")
    return exact, given


def _shown(value: object) -> str:
    """Return what was given, cut to one line."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # whatever a foreign object does when it is asked for its name
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def plain_fraction(value: Fraction) -> Fraction:
    """Return the fraction with a denominator up to 1000 whose nearest float is that of ``value``, else ``value``."""
    try:
        plain = value.limit_denominator(PLAIN)
        return plain if float(plain) == float(value) else value
    except OverflowError:
        return value


def bits_of(value: Fraction) -> int:
    """Return the length of the longer of numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _exact(value: object) -> Fraction | None:
    """Return what needs no rounding as a fraction, ``None`` for the rest."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, Decimal):
        return _from_text(str(value)) if value.is_finite() else None
    whole = _integer(value)
    if whole is not None:
        return Fraction(whole)
    for over, under in (("numerator", "denominator"), ("p", "q")):
        numerator, denominator = _part(value, over), _part(value, under)
        if numerator is not None and denominator:
            return Fraction(numerator, denominator)
    return None


def _integer(value: object) -> int | None:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _part(value: object, name: str) -> int | None:
    """Return an integer that is an attribute of ``value``, or what a method of that name gives."""
    try:
        found = getattr(value, name, None)
        return _integer(found() if callable(found) else found)
    except (TypeError, ValueError, ArithmeticError):
        return None


def _from_text(text: str) -> Fraction | None:
    """Return what a text says, without writing out what is far too long."""
    exponent = re.search(r"e[-+]?([\d_]+)\s*$", text, re.IGNORECASE)
    if len(text) > MOST_BITS or (exponent and len(exponent[1].lstrip("0_")) > 5):
        raise OverflowError
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None
    except ValueError as error:
        if len(text) > LONGEST_TEXT:
            raise OverflowError from error
        return None


def fraction_text(value: Fraction) -> str:
    """Return a fraction in full, like ``"7/10"``, whatever its length.

    Python refuses to write integers of more than 4300 digits with ``str``; decimals have no such limit.

    Examples
    --------
    >>> fraction_text(Fraction(-14, 20)), fraction_text(Fraction(3)), len(fraction_text(Fraction(10**5000)))
    ('-7/10', '3', 5001)
    """
    parts = (value.numerator,) if value.denominator == 1 else (value.numerator, value.denominator)
    return "/".join(format(Decimal(part), "f") for part in parts)


def short_text(value: Fraction, most: int = 20, style: str = ".6g") -> str:
    """Return a fraction in full while it is short, else its nearest float, or its order of magnitude."""
    if bits_of(value) <= 4 * most and len(text := fraction_text(value)) <= most:
        return text
    try:
        return format(float(value), style)
    except OverflowError:
        return f"about {'-' if value < 0 else ''}2**{value.numerator.bit_length() - value.denominator.bit_length()}"


def as_rational_transition(name: str, value: object) -> Rounded:
    """Return a transition matrix of fractions whose rows sum to one exactly.

    Rational entries are taken as they are. Floats are taken at the fractions they stand for when these are plain and
    sum to one; otherwise at their exact binary values, and the largest float of each row closes the sum.

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
    values, given = [], []
    for a, row in enumerate(rows):
        pairs = []
        for b, entry in enumerate(row):
            try:
                pairs.append(_read(f"{name}[{a}, {b}]", entry))
            except InvalidArgumentError as error:
                raise TransitionError(str(error)) from error
            if pairs[-1][0] < 0:
                raise TransitionError(f"{name} must have entries of at least 0, got {_shown(entry)} at ({a}, {b})")
        values.append(tuple(exact for exact, _ in pairs))
        given.append(tuple(float_given for _, float_given in pairs))
    rational = all(entry is None for row in given for entry in row)
    return Rounded(closed_rows(name, values, given), None if rational else tuple(given))


def _entries(name: str, value: object) -> list[list[Any]]:
    try:
        return [list(row) for row in value]  # type: ignore[attr-defined]
    except TypeError as error:
        raise TransitionError(f"{name} must be a square matrix with at least 2 symbols, got {_shown(value)}") from error


def closed_rows(name: str, values: Sequence[Sequence[Fraction]], given: Sequence[Sequence[Fraction | None]]) -> Matrix:
    """Return rows that sum to one: ``values`` where ``given`` is ``None``, and what the floats ``given`` stand for.

    Raises
    ------
    TransitionError
        If a row does not sum to one, within 1e-10 where it has a float.
    """
    for a, row in enumerate(values):
        check_row_length(f"{name}[{a}]", row)
    pairs = [list(zip(row, floats, strict=True)) for row, floats in zip(values, given, strict=True)]
    plain = tuple(tuple(exact if old is None else plain_fraction(old) for exact, old in row) for row in pairs)
    if all(sum(row) == 1 for row in plain):
        return plain
    return tuple(
        _closed(
            name,
            a,
            [exact if old is None else old for exact, old in row],
            [b for b, (_, old) in enumerate(row) if old is not None],
        )
        for a, row in enumerate(pairs)
    )


def check_row_length(name: str, row: Sequence[Fraction]) -> None:
    """Refuse a row whose sum would be a matter of minutes.

    Raises
    ------
    TransitionError
        If the common denominator is too long.
    """
    denominator = 1
    for entry in row:
        denominator = lcm(denominator, entry.denominator)
        if denominator.bit_length() > MOST_ROW_BITS:
            raise TransitionError(f"{name} must have a common denominator of at most {MOST_ROW_BITS} bits")


def _closed(name: str, a: int, row: list[Fraction], floats: list[int]) -> tuple[Fraction, ...]:
    """Return a row with the largest float changed so that it sums to one; what was given exactly stays.

    A row of floats is normalised first as priors do it, so that both stand for the same law.
    """
    gap = 1 - sum(row, Fraction(0))
    if not floats:
        if gap:
            total = short_text(1 - gap)
            if "/" not in total:  # a float could not be told from 1
                total = f"1 {'-' if gap > 0 else '+'} {short_text(abs(gap), 0)}"
            raise TransitionError(f"{name} must have rows that sum to 1 exactly, got {total} in row {a}")
        return tuple(row)
    largest = max(floats, key=row.__getitem__)
    if abs(gap) > CLOSEST or row[largest] + gap < 0:
        raise TransitionError(
            f"{name} must have rows that sum to 1, got {float(min(1 - gap, Fraction(10**300)))!r} in row {a}"
        )
    doubles = [float(entry) for entry in row]
    if len(floats) == len(row) and doubles == row:
        row = [Fraction(entry) for entry in normalised(np.array([doubles]))[0].tolist()]
        gap = 1 - sum(row, Fraction(0))
    row[largest] += gap
    return tuple(row)


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
