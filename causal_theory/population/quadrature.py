"""Quadrature rules for the integrals behind the exact expectations.

The rule of this module replaces ``1 / (n + c)`` for ``n = 0 .. degree`` by ``sum_k w_k z_k^n`` with positive weights
and nodes in [0, 1), one of them zero: the Gauss-Radau rule for the weight ``z^(c - 1)``.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from causal_theory.gauss import gauss_power

__all__ = ["ReciprocalRule", "reciprocal_rule"]


@dataclass(frozen=True, eq=False)
class ReciprocalRule:
    """Nodes and weights with ``sum_k weights[k] * nodes[k]**n = 1 / (n + shift)`` for ``n = 0 .. degree``.

    Attributes
    ----------
    nodes, weights : ndarray of shape (m + 1,)
        ``nodes[0] = 0``; weights are positive, or zero where they underflow, close to the node at zero.
    relative_error : float
        The largest relative error over all integers ``n`` from 0 to ``degree``, computed, not estimated.
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
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return ReciprocalRule(nodes, weights, worst)


@lru_cache(maxsize=256)
def reciprocal_rule(shift: float, degree: int, nodes: int | None = None) -> ReciprocalRule:
    """Return a rule for ``1 / (n + shift) = integral_0^1 z^(n + shift - 1) dz``, all ``n <= degree``.

    With ``m`` interior nodes besides zero the rule is exact for ``degree <= 2 m``. Far fewer suffice in double
    precision when the degree is large; the error is measured on every integer up to ``degree``, which makes
    ``relative_error`` a bound for any positive combination of these terms.

    Parameters
    ----------
    shift : float
        The positive number ``c``; here ``epsilon * T``.
    degree : int
        The largest ``n``; here ``T``.
    nodes : int, optional
        Number of interior nodes. By default the exact number ``ceil(degree / 2)`` or, if it is smaller, the first
        of ``2.4 sqrt(degree) + 8``, ``2.7 sqrt(degree) + 8``, ... that reaches roundoff.

    References
    ----------
    W. Gautschi, "Orthogonal Polynomials: Computation and Approximation", Oxford 2004, section 3.1 (Gauss-Radau
    rules).

    Examples
    --------
    >>> rule = reciprocal_rule(0.2, 20)
    >>> rule.nodes.size, rule.relative_error < 1e-14
    (11, True)
    """
    exact = max(1, ceil(degree / 2))
    if nodes is not None:
        return _rule(shift, degree, nodes)
    roundoff = max(4e-15, 2.5e-16 * max(degree, shift))
    for factor in (2.4, 2.7, 3.0, 3.5, 4.0):
        count = ceil(factor * sqrt(degree) + 8)
        if count >= exact:
            break
        rule = _rule(shift, degree, count)
        if rule.relative_error <= roundoff:
            return rule
    return _rule(shift, degree, exact)
