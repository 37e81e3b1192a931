"""Small operations on arrays whose innermost index runs over sequences side by side (strands).

The number of strands is a constant, so that innermost loops are unrolled and vectorised without a remainder.
"""

import numpy as np

from causal_theory.kernels._jit import jit, jit_strict

STRANDS = 32

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238
"""The leading bits of log 2: a multiple by a small integer is exact."""

LN2_LOW = 1.9082149292705877e-10
LOWEST = -708.0
"""``exp`` of it is close to the smallest normal number."""

BIAS = 1023
MANTISSA_BITS = 52


@jit_strict
def exponential(values, rows):
    """Replace the first rows of ``values`` (n, STRANDS), which are not positive, by their exponentials.

    ``exp(x) = 2^n exp(r)`` with ``|r| <= log(2)/2`` and a Taylor polynomial of degree 13: relative error about 3e-16.
    The power of two is written into the bits of a number, so that the loop is vectorised.
    """
    bits = np.empty(STRANDS, dtype=np.int64)
    powers = bits.view(np.float64)
    for j in range(rows):
        row = values[j]
        for strand in range(STRANDS):
            x = max(row[strand], LOWEST)
            n = np.floor(x * LOG2_E + 0.5)
            r = (x - n * LN2_HIGH) - n * LN2_LOW
            p = 1.0 / 6227020800.0
            p = p * r + 1.0 / 479001600.0
            p = p * r + 1.0 / 39916800.0
            p = p * r + 1.0 / 3628800.0
            p = p * r + 1.0 / 362880.0
            p = p * r + 1.0 / 40320.0
            p = p * r + 1.0 / 5040.0
            p = p * r + 1.0 / 720.0
            p = p * r + 1.0 / 120.0
            p = p * r + 1.0 / 24.0
            p = p * r + 1.0 / 6.0
            p = p * r + 0.5
            p = p * r + 1.0
            p = p * r + 1.0
            row[strand] = p
            bits[strand] = (np.int64(n) + BIAS) << MANTISSA_BITS
        for strand in range(STRANDS):
            row[strand] *= powers[strand]


@jit
def softmax_rows(scores, rows):
    """Replace the first rows of ``scores`` (n, STRANDS) by their softmax over rows; returns logs of the sums."""
    largest, total = np.empty(STRANDS), np.zeros(STRANDS)
    largest[:] = scores[0]
    for j in range(1, rows):
        for strand in range(STRANDS):
            largest[strand] = max(largest[strand], scores[j, strand])
    for j in range(rows):
        for strand in range(STRANDS):
            scores[j, strand] -= largest[strand]
    exponential(scores, rows)
    for j in range(rows):
        for strand in range(STRANDS):
            total[strand] += scores[j, strand]
    for strand in range(STRANDS):
        largest[strand] += np.log(total[strand])
        total[strand] = 1.0 / total[strand]
    for j in range(rows):
        for strand in range(STRANDS):
            scores[j, strand] *= total[strand]
    return largest


@jit
def softmax_back(weights, slopes, rows):
    """Turn slopes by the weights into slopes by the scores, in place, for the first rows."""
    mean = np.zeros(STRANDS)
    for j in range(rows):
        for strand in range(STRANDS):
            mean[strand] += weights[j, strand] * slopes[j, strand]
    for j in range(rows):
        for strand in range(STRANDS):
            slopes[j, strand] = weights[j, strand] * (slopes[j, strand] - mean[strand])


@jit
def add_products(x, y, out):
    """``out[r, c] += sum_l x[r, l] y[c, l]``: gradients of a matrix, summed over strands; four columns at a time."""
    columns = y.shape[0]
    quads = columns - columns % 4
    for r in range(x.shape[0]):
        row = x[r]
        for c in range(0, quads, 4):
            y0, y1, y2, y3 = y[c], y[c + 1], y[c + 2], y[c + 3]
            t0 = t1 = t2 = t3 = 0.0
            for strand in range(STRANDS):
                value = row[strand]
                t0 += value * y0[strand]
                t1 += value * y1[strand]
                t2 += value * y2[strand]
                t3 += value * y3[strand]
            out[r, c] += t0
            out[r, c + 1] += t1
            out[r, c + 2] += t2
            out[r, c + 3] += t3
        for c in range(quads, columns):
            y0 = y[c]
            t0 = 0.0
            for strand in range(STRANDS):
                t0 += row[strand] * y0[strand]
            out[r, c] += t0
