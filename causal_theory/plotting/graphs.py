"""Causal graphs as arc diagrams."""

from typing import TYPE_CHECKING

import numpy as np

from causal_theory.graphs import CausalGraph
from causal_theory.plotting.canvas import axes_or_new, whole_numbers
from causal_theory.plotting.heatmaps import plot_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["natural_size", "plot_graph"]

MAX_DRAWN = 40
"""Positions up to which nodes and arrows are drawn; longer graphs are shown as adjacency matrices."""

ROOT_COLOUR, CHILD_COLOUR, QUERY_COLOUR = "#f0c05a", "#9fb8d8", "#ffffff"


def natural_size(graph: CausalGraph) -> tuple[float, float]:
    """Return the size in inches at which the graph is drawn best."""
    return (4.6, 3.8) if graph.length > MAX_DRAWN else (max(4.0, 0.42 * graph.length), 2.4)


def plot_graph(graph: CausalGraph, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a causal graph: positions in a row, arcs from parents to children.

    Roots are amber, children blue, the query white with a dashed rim. Beyond 40 positions the adjacency matrix is
    drawn instead.

    Parameters
    ----------
    graph : CausalGraph
        Any number of parents.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph
    >>> from causal_theory.plotting import plot_graph
    >>> plot_graph(CausalGraph.binary_tree(8)).get_xlabel()
    'position'
    """
    if graph.length > MAX_DRAWN:
        return plot_matrix(graph.adjacency, ax=ax, title="adjacency", label="edge")
    ax = axes_or_new(ax, natural_size(graph))
    for parent, child in graph.edges:
        _arc(ax, parent, child)
    for node, parents in enumerate(graph.parents):
        query = node == graph.length - 1 and not parents
        colour = QUERY_COLOUR if query else CHILD_COLOUR if parents else ROOT_COLOUR
        ax.scatter(node, 0.0, s=190, color=colour, edgecolors="black", linestyle="--" if query else "-", zorder=3)
        ax.text(node, 0.0, str(node), ha="center", va="center", fontsize=8, zorder=4)
    longest = max((child - parent for parent, child in graph.edges), default=1)
    ax.set_xlim(-0.8, graph.length - 0.2)
    ax.set_ylim(-0.5, _height(longest) + 0.5)
    ax.set_xlabel("position")
    whole_numbers(ax, "x")
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    return ax


def _height(distance: int) -> float:
    """Height of an arc, so that long ones pass over short ones."""
    return float(0.45 * distance**0.8)


def _arc(ax: "Axes", parent: int, child: int) -> None:
    """Draw half an ellipse above the line of positions, which no other node can lie on, and its arrow head."""
    angle = np.linspace(np.pi, 0.0, 60)
    middle, radius = (parent + child) / 2.0, (child - parent) / 2.0
    x, y = middle + radius * np.cos(angle), _height(child - parent) * np.sin(angle)
    ax.plot(x, y, color="#555555", linewidth=1.2, zorder=1)
    style = {"arrowstyle": "-|>", "color": "#555555", "shrinkB": 7.0, "shrinkA": 0.0}
    ax.annotate("", xy=(x[-1], y[-1]), xytext=(x[-6], y[-6]), arrowprops=style, zorder=2)
