"""Stochastic training of both models on fresh sequences."""

from causal_theory.training.run import TrainingRun, parent_attention
from causal_theory.training.settings import TrainingSettings
from causal_theory.training.trainer import train_sgd, train_with_settings

__all__ = ["TrainingRun", "TrainingSettings", "parent_attention", "train_sgd", "train_with_settings"]
