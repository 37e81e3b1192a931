"""Small operations on arrays whose innermost index runs over sequences side by side (lanes).

The number of lanes is a constant, so that innermost loops are unrolled and vectorised without a remainder.
"""

import numpy as np

from causal_theory.kernels._jit import helper, strict_helper

LANES = 32

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238
"""The leading bits of log 2: a multiple by a small integer is exact."""

LN2_LOW = 1.9082149292705877e-10
LOWEST = -708.0
"""``exp`` of it is close to the smallest normal number."""

BIAS = 1023
MANTISSA_BITS = 52


@strict_helper
def exponential(values, rows, largest, powers):
    """Replace the first rows of ``values`` (n, LANES) by exponentials of what they lack to ``largest`` (LANES,).

    ``exp(x) = 2^n exp(r)`` with ``|r| <= log(2)/2`` and a Taylor polynomial of degree 13: relative error about 3e-16.
    The power of two is written into the bits of a number, in the scratch row ``powers``: so the loop is vectorised.
    """
    bits = powers.view(np.int64)
    for j in range(rows):
        row = values[j]
        for lane in range(LANES):
            x = max(row[lane] - largest[lane], LOWEST)
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
            row[lane] = p
            bits[lane] = (np.int64(n) + BIAS) << MANTISSA_BITS
        for lane in range(LANES):
            row[lane] *= powers[lane]


@helper
def softmax_rows(scores, rows, work):
    """Replace the first rows of ``scores`` (n, LANES) by their softmax over rows.

    The first two rows of ``work`` (3, LANES) become the largest score of each lane, and the sum of the exponentials of
    what the scores lack to it.
    """
    largest, total, scratch = work[0], work[1], work[2]
    for lane in range(LANES):
        largest[lane] = scores[0, lane]
        total[lane] = 0.0
    for j in range(1, rows):
        for lane in range(LANES):
            largest[lane] = max(largest[lane], scores[j, lane])
    exponential(scores, rows, largest, scratch)
    for j in range(rows):
        for lane in range(LANES):
            total[lane] += scores[j, lane]
    for lane in range(LANES):
        scratch[lane] = 1.0 / total[lane]
    for j in range(rows):
        for lane in range(LANES):
            scores[j, lane] *= scratch[lane]


@helper
def softmax_back(weights, slopes, rows, mean):
    """Turn slopes by the weights into slopes by the scores, in place, for the first rows; ``mean`` is scratch."""
    for lane in range(LANES):
        mean[lane] = 0.0
    for j in range(rows):
        for lane in range(LANES):
            mean[lane] += weights[j, lane] * slopes[j, lane]
    for j in range(rows):
        for lane in range(LANES):
            slopes[j, lane] = weights[j, lane] * (slopes[j, lane] - mean[lane])


@helper
def add_products(x, y, out):
    """``out[r, c] += sum_l x[r, l] y[c, l]``: gradients of a matrix, summed over lanes; four columns at a time."""
    columns = y.shape[0]
    quads = columns - columns % 4
    for r in range(x.shape[0]):
        row = x[r]
        for c in range(0, quads, 4):
            y0, y1, y2, y3 = y[c], y[c + 1], y[c + 2], y[c + 3]
            t0 = t1 = t2 = t3 = 0.0
            for lane in range(LANES):
                value = row[lane]
                t0 += value * y0[lane]
                t1 += value * y1[lane]
                t2 += value * y2[lane]
                t3 += value * y3[lane]
            out[r, c] += t0
            out[r, c + 1] += t1
            out[r, c + 2] += t2
            out[r, c + 3] += t3
        for c in range(quads, columns):
            y0 = y[c]
            t0 = 0.0
            for lane in range(LANES):
                t0 += row[lane] * y0[lane]
            out[r, c] += t0
