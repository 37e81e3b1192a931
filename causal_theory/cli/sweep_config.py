"""What is to be swept: a TOML file with a study, a store, a grid, and how the figure of it looks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from causal_theory.choices import look_in
from causal_theory.cli.sweep_figure import FigureChoice
from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.specs.readers import finite, integer, text
from causal_theory.specs.toml import check_keys, read_keys, read_section, read_toml
from causal_theory.sweeps import MOST_UNITS, Parameter, Study, find_study
from causal_theory.validation import LARGEST_SEED, check_choice, check_integer, check_positive

__all__ = ["SweepConfig", "read_sweep_config"]

SINGLE = {"study": text, "store": text, "seed": integer(0, LARGEST_SEED), "repeats": integer(1)}
RANGE = ("from", "to", "count", "scale")
FIGURE = {"value": text, "x": text, "y": text, "lines": text, "panels": text, "boundary": finite}
SECTIONS = ("grid", "settings", "figure")
SCALES = ("linear", "log")
DIGITS = 12
"""Of the values of a range that are no integers."""
STORE_SUFFIX = ".sqlite"


@dataclass(frozen=True)
class SweepConfig:
    """What a file says.

    Attributes
    ----------
    study : Study
        What is evaluated.
    store : Path
        Where results go.
    seed, repeats : int
        As in :func:`causal_theory.sweeps.sweep`, there ``rng`` and ``repeats``.
    grid : dict
        Values of each parameter that varies.
    settings : dict
        Values of others.
    figure : FigureChoice
        What a figure shows.
    """

    study: Study
    store: Path
    seed: int = 0
    repeats: int = 1
    grid: dict[str, list[Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    figure: FigureChoice = field(default_factory=FigureChoice)


def read_sweep_config(path: Path) -> SweepConfig:
    """Read a file with ``study``, ``store``, ``seed`` and ``repeats``, and sections ``grid``, ``settings``, ``figure``.

    A parameter in ``grid`` has a list of values or a table ``{from, to, count, scale}``, where ``scale`` is
    ``"linear"`` or ``"log"``; floats are rounded to 12 digits, and integers that occur twice are kept once. The store
    is relative to the folder of the file, and by default has its name, with ``.sqlite``. A study of your own is
    ``"module:function"``, with the module in that folder or wherever Python finds it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    SweepConfig
        What it says.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is not TOML, or holds an unknown study, parameter or key, a value of the wrong kind,
        or an empty grid.
    """
    name, content = read_toml(path)
    check_keys(f"{name}: keys", content, (*SINGLE, *SECTIONS))
    single = read_keys(f"{name}:", content, SINGLE)
    if "study" not in single:
        raise FileFormatError(
            f"{name}: study must be given, the name of one or module:function, got nothing; --list shows all"
        )
    tables = {section: read_section(name, content, section) for section in SECTIONS}
    check_keys(f"{name}: keys of [figure]", tables["figure"], FIGURE)
    if any(isinstance(value, str) and ":" in value for value in (single["study"], *_flat(tables))):
        look_in(path.parent)
    try:
        study = find_study(single["study"])
        parameters = {parameter.name: parameter for parameter in study.parameters}
        for section in ("grid", "settings"):
            study.check_names(tables[section])
        grid = {key: _values(parameters[key], given) for key, given in tables["grid"].items()}
        settings = {key: parameters[key].convert(given) for key, given in tables["settings"].items()}
    except InvalidArgumentError as error:
        raise FileFormatError(f"{name}: {error}") from error
    if not grid:
        raise FileFormatError(f"{name}: [grid] must have values for at least one parameter, got none")
    figure = FigureChoice(**read_keys(f"{name}: [figure]", tables["figure"], FIGURE))
    store = path.parent / single["store"] if "store" in single else path.with_suffix(STORE_SUFFIX)
    return SweepConfig(study, store, single.get("seed", 0), single.get("repeats", 1), grid, settings, figure)


def _flat(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    """Return the values of all tables, those of lists one by one."""
    for table in tables.values():
        for value in table.values():
            yield from value if isinstance(value, list) else [value]


def _values(parameter: Parameter, given: object) -> list[Any]:
    """Return the values of a parameter, in their order."""
    if isinstance(given, dict):
        return _range(parameter, given)
    if not isinstance(given, list) or not given:
        raise InvalidArgumentError(
            f"{parameter.name} must have a list of values, at least one, or a table "
            f"{{from = ..., to = ..., count = ..., scale = ...}}, got {given!r}"
        )
    return [parameter.convert(value) for value in given]


def _range(parameter: Parameter, given: Mapping[str, object]) -> list[Any]:
    name = parameter.name
    if parameter.kind not in (int, float):
        raise InvalidArgumentError(f"{name} must have a list of values, since they are no numbers, got {dict(given)!r}")
    unknown = [key for key in given if key not in RANGE]
    if unknown:
        raise InvalidArgumentError(f"keys of {name} must be among {', '.join(RANGE)}, got {unknown[0]!r}")
    missing = [key for key in RANGE[:3] if key not in given]
    if missing:
        raise InvalidArgumentError(f"{name} must have {', '.join(missing)}, got {dict(given)!r}")
    scale = check_choice(f"scale of {name}", given.get("scale", SCALES[0]), SCALES)
    count = check_integer(f"count of {name}", given["count"], 2)
    if count > MOST_UNITS:
        raise InvalidArgumentError(f"count of {name} must be at most {MOST_UNITS}, got {count}")
    low, high = parameter.convert(given["from"]), parameter.convert(given["to"])
    if not low < high:  # type: ignore[operator]
        raise InvalidArgumentError(f"from of {name} must be less than to, {high}, got {low}")
    if scale == "log":
        check_positive(f"from of {name}", low)
    # Ends are as written. Others are rounded, because units are named by their values, and the last digits of a
    # logarithm are not the same on every machine.
    spaced = (np.geomspace if scale == "log" else np.linspace)(float(low), float(high), count).tolist()
    inner = [round(value) if parameter.kind is int else float(f"{value:.{DIGITS}g}") for value in spaced[1:-1]]
    return list(dict.fromkeys([low, *inner, high]))
