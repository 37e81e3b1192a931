"""Compute the standard transformer in PyTorch, from the embeddings to the loss, with shapes at each step.

The formulas are those of :mod:`causal_theory.models.standard`. All are functions of parameters and tokens, which
PyTorch differentiates.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.wording import needed

Array = NDArray[np.float64]
BLOCK = 1024
"""Sequences that are held in memory together; fixed, so that sums do not depend on the memory of a machine."""


def require_torch() -> Any:
    """Return the module ``torch``.

    Raises
    ------
    ImportError
        If PyTorch is not installed; the message says how to install it.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(needed("the standard transformer", "PyTorch", "torch")) from error
    return torch


class StandardLayer(NamedTuple):
    """The parameters of one layer with H heads.

    Attributes
    ----------
    attention : ndarray, shape (H, d, d)
        A of each head.
    values : ndarray, shape (H, d, d)
        V of each head.
    first, first_bias : ndarray, shape (d, d) and (d,)
        M1 and b1 of the network.
    second, second_bias : ndarray, shape (d, d) and (d,)
        M2 and b2 of the network.
    """

    attention: Any
    values: Any
    first: Any
    first_bias: Any
    second: Any
    second_bias: Any


class StandardParts(NamedTuple):
    """All parameters as arrays of their shapes, of NumPy or of PyTorch."""

    tokens: Any
    positions: Any
    layers: tuple[StandardLayer, ...]
    output: Any


def blocks(count: int) -> list[slice]:
    """Return slices of that many sequences, each small enough to be held in memory as a whole."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def like(parts: StandardParts, values: NDArray[Any]) -> Any:
    """Return a copy as a tensor in the precision of the parameters."""
    return require_torch().tensor(values, dtype=parts.tokens.dtype)


def embed(parts: StandardParts, tokens: NDArray[np.int64]) -> Any:
    """Return the vectors x of all positions, (n, T, d)."""
    # A product with one-hot vectors: the derivative of an index adds in an order that depends on the threads.
    return like(parts, np.eye(len(parts.tokens))[tokens]) @ parts.tokens + parts.positions


def attend(parts: StandardParts, queries: Any, x: Any, matrix: Any) -> Any:
    """Return the attention (n, q, T) of the last q positions, as many as there are queries, on all up to each."""
    length = x.shape[1]
    scores = queries @ matrix @ x.transpose(1, 2)
    future = np.triu(np.full((length, length), -np.inf), k=1)[-queries.shape[1] :]
    return require_torch().softmax(scores + like(parts, future), dim=2)


def first_attention(parts: StandardParts, tokens: NDArray[np.int64]) -> list[Any]:
    """Return the attention (n, T, T) of each head of the first layer."""
    x = embed(parts, tokens)
    return [attend(parts, x, x, matrix) for matrix in parts.layers[0].attention]


def network(layer: StandardLayer, x: Any) -> Any:
    """Return what the network after the attention makes of vectors of width d."""
    root = x.shape[-1] ** 0.5
    hidden = require_torch().relu(x @ layer.first + root * layer.first_bias)
    return hidden @ layer.second + root * layer.second_bias


def logits(parts: StandardParts, tokens: NDArray[np.int64], residual: str) -> Any:
    """Return the logits (n, S) of the next token."""
    x = embed(parts, tokens)
    for k, layer in enumerate(parts.layers):
        # Of the last layer only the last position is read.
        own = x[:, -1:] if k == len(parts.layers) - 1 else x
        read = sum(
            attend(parts, own, x, matrix) @ x @ value
            for matrix, value in zip(layer.attention, layer.values, strict=True)
        )
        if residual == "joint":
            x = own + network(layer, read)
        else:
            x = own + read
            x = x + network(layer, x)
    return x[:, 0] @ parts.output


def losses(parts: StandardParts, tokens: NDArray[np.int64], targets: Array, residual: str) -> Any:
    """Return the loss of each sequence, (n,), in nats."""
    return -(require_torch().log_softmax(logits(parts, tokens, residual), dim=1) * like(parts, targets)).sum(dim=1)
