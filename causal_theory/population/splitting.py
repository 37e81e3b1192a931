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

from causal_theory import kernels
from causal_theory.graphs import CausalGraph
from causal_theory.kernels.arrays import read_only

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
    walk : ndarray, shape (steps, 5)
        Position reached, position come from (-1 at the separator itself), 1 for a step from parent to child, and the
        slots of memory of the two.
    across_trees, across_branches : Products
        Pairs in different trees (one group); pairs in different branches of each separator.
    slots : int
        Number of slots, ``log2 T + 1`` at most.
    """

    piece_starts: Indices
    piece_members: Indices
    piece_parents: Indices
    reach: tuple[Indices, NDArray[np.bool_], Indices, Indices]
    walk_starts: Indices
    walk: Indices
    across_trees: Products
    across_branches: Products
    slots: int

    @property
    def kernel_arguments(self) -> tuple[tuple[NDArray[np.generic], ...], int]:
        """The arrays in the order in which the kernel takes them, and the number of slots."""
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
        return pieces, self.slots


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

    def walk(self, start: int) -> Iterator[tuple[int, int]]:
        """Depth-first walk of the piece of ``start``: position, where it was reached from."""
        stack = [(start, -1)]
        while stack:
            v, source = stack.pop()
            yield v, source
            stack += [(w, v) for w in self.neighbours[v] if w != source and not self.removed[w]]

    def thrifty_walk(self, start: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Walk through the piece of ``start`` as the kernel does, with few vectors in memory.

        Large branches come last and take over the slot of the position they start from, which nobody needs any more.
        Every other branch has at most half the size of what it branches off, so that slots grow like a logarithm.
        """
        steps = list(self.walk(start))
        size = dict.fromkeys((v for v, _ in steps), 1)
        for v, source in reversed(steps[1:]):
            size[source] += size[v]
        stack = [(start, -1, 0, 0)]
        while stack:
            v, source, slot, source_slot = stack.pop()
            yield v, source, int(self.parents[v] == source), slot, source_slot
            onward = [w for w in self.neighbours[v] if w != source and not self.removed[w]]
            onward.sort(key=size.__getitem__, reverse=True)
            stack += [(w, v, slot + (k > 0), slot) for k, w in enumerate(onward)]

    def centroid(self, steps: list[tuple[int, int]]) -> int:
        """Return the position whose largest branch is smallest."""
        size = dict.fromkeys((v for v, _ in steps), 1)
        largest = dict.fromkeys(size, 0)
        for v, source in reversed(steps):
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
    walk: list[tuple[int, int, int, int, int]] = []
    walk_starts = [0]
    starts = np.flatnonzero(parents < 0).tolist()
    across_trees.add_group([sorted(v for v, _ in forest.walk(root)) for root in starts])
    while starts:
        steps = list(forest.walk(starts.pop()))
        if len(steps) <= limit:
            pieces.append(sorted(v for v, _ in steps))
            continue
        centre = forest.centroid(steps)
        walk += forest.thrifty_walk(centre)
        walk_starts.append(len(walk))
        forest.removed[centre] = True
        branches = [w for w in forest.neighbours[centre] if not forest.removed[w]]
        across_branches.add_group([[centre], *(sorted(v for v, _ in forest.walk(w)) for w in branches)])
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
        reach=kernels.pair_sums.reachability(read_only(piece_parents)),
        walk_starts=np.array(walk_starts, dtype=np.int64),
        walk=np.array(walk, dtype=np.int64).reshape(-1, 5),
        across_trees=across_trees.finish(),
        across_branches=across_branches.finish(),
        slots=max((step[3] + 1 for step in walk), default=0),
    )


@lru_cache(maxsize=32)
def split_rows(graph: CausalGraph, limit: int, first: int, last: int) -> Splitting:
    """Return what of :func:`split_forest` is needed for the pairs whose later position is one of some rows.

    Examples
    --------
    >>> from causal_theory import CausalGraph
    >>> graph = CausalGraph.chain(32)
    >>> [len(split_rows(graph, 8, first, first + 16).walk) for first in (0, 16)]  # of 31 + 2 * 15 steps
    [31, 46]
    """
    whole = split_forest(graph, limit)
    if first == 0 and last == graph.length:
        return whole
    starts, members = whole.piece_starts, whole.piece_members
    kept = (members[starts[:-1]] < last) & (members[starts[1:] - 1] >= first)
    sizes = np.diff(starts)
    trees, branches = whole.across_trees, whole.across_branches
    tree_groups, tree_bounds = kernels.row_blocks.restrict_jobs(*trees, first, last)
    groups, bounds = kernels.row_blocks.restrict_jobs(*branches, first, last)
    walk_starts, walk = kernels.row_blocks.restrict_walks(
        whole.walk_starts, whole.walk, groups, bounds, branches.positions, graph.length
    )
    return whole._replace(
        piece_starts=np.cumsum([0, *sizes[kept]]),
        piece_members=members[np.repeat(kept, sizes)],
        walk_starts=walk_starts,
        walk=walk,
        across_trees=Products(tree_groups, tree_bounds, trees.positions),
        across_branches=Products(groups, bounds, branches.positions),
    )
