"""The causal graph: an immutable list of parents, and what follows from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Drawn
from causal_theory.errors import GraphError
from causal_theory.graphs import convert, families
from causal_theory.validation import SeedLike, check_probability

__all__ = ["CausalGraph"]


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


def context_entry(entry: Any) -> Any:
    """Turn the shorthand -1 into no parent, and a single integer into one parent."""
    if isinstance(entry, int | np.integer) and not isinstance(entry, bool):
        return () if entry == -1 else (entry,)
    return entry


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


@dataclass(frozen=True, init=False, repr=False)
class CausalGraph(Drawn):
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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the definition only: what is derived from it is computed again."""
        return type(self), (self.parents, self.target_parents)

    # Construction.

    @classmethod
    def from_parents(
        cls, parents: Iterable[int | Sequence[int]], *, target_parents: Iterable[int] | None = None
    ) -> Self:
        """Build a graph from its T - 1 context entries; the query is appended as a root.

        Parameters
        ----------
        parents : iterable of (int or sequence of int)
            For each context position -1 (a root), one parent, or a sequence of parents.
        target_parents : iterable of int, optional
            The positions that the target depends on; the query by default.

        Raises
        ------
        GraphError
            As for the class.

        Examples
        --------
        >>> CausalGraph.from_parents([-1, 0, (0, 1)]).parents
        ((), (0,), (0, 1), ())
        """
        if isinstance(parents, str) or not isinstance(parents, Iterable):
            raise GraphError(f"parents must be a sequence with one entry per context position, got {parents!r}")
        return cls([*map(context_entry, parents), ()], target_parents)

    @classmethod
    def chain(cls, length: int) -> Self:
        """Position i follows i - 1: the graph of induction heads.

        Parameters
        ----------
        length : int
            T >= 2, the query included.

        Raises
        ------
        InvalidArgumentError
            If ``length`` is not an integer of at least 2.

        Examples
        --------
        >>> CausalGraph.chain(5).edges
        ((0, 1), (1, 2), (2, 3))
        """
        return cls.from_parents(families.chain(length))

    @classmethod
    def pairs(cls, length: int) -> Self:
        """Roots at even context positions, each odd one follows the position before it.

        Parameters
        ----------
        length : int
            T >= 2, the query included.

        Raises
        ------
        InvalidArgumentError
            If ``length`` is not an integer of at least 2.

        Examples
        --------
        >>> CausalGraph.pairs(6).edges
        ((0, 1), (2, 3))
        """
        return cls.from_parents(families.pairs(length))

    @classmethod
    def star(cls, length: int) -> Self:
        """Every context position follows position 0.

        Parameters
        ----------
        length : int
            T >= 2, the query included.

        Raises
        ------
        InvalidArgumentError
            If ``length`` is not an integer of at least 2.

        Examples
        --------
        >>> CausalGraph.star(5).edges
        ((0, 1), (0, 2), (0, 3))
        """
        return cls.from_parents(families.star(length))

    @classmethod
    def binary_tree(cls, length: int) -> Self:
        """Position i follows (i - 1) // 2, as in a binary heap.

        Parameters
        ----------
        length : int
            T >= 2, the query included.

        Raises
        ------
        InvalidArgumentError
            If ``length`` is not an integer of at least 2.

        Examples
        --------
        >>> CausalGraph.binary_tree(6).edges
        ((0, 1), (0, 2), (1, 3), (1, 4))
        """
        return cls.from_parents(families.binary_tree(length))

    @classmethod
    def random_forest(cls, length: int, root_probability: float = 0.5, rng: SeedLike = None) -> Self:
        """Draw a random forest.

        Position 0 is a root. Every other context position draws a parent uniformly from all earlier positions and
        is then turned into a root with probability ``root_probability``, independently.

        Parameters
        ----------
        length : int
            T >= 2, the query included.
        root_probability : float, default 0.5
            Probability in [0, 1] that a position other than 0 is a root.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None.

        Raises
        ------
        InvalidArgumentError
            If an argument is out of range.

        Examples
        --------
        >>> CausalGraph.random_forest(20, 0.0, rng=0).roots
        (0, 19)
        """
        return cls.from_parents(families.random_forest(length, root_probability, rng))

    @classmethod
    def recursive_forest(cls, length: int, rng: SeedLike = None) -> Self:
        """Draw a random recursive forest.

        The parent of position i is uniform over "none" and the i earlier positions, so that i is a root with
        probability 1/(i + 1): about log T trees. The random graph of the published experiments on one graph.

        Parameters
        ----------
        length : int
            T >= 2, the query included.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None.

        Raises
        ------
        InvalidArgumentError
            If ``length`` is not an integer of at least 2.

        Examples
        --------
        >>> CausalGraph.recursive_forest(8, rng=0).parents
        ((), (0,), (0,), (1,), (0,), (0,), (), ())
        """
        return cls.from_parents(families.recursive_forest(length, rng))

    @classmethod
    def ngram(cls, length: int, order: int) -> Self:
        """Position i follows the ``order`` positions before it: chains with a memory of ``order`` tokens.

        The first ``order`` positions are roots. There is no independent query: the target follows the last ``order``
        positions.

        Parameters
        ----------
        length : int
            T, at least 2 and at least ``order``.
        order : int
            The number of parents k, at least 1.

        Raises
        ------
        InvalidArgumentError
            If an argument is out of range.

        Examples
        --------
        >>> graph = CausalGraph.ngram(4, 2)
        >>> graph.parents, graph.target_parents
        (((), (), (0, 1), (1, 2)), (2, 3))
        """
        return cls(*families.ngram(length, order))

    @classmethod
    def binary_tree_and_previous(cls, length: int) -> Self:
        """Position i >= 2 follows (i - 1) // 2 and i - 1: the published graph with two parents.

        Positions 0 and 1 are roots; the target follows the same rule at i = T.

        Parameters
        ----------
        length : int
            T >= 2.

        Raises
        ------
        InvalidArgumentError
            If ``length`` is not an integer of at least 2.

        Examples
        --------
        >>> graph = CausalGraph.binary_tree_and_previous(5)
        >>> graph.parents, graph.target_parents
        (((), (), (0, 1), (1, 2), (1, 3)), (2, 4))
        """
        return cls(*families.binary_tree_and_previous(length))

    @classmethod
    def random_dag(cls, length: int, parents: int, rng: SeedLike = None) -> Self:
        """Draw ``parents`` distinct parents for every position, uniformly from the earlier ones.

        The first ``parents`` positions are roots; the target draws its parents from all T positions.

        Parameters
        ----------
        length : int
            T, at least 2 and at least ``parents``.
        parents : int
            The number of parents k of a position, at least 1.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None.

        Raises
        ------
        InvalidArgumentError
            If an argument is out of range.

        Examples
        --------
        >>> graph = CausalGraph.random_dag(6, 2, rng=0)
        >>> graph.parents[2], len(graph.parents[5]), len(graph.target_parents)
        ((0, 1), 2, 2)
        """
        return cls(*families.random_dag(length, parents, rng))

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

    # Any graph.

    @property
    def length(self) -> int:
        """T, the number of positions, the query included."""
        return len(self.parents)

    @cached_property
    def adjacency(self) -> NDArray[np.float64]:
        """Read-only (T, T) matrix, ``[i, j] = 1`` when j is a parent of i: the orientation of attention."""
        matrix = np.zeros((self.length, self.length))
        for parent, child in self.edges:
            matrix[child, parent] = 1.0
        return _read_only(matrix)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs ``(parent, child)``, ordered by child."""
        return tuple((parent, child) for child, entry in enumerate(self.parents) for parent in entry)

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """Positions without a parent."""
        return tuple(i for i, entry in enumerate(self.parents) if not entry)

    @cached_property
    def is_forest(self) -> bool:
        """Whether every position has at most one parent."""
        return all(len(entry) <= 1 for entry in self.parents)

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

    # Forests only.

    @cached_property
    def parent_array(self) -> NDArray[np.int64]:
        """Read-only (T,) array with the parent of each position, -1 for a root.

        Raises
        ------
        GraphError
            If a position has several parents (so do all properties and methods below).

        Examples
        --------
        >>> CausalGraph.pairs(5).parent_array
        array([-1,  0, -1,  2, -1])
        """
        if not self.is_forest:
            several = next(i for i, entry in enumerate(self.parents) if len(entry) > 1)
            raise GraphError(
                f"this needs a forest, in which every position has at most one parent; "
                f"position {several} has the parents {self.parents[several]}"
            )
        return _read_only(np.array([entry[0] if entry else -1 for entry in self.parents], dtype=np.int64))

    @cached_property
    def tree_index(self) -> NDArray[np.int64]:
        """Read-only (T,) array: to which tree each position belongs; trees are numbered by their roots."""
        index = np.zeros(self.length, dtype=np.int64)
        trees = 0
        for i, parent in enumerate(self.parent_array.tolist()):
            index[i] = trees if parent < 0 else index[parent]
            trees += parent < 0
        return _read_only(index)

    @cached_property
    def depth(self) -> NDArray[np.int64]:
        """Read-only (T,) array: number of edges from the root of its tree to each position."""
        depth = np.zeros(self.length, dtype=np.int64)
        for i, parent in enumerate(self.parent_array.tolist()):
            depth[i] = 0 if parent < 0 else depth[parent] + 1
        return _read_only(depth)

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Read-only (T, T) matrix of tree distances (numbers of edges), infinite between different trees.

        Examples
        --------
        >>> CausalGraph.from_parents([-1, 0, 0]).distances
        array([[ 0.,  1.,  1., inf],
               [ 1.,  0.,  2., inf],
               [ 1.,  2.,  0., inf],
               [inf, inf, inf,  0.]])
        """
        matrix = np.full((self.length, self.length), np.inf)
        for i, parent in enumerate(self.parent_array.tolist()):
            matrix[i, i] = 0.0
            if parent >= 0:
                matrix[i, :i] = matrix[parent, :i] + 1.0
                matrix[:i, i] = matrix[i, :i]
        return _read_only(matrix)

    @cached_property
    def leaf_effective_length(self) -> float:
        """T divided by the largest number of leaves of a tree.

        A root without children is its own leaf.

        Examples
        --------
        >>> CausalGraph.chain(20).leaf_effective_length, CausalGraph.star(20).leaf_effective_length
        (20.0, 1.1111111111111112)
        """
        parents = self.parent_array
        is_leaf = np.ones(self.length, dtype=bool)
        is_leaf[parents[parents >= 0]] = False
        return self.length / int(np.bincount(self.tree_index[is_leaf]).max())

    def mixing_effective_length(self, decay: float) -> float:
        r"""Effective number of independent tokens when dependence fades by ``decay`` per edge.

        .. math:: \Bigl(T^{-2} \sum_{i,j} \lambda^{d(i,j)}\Bigr)^{-1}

        over all ordered pairs of the T positions, with d the tree distance, infinite between trees (those pairs
        contribute nothing, also at ``decay = 1``). Equal to T at ``decay = 0``. A sum of positive terms in O(T)
        operations: the relative error is a few units of roundoff times T at most.

        Parameters
        ----------
        decay : float
            In [0, 1]; the natural choice is ``mixing_decay(pi)``.

        Returns
        -------
        float
            Between 1 and T.

        Raises
        ------
        GraphError
            If the graph is not a forest.
        InvalidArgumentError
            If ``decay`` is outside [0, 1].

        Examples
        --------
        >>> CausalGraph.chain(3).mixing_effective_length(0.5)
        2.25
        """
        rate = check_probability("decay", decay)
        reach = [1.0] * self.length  # sum of decay^d over the part of the subtree that was merged so far
        total = float(self.length)
        for i, parent in reversed(list(enumerate(self.parent_array.tolist()))):
            if parent >= 0:
                below = rate * reach[i]
                total += 2.0 * reach[parent] * below
                reach[parent] += below
        return self.length**2 / total
