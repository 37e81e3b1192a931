"""Quadrature over the Dirichlet prior on two symbols.

Write ``pi = [[1 - x, x], [y, 1 - y]]``; ``x`` and ``y`` are independent Beta(c, c). With stationary roots the
integrand contains ``mu = (y, x) / (x + y)``, which has no limit at ``x = y = 0``.

Small concentrations put mass near that corner, so that a plain product rule converges slowly. There the square is cut
along its diagonal and each triangle is mapped to a square by ``(x, y) = (r, r t)`` (Duffy's transformation): ``mu``
then depends on ``t`` alone and is smooth. The other three quarters of the unit square need only the endpoint weights.
Steep endpoint weights need a Gauss-Radau rule: its node at zero carries the mass that gathers there as ``c`` goes to 0.

Large concentrations put practically no mass there: the product of two Gauss-Gegenbauer rules converges fast.
No weight is negative; some underflow to zero at extreme concentrations.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import gamma

from causal_theory.gauss import gauss_power

__all__ = ["binary_dirichlet_rule"]

Array = NDArray[np.float64]

ZERO = 1e-40
"""Stands for the node at zero: below all roundoff, yet ``mu`` is defined and no product of a few of them underflows."""

STEEP = 0.25
"""Below this exponent the Gauss-Radau rule is used, above it the Gauss rule, which is then a little better."""

CONCENTRATED = 8.0
"""From this concentration on the plain product rule is used: 15 nodes reach 1e-14."""


def _power_law(exponent: float, nodes: int) -> tuple[Array, Array]:
    """Rule for the law with density ``c x^(c - 1)`` on [0, 1], c the exponent.

    A small ``c`` would lose its digits in ``c - 1``. Then ``f(0) + c int x^c (f(x) - f(0)) / x dx`` is integrated
    instead, by a Gauss rule with m nodes: this is Gauss-Radau, and zero has the weight ``binomial(m + c, m)^-2``.
    """
    c = exponent
    if c >= STEEP:
        inner, inner_weight = gauss_power(c - 1.0, nodes)
        return inner, c * inner_weight
    inner, inner_weight = gauss_power(c, nodes - 1)
    k = np.arange(1.0, nodes)
    at_zero = np.prod(k / (k + c)) ** 2
    return np.append(ZERO, inner), np.append(at_zero, c * inner_weight / inner)


def _spread_square(concentration: float, nodes: int) -> tuple[Array, Array, Array]:
    """Nodes (x, y) and weights for two independent Beta(c, c) variables, small c."""
    c = concentration
    half, half_weight = _power_law(c, nodes)
    radius, radius_weight = _power_law(2.0 * c, nodes)
    scale = gamma(1.0 + 2.0 * c) / (2.0 * gamma(1.0 + c) ** 2)  # 1 / (c B(c, c))
    low = 0.5 * half
    low_weight = scale * 0.5**c * half_weight * (1.0 - low) ** (c - 1.0)
    r = 0.5 * radius[:, None]
    t = half[None, :]
    near = np.broadcast_to(r, (nodes, nodes)).ravel()
    far = (r * t).ravel()
    corner = 0.5 * scale**2 * 0.5 ** (2.0 * c) * radius_weight[:, None] * half_weight[None, :]
    corner = (corner * ((1.0 - r) * (1.0 - r * t)) ** (c - 1.0)).ravel()
    box_x, box_y = (grid.ravel() for grid in np.meshgrid(low, low, indexing="ij"))
    box = np.outer(low_weight, low_weight).ravel()
    x = np.concatenate([near, far, box_x, 1.0 - box_x, 1.0 - box_x])
    y = np.concatenate([far, near, 1.0 - box_y, box_y, 1.0 - box_y])
    return x, y, np.concatenate([corner, corner, box, box, box])


def _concentrated_square(concentration: float, nodes: int) -> tuple[Array, Array, Array]:
    """Nodes (x, y) and weights for two independent Beta(c, c) variables, large c."""
    k, c = np.arange(1.0, nodes), concentration
    off = np.sqrt(0.5 * k / (k + c - 0.5) * ((0.5 * k + c - 1.0) / (k + c - 1.5)))
    centred, vectors = eigh_tridiagonal(np.zeros(nodes), off)
    one = 0.5 + 0.25 * (centred - centred[::-1])
    weight = 0.5 * (vectors[0] ** 2 + vectors[0, ::-1] ** 2)
    x, y = (grid.ravel() for grid in np.meshgrid(one, one, indexing="ij"))
    return x, y, np.outer(weight, weight).ravel()


@lru_cache(maxsize=32)
def binary_dirichlet_rule(
    concentration: float, floor: float, nodes: int, *, label_invariant: bool
) -> tuple[Array, Array]:
    """Return matrices (n, 2, 2) and weights (n,) of the rule: ``5 nodes^2`` points, ``nodes^2`` from c = 8 on.

    For integrands that do not depend on the names of the symbols the points with ``x < y`` are dropped and their
    mirror images count twice.

    Examples
    --------
    >>> matrices, weights = binary_dirichlet_rule(0.1, 0.0, 12, label_invariant=False)
    >>> matrices.shape, bool(abs(weights.sum() - 1.0) < 1e-12)
    ((720, 2, 2), True)
    """
    square = _spread_square if concentration < CONCENTRATED else _concentrated_square
    x, y, weights = square(concentration, nodes)
    if label_invariant:
        kept = x >= y
        x, y, weights = x[kept], y[kept], np.where(x > y, 2.0 * weights, weights)[kept]
    rows = np.stack([np.stack([1.0 - x, x], axis=1), np.stack([y, 1.0 - y], axis=1)], axis=1)
    matrices = floor / 2.0 + (1.0 - floor) * rows
    matrices.setflags(write=False)
    weights.setflags(write=False)
    return matrices, weights
