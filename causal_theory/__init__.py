"""Exact numerics for the theory of how transformers learn causal structure.

>>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores, recover_graph
>>> task = InContextTask(CausalGraph.chain(8), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
>>> recover_graph(edge_scores(task, epsilon=0.01))
array([-1,  0,  1,  2,  3,  4,  5, -1])
"""

from typing import TYPE_CHECKING

# What is noted before anything else is loaded, and what modules ask for while they are loaded themselves.
from causal_theory import at_import as at_import
from causal_theory import kernels as kernels
from causal_theory._version import __version__
from causal_theory.lazy import attributes

if TYPE_CHECKING:
    from causal_theory.certificates import Certificate, certify_edge_scores, verify_certificate
    from causal_theory.chains import stationary_distribution
    from causal_theory.dynamics import PopulationRun, Stage1, Stage2, train_population
    from causal_theory.dynamics.generalisation import generalisation
    from causal_theory.dynamics.learning_curve import LearningCurve, learning_curve
    from causal_theory.errors import CausalTheoryError
    from causal_theory.estimate import Estimate, Gradient
    from causal_theory.graphs import CausalGraph, read_graph
    from causal_theory.information import (
        SubsetInformations,
        best_subset,
        pairwise_information,
        pairwise_joint,
        subset_information,
        subset_informations,
    )
    from causal_theory.models import DisentangledTransformer, ReducedTransformer, StandardTransformer
    from causal_theory.population.baselines import counts_rule_loss, loss_floor, unigram_loss
    from causal_theory.population.excess import excess_loss
    from causal_theory.population.limit import limit_edge_scores
    from causal_theory.population.loss import population_gradient, population_loss
    from causal_theory.population.parent_attention import parent_attention_gradient, parent_attention_loss
    from causal_theory.population.prediction_error import PredictionError, prediction_error
    from causal_theory.population.scores import edge_scores, edge_scores_on, first_order_gradient
    from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, check_assumptions, estimate_transition
    from causal_theory.recovery import EdgeReport, recover_graph
    from causal_theory.specs import ModelSpec, TaskSpec
    from causal_theory.tasks import InContextTask
    from causal_theory.training import GradientAgreement, TrainingRun, TrainingSettings, gradient_agreement, train_sgd
    from causal_theory.verdict import EdgeVerdict, edge_verdict
    from causal_theory.warming import warm_up

__all__ = [
    "CausalGraph",
    "CausalTheoryError",
    "Certificate",
    "DirichletPrior",
    "DisentangledTransformer",
    "EdgeReport",
    "EdgeVerdict",
    "Estimate",
    "Gradient",
    "GradientAgreement",
    "InContextTask",
    "LearningCurve",
    "ModelSpec",
    "OrbitPrior",
    "PointPrior",
    "PopulationRun",
    "PredictionError",
    "ReducedTransformer",
    "Stage1",
    "Stage2",
    "StandardTransformer",
    "SubsetInformations",
    "TaskSpec",
    "TrainingRun",
    "TrainingSettings",
    "__version__",
    "best_subset",
    "certify_edge_scores",
    "check_assumptions",
    "counts_rule_loss",
    "edge_scores",
    "edge_scores_on",
    "edge_verdict",
    "estimate_transition",
    "excess_loss",
    "first_order_gradient",
    "generalisation",
    "gradient_agreement",
    "learning_curve",
    "limit_edge_scores",
    "loss_floor",
    "pairwise_information",
    "pairwise_joint",
    "parent_attention_gradient",
    "parent_attention_loss",
    "population_gradient",
    "population_loss",
    "prediction_error",
    "read_graph",
    "recover_graph",
    "stationary_distribution",
    "subset_information",
    "subset_informations",
    "train_population",
    "train_sgd",
    "unigram_loss",
    "verify_certificate",
    "warm_up",
]

# The same names and modules as above, for Python.
_HOMES = {
    "certificates": "Certificate certify_edge_scores verify_certificate",
    "chains": "stationary_distribution",
    "dynamics": "PopulationRun Stage1 Stage2 train_population",
    "dynamics.generalisation": "generalisation",
    "dynamics.learning_curve": "LearningCurve learning_curve",
    "errors": "CausalTheoryError",
    "estimate": "Estimate Gradient",
    "graphs": "CausalGraph read_graph",
    "information": "SubsetInformations best_subset pairwise_information pairwise_joint subset_information "
    "subset_informations",
    "models": "DisentangledTransformer ReducedTransformer StandardTransformer",
    "population.baselines": "counts_rule_loss loss_floor unigram_loss",
    "population.excess": "excess_loss",
    "population.limit": "limit_edge_scores",
    "population.loss": "population_gradient population_loss",
    "population.parent_attention": "parent_attention_gradient parent_attention_loss",
    "population.prediction_error": "PredictionError prediction_error",
    "population.scores": "edge_scores edge_scores_on first_order_gradient",
    "priors": "DirichletPrior OrbitPrior PointPrior check_assumptions estimate_transition",
    "recovery": "EdgeReport recover_graph",
    "specs": "ModelSpec TaskSpec",
    "tasks": "InContextTask",
    "training": "GradientAgreement TrainingRun TrainingSettings gradient_agreement train_sgd",
    "verdict": "EdgeVerdict edge_verdict",
    "warming": "warm_up",
}

if not TYPE_CHECKING:
    __getattr__ = attributes(
        __name__, {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names.split()}
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
