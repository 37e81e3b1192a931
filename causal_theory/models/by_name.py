"""The models by name, each at its start."""

import numpy as np

from causal_theory.choices import Choice, Registry
from causal_theory.models._standard_torch import require_torch
from causal_theory.models.base import TrainableModel
from causal_theory.models.disentangled import DisentangledTransformer
from causal_theory.models.reduced import ReducedTransformer
from causal_theory.models.standard import StandardTransformer

HEADS = (1, 1)


def _reduced(length: int, vocab_size: int, epsilon: float | None, beta0: float) -> ReducedTransformer:
    """Return the reduced transformer at ``A1 = 0`` and ``A2 = beta0 I``, by default with ``epsilon = 1/T``."""
    constant = 1.0 / length if epsilon is None else epsilon
    return ReducedTransformer(np.zeros((length, length)), beta0 * np.eye(vocab_size), constant)


MODELS = Registry(
    "model",
    "module:Class",
    "disentangled",
    {
        "disentangled": Choice(
            DisentangledTransformer, {"heads": HEADS, "scale": 0.0}, "all parameters of the full model"
        ),
        "reduced": Choice(_reduced, {"epsilon": None, "beta0": 0.01}, "two matrices"),
        "standard": Choice(
            StandardTransformer,
            {"heads": HEADS, "scale": 0.0, "residual": "joint"},
            "learned embeddings, value matrices and networks; needs the extra torch",
            require_torch,
        ),
    },
    TrainableModel,
)
"""Whatever lists or reads the names of models asks here."""
