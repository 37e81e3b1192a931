"""Quadrature over the Dirichlet prior on two symbols.

Write ``pi = [[1 - x, x], [y, 1 - y]]``; ``x`` and ``y`` are independent Beta(c, c). With stationary roots the
integrand contains ``mu = (y, x) / (x + y)``, which has no limit at ``x = y = 0``.

Small concentrations put mass near that corner, so that a plain product rule converges slowly. There the square is cut
along its diagonal and each triangle is mapped to a square by ``(x, y) = (r, r t)`` (Duffy's transformation): ``mu``
then depends on ``t`` alone and is smooth. The other three quarters of the unit square need only the endpoint weights.
Steep endpoint weights need a Gauss-Radau rule: its node at zero carries the mass that gathers there as ``c`` goes to 0.

An integrand may also vary on a scale of its own near the corner: ``1 / (mu + eps)`` has a pole at ``t = -eps`` or so,
and with a small floor ``mu`` depends on ``r`` as well, where that is not larger. There the rule is cut into panels
of equal width in ``log t`` or ``log r``, from that scale up to one: in the logarithm all singularities keep their
distance. Where ``eps`` and floor are zero there may be a term ``1 / t`` itself: then ``t`` goes into the weight.

Large concentrations put practically no mass there: the product of two Gauss-Gegenbauer rules converges fast.
No weight is negative; some underflow to zero at extreme concentrations.
"""

from functools import lru_cache
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from causal_theory.gauss import gauss_power

Array = NDArray[np.float64]

ZERO = 1e-40
"""Stands for the node at zero: below all roundoff, yet ``mu`` is defined and no product of a few of them underflows."""

LEAST_PRODUCT, MOST_RADIUS = 1e-307, 1e-7
"""Where ``r t`` would underflow a larger ``r`` takes its place, up to this one: ``mu`` depends on ``t`` alone."""

STEEP = 0.25
"""Below this exponent the Gauss-Radau rule is used, above it the Gauss rule, which is then a little better."""

CONCENTRATED = 8.0
"""From this concentration on the plain product rule is used: 15 nodes reach 1e-14."""

COARSE = 0.05
"""From this scale on a Gauss rule of 50 nodes reaches roundoff without panels."""

FINE = 1e-3
"""From this floor on a Gauss rule of 50 nodes notices it, if not to roundoff, and the error is right."""

PANEL = 4.0
"""Largest width of a panel in the logarithm: singularities are at least pi away."""

NEAR = 12.0
"""Farther than this from the ends, where no singularity is, panels may be four times as wide."""


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


def _graded_law(exponent: float, nodes: int, fine: float, scale: float) -> tuple[Array, Array]:
    """Rule for the same law and integrands that vary on a scale near zero: nodes for each panel, if it is fine."""
    if scale >= fine:
        return _power_law(exponent, nodes)
    bottom = scale / 8.0
    first, first_weight = _power_law(exponent, nodes)
    ends = _panels(log(bottom), exponent)
    places, lengths = np.polynomial.legendre.leggauss(nodes)
    half = 0.5 * np.diff(ends)[:, None]
    u = (ends[:-1, None] + half + half * places).ravel()
    weight = (half * lengths).ravel() * exponent * np.exp(exponent * u)
    return (
        np.concatenate([bottom * first, np.exp(u)]),
        np.concatenate([bottom**exponent * first_weight, weight]),
    )


def _panels(bottom: float, exponent: float) -> Array:
    """Return the ends of panels from a logarithm to zero; the weight exp(c u) needs narrow ones if it is steep."""
    width = PANEL / (1.0 + 0.25 * exponent)
    if bottom > -3.0 * NEAR:
        return np.linspace(bottom, 0.0, ceil(-bottom / width) + 1)
    near, far = ceil(NEAR / width), ceil((-bottom - 2.0 * NEAR) / (4.0 * width))
    return np.concatenate(
        [
            np.linspace(bottom, bottom + NEAR, near + 1)[:-1],
            np.linspace(bottom + NEAR, -NEAR, far + 1)[:-1],
            np.linspace(-NEAR, 0.0, near + 1),
        ]
    )


def _pole_law(exponent: float, nodes: int) -> tuple[Array, Array]:
    """Rule for the same law and integrands ``f(x) / x`` with a smooth ``f``; the exponent is above one."""
    places, weight = _power_law(exponent - 1.0, nodes)
    return places, weight * places * (exponent / (exponent - 1.0))


