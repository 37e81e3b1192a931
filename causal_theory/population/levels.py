"""Attention logits of any size: exact differences, and windows of levels that can share one sequence's softmax.

A **level** is the logit of a key under one query. Levels are held as integers in a common unit, so that nothing is
rounded before it is subtracted. Where two neighbouring levels lie far apart, the lower one matters only in sequences
that have no position on the upper ones: the levels fall into **windows**, and a sequence belongs to the window of its
highest position.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, inf, log, log1p
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[Any]
"""Of Python integers, which have as many digits as they need."""

NEGLIGIBLE = 40.0
"""``exp(-40)`` beside one is below roundoff."""


def exact_integers(values: Array) -> tuple[Integers, int]:
    """Return finite doubles as integers ``n`` and a unit ``d`` with ``value = n / d``.

    Examples
    --------
    >>> import numpy as np
    >>> exact_integers(np.array([0.75, -2.0]))
    (array([3, -8], dtype=object), 4)
    """
    ratios = [value.as_integer_ratio() for value in values.ravel().tolist()]
    unit = max(denominator for _, denominator in ratios)  # all are powers of two
    integers = np.empty(len(ratios), dtype=object)
    integers[:] = [numerator * (unit // denominator) for numerator, denominator in ratios]
    return integers.reshape(values.shape), unit


def column_means(matrices: Array) -> tuple[Array, Array]:
    """Return the means of the columns of a stack of matrices (k, S, S), shape (k, S), and what the doubles lack.

    Examples
    --------
    >>> import numpy as np
    >>> column_means(np.array([[[1.0, 1e300], [2.0, -1e300]]]))[0]
    array([[1.5, 0. ]])
    """
    integers, unit = exact_integers(matrices)
    exact = [Fraction(total, unit * matrices.shape[1]) for total in integers.sum(axis=1).ravel().tolist()]
    means = [float(mean) for mean in exact]
    rest = [float(mean - Fraction(rounded)) for mean, rounded in zip(exact, means, strict=True)]
    shape = (matrices.shape[0], matrices.shape[2])
    return np.array(means).reshape(shape), np.array(rest).reshape(shape)


def gap_that_separates(positions: int, epsilon: float) -> float:
    """Return the distance from which a level adds less than roundoff to ``N_b + eps D``, beside a higher one."""
    return NEGLIGIBLE + log(positions) + log1p(epsilon) - log(epsilon)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of all queries, those of a query from the highest to the lowest.

    Attributes
    ----------
    queries : ndarray of int64, shape (W,)
        The query of each window.
    logs : ndarray, shape (W, R)
        Logit of each row relative to the highest of the window: infinite above the window, minus infinite below it.
    last : ndarray of bool, shape (W,)
        Whether it is the last of its query: no sequence is without a position in it or above.
    rounding : float
        Bound on the relative error of the weights ``exp(logs)``.
    """

    queries: NDArray[np.int64]
    logs: Array
    last: NDArray[np.bool_]
    rounding: float

    @np.errstate(under="ignore")
    def lower_bounds(
        self, epsilon: float, shift: Array, window: NDArray[np.int64], least: Array, log_least: Array
    ) -> tuple[Array, Array]:
        """Return lower bounds of the arguments of terms, where they are not zero, and their logarithms.

        Parameters
        ----------
        epsilon : float
            Added to the frequencies.
        shift : ndarray, shape (N,)
            Epsilon or one, by term.
        window : ndarray of int64, shape (N,)
            The window of each term.
        least, log_least : ndarray, shape (W,)
            Lower bound of the sum of the weights where the window is the last of its query.
        """
        last = self.last[window]
        # Above it one position is enough. A sequence without any must drop out of all terms of the window at once.
        alone = np.where(np.isfinite(self.logs), self.logs, np.inf).min(axis=1) + min(0.0, log(epsilon))
        lowest = np.where(last, shift * least[window], np.exp(alone)[window])
        return lowest, np.where(last, np.log(shift) + log_least[window], alone[window])


def find_windows(levels: Integers, unit: int, occurs: NDArray[np.bool_], always: int, gap: float) -> Windows:
    """Return the windows of every query.

    Parameters
    ----------
    levels : ndarray of Python integers, shape (Q, R)
        Logits by query and row, in units of ``1 / unit``.
    unit : int
        See there.
    occurs : ndarray of bool, shape (R,)
        Rows that a position can follow; others weigh nothing.
    always : int
        A row that some position follows in every sequence. What lies below it by ``gap`` never matters.
    gap : float
        What lies below all levels of a sequence by so much does not matter in it.

    Examples
    --------
    >>> import numpy as np
    >>> found = find_windows(np.array([[0, 3000, 1000, 999]], dtype=object), 1, np.ones(4, dtype=bool), 2, 50.0)
    >>> found.logs
    array([[-inf,   0., -inf, -inf],
           [-inf,  inf,   0.,  -1.]])
    """
    distance = ceil(gap) * unit
    quotient = _quotient_by(unit)
    queries, logs, last = [], [], []
    for q, row in enumerate(levels):
        lowest = row[always]
        heights = sorted({height for height in row[occurs] if height >= lowest}, reverse=True)
        top = bottom = heights[0]
        for height in [*heights[1:], None]:
            if height is not None and bottom - height < distance:
                bottom = height
                continue
            end = height is None
            relative = quotient(row - top)
            relative[row > top] = inf
            relative[row < (bottom - distance if end else bottom)] = -inf
            relative[~occurs] = -inf
            queries.append(q)
            logs.append(relative)
            last.append(end)
            top = bottom = height
    found = np.array(logs)
    spread = float(-found.min(where=np.isfinite(found), initial=0.0))
    rounding = 2.0 * float(np.finfo(float).eps) * (1.0 + spread)
    return Windows(np.array(queries, dtype=np.int64), found, np.array(last), rounding)


def _quotient_by(unit: int) -> Callable[[Integers], Array]:
    """Division of integers, rounded once; a quotient beyond all doubles is infinite."""

    def divide(number: int) -> float:
        try:
            return number / unit
        except OverflowError:
            return inf if number > 0 else -inf

    quotient = np.frompyfunc(divide, 1, 1)
    return lambda numbers: np.asarray(quotient(numbers), dtype=np.float64)


class _Moments(Protocol):
    """A loss, and bounds on its error and on those of its derivatives by the logits."""

    @property
    def value(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def slope_error(self) -> float: ...


def along_levels(found: _Moments, signed: Array, shares: Array, levels: Array) -> tuple[Array, Array]:
    """Return loss, slope and a bound on the fourth derivative along a pattern, with bounds on their errors.

    The last is the sum over the logarithms, by their absolute factors, of the mean of ``max(x^4, R^2 x^2 / 2)``, where
    x is the distance of a logit of the pattern from the largest of its query, R the largest x, and the mean is taken
    under the weights in the argument. It falls with the multiple of the pattern.

    Parameters
    ----------
    found : moments
        The loss at a multiple of the pattern.
    signed, shares : ndarray, shape (Q, levels)
        Its derivatives by the logits, and these without signs.
    levels : ndarray, shape (Q, levels)
        The logits at one time the pattern.
    """
    below = levels.max(axis=1, keepdims=True) - levels
    fourth = np.maximum(below**4, 0.5 * (below.max(axis=1, keepdims=True) * below) ** 2)
    values = np.array([found.value, (signed * levels).sum(), (shares * fourth).sum()])
    return values, np.array([found.error, found.slope_error * np.abs(levels).sum(), found.slope_error * fourth.sum()])
