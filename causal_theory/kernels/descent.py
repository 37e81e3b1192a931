"""Gradient descent on the rows of the first attention matrix, driven by fixed scores.

Row ``i`` follows ``A1_i += rate (diag(a_i) - a_i a_i^T) G_i`` with ``a_i = softmax(A1_i)``; rows do not interact.
"""

import numpy as np

from causal_theory.kernels._jit import jit, jit_parallel, prange


@jit
def _attend(row, attention):
    """Softmax of a row; returns its largest logit."""
    largest = row.max()
    total = 0.0
    for j in range(row.shape[0]):
        attention[j] = np.exp(row[j] - largest)
        total += attention[j]
    for j in range(row.shape[0]):
        attention[j] /= total
    return largest


@jit
def _step(row, attention, scores, rate):
    mean = 0.0
    for j in range(row.shape[0]):
        mean += attention[j] * scores[j]
    for j in range(row.shape[0]):
        row[j] += rate * attention[j] * (scores[j] - mean)


@jit
def _deviation(attention):
    """Largest distance of a row from uniform attention."""
    largest = 0.0
    for j in range(attention.shape[0]):
        largest = max(largest, abs(attention[j] - 1.0 / attention.shape[0]))
    return largest


@jit_parallel
def first_hits(start, scores, parents, rate, steps, goal, leave):
    """First step at which each row reaches its mark, -1 if it does not within ``steps``.

    Child rows: attention of at least ``goal`` on the parent. Root rows: distance from uniform above ``leave``.
    """
    length = scores.shape[0]
    hits = np.full(length, -1)
    for back in prange(length):
        # Long rows first: they are the expensive ones.
        i = length - 1 - back
        row = start[i, : i + 1].copy()
        attention = np.empty(i + 1)
        for step in range(steps + 1):
            _attend(row, attention)
            reached = attention[parents[i]] >= goal if parents[i] >= 0 else _deviation(attention) > leave
            if reached:
                hits[i] = step
                break
            _step(row, attention, scores[i], rate)
    return hits


@jit_parallel
def descend(start, scores, parents, rate, recorded):
    """Run all rows to the last recorded step.

    Returns the final matrix (T, T), and at every recorded step the attention on the parent (R, T), NaN for roots, and
    the distance from uniform (R, T), NaN for children.
    """
    length = scores.shape[0]
    final = np.zeros((length, length))
    on_parent = np.full((recorded.shape[0], length), np.nan)
    deviation = np.full((recorded.shape[0], length), np.nan)
    for back in prange(length):
        i = length - 1 - back
        row = start[i, : i + 1].copy()
        attention = np.empty(i + 1)
        step = 0
        for record in range(recorded.shape[0]):
            while step < recorded[record]:
                _attend(row, attention)
                _step(row, attention, scores[i], rate)
                step += 1
            _attend(row, attention)
            if parents[i] >= 0:
                on_parent[record, i] = attention[parents[i]]
            else:
                deviation[record, i] = _deviation(attention)
        for j in range(i + 1):
            final[i, j] = row[j]
    return final, on_parent, deviation
