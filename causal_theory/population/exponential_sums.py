r"""A sum of exponentials for ``1 / (n + c)`` whose number of terms grows like ``log T``.

Three pieces, each with a bound (``docs/theory/quadrature.md`` derives them): the trapezoidal rule for
:math:`1/x = \int e^{v - x e^v} dv` on an infinite grid; a Gauss rule for its infinitely many points where the
exponential is flat; a Gauss rule in ``z = e^-t`` for those where all but small ``n`` have vanished.
"""

from functools import lru_cache
from math import ceil, exp, factorial, pi, sinh, sqrt

import numpy as np
from numpy.typing import NDArray

from causal_theory.gauss import gauss_discrete

STEP = 0.261
"""Step of the trapezoidal rule in ``v``: its relative error is just below 1e-15, for every ``x``."""

FLAT_NODES = 10
"""Nodes of the flat end. One more would save one point of the grid, as one less would cost one."""

SHARE = 2e-16
"""Relative error that each of the two ends may add."""

MOST_STEEP_NODES = 16
SHORTEST_TIME = 0.1
"""Below this time a polynomial in ``e^-t`` does not pay: the grid is as good."""

VANISHED = 100.0
"""``e^-100`` is nothing beside anything."""

UNIT = float(np.finfo(float).eps)

Array = NDArray[np.float64]


def _aliasing(step: float) -> float:
    """Bound the relative error of the infinite trapezoidal rule: ``2 sum_k |Gamma(1 + 2 pi i k / step)|``."""

    def gamma(w: float) -> float:
        return sqrt(2.0 * pi * w * exp(-pi * w) / (1.0 - exp(-2.0 * pi * w)))

    return 2.0 * sum(gamma(2.0 * pi * k / step) for k in range(1, 10))


@lru_cache(maxsize=1)
def _flat_rule() -> tuple[Array, Array, float]:
    """Nodes and weights for the points ``s_k = e^-(k + 1/2) h`` of mass ``h s_k``, and the largest ``x tau`` for it.

    The Gauss rule errs on ``e^(-y s)`` by at most ``y^2m / (2m)!`` times the integral of the square of any monic
    polynomial of degree m; that of Chebyshev on [0, s_0] has squares of at most ``4 (s_0 / 4)^2m``.
    """
    points = np.exp(-STEP * (np.arange(ceil(40.0 / STEP)) + 0.5))
    masses = STEP * points
    # All later points lie within e^-40 of zero and of each other: their masses go to the last one.
    masses[-1] /= -np.expm1(-STEP)
    nodes, weights = gauss_discrete(points, masses, FLAT_NODES)
    order = 2 * FLAT_NODES
    total = STEP / (2.0 * sinh(STEP / 2.0))
    reach = (SHARE * factorial(order) / (4.0 * total) * (4.0 * exp(STEP / 2.0)) ** order) ** (1.0 / (order + 1))
    return nodes, weights, reach


def _steep_error(first: float, mass: float, shift: float, degree: int, count: int) -> float:
    """Bound the relative error, over all ``n``, of ``count`` nodes in place of the points from time ``first`` on.

    On [0, 1] the power ``y^p`` is within ``2 P(Bin(2p, 1/2) >= p + d)`` of a polynomial of degree less than d; a Gauss
    rule of d/2 nodes errs by twice that times the mass. Without nodes the points are left out, which is once the mass.
    """
    from scipy.special import bdtrc

    powers = np.arange(2 * count, min(degree, 2 * count + ceil(60.0 / first)))
    if powers.size == 0:
        return 0.0
    sizes = mass * np.exp(-first * powers) * (powers + 1.0 + shift)
    if count > 0:
        sizes *= 2.0 * np.minimum(1.0, 2.0 * bdtrc(powers + 2 * count - 1, 2 * powers, 0.5))
    return float(sizes.max())


