"""One known transition matrix, or one known transition tensor for each number of parents."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors.batches import Batches
from causal_theory.priors.matrix import MatrixPrior
from causal_theory.priors.rules import DEFAULT_DRAWS, OneMatrix, Rule
from causal_theory.validation import SeedLike, as_generator, check_integer


class PointPrior(MatrixPrior, draws_laws=True, kind="point"):
    """The transition matrix, or the transition tensor for each number of parents, is always the same.

    Parameters
    ----------
    transition : array_like of shape (S, S), path of a file, or mapping of int to them
        The matrix, ``[a, b] = P(child = b | parent = a)``; or for each number of parents k a transition tensor of shape
        ``(S,) * k + (S,)``, ``[a_1, ..., a_k, b] = P(child = b | parents = a_1, ..., a_k)``, in the order in which the
        graph lists the parents. A matrix is the transition tensor of one parent. Copied. Rows that sum to one up to
        1e-10 are normalised, and ``moved`` says by how much; laws stay as they are.
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
    >>> prior = PointPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> prior
    PointPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> prior.sample(5).shape
    (5, 2, 2)
    >>> PointPrior([[9, 1], [2, 2]], normalise=True)
    PointPrior([[0.9, 0.1], [0.5, 0.5]], row_sums=(4, 10))
    >>> import numpy as np
    >>> PointPrior({2: np.full((3, 3, 3), 1 / 3)})
    PointPrior({2: 3x3x3 transition tensor})
    """

    @property
    @override
    def description(self) -> str:
        return "always these transition tensors" if self.given_as_mapping else "always this transition matrix"

    @override
    def rule(self, in_degrees: Sequence[int] = (1,), *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Rule:
        return self._one

    @cached_property
    def _one(self) -> OneMatrix:
        return OneMatrix.of_laws(dict(self.transitions))

    @override
    def batches(self, graph: CausalGraph, root_law: str) -> Batches:
        return self._sources(graph, root_law, renamed=False)

    @property
    @override
    def mean(self) -> NDArray[np.float64]:
        return self.transition

    @override
    @default_floats
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        count = check_integer("size", size, 1)
        as_generator(rng)
        return np.broadcast_to(self.transition, (count, *self.transition.shape))

    @override
    @default_floats
    def sample_transitions(
        self, size: int, in_degrees: Sequence[int], rng: SeedLike = None
    ) -> dict[int, NDArray[np.float64]]:
        count = check_integer("size", size, 1)
        as_generator(rng)
        self.require_transitions(in_degrees)
        return {k: np.broadcast_to(self.transitions[k], (count, *self.transitions[k].shape)) for k in in_degrees}
