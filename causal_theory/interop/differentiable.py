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
    def gradient(self, batch: Batch) -> NDArray[Any]:
        """Return the derivative of ``-sum weights * log_probabilities`` by all parameters, (P,), in their precision."""

    @abstractmethod
    def structured(self, value: Array, error: Array, method: Any) -> Any:
        """Return flat numbers as estimates in the structure of the parameters."""


def total(model: Differentiable, batches: Iterable[Batch]) -> tuple[Array, Array]:
    """Return the sum of the gradients of batches, in double precision, and a bound on the rounding of its terms.

    A sum of many numbers is off by some spacings of them: 64, as they are added pairwise.
    """
    value = error = np.zeros(())
    for batch in batches:
        one = model.gradient(batch)
        value = value + one.astype(np.float64)
        error = error + 64.0 * float(np.finfo(one.dtype).eps) * np.abs(one.astype(np.float64))
    return value, error


def split(shapes: Sequence[tuple[int, ...]], *flat: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the parts of flat vectors that belong to each array of parameters, in its shape."""
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        yield tuple(one[start:stop].reshape(shape) for one in flat)
        start = stop
