"""Small problems that together call every kernel, with every combination of types that it is called with."""

from collections.abc import Callable

import numpy as np

from causal_theory.dynamics import Stage1, convergence_times, run_stage1
from causal_theory.graphs import CausalGraph
from causal_theory.information import pairwise_information, pairwise_joint, subset_informations
from causal_theory.models import DisentangledTransformer, ReducedTransformer
from causal_theory.models.base import TrainableModel
from causal_theory.population.any_graph_pairs import MAX_STATES
from causal_theory.population.limit import limit_edge_scores
from causal_theory.population.loss import population_gradient
from causal_theory.population.parent_attention import parent_attention_loss
from causal_theory.population.scores import edge_scores
from causal_theory.population.splitting import split_rows
from causal_theory.population.transform import PRUNE_FROM
from causal_theory.priors import DirichletPrior, PointPrior
from causal_theory.priors.base import Prior
from causal_theory.tasks import InContextTask
from causal_theory.training.sampler import BatchSampler, draw_keys

_LENGTH = 5
_MATRIX = np.array([[0.25, 0.75], [0.75, 0.25]])
_POINT = PointPrior(_MATRIX)
_TENSORS = PointPrior({1: _MATRIX, 2: np.stack([_MATRIX, _MATRIX[::-1]])})
_DIRICHLET = DirichletPrior(2, 1.0)
_CHAIN, _TWO_PARENTS = CausalGraph.chain(_LENGTH), CausalGraph.ngram(_LENGTH, 2)
_TASK, _SEVERAL = InContextTask(_CHAIN, _POINT), InContextTask(_TWO_PARENTS, _TENSORS)


def _scores(length: int) -> object:
    return edge_scores(InContextTask(CausalGraph.chain(length), _POINT), epsilon=0.1, method="transform")


def _gradient(model: TrainableModel) -> object:
    tokens, targets = np.zeros((2, _LENGTH), dtype=np.int64), np.full((2, 2), 0.5)
    return model.forward(tokens), model.gradient_at(model.parameters, tokens, targets)


def _batch(graph: CausalGraph, prior: Prior) -> object:
    return BatchSampler(InContextTask(graph, prior), 2, draw_keys(np.random.default_rng(0))).draw(0)


def _enumeration(scale: float) -> object:
    """Walk over all sequences, or, where attention is steep, take them one by one."""
    return population_gradient(_TASK, np.zeros((_LENGTH, _LENGTH)), scale * np.eye(2), epsilon=0.1, method="enumerate")


def _wide() -> InContextTask:
    """All children come after all parents, which are more than a pass along the frontier remembers."""
    count = MAX_STATES.bit_length()
    return InContextTask(CausalGraph([*[()] * count, *[(i,) for i in range(count)], (0, 1), ()]), _TENSORS)


def _pairs(task: InContextTask) -> object:
    return pairwise_joint(task), pairwise_information(task, "chi2")


PROBLEMS: tuple[Callable[[], object], ...] = (
    lambda: _gradient(DisentangledTransformer(_LENGTH, 2)),
    lambda: _scores(_LENGTH),
    lambda: _batch(_CHAIN, _DIRICHLET),
    lambda: _pairs(_TASK),
    lambda: parent_attention_loss(_TASK, np.eye(2), epsilon=0.1),
    lambda: parent_attention_loss(_SEVERAL, np.zeros((2, 2, 2)), epsilon=0.1),
    lambda: _pairs(_SEVERAL),
    lambda: _enumeration(1.0),
    lambda: _gradient(ReducedTransformer(np.zeros((_LENGTH, _LENGTH)), np.zeros((2, 2)), 0.1)),
    lambda: run_stage1(_TASK, Stage1(steps=3), epsilon=0.1),
    lambda: convergence_times(np.tri(_LENGTH), _CHAIN),
    lambda: _batch(_CHAIN, _POINT),
    lambda: _batch(_TWO_PARENTS, _DIRICHLET),
    lambda: _enumeration(1e4),
    lambda: pairwise_information(_wide(), "chi2"),
    lambda: subset_informations(_SEVERAL, 4, 2),
    lambda: _scores(PRUNE_FROM),
    lambda: split_rows(CausalGraph.chain(32), 8, 0, 16),
    lambda: _batch(_TWO_PARENTS, _TENSORS),
    lambda: limit_edge_scores(_TASK),
)
"""What takes longest to compile comes first, since whoever is ready takes the next one."""
