"""Equal subtrees of a forest, each kept once: what is computed from the leaves up is the same for all of them."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs.forest import read_only
from causal_theory.graphs.graph import CausalGraph

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Subtrees:
    """The shapes of the subtrees of a forest, smaller ones first.

    Attributes
    ----------
    starts : ndarray of int64, shape (K + 1,)
        Where the children of each shape begin in the next two.
    children : ndarray of int64, shape (E,)
        Shape of a child.
    copies : ndarray, shape (E,)
        How many children have it.
    roots : ndarray, shape (K,)
        How many trees have a shape.
    """

    starts: Integers
    children: Integers
    copies: Array
    roots: Array

    @property
    def arrays(self) -> tuple[Integers, Integers, Array, Array]:
        """The arrays, in the order in which the kernels take them."""
        return self.starts, self.children, self.copies, self.roots


@lru_cache(maxsize=32)
def context_subtrees(graph: CausalGraph) -> Subtrees:
    """Return the shapes of the subtrees of all positions but the last.

    Two positions have subtrees of the same shape when their children do, counted with copies.

    Raises
    ------
    GraphError
        If the graph is not a forest.

    Examples
    --------
    >>> found = context_subtrees(CausalGraph.binary_tree(16))  # complete trees of 1, 3, 7 and 15 positions
    >>> found.children, found.copies, found.roots
    (array([0, 1, 2]), array([2., 2., 2.]), array([0., 0., 0., 1.]))
    """
    parents = graph.parent_array[:-1].tolist()
    below: list[Counter[int]] = [Counter() for _ in parents]
    roots: Counter[int] = Counter()
    numbers: dict[tuple[tuple[int, int], ...], int] = {}
    for position in range(len(parents) - 1, -1, -1):
        shape = tuple(sorted(below[position].items()))
        number = numbers.setdefault(shape, len(numbers))
        (below[parents[position]] if parents[position] >= 0 else roots)[number] += 1
    edges = [edge for shape in numbers for edge in shape]
    return Subtrees(
        starts=read_only(np.cumsum([0, *map(len, numbers)])),
        children=read_only(np.array([child for child, _ in edges], dtype=np.int64)),
        copies=read_only(np.array([float(copies) for _, copies in edges])),
        roots=read_only(np.array([float(roots[number]) for number in range(len(numbers))])),
    )
