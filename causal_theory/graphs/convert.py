"""Graphs from and to adjacency matrices and networkx graphs."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.wording import needed

if TYPE_CHECKING:
    from causal_theory.graphs.graph import CausalGraph

PARENT_ORDER = "parent_order"
"""Attribute of an edge: the place of its parent among the parents of its child, from 0."""

TARGET_ORDER = "target_order"
"""Attribute of a node: its place among the parents of the target, from 0."""

_PLAIN_NUMBER = re.compile("0|[1-9][0-9]{0,17}")


def parents_from_adjacency(adjacency: ArrayLike) -> list[tuple[int, ...]]:
    """Return the parents of each row: the columns that hold a one."""
    try:
        matrix = np.asarray(adjacency, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise GraphError(f"adjacency must be a square matrix of zeros and ones: {error}") from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise GraphError(f"adjacency must be a square matrix, got shape {matrix.shape}")
    bad = (matrix != 0.0) & (matrix != 1.0)
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        raise GraphError(f"adjacency must hold zeros and ones only, got {matrix[i, j]} at ({i}, {j})")
    return [tuple(int(j) for j in np.flatnonzero(row)) for row in matrix]


def _import_networkx() -> Any:
    try:
        import networkx  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError(needed("this", "networkx", "plot")) from error
    return networkx


def parents_from_networkx(graph: Any) -> list[tuple[int, ...]]:
    """Return the parents of the positions 0..T-1, in the order that the edges store, or sorted."""
    networkx = _import_networkx()
    if not isinstance(graph, networkx.Graph) or not graph.is_directed() or graph.is_multigraph():
        raise InvalidArgumentError(f"graph must be a networkx.DiGraph, got {type(graph).__name__}")
    nodes = _nodes_by_position(graph)
    position = {node: i for i, node in enumerate(nodes)}
    places = {(position[u], position[v]): place for u, v, place in graph.edges(data=PARENT_ORDER) if place is not None}
    entries = [sorted(position[parent] for parent in graph.predecessors(node)) for node in nodes]
    if places:
        entries = [_in_stored_order(child, parents, places) for child, parents in enumerate(entries)]
    return [tuple(parents) for parents in entries]


def _as_integer(value: object) -> int | None:
    """Return an integer, also one in text, as several formats keep it; ``None`` for anything else."""
    if isinstance(value, str):
        return int(value) if _PLAIN_NUMBER.fullmatch(value) else None
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _nodes_by_position(graph: Any) -> list[Any]:
    """Return the node of each position; files keep the labels as text."""
    length = graph.number_of_nodes()
    found: dict[int, Any] = {}
    for node in graph:
        place = _as_integer(node)
        if place is None or not 0 <= place < length:
            raise GraphError(f"graph must have the nodes 0..{length - 1}, got the node {node!r}")
        if place in found:
            raise GraphError(f"graph must have one node for each position, got {found[place]!r} and {node!r}")
        found[place] = node
    return [found[place] for place in range(length)]


def _in_stored_order(child: int, parents: list[int], places: dict[tuple[int, int], Any]) -> list[int]:
    """Return the parents of a position by the places on their edges, which must be 0, 1, ... in some order."""
    taken: dict[int, int] = {}
    for parent in parents:
        said = places.get((parent, child))
        place = _as_integer(said)
        edge = f"edge ({parent}, {child})"
        if place is None or not 0 <= place < len(parents):
            raise GraphError(
                f"{PARENT_ORDER} must be {_places(len(parents))} on {edge}, as position {child} has "
                f"{len(parents)} parent{'s' * (len(parents) > 1)}, got {said!r}"
            )
        if place in taken:
            raise GraphError(
                f"{PARENT_ORDER} must differ among the edges into a position, got {place} on edge "
                f"({taken[place]}, {child}) and on {edge}"
            )
        taken[place] = parent
    return [taken[place] for place in range(len(parents))]


def _places(count: int) -> str:
    return "0" if count == 1 else f"an integer from 0 to {count - 1}"


def targets_from_networkx(graph: Any) -> Any:
    """Return the parents of the target by the places on their nodes, or else as the graph itself holds them."""
    nodes = _nodes_by_position(graph)
    said = {i: place for i, node in enumerate(nodes) if (place := graph.nodes[node].get(TARGET_ORDER)) is not None}
    whole = graph.graph.get("target_parents")
    if not said:
        return whole
    taken: dict[int, int] = {}
    for i, value in said.items():
        place = _as_integer(value)
        if place is None or not 0 <= place < len(said):
            raise GraphError(
                f"{TARGET_ORDER} must be {_places(len(said))} on node {i}, as {len(said)} "
                f"node{' has' if len(said) == 1 else 's have'} one, got {value!r}"
            )
        if place in taken:
            raise GraphError(f"{TARGET_ORDER} must differ among nodes, got {place} on nodes {taken[place]} and {i}")
        taken[place] = i
    targets = tuple(taken[place] for place in range(len(said)))
    if whole is not None and not (isinstance(whole, Iterable) and tuple(whole) == targets):
        raise GraphError(f"target_parents must be {targets}, as {TARGET_ORDER} on the nodes says, got {whole!r}")
    return targets


def networkx_from_graph(graph: "CausalGraph") -> Any:
    """Return a ``networkx.DiGraph`` with edges from parent to child, and the orders in attributes of plain types."""
    result = _import_networkx().DiGraph()
    for i, parents in enumerate(graph.parents):
        result.add_node(i, role="child" if parents else "root")
    if graph.has_query:
        result.nodes[graph.length - 1]["role"] = "query"
    for child, parents in enumerate(graph.parents):
        for place, parent in enumerate(parents):
            result.add_edge(parent, child, **{PARENT_ORDER: place})
    for place, target in enumerate(graph.target_parents):
        result.nodes[target][TARGET_ORDER] = place
    return result
