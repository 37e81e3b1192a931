"""Choose which columns of a sweep a figure shows, and lay it out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.specs.base import Option, Spec
from causal_theory.specs.readers import finite, options, text
from causal_theory.sweeps.studies.labels import LABELS, VALUES
from causal_theory.sweeps.table import SweepTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = "Figure"
SIZE = (5.6, 4.6)
"""Of one panel, in inches."""

MOST_PANELS, PANELS_IN_A_ROW = 6, 3
REPEAT = "repeat"
"""A column that is averaged over unless it is named."""


@dataclass(frozen=True, repr=False)
class FigureChoice(Spec):
    """The choice of what a figure shows; ``None`` where nothing was chosen.

    Attributes
    ----------
    value : str or None
        A result.
    x, y, lines : str or None
        Columns, see :func:`causal_theory.plotting.plot_sweep`.
    panels : str or None
        A column whose values have a panel each.
    boundary : float or None
        A threshold.
    where : mapping or None
        Columns and the value that is drawn.
    """

    WHAT: ClassVar[str] = "choices of a figure"

    value: Annotated[str | None, Option("The result to draw.", FIGURE, text)] = None
    x: Annotated[str | None, Option("The parameter along the horizontal axis.", FIGURE, text)] = None
    y: Annotated[
        str | None, Option("The parameter along the vertical axis of a map; without it curves.", FIGURE, text)
    ] = None
    lines: Annotated[str | None, Option("A parameter whose values have a curve each.", FIGURE, text)] = None
    panels: Annotated[str | None, Option("A parameter whose values have a panel each.", FIGURE, text)] = None
    boundary: Annotated[float | None, Option("A threshold, drawn as a line.", FIGURE, finite)] = None
    where: Annotated[
        dict[str, Any] | None,
        Option("Draw these rows only; may be repeated.", FIGURE, options, metavar="NAME=VALUE"),
    ] = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        used = (self.x, self.y, self.lines, self.panels, *(self.where or ()))
        return tuple(name for name in used if name is not None)


def complete_choice(choice: FigureChoice, study: str, columns: Mapping[str, Any]) -> FigureChoice:
    """Return what is shown when the rest is chosen by what varies.

    Without ``x`` the parameter with the most values is horizontal, that with the next most vertical, and a third one
    has a panel for each value.

    Parameters
    ----------
    choice : FigureChoice
        What was chosen.
    study : str
        Name of the study.
    columns : mapping of str to sequence
        The parameters with their values: those of a grid, or of the rows of a table.

    Returns
    -------
    FigureChoice
        With at least ``value`` and ``x``.

    Raises
    ------
    InvalidArgumentError
        If a column is no parameter, or there is nothing to choose.

    Examples
    --------
    >>> grid = {"vocab_size": [2, 3], "length": [8, 9, 10], "concentration": [0.1, 1.0, 2.0, 3.0]}
    >>> found = complete_choice(FigureChoice(), "edge_recovery", grid)
    >>> found.value, found.x, found.y, found.panels
    ('recovered', 'concentration', 'length', 'vocab_size')
    """
    for name in choice.columns:
        if name not in columns:
            raise InvalidArgumentError(f"columns of the figure must be among {', '.join(columns)}, got {name!r}")
    value = choice.value or VALUES.get(study)
    if value is None:
        raise InvalidArgumentError(f"value must be named for a figure of study {study}, got nothing")
    if choice.x is not None:
        return replace(choice, value=value)
    if choice.y is not None:
        raise InvalidArgumentError(f"x must be given together with y, got y = {choice.y!r} alone")
    free = {name: values for name, values in columns.items() if name not in (*choice.columns, REPEAT)}
    counts = {name: len(set(values)) for name, values in free.items()}
    varying = sorted((name for name, count in counts.items() if count > 1), key=lambda name: -counts[name])
    along = [name for name in varying if not any(isinstance(one, str | bool) for one in columns[name])]
    if not along:
        raise InvalidArgumentError("x must be given for a figure of a sweep in which no number varies, got nothing")
    choice = replace(choice, value=value, x=along[0])
    if choice.lines is None and len(along) > 1:
        choice = replace(choice, y=along[1])
    rest = [name for name in varying if name not in choice.columns and counts[name] <= MOST_PANELS]
    return replace(choice, panels=rest[0]) if choice.panels is None and rest else choice


class SweepFigure(NamedTuple):
    """A figure that waits to be drawn.

    Attributes
    ----------
    draw : callable
        Draws into as many axes as the grid has.
    size : tuple of float
        Width and height in inches.
    grid : tuple of int
        Rows and columns of panels.
    note : str
        What is to be said about it; empty when there is nothing.
    """

    draw: Callable[..., None]
    size: tuple[float, float]
    grid: tuple[int, int]
    note: str


def lay_out(table: SweepTable, choice: FigureChoice) -> SweepFigure:
    """Return the figure of a table.

    Raises
    ------
    InvalidArgumentError
        If a column is missing or has too many values.
    """
    parameters = {name: table[name].tolist() for name in (*table.parameters, REPEAT)}
    choice = complete_choice(choice, table.study, parameters)
    chosen = _match(choice.where or {}, table)
    wanted = _distinct(table, choice.panels, chosen)
    varying = [name for name in table.parameters if name not in choice.columns and len(set(parameters[name])) > 1]
    note = f"the figure averages over {', '.join(varying)}" if varying else ""
    rows = 1 if len(wanted) <= PANELS_IN_A_ROW else 2
    columns = -(-len(wanted) // rows)
    size = SIZE[0] * columns, SIZE[1] * rows
    return SweepFigure(partial(_draw, table, choice, chosen, wanted), size, (rows, columns), note)


def _draw(
    table: SweepTable, choice: FigureChoice, chosen: Mapping[str, Any], wanted: Sequence[Any], *axes: "Axes"
) -> None:
    from causal_theory.plotting import plot_sweep

    for ax in axes[len(wanted) :]:
        ax.set_axis_off()
    for ax, panel in zip(axes, wanted, strict=False):
        where = chosen if choice.panels is None else {**chosen, choice.panels: panel}
        plot_sweep(
            table,
            str(choice.value),
            x=str(choice.x),
            y=choice.y,
            lines=choice.lines,
            where=where,
            boundary=choice.boundary,
            labels=LABELS,
            ax=ax,
        )
        if choice.panels is not None:
            ax.set_title(f"{LABELS.get(choice.panels, choice.panels)} = {_short(panel)}")


def _distinct(table: SweepTable, name: str | None, where: Mapping[str, Any]) -> list[Any]:
    """Return the values that have a panel each."""
    if name is None:
        return [None]
    kept: NDArray[np.bool_] = np.ones(len(table), dtype=np.bool_)
    for key, one in where.items():
        kept &= table[key] == one
    values = sorted(set(table[name][kept].tolist()))
    if not 0 < len(values) <= MOST_PANELS:
        raise InvalidArgumentError(f"panels must have at most {MOST_PANELS} values, got {len(values)} of {name}")
    return values


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _match(where: Mapping[str, Any], table: SweepTable) -> dict[str, Any]:
    """Return the columns and their values: of the type that the column has."""
    found: dict[str, Any] = {}
    for name, given in where.items():
        values = {str(one): one for one in table[name].tolist()}
        numbers = {float(one): one for one in values.values() if isinstance(one, int | float)}
        try:
            found[name] = values[str(given)] if str(given) in values else numbers[float(given)]
        except (KeyError, TypeError, ValueError) as error:
            listed = ", ".join(sorted(values)[:10])
            raise InvalidArgumentError(f"where must name a value of {name}, like {listed}, got {given!r}") from error
    return found
