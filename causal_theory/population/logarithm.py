"""Quadrature for logarithms: ``log x - log y`` as a sum of exponentials, which factorise over tokens.

    log x - log y = integral_0^inf (exp(-t y) - exp(-t x)) dt / t,      1 / x = integral_0^inf exp(-t x) dt

With ``t = exp(v - exp(-v)) / scale`` both integrands decay doubly exponentially in ``v`` on both sides, so the
trapezoid rule in ``v`` converges exponentially in the number of nodes. Their number grows with the logarithm of the
range, which may be wider than that of doubles: times are then held as mantissa and scale.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TARGET = 3e-15
STEPS = (0.25, 0.21875, 0.1875, 0.125)
"""Multiples of 1/32, as is ``LEFT``: the points of the trapezoid rule are then exact. Others would be rounded, and all
logarithms be wrong by the same few units."""

LEFT = -3.75
"""Below it t is under 1e-18 of its scale."""

EXHAUSTED = 41.0
"""``exp(-41)`` is below roundoff."""

SMALLEST = 1e-302
"""Down to arguments of this size times need no scales."""

SCALE = 200.0
"""Logarithms of two neighbouring scales differ by this."""

VANISHED = 800.0
"""``exp(-800)`` is zero."""

UNIT = float(np.finfo(float).eps)
ROUNDING = 4.0
"""Units of roundoff that sums may be off, times the logarithm of the range; nearly always it is one."""


@dataclass(frozen=True, eq=False)
class LogarithmRule:
    """Times ``t`` and weights with ``log x - log y = sum_k weights (exp(-t y) - exp(-t x))`` on [low, high].

    Attributes
    ----------
    nodes, scales : ndarray
        ``t = nodes * exp(scales)``. Scales are zero unless the range is wider than that of doubles.
    log_nodes : ndarray
        Logarithms of the times.
    weights : ndarray
        Positive; ``1 / x = sum_k weights * t * exp(-t x)`` holds with the same nodes.
    error : float
        Largest absolute error of ``log x - log low``, measured on a grid of [low, high].
    reciprocal_error : float
        Largest relative error of ``1 / x`` on that grid.
    """

    nodes: Array
    scales: Array
    log_nodes: Array
    weights: Array
    error: float
    reciprocal_error: float


@lru_cache(maxsize=64)
def logarithm_rule(low: float, high: float, log_low: float | None = None) -> LogarithmRule:
    """Return a rule for arguments between ``low``, or ``exp(log_low)`` where that underflows, and ``high``.

    Examples
    --------
    >>> rule = logarithm_rule(0.01, 30.0)
    >>> rule.error < 1e-13, rule.reciprocal_error < 1e-13
    (True, True)
    >>> logarithm_rule(0.0, 30.0, -5000.0).error < 1e-10
    True
    """
    # No sum of a logarithm that is large itself is more precise: smaller steps would only shuffle its last digits.
    if log_low is None or low >= SMALLEST:
        target, reciprocal_target = max(TARGET, ROUNDING * UNIT * float(np.log(high / low))), TARGET
    else:
        target = reciprocal_target = TARGET - 16.0 * UNIT * log_low
    best: LogarithmRule | None = None
    for step in STEPS:
        if log_low is None or low >= SMALLEST:
            rule = _measured(low, high, step)
        else:
            rule = _measured_in_logarithms(log_low, high, step)
        if best is None or rule.error + rule.reciprocal_error < best.error + best.reciprocal_error:
            best = rule
        if rule.error <= target and rule.reciprocal_error <= reciprocal_target:
            break
    assert best is not None
    return best


def _measured(low: float, high: float, step: float) -> LogarithmRule:
    v = np.arange(LEFT, np.log(EXHAUSTED * high / low) + 2.0 * step, step)
    with np.errstate(under="ignore"):
        shrink = np.exp(-v)
        nodes = np.exp(v - shrink) / high
        grid = np.geomspace(low, high, 257)
        decay = np.exp(-np.outer(grid, nodes))
    weights = step * (1.0 + shrink)
    sums = (decay[0] - decay) @ weights
    logs = np.abs(sums - np.log(grid / low))
    reciprocals = np.abs((decay @ (weights * nodes)) * grid - 1.0)
    found = LogarithmRule(
        nodes, np.zeros_like(nodes), v - shrink - np.log(high), weights, float(logs.max()), float(reciprocals.max())
    )
    return _frozen(found)


def _measured_in_logarithms(log_low: float, high: float, step: float) -> LogarithmRule:
    """Return the same rule with all products ``t x`` as exponentials of sums."""
    log_high = float(np.log(high))
    v = np.arange(LEFT, np.log(EXHAUSTED) + log_high - log_low + 2.0 * step, step)
    with np.errstate(under="ignore", over="ignore"):
        shrink = np.exp(-v)
        log_nodes = v - shrink - log_high
        weights = step * (1.0 + shrink)
        logs, reciprocals = [], []
        first = np.exp(-np.exp(log_low + log_nodes))
        for log_x in np.linspace(log_low, log_high, 257).tolist():
            times = np.exp(log_x + log_nodes)
            decay = np.exp(-times)
            logs.append(abs(float((first - decay) @ weights) - float(log_x - log_low)))
            reciprocals.append(abs(float((np.minimum(times, VANISHED) * decay) @ weights) - 1.0))
    scales = SCALE * np.floor(log_nodes / SCALE)
    # Logarithms as large as these have rounding errors, which are those of the times.
    rounding = 4.0 * UNIT * float(np.abs(log_nodes).max())
    found = LogarithmRule(
        np.exp(log_nodes - scales), scales, log_nodes, weights, max(logs) + rounding, max(reciprocals) + rounding
    )
    return _frozen(found)


def _frozen(rule: LogarithmRule) -> LogarithmRule:
    for array in (rule.nodes, rule.scales, rule.log_nodes, rule.weights):
        array.setflags(write=False)
    return rule
