"""Quadrature for logarithms: ``log x - log y`` as a sum of exponentials, which factorise over tokens.

    log x - log y = integral_0^inf (exp(-t y) - exp(-t x)) dt / t,      1 / x = integral_0^inf exp(-t x) dt

With ``t = exp(v - exp(-v)) / scale`` both integrands decay doubly exponentially in ``v`` on both sides, so the
trapezoid rule in ``v`` converges exponentially in the number of nodes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LogarithmRule", "logarithm_rule"]

Array = NDArray[np.float64]

TARGET = 3e-15
STEPS = (0.22, 0.2, 0.18, 0.16, 0.14, 0.12, 0.1)
LEFT = -3.75
"""Below it t is under 1e-18 of its scale."""

EXHAUSTED = 41.0
"""``exp(-41)`` is below roundoff."""


@dataclass(frozen=True, eq=False)
class LogarithmRule:
    """Nodes ``t`` and weights with ``log x - log y = sum_k weights (exp(-t y) - exp(-t x))`` on [low, high].

    Attributes
    ----------
    nodes, weights : ndarray
        Positive; ``1 / x = sum_k weights * nodes * exp(-t x)`` holds with the same nodes.
    error : float
        Largest absolute error of ``log x - log low``, measured on a grid of [low, high].
    reciprocal_error : float
        Largest relative error of ``1 / x`` on that grid.
    """

    nodes: Array
    weights: Array
    error: float
    reciprocal_error: float


@lru_cache(maxsize=64)
def logarithm_rule(low: float, high: float) -> LogarithmRule:
    """Return a rule for arguments between ``low`` and ``high``.

    Examples
    --------
    >>> rule = logarithm_rule(0.01, 30.0)
    >>> rule.error < 1e-13, rule.reciprocal_error < 1e-13
    (True, True)
    """
    best: LogarithmRule | None = None
    for step in STEPS:
        rule = _measured(low, high, step)
        if best is None or rule.error + rule.reciprocal_error < best.error + best.reciprocal_error:
            best = rule
        if max(rule.error, rule.reciprocal_error) <= TARGET:
            break
    assert best is not None
    return best


def _measured(low: float, high: float, step: float) -> LogarithmRule:
    right = np.log(EXHAUSTED * high / low)
    v = np.arange(LEFT, right + 2.0 * step, step)
    shrink = np.exp(-v)
    nodes = np.exp(v - shrink) / high
    weights = step * (1.0 + shrink)
    grid = np.geomspace(low, high, 257)
    decay = np.exp(-np.outer(grid, nodes))
    sums = (decay[0] - decay) @ weights
    logs = np.abs(sums - np.log(grid / low))
    reciprocals = np.abs((decay @ (weights * nodes)) * grid - 1.0)
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return LogarithmRule(nodes, weights, float(logs.max()), float(reciprocals.max()))
