"""The continuous limit of stage 1: when each row reaches its mark.

A row follows ``theta' = a (g - a . g)``, ``a = softmax(theta)``, from ``theta = 0``. Steps are chosen so that no logit
moves by more than a fixed amount: the field near a corner of the simplex fades like one over time, and so many steps
cross any span of time. Classical Runge-Kutta; with the step below the times are accurate to about 1e-8.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.descent import at_mark, attend, progress_of
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

MOVE = 0.04
"""Largest change of a logit in one step."""

BISECTIONS = 40

TIE = 1e-12
"""Scores this close, relative to the largest of the row, count as equal."""


@helper
def _field(theta, scores, attention, field):
    """Velocity of the logits; returns the largest."""
    attend(theta, attention)
    mean = 0.0
    for j in range(theta.shape[0]):
        mean += attention[j] * scores[j]
    largest = 0.0
    for j in range(theta.shape[0]):
        field[j] = attention[j] * (scores[j] - mean)
        largest = max(largest, abs(field[j]))
    return largest


@helper
def _runge_kutta(theta, scores, step, first, work, moved):
    """One step of length ``step`` from ``theta``, whose field is ``first``."""
    attention, second, third, fourth, middle = work
    size = theta.shape[0]
    for j in range(size):
        middle[j] = theta[j] + 0.5 * step * first[j]
    _field(middle, scores, attention, second)
    for j in range(size):
        middle[j] = theta[j] + 0.5 * step * second[j]
    _field(middle, scores, attention, third)
    for j in range(size):
        middle[j] = theta[j] + step * third[j]
    _field(middle, scores, attention, fourth)
    for j in range(size):
        moved[j] = theta[j] + step / 6.0 * (first[j] + 2.0 * (second[j] + third[j]) + fourth[j])


@helper
def _hit_time(scores, parent, goal, leave, most_steps):
    size = scores.shape[0]
    theta, moved, first = np.zeros(size), np.empty(size), np.empty(size)
    work = (np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size))
    attention = work[0]
    time = 0.0
    attend(theta, attention)
    if at_mark(progress_of(attention, parent), parent, goal, leave):
        return time
    for _ in range(most_steps):
        fastest = _field(theta, scores, attention, first)
        if not fastest > 0.0:
            return np.inf
        step = MOVE / fastest
        _runge_kutta(theta, scores, step, first, work, moved)
        attend(moved, attention)
        if at_mark(progress_of(attention, parent), parent, goal, leave):
            low, high = 0.0, 1.0
            for _ in range(BISECTIONS):
                middle = 0.5 * (low + high)
                _runge_kutta(theta, scores, middle * step, first, work, moved)
                attend(moved, attention)
                if at_mark(progress_of(attention, parent), parent, goal, leave):
                    high = middle
                else:
                    low = middle
            return time + high * step
        time += step
        for j in range(theta.shape[0]):
            theta[j] = moved[j]
    return np.inf


@helper
def can_reach(scores, parent, goal, leave):
    """Whether the mark can be reached at all.

    The order of the logits is that of the scores at all times: only a largest score can win, and ``k`` equal ones
    never get more than ``1/k`` each.
    """
    size = scores.shape[0]
    largest = scores.max()
    tie = TIE * max(abs(largest), abs(scores.min()))
    winners = 0
    for j in range(size):
        if scores[j] >= largest - tie:
            winners += 1
    if parent >= 0:
        return goal <= 1.0 / size or (winners == 1 and scores[parent] == largest)
    return max(1.0 / winners - 1.0 / size, 1.0 / size) > leave and winners < size


def flow_times(scores: Array, parents: Integers, pairs: Integers, goal: float, leave: float, most_steps: int) -> Array:
    """Time at which each row is at its mark: infinite when it never is, or not within ``most_steps``.

    Parameters
    ----------
    scores : (T, T)
    parents : (T,) int64
        -1 for roots.
    pairs : (n, 2) int64
        Rows wanted, from `kernels.descent.balanced_pairs`.
    goal, leave
        Attention on the parent that a child must reach, distance from uniform that a root must exceed.
    """
    times = np.full(len(scores), np.inf)
    given = map(read_only, (scores, parents, pairs))
    run_shared(_times_of_pairs, len(pairs), *given, float(goal), float(leave), most_steps, times)
    return times


@kernel
def _times_of_pairs(start, stop, scores, parents, pairs, goal, leave, most_steps, times):
    for unit in range(start, stop):
        for k in range(2):
            i = pairs[unit, k]
            if i >= 0:
                row = scores[i, : i + 1]
                parent = parents[i]
                possible = can_reach(row, parent, goal, leave)
                if possible:
                    times[i] = _hit_time(row, parent, goal, leave, most_steps)
