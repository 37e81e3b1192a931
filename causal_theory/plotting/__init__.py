"""Draw figures: each function takes an optional matplotlib ``Axes`` and returns it. Needs the extra ``plot``.

:func:`plot_overview`, which draws several panels, takes and returns a ``Figure``.
"""

from causal_theory.plotting.attention import plot_attention, plot_attention_by_position
from causal_theory.plotting.dynamics import plot_attention_by_step, plot_losses, plot_root_rows
from causal_theory.plotting.graphs import plot_graph
from causal_theory.plotting.heatmaps import plot_information, plot_matrix, plot_scores
from causal_theory.plotting.margins import plot_margins
from causal_theory.plotting.matrices import plot_layer, plot_second_matrix, plot_view
from causal_theory.plotting.overview import plot_overview
from causal_theory.plotting.phase import plot_phase_diagram
from causal_theory.plotting.recovery import plot_recovery
from causal_theory.plotting.saving import save_figure
from causal_theory.plotting.style import figure_style
from causal_theory.plotting.sweep import plot_sweep
from causal_theory.plotting.training import plot_training

__all__ = [
    "figure_style",
    "plot_attention",
    "plot_attention_by_position",
    "plot_attention_by_step",
    "plot_graph",
    "plot_information",
    "plot_layer",
    "plot_losses",
    "plot_margins",
    "plot_matrix",
    "plot_overview",
    "plot_phase_diagram",
    "plot_recovery",
    "plot_root_rows",
    "plot_scores",
    "plot_second_matrix",
    "plot_sweep",
    "plot_training",
    "plot_view",
    "save_figure",
]
