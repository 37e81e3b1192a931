"""Cut a forest at separators, so that far pairs of positions meet in a matrix product instead of a message pass.

Removing a **separator** from a tree leaves branches. Given the symbol at the separator, tokens of different branches
are independent, so the pair law of two of them is a product of two vectors over that symbol. Each tree is cut at its
centroid, the pieces again, until they have at most ``limit`` positions; within a piece pairs are treated one by one.
The number of message steps falls from ``T^2 / 2`` to ``O(T log T)``; what remains for each pair is a dot product.
"""

import heapq
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.kernels.pair_sums import reachability

__all__ = ["Splitting", "split_forest"]

Indices = NDArray[np.int64]


class Products(NamedTuple):
    """Sets of positions whose pairs are dot products: every y with every x, job by job.

    Attributes
    ----------
    groups : ndarray, shape (groups + 1,)
        Jobs ``groups[k] : groups[k + 1]`` belong to separator k.
    bounds : ndarray, shape (jobs, 4)
        Start and end of the ys, start and end of the xs, in ``positions``; both runs are sorted.
    positions : ndarray
        The positions of all jobs.
    """

    groups: Indices
    bounds: Indices
    positions: Indices


class Splitting(NamedTuple):
    """A forest in pieces.

    Attributes
    ----------
    piece_starts, piece_members : ndarray
        Members ``piece_starts[k] : piece_starts[k + 1]`` of piece k, sorted.
    piece_parents : ndarray, shape (T - 1,)
        Parent within the piece, -1 where it lies outside.
    reach : tuple of four ndarrays
        Reachability within the pieces, see the kernel.
    walk_starts : ndarray, shape (separators + 1,)
        Steps ``walk_starts[k] : walk_starts[k + 1]`` lead from separator k to every position of its piece.
    walk : ndarray, shape (steps, 4)
        Position reached, position come from (-1 at the separator itself), 1 for a step from parent to child, and
        distance from the separator.
    across_trees, across_branches : Products
        Pairs in different trees (one group); pairs in different branches of each separator.
    farthest : int
        Largest distance in ``walk``.
    """

    piece_starts: Indices
    piece_members: Indices
    piece_parents: Indices
    reach: tuple[Indices, NDArray[np.bool_], Indices, Indices]
    walk_starts: Indices
    walk: Indices
    across_trees: Products
    across_branches: Products
    farthest: int

    @property
    def kernel_arguments(self) -> tuple[tuple[NDArray[np.generic], ...], int]:
        """The arrays in the order in which the kernel takes them, and the longest walk."""
        last, leaf, _, top = self.reach
        pieces = (
            self.piece_parents,
            self.piece_starts,
            self.piece_members,
            last,
            leaf,
            top,
            self.walk_starts,
            self.walk,
            self.across_trees.bounds,
            self.across_trees.positions,
            self.across_branches.groups,
            self.across_branches.bounds,
            self.across_branches.positions,
        )
        return pieces, self.farthest


class _Jobs:
    """Collects the jobs of one kind."""

    def __init__(self) -> None:
        self.groups = [0]
        self.bounds: list[tuple[int, int, int, int]] = []
        self.positions: list[int] = []

    def add_group(self, branches: list[list[int]]) -> None:
        """Pair every member of every branch with all members of the other branches, each pair once.

        Merging the two smallest sets first keeps the total length of the lists at O(n log n).
        """
        heap = [(len(branch), k, branch) for k, branch in enumerate(branches)]
        heapq.heapify(heap)
        serial = len(heap)
        while len(heap) > 1:
            _, _, xs = heapq.heappop(heap)
            _, _, ys = heapq.heappop(heap)
            start = len(self.positions)
            middle, end = start + len(ys), start + len(ys) + len(xs)
            self.positions += ys
            self.positions += xs
            self.bounds.append((start, middle, middle, end))
            heapq.heappush(heap, (end - start, serial, sorted(ys + xs)))
            serial += 1
        self.groups.append(len(self.bounds))

    def finish(self) -> Products:
        """Return the jobs as arrays."""
        bounds = np.array(self.bounds, dtype=np.int64).reshape(-1, 4)
        return Products(np.array(self.groups, dtype=np.int64), bounds, np.array(self.positions, dtype=np.int64))


