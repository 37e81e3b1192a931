"""Gradient descent on the rows of the first attention matrix, driven by fixed scores.

Row ``i`` follows ``A1_i += rate (diag(a_i) - a_i a_i^T) G_i`` with ``a_i = softmax(A1_i)``; rows do not interact.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import hot_helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@hot_helper
def attend(row, attention):
    """Softmax of a row; False when it is not finite."""
    largest = row.max()
    for j in range(row.shape[0]):
        attention[j] = np.exp(row[j] - largest)
    total = 0.0
    for j in range(row.shape[0]):
        total += attention[j]
    for j in range(row.shape[0]):
        attention[j] /= total
    return np.isfinite(total) and row.min() > -np.inf


@hot_helper
def distance_from_uniform(attention):
    """Return the largest distance of an attention weight from ``1 / n``."""
    largest = 0.0
    for j in range(attention.shape[0]):
        largest = max(largest, abs(attention[j] - 1.0 / attention.shape[0]))
    return largest


@hot_helper
def progress_of(attention, parent):
    """Attention on the parent; of a root the distance from uniform attention."""
    return attention[parent] if parent >= 0 else distance_from_uniform(attention)


@hot_helper
def at_mark(progress, parent, goal, leave):
    """Whether a child row has reached its goal, or a root row has left uniform attention."""
    return progress >= goal if parent >= 0 else progress > leave


@hot_helper
def _step(row, attention, scores, rate):
    mean = 0.0
    for j in range(row.shape[0]):
        mean += attention[j] * scores[j]
    for j in range(row.shape[0]):
        row[j] += rate * attention[j] * (scores[j] - mean)


@hot_helper
def _advance_row(row, scores, parent, rate, start, stride, marks, progress, hit):
    """Advance one row; returns its first hit and the step at which it stopped being finite (-1: not)."""
    attention = np.empty(row.shape[0])
    attend(row, attention)
    if start == 0 and hit < 0 and at_mark(progress_of(attention, parent), parent, marks[0], marks[1]):
        hit = 0
    step = start
    for record in range(progress.shape[0]):
        for _ in range(stride):
            _step(row, attention, scores, rate)
            step += 1
            if not attend(row, attention):
                return hit, step
            if hit < 0 and at_mark(progress_of(attention, parent), parent, marks[0], marks[1]):
                hit = step
        progress[record] = progress_of(attention, parent)
    return hit, -1


def balanced_pairs(rows: np.ndarray) -> np.ndarray:
    """Pair the longest row with the shortest, and so on, so that all pairs cost the same; -1 completes the last one."""
    half = (rows.shape[0] + 1) // 2
    pairs = np.full((half, 2), -1)
    pairs[:, 0] = rows[::-1][:half]
    pairs[: rows.shape[0] // 2, 1] = rows[: rows.shape[0] // 2]
    return pairs


def advance(
    matrix: Array,
    scores: Array,
    parents: Integers,
    pairs: Integers,
    rate: float,
    start: int,
    stride: int,
    marks: tuple[float, float],
    progress: Array,
    hits: Integers,
    broken: Integers,
) -> None:
    """Advance the chosen rows in place, by ``stride`` steps for every row of ``progress``.

    Parameters
    ----------
    matrix, scores : (T, T)
        Logits, and what drives them.
    parents : (T,) int64
        -1 for roots.
    pairs : (n, 2) int64
        Rows to advance, from `balanced_pairs`.
    rate, start, stride
        Step size, number of steps done before, steps to a record.
    marks : (goal, leave)
        Attention at which a child row, and distance from uniform at which a root row is at its mark.
    progress : (R, T), output
        Attention on the parent, or distance from uniform, after every ``stride`` steps.
    hits, broken : (T,) int64, in place
        First step at the mark, and first step that is not finite; -1 before.
    """
    run_shared(
        _advance_pairs,
        len(pairs),
        matrix,
        *map(read_only, (scores, parents, pairs)),
        rate,
        start,
        stride,
        marks,
        progress,
        hits,
        broken,
    )


@kernel
def _advance_pairs(first, last, matrix, scores, parents, pairs, rate, start, stride, marks, progress, hits, broken):
    for unit in range(first, last):
        for k in range(2):
            i = pairs[unit, k]
            if i >= 0:
                hit, bad = _advance_row(
                    matrix[i, : i + 1], scores[i], parents[i], rate, start, stride, marks, progress[:, i], hits[i]
                )
                hits[i] = hit
                broken[i] = bad
