"""Checks of arguments, shared by the public functions: each names the argument, the value and the requirement."""

import inspect
import math
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError, TooLargeError, TransitionError
from causal_theory.frames import unlabelled

ROW_SUM_TOLERANCE = 1e-10
"""How far the sum of a probability vector may be from one. What is accepted is normalised, see `normalised`."""

HALF_BELOW, HALF_ABOVE = 2.0**-54, 2.0**-53
"""Half the spacing of doubles on either side of one: sums within it round to one."""

FEW = 128
"""So many numbers are looked at one by one: operations on arrays take longer."""

SMALLEST, LARGEST = 1e-300, 1e300
"""Positive numbers are taken from this range: beyond it their products and quotients leave that of doubles."""

LARGEST_EPSILON = 1e6
"""From here on the loss does not depend on the model to more than ten digits."""

LARGEST_INTEGER = 2**53
"""The integers up to here are doubles as well, and fit every array."""

LARGEST_SEED = 2**128 - 1
"""Seeds may be as long as the entropy that NumPy draws for one."""

SeedLike = int | np.integer[Any] | Sequence[int] | np.random.SeedSequence | np.random.Generator | None


def as_generator(rng: SeedLike) -> np.random.Generator:
    """Return the generator itself, or a new one from a seed; ``None`` takes fresh entropy."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(f"rng must be a seed or a numpy Generator, got {rng!r}") from error


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return ``value`` when it is one of the named choices."""
    allowed = list(choices)
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(repr(choice) for choice in allowed)
        raise InvalidArgumentError(f"{name} must be one of {listed}, got {value!r}")
    return value


def check_integer(name: str, value: object, minimum: int, maximum: int = LARGEST_INTEGER) -> int:
    """Return ``value`` as an int when it is an integer of at least ``minimum`` and at most ``maximum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidArgumentError(f"{name} must be an integer of at least {minimum}, got {shown(value)}")
    if value < minimum:
        raise InvalidArgumentError(f"{name} must be an integer of at least {minimum}, got {shown(value)}")
    if value > maximum:
        raise InvalidArgumentError(f"{name} must be an integer of at most {maximum}, got {shown(value)}")
    return int(value)


def shown(value: object) -> str:
    """Return a value for a message: integers of many digits, some of which Python does not write, by their size.

    Examples
    --------
    >>> shown(17), shown(-(10**5000)), shown("a")
    ('17', 'a negative integer of 16610 bits', "'a'")
    """
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a{' negative' if value < 0 else 'n'} integer of {value.bit_length()} bits"
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > 100:
            return f"about {Decimal(value.numerator) / Decimal(value.denominator):.4g}"
        return str(value)
    if inspect.ismethod(value):  # its text holds that of the object, which may hold the method
        return f"the method {value.__name__}"
    return str(value) if isinstance(value, int | np.integer) else repr(value)


def _as_float(name: str, value: object, requirement: str) -> float:
    """Return a number of any type as a float: also a ``Fraction``, a ``Decimal``, a number of sympy."""
    if isinstance(value, str | bytes | bool | np.bool_):
        raise InvalidArgumentError(f"{name} must be {requirement}, got {value!r}")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name} must be {requirement}, got {shown(value)}") from error
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def check_positive(
    name: str, value: object, smallest: float = SMALLEST, largest: float = LARGEST, *, or_zero: bool = False
) -> float:
    """Return ``value`` as a float when it is finite, greater than zero, and within the range that is computed with.

    With ``or_zero`` zero is accepted as well.
    """
    requirement = f"a finite number {'of at least 0' if or_zero else 'greater than 0'}"
    number = _as_float(name, value, requirement)
    if or_zero and number == 0.0 and value == 0:
        return 0.0
    # A "not a number" of another type may not even be comparable with zero.
    if math.isnan(number) or (isinstance(value, float | np.floating) and not (np.isfinite(number) and number > 0.0)):
        raise InvalidArgumentError(f"{name} must be {requirement}, got {value!r}")
    # What is no float may have been rounded to zero or infinity.
    if not (number > 0.0 or value > 0):  # type: ignore[operator]
        raise InvalidArgumentError(f"{name} must be {requirement}, got {shown(value)}")
    if not smallest <= number <= largest:
        raise InvalidArgumentError(
            f"{name} must be {'0 or ' * or_zero}between {smallest:g} and {largest:g}, got {shown(value)}"
        )
    return number


def check_number(name: str, value: object, *, or_zero: bool = False) -> float:
    """Return a positive setting as it is written: an int or a float itself, a number of another kind as a float.

    Any finite size may be tried: a run that diverges stops and says so.
    """
    number = check_positive(name, value, largest=sys.float_info.max, or_zero=or_zero)
    return value if type(value) in (int, float) else number  # type: ignore[return-value]


def check_epsilon(value: object, *, or_zero: bool = False) -> float:
    """Return the constant inside the logarithm of the loss as a float, from 1e-300 to 1e6."""
    return check_positive("epsilon", value, SMALLEST, LARGEST_EPSILON, or_zero=or_zero)


def check_probability(name: str, value: object, *, strict: bool = False) -> float:
    """Return ``value`` as a float when it lies in [0, 1], or with ``strict`` between the two."""
    requirement = f"a number between 0 and 1{', both excluded' * strict}"
    number = _as_float(name, value, requirement)
    if not 0.0 <= number <= 1.0 or (strict and number in (0.0, 1.0)):
        raise InvalidArgumentError(f"{name} must be {requirement}, got {shown(value)}")
    return number


def check_threshold(name: str, value: object) -> float:
    """Return ``value`` as a float when it is a number, which may be infinite."""
    number = _as_float(name, value, "a number or None")
    if math.isnan(number):
        raise InvalidArgumentError(f"{name} must be a number or None, got {value!r}")
    return number


def check_real(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return ``value`` as an array when it holds real numbers; text and complex numbers are not converted.

    Entries of other kinds, such as a ``Fraction``, a ``Decimal`` or a number of sympy, are rounded to doubles.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # the last one of tensors that require a gradient
        raise InvalidArgumentError(f"{name} must be an array of real numbers: {error}") from error
    if array.dtype.kind == "O":
        entries = [_as_float(name, entry, "an array of real numbers") for entry in array.flat]
        return np.array(entries, dtype=np.float64).reshape(array.shape)
    if array.dtype.kind not in "fiu":
        raise InvalidArgumentError(f"{name} must be an array of real numbers, got type {array.dtype}")
    return array


def check_matrix(name: str, value: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return ``value`` as a contiguous float64 matrix of the given shape with finite entries."""
    matrix = np.ascontiguousarray(check_real(name, value), dtype=np.float64)
    if matrix.shape != shape:
        raise InvalidArgumentError(f"{name} must have shape {shape}, got shape {matrix.shape}")
    if not np.all(np.isfinite(matrix)):
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(matrix))[0])
        raise InvalidArgumentError(f"{name} must be finite, got {float(matrix[where])!r} at {where}")
    return matrix


