"""The models: the reduced transformer of the theory, the disentangled one of the experiments, and the standard one."""

from causal_theory.models.base import TrainableModel
from causal_theory.models.disentangled import DisentangledTransformer
from causal_theory.models.reduced import (
    SEQUENCES_PER_SUM,
    ReducedTransformer,
    causal_softmax,
    check_attention_matrix,
    key_scores,
)
from causal_theory.models.standard import StandardTransformer

__all__ = [
    "SEQUENCES_PER_SUM",
    "DisentangledTransformer",
    "ReducedTransformer",
    "StandardTransformer",
    "TrainableModel",
    "causal_softmax",
    "check_attention_matrix",
    "key_scores",
]
