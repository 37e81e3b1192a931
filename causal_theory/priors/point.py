"""One known transition matrix."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.priors.base import MatrixPrior
from causal_theory.validation import SeedLike, as_generator, check_integer

__all__ = ["PointPrior"]


class PointPrior(MatrixPrior):
    """The transition matrix is always the same.

    Parameters
    ----------
    transition : array_like of shape (S, S)
        The matrix, ``[a, b] = P(child = b | parent = a)``. It is copied and never renormalised.

    Raises
    ------
    TransitionError
        If it is not a transition matrix with S >= 2.

    Examples
    --------
    >>> prior = PointPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> prior
    PointPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> prior.sample(5).shape
    (5, 2, 2)
    """

    def _description(self) -> str:
        return "always this transition matrix"

    @property
    def mean(self) -> NDArray[np.float64]:
        """The matrix itself, read-only, shape (S, S)."""
        return self._transition

    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        """Return the matrix several times; nothing is drawn.

        Parameters
        ----------
        size : int
            Number of draws, at least 1.
        rng : int or Generator, optional
            Source of randomness; fresh entropy when None.

        Returns
        -------
        ndarray of shape (size, S, S)
            Read-only view of one matrix.

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        """
        count = check_integer("size", size, 1)
        as_generator(rng)
        return np.broadcast_to(self._transition, (count, *self._transition.shape))