def _cut(times: Array, masses: Array, shift: float, degree: int) -> tuple[int, int, float]:
    """Choose how many points of the grid are kept and how many nodes stand for the rest, with the bound of these."""
    rest = np.append(np.cumsum(masses[::-1])[::-1], 0.0)
    kept, count, error = len(times), 0, 0.0
    need = 0
    for cut in range(len(times) - 1, -1, -1):
        found = _steep_error(times[cut], rest[cut], shift, degree, need)
        while found > SHARE:
            if need >= MOST_STEEP_NODES or times[cut] < SHORTEST_TIME:
                return kept, count, error
            need += 1
            found = _steep_error(times[cut], rest[cut], shift, degree, need)
        if cut + need < kept + count:
            kept, count, error = cut, need, found
    return kept, count, error


def exponential_sum(shift: float, degree: int) -> tuple[Array, Array, float]:
    r"""Return nodes, weights and a bound on the relative error of ``sum_k w_k z_k^n = 1 / (n + shift)``.

    With :math:`x = n + c`, times :math:`t_k = \tau e^{(k + 1/2) h}` and ``h`` the step,

    .. math::

        \frac1x \approx h \sum_{k \in \mathbb{Z}} t_k e^{-x t_k}
        \approx \tau \sum_j \gamma_j e^{-x \tau s_j} + h \sum_{k=0}^{K-1} t_k e^{-x t_k} + \sum_j g_j z_j^{n-1}
        + W_0\, [n = 0].

    Parameters
    ----------
    shift : float
        The positive number ``c``.
    degree : int
        The largest ``n``, at least 1.

    Returns
    -------
    nodes : ndarray of shape (m + 1,)
        Sorted, in [0, 1), the first of them 0; ``m`` is about ``4 log(degree)`` or less.
    weights : ndarray of shape (m + 1,)
        Positive, that of the node at zero possibly zero.
    error : float
        Bound for all integers ``n`` from 0 to ``degree``: aliasing of the trapezoidal rule, both Gauss rules, and
        roundoff of nodes, which the power ``n`` multiplies.

    References
    ----------
    D. Braess, W. Hackbusch, "Approximation of 1/x by exponential sums in [1, infinity)", IMA Journal of Numerical
    Analysis 25 (2005), 685-697. G. Beylkin, L. Monzon, "Approximation by exponential sums revisited", Applied and
    Computational Harmonic Analysis 28 (2010), 131-149: the integral and its trapezoidal rule.

    Examples
    --------
    >>> nodes, weights, error = exponential_sum(10.0, 1000)
    >>> n = np.arange(1001)
    >>> off = (weights @ nodes[:, None] ** n) * (n + 10.0) - 1.0
    >>> nodes.size < 40, bool(abs(off).max() < error < 2e-13)
    (True, True)
    """
    flat_nodes, flat_weights, reach = _flat_rule()
    tau = reach / (degree + shift)
    grid = np.arange(max(1, ceil(np.log(VANISHED / tau / (1.0 + shift)) / STEP)))
    times = tau * np.exp(STEP * (grid + 0.5))
    # Masses for n = 1; those of n = 0 may reach much further, and are left to the node at zero.
    masses = STEP * times * np.exp(-(1.0 + shift) * times)
    kept, count, steep_error = _cut(times, masses, shift, degree)
    slow = tau * flat_nodes
    nodes = [np.exp(-slow), np.exp(-times[:kept])]
    weights = [tau * flat_weights * np.exp(-shift * slow), STEP * times[:kept] * np.exp(-shift * times[:kept])]
    if count > 0:
        steep_nodes, steep_weights = gauss_discrete(np.exp(-times[kept:]), masses[kept:], count)
        nodes.append(steep_nodes)
        weights.append(steep_weights / steep_nodes)
    interior, heights = np.concatenate(nodes), np.concatenate(weights)
    order = np.argsort(interior)
    # The node at zero makes n = 0 right. Its weight is positive but for roundoff and aliasing, where it is tiny.
    at_zero = max(0.0, 1.0 / shift - float(heights.sum()))
    error = _aliasing(STEP) + SHARE + steep_error + UNIT * (0.5 * degree + 16.0)
    return np.append(0.0, interior[order]), np.append(at_zero, heights[order]), error
