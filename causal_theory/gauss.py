"""Gauss quadrature on [0, 1] with a power as weight function."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

__all__ = ["gauss_power"]

Array = NDArray[np.float64]


def _recurrence(power: float, count: int) -> tuple[Array, Array]:
    """Diagonal (n,) and off-diagonal (n - 1,) of the Jacobi matrix of the weight."""
    k = np.arange(count, dtype=np.float64)
    s = 2.0 * k + power
    diagonal = np.empty(count)
    diagonal[0] = (1.0 + power) / (2.0 + power)
    diagonal[1:] = 0.5 * (1.0 + power**2 / (s[1:] * (s[1:] + 2.0)))
    k, s = k[1:], s[1:]
    return diagonal, k * (k + power) / (s * np.sqrt((s - 1.0) * (s + 1.0)))


def _orthonormal(nodes: Array, power: float, diagonal: Array, off: Array) -> tuple[Array, Array, Array]:
    """Value of the next polynomial (up to a factor), its derivative, and the sum of squares of all before it."""
    before, value = np.zeros_like(nodes), np.full_like(nodes, np.sqrt(1.0 + power))
    before_slope, slope = np.zeros_like(nodes), np.zeros_like(nodes)
    squares = value**2
    last = 0.0
    for k in range(len(diagonal)):
        scale = off[k] if k < len(off) else 1.0
        shifted = nodes - diagonal[k]
        before_slope, slope = slope, (value + shifted * slope - last * before_slope) / scale
        before, value = value, (shifted * value - last * before) / scale
        last = scale
        if k < len(off):
            squares = squares + value**2
    return value, slope, squares


def gauss_power(power: float, count: int) -> tuple[Array, Array]:
    """Return nodes and weights on [0, 1] for the weight function ``x**power``.

    Nodes are eigenvalues of the Jacobi matrix, improved by one Newton step; weights are the Christoffel numbers
    ``1 / sum_k p_k(x)^2``, a sum of positive terms, so that small weights keep their relative accuracy.

    Parameters
    ----------
    power : float
        Exponent greater than -1.
    count : int
        Number of nodes; the rule is exact for polynomials of degree up to ``2 count - 1``.

    Returns
    -------
    nodes, weights : ndarray of shape (count,)
        Both positive; the weights sum to ``1 / (1 + power)``.

    References
    ----------
    W. Gautschi, "Orthogonal Polynomials: Computation and Approximation", Oxford 2004, section 3.1.

    Examples
    --------
    >>> nodes, weights = gauss_power(-0.9, 8)
    >>> bool(abs(weights @ nodes**15 - 1.0 / 15.1) < 1e-15)
    True
    """
    diagonal, off = _recurrence(power, count)
    nodes = np.asarray(eigh_tridiagonal(diagonal, off, eigvals_only=True), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # Polynomials of a steep weight overflow near zero, where the weights underflow: keep such nodes as they are.
        value, slope, _ = _orthonormal(nodes, power, diagonal, off)
        step = value / slope
        better = nodes - np.where(np.isfinite(step), step, 0.0)
        nodes = np.where((better > 0.0) & (better < 1.0), better, nodes).astype(np.float64)
        _, _, squares = _orthonormal(nodes, power, diagonal, off)
    weights = np.where(np.isfinite(squares), 1.0 / squares, 0.0)
    return nodes, weights
