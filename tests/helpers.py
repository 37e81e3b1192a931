"""Comparisons used by all tests, and waiting."""

import time
from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike

from causal_theory.estimate import Estimate
from causal_theory.priors import Plan, Prior
from causal_theory.priors.rules import DEFAULT_DRAWS

__all__ = ["PATIENCE", "assert_close", "average", "from_python", "wait_until"]

PATIENCE = 900.0
"""Seconds until a test that waits gives up. It keeps a broken program from hanging; on a slow machine nothing else."""


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for does not happen"
        time.sleep(0.02)


@cache
def from_python(helper: Any) -> Any:
    """Let Python call a helper of kernels; it is compiled once."""
    if numba.config.DISABLE_JIT:
        return helper
    names = ", ".join(signature(helper.py_func).parameters)
    scope = {"helper": helper}
    exec(f"def call({names}):\n    return helper({names})", scope)
    return numba.njit(scope["call"])


def assert_close(x: ArrayLike, y: ArrayLike, *, rtol: float, atol: float = 0.0) -> None:
    """Fail unless ``|x - y| <= atol + rtol |y|`` in every entry.

    Shapes must be equal: nothing is broadcast. NaN equals nothing, not even NaN; infinities equal themselves. The
    message shows the worst entry.
    """
    actual, expected = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape} is not {expected.shape}"
    if actual.size == 0:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = atol + rtol * np.abs(expected)
        off = np.where(actual == expected, 0.0, np.abs(actual - expected))
    off = np.where(np.isnan(off) | ~np.isfinite(actual) & (actual != expected), np.inf, off)
    allowed = np.where(np.isfinite(expected), allowed, 0.0)
    bad = ~(off <= allowed)
    if bad.any():
        excess = np.where(bad, off - allowed, -np.inf)
        worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(excess)), actual.shape))
        raise AssertionError(
            f"{int(bad.sum())} of {actual.size} entries differ; worst at {worst}: {actual[worst]!r} instead of "
            f"{expected[worst]!r}, off by {off[worst]:.3g}, allowed {allowed[worst]:.3g}"
        )


def average(prior: Prior, evaluate: Any, *, draws: int = DEFAULT_DRAWS, rng: Any = None, **names: Any) -> Estimate:
    """Average a function of the transition matrix over a prior; ``names`` says what it does with the symbols' names."""
    plan = Plan(lambda transitions: evaluate(transitions[1]), **names)
    return prior.average(plan, draws=draws, rng=rng)
