"""Draw the figures of a record: curves on double logarithmic axes, and matrices side by side."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causal_theory.claims.records import ClaimRecord, Curve, Figure, Panel
from causal_theory.files import write_bytes
from causal_theory.graphs import CausalGraph
from causal_theory.plotting import plot_graph, plot_matrix
from causal_theory.plotting.canvas import logarithmic
from causal_theory.plotting.colours import COLOURS, DASHES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

DOTS_PER_INCH = 110
STYLE: dict[Any, Any] = {"font.size": 9.0, "axes.titlesize": 10.0, "svg.fonttype": "none", "svg.hashsalt": "0"}
STYLE["axes.titley"] = 1.0  # a fixed place: else every drawing looks for it among all labels


def draw_figures(folder: Path, claim: ClaimRecord) -> list[str]:
    """Write the figures of a claim into the folder ``figures`` of a run; return what `draw_figure` does of each."""
    figures = claim.run.figures if claim.run else ()
    return [draw_figure(folder / "figures" / f"{claim.name}_{k}", figure) for k, figure in enumerate(figures, 1)]


def draw_figure(stem: Path, figure: Figure) -> str:
    """Write a figure as PNG and SVG, and return the SVG as an address that holds its data."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context(STYLE):
        layout = ConstrainedLayoutEngine()
        canvas = Canvas(layout=layout)
        (_draw_matrices if figure.panels else _draw_curves)(canvas, figure)
        # The layout is found once, not for each file; without an engine no file is drawn twice.
        layout.execute(canvas)
        canvas.set_layout_engine(None)
        for ending, metadata in (("png", None), ("svg", {"Date": None})):
            content = io.BytesIO()
            canvas.savefig(content, format=ending, dpi=DOTS_PER_INCH, metadata=metadata)
            write_bytes("figure", stem.with_suffix(f".{ending}"), content.getvalue())
    # An image of its own, so that names inside figures cannot clash.
    return "data:image/svg+xml;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _draw_curves(canvas: "Canvas", figure: Figure) -> None:
    canvas.set_size_inches(6.4, 4.2)
    ax: Axes = canvas.subplots()
    if _draw_lines(ax, figure.curves):
        logarithmic(ax)
        ax.legend(frameon=False, fontsize=8)
    else:
        ax.text(0.5, 0.5, "no point is positive and finite", ha="center", transform=ax.transAxes)
    ax.set_xlabel(figure.x)
    ax.set_ylabel(figure.y)
    ax.set_title(figure.title)
    ax.grid(visible=True, which="major", alpha=0.3)


def _draw_lines(ax: "Axes", curves: Sequence[Curve]) -> bool:
    """Draw the points that have a place on logarithmic axes, and return whether there are any."""
    found = False
    for k, curve in enumerate(curves):
        points = np.array([curve.x, curve.y])
        points = points[:, (np.isfinite(points) & (points > 0.0)).all(axis=0)]
        found |= points.size > 0
        style: dict[str, Any] = {"color": COLOURS[k % 6], "marker": MARKERS[k % 6], "linestyle": DASHES[k % 6]}
        ax.plot(*points, label=curve.label, markersize=4.5, linewidth=1.4, **style)
    return found


def _draw_matrices(canvas: "Canvas", figure: Figure) -> None:
    alone = len(figure.panels) == 1
    canvas.set_size_inches(3.8 * len(figure.panels) + alone, 3.6 + alone)
    axes = canvas.subplots(1, len(figure.panels), squeeze=False)[0]
    for ax, panel in zip(axes, figure.panels, strict=True):
        graph, values = _graph(panel), np.ma.masked_invalid(panel.values)
        if panel.drawn == "graph" and graph is not None:
            plot_graph(graph, ax=ax).set_title(panel.label)
        else:
            plot_matrix(values, ax=ax, title=panel.label, label=panel.unit, graph=graph)
    canvas.suptitle(figure.title, fontsize=11)


def _graph(panel: Panel) -> CausalGraph | None:
    """Return the graph whose edges are marked."""
    parents = [tuple(j for i, j in panel.marked if i == k) for k in range(len(panel.values))]
    return CausalGraph(parents) if panel.marked else None
