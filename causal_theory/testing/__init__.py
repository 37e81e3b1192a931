"""Hypothesis strategies for property tests of code that works with causal graphs and transition matrices.

The rest of the package imports Hypothesis only to search for counterexamples.

All probabilities drawn here are multiples of a power of two, and rows sum to exactly one in floating point as well as
in rational arithmetic: ``fractions.Fraction`` gives the same matrix without rounding.

Hypothesis decides every parent and every entry of small objects, and shrinks them. Of what has more than some hundreds
of these it draws the shape and a seed: such examples stay as large as they are.
"""

from causal_theory.testing.graphs import causal_graphs, forests
from causal_theory.testing.matrices import attention_matrices, transition_matrices, transition_tensors
from causal_theory.testing.tasks import PRIOR_KINDS, tasks, tensor_tasks

__all__ = [
    "PRIOR_KINDS",
    "attention_matrices",
    "causal_graphs",
    "forests",
    "tasks",
    "tensor_tasks",
    "transition_matrices",
    "transition_tensors",
]
