"""A column of the table of a sweep over one or two others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import axes_or_new, label_along, label_upwards, legend_below
from causal_theory.plotting.cells import set_cell_axis
from causal_theory.plotting.colours import COLOURS, DASHES, MARKERS
from causal_theory.plotting.curves import note
from causal_theory.plotting.groups import Groups, average_groups
from causal_theory.plotting.phase import plot_phase_diagram
from causal_theory.plotting.size import scaled
from causal_theory.validation import check_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

MOST_LINES = 6
"""So many lines can be told apart."""


class Columns(Protocol):
    """Anything that gives a column for its name: a mapping, a data frame, the table of a store."""

    def __getitem__(self, name: str, /) -> ArrayLike:
        """Return the column."""


@default_floats
def plot_sweep(
    table: Columns,
    value: str,
    *,
    x: str,
    y: str | None = None,
    lines: str | None = None,
    where: Mapping[str, object] | None = None,
    boundary: float | None = None,
    limits: tuple[float, float] | None = None,
    labels: Mapping[str, str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a result of a sweep: a map over two parameters, or curves over one.

    Rows that agree in the parameters of the figure are averaged, so that repeats become a mean with its standard error
    and truth values a share. Everything else that varies is averaged as well: select rows by ``where`` if that is not
    meant. Rows whose value is NaN, infinite or missing are left out, and their number is told.

    Parameters
    ----------
    table : mapping of str to array_like, or the like
        Columns of one length, by name; a data frame or what :func:`causal_theory.sweeps.read_store` returns will do.
    value : str
        Column of the result: numbers or truth values.
    x : str
        Column along the horizontal axis, numbers.
    y : str, optional
        Column along the vertical axis of a map, numbers. Without it curves are drawn.
    lines : str, optional
        Without ``y``: a column whose values, at most six, have a curve each.
    where : mapping of str to object, optional
        Columns and the value that they must have in the rows that are drawn.
    boundary : float, optional
        Of a map, see :func:`plot_phase_diagram`; of curves a horizontal line.
    limits : tuple of float, optional
        Ends of the scale of the values; (0, 1) by default for truth values.
    labels : mapping of str to str, optional
        What columns are called, with their units; by default their names.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If a column is missing, has another length or holds no numbers, ``y`` and ``lines`` are both given, there are
        too many lines, or no row is left that has a finite value.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory.plotting import plot_sweep
    >>> table = {"length": [8, 8, 16, 16], "recovered": [False, True, True, True]}
    >>> ax = plot_sweep(table, "recovered", x="length", labels={"length": "length T (tokens)"})
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('length T (tokens)', 'share of recovered (0 to 1)')
    >>> ax.get_lines()[0].get_ydata()
    array([0.5, 1. ])
    """
    if y is not None and lines is not None:
        raise InvalidArgumentError(f"lines must be None together with y, got {lines!r}")
    numbers, share = _read_numbers(table, value)
    names = [name for name in (x, y, lines) if name is not None]
    columns = [_read(table, name, len(numbers)) for name in names]
    kept = np.ones(len(numbers), dtype=np.bool_)
    for name, wanted in (where or {}).items():
        kept &= _read(table, name, len(numbers)) == wanted
    for name, column in zip(names, columns, strict=True):
        if name != lines:
            check_real(name, column)
    groups = average_groups([column[kept] for column in columns], numbers[kept], share=share)
    if not groups.counts.any():
        raise InvalidArgumentError(
            f"{value} must have a finite value in some row, got none in {int(kept.sum())} of {len(kept)} rows"
            + (f" with {', '.join(f'{name} = {one}' for name, one in where.items())}" if where else "")
        )
    known = dict(labels or {})
    words = {name: known.get(name, name.replace("_", " ")) for name in names}
    words[value] = known.get(value, f"share of {value} (0 to 1)" if share else value.replace("_", " "))
    scale = limits if limits is not None else (0.0, 1.0) if share else None
    if y is not None:
        ax = _draw_map(groups, words[x], words[y], words[value], boundary, scale, ax)
    else:
        ax = axes_or_new(ax, (5.6, 4.2))
        _draw_curves(ax, groups, None if lines is None else words[lines], boundary, scale)
        label_along(ax, words[x])
        label_upwards(ax, words[value])
    if groups.left_out:
        note(ax, f"rows without a finite value left out ({groups.left_out})")
    if ax.get_legend_handles_labels()[1]:
        legend_below(ax)
    return ax


