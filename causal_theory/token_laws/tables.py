"""A pass over a graph as arrays: which row of which tensor a token follows, and where the pass goes with it.

All laws that a token can follow are the rows of one matrix: row 0 the law of a root of the context, row 1 that of a
last position without parents (uniform: the query), then the rows of the transition tensor of every number of parents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs.frontier import Frontier
from causal_theory.tasks import InContextTask, root_law_at

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

TableArrays = tuple[Indices, Indices, Indices, Indices, Indices]
"""What the kernels take: the first five arrays of `TransferTables`."""

ROOT, QUERY, FIRST_TENSOR_ROW = 0, 1, 2


@dataclass(frozen=True)
class RowLayout:
    """The places of the rows of each transition tensor.

    Attributes
    ----------
    vocab_size : int
        S.
    starts : dict of int to int
        First row of the transition tensor for each number of parents.
    count : int
        Number of rows.
    """

    vocab_size: int
    starts: dict[int, int]
    count: int

    def parent_tokens(self, in_degree: int) -> Indices:
        """Return the tokens of the parents of every row of a transition tensor, shape (S^k, k)."""
        grid = np.indices((self.vocab_size,) * in_degree)
        return np.ascontiguousarray(grid.reshape(in_degree, -1).T, dtype=np.int64)

    def rows(self, in_degree: int) -> slice:
        """Return the rows of a transition tensor."""
        start = self.starts[in_degree]
        return slice(start, start + self.vocab_size**in_degree)


def row_layout(vocab_size: int, in_degrees: Sequence[int]) -> RowLayout:
    """Return the layout for transition tensors of some numbers of parents.

    Examples
    --------
    >>> row_layout(3, (1, 2))
    RowLayout(vocab_size=3, starts={1: 2, 2: 5}, count=14)
    """
    starts, count = {}, FIRST_TENSOR_ROW
    for degree in in_degrees:
        starts[degree] = count
        count += vocab_size**degree
    return RowLayout(vocab_size, starts, count)


def law_rows(task: InContextTask, layout: RowLayout, transitions: Mapping[int, Array]) -> Array:
    """Return the laws of all rows, shape (rows, S)."""
    size = layout.vocab_size
    laws = np.full((layout.count, size), 1.0 / size)
    if task.root_law == "stationary":
        laws[ROOT] = root_law_at(task, transitions[1])
    for degree in layout.starts:
        laws[layout.rows(degree)] = transitions[degree].reshape(-1, size)
    return laws


@dataclass(frozen=True, eq=False)
class TransferTables:
    """A pass along the frontier in the form that the kernels take.

    Attributes
    ----------
    kinds : ndarray of int64, shape (n,)
        Which table each visited position uses.
    offsets, sizes : ndarray of int64, shape (K,)
        For each table the place of its first state, and the number of states before the step.
    rows : ndarray of int64, shape (N,)
        The row of laws that the token follows, for every state of every table.
    following : ndarray of int64, shape (N, S)
        The state after the step, for every state and token.
    last : int
        Number of states at the end.
    largest : int
        Largest number of states.
    """

    kinds: Indices
    offsets: Indices
    sizes: Indices
    rows: Indices
    following: Indices
    last: int
    largest: int

    @property
    def arrays(self) -> TableArrays:
        """The arrays, in the order in which the kernels take them."""
        return self.kinds, self.offsets, self.sizes, self.rows, self.following

    @cached_property
    def repeated(self) -> tuple[int, int]:
        """First and number of the longest run of equal steps, if powers of their matrix pay; else 0, 0."""
        # A step can be repeated if the same kind comes next. The last one may lead to states of another kind.
        starts = np.flatnonzero(np.diff(np.concatenate([[-1], self.kinds, [-1]])))
        lengths = np.diff(starts) - 1
        longest = int(lengths.argmax())
        first, count = int(starts[longest]), int(lengths[longest])
        size = int(self.sizes[self.kinds[first]])
        pays = size * size * count.bit_length() < count * self.following.shape[1]
        return (first, count) if pays else (0, 0)


def transfer_tables(frontier: Frontier, layout: RowLayout, length: int) -> TransferTables:
    """Return the tables of a pass; states count tokens of the frontier, the first position most significant."""
    size = layout.vocab_size
    numbers: dict[object, int] = {}
    kinds, offsets, sizes = [], [], []
    rows: list[Indices] = []
    following: list[Indices] = []
    filled = 0
    for step in frontier.steps:
        is_query = not step.parents and step.position == length - 1
        key = (step.kind, is_query)
        if key not in numbers:
            numbers[key] = len(numbers)
            row, after = _step_table(step.parents, len(step.before), step.keep, is_query, layout)
            offsets.append(filled)
            sizes.append(len(row))
            filled += len(row)
            rows.append(row)
            following.append(after)
        kinds.append(numbers[key])
    last = size ** len(frontier.last)
    return TransferTables(
        kinds=np.array(kinds, dtype=np.int64),
        offsets=np.array(offsets, dtype=np.int64),
        sizes=np.array(sizes, dtype=np.int64),
        rows=np.concatenate(rows),
        following=np.concatenate(following),
        last=last,
        largest=max(last, *sizes),
    )


def _step_table(
    parents: tuple[int, ...], held: int, keep: tuple[int, ...], is_query: bool, layout: RowLayout
) -> tuple[Indices, Indices]:
    size = layout.vocab_size
    # Tokens of the frontier and the new one, for every state and token.
    tokens = np.indices((size,) * (held + 1)).reshape(held + 1, -1)
    row = np.full(size**held, QUERY if is_query else ROOT, dtype=np.int64)
    if parents:
        row[:] = layout.starts[len(parents)] + _number(tokens[list(parents), ::size], size)
    after = _number(tokens[list(keep)], size) if keep else np.zeros(tokens.shape[1], dtype=np.int64)
    return row, after.reshape(-1, size)


def _number(digits: Indices, base: int) -> Indices:
    """Return the numbers with the given digits, the first one most significant, shape (m, n) to (n,)."""
    number = np.zeros(digits.shape[1], dtype=np.int64)
    for row in digits:
        number = number * base + row
    return number
