"""Nodes and edges of the networks of pgmpy and pyAgrum, by their public methods: neither is imported."""

from typing import Any

from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs.named import NamedGraph


def named_from_network(network: Any) -> NamedGraph:
    """Return the graph of a network; parents are in the order of the tables of their children."""
    if _has(network, "nodes", "arcs"):
        return _of_pyagrum(network)
    if _has(network, "nodes", "edges", "predecessors", "is_directed"):
        return _of_pgmpy(network)
    raise InvalidArgumentError(f"network must be a network of pgmpy or pyAgrum, got {type(network).__name__}")


def _has(network: object, *methods: str) -> bool:
    return not isinstance(network, type) and all(callable(getattr(network, name, None)) for name in methods)


def _of_pyagrum(network: Any) -> NamedGraph:
    if _has(network, "edges") and network.edges():
        raise InvalidArgumentError(f"network must have directed edges only, got {type(network).__name__} with others")
    name = (lambda node: network.variable(node).name()) if _has(network, "variable") else str
    names = {node: str(name(node)) for node in sorted(network.nodes())}
    order = [names[node] for node in names]
    parents: dict[str, list[str]] = {child: [] for child in order}
    for parent, child in sorted(network.arcs()):
        parents[names[child]].append(names[parent])
    tables = {names[node]: list(network.cpt(node).names)[1:] for node in names} if _has(network, "cpt") else {}
    return _named(parents, tables)


def _of_pgmpy(network: Any) -> NamedGraph:
    if not network.is_directed() or getattr(network, "undirected_edges", None):
        raise InvalidArgumentError(f"network must have directed edges only, got {type(network).__name__} with others")
    parents = {str(node): [str(parent) for parent in network.predecessors(node)] for node in network.nodes()}
    tables = {}
    if _has(network, "get_cpds"):
        tables = {str(table.variables[0]): list(map(str, table.variables[1:])) for table in network.get_cpds()}
    return _named(parents, tables)


def _named(parents: dict[str, list[str]], tables: dict[str, list[str]]) -> NamedGraph:
    """Return the graph; parents that are not those of the table are left without an order."""
    named = NamedGraph()
    for node in parents:
        named.add_node(node)
    ordered = any(sorted(tables.get(child, ())) == sorted(entry) for child, entry in parents.items() if len(entry) > 1)
    for child, entry in parents.items():
        known = ordered and sorted(tables.get(child, ())) == sorted(entry)
        for place, parent in enumerate(tables[child] if known else entry):
            named.add_edge(parent, child, place=place if ordered else None)
    return named
