"""One forest with names, for the tests of formats: what each library writes must be read back as this graph."""

import random

from causal_theory import CausalGraph

NAMES = [f"gene {i:02d}" for i in range(30)]
"""In the order of positions."""

PARENTS = [-1] + [random.Random(i).choice([-1, *range(i)]) for i in range(1, 30)]
EDGES = [(NAMES[parent], NAMES[child]) for child, parent in enumerate(PARENTS) if parent >= 0]
FOREST = CausalGraph.from_parents(PARENTS, labels=NAMES)


def named_edges(graph):
    """The edges of a graph by the labels of their ends."""
    return {(graph.name(parent), graph.name(child)) for parent, child in graph.edges}


def networkx_forest(separator=" "):
    """The forest as a graph of networkx, nodes in the order of positions."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(name.replace(" ", separator) for name in NAMES)
    graph.add_edges_from(tuple(name.replace(" ", separator) for name in edge) for edge in EDGES)
    return graph
