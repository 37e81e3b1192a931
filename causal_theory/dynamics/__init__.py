"""Algorithm 1 with exact gradients: stage 1 trains the first attention matrix, stage 2 the second."""

from causal_theory.dynamics.generalisation import Generalisation, generalisation
from causal_theory.dynamics.learning_curve import (
    BestMultiple,
    LearningCurve,
    best_multiple,
    learning_curve,
)
from causal_theory.dynamics.stage1 import FlowTimes, Stage1, Stage1Run, convergence_times, run_stage1
from causal_theory.dynamics.stage2 import Stage2, Stage2Run, run_stage2
from causal_theory.dynamics.training import PopulationRun, train_population

__all__ = [
    "BestMultiple",
    "FlowTimes",
    "Generalisation",
    "LearningCurve",
    "PopulationRun",
    "Stage1",
    "Stage1Run",
    "Stage2",
    "Stage2Run",
    "best_multiple",
    "convergence_times",
    "generalisation",
    "learning_curve",
    "run_stage1",
    "run_stage2",
    "train_population",
]
