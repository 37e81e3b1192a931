"""Readers of values: each brings what Python, the command line, TOML or JSON has into one form, or refuses it.

A reader takes the name of the value, for its message, and the value.
"""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from causal_theory.choices import same_name
from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.frames import unlabelled
from causal_theory.matrices import read_matrix
from causal_theory.validation import (
    LARGEST_INTEGER,
    check_choice,
    check_integer,
    check_number,
    check_positive,
    check_probability,
    check_real,
    shown,
)

Reader = Callable[[str, Any], Any]


def integer(least: int, most: int = LARGEST_INTEGER) -> Reader:
    """Read an integer within bounds."""
    return lambda name, value: check_integer(name, value, least, most)


def number(*, or_zero: bool = False) -> Reader:
    """Read a positive number of any size, as it is written."""
    return lambda name, value: check_number(name, value, or_zero=or_zero)


def positive(*, or_zero: bool = False) -> Reader:
    """Read a positive number, from the range that is computed with, as a float."""
    return lambda name, value: check_positive(name, value, or_zero=or_zero)


def finite(name: str, value: object) -> float:
    """Read a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidArgumentError(f"{name} must be a number, got {shown(value)}")
    return float(value)


def probability(name: str, value: object) -> float:
    """Read a number between 0 and 1."""
    return check_probability(name, value)


def share(name: str, value: object) -> float:
    """Read a number of at least 0 and less than 1, as it is written."""
    read = check_probability(name, value)
    if read == 1.0:
        raise InvalidArgumentError(f"{name} must be at least 0 and less than 1, got {value!r}")
    return value if type(value) in (int, float) else read  # type: ignore[return-value]


def choice(names: Sequence[str]) -> Reader:
    """Read one of some names; hyphens and underscores count as the same."""

    def read(name: str, value: object) -> str:
        found = [one for one in names if same_name(one, value)]
        return found[0] if found else check_choice(name, value, names)

    return read


def text(name: str, value: object) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be a text, got {shown(value)}")
    return value


def matrix(name: str, value: object) -> tuple[Any, ...]:
    """Read a matrix, an array or a text or file that holds one, as nested tuples; the prior checks the numbers."""
    found: Any = read_matrix(str(value)) if isinstance(value, str | os.PathLike) else unlabelled(name, value)
    try:
        array = check_real(name, found)
    except InvalidArgumentError as error:
        raise TransitionError(str(error)) from error
    if array.ndim == 0:
        raise TransitionError(f"{name} must be rows of numbers, or the name of a file, got {shown(value)}")
    rows: tuple[Any, ...] = _tuples(array.astype(np.float64).tolist())
    return rows


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def flag(name: str, value: object) -> bool | None:
    """Read a truth value; one that is not set counts as not said."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} must be true or false, got {shown(value)}")
    return value or None


def path(name: str, value: object) -> str:
    """Read the name of a file."""
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


def read_heads(name: str, value: object) -> tuple[int, ...]:
    """Read heads per layer, from a text like ``"2,1"`` or from integers."""
    try:
        entries = [int(entry) for entry in value.split(",")] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
        if any(isinstance(entry, bool | float) for entry in entries):
            raise TypeError
        return tuple(map(int, entries))
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"{name} must be integers separated by commas, one for each layer, got {value!r}"
        ) from error


class OptionValues(dict[str, Any]):
    """Values by name that are hashed, as settings are."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Equal values have equal names."""
        return hash(frozenset(self))


def _of_json(name: str, value: Any) -> Any:
    """Return a value in terms of JSON."""
    plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    if isinstance(plain, list | tuple):
        return [_of_json(name, entry) for entry in plain]
    if isinstance(plain, Mapping) and all(isinstance(key, str) for key in plain):
        return {key: _of_json(name, entry) for key, entry in plain.items()}
    if plain is not None and not isinstance(plain, bool | int | float | str):
        raise InvalidArgumentError(f"{name} must be a number, a text, or lists and mappings of them, got {value!r}")
    return plain


def options(name: str, value: object) -> dict[str, Any]:
    """Read names with values: a mapping, or texts like ``"name=value"`` whose values are JSON where they can be."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return OptionValues({key: _of_json(f"{name} {key}", entry) for key, entry in value.items()})
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(one, str) and "=" in one for one in entries):
        raise InvalidArgumentError(f"{name} must be names with values, like weight=0.5, got {shown(value)}")
    found = OptionValues()
    for entry in entries:
        key, _, words = entry.partition("=")
        try:
            found[key.strip()] = json.loads(words)
        except ValueError:
            found[key.strip()] = words
    return found
