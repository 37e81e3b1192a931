"""Judge numbers against intervals: in floating point entry by entry, fractions without rounding."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.claims.records import Cell, Comparison, Kind, Number, Tally, make_cell
from causal_theory.error_propagation import STANDARD_ERRORS

GRANTED: dict[Kind, float] = {
    "none": 0.0,
    "bound": 1.0,
    "quadrature": 1.0,
    "standard error": STANDARD_ERRORS,
    "spread": 0.0,
}
"""Error bars granted when nothing else is said."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Requirement:
    """The interval in which numbers should lie, between ends of which None is open, and what their errors are.

    The verb ``"positive"`` asks that numbers lie inside by more than is allowed, ``tolerance + bars * error``,
    ``"measure"`` asks nothing, all others ask that they lie outside by no more than is allowed.
    """

    verb: str
    low: Any = None
    high: Any = None
    error: Any = None
    kind: Kind = "none"
    bars: float = 0.0
    tolerance: float = 0.0
    unit: str = ""


class Graded(NamedTuple):
    """A tally, and how far its closest comparison is from failing: a failure first, then the smallest distance."""

    room: tuple[bool, float]
    tally: Tally


def judge(value: Any, asked: Requirement, labels: Mapping[str, Any]) -> Graded:
    """Judge one number or the entries of an array.

    Distances to the end of the interval rank comparisons in units of what is allowed, where something is. NaN fails
    and ranks before everything.

    A label that is an array of the shape of ``value``, which holds at least one number, names each entry.

    Examples
    --------
    >>> found = judge([0.5, 1.5], Requirement("within", 0, 1), {"case": ["a", "b"]}).tally
    >>> found.count, found.failures, found.closest.excess, found.closest.at
    (2, 1, 0.5, {'case': 'b'})
    """
    sides = [np.asarray(one) for one in (value, asked.low, asked.high, asked.error) if one is not None]
    exact = any(side.dtype == object for side in sides)
    shape = np.broadcast_shapes(*(side.shape for side in sides))
    numbers, low, high, error = (
        None if one is None else np.full(shape, _fractions(one) if exact else one, object if exact else float).ravel()
        for one in (value, asked.low, asked.high, asked.error)
    )
    assert numbers is not None
    excess = _excess(numbers, low, high)
    bars, tolerance = (_fractions(one)[()] if exact else one for one in (asked.bars, asked.tolerance))
    allowed = bars * error + tolerance if error is not None and bars else np.full_like(numbers, tolerance)
    if asked.verb == "measure":
        bad = beyond = np.zeros(numbers.shape, dtype=bool)
        rank = numbers.astype(np.float64)
    else:
        undefined = np.zeros(numbers.shape, dtype=bool) if exact else np.isnan(excess) | np.isnan(allowed)
        beyond = excess > 0
        bad = ~(-excess > allowed if asked.verb == "positive" else excess <= allowed).astype(bool)
        rank = np.where(undefined, -np.inf, _rank(-excess, allowed))
    k = int(np.argmin(rank))

    def entry(values: Array | None) -> float | None:
        return None if values is None else float(values[k])

    found = numbers[k]
    number = Number(
        float(found), entry(error), asked.kind, asked.unit, str(found) if isinstance(found, Fraction) else None
    )
    judged = None if low is None and high is None else excess
    at = _labels(labels, shape, k)
    closest = Comparison(number, entry(low), entry(high), float(allowed[k]), entry(judged), at)
    tally = Tally(
        numbers.size,
        int(bad.sum()),
        int((beyond & ~bad).sum()),
        float(numbers.min()),
        float(numbers.max()),
        None if error is None else float(error.max()),
        None if judged is None else float(judged.max()),
        closest,
    )
    return Graded((not bad.any(), float(rank[k])), tally)


def join(one: Graded, other: Graded) -> Graded:
    """Return the tally of both; of equals the first is the closest."""
    first, second = one.tally, other.tally
    closest, room = (second.closest, other.room) if other.room < one.room else (first.closest, one.room)
    tally = Tally(
        first.count + second.count,
        first.failures + second.failures,
        first.borderline + second.borderline,
        float(np.minimum(first.smallest, second.smallest)),
        float(np.maximum(first.largest, second.largest)),
        _larger(first.largest_error, second.largest_error),
        _larger(first.largest_excess, second.largest_excess),
        closest,
    )
    return Graded(room, tally)


def _excess(numbers: Array, low: Array | None, high: Array | None) -> Array:
    """Return how far numbers lie outside; negative inside, without any end minus infinity."""
    if low is None or high is None:
        if low is not None:
            return _difference(low, numbers)
        return np.full(numbers.shape, -np.inf) if high is None else _difference(numbers, high)
    return np.asarray(np.maximum(_difference(low, numbers), _difference(numbers, high)))


def _difference(one: Array, other: Array) -> Array:
    """Return the difference; that of equal infinities is zero."""
    with np.errstate(invalid="ignore"):
        return np.where(one == other, 0, one - other)


def _rank(distance: Array, allowed: Array) -> Array:
    distance, allowed = distance.astype(np.float64), allowed.astype(np.float64)
    if not allowed.any():
        return distance
    # Where nothing is allowed a distance is infinitely many bars, and no distance is none.
    without = np.where(distance == 0.0, 0.0, np.copysign(np.inf, distance))
    with np.errstate(over="ignore"):
        return np.divide(distance, allowed, out=without, where=allowed > 0.0)


def _larger(one: float | None, other: float | None) -> float | None:
    """Return the larger number, NaN if one is NaN; None counts as absent."""
    if one is None or other is None:
        return other if one is None else one
    return float(np.maximum(one, other))


def _fractions(one: Any) -> Array:
    """Return exact numbers; floats are fractions of a power of two."""
    array = np.asarray(one, dtype=object)
    out = np.empty(array.shape, dtype=object)
    out.ravel()[:] = [Fraction(entry) for entry in array.flat]
    return out


def _labels(labels: Mapping[str, Any], shape: tuple[int, ...], k: int) -> dict[str, Cell]:
    """Return the labels of one entry, with its place in an array that no label tells."""
    found: dict[str, Cell] = {}
    told = not shape
    for name, label in labels.items():
        each = shape != () and np.shape(label) == shape
        found[name] = make_cell(np.asarray(label, dtype=object).flat[k] if each else label)
        told |= each
    if not told:
        found["entry"] = ", ".join(map(str, np.unravel_index(k, shape)))
    return found