def check_transition_matrix(name: str, value: ArrayLike, remedy: str = "") -> NDArray[np.float64]:
    """Return ``value`` as a contiguous (S, S) float64 array of laws when it is a row-stochastic matrix with S >= 2.

    Where rows do not sum to one the message ends with the remedy.
    """
    matrix = own_array(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise TransitionError(f"{name} must be a square matrix with at least 2 symbols, got shape {matrix.shape}")
    _check_laws(name, matrix, remedy)
    return normalised(matrix)


def check_transition_tensor(name: str, value: ArrayLike, parents: int, remedy: str = "") -> NDArray[np.float64]:
    """Return ``value`` as a contiguous array (S,) * (parents + 1) of laws along its last axis; S >= 2."""
    if parents == 1:
        return check_transition_matrix(name, value, remedy)
    tensor = own_array(name, value)
    if tensor.ndim != parents + 1 or len(set(tensor.shape)) != 1 or tensor.shape[0] < 2:
        raise TransitionError(
            f"{name} must have {parents + 1} axes of one length S >= 2, one for each of {parents} parents and the last "
            f"for the child, got shape {tensor.shape}"
        )
    _check_laws(name, tensor, remedy)
    return normalised(tensor)


def check_transition_tensors(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a stack of tensors of a given shape whose rows along the last axis are laws; it may be a view."""
    try:
        tensors = np.ascontiguousarray(check_real(name, value), dtype=np.float64)
    except InvalidArgumentError as error:
        raise TransitionError(str(error)) from error
    if tensors.shape != shape:
        raise TransitionError(f"{name} must have shape {shape}, got shape {tensors.shape}")
    _check_laws(name, tensors)
    return normalised(tensors)


def normalised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows along the last axis whose exact sums round to one: the array itself when they all do.

    A row that does not sum to one is divided by its sum; what roundoff then leaves, half a unit in the last place or
    so, goes to its largest entry. Rows that are laws already stay as they are to the last bit, so that doing this
    twice changes nothing.

    Parameters
    ----------
    rows : ndarray of shape (..., S)
        Non-negative entries; sums near one.

    Examples
    --------
    >>> sloppy = np.array([[0.33333333333, 0.66666666666], [0.1, 0.9]])
    >>> laws = normalised(sloppy)
    >>> [math.fsum(row) for row in laws], laws[1].tolist(), normalised(laws) is laws
    ([1.0, 1.0], [0.1, 0.9], True)
    """
    if rows.size <= FEW:
        return _few_normalised(rows)
    excess = _excess(rows)
    wrong = ~_rounds_to_one(rows, excess)
    if not wrong.any():
        return rows
    laws = rows.copy()
    moved = laws[wrong] / (1.0 + excess[wrong])[:, np.newaxis]
    each, largest = np.arange(len(moved)), moved.argmax(axis=1)
    # The largest entry is below one: closing the gap there leaves at most half a unit of its last place.
    moved[each, largest] -= _excess(moved)
    laws[wrong] = moved
    return laws


def _few_normalised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Do the same for few numbers, without the overhead of operations on arrays."""
    laws = rows
    for place, row in enumerate(rows.reshape(-1, rows.shape[-1]).tolist()):
        if math.fsum(row) == 1.0:
            continue
        laws = rows.copy() if laws is rows else laws
        total = 1.0 + math.fsum([*row, -1.0])
        moved = [entry / total for entry in row]
        moved[moved.index(max(moved))] -= math.fsum([*moved, -1.0])
        laws.reshape(-1, len(row))[place] = moved
    return laws


def _excess(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of rows minus one, in twice the precision of a double (the sum of Knuth and Moller)."""
    total, lost = np.full(rows.shape[:-1], -1.0), np.zeros(rows.shape[:-1])
    for k in range(rows.shape[-1]):
        entry = rows[..., k]
        new = total + entry
        part = new - total
        lost += (total - (new - part)) + (entry - part)
        total = new
    excess: NDArray[np.float64] = total + lost
    return excess


def _rounds_to_one(rows: NDArray[np.float64], excess: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the exact sums of rows round to one; those too close to decide by ``excess`` are summed exactly."""
    found: NDArray[np.bool_] = (excess >= -HALF_BELOW) & (excess <= HALF_ABOVE)
    for edge in (-HALF_BELOW, HALF_ABOVE):
        close = np.abs(excess - edge) < 1e-24
        if close.any():  # rare, and to look for places takes longer than all else here
            for place in np.argwhere(close):
                found[tuple(place)] = math.fsum(rows[tuple(place)]) == 1.0
    return found


def check_memory(what: str, needed: int) -> None:
    """Refuse a request that needs more bytes than this machine has, before anything is allocated.

    Parameters
    ----------
    what : str
        The argument and what is made of it, for the message.
    needed : int
        Bytes.

    Raises
    ------
    TooLargeError
        If the machine has less; it says how much is needed.
    """
    has = memory()
    if needed > has:
        raise TooLargeError(f"{what} must fit into the {_bytes(has)} of memory of this machine, got {_bytes(needed)}")


@cache
def memory() -> int:
    """Return the bytes of memory of this machine, or those that its container may use."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # no such question on this system
        found = 2**63
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found = min(found, int(Path(file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no limit
            continue
    return found


def _bytes(count: int) -> str:
    for unit, name in ((2**50, "PiB"), (2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"


def own_array(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return the numbers of an array or data frame as an array of its own."""
    try:
        return np.array(check_real(name, unlabelled(name, value)), dtype=np.float64, order="C")
    except InvalidArgumentError as error:
        raise TransitionError(str(error)) from error


def _clearly_laws(rows: NDArray[np.float64]) -> bool:
    """Whether few rows are laws; False where that is not plain, and where one is not."""
    return all(
        min(row) >= 0.0 and max(row) < 2.0 and abs(math.fsum(row) - 1.0) < 0.5 * ROW_SUM_TOLERANCE
        for row in rows.reshape(-1, rows.shape[-1]).tolist()
    )


def check_entries(name: str, rows: NDArray[np.float64]) -> None:
    """Raise unless all entries are finite and at least zero."""
    bad = ~(np.isfinite(rows) & (rows >= 0.0))
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise TransitionError(f"{name} must have finite entries of at least 0, got {float(rows[where])!r} at {where}")


def _check_laws(name: str, rows: NDArray[np.float64], remedy: str = "") -> None:
    """Raise unless every row along the last axis is a law."""
    if 0 < rows.size <= FEW and _clearly_laws(rows):
        return
    check_entries(name, rows)
    with np.errstate(over="ignore"):  # the message says so
        sums = rows.sum(axis=-1)
    off = np.abs(sums - 1.0)
    if off.max() > ROW_SUM_TOLERANCE:
        row = tuple(int(k) for k in np.unravel_index(int(off.argmax()), off.shape))
        shown = row[0] if len(row) == 1 else row
        raise TransitionError(
            f"{name} must have rows that sum to 1 within {ROW_SUM_TOLERANCE:g}, got {float(sums[row])!r} in row {shown}"
            f"{remedy}"
        )
