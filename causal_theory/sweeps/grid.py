"""From ranges of parameters to units of work."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError, TooLargeError
from causal_theory.sweeps.study import Study
from causal_theory.sweeps.unit import Unit
from causal_theory.validation import check_integer

MOST_UNITS = 100_000
"""Units that a grid may have without an explicit limit: a mistyped range easily has more."""

Grid = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Values for each of several parameters, all combinations of which are meant, or a list of settings."""


def expand_grid(
    study: Study,
    grid: Grid,
    *,
    settings: Mapping[str, object] | None = None,
    repeats: int = 1,
    entropy: int = 0,
    limit: int = MOST_UNITS,
) -> list[Unit]:
    """Return the units of a grid, the last parameter varying fastest, the repeats of one choice together.

    Parameters
    ----------
    study : Study
        What is evaluated.
    grid : mapping or sequence of mappings
        For each of some parameters the values it takes, in order: every combination is one choice. Or the choices
        themselves, one mapping each.
    settings : mapping, optional
        Values of parameters that are the same everywhere. A parameter without any has its default.
    repeats : int
        Units of each choice; they differ in their random numbers.
    entropy : int
        The seed of the sweep.
    limit : int
        Most units.

    Returns
    -------
    list of Unit
        Each of them once.

    Raises
    ------
    InvalidArgumentError
        If the grid has no units or the same unit twice, a parameter is unknown, missing, given twice or has a value of
        the wrong kind.
    TooLargeError
        If there are more units than ``limit``.

    Examples
    --------
    >>> from causal_theory.sweeps import find_study
    >>> grid = {"length": [8, 12], "concentration": [0.5, 1]}
    >>> units = expand_grid(find_study("edge_recovery"), grid, repeats=2)
    >>> [(unit.settings["length"], unit.settings["concentration"], unit.repeat) for unit in units][:5]
    [(8, 0.5, 0), (8, 0.5, 1), (8, 1.0, 0), (8, 1.0, 1), (12, 0.5, 0)]
    """
    repeats = check_integer("repeats", repeats, 1)
    fixed = {} if settings is None else dict(_mapping("settings", settings))
    study.check_names(fixed)
    axes = _axes(grid) if isinstance(grid, Mapping) else None
    entries = None if axes is not None else _entries(grid)
    total = repeats * (math.prod(map(len, axes.values())) if axes is not None else len(entries or ()))
    if total == 0:
        empty = [name for name, values in (axes or {}).items() if not values]
        raise InvalidArgumentError(f"grid must have at least one unit, got no values of {', '.join(empty) or 'any'}")
    if total > check_integer("limit", limit, 1):
        raise TooLargeError(f"grid must have at most {limit} units, or limit must be raised, got {total}")
    units: list[Unit] = []
    seen: dict[str, Unit] = {}
    for choice in _combinations(axes) if axes is not None else iter(entries or ()):
        twice = sorted(fixed.keys() & choice.keys())
        if twice:
            raise InvalidArgumentError(f"settings must not name a parameter of the grid, got {twice[0]!r} in both")
        complete = study.complete({**fixed, **choice})
        for repeat in range(repeats):
            unit = Unit.of(study.name, complete, repeat=repeat, entropy=entropy)
            if unit.key in seen:
                raise InvalidArgumentError(f"grid must have every unit once, got {complete!r} twice")
            seen[unit.key] = unit
            units.append(unit)
    return units


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidArgumentError(f"{name} must be a mapping from names of parameters to values, got {value!r}")
    return value


def _axes(grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each parameter as a list."""
    axes: dict[str, list[Any]] = {}
    for name, values in _mapping("grid", grid).items():
        several = isinstance(values, Sequence) and not isinstance(values, str | bytes)
        if not several and not (isinstance(values, np.ndarray) and values.ndim == 1):
            raise InvalidArgumentError(f"grid must have a sequence of values for {name}, got {values!r}")
        axes[name] = list(values)
    return axes


def _entries(grid: object) -> list[Mapping[str, Any]]:
    """Return the choices of a grid that lists them."""
    if not isinstance(grid, Sequence) or isinstance(grid, str | bytes):
        raise InvalidArgumentError(f"grid must be a mapping or a sequence of mappings, got {grid!r}")
    return [_mapping("entries of grid", entry) for entry in grid]


def _combinations(axes: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))
