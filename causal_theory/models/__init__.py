"""The two models: the reduced transformer of the theory, and the disentangled one of the experiments."""

from causal_theory.models.base import TrainableModel
from causal_theory.models.disentangled import DisentangledTransformer
from causal_theory.models.reduced import (
    SEQUENCES_PER_SUM,
    ReducedTransformer,
    causal_softmax,
    check_attention_matrix,
    key_scores,
)

__all__ = [
    "SEQUENCES_PER_SUM",
    "DisentangledTransformer",
    "ReducedTransformer",
    "TrainableModel",
    "causal_softmax",
    "check_attention_matrix",
    "key_scores",
]
