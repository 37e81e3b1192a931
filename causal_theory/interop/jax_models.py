"""Functions of JAX with their parameters."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.interop.differentiable import Batch, Differentiable, split
from causal_theory.interop.door import Numbers, not_floating
from causal_theory.interop.frameworks import load_jax

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def _jax() -> Any:
    return load_jax("a pair (function, parameters)")


class JaxModel(Differentiable):
    """A function ``(parameters, tokens) -> log-probabilities`` and its parameters, any pytree of arrays and numbers.

    Leaves that hold no floating-point numbers are constants of the function: it may index or reshape by them.
    """

    def __init__(self, function: Callable[[Any, Any], Any], parameters: Any) -> None:
        self._function, self._parameters = function, parameters
        self.name = getattr(function, "__qualname__", type(function).__name__)
        self._check_leaves()
        leaves, self._structure = _jax().tree_util.tree_flatten(parameters)
        self._is_trained = [
            _jax().numpy.issubdtype(_jax().numpy.result_type(leaf), _jax().numpy.floating) for leaf in leaves
        ]
        self._shapes = [np.shape(leaf) for leaf in leaves]
        self._trained = [leaf for leaf, own in zip(leaves, self._is_trained, strict=True) if own]
        if not _has_double() and any(getattr(leaf, "dtype", None) == np.float64 for leaf in leaves):
            text = "JAX computes in single precision; for double set jax_enable_x64 before anything is computed"
            warnings.warn(text, UserWarning, stacklevel=4)

        def of_trained(trained: Any, tokens: Any) -> Any:
            ahead = iter(trained)
            mixed = [next(ahead) if own else leaf for leaf, own in zip(leaves, self._is_trained, strict=True)]
            return function(_jax().tree_util.tree_unflatten(self._structure, mixed), tokens)

        self._forward = _jax().jit(of_trained)
        self._slope = _jax().jit(_jax().grad(_weighted_loss(of_trained)))

    def _check_leaves(self) -> None:
        for path, leaf in _jax().tree_util.tree_leaves_with_path(self._parameters):
            where = _jax().tree_util.keystr(path)
            try:
                kind = _jax().numpy.result_type(leaf)
            except (TypeError, ValueError) as error:
                raise InvalidArgumentError(
                    f"parameters must be arrays and numbers, got {type(leaf).__name__} at parameters{where}"
                ) from error
            if _jax().numpy.issubdtype(kind, _jax().numpy.complexfloating):
                raise InvalidArgumentError(f"parameters must be real, got {kind} at parameters{where}")

    @override
    def __call__(self, tokens: Integers) -> Numbers:
        given = self._forward(self._trained, _jax().numpy.array(tokens))
        if not isinstance(given, _jax().Array) or not _jax().numpy.issubdtype(given.dtype, _jax().numpy.floating):
            raise not_floating(self.name, given)
        kinds = {_jax().numpy.result_type(one) for one in (given, *self._trained)}
        return Numbers(np.asarray(given).astype(np.float64), max(map(_spacing, kinds)))

    @override
    def in_double(self) -> "JaxModel | None":
        # Double precision is a setting of the whole process, which is the user's to make.
        if not _has_double():
            return None
        leaves = [
            _jax().numpy.array(leaf, dtype=_jax().numpy.float64) if own else leaf
            for leaf, own in zip(_jax().tree_util.tree_leaves(self._parameters), self._is_trained, strict=True)
        ]
        return JaxModel(self._function, _jax().tree_util.tree_unflatten(self._structure, leaves))

    @override
    def gradient(self, batch: Batch) -> Array:
        tokens, weights = batch
        if not self._trained:
            raise InvalidArgumentError(f"model must have floating-point parameters, {self.name} has none")
        found = iter(self._slope(self._trained, _jax().numpy.array(tokens), _jax().numpy.array(weights)))
        return np.concatenate(
            [
                np.asarray(next(found)).astype(np.float64).ravel() if own else np.zeros(math.prod(shape))
                for shape, own in zip(self._shapes, self._is_trained, strict=True)
            ]
        )

    @property
    @override
    def shapes(self) -> list[tuple[int, ...]]:
        return self._shapes

    @override
    def structured(self, value: Array, error: Array, method: Any) -> Any:
        leaves = [Estimate(one, off, method) for one, off in split(self.shapes, value, error)]
        return _jax().tree_util.tree_unflatten(self._structure, leaves)


def _spacing(kind: Any) -> float:
    return float(_jax().numpy.finfo(kind).eps)


def _has_double() -> bool:
    """Tell whether JAX computes in double precision where it is asked to."""
    return bool(_jax().numpy.zeros(0).dtype == _jax().numpy.float64)


def _weighted_loss(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    def loss(parameters: Any, tokens: Any, weights: Any) -> Any:
        given = function(parameters, tokens)
        # A probability of zero has the logarithm -inf, which counts nothing where it has no weight.
        terms = _jax().numpy.where(weights != 0.0, weights.astype(given.dtype) * given, 0.0)
        return -terms.sum()

    return loss
