"""The joint laws of one token with all sets of earlier ones, sharing the work between the sets."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.graphs.frontier import Frontier, find_frontier
from causal_theory.tasks import InContextTask
from causal_theory.token_laws.joint import joint_law, parents_with_target
from causal_theory.token_laws.tables import TransferTables, law_rows, row_layout, transfer_tables

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_STATES = 2**10
"""Up to this many states of the frontier the transfers are kept as dense matrices."""


def laws_with_subsets(
    task: InContextTask, transitions: Mapping[int, Array], position: int, subsets: Sequence[tuple[int, ...]]
) -> Array:
    """Return the joint law of a token with the tokens of each set, shape (N, S, S^m).

    All ``subsets`` have one size m and ascend. When they are all sets of this size in lexicographic order and the
    frontier is narrow, a set costs two small matrix products: the law of its tokens and the state is carried forward,
    and the law of the token given the state backward.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior
    >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.9, 0.1], [0.1, 0.9]]))
    >>> laws_with_subsets(task, {1: task.prior.mean}, 2, [(0,), (1,)])[1]
    array([[0.45, 0.05],
           [0.05, 0.45]])
    """
    size = len(subsets[0])
    every = len(subsets) > 1 and subsets == list(combinations(range(position), size))
    frontier = _frontier_of(task.graph, position)
    if not every or task.vocab_size ** (frontier.width - 1) > MAX_STATES:
        laws = [joint_law(task, transitions, (position, *subset)) for subset in subsets]
        return np.array(laws).reshape(len(subsets), task.vocab_size, -1)
    degrees = tuple(sorted(transitions))
    rows = law_rows(task, row_layout(task.vocab_size, degrees), transitions)
    layout = task.graph, position, task.vocab_size, degrees
    ways = _Ways(_tables_of(*layout), _places_of(*layout), rows)
    laws_of_sets = np.concatenate(list(ways.sets(np.ones((1, 1)), 0, size)))
    return np.ascontiguousarray(laws_of_sets.transpose(0, 2, 1))


# Laws are asked for at many transition tensors, one after the other.
@lru_cache(maxsize=32)
def _frontier_of(graph: CausalGraph, position: int) -> Frontier:
    return find_frontier(parents_with_target(graph)[: position + 1], (position,))


@lru_cache(maxsize=32)
def _tables_of(graph: CausalGraph, position: int, size: int, degrees: tuple[int, ...]) -> TransferTables:
    return transfer_tables(_frontier_of(graph, position), row_layout(size, degrees), graph.length)


_Places = tuple[tuple[int, int, int], Indices, Indices]
"""Shape of the array of a kind of step, the entries of it that can be positive, and the rows of laws that they take."""


@lru_cache(maxsize=32)
def _places_of(graph: CausalGraph, position: int, size: int, degrees: tuple[int, ...]) -> Mapping[int, _Places]:
    """Return for every kind of step where it leads: [x, b, y] from the state x with the token b to the state y."""
    tables = _tables_of(graph, position, size, degrees)
    after = [*tables.sizes[tables.kinds[1:]].tolist(), tables.last]
    found: dict[int, _Places] = {}
    for kind, states in zip(tables.kinds.tolist(), after, strict=True):
        run = slice(tables.offsets[kind], tables.offsets[kind] + tables.sizes[kind])
        following = tables.following[run]
        entries = np.arange(following.size).reshape(following.shape) * states + following
        found.setdefault(kind, ((len(following), size, states), entries, tables.rows[run]))
    return found


@lru_cache(maxsize=32)
def _by_first(count: int) -> Indices:
    """Return the places of all pairs of so many positions, in lexicographic order, among those ordered by the second.

    Examples
    --------
    >>> _by_first(4).tolist()
    [0, 1, 3, 2, 4, 5]
    """
    first, second = np.triu_indices(count, 1)
    return np.asarray(second * (second - 1) // 2 + first)


class _Ways:
    """Carries the law of (tokens of the set so far, state) from left to right."""

    def __init__(self, tables: TransferTables, places: Mapping[int, _Places], rows: Array) -> None:
        self._symbols = rows.shape[1]
        self._kinds: list[int] = tables.kinds.tolist()
        # For every kind of step: [x, b, y], the token b is next and leads from the state x to the state y.
        self._choices: dict[int, Array] = {}
        for kind, (shape, entries, laws) in places.items():
            choice = self._choices[kind] = np.zeros(shape)
            choice.reshape(-1)[entries] = rows[laws]
        self._moves = {kind: choice.sum(axis=1) for kind, choice in self._choices.items()}
        # [x, (b, e)]: the token b is next and the last token is e, given the state x; from the last step backward.
        self._picks = []
        backward = np.eye(self._symbols)
        for kind in reversed(self._kinds):
            pick = self._choices[kind] @ backward
            self._picks.append(pick.reshape(len(pick), -1))
            backward = pick.sum(axis=1)
        self._picks.reverse()

    def sets(self, carried: Array, start: int, missing: int) -> Iterator[Array]:
        """Yield the laws (sets, tokens of the set, last token) of all completions, in lexicographic order."""
        if missing == 1:
            yield self._ones(carried, start)
        elif missing == 2:
            yield self._pairs(carried, start)
        else:
            for j in range(start, len(self._kinds) - missing):
                yield from self.sets(self._marked(carried, j), j + 1, missing - 1)
                carried = carried @ self._moves[self._kinds[j]]

    def _marked(self, carried: Array, j: int) -> Array:
        choice = self._choices[self._kinds[j]]
        return (carried @ choice.reshape(len(choice), -1)).reshape(-1, choice.shape[2])

    def _ones(self, carried: Array, start: int) -> Array:
        """Complete a set by one position."""
        found = []
        for j in range(start, len(self._kinds) - 1):
            found.append((carried @ self._picks[j]).reshape(-1, self._symbols))
            carried = carried @ self._moves[self._kinds[j]]
        return np.array(found)

    def _pairs(self, carried: Array, start: int) -> Array:
        """Complete a set by two positions: all that share the second one at once, each by a product of its own."""
        begun = self._marked(carried, start)[np.newaxis]
        found = []
        for j in range(start + 1, len(self._kinds) - 1):
            carried = carried @ self._moves[self._kinds[j - 1]]
            found.append((begun @ self._picks[j]).reshape(len(begun), -1, self._symbols))
            begun = np.concatenate([begun @ self._moves[self._kinds[j]], self._marked(carried, j)[np.newaxis]])
        return np.concatenate(found)[_by_first(len(begun))]
