"""One transition matrix up to the names of its symbols."""

from collections.abc import Iterator
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from causal_theory.priors.base import MatrixPrior
from causal_theory.validation import SeedLike, as_generator, check_integer

__all__ = ["OrbitPrior"]


class OrbitPrior(MatrixPrior):
    """Uniform over the S! relabelings of one transition matrix.

    A draw is ``P pi P^T`` with a uniform permutation matrix P. Every quantity that does not depend on the names of
    the symbols takes the same value at every draw, so its expectation is its value at ``representative``: exact,
    without averaging.

    Parameters
    ----------
    transition : array_like of shape (S, S)
        One matrix of the orbit. It is copied and never renormalised.

    Raises
    ------
    TransitionError
        If it is not a transition matrix with S >= 2.

    Examples
    --------
    >>> prior = OrbitPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> for matrix in prior.relabelings():
    ...     print(matrix.tolist())
    [[0.9, 0.1], [0.2, 0.8]]
    [[0.8, 0.2], [0.1, 0.9]]
    """

    def _description(self) -> str:
        return f"all {self.permutations_count} relabelings of this transition matrix, equally likely"

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
            yield self._transition[np.ix_(order, order)]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Average over all relabelings, shape (S, S): one value on the diagonal, one off it."""
        size = self.vocab_size
        trace = float(np.trace(self._transition))
        off = (float(self._transition.sum()) - trace) / (size * (size - 1))
        result = np.full((size, size), off)
        np.fill_diagonal(result, trace / size)
        return result

    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        """Draw independent relabelings.

        Parameters
        ----------
        size : int
            Number of draws, at least 1.
        rng : int or Generator, optional
            Source of randomness; fresh entropy when None.

        Returns
        -------
        ndarray of shape (size, S, S)
            The draws.

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        """
        count = check_integer("size", size, 1)
        labels = np.tile(np.arange(self.vocab_size), (count, 1))
        order = as_generator(rng).permuted(labels, axis=1)
        drawn: NDArray[np.float64] = self._transition[order[:, :, np.newaxis], order[:, np.newaxis, :]]
        return drawn
