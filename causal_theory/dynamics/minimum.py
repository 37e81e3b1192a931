"""The smallest loss over the multiples of given matrices: bounds on its derivatives, and a search that uses them."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import sqrt

FOURTH = 5.0 / 24.0
"""Bound on the difference of the fourth cumulants of two laws on [0, 1], each between -1/8 and 1/12."""

TOLERANCE = 1e-10
"""Nats by which a point must promise to be better."""

NARROWEST = 0.125
"""Intervals of the scaled multiple are not split below this: a dip of 1.3e-7 nats may hide in them."""

PLACES = (0.0, 0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75, 1.0)
"""First points, in parts of the range: the loss changes where its shares do."""

PRECISION = 1e-5


@dataclass(frozen=True)
class Point:
    """The loss at one multiple.

    Attributes
    ----------
    at : float
        The multiple.
    loss, slope : float
        There.
    fourth : float
        Bound on the fourth derivative, from here to larger multiples; see :func:`smallest_on`.
    """

    at: float
    loss: float
    slope: float
    fourth: float


@dataclass(frozen=True)
class _Interval:
    left: Point
    right: Point
    reach: float

    @property
    def width(self) -> float:
        return self.right.at - self.left.at

    @property
    def fourth(self) -> float:
        """Bound on the fourth derivative."""
        return min(FOURTH * self.reach**4, self.left.fourth)

    @property
    def cubic(self) -> tuple[float, float, float]:
        """The cubic with the values and slopes of both ends, ``left + s (b + s (c + s d))`` with s from 0 to 1."""
        b, rise, end = self.width * self.left.slope, self.right.loss - self.left.loss, self.width * self.right.slope
        return b, 3.0 * rise - 2.0 * b - end, b + end - 2.0 * rise

    @property
    def bound(self) -> float:
        """A lower bound of the loss: the least of the cubic, less its error."""
        left = self.left
        b, c, d = self.cubic
        error = self.fourth * self.width**4 / 384.0
        least = min(0.0, self.right.loss - left.loss)
        root = c * c - 3.0 * b * d
        if root > 0.0:
            for s in ((-c + sqrt(root)) / (3.0 * d), (-c - sqrt(root)) / (3.0 * d)) if d else (-b / (2.0 * c),):
                if 0.0 < s < 1.0:
                    least = min(least, s * (b + s * (c + s * d)))
        return left.loss + least - error

    @property
    def has_valley(self) -> bool:
        """Whether the slope changes from falling to rising."""
        return self.left.slope < 0.0 < self.right.slope

    @property
    def is_convex(self) -> bool:
        """Whether the second derivative is certainly positive: the cubic gives it but for h^2 / 12 of the fourth."""
        _, c, d = self.cubic
        return 2.0 * min(c, c + 3.0 * d) > self.fourth * self.width**4 / 12.0


def smallest_on(evaluate: Callable[[float], Point], upper: float, reach: float) -> Point:
    r"""Return the point of the smallest loss between 0 and ``upper``, also where there are several local minima.

    The loss is :math:`E \sum_n \kappa_n \log \sum_i c_{ni} e^{\beta z_i}` with the logits :math:`z_i` of the pattern,
    which span at most R, and factors whose positive ones sum to 1 and whose negative ones sum to -1. The derivatives of
    a logarithm of a sum of exponentials are the cumulants of z under the weights. The fourth is between
    :math:`-R^4/8` and :math:`R^4/12`. With the distance x of z from its largest value it is also between
    :math:`-R^2 E x^2 / 2` and :math:`E x^4`, hence within :math:`E \max(x^4, R^2 x^2 / 2)` of zero, which falls with
    :math:`\beta`. So values and slopes at the ends of an interval of length h give the loss inside to :math:`h^4/384`
    times the bound on the fourth, and its second derivative to :math:`h^2/12` times it: intervals that cannot hold a
    smaller loss are dropped, others are split, and where the loss is certainly convex the zero of the slope is found.

    Parameters
    ----------
    evaluate : callable
        Maps a multiple to a point, whose ``fourth`` is the sum, by absolute factors, of these bounds.
    upper : float
        End of the range.
    reach : float
        R, positive.

    Returns
    -------
    Point
        No other multiple has a loss smaller by more than 2e-7 nats.
    """
    from scipy.optimize import brentq

    points = [evaluate(place * upper) for place in PLACES]
    best = min(points, key=lambda point: point.loss)
    waiting = [(one.bound, one.left.at, one) for one in map(_Interval, points[:-1], points[1:], [reach] * len(points))]
    heapify(waiting)
    while waiting:
        bound, _, interval = heappop(waiting)
        if bound > best.loss - TOLERANCE:
            break
        if interval.is_convex or interval.width * reach <= NARROWEST:
            if interval.has_valley:
                ends = interval.left.at, interval.right.at
                found = evaluate(brentq(lambda at: evaluate(at).slope, *ends, xtol=PRECISION))
                best = min(best, found, key=lambda point: point.loss)
            continue
        middle = evaluate(0.5 * (interval.left.at + interval.right.at))
        best = min(best, middle, key=lambda point: point.loss)
        for half in (_Interval(interval.left, middle, reach), _Interval(middle, interval.right, reach)):
            heappush(waiting, (half.bound, half.left.at, half))
    return best
