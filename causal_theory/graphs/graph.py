"""The causal graph: an immutable list of parents, with conversions and properties."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Shown, draw
from causal_theory.errors import GraphError
from causal_theory.graphs import convert, families
from causal_theory.graphs.constructors import GraphConstructors
from causal_theory.graphs.forest import ForestProperties, read_only


def _as_position(value: object, where: str) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise GraphError(f"{where} must be integers, got {value!r}")
    return int(value)


def _as_positions(values: object, where: str) -> tuple[int, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise GraphError(f"{where} must be a sequence of integers, got {values!r}")
    try:
        positions = tuple(_as_position(value, where) for value in values)
    except TypeError as error:  # a zero-dimensional array claims to be iterable
        raise GraphError(f"{where} must be a sequence of integers, got {values!r}") from error
    if len(set(positions)) != len(positions):
        raise GraphError(f"{where} must be distinct, got {positions}")
    return positions


@dataclass(frozen=True, init=False, repr=False)
class CausalGraph(GraphConstructors, ForestProperties, Shown):
    """An immutable causal graph over T token positions.

    Every position has a tuple of parents, all of them earlier. The last position is normally the *query*: a root
    whose token the target depends on. Graphs are equal, and have the same hash, when their parents (in the given
    order) and target parents are equal.

    Parameters
    ----------
    parents : iterable of iterables of int
        The parents of each of the T >= 2 positions, the last one included; empty for a root.
    target_parents : sequence of int, optional
        The positions that the target depends on; ``(T - 1,)`` by default.

    Attributes
    ----------
    parents : tuple of tuples of int
        Parents of each position.
    target_parents : tuple of int
        Parents of the target.

    Raises
    ------
    GraphError
        If a parent is not an integer, occurs twice or is not earlier than its child, or if there are fewer than
        two positions. The message names the position.

    Examples
    --------
    >>> graph = CausalGraph.from_parents([-1, 0, 1, -1])
    >>> graph
    CausalGraph(length=5, edges=2, roots=3)
    >>> graph.parents
    ((), (0,), (1,), (), ())
    >>> graph.edges
    ((0, 1), (1, 2))
    """

    parents: tuple[tuple[int, ...], ...]
    target_parents: tuple[int, ...]

    def __init__(self, parents: Iterable[Iterable[int]], target_parents: Iterable[int] | None = None) -> None:
        if isinstance(parents, str) or not isinstance(parents, Iterable):
            raise GraphError(f"parents must hold one sequence of integers per position, got {parents!r}")
        checked = tuple(_as_positions(entry, f"parents of position {i}") for i, entry in enumerate(parents))
        length = len(checked)
        if length < families.MINIMUM_LENGTH:
            raise GraphError(f"parents must cover at least {families.MINIMUM_LENGTH} positions, got {length}")
        for i, entry in enumerate(checked):
            for parent in entry:
                if i == 0:
                    raise GraphError(
                        f"parents of position 0 must be earlier positions, of which there are none, got {parent}"
                    )
                if not 0 <= parent < i:
                    raise GraphError(f"parents of position {i} must be earlier positions (0 to {i - 1}), got {parent}")
        targets = (length - 1,) if target_parents is None else _as_positions(target_parents, "target_parents")
        if not targets or not all(0 <= target < length for target in targets):
            raise GraphError(f"target_parents must be one or more positions from 0 to {length - 1}, got {targets}")
        object.__setattr__(self, "parents", checked)
        object.__setattr__(self, "target_parents", targets)

    def __repr__(self) -> str:
        """Return one line with the counts, never the whole list of parents."""
        edges = sum(map(len, self.parents))
        targets = "" if self.target_parents == (self.length - 1,) else f", target_parents={self.target_parents}"
        return f"CausalGraph(length={self.length}, edges={edges}, roots={len(self.roots)}{targets})"

    def _repr_svg_(self) -> str:
        return draw(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the definition only: what is derived from it is computed again."""
        return type(self), (self.parents, self.target_parents)

    # Conversion.

    @classmethod
    def from_adjacency(cls, adjacency: ArrayLike, *, target_parents: Iterable[int] | None = None) -> Self:
        """Build a graph from its adjacency matrix.

        Parameters
        ----------
        adjacency : array_like of shape (T, T)
            Zeros and ones, ``[i, j] = 1`` when j is a parent of i.
        target_parents : iterable of int, optional
            The positions that the target depends on; the query by default.

        Raises
        ------
        GraphError
            If the matrix is not square, holds anything but zeros and ones, or has a one on or above the diagonal.

        Examples
        --------
        >>> graph = CausalGraph.star(6)
        >>> CausalGraph.from_adjacency(graph.adjacency) == graph
        True
        """
        return cls(convert.parents_from_adjacency(adjacency), target_parents)

    @classmethod
    def from_networkx(cls, graph: Any, *, target_parents: Iterable[int] | None = None) -> Self:
        """Build a graph from one of networkx, as :meth:`to_networkx` returns it or as it comes back from a file.

        Parameters
        ----------
        graph : networkx.DiGraph
            Nodes 0..T-1, or their numbers as text, and edges from parent to child. When edges carry ``parent_order``,
            the parents of every position are in that order: 0, 1, ... Otherwise they are sorted.
        target_parents : iterable of int, optional
            The positions that the target depends on. By default the nodes that carry ``target_order``, in that order;
            else the graph attribute ``target_parents``; else the query.

        Raises
        ------
        InvalidArgumentError
            If ``graph`` is not a directed graph without multiple edges.
        GraphError
            If the nodes are not 0..T-1, an edge does not lead to a later node, or an order has gaps or repeats itself;
            the message names the node or the edge.
        ImportError
            If networkx is not installed.
        """
        parents = convert.parents_from_networkx(graph)
        return cls(parents, convert.targets_from_networkx(graph) if target_parents is None else target_parents)

    def to_networkx(self) -> Any:
        """Return the graph as one of networkx.

        Returns
        -------
        networkx.DiGraph
            Edges lead from parent to child and carry ``parent_order``: the place of the parent among those of its
            child, from 0. Nodes carry ``role``: ``"root"``, ``"child"`` or ``"query"``; those that the target depends
            on carry ``target_order``: their place among its parents. All values are ``int`` or ``str``, which GraphML,
            GML and JSON keep.

        Raises
        ------
        ImportError
            If networkx is not installed.

        Examples
        --------
        >>> graph = CausalGraph([(), (), (1, 0)], target_parents=(2, 0))
        >>> sorted(graph.to_networkx().edges(data="parent_order"))
        [(0, 2, 1), (1, 2, 0)]
        >>> CausalGraph.from_networkx(graph.to_networkx()) == graph
        True
        """
        return convert.networkx_from_graph(self)

    # Properties.

    @cached_property
    def adjacency(self) -> NDArray[np.float64]:
        """Read-only (T, T) matrix, ``[i, j] = 1`` when j is a parent of i: the orientation of attention."""
        matrix = np.zeros((self.length, self.length))
        for parent, child in self.edges:
            matrix[child, parent] = 1.0
        return read_only(matrix)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs ``(parent, child)``, ordered by child."""
        return tuple((parent, child) for child, entry in enumerate(self.parents) for parent in entry)

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """Positions without a parent."""
        return tuple(i for i, entry in enumerate(self.parents) if not entry)

    @cached_property
    def in_degrees(self) -> tuple[int, ...]:
        """The numbers of parents that occur, that of the target included, sorted; roots do not count.

        Examples
        --------
        >>> CausalGraph.chain(5).in_degrees, CausalGraph([(), (), (0, 1), (2,)], (1, 2, 3)).in_degrees
        ((1,), (1, 2, 3))
        """
        return tuple(sorted({len(entry) for entry in (*self.parents, self.target_parents) if entry}))

    @property
    def has_query(self) -> bool:
        """Whether the last position is a root and the only parent of the target."""
        return not self.parents[-1] and self.target_parents == (self.length - 1,)
