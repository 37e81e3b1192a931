"""Symbols that occur with a probability below the smallest positive double, which every sum over symbols misses.

Only chi-square notices: with ``B = P / sqrt(p q) - sqrt(p q)`` it is the sum of the squares of all entries, and a row
or column of B has a norm of at most one, however rare its symbol is. So a lost symbol adds at most one to the error.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from causal_theory.pair_structure import Chain
from causal_theory.tasks import InContextTask, root_law_at

Array = NDArray[np.float64]


def same_support(tensor: Array) -> Array:
    """Return the tensor in which all possible symbols of a row are equally likely: its laws do not underflow.

    Examples
    --------
    >>> same_support(np.array([[1.0, 1e-300], [0.0, 1.0]])).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    possible = tensor > 0.0
    law: Array = possible / possible.sum(axis=-1, keepdims=True)
    return law


def lost_by_depth(task: InContextTask, chain: Chain, transition: Array) -> Array:
    """Return how many symbols are lost at each depth of a forest, shape (D + 1,)."""
    lost = np.zeros(len(chain.marginals))
    if (chain.marginals > 0.0).all():
        return lost
    law = root_law_at(task, same_support(transition)) > 0.0
    for depth, marginal in enumerate(chain.marginals):
        lost[depth] = np.count_nonzero(law & (marginal == 0.0))
        law = law @ (transition > 0.0) > 0.0
    return lost


def lost_symbols(
    laws: Array, transitions: Mapping[int, Array], evaluate: Callable[[Mapping[int, Array]], Array]
) -> Array:
    """Return how many symbols of each law (..., S) are zero that are possible; ``evaluate`` gives laws at tensors.

    Parameters
    ----------
    laws : ndarray of shape (..., S)
        The laws that `evaluate` gave for the transition tensors.
    transitions : mapping of int to ndarray
        Kernels by number of parents.
    evaluate : callable
        Called once more, only where a law has a zero and an entry of a transition tensor is not zero but small.
    """
    count: Array = np.zeros(laws.shape[:-1])
    small = any(((tensor > 0.0) & (tensor < 1e-3)).any() for tensor in transitions.values())
    if not small or (laws > 0.0).all():
        return count
    possible = evaluate({k: same_support(tensor) for k, tensor in transitions.items()}) > 0.0
    count += (possible & (laws == 0.0)).sum(axis=-1)
    return count
