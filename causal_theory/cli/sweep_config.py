"""Read what is to be swept: a TOML file with a study, a store, a grid, and how the figure of it looks."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from causal_theory.choices import look_in
from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.specs.readers import integer, text
from causal_theory.specs.toml import check_keys, read_keys, read_section, read_table, read_toml
from causal_theory.sweeps import Study, find_study
from causal_theory.sweeps.figure import FigureChoice
from causal_theory.sweeps.ranges import expand_values
from causal_theory.validation import LARGEST_SEED

SINGLE = {"study": text, "store": text, "seed": integer(0, LARGEST_SEED), "repeats": integer(1)}
SECTIONS = ("grid", "settings", "figure")
STORE_SUFFIX = ".sqlite"


@dataclass(frozen=True)
class SweepConfig:
    """The contents of a file.

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
    told = [single["study"], *tables["grid"].values(), *tables["settings"].values()]
    if any(isinstance(value, str | list) and ":" in str(value) for value in told):
        look_in(path.parent)  # a study, a graph, a prior or a model of one's own
    try:
        study = find_study(single["study"])
        parameters = {parameter.name: parameter for parameter in study.parameters}
        for section in ("grid", "settings"):
            study.check_names(tables[section])
        grid = {key: expand_values(parameters[key], given) for key, given in tables["grid"].items()}
        settings = {key: parameters[key].convert(given) for key, given in tables["settings"].items()}
    except InvalidArgumentError as error:
        raise FileFormatError(f"{name}: {error}") from error
    if not grid:
        raise FileFormatError(f"{name}: [grid] must have values for at least one parameter, got none")
    figure = FigureChoice(**read_table(name, content, "figure", FigureChoice, path.parent))
    store = path.parent / single["store"] if "store" in single else path.with_suffix(STORE_SUFFIX)
    return SweepConfig(study, store, single.get("seed", 0), single.get("repeats", 1), grid, settings, figure)