def _spread_square(concentration: float, floor: float, nodes: int, rarest: float) -> tuple[Array, Array, Array]:
    """Nodes (x, y) and weights for two independent Beta(c, c) variables, small c."""
    from scipy.special import gamma

    c = concentration
    smooth, smooth_weight = _power_law(c, nodes)
    if rarest == 0.0 and floor == 0.0:
        side = _pole_law(c, nodes) if c > 1.0 else (smooth, smooth_weight)
    else:
        side = _graded_law(c, nodes, COARSE, rarest + 0.5 * floor)
    radius, radius_weight = _graded_law(2.0 * c, nodes, FINE, floor or 1.0)
    scale = gamma(1.0 + 2.0 * c) / (2.0 * gamma(1.0 + c) ** 2)  # 1 / (c B(c, c))

    def lower_half(law: tuple[Array, Array]) -> tuple[Array, Array]:
        low = 0.5 * law[0]
        return low, scale * 0.5**c * law[1] * (1.0 - low) ** (c - 1.0)

    r = 0.5 * radius[:, None]
    t = side[0][None, :]
    if floor == 0.0 and rarest > 0.0:
        with np.errstate(divide="ignore", over="ignore"):
            r = np.maximum(r, np.minimum(LEAST_PRODUCT / t, MOST_RADIUS))
    near = np.broadcast_to(r, (radius.size, t.size)).ravel()
    far = (r * t).ravel()
    corner = 0.5 * scale**2 * 0.5 ** (2.0 * c) * radius_weight[:, None] * side[1][None, :]
    corner = (corner * ((1.0 - r) * (1.0 - r * t)) ** (c - 1.0)).ravel()
    low, low_weight = lower_half((smooth, smooth_weight))
    rare, rare_weight = lower_half(side)
    rare_x, high_y = (grid.ravel() for grid in np.meshgrid(rare, 1.0 - low, indexing="ij"))
    high_x, rare_y = (grid.ravel() for grid in np.meshgrid(1.0 - low, rare, indexing="ij"))
    box_x, box_y = (grid.ravel() for grid in np.meshgrid(low, low, indexing="ij"))
    x = np.concatenate([near, far, rare_x, high_x, 1.0 - box_x])
    y = np.concatenate([far, near, high_y, rare_y, 1.0 - box_y])
    boxes = [np.outer(rare_weight, low_weight), np.outer(low_weight, rare_weight), np.outer(low_weight, low_weight)]
    return x, y, np.concatenate([corner, corner, *(box.ravel() for box in boxes)])


def _concentrated_square(concentration: float, nodes: int) -> tuple[Array, Array, Array]:
    """Nodes (x, y) and weights for two independent Beta(c, c) variables, large c."""
    from scipy.linalg import eigh_tridiagonal

    k, c = np.arange(1.0, nodes), concentration
    off = np.sqrt(0.5 * k / (k + c - 0.5) * ((0.5 * k + c - 1.0) / (k + c - 1.5)))
    centred, vectors = eigh_tridiagonal(np.zeros(nodes), off)
    one = 0.5 + 0.25 * (centred - centred[::-1])
    weight = 0.5 * (vectors[0] ** 2 + vectors[0, ::-1] ** 2)
    x, y = (grid.ravel() for grid in np.meshgrid(one, one, indexing="ij"))
    return x, y, np.outer(weight, weight).ravel()


def radius_error(rarest: float) -> float:
    """Return the relative error that larger radii may cause at a scale: ten times the largest of them that matters.

    Examples
    --------
    >>> f"{radius_error(1e-280):.0e} {radius_error(1e-300):.0e}"
    '1e-25 1e-06'
    """
    return 10.0 * min(MOST_RADIUS, 10.0 * LEAST_PRODUCT / rarest) if rarest > 0.0 else 0.0


@lru_cache(maxsize=32)
def binary_dirichlet_rule(
    concentration: float, floor: float, nodes: int, *, label_invariant: bool, rarest: float = 1.0
) -> tuple[Array, Array]:
    """Return matrices (n, 2, 2) and weights (n,) of the rule: ``5 nodes^2`` points, ``nodes^2`` from c = 8 on.

    For integrands that do not depend on the names of the symbols the points with ``x < y`` are dropped and their
    mirror images count twice. Integrands with terms ``1 / (mu_b + eps)`` tell it by ``rarest = eps``; for small ones,
    and for small floors, there are more points.

    Examples
    --------
    >>> matrices, weights = binary_dirichlet_rule(0.1, 0.0, 12, label_invariant=False)
    >>> matrices.shape, bool(abs(weights.sum() - 1.0) < 1e-12)
    ((720, 2, 2), True)
    """
    if concentration < CONCENTRATED:
        x, y, weights = _spread_square(concentration, floor, nodes, rarest)
    else:
        x, y, weights = _concentrated_square(concentration, nodes)
    if label_invariant:
        kept = x >= y
        x, y, weights = x[kept], y[kept], np.where(x > y, 2.0 * weights, weights)[kept]
    rows = np.stack([np.stack([1.0 - x, x], axis=1), np.stack([y, 1.0 - y], axis=1)], axis=1)
    matrices = floor / 2.0 + (1.0 - floor) * rows
    matrices.setflags(write=False)
    weights.setflags(write=False)
    return matrices, weights
