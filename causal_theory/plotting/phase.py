"""A number over two parameters of a task, as a map of cells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import (
    BESIDE,
    axes_or_new,
    bar_axes,
    label_along,
    label_upwards,
    legend_below,
    points_of,
    wrapped,
)
from causal_theory.plotting.cells import set_cell_axis, threshold_segments
from causal_theory.plotting.colours import SEQUENTIAL, extended, number_scale
from causal_theory.plotting.curves import note
from causal_theory.plotting.size import scaled
from causal_theory.validation import check_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERROR_BARS = 2.0
"""A value this many errors from the boundary, or nearer, is on neither side."""

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@default_floats
def plot_phase_diagram(
    x: ArrayLike,
    y: ArrayLike,
    values: ArrayLike,
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    errors: ArrayLike | None = None,
    certified: ArrayLike | None = None,
    boundary: float | None = None,
    limits: tuple[float, float] | None = None,
    categories: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a number over two parameters: one cell for each pair of values that was computed, nothing in between.

    Cells end half way between neighbouring values. An axis is logarithmic when its values, three or more and all above
    zero, are spaced more evenly in their logarithms than as they are. Where a value is NaN the cell is hatched: not
    computed. Numbers of both signs get a diverging colour map with zero in its middle, others a sequential one.

    Parameters
    ----------
    x : array_like, shape (n,)
        Values of the parameter along the horizontal axis, increasing.
    y : array_like, shape (m,)
        Values of the parameter along the vertical axis, increasing.
    values : array_like, shape (m, n)
        ``values[k, l]`` belongs to ``y[k]`` and ``x[l]``; NaN where nothing was computed.
    xlabel, ylabel : str
        Names of the parameters, with their units.
    label : str
        Name of the values, with their unit, for the colour bar.
    errors : array_like, shape (m, n), optional
        Standard errors or error bounds of the values. Cells within two errors of the boundary are marked with a ring;
        without a boundary only the largest error is told.
    certified : array_like of bool, shape (m, n), optional
        Cells whose value is exact, or proved, in whatever sense the caller states; marked with a dot.
    boundary : float, optional
        A threshold. A line runs along the borders of cells between values of at least that much and smaller ones.
    limits : tuple of float, optional
        Smallest and largest value of the colour scale, such as ``(0, 1)`` for a share; by default those of the values.
        Limits of both signs are widened until zero lies in the middle.
    categories : sequence of str, optional
        Names of kinds of outcome; ``values`` then holds their numbers 0, 1, ... Order them, if there is an order: the
        colours run from dark to light.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If parameters are not finite and increasing, shapes differ, a value is infinite, an error is negative, a cell
        that was not computed is certified, a number names no category, the limits are not in order, or categories are
        combined with errors, a boundary or limits.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    When does the parent win over the diagonal? Two symbols that stay the same with probability p: the diagonal of the
    edge scores tends to ``(2 p - 1) / 2``, the score of the parent to ``(2 p - 1)**2 / 2``. One relabeled matrix is
    exact, so that a margin beyond its error bar is certain.

    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, edge_scores
    >>> from causal_theory.plotting import plot_phase_diagram
    >>> lengths, stays = [5, 10, 20], [0.2, 0.4, 0.6, 0.8]
    >>> margins, certain = np.empty((3, 4)), np.empty((3, 4), dtype=bool)
    >>> for k, length in enumerate(lengths):
    ...     for l, p in enumerate(stays):
    ...         task = InContextTask(CausalGraph.chain(length), OrbitPrior([[p, 1 - p], [1 - p, p]]))
    ...         report = EdgeReport(edge_scores(task, epsilon=0.01), task.graph)
    ...         margins[k, l] = report.smallest_margin
    ...         certain[k, l] = report.significant[report.true >= 0].all()
    >>> ax = plot_phase_diagram(
    ...     stays, lengths, margins, certified=certain, boundary=0.0,
    ...     xlabel="probability of the same symbol again", ylabel="length T", label="smallest margin (dimensionless)",
    ... )
    >>> ax.get_yscale(), [text.get_text() for text in ax.get_legend().get_texts()]
    ('log', ['boundary at 0', 'certified (12 of 12)'])
    """
    columns, rows = _check_parameter("x", x), _check_parameter("y", y)
    shape = (len(rows), len(columns))
    table = _check_table("values", values, shape)
    seen = ~np.isnan(table)
    if np.isinf(table).any():
        raise InvalidArgumentError("values must be finite, or NaN where nothing was computed, got an infinite one")
    bars = _check_errors(errors, seen)
    exact = _check_certified(certified, seen)
    level = None if boundary is None else _check_boundary(boundary)
    if categories is None:
        scale = number_scale(table[seen], limits)
    else:
        _refuse_beside_categories(errors=errors, boundary=boundary, limits=limits)
        scale = _category_scale(categories, table[seen])
    ax = axes_or_new(ax, (5.6, 4.6))
    borders = set_cell_axis(ax, "x", columns), set_cell_axis(ax, "y", rows)
    mesh = ax.pcolormesh(*borders, np.ma.array(table, mask=~seen), zorder=1, **scale)
    bar = ax.figure.colorbar(mesh, cax=bar_axes(ax), extend=extended(table[seen], scale))
    bar.set_label(wrapped(label, BESIDE * points_of(ax)[1], "axes.labelsize"))
    if categories is not None:
        bar.set_ticks(range(len(categories)), labels=list(categories))
    if level is not None:
        _draw_boundary(ax, threshold_segments(table, level, *borders), level)
        bar.ax.axhline(level, color="white", linewidth=scaled(3.0))
        bar.ax.axhline(level, color="black", linewidth=scaled(1.4))
    places = np.meshgrid(columns, rows)
    size = _mark_size(ax, shape)
    if exact is not None:
        _mark(ax, places, exact, f"certified ({int(exact.sum())} of {int(seen.sum())})", "o", size, filled=True)
    if bars is not None and level is not None:
        unsure = seen & (np.abs(table - level) <= ERROR_BARS * bars)
        name = f"within {ERROR_BARS:g} errors of the boundary ({int(unsure.sum())})"
        _mark(ax, places, unsure, name, "o", 1.9 * size, filled=False)
    elif bars is not None:
        note(ax, f"errors up to {bars[seen].max(initial=0.0):.2g}")
    if not seen.all():
        _hatch(ax, borders, int((~seen).sum()))
    label_along(ax, xlabel)
    label_upwards(ax, ylabel)
    if ax.get_legend_handles_labels()[1]:
        legend_below(ax)
    return ax


