"""The picture of the theory: graph, scores, their limit and the informations, one row per graph family."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from causal_theory import InContextTask, OrbitPrior, edge_scores, limit_edge_scores, pairwise_information
from causal_theory.plotting import plot_matrix
from verification.matrices import FAMILIES, family, trace_one

__all__ = ["draw_figures"]

LENGTH, SYMBOLS, EPSILON = 20, 5, 0.01
TITLES = ("graph", "edge scores", "limit scores, eps = 0", "chi-square information / S")


def draw_figures(folder: Path, seed: int) -> list[Path]:
    """Draw the overview as PNG and SVG under ``folder/figures``; returns the PNG for the report."""
    from matplotlib.figure import Figure

    names = (*FAMILIES, "star")
    figure = Figure(figsize=(15.0, 3.3 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 4)
    rng = np.random.default_rng([seed, 7])
    prior = OrbitPrior(trace_one(SYMBOLS, rng))
    for row, name in zip(axes, names, strict=True):
        _draw_row(row, name, InContextTask(family(name, LENGTH, rng), prior))
    figure.suptitle(
        f"Orbit prior of trace 1, S={SYMBOLS}, T={LENGTH}, eps={EPSILON}. Squares mark the true edges.",
        fontsize=11,
    )
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    return [_save(figure, target / "graphs_scores_and_informations")]


def _draw_row(row: Any, name: str, task: InContextTask) -> None:
    graph = task.graph
    scores = np.array(edge_scores(task, epsilon=EPSILON))
    limit = np.array(limit_edge_scores(task))
    # The query's own entry is of another size than everything else, and means nothing for edges.
    scores[-1, -1] = limit[-1, -1] = 0.0
    information = np.tril(pairwise_information(task).value, k=-1) / task.vocab_size
    matrices = (graph.adjacency, scores, limit, information)
    labels = ("edge", "score", "score", "chi-square / S")
    for ax, matrix, title, label in zip(row, matrices, TITLES, labels, strict=True):
        marked = None if title == "graph" else graph
        plot_matrix(matrix, ax=ax, title=title if title != "graph" else name, label=label, graph=marked)


def _save(figure: Any, stem: Path) -> Path:
    """Write both formats to temporary files and rename them."""
    for suffix in (".svg", ".png"):
        target = stem.with_suffix(suffix)
        temporary = stem.with_name(f".{stem.name}{suffix}")
        figure.savefig(temporary, format=suffix[1:], dpi=110)
        os.replace(temporary, target)
    return stem.with_suffix(".png")
