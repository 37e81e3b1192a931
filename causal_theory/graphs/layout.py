"""Lay a graph out in a row: what each position is, and which positions and edges are drawn."""

from dataclasses import dataclass
from typing import Literal

from causal_theory.graphs.graph import CausalGraph

Kind = Literal["root", "child", "query"]
Edge = tuple[int, int]


@dataclass(frozen=True)
class GraphLayout:
    """Positions in a row, edges as arcs over them.

    Attributes
    ----------
    kinds : tuple of {"root", "child", "query"}
        What each position of the graph is.
    first : int
        So many positions are drawn from the first one on; the last one besides.
    edges : tuple of (parent, child)
        Edges into the first positions: parents are earlier, so that none of these is missing.
    longest : int
        Largest distance that one of them spans; 1 without edges.
    """

    kinds: tuple[Kind, ...]
    first: int
    edges: tuple[Edge, ...]
    longest: int

    @property
    def positions(self) -> list[int]:
        """The positions that are drawn."""
        length = len(self.kinds)
        return [*range(self.first), *([] if self.first == length else [length - 1])]

    @property
    def left_out(self) -> int:
        """The number of positions that are not drawn."""
        return len(self.kinds) - len(self.positions)

    def of(self, kind: Kind) -> list[int]:
        """Return the drawn positions of a kind."""
        return [i for i in self.positions if self.kinds[i] == kind]


def lay_out(graph: CausalGraph, first: int | None = None) -> GraphLayout:
    """Lay out a graph, the first positions and the last one, or all.

    Parameters
    ----------
    graph : CausalGraph
        Any number of parents.
    first : int, optional
        How many of the first positions are drawn; all by default.

    Returns
    -------
    GraphLayout
        What there is to draw.

    Examples
    --------
    >>> lay_out(CausalGraph.chain(4)).kinds
    ('root', 'child', 'child', 'query')
    """
    shown = graph.length if first is None else min(first, graph.length)
    kinds: list[Kind] = ["child" if parents else "root" for parents in graph.parents]
    if graph.has_query:
        kinds[-1] = "query"
    edges = tuple(edge for edge in graph.edges if edge[1] < shown)
    return GraphLayout(tuple(kinds), shown, edges, max((child - parent for parent, child in edges), default=1))
