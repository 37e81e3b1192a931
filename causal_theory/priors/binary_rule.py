"""Quadrature over the Dirichlet prior on two symbols.

Write ``pi = [[1 - x, x], [y, 1 - y]]``; ``x`` and ``y`` are independent Beta(c, c). With stationary roots the
integrand contains ``mu = (y, x) / (x + y)``, which has no limit at ``x = y = 0``, so a plain product rule converges
slowly. Near that corner the square is cut along its diagonal and each triangle is mapped to a square by
``(x, y) = (r, r t)`` (Duffy's transformation): ``mu`` then depends on ``t`` alone and is smooth. The other three
quarters of the unit square need only the endpoint weights. All rules are Gauss-Jacobi and all weights are positive.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from causal_theory.gauss import gauss_power

__all__ = ["binary_dirichlet_rule"]

Array = NDArray[np.float64]


def _unit_square(concentration: float, nodes: int) -> tuple[Array, Array, Array]:
    """Nodes (x, y) and weights for two independent Beta(c, c) variables."""
    c = concentration
    half, half_weight = gauss_power(c - 1.0, nodes)
    low = 0.5 * half
    low_weight = half_weight * 0.5**c * (1.0 - low) ** (c - 1.0)
    radius, radius_weight = gauss_power(2.0 * c - 1.0, nodes)
    r = 0.5 * radius[:, None]
    t = half[None, :]
    near = np.broadcast_to(r, (nodes, nodes)).ravel()
    far = (r * t).ravel()
    corner = radius_weight[:, None] * 0.5 ** (2.0 * c) * half_weight[None, :]
    corner = (corner * ((1.0 - r) * (1.0 - r * t)) ** (c - 1.0)).ravel()
    box_x, box_y = (grid.ravel() for grid in np.meshgrid(low, low, indexing="ij"))
    box = np.outer(low_weight, low_weight).ravel()
    x = np.concatenate([near, far, box_x, 1.0 - box_x, 1.0 - box_x])
    y = np.concatenate([far, near, 1.0 - box_y, box_y, 1.0 - box_y])
    weights = np.concatenate([corner, corner, box, box, box])
    return x, y, weights * np.exp(-2.0 * betaln(c, c))


@lru_cache(maxsize=32)
def binary_dirichlet_rule(
    concentration: float, floor: float, nodes: int, *, label_invariant: bool
) -> tuple[Array, Array]:
    """Return matrices (n, 2, 2) and weights (n,) of the rule with ``5 nodes^2`` points.

    For integrands that do not depend on the names of the symbols the points with ``x < y`` are dropped and their
    mirror images count twice.

    Examples
    --------
    >>> matrices, weights = binary_dirichlet_rule(0.1, 0.0, 12, label_invariant=False)
    >>> matrices.shape, bool(abs(weights.sum() - 1.0) < 1e-12)
    ((720, 2, 2), True)
    """
    x, y, weights = _unit_square(concentration, nodes)
    if label_invariant:
        kept = x >= y
        x, y, weights = x[kept], y[kept], np.where(x > y, 2.0 * weights, weights)[kept]
    rows = np.stack([np.stack([1.0 - x, x], axis=1), np.stack([y, 1.0 - y], axis=1)], axis=1)
    matrices = floor / 2.0 + (1.0 - floor) * rows
    matrices.setflags(write=False)
    weights.setflags(write=False)
    return matrices, weights