class _Forest:
    """The undirected forest of the positions that are not yet separators."""

    def __init__(self, parents: Indices) -> None:
        self.parents = parents.tolist()
        self.neighbours: list[list[int]] = [[] for _ in self.parents]
        for v, w in enumerate(self.parents):
            if w >= 0:
                self.neighbours[v].append(w)
                self.neighbours[w].append(v)
        self.removed = [False] * len(self.parents)

    def walk(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Depth-first walk of the piece of ``start``: position, where it was reached from, distance."""
        stack = [(start, -1, 0)]
        while stack:
            v, source, distance = stack.pop()
            yield v, source, distance
            stack += [(w, v, distance + 1) for w in self.neighbours[v] if w != source and not self.removed[w]]

    def centroid(self, steps: list[tuple[int, int, int]]) -> int:
        """Return the position whose largest branch is smallest."""
        size = dict.fromkeys((v for v, _, _ in steps), 1)
        largest = dict.fromkeys(size, 0)
        for v, source, _ in reversed(steps):
            if source >= 0:
                size[source] += size[v]
                largest[source] = max(largest[source], size[v])
        return min(size, key=lambda v: max(largest[v], len(steps) - size[v]))


@lru_cache(maxsize=32)
def split_forest(graph: CausalGraph, limit: int) -> Splitting:
    """Return the context of a forest cut into pieces of at most ``limit`` positions.

    Examples
    --------
    >>> from causal_theory import CausalGraph
    >>> parts = split_forest(CausalGraph.chain(32), 8)
    >>> int(np.diff(parts.piece_starts).max()), len(parts.walk_starts) - 1
    (7, 3)
    """
    if limit < 1:  # the kernels size their arrays by it
        raise ValueError(f"limit must be at least 1, got {limit}")
    parents = graph.parent_array[:-1]
    forest = _Forest(parents)
    across_trees, across_branches = _Jobs(), _Jobs()
    pieces: list[list[int]] = []
    walk: list[tuple[int, int, int, int]] = []
    walk_starts = [0]
    starts = np.flatnonzero(parents < 0).tolist()
    across_trees.add_group([sorted(v for v, _, _ in forest.walk(root)) for root in starts])
    while starts:
        steps = list(forest.walk(starts.pop()))
        if len(steps) <= limit:
            pieces.append(sorted(v for v, _, _ in steps))
            continue
        centre = forest.centroid(steps)
        walk += [(v, w, int(forest.parents[v] == w), d) for v, w, d in forest.walk(centre)]
        walk_starts.append(len(walk))
        forest.removed[centre] = True
        branches = [w for w in forest.neighbours[centre] if not forest.removed[w]]
        across_branches.add_group([[centre], *(sorted(v for v, _, _ in forest.walk(w)) for w in branches)])
        starts += branches
    members = np.array([v for piece in pieces for v in piece], dtype=np.int64)
    piece_of = np.full(len(parents), -1)
    piece_of[members] = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    inside = (parents >= 0) & (piece_of >= 0) & (piece_of[parents] == piece_of)
    piece_parents = np.where(inside, parents, -1)
    return Splitting(
        piece_starts=np.cumsum([0, *(len(piece) for piece in pieces)]),
        piece_members=members,
        piece_parents=piece_parents,
        reach=reachability(piece_parents),
        walk_starts=np.array(walk_starts, dtype=np.int64),
        walk=np.array(walk, dtype=np.int64).reshape(-1, 4),
        across_trees=across_trees.finish(),
        across_branches=across_branches.finish(),
        farthest=max((step[3] for step in walk), default=0),
    )
