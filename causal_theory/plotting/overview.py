"""Draw what the theory says of a task in one figure: graph, scores, their limit, informations, margins."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.information import MEASURES, Measure, pairwise_information
from causal_theory.plotting.colours import COLOURS
from causal_theory.plotting.curves import mark_size
from causal_theory.plotting.graphs import MAX_DRAWN, plot_graph
from causal_theory.plotting.heatmaps import ROUNDOFF, draw_heatmap, mark_edges, score_limits
from causal_theory.plotting.size import fitted, require_matplotlib, scaled
from causal_theory.plotting.ticks import whole_numbers
from causal_theory.population.limit import limit_edge_scores
from causal_theory.population.scores import edge_scores
from causal_theory.recovery import ERROR_BARS, EdgeReport
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

SIZE = (9.0, 5.6)
"""Inches."""

UNSEEN = 0.01
"""Error bars below this part of the range of the margins cannot be seen."""

Masked = np.ma.MaskedArray[Any, np.dtype[np.float64]]


class Numbers(NamedTuple):
    """The numbers of the lower panels: edge scores, their limit where there is one, and informations."""

    scores: Estimate
    limit: Estimate | None
    information: Estimate


@default_floats
def plot_overview(
    task: InContextTask,
    *,
    epsilon: float = 0.01,
    measure: Measure = "chi2",
    scores: Estimate | None = None,
    limits: tuple[float, float] | None = None,
    draws: int = 256,
    rng: SeedLike = 0,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw a task in one figure: its graph, edge scores, limit scores, informations and margins.

    Above stand the graph and, position by position, the margin: the score of the parent minus that of the best other
    key, with bars of two errors where they can be seen. A margin above zero says that the first gradient step points
    from that position to its parent. Below stand the edge scores and their limit for long sequences on one scale, and
    the mutual informations; rows are query positions, columns key positions, and true edges are outlined. The query's
    own entry is left blank in both matrices of scores, the diagonal in that of informations.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query, of any length. Without stationary roots there are no limit
        scores, and the figure says so.
    epsilon : float
        The constant inside the logarithm, of the scores and of their limit.
    measure : {"chi2", "kl", "tv", "hellinger"}
        The information, see :func:`causal_theory.pairwise_information`; "kl" is in nats.
    scores : Estimate, optional
        Edge scores that are known already; they are computed by default.
    limits : tuple of float, optional
        Ends of the scale of both matrices of scores, the same for all figures that are to be compared.
    draws : int
        Transition matrices drawn when the prior has no exact average, the same for all panels.
    rng : int or Generator, optional
        Source of these draws. By default the same in every call, so that the figure is.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; a new figure by default. A figure without a layout gets one.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure drawn on. Its axes are called "graph", "margins", "scores", "limit" and "information", by
        ``get_label()``.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive, the measure is unknown, the limits are not in order, or the scores have another
        size than the graph.
    TaskError
        If the graph is not a forest with an independent query.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.plotting import plot_overview
    >>> task = InContextTask(CausalGraph.binary_tree(12), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> figure = plot_overview(task, epsilon=0.01)
    >>> [ax.get_title() for ax in figure.axes if ax.get_label() in ("scores", "limit")]
    ['edge scores', 'limit scores']
    """
    task.require_query("plot_overview")
    require_matplotlib()
    check_choice("measure", measure, MEASURES)
    numbers = _compute(task, epsilon, measure, scores, draws, as_generator(rng))
    report = EdgeReport(numbers.scores, task.graph)
    shown = [_without_query(one) for one in (numbers.scores, numbers.limit) if one is not None]
    ends = score_limits(*shown, limits=limits)
    figure = _make_figure(figure)
    rows = figure.add_gridspec(2, 1, height_ratios=(1.0, 1.1))
    above, below = rows[0].subgridspec(1, 2, width_ratios=(1.15, 1.0)), rows[1].subgridspec(1, 3)
    places = [*(above[k] for k in range(2)), *(below[k] for k in range(3))]
    names = ("graph", "margins", *Numbers._fields)
    graph, margins, *panels = (figure.add_subplot(place, label=name) for name, place in zip(names, places, strict=True))
    _draw_graph(graph, task.graph)
    _draw_margins(margins, report)
    # The scale stands beside the last matrix that it belongs to.
    _draw_matrix(panels[0], "edge scores", shown[0], task.graph, ends, bar=numbers.limit is None)
    if numbers.limit is None:
        _say(panels[1], "limit scores", "undefined:\nroots are not\nstationary")
    else:
        _draw_matrix(panels[1], "limit scores", shown[1], task.graph, ends)
    information, top = _below_diagonal(numbers.information)
    title = f"{measure} information" + (" (nats)" if measure == "kl" else "")
    _draw_matrix(panels[2], title, information, task.graph, (0.0, top))
    panels[0].set_ylabel("query i")
    return figure


