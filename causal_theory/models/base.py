"""What a model that can be trained offers, whatever its shape: parameters in one flat vector, and a batch gradient."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.notebook import block, count, facts
from causal_theory.validation import check_matrix

__all__ = ["TrainableModel"]

Array = NDArray[np.float64]


class TrainableModel(ABC):
    """A transformer on sequences of ``length`` tokens over ``vocab_size`` symbols."""

    def __repr__(self) -> str:
        """Return one line with the shape."""
        shape = ", ".join(f"{name}={_as_given(value)!r}" for name, value in self.describe().items() if name != "kind")
        return f"{type(self).__name__}({shape}, {count(len(self.parameters), 'parameter')})"

    @default_floats
    def _repr_html_(self) -> str:
        flat = self.parameters
        parts = (f"{name}: {part.stop - part.start}" for name, part in self.groups.items())
        rows: dict[str, object] = {
            **{name: str(_as_given(value)) for name, value in self.describe().items() if name != "kind"},
            "parameters": f"{len(flat)} ({', '.join(parts)})",
            "largest absolute value": float(np.abs(flat).max(initial=0.0)),
        }
        return block(facts(type(self).__name__, rows), *self._matrices())

    def _matrices(self) -> Sequence[str]:
        """Return markup of the matrices that a notebook shows."""
        return ()

    @property
    @abstractmethod
    def length(self) -> int:
        """T, the number of tokens of a sequence."""

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """S, the number of symbols."""

    @property
    @abstractmethod
    def parameters(self) -> Array:
        """All parameters, one after the other, read-only."""

    @property
    @abstractmethod
    def groups(self) -> Mapping[str, slice]:
        """Named parts of the parameters that can be trained by themselves."""

    @abstractmethod
    def with_parameters(self, parameters: ArrayLike) -> Self:
        """Return a model of the same shape with other parameters.

        Parameters
        ----------
        parameters : array_like, shape (P,)
            All parameters, in the order of ``parameters``.

        Returns
        -------
        TrainableModel
            A new model; this one is not changed.

        Raises
        ------
        InvalidArgumentError
            If an argument has the wrong shape or values.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return kind and shape: two models that agree in them can exchange parameters.

        Returns
        -------
        dict
            In terms of JSON.
        """

    @abstractmethod
    def gradient_at(self, parameters: Array, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        """Return losses, and the gradient of their mean, at other parameters; nothing is checked.

        Parameters
        ----------
        parameters : ndarray, shape (P,)
            Flat parameters.
        tokens : ndarray of int64, shape (n, T)
            Checked tokens.
        targets : ndarray, shape (n, S)
            Laws of the next token.

        Returns
        -------
        ndarray, shape (n,)
            Losses in nats.
        ndarray, shape (P,)
            Gradient of their mean.
        """

    @abstractmethod
    def batch_losses(self, tokens: NDArray[np.int64], targets: Array) -> Array:
        """Return the loss of each sequence; nothing is checked.

        Parameters
        ----------
        tokens : ndarray of int64, shape (n, T)
            Checked tokens.
        targets : ndarray, shape (n, S)
            Laws of the next token.

        Returns
        -------
        ndarray, shape (n,)
            Losses in nats.
        """

    @abstractmethod
    def forward(self, tokens: ArrayLike) -> Array:
        """Return the predictions for a batch.

        Parameters
        ----------
        tokens : array_like of int, shape (n, T)
            Symbols 0..S-1.

        Returns
        -------
        ndarray, shape (n, S)
            Predictions, one row for each sequence.

        Raises
        ------
        InvalidArgumentError
            If the tokens do not fit the model.
        """

    @abstractmethod
    def first_attention(self, tokens: ArrayLike) -> Array:
        """Return the attention of the first layer, averaged over a batch.

        Parameters
        ----------
        tokens : array_like of int, shape (n, T)
            Symbols 0..S-1.

        Returns
        -------
        ndarray, shape (H, T, T)
            Rows are query positions; one matrix for each head.

        Raises
        ------
        InvalidArgumentError
            If the tokens do not fit the model.
        """

    def batch_gradient(self, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        """Return losses, and the gradient of their mean by the parameters; nothing is checked.

        Parameters
        ----------
        tokens : ndarray of int64, shape (n, T)
            Checked tokens.
        targets : ndarray, shape (n, S)
            Laws of the next token.

        Returns
        -------
        ndarray, shape (n,)
            Losses in nats.
        ndarray, shape (P,)
            Gradient of their mean.
        """
        return self.gradient_at(self.parameters, tokens, targets)

    @default_floats
    def loss(self, tokens: ArrayLike, targets: ArrayLike) -> float:
        """Return the mean loss of a batch.

        Parameters
        ----------
        tokens : array_like of int, shape (n, T)
            Symbols 0..S-1.
        targets : array_like, shape (n, S)
            Law of the next token.

        Returns
        -------
        float
            In nats.

        Raises
        ------
        InvalidArgumentError
            If an argument has the wrong shape or values.
        """
        batch = self.check_tokens(tokens)
        return float(self.batch_losses(batch, check_matrix("targets", targets, (len(batch), self.vocab_size))).mean())

    @default_floats
    def check_tokens(self, tokens: ArrayLike) -> NDArray[np.int64]:
        """Return tokens as a contiguous array when they fit the model.

        Parameters
        ----------
        tokens : array_like of int, shape (n, T)
            Symbols 0..S-1.

        Returns
        -------
        ndarray of int64, shape (n, T)
            The tokens.

        Raises
        ------
        InvalidArgumentError
            If they are not integers, there is no sequence, or length or symbols are not those of the model.
        """
        batch = np.asarray(tokens)
        if batch.ndim != 2 or batch.shape[1] != self.length or not np.issubdtype(batch.dtype, np.integer):
            raise InvalidArgumentError(
                f"tokens must be integers of shape (n, {self.length}), got {batch.dtype} of shape {batch.shape}"
            )
        if batch.size == 0 or batch.min() < 0 or batch.max() >= self.vocab_size:
            raise InvalidArgumentError(f"tokens must hold at least one sequence of symbols 0..{self.vocab_size - 1}")
        return np.ascontiguousarray(batch, dtype=np.int64)


def _as_given(value: object) -> object:
    """Return what became a list on its way to JSON as the tuple that it was."""
    return tuple(value) if isinstance(value, list) else value
