"""Laws of the transition matrix, and the assumptions of the theory about them."""

from causal_theory.priors.assumptions import check_assumptions
from causal_theory.priors.base import Prior
from causal_theory.priors.dirichlet import DirichletPrior
from causal_theory.priors.estimation import estimate_transition
from causal_theory.priors.orbit import OrbitPrior
from causal_theory.priors.point import PointPrior
from causal_theory.priors.rules import Draws, OneMatrix, Plan, Rule, WeightedSum
from causal_theory.priors.verdicts import AssumptionCheck, AssumptionReport

__all__ = [
    "AssumptionCheck",
    "AssumptionReport",
    "DirichletPrior",
    "Draws",
    "OneMatrix",
    "OrbitPrior",
    "Plan",
    "PointPrior",
    "Prior",
    "Rule",
    "WeightedSum",
    "check_assumptions",
    "estimate_transition",
]
