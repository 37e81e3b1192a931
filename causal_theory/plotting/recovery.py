"""Draw position by position which edges the scores recover, and by how much."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import (
    axes_or_new,
    label_positions,
    label_upwards,
    legend_beside,
    place_width,
    wrapped,
)
from causal_theory.plotting.colours import COLOURS
from causal_theory.plotting.curves import mark_size, note
from causal_theory.plotting.size import scaled
from causal_theory.plotting.ticks import whole_numbers
from causal_theory.recovery import ERROR_BARS, ROOT, EdgeReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARENTS_SHARE = 0.44
"""Part of the height that shows the parents; the margins have the rest."""

UNSEEN = 0.01
"""Error bars below this part of the range of the margins cannot be seen; the legend tells how large they are."""

GREY = "#555555"

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Verdict(NamedTuple):
    """A verdict on some positions, and the style in which they are drawn."""

    label: str
    rows: Mask
    marker: str
    colour: str
    filled: bool = True


@default_floats
def plot_recovery(report: EdgeReport, *, ax: "Axes | None" = None) -> "Axes":
    """Draw what a report says of every position: the margin of its edge, and its true and its predicted parent.

    Above stand the margins of the child rows with bars of two errors, so that a bar that misses the zero line belongs
    to a significant margin. Below zero a rival scores more than the parent: that edge is lost, whatever the threshold.
    Rows of roots and of the query have no margin and are ticks on the zero line. Below stand the parents: an open
    square where the true one is, the mark of the verdict where the predicted one is, joined by a line where the two
    differ.

    =================  =====================================================================================
    verdict            meaning
    =================  =====================================================================================
    correct edge       the predicted parent is the true one
    wrong parent       an edge is predicted, from another key than the parent
    missed edge        no edge is predicted for a child: no score is above the threshold, or the diagonal wins
    spurious edge      an edge is predicted for a root
    diagonal wins      the row is predicted to attend to itself, which is no edge; child or root
    =================  =====================================================================================

    Parameters
    ----------
    report : EdgeReport
        Any length. See :class:`causal_theory.EdgeReport`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default. The parents are drawn in an inset of these axes.

    Returns
    -------
    matplotlib Axes
        The axes of the margins; ``ax.child_axes[0]`` are those of the parents.

    Raises
    ------
    InvalidArgumentError
        If ``report`` is no report.
    GraphError
        If a position has several parents.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, edge_scores
    >>> from causal_theory.plotting import plot_recovery
    >>> task = InContextTask(CausalGraph.binary_tree(12), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> ax = plot_recovery(EdgeReport(edge_scores(task, epsilon=0.01), task.graph))
    >>> print(ax.get_title())
    precision 1, recall 1, exact match
    >>> print(ax.get_ylabel())
    margin (dimensionless)
    """
    if not isinstance(report, EdgeReport):
        raise InvalidArgumentError(f"report must be an EdgeReport, got {type(report).__name__}")
    verdicts = _verdicts(report)  # before a figure is opened: some graphs have no single parents
    ax = axes_or_new(ax, (7.0, 4.6))
    size = mark_size(len(report.true))
    _draw_margins(ax, report, verdicts, size)
    _draw_parents(ax, report, verdicts, size)
    exact = "exact match" if report.exact_match else "no exact match"
    title = f"precision {report.precision:.3g}, recall {report.recall:.3g}, {exact}"
    # Beside the legend, which has a good part of the place.
    ax.set_title(wrapped(title, 0.75 * place_width(ax), "axes.titlesize"))
    legend_beside(ax, markerscale=scaled(6.0) / size)
    return ax


def _verdicts(report: EdgeReport) -> list[Verdict]:
    """Sort the positions; a child or a root whose diagonal wins is in two groups."""
    true, predicted = report.true, report.predicted
    child, itself = true != ROOT, predicted == np.arange(len(true))
    claimed = (predicted != ROOT) & ~itself
    return [
        Verdict("correct edge", child & (predicted == true), "o", COLOURS[0]),
        Verdict("wrong parent", child & claimed & (predicted != true), "X", COLOURS[1]),
        Verdict("missed edge", child & ~claimed, "v", COLOURS[4], filled=False),
        Verdict("spurious edge", ~child & claimed, "D", COLOURS[3]),
        Verdict("diagonal wins", itself, "+", COLOURS[2]),
    ]


def _draw_margins(ax: "Axes", report: EdgeReport, verdicts: list[Verdict], size: float) -> None:
    """Draw stems with error bars in the upper part of the axes, and nothing in the lower one."""
    positions, margin, child = np.arange(len(report.true)), report.margin, report.true != ROOT
    bars = ERROR_BARS * report.margin_error
    low, high = _set_limits(ax, np.concatenate([margin - bars, margin + bars]))
    ax.axhline(0.0, color=GREY, linewidth=scaled(1.0), zorder=1)
    stem: dict[str, Any] = {"linewidth": 0.25 * size, "alpha": 0.7, "zorder": 2}
    for verdict in verdicts:
        # A row whose diagonal wins has a stem already if it is a child, and no margin if it is a root.
        stems = positions[verdict.rows & child & (verdict.label != "diagonal wins")]
        ax.vlines(stems, 0.0, margin[stems], color=verdict.colour, **stem)
        if verdict.rows.any():
            heights = np.where(child, margin, 0.0)[verdict.rows]
            label = f"{verdict.label} ({int(verdict.rows.sum())})"
            ax.plot(positions[verdict.rows], heights, label=label, zorder=4, **_style(verdict, size))
    if bars[child].max(initial=0.0) > 0.0:
        visible = bars[child].max() > UNSEEN * (high - low)
        label = f"± {ERROR_BARS:g} errors" + ("" if visible else f", at most {bars[child].max():.1g}")
        style: dict[str, Any] = {"fmt": "none", "ecolor": GREY, "elinewidth": 0.18 * size, "zorder": 3}
        # Caps of close neighbours would run into each other.
        style["capsize"] = max(0.5 * size - scaled(1.2), 0.0)
        ax.errorbar(positions[child], margin[child], bars[child], label=label, **style)
    if child.any():
        ax.plot([], [], label=f"true parent ({int(child.sum())})", **_square(size))
    else:
        note(ax, "no child rows")
    if not child.all():
        roots, kind = positions[~child], "root row or query" if report.graph.has_query else "root row"
        ticks: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 1.5 * size, "color": GREY}
        label = f"{kind}, no margin ({len(roots)})"
        ax.plot(roots, np.zeros(len(roots)), markeredgewidth=0.35 * size, label=label, **ticks)
    lost = int((margin[child] < 0.0).sum())
    if lost:
        band: dict[str, Any] = {"facecolor": COLOURS[1], "alpha": 0.12, "linewidth": 0.0, "zorder": 0}
        ax.axhspan(low, 0.0, label=f"margin below 0: edge lost ({lost})", **band)
    ax.set_xlim(-0.7, positions[-1] + 0.7)
    whole_numbers(ax, "x")
    label_positions(ax, report.graph.labels, "x")
    ax.set_xlabel("position i")
    label_upwards(ax, "margin (dimensionless)", 1.0 - PARENTS_SHARE)


def _set_limits(ax: "Axes", ends: Array) -> tuple[float, float]:
    """Leave the lower part of the axes to the parents, put ticks above it, and return the range of the margins."""
    ends = np.append(ends[np.isfinite(ends)], 0.0)
    low, high = float(ends.min()), float(ends.max())
    if high == low:
        high = low + 1.0
    pad = 0.1 * (high - low)
    low, high = low - pad, high + pad
    ax.set_ylim(low - (high - low) * PARENTS_SHARE / (1.0 - PARENTS_SHARE), high)
    ax.locator_params(axis="y", nbins=9)
    # None so low that its label meets one of the parents.
    ax.set_yticks([tick for tick in ax.get_yticks() if low + 0.05 * (high - low) <= tick <= high])
    ax.set_autoscaley_on(False)
    return low, high


def _draw_parents(ax: "Axes", report: EdgeReport, verdicts: list[Verdict], size: float) -> None:
    """Draw true and predicted parents against the position, in an inset over the lower part of the axes."""
    true, predicted = report.true, report.predicted
    positions = np.arange(len(true))
    below = ax.inset_axes((0.0, 0.0, 1.0, PARENTS_SHARE), sharex=ax)
    below.fill_between([-1, len(true)], [-1, len(true)], len(true), color="#e8e8e8", linewidth=0.0, zorder=0)
    child = true != ROOT
    below.plot(positions[child], true[child], zorder=2, **_square(size))
    for verdict in verdicts:
        # A missed edge has no predicted parent: its mark stands at the true one.
        keys = np.where(verdict.label == "missed edge", true, predicted)[verdict.rows]
        below.plot(positions[verdict.rows], keys, zorder=4, **_style(verdict, 0.75 * size))
        if verdict.label == "wrong parent":
            rows = positions[verdict.rows]
            below.vlines(rows, true[rows], keys, color=verdict.colour, linewidth=scaled(0.2) * size, zorder=3)
    below.text(0.012, 0.95, "j > i", color=GREY, fontsize="small", va="top", transform=below.transAxes)
    below.set_ylim(-0.09 * len(true), len(true) - 0.4)
    whole_numbers(below, "y", most=5)
    below.tick_params(axis="x", labelbottom=False, bottom=False)
    below.set_ylabel("parent j")


def _style(verdict: Verdict, size: float) -> dict[str, Any]:
    face = verdict.colour if verdict.filled else "white"
    return {
        "linestyle": "none",
        "marker": verdict.marker,
        "markersize": 1.4 * size if verdict.marker == "+" else size,
        "markeredgecolor": verdict.colour,
        "markerfacecolor": face,
        "markeredgewidth": 0.2 * size,
    }


def _square(size: float) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "s",
        "markersize": 1.3 * size,
        "markeredgecolor": GREY,
        "markerfacecolor": "none",
        "markeredgewidth": 0.15 * size,
    }
