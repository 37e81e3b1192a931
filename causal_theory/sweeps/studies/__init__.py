"""Studies that come with the package: pure functions of plain parameters, one file each.

Each draws what is random from ``rng`` alone, the graph before the matrix, and says in its docstring what is exact.
"""

from collections.abc import Callable

import numpy as np

from causal_theory.sweeps.studies.critical_length import critical_length
from causal_theory.sweeps.studies.edge_recovery import edge_recovery
from causal_theory.sweeps.studies.learning_curve import learning_curve
from causal_theory.sweeps.studies.margins import margins
from causal_theory.sweeps.studies.stage1_window import stage1_window
from causal_theory.sweeps.studies.training_run import training_run

__all__ = [
    "PROVIDED",
    "critical_length",
    "edge_recovery",
    "learning_curve",
    "margins",
    "stage1_window",
    "training_run",
]

PROVIDED: tuple[Callable[..., dict[str, float | int | bool | str | np.ndarray]], ...] = (
    edge_recovery,
    margins,
    learning_curve,
    stage1_window,
    critical_length,
    training_run,
)
"""All of them; on the command line each has its name with hyphens."""
