"""Define what a model offers whose gradient can be taken: the derivative of a weighted sum of its outputs."""

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.interop.door import Predictor

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

Batch = tuple[Integers, Array]
"""Tokens (n, T) and weights (n, S)."""


class Differentiable(Predictor):
    """A predictor with parameters.

    Derivatives come as one flat vector, which `structured` gives the structure of the parameters.
    """

    @property
    @abstractmethod
    def shapes(self) -> Sequence[tuple[int, ...]]:
        """Shapes of the arrays of parameters, in the order of the flat vector."""

    @abstractmethod
    def gradient(self, batch: Batch) -> Array:
        """Return the derivative of ``-sum weights * log_probabilities`` by all parameters, (P,).

        Weights may be negative. A prediction of weight zero counts nothing, also where it is -inf.
        """

    @abstractmethod
    def structured(self, value: Array, error: Array, method: Any) -> Any:
        """Return flat numbers as estimates in the structure of the parameters."""


HEADROOM = 256.0
"""Sum of the weights of a batch as a model is given them: probabilities of long sequences are too small for half
precision, and what is summed must not be too large."""


def total(model: Differentiable, batches: Iterable[Batch]) -> tuple[Array, Array]:
    """Return the sum of the gradients of batches, and of their absolute values."""
    value = size = np.zeros(())
    for tokens, weights in batches:
        # A power of two changes no digit of what has enough of them.
        scale = 2.0 ** np.round(np.log2(HEADROOM / (np.abs(weights).sum() or HEADROOM)))
        one = model.gradient((tokens, weights * scale)) / scale
        value, size = value + one, size + np.abs(one)
    return value, size


def split(shapes: Sequence[tuple[int, ...]], *flat: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the parts of flat vectors that belong to each array of parameters, in its shape."""
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        yield tuple(one[start:stop].reshape(shape) for one in flat)
        start = stop
