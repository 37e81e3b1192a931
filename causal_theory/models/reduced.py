"""The reduced two-layer transformer, readable from top to bottom.

For tokens ``s_0 .. s_{T-1}`` with the query ``q = s_{T-1}``::

    a_i = softmax(A1[i, :i+1])        layer 1 attends by position
    k_i = sum_j a_ij e_{s_j}          and copies tokens: the key of position i
    w   = softmax_i(k_i . A2 e_q)     layer 2 compares keys with the query
    f_b = sum_i w_i [s_i = b]         and averages the tokens it attends to
    loss = -sum_b y_b log(f_b + eps)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from causal_theory import kernels
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models.base import TrainableModel
from causal_theory.models.views import MatrixView, second_matrix_view
from causal_theory.validation import check_epsilon, check_matrix, check_real

SEQUENCES_PER_SUM = 256
"""Sequences per partial sum: fixed, so that results do not depend on the number of threads."""

LOWEST_SCORE = -1e308
"""No softmax tells lower scores from this one."""

Array = NDArray[np.float64]


@default_floats
def check_attention_matrix(name: str, value: ArrayLike, length: int) -> Array:
    """Return a (T, T) matrix with zeros above the diagonal, where entries (also infinite ones) have no meaning."""
    matrix = np.array(check_real(name, value), dtype=np.float64)
    return check_matrix(name, np.tril(matrix) if matrix.ndim == 2 else matrix, (length, length))


@default_floats
def causal_softmax(A1: Array) -> Array:
    """Return the attention of layer 1.

    Parameters
    ----------
    A1 : ndarray of shape (T, T)
        Logits; what is above the diagonal is ignored.

    Returns
    -------
    ndarray of shape (T, T)
        ``softmax(A1[i, :i+1])`` in row i, zero above the diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> causal_softmax(np.zeros((3, 3))).round(3)
    array([[1.   , 0.   , 0.   ],
           [0.5  , 0.5  , 0.   ],
           [0.333, 0.333, 0.333]])
    """
    seen = np.tri(*A1.shape, dtype=np.bool_)
    logits = np.where(seen, A1, -np.inf)
    with np.errstate(over="ignore", under="ignore"):
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        attention: Array = weights / weights.sum(axis=1, keepdims=True)
    return attention


@default_floats
def key_scores(A2: Array) -> Array:
    """Return the scores (S, S) of the keys, ``[q, a]``, relative to the largest of each query.

    The softmax does not see what is common to a column of ``A2``; without it large columns lose no digits. A difference
    beyond ``LOWEST_SCORE`` is cut there, so that products with the attention stay finite.
    """
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(np.maximum(A2 - A2.max(axis=0), LOWEST_SCORE).T)


@dataclass(frozen=True, eq=False, repr=False)  # the representation of all models, which does not print the matrices
class ReducedTransformer(TrainableModel):
    """The reduced transformer with fixed parameters.

    Parameters
    ----------
    A1 : array_like, shape (T, T)
        Position by position; row i holds the logits of query position i, entries above the diagonal are ignored.
    A2 : array_like, shape (S, S)
        ``A2[a, q]``: score of key symbol a for query symbol q.
    epsilon : float
        Constant inside the logarithm of the loss, greater than 0.

    Examples
    --------
    >>> import numpy as np
    >>> model = ReducedTransformer(np.zeros((3, 3)), np.zeros((2, 2)), 0.1)
    >>> model.forward(np.array([[0, 1, 1]])).round(3)  # zero parameters: plain frequencies
    array([[0.333, 0.667]])
    """

    A1: Array
    A2: Array
    epsilon: float

    @default_floats
    def __post_init__(self) -> None:
        """Check shapes and values."""
        first, second = np.shape(self.A1), np.shape(self.A2)
        if len(first) != 2 or first[0] < 2:
            raise InvalidArgumentError(f"A1 must be a square matrix of size at least 2, got shape {first}")
        if len(second) != 2 or second[0] < 2:
            raise InvalidArgumentError(f"A2 must be a square matrix of size at least 2, got shape {second}")
        object.__setattr__(self, "A1", check_attention_matrix("A1", self.A1, first[0]))
        object.__setattr__(self, "A2", check_matrix("A2", self.A2, (second[0], second[0])))
        object.__setattr__(self, "epsilon", check_epsilon(self.epsilon))

    @property
    def attention(self) -> Array:
        """Attention of layer 1, (T, T), rows sum to one."""
        return causal_softmax(self.A1)

    @property
    @override
    def length(self) -> int:
        return len(self.A1)

    @property
    @override
    def vocab_size(self) -> int:
        return len(self.A2)

    @property
    @override
    @default_floats
    def parameters(self) -> Array:
        flat = np.concatenate([self.A1.ravel(), self.A2.ravel()])
        flat.setflags(write=False)
        return flat

    @property
    @override
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"A1": self.A1.shape, "A2": self.A2.shape}

    @override
    @default_floats
    def with_parameters(self, parameters: ArrayLike) -> "ReducedTransformer":
        flat = check_matrix("parameters", np.atleast_2d(parameters), (1, self.A1.size + self.A2.size))[0]
        A1, A2 = flat[: self.A1.size], flat[self.A1.size :]
        return replace(self, A1=A1.reshape(self.A1.shape), A2=A2.reshape(self.A2.shape))

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "kind": "reduced",
            "length": self.length,
            "vocab_size": self.vocab_size,
            "epsilon": self.epsilon,
        }

    @property
    @override
    def loss_offset(self) -> float:
        return math.log1p(self.vocab_size * self.epsilon)

    @override
    def as_reduced(self) -> "ReducedTransformer":
        return self

    @override
    def views(self) -> Sequence[MatrixView]:
        return [second_matrix_view(self.A2)]

    @override
    def tables(self) -> Mapping[str, Array]:
        return {
            "Attention of layer 1: query positions in rows, key positions in columns": self.attention,
            "A2: key symbols in rows, query symbols in columns": self.A2,
        }

    @override
    @default_floats
    def forward(self, tokens: ArrayLike) -> Array:
        return np.asarray(
            kernels.sequences.batch_predictions(self.check_tokens(tokens), self.attention, key_scores(self.A2))
        )

    @override
    @default_floats
    def first_attention(self, tokens: ArrayLike) -> Array:
        self.check_tokens(tokens)  # on which the attention does not depend
        return self.attention[np.newaxis]

    @override
    @default_floats
    def batch_losses(self, tokens: NDArray[np.int64], targets: Array) -> Array:
        found = kernels.reduced.reduced_batch(tokens, targets, self.attention, key_scores(self.A2), self.epsilon, False)
        return np.asarray(found[0])

    @override
    @default_floats
    def gradient_at(self, parameters: Array, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        cut = self.A1.size
        attention = causal_softmax(parameters[:cut].reshape(self.A1.shape))
        scores = key_scores(parameters[cut:].reshape(self.A2.shape))
        losses, first, second = kernels.reduced.reduced_batch(tokens, targets, attention, scores, self.epsilon, True)
        return losses, np.concatenate([first.ravel(), second.T.ravel()]) / len(tokens)
