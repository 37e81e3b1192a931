"""Second attention matrices and the names of the symbols."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ignores_labels(A2: Array) -> bool:
    """Whether ``A2`` lies in the span of I and 11^T, so that the model does not depend on the names of symbols."""
    diagonal, others = np.diagonal(A2), A2[~np.eye(len(A2), dtype=bool)]
    return bool((diagonal == diagonal[0]).all() and (others == others[0]).all())


def mean_over_relabelings(matrix: Array) -> Array:
    """Average of ``P M P^T`` over all permutations: the mean of the diagonal, the mean of the rest.

    Constant parts come back unchanged, to the last bit.
    """
    size = len(matrix)
    diagonal = np.diagonal(matrix)
    others = matrix[~np.eye(size, dtype=bool)]
    rest = others[0] + (others - others[0]).mean()
    same = diagonal[0] + (diagonal - diagonal[0]).mean()
    mean: Array = np.where(np.eye(size, dtype=bool), same, rest)
    return mean


def heads_ignore_labels(heads: Array) -> bool:
    """Whether every matrix (k, S, S) lies in the span of I and 11^T."""
    return all(ignores_labels(head) for head in heads)
