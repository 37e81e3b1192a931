"""Graphs from and to adjacency matrices and networkx graphs."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.errors import GraphError, InvalidArgumentError

if TYPE_CHECKING:
    from causal_theory.graphs.graph import CausalGraph

__all__ = ["networkx_from_graph", "parents_from_adjacency", "parents_from_networkx"]


def parents_from_adjacency(adjacency: ArrayLike) -> list[tuple[int, ...]]:
    """Return the parents of each row: the columns that hold a one."""
    try:
        matrix = np.asarray(adjacency, dtype=np.float64)
    except (TypeError, ValueError) as error:
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
        raise ImportError('networkx is needed for this: pip install "causal-theory[plot]"') from error
    return networkx


def parents_from_networkx(graph: Any) -> tuple[list[tuple[int, ...]], tuple[int, ...] | None]:
    """Return the sorted predecessors of the nodes 0..T-1, and the stored target parents if there are any."""
    networkx = _import_networkx()
    if not isinstance(graph, networkx.Graph) or not graph.is_directed() or graph.is_multigraph():
        raise InvalidArgumentError(f"graph must be a networkx.DiGraph, got {type(graph).__name__}")
    length = graph.number_of_nodes()
    unknown = [node for node in graph if not (isinstance(node, int | np.integer) and 0 <= node < length)]
    if unknown:
        raise GraphError(f"graph must have the nodes 0..{length - 1}, got the node {unknown[0]!r}")
    return [tuple(sorted(int(p) for p in graph.predecessors(i))) for i in range(length)], graph.graph.get(
        "target_parents"
    )


def networkx_from_graph(graph: "CausalGraph") -> Any:
    """Return a ``networkx.DiGraph`` with edges from parent to child and the node attribute ``role``."""
    result = _import_networkx().DiGraph(target_parents=graph.target_parents)
    for i, parents in enumerate(graph.parents):
        result.add_node(i, role="child" if parents else "root")
    if graph.has_query:
        result.nodes[graph.length - 1]["role"] = "query"
    result.add_edges_from(graph.edges)
    return result
