"""Batches of fresh sequences for training: every sequence has a number and random numbers of its own.

Sequence n of a pair of key words is the same whatever the batch that it is drawn in and however many threads draw.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory import kernels
from causal_theory.chains import stationary_distributions
from causal_theory.errors import TooLargeError, TransitionError
from causal_theory.graphs import CausalGraph
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.threads import run_shared
from causal_theory.priors.base import Prior
from causal_theory.priors.rules import Transitions
from causal_theory.priors.sequences import draw_sequences

Array = NDArray[np.float64]
Keys = NDArray[np.uint64]
Tokens = NDArray[np.int64]

BLOCK = 256
"""Sequences that `SampledBatches` draws from one stream."""

MOST_MULTIPLICATIONS = 20

MOST_ROWS = 2**62
"""Rows of all transition tensors of a task: they are numbered by integers."""


def is_single_parent(graph: CausalGraph) -> bool:
    """Return whether every position and the target have at most one parent."""
    return max(graph.in_degrees) <= 1


def root_laws(matrices: Array, root_law: str) -> Array:
    """Return the laws of the roots under each matrix (K, S, S), shape (K, S)."""
    uniform = np.full(matrices.shape[:2], 1.0 / matrices.shape[1])
    return uniform if root_law == "uniform" else stationary_distributions(np.ascontiguousarray(matrices))


class Batches(ABC):
    """A source of sequences."""

    @abstractmethod
    def draw(self, keys: Keys, first: int, tokens: Tokens, targets: Array) -> None:
        """Fill tokens (n, T) and targets (n, S) with the sequences ``first ...``.

        Parameters
        ----------
        keys : ndarray of uint64, shape (2,)
            Key words of the stream.
        first : int
            Number of the first sequence.
        tokens, targets : ndarray
            What to fill.
        """


class SampledBatches(Batches):
    """Sequences of any prior, by its `sample` and `sample_transitions`: blocks of them, each from a stream of its own.

    Parameters
    ----------
    prior : Prior
        The law of the transition tensors.
    graph : CausalGraph
        The graph.
    root_law : str
        The law of the roots.
    """

    def __init__(self, prior: Prior, graph: CausalGraph, root_law: str) -> None:
        self._source = (prior, graph, root_law)
        self._last: tuple[object, Tokens, Array] | None = None

    @override
    def draw(self, keys: Keys, first: int, tokens: Tokens, targets: Array) -> None:
        filled = 0
        while filled < len(tokens):
            block, start = divmod(first + filled, BLOCK)
            count = min(BLOCK - start, len(tokens) - filled)
            drawn_tokens, drawn_targets = self._block(keys, block)
            tokens[filled : filled + count] = drawn_tokens[start : start + count]
            targets[filled : filled + count] = drawn_targets[start : start + count]
            filled += count

    def _block(self, keys: Keys, block: int) -> tuple[Tokens, Array]:
        """Return the sequences of a block; those of the last one are kept, for batches that end within it."""
        name = (block, keys.tobytes())
        if self._last is None or self._last[0] != name:
            # The block number is the highest word of the counter: streams do not overlap.
            stream = np.random.Philox(key=keys, counter=[0, 0, 0, block])
            self._last = name, *draw_sequences(*self._source, BLOCK, np.random.Generator(stream))[:2]
        return self._last[1:]


class MatrixBatches(Batches):
    """Sequences with at most one parent, under finitely many matrices that are equally likely.

    Parameters
    ----------
    graph : CausalGraph
        The graph.
    matrices, root_laws : ndarray, shapes (K, S, S) and (K, S)
        The matrices and the laws of their roots.
    renamed : bool
        Whether the symbols of every sequence get random names.
    """

    def __init__(self, graph: CausalGraph, matrices: Array, root_laws: Array, *, renamed: bool) -> None:
        self._graph = read_only(graph.parent_array), int(graph.target_parents[0])
        laws = read_only(np.asarray(matrices, dtype=np.float64)), read_only(root_laws)
        self._law = (*laws, renamed)

    @override
    def draw(self, keys: Keys, first: int, tokens: Tokens, targets: Array) -> None:
        run_shared(
            kernels.sampler.sample_matrices,
            len(tokens),
            keys,
            first,
            *self._graph,
            *self._law,
            tokens,
            targets,
            least=kernels.sampler.LEAST,
        )


class DirichletBatches(Batches):
    """Sequences with at most one parent, under a Dirichlet prior.

    Parameters
    ----------
    graph : CausalGraph
        The graph.
    root_law : str
        The law of the roots.
    concentration, floor : float
        Of the prior.
    name : str
        Of the prior, for messages.
    """

    def __init__(self, graph: CausalGraph, root_law: str, concentration: float, floor: float, name: str) -> None:
        self._name = name
        self._graph = read_only(graph.parent_array), int(graph.target_parents[0])
        self._law = _dirichlet_law(concentration, floor)
        self._uniform_roots = root_law == "uniform"

    @override
    def draw(self, keys: Keys, first: int, tokens: Tokens, targets: Array) -> None:
        flags = np.zeros(len(tokens), dtype=np.int64)
        run_shared(
            kernels.sampler.sample_dirichlet,
            len(tokens),
            keys,
            first,
            *self._graph,
            self._law,
            self._uniform_roots,
            tokens,
            targets,
            flags,
            least=kernels.sampler.LEAST,
        )
        if flags.any():
            raise TransitionError(
                'root_law must be "uniform" for matrices without a unique stationary law in floating point, got '
                f'"stationary" and such a matrix in sequence {first + int(np.argmax(flags))} of {self._name}'
            )


class RowBatches(Batches):
    """Sequences on any graph with uniform roots, under one tensor for each number of parents.

    Parameters
    ----------
    graph : CausalGraph
        The graph.
    transitions : mapping of int to ndarray
        The transition tensors.
    renamed : bool
        Whether the symbols of every sequence get random names.
    """

    def __init__(self, graph: CausalGraph, transitions: Transitions, *, renamed: bool) -> None:
        size = len(next(iter(transitions.values())))
        self._graph, degrees = _row_numbers(graph, size)
        self._rows = read_only(np.concatenate([transitions[degree].reshape(-1, size) for degree in degrees]))
        self._renamed = renamed

    @override
    def draw(self, keys: Keys, first: int, tokens: Tokens, targets: Array) -> None:
        run_shared(
            kernels.sampler.sample_rows,
            len(tokens),
            keys,
            first,
            *self._graph,
            self._rows,
            self._renamed,
            tokens,
            targets,
            least=kernels.sampler.LEAST,
        )


class DirichletRowBatches(Batches):
    """Sequences on any graph with uniform roots, under a Dirichlet prior.

    Parameters
    ----------
    graph : CausalGraph
        The graph.
    vocab_size : int
        S.
    concentration, floor : float
        Of the prior.
    """

    def __init__(self, graph: CausalGraph, vocab_size: int, concentration: float, floor: float) -> None:
        self._graph, _ = _row_numbers(graph, vocab_size)
        self._law = _dirichlet_law(concentration, floor)

    @override
    def draw(self, keys: Keys, first: int, tokens: Tokens, targets: Array) -> None:
        run_shared(
            kernels.sampler.sample_dirichlet_rows,
            len(tokens),
            keys,
            first,
            *self._graph,
            self._law,
            tokens,
            targets,
            least=kernels.sampler.LEAST,
        )


def _row_numbers(graph: CausalGraph, size: int) -> tuple[tuple[Tokens, Tokens, Tokens], list[int]]:
    """Return parents and first rows of all positions and the target, and the numbers of parents in order of rows."""
    first_rows, rows = {}, 0
    for degree in graph.in_degrees:
        first_rows[degree] = rows
        rows += size**degree
    if rows > MOST_ROWS:
        raise TooLargeError(
            f"graph must have transition tensors of at most {MOST_ROWS} rows in all, got up to {graph.in_degrees[-1]} "
            f"parents with {size} symbols"
        )
    entries = (*graph.parents, graph.target_parents)
    arrays = (
        np.cumsum([0, *map(len, entries)], dtype=np.int64),
        np.array([parent for entry in entries for parent in entry], dtype=np.int64),
        np.array([first_rows.get(len(entry), 0) for entry in entries], dtype=np.int64),
    )
    return arrays, list(first_rows)


def _dirichlet_law(concentration: float, floor: float) -> tuple[float, int, float]:
    """Return the law of the rows as the sampler takes it."""
    return concentration, _integer_inverse(concentration), floor


def _integer_inverse(concentration: float) -> int:
    """Return 1 / concentration when it is an integer from 2 to 20, for which gamma numbers are cheap; else 0."""
    inverse = round(1.0 / concentration)
    exact = 2 <= inverse <= MOST_MULTIPLICATIONS and 1.0 / inverse == concentration
    return inverse if exact else 0
