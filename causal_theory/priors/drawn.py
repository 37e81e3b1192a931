"""A Dirichlet prior replaced by the relabelings of a few draws, fixed once."""

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.priors.base import Prior
from causal_theory.priors.dirichlet import DirichletPrior
from causal_theory.validation import SeedLike, as_generator, check_integer, check_memory

__all__ = ["DrawnPrior"]


class DrawnPrior(Prior, draws_laws=True):
    """All relabelings of a few matrices drawn from a Dirichlet prior, which are equally likely under it.

    Expectations are averages over the draws, with the standard error that such an average has as an estimate of the
    expectation under the Dirichlet prior. Every quantity is averaged over the same draws: the noise of two of them is
    common, and a loss falls along a descent on its gradient. Where the average over the names of the symbols is known
    in closed form, as for the gradient of stage 2, it is taken, so that a few draws break no symmetry of the prior.

    Parameters
    ----------
    prior : DirichletPrior
        What to draw from.
    draws : int
        Number of matrices, at least 2.
    rng : seed or numpy Generator, optional
        Source of randomness; fresh entropy when None.

    Raises
    ------
    InvalidArgumentError
        If ``prior`` is no Dirichlet prior or ``draws`` is not an integer of at least 2.

    Examples
    --------
    >>> from causal_theory import CausalGraph, DirichletPrior, InContextTask, loss_floor
    >>> from causal_theory.priors.drawn import DrawnPrior
    >>> prior = DrawnPrior(DirichletPrior(3, 1.0), 8, rng=0)
    >>> prior
    DrawnPrior(DirichletPrior(3, 1), 8)
    >>> task = InContextTask(CausalGraph.chain(6), prior)
    >>> float(loss_floor(task)) == float(loss_floor(task)), loss_floor(task).method
    (True, 'monte_carlo')
    """

    def __init__(self, prior: DirichletPrior, draws: int, rng: SeedLike = None) -> None:
        if not isinstance(prior, DirichletPrior):
            raise InvalidArgumentError(f"prior must be a DirichletPrior, got {type(prior).__name__}")
        self._prior = prior
        self._matrices = prior.sample(check_integer("draws", draws, 2), as_generator(rng))
        self._matrices.setflags(write=False)

    def __repr__(self) -> str:
        """Show the prior and the number of draws."""
        return f"{type(self).__name__}({self._prior!r}, {len(self._matrices)})"

    @override
    def facts(self) -> dict[str, object]:
        return {"law": f"all relabelings of {len(self._matrices)} draws from {self._prior!r}"}

    @property
    def vocab_size(self) -> int:
        """S, the number of symbols."""
        return self._prior.vocab_size

    @property
    def matrices(self) -> NDArray[np.float64]:
        """The draws, read-only, shape (draws, S, S)."""
        return self._matrices

    @property
    @default_floats
    def mean(self) -> NDArray[np.float64]:
        """Average over all relabelings of the draws, shape (S, S): one value on the diagonal, one off it."""
        size = self.vocab_size
        diagonal = float(np.trace(self._matrices, axis1=1, axis2=2).mean()) / size
        result = np.full((size, size), (1.0 - diagonal) / (size - 1))
        np.fill_diagonal(result, diagonal)
        return result

    @default_floats
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        """Draw relabelings of the draws, with replacement.

        Parameters
        ----------
        size : int
            Number of draws, at least 1.
        rng : int or Generator, optional
            Source of randomness; fresh entropy when None.

        Returns
        -------
        ndarray of shape (size, S, S)
            The relabelings.

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        """
        count = check_integer("size", size, 1)
        check_memory(f"{count} draws from {self!r}", 8 * count * self.vocab_size**2)
        generator = as_generator(rng)
        picked = self._matrices[generator.integers(len(self._matrices), size=count)]
        order = generator.permuted(np.tile(np.arange(self.vocab_size), (count, 1)), axis=1)
        rows = np.arange(count)[:, np.newaxis, np.newaxis]
        drawn: NDArray[np.float64] = picked[rows, order[:, :, np.newaxis], order[:, np.newaxis, :]]
        return drawn
