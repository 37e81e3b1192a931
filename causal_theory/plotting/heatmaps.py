"""Draw matrices over query and key positions as heat maps, with the true edges marked."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.information import MEASURES
from causal_theory.plotting.canvas import (
    BESIDE,
    axes_or_new,
    bar_axes,
    label_positions,
    place_width,
    points_of,
    wrapped,
)
from causal_theory.plotting.colours import extended, number_scale
from causal_theory.plotting.size import CHARACTER, font_points, scaled
from causal_theory.plotting.ticks import whole_numbers
from causal_theory.validation import check_choice, check_matrix, check_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL_CELL = 3.0
"""Points below which the outline of a cell would hide the cell, beside a font of 10 points."""

ROUNDOFF = 1e-12
"""Scores no larger than this are zero: an independent query has none, up to roundoff."""

MARKED_EDGES = 400
"""Beyond this many edges the marks would hide the matrix."""


@default_floats
def plot_matrix(
    matrix: Estimate | ArrayLike,
    *,
    ax: "Axes | None" = None,
    title: str | None = None,
    label: str | None = None,
    graph: CausalGraph | None = None,
    limits: tuple[float, float] | None = None,
    inset: bool = True,
) -> "Axes":
    """Draw a (T, T) matrix with query positions in rows and key positions in columns.

    A matrix with zeros above the diagonal is drawn without them. Data of both signs get a diverging colour map
    centred at zero, others a sequential one; in both lightness grows with the value, so that they read in grey and for
    colour-blind readers.

    Parameters
    ----------
    matrix : Estimate or array_like, shape (T, T)
        Scores, attention or informations. Masked entries of a masked array are left blank.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    title, label : str, optional
        Title, and label of the colour bar with its unit.
    graph : CausalGraph, optional
        Its edges are marked with open squares; its labels stand at the margins where they are short enough.
    limits : tuple of float, optional
        Ends of the colour scale, so that several figures have the same; by default those of the values. Limits of both
        signs are widened until zero lies in the middle.
    inset : bool
        Whether the colour bar hangs on the axes and stays beside them in any layout, or takes its place from them.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the matrix is not square and finite, the graph has another length, or the limits are not in order.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory.plotting import plot_matrix
    >>> plot_matrix(np.eye(4), label="weight").get_xlabel()
    'key position j'
    """
    hidden = np.ma.getmaskarray(matrix) if isinstance(matrix, np.ma.MaskedArray) else False
    values = np.array(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
        raise InvalidArgumentError(f"matrix must be square, got shape {values.shape}")
    if not np.isfinite(values[~hidden] if isinstance(hidden, np.ndarray) else values).all():
        raise InvalidArgumentError("matrix must have finite entries; mask what is not to be drawn")
    if graph is not None and graph.length != len(values):
        raise InvalidArgumentError(f"graph must have length {len(values)} like the matrix, got {graph.length}")
    if limits is not None:
        number_scale(values, limits)  # refused before a figure is opened
    ax = axes_or_new(ax, (4.6, 3.8))
    future = np.triu(np.ones(values.shape, dtype=bool), k=1)
    shown = np.ma.array(values, mask=(future & ~values[future].any()) | hidden)
    draw_heatmap(ax, shown, label, limits=limits, inset=inset)
    if graph is not None:
        mark_edges(ax, graph)
        label_positions(ax, graph.labels, "x", "y")
    ax.set_xlabel("key j" if _is_small(ax) else "key position j")
    ax.set_ylabel("query i" if _is_small(ax) else "query position i")
    if title:
        ax.set_title(wrapped(title, place_width(ax), "axes.titlesize"))
    return ax


def draw_heatmap(
    ax: "Axes",
    shown: "np.ma.MaskedArray[Any, np.dtype[np.float64]]",
    label: str | None,
    *,
    limits: tuple[float, float] | None = None,
    inset: bool = True,
    bar: bool = True,
) -> None:
    """Draw the unmasked entries of a matrix with a colour ``bar`` and ticks at integers only.

    A bar that is not ``inset`` takes its place from the axes: the layout of a grid moves it beyond the legends of other
    axes, and what a square matrix leaves free can be too little for the labels.
    """
    scale = number_scale(shown.compressed(), limits)
    image = ax.imshow(shown, interpolation="nearest", **scale)
    whole_numbers(ax, "x", "y")
    if not bar:
        return
    place: dict[str, Any] = {"ax": ax, "fraction": 0.046, "pad": 0.03}
    if inset:
        place = {"cax": bar_axes(ax)}
    ticks = _few_ticks(scale) if _is_small(ax) else None
    made = ax.figure.colorbar(image, extend=extended(shown.compressed(), scale), ticks=ticks, **place)
    if label:
        if _is_small(ax):
            label = label.removesuffix(" (dimensionless)")
        made.set_label(wrapped(label, BESIDE * points_of(ax)[1], "axes.labelsize"))


def _few_ticks(scale: dict[str, Any]) -> list[float]:
    """Return both ends of a colour scale, rounded inwards, and zero where it lies between them.

    The same at any height of the bar: other ticks would make another layout, and that others again.
    """
    low, high = scale["vmin"], scale["vmax"]
    unit = 10.0 ** np.floor(np.log10(max(abs(low), abs(high))))
    steps = unit * np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
    ticks = np.concatenate([-steps[::-1], [0.0], steps])
    inside = ticks[(ticks >= low) & (ticks <= high)]
    ends = [float(inside[0]), float(inside[-1])] if len(inside) else []
    return sorted({*ends, 0.0} if low <= 0.0 <= high else set(ends))


def _is_small(ax: "Axes") -> bool:
    """Return whether a square in these axes is shorter than a label of 16 letters."""
    return min(points_of(ax)) < 16 * CHARACTER * font_points("axes.labelsize")


def check_square(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return ``value`` as a float matrix when it is square, not empty and finite."""
    matrix = check_real(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InvalidArgumentError(f"{name} must be a square matrix, got shape {matrix.shape}")
    return check_matrix(name, matrix, (len(matrix), len(matrix)))


def mark_edges(ax: "Axes", graph: CausalGraph) -> None:
    """Outline the cells of the edges, light and dark: one of the two shows on every colour.

    Small cells are outlined from outside, so that their own colour stays. Too many edges are not marked.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    if len(graph.edges) > MARKED_EDGES:
        return
    cell = min(points_of(ax)) / graph.length
    inside = cell >= scaled(SMALL_CELL)
    width = float(np.clip(0.16 * cell, scaled(0.4), scaled(1.6)))
    for side, colour in ((0.98, "white"), (0.80, "black")) if inside else ((1.6, "white"), (2.2, "black")):
        cells = [Rectangle((j - side / 2, i - side / 2), side, side) for j, i in graph.edges]
        ax.add_collection(PatchCollection(cells, facecolor="none", edgecolor=colour, linewidth=width), autolim=False)


@default_floats
def plot_scores(
    scores: Estimate | ArrayLike,
    *,
    graph: CausalGraph | None = None,
    limits: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw edge scores; the query's own entry is left blank: it is a mean over all symbols, not over one.

    Scores have signs: all figures of them have one diverging colour map, with zero at its neutral middle.

    Parameters
    ----------
    scores : Estimate or array_like, shape (T, T)
        See :func:`causal_theory.edge_scores`.
    graph : CausalGraph, optional
        Its edges are marked.
    limits : tuple of float, optional
        Ends of the colour scale, the same for all figures that are to be compared; by default the largest score of
        either sign, and its negative. They are widened until zero lies in the middle.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the scores are not square and finite, or the graph has another length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores
    >>> from causal_theory.plotting import plot_scores
    >>> task = InContextTask(CausalGraph.chain(6), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> plot_scores(edge_scores(task, epsilon=0.01), graph=task.graph).get_title()
    'edge scores'
    """
    values = np.ma.array(np.asarray(scores, dtype=np.float64))
    if values.ndim == 2 and values.size:
        values[-1, -1] = np.ma.masked
    ends = score_limits(values, limits=limits)
    return plot_matrix(values, ax=ax, title="edge scores", label="score (dimensionless)", graph=graph, limits=ends)


def score_limits(
    *scores: "np.ma.MaskedArray[Any, np.dtype[np.float64]]", limits: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return the ends of the one scale of several matrices of scores, zero in the middle, or those that are given."""
    if limits is not None:
        scale = number_scale(np.zeros(0), limits)
        span = float(max(-scale["vmin"], scale["vmax"]))
    else:
        span = max((float(np.abs(one).max()) for one in scores if one.count()), default=0.0)
    # What is not finite is refused where it is drawn.
    return (-span, span) if ROUNDOFF < span < np.inf else (-1.0, 1.0)


@default_floats
def plot_information(
    values: Estimate | ArrayLike,
    *,
    measure: str,
    graph: CausalGraph | None = None,
    limits: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw pairwise informations below the diagonal; a token's information with itself is left blank.

    Parameters
    ----------
    values : Estimate or array_like, shape (T, T)
        See :func:`causal_theory.pairwise_information`.
    measure : {"chi2", "kl", "tv", "hellinger"}
        Names the unit on the colour bar.
    graph : CausalGraph, optional
        Its edges are marked.
    limits : tuple of float, optional
        Ends of the colour scale; by default zero and the largest value that is drawn.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the measure is unknown, the values are not square and finite, or the graph has another length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, pairwise_information
    >>> from causal_theory.plotting import plot_information
    >>> task = InContextTask(CausalGraph.chain(6), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> plot_information(pairwise_information(task, "kl"), measure="kl", graph=task.graph).get_title()
    'mutual information (kl)'
    """
    check_choice("measure", measure, MEASURES)
    matrix = np.asarray(values, dtype=np.float64)
    below = np.ma.array(np.tril(matrix), mask=np.eye(*matrix.shape) > 0.0) if matrix.ndim == 2 else np.ma.array(matrix)
    if limits is None:
        largest = float(below.max()) if below.count() else 0.0
        limits = (0.0, largest if ROUNDOFF < largest < np.inf else 1.0)
    unit = "nats" if measure == "kl" else "dimensionless"
    title = f"{measure} information" if ax is not None and _is_small(ax) else f"mutual information ({measure})"
    return plot_matrix(below, ax=ax, title=title, label=f"{measure} ({unit})", graph=graph, limits=limits)
