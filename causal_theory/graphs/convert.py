"""Graphs from and to those of networkx."""

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.graphs.labels import QUERY
from causal_theory.graphs.named import PARENT_ORDER, ROLE, TARGET_ORDER, NamedGraph
from causal_theory.wording import needed

if TYPE_CHECKING:
    from causal_theory.graphs.graph import CausalGraph


def import_networkx() -> Any:
    """Return networkx, or raise an error that names the extra."""
    try:
        import networkx  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError(needed("this", "networkx", "plot")) from error
    return networkx


def named_from_networkx(graph: Any, named: NamedGraph | None = None) -> NamedGraph:
    """Return the nodes and edges of a ``networkx.DiGraph`` with their names as text."""
    networkx = import_networkx()
    named = named or NamedGraph()
    if named.source and not graph.is_directed():
        raise named.error("edges must have a direction, got an undirected graph; write a directed one")
    if not isinstance(graph, networkx.Graph) or not graph.is_directed() or (graph.is_multigraph() and not named.source):
        raise InvalidArgumentError(f"graph must be a networkx.DiGraph, got {type(graph).__name__}")
    names: dict[Hashable, str] = {node: str(node) for node in graph}
    by_name: dict[str, Hashable] = {}
    for node, name in names.items():
        if name in by_name:
            raise named.error(f"graph must have one node for each position, got {by_name[name]!r} and {node!r}")
        by_name[name] = node
        named.add_node(name, attributes=graph.nodes[node])
    for parent, child, place in graph.edges(data=PARENT_ORDER):
        named.add_edge(names[parent], names[child], place=place)
    return named


def targets_of_networkx(graph: Any, named: NamedGraph) -> Any:
    """Return the parents of the target as the graph as a whole holds them, which must not contradict its nodes."""
    whole = graph.graph.get("target_parents")
    if whole is None:
        return None
    said = [str(one) for one in whole] if isinstance(whole, Iterable) and not isinstance(whole, str) else None
    if named.targets:
        targets = named.target_names()
        if said != targets:
            shown = tuple(int(name) for name in targets) if named.are_positions else tuple(targets)
            raise GraphError(f"target_parents must be {shown}, as {TARGET_ORDER} on the nodes says, got {whole!r}")
    return whole if said is None or named.are_positions else said


def networkx_from_graph(graph: "CausalGraph") -> Any:
    """Return a ``networkx.DiGraph`` with edges from parent to child, and the orders in attributes of plain types."""
    result = import_networkx().DiGraph()
    names: list[Any] = list(range(graph.length)) if graph.labels is None else list(graph.labels)
    for name, parents in zip(names, graph.parents, strict=True):
        result.add_node(name, **{ROLE: "child" if parents else "root"})
    if graph.has_query:
        result.nodes[names[-1]][ROLE] = QUERY
    for child, parents in zip(names, graph.parents, strict=True):
        for place, parent in enumerate(parents):
            result.add_edge(names[parent], child, **{PARENT_ORDER: place})
    for place, target in enumerate(graph.target_parents):
        result.nodes[names[target]][TARGET_ORDER] = place
    return result
