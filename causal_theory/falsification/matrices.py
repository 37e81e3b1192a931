r"""Matrices that satisfy assumptions by construction, from points of a cube.

A point with one coordinate for each entry, and one more, becomes a matrix in three steps.

1. Rows are laws: the cubes of the coordinates, divided by their sum. With a constant mean the diagonal is divided by
   its own sum, and the rest of each row shares what is left.
2. Blending with the share ``lower_bound`` of the uniform matrix bounds the entries, and keeps a trace of 1.
3. Blending with :math:`1\mu^\top` multiplies ``B`` by a factor and changes neither the stationary law nor a trace of 1,
   nor the bound on the entries. The last coordinate picks the factor between the least one that non-degeneracy allows
   and the largest one that mixing allows; when there is none the point stands for no matrix.

From four symbols on there are three coordinates besides, and half of the points stand for matrices that random entries
hardly ever form: the last two symbols are rare and follow each other, all others depend weakly on what comes before.
``B`` is then large, and hardly any sequence shows it, unless a lower bound makes the rare symbols common enough.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import chi2_under, laws_of, stationary_distribution
from causal_theory.errors import TransitionError
from causal_theory.falsification.space import SearchSpace
from causal_theory.validation import check_transition_matrix

Array = NDArray[np.float64]

SPREAD = 3
"""The power that brings small entries within reach."""

ROOM = 1e-9
"""Kept from the bounds of the factor, so that roundoff and fractions do not step over them."""

HIDDEN = 2
"""Rare symbols of the matrices that hide their dependence."""

RAREST = 5.0
"""Decades between the largest and the least chance of a step to a rare symbol."""


def coordinates(symbols: int) -> int:
    """Return how many coordinates a point has."""
    return symbols**2 + (4 if _can_hide(symbols) else 1)


def _can_hide(symbols: int) -> bool:
    return symbols >= HIDDEN + 2


def matrix_at(point: Array, symbols: int, space: SearchSpace) -> Array | None:
    """Return the matrix of a point, or None where the assumptions leave none.

    Parameters
    ----------
    point : ndarray, shape (coordinates(symbols),)
        Coordinates between 0 and 1.
    symbols : int
        S.
    space : SearchSpace
        Which assumptions to keep.

    Returns
    -------
    ndarray of shape (S, S), or None
        A matrix that satisfies what the space keeps.
    """
    weights = point[: symbols**2].reshape(symbols, symbols)
    try:
        if _can_hide(symbols) and point[symbols**2] > 0.5:
            matrix = _hidden(weights, *point[symbols**2 + 1 : -1], constant_mean=space.constant_mean)
        else:
            matrix = _laws(weights, constant_mean=space.constant_mean)
        share = 0.0 if space.lower_bound is None else float(space.lower_bound)
        matrix = (1.0 - share) * matrix + share / symbols
        checked = check_transition_matrix("matrix", matrix)
        law = laws_of(checked[np.newaxis])[0]
    except TransitionError:
        return None
    low, high = _factors(chi2_under(checked, law), space)
    return None if low > high else _blend(matrix, law, low + (high - low) * float(point[-1]))


def _laws(weights: Array, *, constant_mean: bool) -> Array:
    """Return a matrix of positive rows, with a trace of 1 if wanted."""
    rows = np.array(weights**SPREAD + 1e-300)
    if not constant_mean:
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))
    diagonal = np.diagonal(rows) / np.trace(rows)
    np.fill_diagonal(rows, 0.0)
    rows *= ((1.0 - diagonal) / rows.sum(axis=1))[:, None]
    return rows + np.diag(diagonal)


def _hidden(weights: Array, rarity: float, strength: float, *, constant_mean: bool) -> Array:
    """Return a matrix whose last two symbols are rare and follow each other; the others depend weakly."""
    common = len(weights) - HIDDEN
    block = _laws(weights[:common, :common], constant_mean=constant_mean)
    block = _blend(block, stationary_distribution(block), strength**SPREAD)
    matrix = np.zeros_like(weights)
    matrix[:common, :common] = block
    # The rare step is paid for off the diagonal, so that the trace stays.
    room = float(block[0, 1:].sum())
    step = min(10.0 ** (-1.0 - RAREST * rarity), room / 2.0)
    matrix[0, 1:common] *= 1.0 - step / max(room, 1e-300)
    matrix[0, common] = step
    onward = float(weights[common, common + 1])
    matrix[common, common + 1] = onward
    matrix[common, :common] = (1.0 - onward) / common
    matrix[common + 1, :common] = 1.0 / common
    return matrix


def _blend(matrix: Array, law: Array, factor: float) -> Array:
    """Weaken the dependence on the parent; the stationary law and a trace of 1 stay."""
    return np.asarray((1.0 - factor) * law[None, :].repeat(len(law), axis=0) + factor * matrix)


def _factors(chi2: Array, space: SearchSpace) -> tuple[float, float]:
    """Return the bounds of the factor; the first exceeds the second when the norm is too small."""
    low, high = 0.0, 1.0
    largest, norm = float(np.linalg.norm(chi2, 2)), float(np.linalg.norm(chi2))
    if space.mixing is not None and largest > float(space.mixing):
        high = float(space.mixing) / largest * (1.0 - ROOM)
    if space.non_degeneracy is not None:
        low = float(space.non_degeneracy) / max(norm, 1e-12) * (1.0 + ROOM)
    return low, high
