"""One transition matrix, or one transition tensor for each number of parents, up to the names of the symbols."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors.batches import Batches
from causal_theory.priors.laws import renamed
from causal_theory.priors.matrix import MatrixPrior
from causal_theory.priors.rules import DEFAULT_DRAWS, Relabelings, Rule
from causal_theory.priors.verdicts import SYMMETRY, AssumptionCheck
from causal_theory.validation import SeedLike, as_generator, check_integer, check_memory


class OrbitPrior(MatrixPrior, draws_laws=True, kind="orbit"):
    """Uniform over the S! relabelings of one transition matrix, or of one transition tensor for each number of parents.

    A draw is ``P pi P^T`` with a uniform permutation matrix P; transition tensors are relabelled along all axes, all of
    them alike. Every quantity that does not depend on the names of the symbols takes the same value at every draw, so
    its expectation is its value at ``representative``: exact, without averaging.

    Parameters
    ----------
    transition : array_like of shape (S, S), path of a file, or mapping of int to them
        One matrix of the orbit, or for each number of parents k a transition tensor of shape ``(S,) * k + (S,)``.
        Copied. Rows that sum to one up to 1e-10 are normalised, and ``moved`` says by how much; laws stay as they are.
        A data frame of pandas or polars is taken when the names of its rows and columns agree; a file is CSV, TSV,
        JSON, ``.npy`` or ``.npz``.
    normalise : bool, default False
        Divide every row by its sum first: for counts, and for rows that are rounded or in single precision.
        ``row_sums`` says by what.

    Raises
    ------
    TransitionError
        If a matrix or transition tensor has the wrong shape, or rows along its last axis that are no laws; if names of
        rows and columns differ or a file cannot be read.

    Examples
    --------
    >>> prior = OrbitPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> for matrix in prior.relabelings():
    ...     print(matrix.tolist())
    [[0.9, 0.1], [0.2, 0.8]]
    [[0.8, 0.2], [0.1, 0.9]]
    """

    @property
    @override
    def description(self) -> str:
        what = "these transition tensors" if self.given_as_mapping else "this transition matrix"
        return f"all {self.permutations_count} relabelings of {what}, equally likely"

    @property
    @override
    def symmetric(self) -> bool:
        return True

    @override
    def _symmetry(self) -> AssumptionCheck:
        return AssumptionCheck("symmetry", SYMMETRY, True, 0.0, "uniform over all relabelings")

    @override
    def rule(self, in_degrees: Sequence[int] = (1,), *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Rule:
        return Relabelings(self.transitions, partial(self.relabelings_of, in_degrees), self.vocab_size)

    @override
    def batches(self, graph: CausalGraph, root_law: str) -> Batches:
        return self._sources(graph, root_law, renamed=True)

    @property
    def permutations_count(self) -> int:
        """S!, the number of relabelings, equal ones counted separately."""
        return factorial(self.vocab_size)

    def relabelings(self) -> Iterator[NDArray[np.float64]]:
        """Yield all matrices of the orbit.

        Yields
        ------
        ndarray of shape (S, S)
            The S! matrices ``P pi P^T``, each with probability 1/S! under the prior, in lexicographic order.
        """
        for order in permutations(range(self.vocab_size)):
            yield self.transition[np.ix_(order, order)]

    def relabelings_of(self, in_degrees: Sequence[int]) -> Iterator[dict[int, NDArray[np.float64]]]:
        """Yield the transition tensors of all elements of the orbit.

        Parameters
        ----------
        in_degrees : sequence of int
            Numbers of parents.

        Yields
        ------
        dict of int to ndarray
            The transition tensors with their axes relabelled, S! times, in lexicographic order.

        Examples
        --------
        >>> prior = OrbitPrior({2: [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]})
        >>> [transitions[2][0, 0].tolist() for transitions in prior.relabelings_of((2,))]
        [[1.0, 0.0], [1.0, 0.0]]
        """
        self.require_transitions(in_degrees)
        for order in permutations(range(self.vocab_size)):
            yield {k: self.transitions[k][np.ix_(*[order] * (k + 1))] for k in in_degrees}

    @property
    @override
    @default_floats
    def mean(self) -> NDArray[np.float64]:
        size = self.vocab_size
        trace = float(np.trace(self.transition))
        off = (float(self.transition.sum()) - trace) / (size * (size - 1))
        result = np.full((size, size), off)
        np.fill_diagonal(result, trace / size)
        return result

    @override
    @default_floats
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        order = self._draw_orders(size, rng)
        drawn: NDArray[np.float64] = self.transition[order[:, :, np.newaxis], order[:, np.newaxis, :]]
        return drawn

    @override
    @default_floats
    def sample_transitions(
        self, size: int, in_degrees: Sequence[int], rng: SeedLike = None
    ) -> dict[int, NDArray[np.float64]]:
        self.require_transitions(in_degrees)
        order = self._draw_orders(size, rng)
        return {k: renamed(self.transitions[k][np.newaxis], order) for k in in_degrees}

    def _draw_orders(self, size: int, rng: SeedLike) -> NDArray[np.int64]:
        """Return uniform permutations, shape (size, S)."""
        count = check_integer("size", size, 1)
        check_memory(f"{count} draws from {self!r}", 8 * count * self.vocab_size**2)
        labels = np.tile(np.arange(self.vocab_size), (count, 1))
        return as_generator(rng).permuted(labels, axis=1)
