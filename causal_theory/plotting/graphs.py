"""Causal graphs as nodes and arrows."""

from typing import TYPE_CHECKING

import numpy as np

from causal_theory.graphs import CausalGraph
from causal_theory.plotting.canvas import axes_or_new, whole_numbers
from causal_theory.plotting.heatmaps import plot_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_graph"]

MAX_DRAWN = 40
"""Positions up to which nodes and arrows are drawn; longer graphs are shown as adjacency matrices."""

ROOT_COLOUR, CHILD_COLOUR, QUERY_COLOUR = "#f0c05a", "#9fb8d8", "#ffffff"


def plot_graph(graph: CausalGraph, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a causal graph: time from left to right, arrows from parents to children.

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
    >>> len(plot_graph(CausalGraph.binary_tree(8)).texts)  # a number at every node
    8
    """
    if graph.length > MAX_DRAWN:
        return plot_matrix(graph.adjacency, ax=ax, title="adjacency", label="edge")
    ax = axes_or_new(ax, (max(4.0, 0.42 * graph.length), 2.4))
    heights = _heights(graph)
    for parent, child in graph.edges:
        _arrow(ax, (parent, heights[parent]), (child, heights[child]))
    for node in range(graph.length):
        query = node == graph.length - 1 and not graph.parents[node]
        colour = QUERY_COLOUR if query else CHILD_COLOUR if graph.parents[node] else ROOT_COLOUR
        ax.scatter(
            node, heights[node], s=230, color=colour, edgecolors="black", linestyle="--" if query else "-", zorder=2
        )
        ax.text(node, heights[node], str(node), ha="center", va="center", fontsize=8, zorder=3)
    ax.set_xlim(-0.8, graph.length - 0.2)
    ax.set_ylim(heights.min() - 0.6, heights.max() + 0.6)
    ax.set_xlabel("position")
    whole_numbers(ax, "x")
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    return ax


def _heights(graph: CausalGraph) -> np.ndarray:
    """Put every node below its parents: the distance to a root, so that arrows go down and to the right."""
    depth = np.zeros(graph.length)
    for node, parents in enumerate(graph.parents):
        depth[node] = 1.0 + max((depth[parent] for parent in parents), default=-1.0)
    if depth.max() == graph.length - 2 and depth.max() > 1:
        # A chain would be a staircase: let it run level, each arrow to the next node.
        return np.zeros(graph.length)
    return -depth


def _arrow(ax: "Axes", tail: tuple[float, float], head: tuple[float, float]) -> None:
    level = tail[1] == head[1] and head[0] - tail[0] > 1
    ax.annotate(
        "",
        xy=head,
        xytext=tail,
        arrowprops={
            "arrowstyle": "-|>",
            "color": "#444444",
            "shrinkA": 8,
            "shrinkB": 8,
            "connectionstyle": "arc3,rad=-0.3" if level else "arc3,rad=0.0",
        },
        zorder=1,
    )
