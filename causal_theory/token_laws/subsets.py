"""The joint laws of one token with all sets of earlier ones, sharing the work between the sets."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs.frontier import find_frontier
from causal_theory.tasks import InContextTask
from causal_theory.token_laws.joint import joint_law, parents_with_target
from causal_theory.token_laws.tables import law_rows, row_layout, transfer_tables

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
    frontier = find_frontier(parents_with_target(task.graph)[: position + 1], (position,))
    every = len(subsets) > 1 and subsets == list(combinations(range(position), size))
    if not every or task.vocab_size ** (frontier.width - 1) > MAX_STATES:
        laws = [joint_law(task, transitions, (position, *subset)) for subset in subsets]
        return np.array(laws).reshape(len(subsets), task.vocab_size, -1)
    layout = row_layout(task.vocab_size, sorted(transitions))
    tables = transfer_tables(frontier, layout, task.length)
    rows = law_rows(task, layout, transitions)
    moves, picks = [], []
    for kind in tables.kinds.tolist():
        run = slice(tables.offsets[kind], tables.offsets[kind] + tables.sizes[kind])
        moves.append((rows[tables.rows[run]], tables.following[run]))
    # The law of the token at the position given the state, from the last step backward.
    backward = np.eye(task.vocab_size)
    dense = []
    for law, following in reversed(moves):
        # [x, b, e]: the token b is next and the token at the position is e, given the state x.
        pick = law[:, :, np.newaxis] * backward[following]
        picks.append(pick.reshape(len(law), -1))
        step = np.zeros((len(law), len(backward)))
        np.add.at(step, (np.arange(len(law))[:, np.newaxis], following), law)
        dense.append(step)
        backward = pick.sum(axis=1)
    picks.reverse()
    dense.reverse()
    out = np.empty((len(subsets), task.vocab_size**size, task.vocab_size))
    ways = _Ways(moves, dense, picks, position)
    for n, law in enumerate(ways.sets(np.ones((1, 1)), 0, size)):
        out[n] = law
    return np.ascontiguousarray(out.transpose(0, 2, 1))


class _Ways:
    """Carries the law of (tokens of the set so far, state) from left to right."""

    def __init__(
        self, moves: list[tuple[Array, NDArray[np.int64]]], dense: list[Array], picks: list[Array], position: int
    ) -> None:
        self._moves, self._dense, self._picks, self._position = moves, dense, picks, position

    def sets(self, carried: Array, start: int, missing: int) -> Iterator[Array]:
        """Yield the laws (tokens of the set, token at the position) of all completions, in lexicographic order."""
        for j in range(start, self._position - missing + 1):
            if missing == 1:
                yield (carried @ self._picks[j]).reshape(-1, self._picks[j].shape[1] // self._symbols(j))
            else:
                yield from self.sets(self._marked(carried, j), j + 1, missing - 1)
            carried = carried @ self._dense[j]

    def _symbols(self, j: int) -> int:
        return int(self._moves[j][0].shape[1])

    def _marked(self, carried: Array, j: int) -> Array:
        """Return the law after step j with the token there as one more token of the set."""
        law, following = self._moves[j]
        symbols = law.shape[1]
        out = np.zeros((len(carried), symbols, self._dense[j].shape[1]))
        for b in range(symbols):
            np.add.at(out[:, b].T, following[:, b], (carried * law[:, b]).T)
        return out.reshape(len(carried) * symbols, -1)
