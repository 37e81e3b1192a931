"""Exact answers about models that others made: PyTorch modules, JAX functions, anything that maps tokens to laws.

No framework is imported before a model of it is given.
"""

from causal_theory.interop.dataset import TaskDataset as TaskDataset
from causal_theory.interop.gradient import model_gradient as model_gradient
from causal_theory.interop.loss import model_loss as model_loss
