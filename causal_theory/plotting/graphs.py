"""Draw causal graphs as arc diagrams."""

from typing import TYPE_CHECKING, Any

import numpy as np

from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.layout import GraphLayout, Kind, lay_out
from causal_theory.plotting.canvas import axes_or_new, label_positions, legend_below
from causal_theory.plotting.heatmaps import plot_matrix
from causal_theory.plotting.size import CHARACTER, scaled
from causal_theory.plotting.ticks import whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_DRAWN = 40
"""Positions up to which nodes and arcs are drawn; longer graphs are shown as adjacency matrices."""

NODE = 13.5
"""Largest diameter of a node in points, beside a font of 10."""

RIM = 0.12
"""Largest width of a line, in diameters of a node or distances between them."""

SMALL = 8.0
"""Points of the number of a node, beside a font of 10."""

STYLES: dict[Kind, tuple[str, str, str]] = {
    "root": ("s", "#f0c05a", "-"),
    "child": ("o", "#9fb8d8", "-"),
    "query": ("o", "#ffffff", "--"),
}
"""Marker, colour and rim."""

LINES = "#555555"


def natural_size(graph: CausalGraph) -> tuple[float, float]:
    """Return the size in inches at which the graph is drawn best."""
    return (4.6, 3.8) if graph.length > MAX_DRAWN else (max(4.0, 0.42 * graph.length), 2.6)


@default_floats
def plot_graph(graph: CausalGraph, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a causal graph: positions in a row, arcs from parents to children.

    Roots are amber squares, children blue discs, a query without parents is white with a dashed rim. Arcs lead to the
    right, as their arrow heads show. Labels stand below where they are short
    enough. Beyond 40 positions the adjacency matrix is drawn instead.

    Parameters
    ----------
    graph : CausalGraph
        Any number of parents.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph
    >>> from causal_theory.plotting import plot_graph
    >>> plot_graph(CausalGraph.binary_tree(8)).get_xlabel()
    'position'
    """
    if graph.length > MAX_DRAWN:
        return plot_matrix(graph.adjacency, ax=ax, title="adjacency", label="edge (0 or 1)")
    ax, layout = axes_or_new(ax, natural_size(graph)), lay_out(graph)
    _draw_arcs(ax, layout)
    _draw_nodes(ax, layout)
    ax.set_xlim(-0.8, graph.length - 0.2)
    ax.set_ylim(-0.5, _height(layout.longest) + 0.5)
    ax.set_xlabel("position")
    whole_numbers(ax, "x")
    deeper = label_positions(ax, graph.labels, "x")
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    legend_below(ax, columns=3, deeper=deeper)
    return ax


def _draw_nodes(ax: "Axes", layout: GraphLayout) -> None:
    """Draw the nodes of each kind, and their numbers where they fit."""
    nodes = layout.positions
    size = min(scaled(NODE), 0.9 * _spacing(ax, layout))
    for kind, (marker, colour, rim) in STYLES.items():
        members = layout.of(kind)
        if members:
            # A rim may not fill a small node.
            rims = {"linewidths": min(scaled(1.0), RIM * size)}
            style: dict[str, Any] = rims | {"color": colour, "edgecolors": "black", "linestyle": rim, "marker": marker}
            ax.scatter(members, np.zeros(len(members)), s=size**2, label=kind, zorder=3, **style)
    digits = CHARACTER * scaled(SMALL) * len(str(nodes[-1]))
    if digits <= 0.95 * size:
        for node in nodes:
            ax.text(node, 0.0, str(node), ha="center", va="center", fontsize=scaled(SMALL), zorder=4)


def _spacing(ax: "Axes", layout: GraphLayout) -> float:
    """Points from one node to the next."""
    return ax.get_window_extent().width * 72.0 / ax.figure.dpi / (len(layout.positions) + 0.6)


def _height(distance: int) -> float:
    """Height of an arc, so that long ones pass over short ones."""
    return float(0.45 * distance**0.8)


def _draw_arcs(ax: "Axes", layout: GraphLayout) -> None:
    """Draw half ellipses above the line of positions, which no other node can lie on, and arrow heads on their tops."""
    width = min(scaled(1.2), RIM * _spacing(ax, layout))
    angle = np.linspace(np.pi, 0.0, 60)
    for parent, child in layout.edges:
        middle, radius = (parent + child) / 2.0, (child - parent) / 2.0
        height = _height(child - parent)
        ax.plot(middle + radius * np.cos(angle), height * np.sin(angle), color=LINES, linewidth=width, zorder=1)
    tops = [((parent + child) / 2.0, _height(child - parent)) for parent, child in layout.edges]
    if tops:
        size = min(scaled(5.0), 0.4 * _spacing(ax, layout))
        ax.plot(*np.transpose(tops), linestyle="none", marker=">", markersize=size, color=LINES, zorder=2)
