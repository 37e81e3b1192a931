"""Parents, trees, depths, distances and effective lengths of graphs whose positions have at most one parent."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import GraphError
from causal_theory.validation import check_probability


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array, which cannot be written to any more."""
    array.setflags(write=False)
    return array


class ForestProperties:
    """The part of a causal graph that needs a forest; everything here raises :class:`GraphError` for other graphs."""

    parents: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        """T, the number of positions, the query included."""
        return len(self.parents)

    @cached_property
    def is_forest(self) -> bool:
        """Whether every position has at most one parent."""
        return all(len(entry) <= 1 for entry in self.parents)

    @cached_property
    def parent_array(self) -> NDArray[np.int64]:
        """Read-only (T,) array with the parent of each position, -1 for a root.

        Raises
        ------
        GraphError
            If a position has several parents (so do all properties and methods here).

        Examples
        --------
        >>> from causal_theory import CausalGraph
        >>> CausalGraph.pairs(5).parent_array
        array([-1,  0, -1,  2, -1])
        """
        if not self.is_forest:
            several = next(i for i, entry in enumerate(self.parents) if len(entry) > 1)
            raise GraphError(
                f"this needs a forest, in which every position has at most one parent; "
                f"position {several} has the parents {self.parents[several]}"
            )
        return read_only(np.array([entry[0] if entry else -1 for entry in self.parents], dtype=np.int64))

    @cached_property
    def tree_index(self) -> NDArray[np.int64]:
        """Read-only (T,) array: to which tree each position belongs; trees are numbered by their roots."""
        index = np.zeros(self.length, dtype=np.int64)
        trees = 0
        for i, parent in enumerate(self.parent_array.tolist()):
            index[i] = trees if parent < 0 else index[parent]
            trees += parent < 0
        return read_only(index)

    @cached_property
    def depth(self) -> NDArray[np.int64]:
        """Read-only (T,) array: number of edges from the root of its tree to each position."""
        depth = np.zeros(self.length, dtype=np.int64)
        for i, parent in enumerate(self.parent_array.tolist()):
            depth[i] = 0 if parent < 0 else depth[parent] + 1
        return read_only(depth)

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Read-only (T, T) matrix of tree distances (numbers of edges), infinite between different trees.

        Examples
        --------
        >>> from causal_theory import CausalGraph
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
        return read_only(matrix)

    @cached_property
    def leaf_effective_length(self) -> float:
        """T divided by the largest number of leaves of a tree.

        A root without children is its own leaf.

        Examples
        --------
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
