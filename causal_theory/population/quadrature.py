"""Quadrature rules for the integrals behind the exact expectations.

The rules of this module replace ``1 / (n + c)`` for ``n = 0 .. degree`` by ``sum_k w_k z_k^n`` with positive weights
and nodes in [0, 1), one of them zero: the Gauss-Radau rule for the weight ``z^(c - 1)``, which is exact from
``degree / 2`` nodes on, or a sum of exponentials, which needs about ``4 log(degree)`` of them.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from causal_theory.gauss import gauss_power
from causal_theory.population.exponential_sums import exponential_sum

FEWEST_EXPONENTIALS = 17
"""No sum of exponentials is shorter: up to twice this degree the Gauss-Radau rule is exact with fewer nodes."""


LARGEST_SHIFT = 1e3
"""Beyond it the nodes of the Gauss-Radau rule crowd at one and lose digits; sums of exponentials do not."""


@dataclass(frozen=True, eq=False)
class ReciprocalRule:
    """Nodes and weights with ``sum_k weights[k] * nodes[k]**n = 1 / (n + shift)`` for ``n = 0 .. degree``.

    Attributes
    ----------
    nodes, weights : ndarray of shape (m + 1,)
        ``nodes[0] = 0``; weights are positive, or zero where they underflow, close to the node at zero.
    relative_error : float
        Bound on the relative error over all integers ``n`` from 0 to ``degree``: for the Gauss-Radau rule the largest
        of these errors, computed one by one, for a sum of exponentials a proven bound.
    """

    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    relative_error: float


def _weight_at_zero(shift: float, interior: int) -> float:
    """Weight of the node at zero: ``(1/c) prod_{j=1..m} (1 + c/j)^-2``."""
    return float(np.exp(-2.0 * np.sum(np.log1p(shift / np.arange(1, interior + 1)))) / shift)


def _rule(shift: float, degree: int, interior: int) -> ReciprocalRule:
    nodes, weights = gauss_power(shift, interior)
    nodes = np.concatenate([[0.0], nodes])
    weights = np.concatenate([[_weight_at_zero(shift, interior)], weights / nodes[1:]])
    powers = np.ones_like(nodes)
    worst = 0.0
    for n in range(degree + 1):
        worst = max(worst, abs(float(weights @ powers) * (n + shift) - 1.0))
        powers *= nodes
    return _frozen(nodes, weights, worst)


def _frozen(nodes: NDArray[np.float64], weights: NDArray[np.float64], relative_error: float) -> ReciprocalRule:
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return ReciprocalRule(nodes, weights, relative_error)


@lru_cache(maxsize=256)
def reciprocal_rule(shift: float, degree: int, nodes: int | None = None) -> ReciprocalRule:
    """Return a rule for ``1 / (n + shift) = integral_0^1 z^(n + shift - 1) dz``, all ``n <= degree``.

    With ``m`` interior nodes besides zero the Gauss-Radau rule is exact for ``degree <= 2 m``. In double precision far
    fewer suffice when the degree is large: about ``2.5 sqrt(degree)`` of the same rule, or ``4 log(degree)`` terms of a
    sum of exponentials. ``relative_error`` holds for every integer up to ``degree``, and so for any positive
    combination of these terms.

    Parameters
    ----------
    shift : float
        The positive number ``c``; here ``epsilon * T``.
    degree : int
        The largest ``n``; here ``T``.
    nodes : int, optional
        Number of interior nodes of the Gauss-Radau rule. By default the shortest of three: the exact number
        ``ceil(degree / 2)``; the first of ``2.4 sqrt(degree) + 8``, ``2.7 sqrt(degree) + 8``, ... that reaches
        roundoff; and a sum of exponentials, which is the shortest from a degree of about 70 on, and is always taken
        for a shift above 1000.

    References
    ----------
    W. Gautschi, "Orthogonal Polynomials: Computation and Approximation", Oxford 2004, section 3.1 (Gauss-Radau
    rules).

    Examples
    --------
    >>> rule = reciprocal_rule(0.2, 20)
    >>> rule.nodes.size, rule.relative_error < 1e-14
    (11, True)
    >>> [reciprocal_rule(0.01 * degree, degree).nodes.size - 1 for degree in (200, 1000, 5000)]
    [32, 35, 35]
    """
    if nodes is not None:
        return _rule(shift, degree, nodes)
    exact = max(1, ceil(degree / 2))
    if shift > LARGEST_SHIFT:
        return _frozen(*exponential_sum(shift, degree))
    if exact > FEWEST_EXPONENTIALS:
        points, weights, bound = exponential_sum(shift, degree)
        if points.size - 1 < min(exact, ceil(2.4 * sqrt(degree) + 8)):
            return _frozen(points, weights, bound)
    roundoff = max(4e-15, 2.5e-16 * max(degree, shift))
    for factor in (2.4, 2.7, 3.0, 3.5, 4.0):
        count = ceil(factor * sqrt(degree) + 8)
        if count >= exact:
            break
        rule = _rule(shift, degree, count)
        if rule.relative_error <= roundoff:
            return rule
    return _rule(shift, degree, exact)
