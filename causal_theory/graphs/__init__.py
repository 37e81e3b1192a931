"""Causal graphs: the earlier tokens that each token depends on."""

from causal_theory.graphs.files import read_graph, read_tables, write_graph
from causal_theory.graphs.formats.bif import ConditionalTable
from causal_theory.graphs.graph import CausalGraph

__all__ = ["CausalGraph", "ConditionalTable", "read_graph", "read_tables", "write_graph"]
