"""Gauss quadrature: with a power as weight function on [0, 1], and for masses at given points."""

import numpy as np
from numpy.typing import NDArray

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


def _lanczos(points: Array, masses: Array, count: int) -> tuple[Array, Array]:
    """Diagonal and off-diagonal of the Jacobi matrix of masses at points.

    The vectors are made orthogonal twice to all before them: without that they lose their independence within a few
    steps, and the rule its exactness.
    """
    vectors = np.zeros((count, points.size))
    diagonal, off = np.empty(count), np.empty(count - 1)
    vectors[0] = np.sqrt(masses / masses.sum())
    for k in range(count):
        vector = points * vectors[k]
        diagonal[k] = vectors[k] @ vector
        for _ in range(2):
            vector = vector - (vectors[: k + 1] @ vector) @ vectors[: k + 1]
        if k + 1 < count:
            off[k] = np.sqrt(vector @ vector)
            vectors[k + 1] = vector / off[k]
    return diagonal, off


def _orthonormal(nodes: Array, first: float, diagonal: Array, off: Array) -> tuple[Array, Array, Array]:
    """Value of the next polynomial (up to a factor), its derivative, and the sum of squares of all before it.

    ``first`` is the constant polynomial, one over the root of the total mass.
    """
    before, value = np.zeros_like(nodes), np.full_like(nodes, first)
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


def _rule(first: float, diagonal: Array, off: Array) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1] from a Jacobi matrix and the constant polynomial of norm one.

    Nodes are its eigenvalues, improved by one Newton step; weights are the Christoffel numbers ``1 / sum_k p_k(x)^2``,
    a sum of positive terms, so that small weights keep their relative accuracy.
    """
    from scipy.linalg import eigh_tridiagonal

    nodes = np.asarray(eigh_tridiagonal(diagonal, off, eigvals_only=True), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # Polynomials of a steep weight overflow near zero, where the weights underflow: keep such nodes as they are.
        value, slope, _ = _orthonormal(nodes, first, diagonal, off)
        step = value / slope
        better = nodes - np.where(np.isfinite(step), step, 0.0)
        nodes = np.where((better > 0.0) & (better < 1.0), better, nodes).astype(np.float64)
        _, _, squares = _orthonormal(nodes, first, diagonal, off)
    weights = np.where(np.isfinite(squares), 1.0 / squares, 0.0)
    return nodes, weights


def gauss_power(power: float, count: int) -> tuple[Array, Array]:
    """Return nodes and weights on [0, 1] for the weight function ``x**power``.

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
    return _rule(np.sqrt(1.0 + power), *_recurrence(power, count))


def gauss_discrete(points: Array, masses: Array, count: int) -> tuple[Array, Array]:
    """Return few nodes and weights that stand for many masses: the same sums of all polynomials up to a degree.

    Parameters
    ----------
    points : ndarray of shape (n,)
        Different numbers between 0 and 1.
    masses : ndarray of shape (n,)
        Their positive masses.
    count : int
        Number of nodes, less than the number of points; the rule is exact for polynomials of degree up to
        ``2 count - 1``.

    Returns
    -------
    nodes, weights : ndarray of shape (count,)
        Both positive; the nodes lie between the smallest and the largest point.

    References
    ----------
    W. Gautschi, "Orthogonal Polynomials: Computation and Approximation", Oxford 2004, section 2.2.3 (the Lanczos
    algorithm for discrete measures).

    Examples
    --------
    >>> points, masses = np.arange(1, 100) / 100, np.arange(99, 0, -1.0)
    >>> nodes, weights = gauss_discrete(points, masses, 5)
    >>> bool(abs(weights @ nodes**9 / (masses @ points**9) - 1.0) < 1e-14)
    True
    """
    return _rule(float(1.0 / np.sqrt(masses.sum())), *_lanczos(points, masses, count))
