"""Figures: each function takes an optional matplotlib ``Axes`` and returns it. Needs the extra ``plot``."""

from causal_theory.plotting.graphs import plot_graph
from causal_theory.plotting.heatmaps import plot_information, plot_matrix, plot_scores

__all__ = ["plot_graph", "plot_information", "plot_matrix", "plot_scores"]
