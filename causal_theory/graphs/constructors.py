"""The graphs of the field as constructors of the class of graphs: chains, trees, random forests and acyclic graphs."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from causal_theory.errors import GraphError
from causal_theory.graphs import families
from causal_theory.graphs.labels import complete_labels
from causal_theory.validation import SeedLike


def context_entry(entry: Any) -> Any:
    """Turn the shorthand -1 into no parent, and a single integer into one parent."""
    if isinstance(entry, int | np.integer) and not isinstance(entry, bool):
        return () if entry == -1 else (entry,)
    return entry


class GraphConstructors:
    """Constructors of :class:`CausalGraph` that need no other graph."""

    if TYPE_CHECKING:

        def __init__(self, parents: Any, target_parents: Any = None, labels: Any = None) -> None: ...

    @classmethod
    def from_parents(
        cls,
        parents: Iterable[int | Sequence[int]],
        *,
        target_parents: Iterable[int] | None = None,
        labels: Iterable[str] | None = None,
    ) -> Self:
        """Build a graph from its T - 1 context entries; the query is appended as a root.

        Parameters
        ----------
        parents : iterable of (int or sequence of int)
            For each context position -1 (a root), one parent, or a sequence of parents.
        target_parents : iterable of int, optional
            The positions that the target depends on; the query by default.
        labels : iterable of str, optional
            A name for each context position, and for the query, which is called ``"query"`` otherwise.

        Raises
        ------
        GraphError
            As for the class.

        Examples
        --------
        >>> from causal_theory import CausalGraph
        >>> CausalGraph.from_parents([-1, 0, (0, 1)]).parents
        ((), (0,), (0, 1), ())
        >>> CausalGraph.from_parents([-1, 0], labels=["rain", "wet"]).labels
        ('rain', 'wet', 'query')
        """
        if isinstance(parents, str) or not isinstance(parents, Iterable):
            raise GraphError(f"parents must be a sequence with one entry per context position, got {parents!r}")
        entries = [*map(context_entry, parents), ()]
        return cls(entries, target_parents, None if labels is None else complete_labels(labels, len(entries)))

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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
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
        >>> from causal_theory import CausalGraph
        >>> graph = CausalGraph.random_dag(6, 2, rng=0)
        >>> graph.parents[2], len(graph.parents[5]), len(graph.target_parents)
        ((0, 1), 2, 2)
        """
        return cls(*families.random_dag(length, parents, rng))
