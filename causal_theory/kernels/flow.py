"""The continuous limit of stage 1, in closed form: when each row reaches its mark.

A row of ``n`` keys follows ``theta' = a (g - a . g)``, ``a = softmax(theta)``, from ``theta = 0``. Let ``D d_j`` be how
far the score of key ``j`` lies below the largest, with the largest ``d_j`` one. Then, for a **stretch** ``s >= 0``,

    a_j = 1 / ((1 + d_j s) Q(s)),    Q(s) = sum_k 1 / (1 + d_k s),    t = 1 / (n D) integral_0^s Q(x)^2 dx,

as insertion shows. A mark is a value of a monotone function of the stretch, and the time an integral of one variable.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

PANEL = 3.0
"""Largest length of a panel in ``log(1 + s)``. The integrand is analytic up to a distance of pi on both sides: sixteen
Gauss nodes leave a relative error of 1e-17."""

MOST_STEPS = 200
"""Of Newton's method, which needs about ten."""

ROUNDOFF = 1e-15
"""Newton's steps below this share of the stretch are not taken."""

TIE = 1e-12
"""Scores this close, relative to the largest of the row, count as equal."""


@helper
def _stretch_of_losers(gaps, target, fall):
    """Stretch at which the sum of ``1 / (1 + d_j s)`` over the keys with ``d_j > 0`` falls by ``fall`` to ``target``.

    The smaller of the two says how far it still is: the other one has lost digits.

    One over that sum is concave in the stretch: Newton's steps from zero approach its value from below. Infinite when
    roundoff has left nothing to fall to.
    """
    if not target > 0.0:
        return np.inf
    stretch = 0.0
    for _ in range(MOST_STEPS):
        total = slope = fallen = 0.0
        for j in range(gaps.shape[0]):
            if gaps[j] > 0.0:
                share = 1.0 / (1.0 + gaps[j] * stretch)
                total += share
                fallen += gaps[j] * stretch * share
                slope += gaps[j] * share * share
        left = total - target if target < fall else fall - fallen
        step = total / target * (left / slope)
        if not step > ROUNDOFF * stretch:
            break
        stretch += step
    return stretch


@helper
def _stretch_of_last(gaps, rise):
    """Stretch at which one over the attention on the lowest score has risen by ``rise``: also concave."""
    stretch = 0.0
    for _ in range(MOST_STEPS):
        risen = slope = 0.0
        for j in range(gaps.shape[0]):
            share = 1.0 / (1.0 + gaps[j] * stretch)
            risen += (1.0 - gaps[j]) * stretch * share
            slope += (1.0 - gaps[j]) * share * share
        step = (rise - risen) / slope
        if not step > ROUNDOFF * stretch:
            break
        stretch += step
    return stretch


@helper
def _time_to(gaps, stretch, nodes, weights):
    """Integrate ``Q^2`` up to a stretch, in ``log(1 + s)``, by panels of the rule on [0, 1]."""
    end = np.log1p(stretch)
    panels = np.ceil(end / PANEL)
    width = end / max(panels, 1.0)
    whole = 0.0
    for panel in range(int(panels)):
        for k in range(nodes.shape[0]):
            point = (panel + nodes[k]) * width
            x = np.expm1(point)
            total = 0.0
            for j in range(gaps.shape[0]):
                total += 1.0 / (1.0 + gaps[j] * x)
            whole += width * weights[k] * np.exp(point) * total * total
    return whole


@helper
def _hit_time(scores, parent, goal, leave, nodes, weights):
    """Time at which a row that `can_reach` its mark is there."""
    size = scores.shape[0]
    if parent >= 0 and goal <= 1.0 / size:
        return 0.0
    gaps = scores.max() - scores
    unit = gaps.max()
    gaps /= unit
    winners = 0
    for j in range(size):
        winners += gaps[j] == 0.0
    if parent >= 0:
        target = (1.0 - goal) / goal
        stretch = _stretch_of_losers(gaps, target, size - winners - target)
    else:
        # Attention of 1/n + l and of 1/n - l, as changes of one over it.
        change = size * leave
        stretch = np.inf
        if 1.0 / winners_of(scores) - 1.0 / size > leave:
            stretch = _stretch_of_losers(gaps, 1.0 / (1.0 / size + leave) - winners, size * change / (1.0 + change))
        if 1.0 / size > leave:
            stretch = min(stretch, _stretch_of_last(gaps, size * change / (1.0 - change)))
    return _time_to(gaps, stretch, nodes, weights) / (size * unit) if stretch < np.inf else np.inf


@helper
def winners_of(scores):
    """Count the keys with the largest score, up to roundoff."""
    largest = scores.max()
    tie = TIE * max(abs(largest), abs(scores.min()))
    winners = 0
    for j in range(scores.shape[0]):
        if scores[j] >= largest - tie:
            winners += 1
    return winners


@helper
def can_reach(scores, parent, goal, leave):
    """Whether the mark can be reached at all.

    The order of the logits is that of the scores at all times: only a largest score can win, and ``k`` equal ones
    never get more than ``1/k`` each.
    """
    size = scores.shape[0]
    winners = winners_of(scores)
    if parent >= 0:
        return goal <= 1.0 / size or (winners == 1 and scores[parent] == scores.max())
    return max(1.0 / winners - 1.0 / size, 1.0 / size) > leave and winners < size


def flow_times(
    scores: Array, parents: Integers, pairs: Integers, goal: float, leave: float, rule: tuple[Array, Array]
) -> Array:
    """Time at which each row is at its mark: infinite when it never is.

    Parameters
    ----------
    scores : (T, T)
    parents : (T,) int64
        -1 for roots.
    pairs : (n, 2) int64
        Rows wanted, from `kernels.descent.balanced_pairs`.
    goal, leave
        Attention on the parent that a child must reach, distance from uniform that a root must exceed.
    rule : two arrays (16,)
        Nodes and weights of Gauss on [0, 1].
    """
    times = np.full(len(scores), np.inf)
    given = map(read_only, (scores, parents, pairs))
    run_shared(_times_of_pairs, len(pairs), *given, float(goal), float(leave), *map(read_only, rule), times)
    return times


@kernel
def _times_of_pairs(start, stop, scores, parents, pairs, goal, leave, nodes, weights, times):
    for unit in range(start, stop):
        for k in range(2):
            i = pairs[unit, k]
            if i >= 0:
                row = scores[i, : i + 1]
                parent = parents[i]
                possible = can_reach(row, parent, goal, leave)
                if possible:
                    times[i] = _hit_time(row, parent, goal, leave, nodes, weights)
