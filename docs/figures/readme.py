"""Draws the figure of the README: ``python docs/figures/readme.py`` writes ``readme.svg`` beside this file."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot

from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores, train_population
from causal_theory.models import causal_softmax
from causal_theory.plotting import plot_graph, plot_matrix, plot_scores

LENGTH, EPSILON, SEED = 14, 0.01, 6


def main() -> None:
    """Draw a random forest, the exact edge scores, and the attention after both are through with stage 1."""
    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "causal_theory"
    graph = CausalGraph.random_forest(LENGTH, 0.25, np.random.default_rng(SEED))
    task = InContextTask(graph, OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]))
    learned = causal_softmax(train_population(task, epsilon=EPSILON).stage1.A1)
    figure, axes = pyplot.subplots(1, 3, figsize=(12.5, 3.6), width_ratios=[1.25, 1, 1], layout="constrained")
    plot_graph(graph, ax=axes[0]).set_title("a latent causal graph")
    plot_scores(edge_scores(task, epsilon=EPSILON), graph=graph, ax=axes[1]).set_title(
        "exact edge scores, edges marked"
    )
    plot_matrix(learned, graph=graph, ax=axes[2], title="attention learned from them", label="attention (probability)")
    figure.savefig(Path(__file__).parent / "readme.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