def _check_parameter(name: str, value: ArrayLike) -> Array:
    parameter = np.array(check_real(name, value), dtype=np.float64)
    if parameter.ndim != 1 or not parameter.size:
        raise InvalidArgumentError(f"{name} must be a sequence of numbers, got shape {parameter.shape}")
    if not np.isfinite(parameter).all() or (np.diff(parameter) <= 0.0).any():
        raise InvalidArgumentError(f"{name} must be finite and increasing, got {parameter.tolist()}")
    return parameter


def _check_table(name: str, value: ArrayLike, shape: tuple[int, int]) -> Array:
    table = np.array(check_real(name, value), dtype=np.float64)
    if table.shape != shape:
        raise InvalidArgumentError(f"{name} must have shape {shape}, one row for each y, got shape {table.shape}")
    return table


def _check_errors(errors: ArrayLike | None, seen: Mask) -> Array | None:
    if errors is None:
        return None
    bars = _check_table("errors", errors, seen.shape)
    wrong = seen & ~((bars >= 0.0) & np.isfinite(bars))
    if wrong.any():
        raise InvalidArgumentError(f"errors must be finite and at least 0 where values are, got {bars[wrong][0]}")
    return bars


def _check_certified(certified: ArrayLike | None, seen: Mask) -> Mask | None:
    if certified is None:
        return None
    exact = np.asarray(certified)
    if exact.dtype != np.bool_ or exact.shape != seen.shape:
        raise InvalidArgumentError(
            f"certified must be an array of bool of shape {seen.shape}, got {exact.dtype} of shape {exact.shape}"
        )
    if (exact & ~seen).any():
        where = tuple(int(k) for k in np.argwhere(exact & ~seen)[0])
        raise InvalidArgumentError(f"certified must be False where values is NaN, got True at {where}")
    return exact


