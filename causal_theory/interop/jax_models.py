"""Functions of JAX with their parameters."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.estimate import Estimate
from causal_theory.interop.differentiable import Batch, Differentiable, split
from causal_theory.interop.frameworks import load_jax

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def _jax() -> Any:
    return load_jax("a pair (function, parameters)")


class JaxModel(Differentiable):
    """A function ``(parameters, tokens) -> log-probabilities`` and its parameters, any pytree of arrays."""

    def __init__(self, function: Callable[[Any, Any], Any], parameters: Any) -> None:
        self._function, self._parameters = function, parameters
        self.name = getattr(function, "__qualname__", type(function).__name__)
        leaves = _jax().tree_util.tree_leaves(parameters)
        if not _has_double() and any(getattr(leaf, "dtype", None) == np.float64 for leaf in leaves):
            text = "JAX computes in single precision; for double set jax_enable_x64 before anything is computed"
            warnings.warn(text, UserWarning, stacklevel=4)
        self._forward = _jax().jit(function)
        self._slope = _jax().jit(_jax().grad(_weighted_loss(function)))

    @override
    def __call__(self, tokens: Integers) -> NDArray[Any]:
        return np.asarray(self._forward(self._parameters, _jax().numpy.array(tokens)))

    @override
    def in_double(self) -> "JaxModel | None":
        # Double precision is a setting of the whole process, which is the user's to make.
        if not _has_double():
            return None
        leaves = _jax().tree_util.tree_leaves(self._parameters)
        if all(np.asarray(leaf).dtype == np.float64 for leaf in leaves):
            return None
        double = _jax().tree_util.tree_map(
            lambda leaf: _jax().numpy.array(leaf, dtype=_jax().numpy.float64), self._parameters
        )
        return JaxModel(self._function, double)

    @override
    def gradient(self, batch: Batch) -> NDArray[Any]:
        tokens, weights = batch
        found = self._slope(self._parameters, _jax().numpy.array(tokens), _jax().numpy.array(weights))
        return np.concatenate([np.ravel(np.asarray(leaf)) for leaf in _jax().tree_util.tree_leaves(found)])

    @property
    @override
    def shapes(self) -> list[tuple[int, ...]]:
        return [np.shape(leaf) for leaf in _jax().tree_util.tree_leaves(self._parameters)]

    @override
    def structured(self, value: Array, error: Array, method: Any) -> Any:
        structure = _jax().tree_util.tree_structure(self._parameters)
        leaves = [Estimate(one, off, method) for one, off in split(self.shapes, value, error)]
        return _jax().tree_util.tree_unflatten(structure, leaves)


def _has_double() -> bool:
    """Tell whether JAX computes in double precision where it is asked to."""
    return bool(_jax().numpy.zeros(0).dtype == _jax().numpy.float64)


def _weighted_loss(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    def loss(parameters: Any, tokens: Any, weights: Any) -> Any:
        given = function(parameters, tokens)
        # A probability of zero has the logarithm -inf, which counts nothing where it has no weight.
        terms = _jax().numpy.where(weights > 0.0, weights.astype(given.dtype) * given, 0.0)
        return -terms.sum()

    return loss
