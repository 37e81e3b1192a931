"""What every prior offers, and what those built on one matrix share."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.notebook import array_block, block, facts
from causal_theory.validation import SeedLike, check_transition_matrix

__all__ = ["MatrixPrior", "Prior"]

SHOWN = 4
"""Matrices with at most this many symbols are printed in full."""


class Prior(ABC):
    """A law of the transition matrix ``pi``. Priors are immutable and compare by identity."""

    def _repr_html_(self) -> str:
        return block(facts(repr(self), {"symbols S": self.vocab_size} | self._facts()))

    def _facts(self) -> dict[str, object]:
        """Return what a notebook shows beside the number of symbols: names and values."""
        return {}

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """S, the number of symbols."""

    @property
    @abstractmethod
    def mean(self) -> NDArray[np.float64]:
        """The expectation of ``pi`` in closed form, shape (S, S)."""

    @property
    def representative(self) -> NDArray[np.float64] | None:
        """The matrix at which every label-invariant quantity equals its expectation; None if there is none."""
        return None

    @abstractmethod
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        """Draw independent matrices.

        Parameters
        ----------
        size : int
            Number of draws, at least 1.
        rng : seed or numpy Generator, optional
            Source of randomness; fresh entropy when None.

        Returns
        -------
        ndarray of shape (size, S, S)
            ``[n, a, b] = P(child = b | parent = a)`` in draw n; possibly a read-only view.

        Raises
        ------
        InvalidArgumentError
            If ``size`` is not a positive integer or ``rng`` is no seed.
        """


class MatrixPrior(Prior):
    """A prior given by one matrix, which is also its representative."""

    def __init__(self, transition: ArrayLike) -> None:
        matrix = check_transition_matrix("transition", transition)
        matrix.setflags(write=False)
        self._transition = matrix

    def __repr__(self) -> str:
        """Show a small matrix to four digits, the size of a larger one."""
        size = self.vocab_size
        shown = f"{size}x{size} matrix"
        if size <= SHOWN:
            shown = "[" + ", ".join("[" + ", ".join(f"{p:.4g}" for p in row) + "]" for row in self._transition) + "]"
        return f"{type(self).__name__}({shown})"

    def _repr_html_(self) -> str:
        return block(array_block(f"{type(self).__name__}: {self._description()}", self._transition))

    def _description(self) -> str:
        """Return what the matrix is for, in words."""
        return "rows are laws of the child of a symbol"

    @property
    def transition(self) -> NDArray[np.float64]:
        """The matrix, read-only, shape (S, S)."""
        return self._transition

    @property
    def vocab_size(self) -> int:
        """S, the number of symbols."""
        return len(self._transition)

    @property
    def representative(self) -> NDArray[np.float64]:
        """The matrix, read-only, shape (S, S)."""
        return self._transition