def _check_boundary(boundary: float) -> float:
    level = check_real("boundary", boundary)
    if level.ndim or not np.isfinite(level):
        raise InvalidArgumentError(f"boundary must be a finite number, got {boundary!r}")
    return float(level)


def _refuse_beside_categories(**others: object) -> None:
    for name, value in others.items():
        if value is not None:
            raise InvalidArgumentError(f"{name} must be None when values are numbers of categories, got {value!r}")


def _category_scale(categories: Sequence[str], values: Array) -> dict[str, Any]:
    """Return a map with one colour for each category, evenly spaced in lightness."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    count = len(categories)
    if not count or isinstance(categories, str) or not all(isinstance(name, str) for name in categories):
        raise InvalidArgumentError(f"categories must be a sequence of at least one name, got {categories!r}")
    wrong = ~np.isin(values, np.arange(count))
    if wrong.any():
        raise InvalidArgumentError(f"values must be numbers of categories, 0 to {count - 1}, got {values[wrong][0]}")
    colours = ListedColormap(colormaps[SEQUENTIAL](np.linspace(0.0, 1.0, count)))
    return {"cmap": colours, "vmin": -0.5, "vmax": count - 0.5}


def _draw_boundary(ax: "Axes", segments: Array, level: float) -> None:
    """Draw light below dark, so that the line shows on every colour."""
    from matplotlib.collections import LineCollection

    for colour, width in (("white", scaled(4.0)), ("black", scaled(2.0))):
        lines = LineCollection(list(segments), colors=colour, linewidths=width, capstyle="projecting", zorder=3)
        ax.add_collection(lines, autolim=False)
    crossed = "" if len(segments) else ", not crossed"
    ax.plot([], [], color="black", linewidth=scaled(2.0), label=f"boundary at {level:g}{crossed}")


def _mark_size(ax: "Axes", shape: tuple[int, int]) -> float:
    """Return the size of a mark in points: small beside its cell, and never large."""
    box = ax.get_window_extent()
    cell = min(box.width / shape[1], box.height / shape[0]) * 72.0 / ax.figure.dpi
    return float(np.clip(0.2 * cell, 0.6, scaled(4.5)))


def _mark(
    ax: "Axes", places: Sequence[Array], wanted: Mask, label: str, marker: str, size: float, *, filled: bool
) -> None:
    """Draw marks, dark with a light rim; the label is there even if no cell is marked."""
    x, y = (place[wanted] for place in places)
    face = "black" if filled else "none"
    style: dict[str, Any] = {"linestyle": "none", "marker": marker, "markerfacecolor": face}
    edge = 0.25 * size if filled else 0.2 * size
    ax.plot(x, y, markersize=size + edge, markeredgecolor="white", markeredgewidth=2.0 * edge, zorder=4, **style)
    ax.plot(x, y, markersize=size, markeredgecolor="black", markeredgewidth=edge, zorder=5, label=label, **style)


def _hatch(ax: "Axes", borders: tuple[Array, Array], count: int) -> None:
    """Hatch the ground, which shows where no cell is drawn."""
    from matplotlib.patches import Rectangle

    corner = borders[0][0], borders[1][0]
    width, height = (float(ends[-1] - ends[0]) for ends in borders)
    label = f"not computed ({count})"
    style: dict[str, Any] = {"facecolor": "white", "edgecolor": "#777777", "hatch": "////", "linewidth": 0.0}
    ax.add_patch(Rectangle(corner, width, height, label=label, zorder=0.5, **style))
