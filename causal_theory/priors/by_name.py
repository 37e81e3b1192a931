"""The priors by name."""

from causal_theory.choices import REQUIRED, Choice, Registry
from causal_theory.priors.base import Prior
from causal_theory.priors.dirichlet import DirichletPrior
from causal_theory.priors.orbit import OrbitPrior
from causal_theory.priors.point import PointPrior

PRIORS = Registry(
    "prior",
    "module:Class",
    "dirichlet",
    {
        "point": Choice(PointPrior, {"transition": REQUIRED}, "one matrix"),
        "orbit": Choice(OrbitPrior, {"transition": REQUIRED}, "all relabelings of one matrix"),
        "dirichlet": Choice(
            DirichletPrior, {"symbols": 10, "concentration": 1.0, "floor": 0.0}, "independent Dirichlet rows"
        ),
    },
    Prior,
)
"""Whatever lists or reads the names of priors asks here."""
