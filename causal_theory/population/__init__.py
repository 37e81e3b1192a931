"""Exact expectations under the task: edge scores, their limit, the loss and its gradients."""

from typing import TYPE_CHECKING

from causal_theory.lazy import attributes

if not TYPE_CHECKING:
    __getattr__ = attributes(__name__)
