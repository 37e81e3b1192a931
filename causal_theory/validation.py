"""Checks of arguments, shared by the public functions: each names the argument, the value and the requirement."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError, TransitionError

__all__ = [
    "ROW_SUM_TOLERANCE",
    "as_generator",
    "check_choice",
    "check_integer",
    "check_kernel",
    "check_matrix",
    "check_positive",
    "check_probability",
    "check_real",
    "check_transition_matrix",
]

ROW_SUM_TOLERANCE = 1e-10
"""How far the sum of a probability vector may be from one. Inputs are never renormalised."""

SeedLike = int | np.integer[Any] | Sequence[int] | np.random.SeedSequence | np.random.Generator | None


def as_generator(rng: SeedLike) -> np.random.Generator:
    """Return the generator itself, or a new one from a seed; ``None`` takes fresh entropy."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"rng must be a seed or a numpy Generator, got {rng!r}") from error


def check_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return ``value`` when it is one of the named choices."""
    allowed = list(choices)
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(repr(choice) for choice in allowed)
        raise InvalidArgumentError(f"{name} must be one of {listed}, got {value!r}")
    return value


def check_integer(name: str, value: object, minimum: int) -> int:
    """Return ``value`` as an int when it is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidArgumentError(f"{name} must be an integer of at least {minimum}, got {value!r}")
    if value < minimum:
        raise InvalidArgumentError(f"{name} must be an integer of at least {minimum}, got {value}")
    return int(value)


def _as_float(name: str, value: object, requirement: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name} must be {requirement}, got {value!r}") from error
    return number


def check_positive(name: str, value: object) -> float:
    """Return ``value`` as a float when it is finite and greater than zero."""
    number = _as_float(name, value, "a finite number greater than 0")
    if not (np.isfinite(number) and number > 0.0):
        raise InvalidArgumentError(f"{name} must be a finite number greater than 0, got {value!r}")
    return number


def check_probability(name: str, value: object) -> float:
    """Return ``value`` as a float when it lies in [0, 1]."""
    number = _as_float(name, value, "a number between 0 and 1")
    if not 0.0 <= number <= 1.0:
        raise InvalidArgumentError(f"{name} must be a number between 0 and 1, got {value!r}")
    return number


def check_real(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return ``value`` as an array when it holds real numbers; text and complex numbers are not converted."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name} must be an array of real numbers: {error}") from error
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


def check_transition_matrix(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return ``value`` as a contiguous (S, S) float64 array when it is a row-stochastic matrix with S >= 2."""
    matrix = _own_array(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise TransitionError(f"{name} must be a square matrix with at least 2 symbols, got shape {matrix.shape}")
    _check_laws(name, matrix)
    return matrix


def check_kernel(name: str, value: ArrayLike, parents: int) -> NDArray[np.float64]:
    """Return ``value`` as a contiguous array (S,) * (parents + 1) when its last axis holds laws and S >= 2."""
    if parents == 1:
        return check_transition_matrix(name, value)
    kernel = _own_array(name, value)
    if kernel.ndim != parents + 1 or len(set(kernel.shape)) != 1 or kernel.shape[0] < 2:
        raise TransitionError(
            f"{name} must have {parents + 1} axes of one length S >= 2, one for each of {parents} parents and the last "
            f"for the child, got shape {kernel.shape}"
        )
    _check_laws(name, kernel)
    return kernel


def _own_array(name: str, value: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.array(check_real(name, value), dtype=np.float64, order="C")
    except InvalidArgumentError as error:
        raise TransitionError(str(error)) from error


def _check_laws(name: str, kernel: NDArray[np.float64]) -> None:
    """Raise unless every row along the last axis is a law."""
    bad = ~(np.isfinite(kernel) & (kernel >= 0.0))
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise TransitionError(f"{name} must have finite entries of at least 0, got {float(kernel[where])!r} at {where}")
    sums = kernel.sum(axis=-1)
    off = np.abs(sums - 1.0)
    if off.max() > ROW_SUM_TOLERANCE:
        row = tuple(int(k) for k in np.unravel_index(int(off.argmax()), off.shape))
        shown = row[0] if len(row) == 1 else row
        raise TransitionError(
            f"{name} must have rows that sum to 1 within {ROW_SUM_TOLERANCE:g}, got {float(sums[row])!r} in row {shown}"
        )