def _read(table: Columns, name: str, length: int | None = None) -> NDArray[Any]:
    """Return a column as an array of one axis."""
    try:
        column = np.asarray(table[name])
    except (KeyError, IndexError) as error:
        raise InvalidArgumentError(f"{name!r} must be a column of the table, got none of that name") from error
    if column.ndim != 1 or (length is not None and len(column) != length):
        wanted = "any number of" if length is None else f"{length}"
        raise InvalidArgumentError(f"column {name} must have one entry in each of {wanted} rows, got {column.shape}")
    return column


def _read_numbers(table: Columns, name: str) -> tuple[Array, bool]:
    """Return a column as floats, NaN where an entry is missing, and whether it holds truth values."""
    column = _read(table, name)
    present = column
    if column.dtype == object:
        # Where some are missing, truth values are kept that way.
        known = np.array([one is not None for one in column], dtype=np.bool_)
        present = np.array(column[known].tolist())
    else:
        known = np.ones(len(column), dtype=np.bool_)
    share = present.dtype == np.bool_
    if not share:
        check_real(name, present)
    numbers = np.full(len(column), np.nan)
    numbers[known] = present
    return numbers, bool(share)


def _draw_map(
    groups: Groups,
    xlabel: str,
    ylabel: str,
    label: str,
    boundary: float | None,
    limits: tuple[float, float] | None,
    ax: "Axes | None",
) -> "Axes":
    """Draw one cell for each pair, with error bars where every cell has one."""
    places = [np.unique(key, return_inverse=True) for key in groups.keys]
    (x, column), (y, row) = places
    values, errors = np.full((2, len(y), len(x)), np.nan)
    values[row, column], errors[row, column] = groups.means, groups.errors
    whole = bool(np.isfinite(errors[np.isfinite(values)]).all())
    return plot_phase_diagram(
        x.astype(np.float64),
        y.astype(np.float64),
        values,
        xlabel=xlabel,
        ylabel=ylabel,
        label=label,
        errors=errors if whole else None,
        boundary=boundary,
        limits=limits,
        ax=ax,
    )


def _draw_curves(
    ax: "Axes", groups: Groups, lines: str | None, boundary: float | None, limits: tuple[float, float] | None
) -> None:
    """Draw one curve for each value of a column, with bars of one standard error."""
    x = groups.keys[0].astype(np.float64)
    kinds = np.zeros(len(x)) if lines is None else groups.keys[1]
    different = np.unique(kinds)
    if len(different) > MOST_LINES:
        raise InvalidArgumentError(f"lines must have at most {MOST_LINES} values, got {len(different)}")
    for k, kind in enumerate(different):
        own = (kinds == kind) & (groups.counts > 0)
        style: dict[str, Any] = {
            "color": COLOURS[k],
            "linestyle": DASHES[k],
            "marker": MARKERS[k],
            "markersize": scaled(4.5),
        }
        if lines is not None:
            style["label"] = f"{lines}: {kind}"
        ax.plot(x[own], groups.means[own], linewidth=scaled(1.6), **style)
        barred = own & np.isfinite(groups.errors)
        ax.errorbar(
            x[barred],
            groups.means[barred],
            yerr=groups.errors[barred],
            fmt="none",
            ecolor=COLOURS[k],
            elinewidth=scaled(1.0),
            capsize=scaled(2.0),
        )
    if np.isfinite(groups.errors).any():
        note(ax, "bars: one standard error")
    if boundary is not None:
        ax.axhline(
            boundary, color="black", linestyle=":", linewidth=scaled(1.4), label=f"boundary at {boundary:g}", zorder=1
        )
    set_cell_axis(ax, "x", np.unique(x))
    if limits is not None:
        margin = 0.03 * (limits[1] - limits[0])
        ax.set_ylim(limits[0] - margin, limits[1] + margin)
    ax.grid(visible=True, alpha=0.3)