def _compute(
    task: InContextTask, epsilon: float, measure: Measure, scores: Estimate | None, draws: int, rng: np.random.Generator
) -> Numbers:
    """Return the numbers of all panels, each from the same draws."""
    seed = int(rng.integers(2**62))
    drawn: dict[str, Any] = {"draws": draws, "rng": seed}
    if scores is None:
        scores = edge_scores(task, epsilon=epsilon, **drawn)
    limit = limit_edge_scores(task, epsilon=epsilon, **drawn) if task.root_law == "stationary" else None
    return Numbers(scores, limit, pairwise_information(task, measure, **drawn))


def _make_figure(figure: "Figure | SubFigure | None") -> "Figure | SubFigure":
    """Return the figure, or a new one, with a layout that keeps its texts apart."""
    if figure is None:
        from matplotlib import pyplot

        return pyplot.figure(figsize=fitted(SIZE), layout="constrained")
    whole: Any = figure.get_figure(root=True)
    if whole.get_layout_engine() is None:
        whole.set_layout_engine("constrained")
    return figure


def _draw_graph(ax: "Axes", graph: CausalGraph) -> None:
    """Draw the graph without a legend, which arcs make needless, or the matrix of a long one without a scale."""
    if graph.length > MAX_DRAWN:
        draw_heatmap(ax, _earlier(graph.adjacency), None, limits=(0.0, 1.0), bar=False)
        ax.set_ylabel("query i")
        ax.set_xlabel("key j")
    else:
        legend: Any = plot_graph(graph, ax=ax).get_legend()
        legend.remove()
    ax.set_title("graph")


def _draw_margins(ax: "Axes", report: EdgeReport) -> None:
    """Draw the margin of each child row as a stem, a cross where a rival scores more."""
    children = np.flatnonzero(np.isfinite(report.margin))
    margin, bars = report.margin[children], ERROR_BARS * report.margin_error[children]
    if not len(children):
        _say(ax, "margins", "no edges")
        return
    size = 0.75 * mark_size(len(report.true))
    ax.axhline(0.0, color="#555555", linewidth=scaled(0.8), zorder=1)
    for wins, marker, colour in ((margin > 0.0, "o", COLOURS[0]), (margin <= 0.0, "X", COLOURS[1])):
        ax.vlines(children[wins], 0.0, margin[wins], color=colour, linewidth=0.25 * size, alpha=0.7, zorder=2)
        ax.plot(children[wins], margin[wins], linestyle="none", marker=marker, markersize=size, color=colour, zorder=4)
    if bars.max() > UNSEEN * np.ptp(np.append(margin, 0.0)):
        style: dict[str, Any] = {"fmt": "none", "ecolor": "#555555", "elinewidth": 0.18 * size, "zorder": 3}
        ax.errorbar(children, margin, bars, **style)
    lost = int((margin <= 0.0).sum())
    ax.set_title("margins" if not lost else f"margins ({lost} of {len(margin)} lost)")
    ax.margins(y=0.12)
    ax.set_xlim(-0.7, len(report.true) - 0.3)
    ax.set_xlabel("position")
    whole_numbers(ax, "x")


def _draw_matrix(
    ax: "Axes", title: str, shown: Masked, graph: CausalGraph, limits: tuple[float, float], *, bar: bool = True
) -> None:
    """Draw a matrix over positions with its edges outlined, and beside it its scale unless another panel has it."""
    draw_heatmap(ax, shown, None, limits=limits, bar=bar)
    mark_edges(ax, graph)
    ax.set_title(title)
    ax.set_xlabel("key j")


def _say(ax: "Axes", title: str, text: str) -> None:
    """Say why there is nothing to draw."""
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    ax.set_axis_off()
    ax.set_title(title)


def _earlier(matrix: ArrayLike, first: int = 1) -> Masked:
    """Return a matrix whose diagonals from that one on are hidden."""
    values = np.asarray(matrix, dtype=np.float64)
    return np.ma.array(values, mask=np.triu(np.ones(values.shape, dtype=np.bool_), k=first))


def _without_query(scores: ArrayLike) -> Masked:
    """Return scores of keys that are not later; the query's own entry is a mean over all symbols, not over one."""
    shown = _earlier(scores)
    shown[-1, -1] = np.ma.masked
    return shown


def _below_diagonal(information: Estimate) -> tuple[Masked, float]:
    """Return informations with earlier tokens, and the end of their scale."""
    shown = _earlier(information, 0)
    largest = float(shown.max())
    return shown, largest if ROUNDOFF < largest < np.inf else 1.0
