"""Figures of a run: matrices of each graph family, and the plots that claims describe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from causal_theory import InContextTask, OrbitPrior, edge_scores, limit_edge_scores, pairwise_information
from causal_theory.information import MEASURES
from causal_theory.plotting import plot_matrix
from causal_theory.plotting.colours import COLOURS, DASHES, MARKERS
from verification.context import Context
from verification.ensembles import FAMILIES, STAR, family_graph, trace_one_matrix
from verification.evidence import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verification.runner import Outcome

__all__ = ["Figure", "draw_figures"]

LENGTH, SYMBOLS, EPSILON = 20, 5, 0.01
DOTS_PER_INCH = 110

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A figure on disk.

    Attributes
    ----------
    path : Path
        The PNG; an SVG of the same name lies beside it.
    title, description : str
        Title, and what is to be seen in words.
    claim : str or None
        Name of the claim it belongs to.
    """

    path: Path
    title: str
    description: str
    claim: str | None = None


def draw_figures(folder: Path, outcomes: "Sequence[Outcome]", *, seed: int, families: bool) -> list[Figure]:
    """Draw the plots of the claims, and one row of matrices per graph family, below ``folder/figures``."""
    target = folder / "figures"
    with matplotlib.rc_context({"font.size": 9.0, "axes.titlesize": 10.0, "svg.fonttype": "none", "svg.hashsalt": "0"}):
        drawn = [
            _draw_plot(target, plot, outcome.claim.name)
            for outcome in outcomes
            if outcome.evidence is not None
            for plot in outcome.evidence.plots
        ]
        return _draw_families(target, seed) + drawn if families else drawn


def _draw_families(target: Path, seed: int) -> list[Figure]:
    """Draw one row per family: graph, scores, limit scores, informations; then all four informations together."""
    rng = Context(seed, ("figures",)).rng("matrix")
    prior = OrbitPrior(trace_one_matrix(SYMBOLS, rng))
    names = (*FAMILIES, STAR)
    tasks = {name: InContextTask(family_graph(name, LENGTH, rng), prior) for name in names}
    drawn = [_draw_family(target, name, task) for name, task in tasks.items()]
    canvas = Canvas(figsize=(17.0, 3.6 * len(names)), layout="compressed")
    for row, (name, task) in zip(canvas.subplots(len(names), len(MEASURES)), tasks.items(), strict=True):
        for ax, measure in zip(row, MEASURES, strict=True):
            unit = "nats" if measure == "kl" else "dimensionless"
            values = np.tril(pairwise_information(task, measure).value, k=-1)
            plot_matrix(values, ax=ax, title=f"{name}: {measure}", label=f"information ({unit})", graph=task.graph)
    title = "The four informations of all pairs of tokens"
    path = _save(canvas, target / "informations")
    description = "One row per graph family, one column per information; squares mark the true edges."
    return [*drawn, Figure(path, title, description)]


def _draw_family(target: Path, name: str, task: InContextTask) -> Figure:
    canvas = Canvas(figsize=(15.5, 3.6), layout="constrained")
    axes = canvas.subplots(1, 4)
    scores, limit = edge_scores(task, epsilon=EPSILON).value, limit_edge_scores(task).value
    information = np.tril(pairwise_information(task, "chi2").value, k=-1) / task.vocab_size
    panels = (
        ("true graph", task.graph.adjacency, "edge (0 or 1)"),
        (f"edge scores G, eps = {EPSILON}", _without_query(scores), "score (dimensionless)"),
        ("limit scores, eps = 0", _without_query(limit), "score (dimensionless)"),
        ("chi-square information / S", information, "information / S (dimensionless)"),
    )
    for ax, (title, matrix, label) in zip(axes, panels, strict=True):
        plot_matrix(matrix, ax=ax, title=title, label=label, graph=None if title == "true graph" else task.graph)
    title = f"{name}: T = {LENGTH}, S = {SYMBOLS}, orbit prior of trace 1"
    canvas.suptitle(title, fontsize=11)
    path = _save(canvas, target / f"family_{name.replace(' ', '_')}")
    description = (
        f"Heat maps for the {name}: true graph, edge scores, their limit, chi-square informations over S. Squares mark "
        "the true edges."
    )
    return Figure(path, title, description)


def _without_query(scores: Array) -> Array:
    """Leave out the query's row: its own entry is an order larger than all others and says nothing about edges."""
    shown = scores.copy()
    shown[-1] = 0.0
    return shown


def _draw_plot(target: Path, plot: Plot, claim: str) -> Figure:
    canvas = Canvas(figsize=(6.4, 4.2), layout="constrained")
    ax: Axes = canvas.subplots()
    for k, curve in enumerate(plot.curves):
        style: dict[str, Any] = {"color": COLOURS[k % 6], "marker": MARKERS[k % 6], "linestyle": DASHES[k % 6]}
        ax.plot(curve.x, curve.y, label=curve.label, markersize=4.5, linewidth=1.4, **style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(plot.xlabel)
    ax.set_ylabel(plot.ylabel)
    ax.set_title(plot.title)
    ax.grid(visible=True, which="major", alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    return Figure(_save(canvas, target / plot.name), plot.title, plot.description, claim)


def _save(canvas: Canvas, stem: Path) -> Path:
    """Write PNG and SVG through temporary files."""
    canvas.draw_without_rendering()
    canvas.set_layout_engine("none")  # the layout is found: do not search again for each file
    for ending in ("svg", "png"):
        temporary = stem.with_name(f".{stem.name}.tmp.{ending}")
        canvas.savefig(
            temporary, format=ending, dpi=DOTS_PER_INCH, metadata={"Date": None} if ending == "svg" else None
        )
        temporary.replace(stem.with_suffix(f".{ending}"))
    return stem.with_suffix(".png")
