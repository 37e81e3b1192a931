"""Transformers that can be trained: the reduced one of the theory, the disentangled one, the standard one, your own."""

from causal_theory.models.base import TrainableModel, check_model
from causal_theory.models.disentangled import DisentangledTransformer
from causal_theory.models.gradient import BatchGradient
from causal_theory.models.reduced import (
    SEQUENCES_PER_SUM,
    ReducedTransformer,
    causal_softmax,
    check_attention_matrix,
    key_scores,
)
from causal_theory.models.standard import StandardTransformer
from causal_theory.models.views import Axis, MatrixView

__all__ = [
    "SEQUENCES_PER_SUM",
    "Axis",
    "BatchGradient",
    "DisentangledTransformer",
    "MatrixView",
    "ReducedTransformer",
    "StandardTransformer",
    "TrainableModel",
    "causal_softmax",
    "check_attention_matrix",
    "check_model",
    "key_scores",
]
