"""Compare and rename transition tensors, and turn what a prior was given into JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["distance", "plain", "renamed"]


def distance(given: ArrayLike, used: NDArray[np.float64]) -> float:
    """Return the largest distance between what was given and what is used."""
    return float(np.abs(used - np.asarray(given, dtype=np.float64)).max())


def renamed(transitions: NDArray[np.float64], orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a stack of transition tensors with the symbols of each in another order, along all axes alike.

    Examples
    --------
    >>> renamed(np.array([[[0.9, 0.1], [0.2, 0.8]]]), np.array([[1, 0]])).tolist()
    [[[0.8, 0.2], [0.1, 0.9]]]
    """
    count, size = orders.shape
    parents = transitions.ndim - 2
    rows = np.arange(len(transitions)).reshape(-1, *[1] * (parents + 1))
    axes = (orders.reshape(count, *[1] * axis, size, *[1] * (parents - axis)) for axis in range(parents + 1))
    drawn: NDArray[np.float64] = transitions[(rows, *axes)]
    return drawn


def plain(value: Any) -> Any:
    """Return a value in terms of JSON."""
    if hasattr(value, "to_dict"):  # a prior that is part of another
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
