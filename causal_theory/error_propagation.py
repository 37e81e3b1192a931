"""Errors of sums, products and quotients of numbers that are known up to an error.

Bounds, and estimates of what a quadrature leaves out, add up in the worst way; standard errors of independent samples
add in squares, to first order in products and quotients. A bound and a standard error add up to a number that is
neither, and is called mixed.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Method = Literal["exact", "quadrature", "monte_carlo", "mixed"]
"""How a number was obtained.

``"exact"``: a finite sum evaluated in floating point, error = a roundoff bound.
``"quadrature"``: an integral over the prior was discretised, error = its estimated truncation plus roundoff.
``"monte_carlo"``: independent draws, error = one standard error.
``"mixed"``: made of one that was drawn and one that was not, error = the sum of both errors.
"""

STANDARD_ERRORS = 4.0
"""So many must lie between two numbers that differ: by chance one comparison in 30,000 does without."""

UNIT = float(np.finfo(np.float64).eps)
"""Relative roundoff of one operation, and a half more."""

SMALLEST_STEP = float(np.finfo(np.float64).smallest_subnormal)
"""Between the smallest doubles: what underflows is off by no more."""


STEPS = 8
"""Operations whose results, errors included, may underflow in a product or a quotient."""


def joined_method(one: Method, other: Method) -> Method:
    """Return how a number was obtained that is made of two others.

    Examples
    --------
    >>> joined_method("exact", "quadrature"), joined_method("exact", "monte_carlo")
    ('quadrature', 'mixed')
    """
    if one == other:
        return one
    return "quadrature" if {one, other} == {"exact", "quadrature"} else "mixed"


def sum_error(value: Array, one: Array, other: Array, method: Method) -> Array:
    """Return the error of a sum or difference ``value`` from the errors of its terms."""
    if method == "monte_carlo":
        return _known(np.hypot(one, other))
    return _bound(one + other + UNIT * np.abs(value))


def product_error(a: Array, a_error: Array, b: Array, b_error: Array, method: Method) -> Array:
    """Return the error of ``a b``."""
    first, second = np.abs(a) * b_error, np.abs(b) * a_error
    if method == "monte_carlo":
        return _known(np.hypot(first, second))
    return _bound(first + second + a_error * b_error + UNIT * np.abs(a * b) + _underflow(a, a_error, b, b_error))


def quotient_error(a: Array, a_error: Array, b: Array, b_error: Array, method: Method) -> Array:
    """Return the error of ``a / b``; infinite as a bound when ``b`` can be zero."""
    size = np.abs(b)
    quotient = np.abs(a) / size
    if method == "monte_carlo":
        return _known(np.hypot(a_error / size, quotient * b_error / size))
    away = size - b_error
    safe = np.where(away > 0.0, away, 1.0)
    error = (a_error + quotient * b_error) / safe + UNIT * quotient + _underflow(a, a_error, 1.0, 0.0)
    return _bound(np.where(away > 0.0, error, np.inf))


def _underflow(a: Array, a_error: Array, b: Array | float, b_error: Array | float) -> Array:
    """Return what a few operations on small numbers lose, none where a factor is known to be zero."""
    lost = ((a != 0.0) | (a_error != 0.0)) & ((np.asarray(b) != 0.0) | (np.asarray(b_error) != 0.0))
    return np.where(lost, STEPS * SMALLEST_STEP, 0.0)


def _bound(error: Array) -> Array:
    """Return a bound that its own roundoff has not made smaller."""
    return _known(error) * (1.0 + 8.0 * UNIT)


def _known(error: Array) -> Array:
    """Return errors; one that is no number, as infinity times zero, bounds nothing."""
    return np.where(np.isnan(error), np.inf, error)
