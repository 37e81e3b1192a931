"""Exact losses on tasks with several parents, by transfers along the frontier of the graph."""

from typing import TYPE_CHECKING

from causal_theory.lazy import attributes

if not TYPE_CHECKING:
    __getattr__ = attributes(__name__)
