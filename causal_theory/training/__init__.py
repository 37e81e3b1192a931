"""Stochastic training of both models on fresh sequences."""

from causal_theory.training.agreement import GradientAgreement, gradient_agreement
from causal_theory.training.interrupts import Terminated
from causal_theory.training.presets import PRESETS, Preset, find_preset
from causal_theory.training.run import TrainingRun, match_heads, parent_attention, slot_attention
from causal_theory.training.settings import TrainingSettings
from causal_theory.training.trainer import train_sgd, train_with_settings

__all__ = [
    "PRESETS",
    "GradientAgreement",
    "Preset",
    "Terminated",
    "TrainingRun",
    "TrainingSettings",
    "find_preset",
    "gradient_agreement",
    "match_heads",
    "parent_attention",
    "slot_attention",
    "train_sgd",
    "train_with_settings",
]
