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
    ways = _Ways(_tables_of(task.graph, position, task.vocab_size, degrees), rows)
    out = np.empty((len(subsets), task.vocab_size**size, task.vocab_size))
    for n, law in enumerate(ways.sets(np.ones((1, 1)), 0, size)):
        out[n] = law
    return np.ascontiguousarray(out.transpose(0, 2, 1))


# Laws are asked for at many transition tensors, one after the other.
@lru_cache(maxsize=32)
def _frontier_of(graph: CausalGraph, position: int) -> Frontier:
    return find_frontier(parents_with_target(graph)[: position + 1], (position,))


@lru_cache(maxsize=32)
def _tables_of(graph: CausalGraph, position: int, size: int, degrees: tuple[int, ...]) -> TransferTables:
    return transfer_tables(_frontier_of(graph, position), row_layout(size, degrees), graph.length)


class _Ways:
    """Carries the law of (tokens of the set so far, state) from left to right."""

    def __init__(self, tables: TransferTables, rows: Array) -> None:
        kinds = tables.kinds.tolist()
        after = [*tables.sizes[tables.kinds[1:]].tolist(), tables.last]
        self._symbols = rows.shape[1]
        # For every kind of step: [x, b, y], the token b is next and leads from the state x to the state y.
        self._choices: dict[int, Array] = {}
        for kind, states in zip(kinds, after, strict=True):
            if kind not in self._choices:
                run = slice(tables.offsets[kind], tables.offsets[kind] + tables.sizes[kind])
                choice = np.zeros((tables.sizes[kind], self._symbols, states))
                state, symbol = np.indices(choice.shape[:2])
                choice[state, symbol, tables.following[run]] = rows[tables.rows[run]]
                self._choices[kind] = choice
        self._moves = {kind: choice.sum(axis=1) for kind, choice in self._choices.items()}
        self._kinds = kinds
        # [x, (b, e)]: the token b is next and the last token is e, given the state x; from the last step backward.
        self._picks = []
        backward = np.eye(self._symbols)
        for kind in reversed(kinds):
            pick = self._choices[kind] @ backward
            self._picks.append(pick.reshape(len(pick), -1))
            backward = pick.sum(axis=1)
        self._picks.reverse()

    def sets(self, carried: Array, start: int, missing: int) -> Iterator[Array]:
        """Yield the laws (tokens of the set, last token) of all completions, in lexicographic order."""
        for j in range(start, len(self._kinds) - missing):
            if missing == 1:
                yield (carried @ self._picks[j]).reshape(-1, self._symbols)
            else:
                choice = self._choices[self._kinds[j]]
                marked = carried @ choice.reshape(len(choice), -1)
                yield from self.sets(marked.reshape(-1, choice.shape[2]), j + 1, missing - 1)
            carried = carried @ self._moves[self._kinds[j]]
