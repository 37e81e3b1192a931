"""The causal graph: an immutable list of parents, with conversions and properties."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown, draw
from causal_theory.errors import GraphError
from causal_theory.graphs import families
from causal_theory.graphs.constructors import GraphConstructors
from causal_theory.graphs.exchange import GraphExchange
from causal_theory.graphs.forest import ForestProperties, read_only
from causal_theory.graphs.labels import check_labels


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
class CausalGraph(GraphConstructors, GraphExchange, ForestProperties, Shown):
    """An immutable causal graph over T token positions.

    Every position has a tuple of parents, all of them earlier. The last position is normally the *query*: a root
    whose token the target depends on. Graphs are equal, and have the same hash, when their parents (in the given
    order) and target parents are equal; labels do not count, as no law and no number depends on them.

    Parameters
    ----------
    parents : iterable of iterables of int
        The parents of each of the T >= 2 positions, the last one included; empty for a root.
    target_parents : sequence of int, optional
        The positions that the target depends on; ``(T - 1,)`` by default.
    labels : iterable of str, optional
        The name of each position; tables and figures use it.

    Attributes
    ----------
    parents : tuple of tuples of int
        Parents of each position.
    target_parents : tuple of int
        Parents of the target.
    labels : tuple of str or None
        The name of each of the T positions, that of the query included; None where they have none.

    Raises
    ------
    GraphError
        If a parent is not an integer, occurs twice or is not earlier than its child, if there are fewer than two
        positions, or if labels are not one distinct text for each position. The message names the position.

    Examples
    --------
    >>> graph = CausalGraph.from_parents([-1, 0, 1, -1])
    >>> graph
    CausalGraph(length=5, edges=2, roots=2, query=4)
    >>> graph.parents
    ((), (0,), (1,), (), ())
    >>> graph.edges
    ((0, 1), (1, 2))
    """

    parents: tuple[tuple[int, ...], ...]
    target_parents: tuple[int, ...]
    labels: tuple[str, ...] | None = field(default=None, compare=False)

    def __init__(
        self,
        parents: Iterable[Iterable[int]],
        target_parents: Iterable[int] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
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
        object.__setattr__(self, "labels", None if labels is None else check_labels(labels, length))

    def __repr__(self) -> str:
        """Return one line with the counts, never the whole list of parents."""
        edges, roots = sum(map(len, self.parents)), len(self.roots) - self.has_query
        last = f", query={self.length - 1}" if self.has_query else f", target_parents={self.target_parents}"
        if self.target_parents == (self.length - 1,) and not self.has_query:
            last = ""
        labels = "" if self.labels is None else f", labels=({', '.join(map(repr, self.labels[:2]))}, ...)"
        return f"CausalGraph(length={self.length}, edges={edges}, roots={roots}{last}{labels})"

    def _repr_svg_(self) -> str:
        return draw(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the definition only: what is derived from it is computed again."""
        labels = () if self.labels is None else (self.labels,)
        return type(self), (self.parents, self.target_parents, *labels)

    def name(self, position: int) -> str:
        """Return the label of a position, its number where the graph has no labels.

        Parameters
        ----------
        position : int
            From 0 to T - 1.

        Returns
        -------
        str
            What tables and figures call it.

        Examples
        --------
        >>> CausalGraph([(), (0,), ()], labels=["rain", "wet", "query"]).name(1), CausalGraph.chain(3).name(1)
        ('wet', '1')
        """
        return str(position) if self.labels is None else self.labels[position]

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
