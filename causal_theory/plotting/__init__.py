"""Figures: each function takes an optional matplotlib ``Axes`` and returns it. Needs the extra ``plot``."""

from causal_theory.plotting.dynamics import plot_attention_on_parents, plot_losses, plot_root_rows, plot_second_matrix
from causal_theory.plotting.graphs import plot_graph
from causal_theory.plotting.heatmaps import plot_information, plot_matrix, plot_scores

__all__ = [
    "plot_attention_on_parents",
    "plot_graph",
    "plot_information",
    "plot_losses",
    "plot_matrix",
    "plot_root_rows",
    "plot_scores",
    "plot_second_matrix",
]
