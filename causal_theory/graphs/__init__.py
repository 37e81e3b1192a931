"""Causal graphs: the earlier tokens that each token depends on."""

from causal_theory.graphs.files import read_graph, read_tables, write_graph
from causal_theory.graphs.graph import CausalGraph

__all__ = ["CausalGraph", "read_graph", "read_tables", "write_graph"]
