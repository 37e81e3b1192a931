"""Classes of pairs of positions of a forest that share one joint law, and the numbers that it needs."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.graphs import CausalGraph
from causal_theory.kernels.arrays import read_only

PAIR_BYTES = 40
"""Memory for every pair of positions: keys, kinds, a value and its error."""

KEPT_LENGTH = 256
"""Up to this length those of the last graphs are kept: half a megabyte each."""


@dataclass(frozen=True, eq=False)
class PairStructure:
    """The kinds of dependent pairs of a forest.

    Attributes
    ----------
    kinds : ndarray of int64, shape (K, 3)
        Depth of the last common ancestor (0 when it does not matter), its distance to the earlier token, its
        distance to the later token.
    index : ndarray of int64, shape (T, T)
        For i > j the row of ``kinds`` that the pair belongs to; -1 for independent pairs, and for j >= i.
    depths : ndarray of int64, shape (T,)
        Distance of each position to its root.
    """

    kinds: NDArray[np.int64]
    index: NDArray[np.int64]
    depths: NDArray[np.int64]

    def below(self, values: NDArray[np.float64], diagonal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the lower triangle of `spread`, with the diagonal."""
        lower: NDArray[np.float64] = np.append(values, 0.0)[self.index] + 0.0  # a sum has no -0.0
        np.fill_diagonal(lower, diagonal)
        return lower

    def spread(self, values: NDArray[np.float64], diagonal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the symmetric (T, T) matrix with a value per kind, zeros across trees, and the given diagonal."""
        padded = np.append(values, 0.0)
        lower = padded[self.index]
        full: NDArray[np.float64] = lower + lower.T
        np.fill_diagonal(full, diagonal)
        return full


def pair_structure(graph: CausalGraph, *, stationary: bool) -> PairStructure:
    """Group the pairs of a forest by kind; with stationary roots the depth of the common ancestor is irrelevant."""
    return (_kept if graph.length <= KEPT_LENGTH else _group)(graph, stationary)


def _group(graph: CausalGraph, stationary: bool) -> PairStructure:
    depths = graph.depth
    keys = kernels.pairs.pair_keys(read_only(graph.parent_array), read_only(depths), stationary)
    radix = int(depths.max()) + 1
    found, index = _number(keys)
    kinds = np.ascontiguousarray(np.stack([found // radix**2, found // radix % radix, found % radix], axis=1))
    for kept in (kinds, index):
        kept.setflags(write=False)  # others may be given the same arrays
    return PairStructure(kinds, index, depths)


# Several quantities are asked for on the same graph, one after the other.
_kept = lru_cache(maxsize=16)(_group)


def _number(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct keys, sorted, and the place of every key among them; -1 stays -1."""
    highest = int(keys.max())
    if highest > 4 * keys.size:
        found, index = np.unique(keys, return_inverse=True)
        shift = int(found[0] < 0)
        return found[shift:], index.reshape(keys.shape) - shift
    # The keys are dense: a table is an order of magnitude faster than sorting.
    used = np.zeros(highest + 2, dtype=bool)
    used[keys.ravel()] = True
    used[-1] = False
    place = np.cumsum(used, dtype=np.int64) - 1
    place[-1] = -1
    return np.flatnonzero(used), place[keys]


class Chain(NamedTuple):
    """Powers of a transition matrix, in the order in which the kernels take them.

    Attributes
    ----------
    plain : ndarray, shape (D + 1, S, S)
        ``pi^d``.
    centred : ndarray, shape (D + 1, S, S)
        ``(pi - 1 m)^d`` with ``m`` the law at the largest depth. Differences of its rows are those of ``pi^d``,
        without the cancellation that a common part of size one would bring.
    errors : ndarray, shape (D + 1, S, S)
        Bounds on the errors of ``centred``.
    marginals : ndarray, shape (D + 1, S)
        The law of a token at each depth.
    """

    plain: NDArray[np.float64]
    centred: NDArray[np.float64]
    errors: NDArray[np.float64]
    marginals: NDArray[np.float64]


def chain_powers(
    transition: NDArray[np.float64], root_law: NDArray[np.float64], depth: int, *, stationary: bool
) -> Chain:
    """Return the powers up to ``depth`` and the laws of the tokens; with stationary roots all laws are the root law."""
    size = root_law.shape[0]
    marginals = np.empty((depth + 1, size))
    marginals[0] = root_law
    for d in range(depth):
        marginals[d + 1] = root_law if stationary else marginals[d] @ transition
    centred_step = transition - marginals[depth]
    plain = np.empty((depth + 1, size, size))
    centred = np.empty((depth + 1, size, size))
    errors = np.zeros((depth + 1, size, size))
    plain[0] = centred[0] = np.eye(size)
    unit = float(np.finfo(float).eps)
    magnitude = np.abs(centred_step)
    # Running error analysis: the step is off by the roundoff of its subtraction, each product by that of its sums.
    step_error = unit * (transition + marginals[depth]) + unit * size * magnitude
    for d in range(depth):
        plain[d + 1] = plain[d] @ transition
        centred[d + 1] = centred[d] @ centred_step
        errors[d + 1] = errors[d] @ magnitude + np.abs(centred[d]) @ step_error
    return Chain(plain, centred, errors, marginals)
