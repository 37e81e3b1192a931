"""Define what a model that can be trained offers: parameters in one flat vector, a gradient, and what is told of it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models.gradient import BatchGradient
from causal_theory.models.views import MatrixView
from causal_theory.validation import check_matrix, shown
from causal_theory.wording import count

if TYPE_CHECKING:
    from causal_theory.models.reduced import ReducedTransformer

Array = NDArray[np.float64]


class TrainableModel(Shown, ABC):
    """A model of sequences of ``length`` tokens over ``vocab_size`` symbols.

    A model of your own is trained, kept in checkpoints, drawn, reported and shown in notebooks like those of the
    package. It must have ``length``, ``vocab_size``, ``parameters``, ``with_parameters``, ``forward`` and
    ``gradient_at``; all else has a default. ``shapes`` gives the parameters names, ``describe`` adds options to what a
    checkpoint compares, ``first_attention`` lets training measure the attention on the parents.
    """

    # What every model must have.

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
        """All parameters, one after the other, shape (P,), read-only."""

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
    def forward(self, tokens: ArrayLike) -> Array:
        """Return the predictions for a batch.

        Parameters
        ----------
        tokens : array_like of int, shape (n, T)
            Symbols 0..S-1.

        Returns
        -------
        ndarray, shape (n, S)
            Predicted laws of the next token, one row for each sequence.

        Raises
        ------
        InvalidArgumentError
            If the tokens do not fit the model.
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

    # What a model may say better.

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Names and shapes of the matrices, in the order in which ``parameters`` holds their entries row by row."""
        return {"parameters": self.parameters.shape}

    @property
    def groups(self) -> Mapping[str, slice]:
        """Named parts of the parameters, by default the matrices; with two of them they can be trained in stages."""
        return self._slices()

    @property
    def loss_offset(self) -> float:
        r"""The distance of the loss below that of the normalised prediction, in nats; 0 where predictions sum to one.

        .. math:: \log \sum_b p_b

        for a loss :math:`-\sum_b y_b \log p_b` of numbers :math:`p_b` with the same sum for every sequence.
        """
        return 0.0

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions besides NumPy and numba whose version decides about the last bits of a gradient."""
        return ()

    def describe(self) -> dict[str, Any]:
        """Return kind and shape: two models of a class that agree in them can exchange parameters.

        Returns
        -------
        dict
            In terms of JSON. The representation shows all entries but ``"kind"``, a checkpoint compares all.
        """
        return {"kind": type(self).__name__, "length": self.length, "vocab_size": self.vocab_size}

    @default_floats
    def first_attention(self, tokens: ArrayLike) -> Array:
        """Return the attention of the first layer, averaged over a batch; by default that of no head.

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
        self.check_tokens(tokens)
        return np.zeros((0, self.length, self.length))

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
        return self.batch_gradient(tokens, targets)[0]

    def losses_and_attention(self, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        """Return what ``batch_losses`` and ``first_attention`` do; a model may find both at once.

        Parameters
        ----------
        tokens, targets : ndarray
            As for ``batch_losses``.

        Returns
        -------
        tuple of ndarray
            Losses (n,) in nats, and attention (H, T, T).
        """
        return self.batch_losses(tokens, targets), self.first_attention(tokens)

    def views(self) -> Sequence[MatrixView]:
        """Return the matrices that a figure shows: by default all, of several heads one after the other.

        Returns
        -------
        sequence of MatrixView
            With titles and descriptions of rows and columns.
        """
        found = []
        for name, values in self.matrices().items():
            if values.ndim == 2:
                found.append(MatrixView(name, values))
            elif values.ndim == 3:
                found += [MatrixView(f"{name}, head {h + 1}", head) for h, head in enumerate(values)]
        return found

    def tables(self) -> Mapping[str, Array]:
        """Return the arrays that a notebook shows.

        Returns
        -------
        mapping of str to ndarray
            By their captions.
        """
        return self.matrices()

    def as_reduced(self) -> "ReducedTransformer":
        """Return the model as a point (A1, A2, epsilon) of the theory, at which gradients are known exactly.

        Returns
        -------
        ReducedTransformer
            With the same parameters in the same order.

        Raises
        ------
        InvalidArgumentError
            If the model is none.
        """
        raise InvalidArgumentError(f"model must be a ReducedTransformer, got {type(self).__name__}")

    # What follows from the rest.

    def __repr__(self) -> str:
        """Return one line with the shape."""
        shape = ", ".join(f"{name}={shown(value)}" for name, value in self.options.items())
        return f"{type(self).__name__}({shape}, {count(len(self.parameters), 'parameter')})"

    @property
    def options(self) -> dict[str, object]:
        """All that ``describe`` says but the kind, as it was given."""
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.describe().items()
            if name != "kind"
        }

    @default_floats
    def matrices(self) -> dict[str, Array]:
        """Return all parameters by name.

        Returns
        -------
        dict of str to ndarray
            In the shapes of ``shapes``.

        Examples
        --------
        >>> from causal_theory import DisentangledTransformer
        >>> {name: matrix.shape for name, matrix in DisentangledTransformer(4, 2).matrices().items()}
        {'layer1': (1, 6, 6), 'layer2': (1, 12, 12), 'output': (24, 2)}
        """
        return self._split(self.parameters)

    def _slices(self) -> dict[str, slice]:
        ends = list(accumulate(map(math.prod, self.shapes.values())))
        return {name: slice(start, end) for name, start, end in zip(self.shapes, [0, *ends], ends, strict=False)}

    def _split(self, flat: Array) -> dict[str, Array]:
        """Return views of a flat vector by name."""
        shapes = self.shapes
        return {name: flat[part].reshape(shapes[name]) for name, part in self._slices().items()}

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
    def gradient(self, tokens: ArrayLike, targets: ArrayLike) -> BatchGradient:
        """Return the gradient of the mean loss of a batch.

        Parameters
        ----------
        tokens : array_like of int, shape (n, T)
            Symbols 0..S-1.
        targets : array_like, shape (n, S)
            Law of the next token.

        Returns
        -------
        BatchGradient
            Derivatives by name, in the shapes of ``matrices()``.

        Raises
        ------
        InvalidArgumentError
            If an argument has the wrong shape or values.
        """
        slopes = self.batch_gradient(*self._check_batch(tokens, targets))[1]
        return BatchGradient(slopes, self._split(slopes))

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
        return float(self.batch_losses(*self._check_batch(tokens, targets)).mean())

    def _check_batch(self, tokens: ArrayLike, targets: ArrayLike) -> tuple[NDArray[np.int64], Array]:
        batch = self.check_tokens(tokens)
        return batch, check_matrix("targets", targets, (len(batch), self.vocab_size))

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


def check_model(model: object) -> TrainableModel:
    """Return a model that can be trained.

    Raises
    ------
    InvalidArgumentError
        If it is something else.
    """
    if not isinstance(model, TrainableModel):
        raise InvalidArgumentError(
            f"model must be a ReducedTransformer or another TrainableModel, got {type(model).__name__}"
        )
    return model
