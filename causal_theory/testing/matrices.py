"""Strategies that draw transition matrices, transition tensors of several parents and attention logits."""

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from causal_theory.chains import closed_classes
from causal_theory.testing.bounds import MOST_DRAWN, MOST_ENTRIES, check_entries, check_range, check_sizes, seeded
from causal_theory.validation import check_integer, check_positive

WEIGHT_BITS = 30
"""Ordinary entries are multiples of ``2**-WEIGHT_BITS``."""

TINY_BITS = (12, 44)
"""Small entries of a near-deterministic row are ``2**-k`` with k in this range; from more bits in a very long row."""


@st.composite
def _row(draw: st.DrawFn, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    if near_deterministic and draw(st.integers(0, 3)) == 3:
        tiny = 2.0 ** -draw(st.integers(*_tiny_bits(size)))
        row = np.full(size, tiny)
        row[draw(st.integers(0, size - 1))] = 1.0 - (size - 1) * tiny
        return row
    weights = np.array(draw(st.lists(st.integers(0 if zeros else 1, 20), min_size=size, max_size=size)))
    if not weights.any():
        weights[draw(st.integers(0, size - 1))] = 1
    return _exact_laws(weights)


def _tiny_bits(size: int) -> tuple[int, int]:
    """Return the range of k for which all but ``2**-7`` of a row stays with one entry."""
    return max(TINY_BITS[0], size.bit_length() + 7), TINY_BITS[1]


def _exact_laws(weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return laws in the ratio of the weights along the last axis, rounded so that they sum to one."""
    units = (weights * 2**WEIGHT_BITS) // weights.sum(axis=-1, keepdims=True)
    largest = units.argmax(axis=-1, keepdims=True)
    rest = 2**WEIGHT_BITS - units.sum(axis=-1, keepdims=True)
    np.put_along_axis(units, largest, np.take_along_axis(units, largest, axis=-1) + rest, axis=-1)
    return np.asarray(units / 2.0**WEIGHT_BITS, dtype=np.float64)


@st.composite
def _laws(draw: st.DrawFn, count: int, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    """Draw ``count`` laws of ``size`` symbols."""
    if count * size <= MOST_DRAWN:
        return np.array([draw(_row(size, zeros, near_deterministic)) for _ in range(count)])
    rng, rows = seeded(draw), np.arange(count)
    weights = rng.integers(1, 20, (count, size), endpoint=True)
    if zeros:
        weights[rng.random((count, size)) < rng.random((count, 1))] = 0
        weights[rows, rng.integers(0, size, count)] += 1
    laws = _exact_laws(weights)
    if near_deterministic:
        chosen = rows[rng.random(count) < 0.25]
        tiny = 2.0 ** -rng.integers(*_tiny_bits(size), chosen.size, endpoint=True)
        laws[chosen] = tiny[:, None]
        laws[chosen, rng.integers(0, size, chosen.size)] = 1.0 - (size - 1) * tiny
    return laws


def _join_classes(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Open all closed classes but the first: half of one row of each moves on to the class before it."""
    for before, after in pairwise([symbols[0] for symbols in closed_classes(matrix)]):
        matrix[after] *= 0.5
        matrix[after, before] += 0.5
    return matrix


@st.composite
def transition_matrix(
    draw: st.DrawFn, sizes: tuple[int, int], zeros: bool, near_deterministic: bool, unique_stationary: bool
) -> NDArray[np.float64]:
    """Draw a transition matrix of the checked sizes."""
    size = draw(st.integers(*sizes), label="S")
    matrix = draw(_laws(size, size, zeros, near_deterministic))
    return _join_classes(matrix) if unique_stationary else matrix


def transition_matrices(
    *,
    min_size: int = 2,
    max_size: int = 4,
    zeros: bool = True,
    near_deterministic: bool = True,
    unique_stationary: bool = True,
) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw transition matrices, hard ones included.

    Parameters
    ----------
    min_size, max_size : int
        Bounds of the number of symbols S, from 2 to 2048.
    zeros : bool
        Whether ordinary rows may contain zeros, up to rows with a single one.
    near_deterministic : bool
        Whether a quarter of the rows have one entry near 1 and all others equal to ``2**-k``, k between 12 and 44.
    unique_stationary : bool
        Whether the matrix must have one closed class, hence a unique stationary law. Transient symbols (stationary
        probability zero) occur in any case when zeros are allowed.

    Returns
    -------
    SearchStrategy of ndarray of shape (S, S)
        Rows sum to one without rounding.

    Raises
    ------
    InvalidArgumentError
        If ``2 <= min_size <= max_size <= 2048`` does not hold.

    Examples
    --------
    >>> from hypothesis import given
    >>> from causal_theory import stationary_distribution
    >>> @given(transition_matrices(max_size=3))
    ... def check(pi):
    ...     assert (pi.sum(axis=1) == 1.0).all() and abs(stationary_distribution(pi).sum() - 1.0) < 1e-14
    >>> check()
    """
    sizes = check_sizes(min_size, max_size)
    return transition_matrix(sizes, zeros, near_deterministic, unique_stationary)


@st.composite
def draw_tensor(draw: st.DrawFn, parents: int, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    """Draw a transition tensor of a checked number of parents."""
    return draw(_laws(size**parents, size, zeros, near_deterministic)).reshape((size,) * (parents + 1))


def transition_tensors(
    parents: int, size: int, *, zeros: bool = True, near_deterministic: bool = True
) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw transition tensors of several parents, hard ones included.

    Parameters
    ----------
    parents : int
        Number of parents k, at least 1.
    size : int
        S, at least 2.
    zeros, near_deterministic : bool
        As for :func:`transition_matrices`.

    Returns
    -------
    SearchStrategy of ndarray of shape (S,) * k + (S,)
        Rows along the last axis sum to one without rounding.

    Raises
    ------
    InvalidArgumentError
        If ``parents`` is below 1, ``size`` below 2, or the tensor has more than 2**22 entries.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(transition_tensors(2, 3))
    ... def check(tensor):
    ...     assert tensor.shape == (3, 3, 3) and (tensor.sum(axis=-1) == 1.0).all()
    >>> check()
    """
    count, symbols = check_integer("parents", parents, 1), check_integer("size", size, 2)
    check_entries("size", symbols, "parents", count)
    return draw_tensor(count, symbols, zeros, near_deterministic)


@st.composite
def _matrix(draw: st.DrawFn, size: int, bound: float) -> NDArray[np.float64]:
    if size**2 > MOST_DRAWN:
        return bound * seeded(draw).uniform(-1.0, 1.0, (size, size))
    entries: Any = st.floats(-bound, bound, allow_nan=False, allow_subnormal=bound < float(np.finfo(np.float64).tiny))
    values = draw(st.lists(entries, min_size=size**2, max_size=size**2))
    return np.array(values, dtype=np.float64).reshape(size, size)


def attention_matrices(size: int, *, magnitude: float = 3.0) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw a square matrix of attention logits, for either layer.

    Parameters
    ----------
    size : int
        T for the first layer, S for the second; from 1 to 2048.
    magnitude : float
        Largest absolute value of an entry, greater than 0.

    Returns
    -------
    SearchStrategy of ndarray of shape (size, size)
        Entries above the diagonal are drawn too; the first layer ignores them. Examples shrink towards zeros.

    Raises
    ------
    InvalidArgumentError
        If ``size`` is not an integer from 1 to 2048 or ``magnitude`` is not a positive number.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(attention_matrices(3, magnitude=2.0))
    ... def check(matrix):
    ...     assert matrix.shape == (3, 3) and abs(matrix).max() <= 2.0
    >>> check()
    """
    bound = check_positive("magnitude", magnitude)
    return _matrix(check_range("size", 1, "size", size, 1, int(MOST_ENTRIES**0.5))[1], bound)
