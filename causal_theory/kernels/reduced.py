"""Losses and gradients of the reduced transformer on a batch, sequences side by side.

The attention ``a`` of the first layer does not depend on the tokens. With ``z_j = A2[s_j, q]`` the logit of position
``i`` is ``sum_j a_ij z_j``, so that all of a group of sequences is a matrix product; with the slopes ``g_i`` of the
loss by the logits

    dloss/dA1[i, j] = a_ij (g_i z_j - g_i logit_i),      dloss/dA2[s_j, q] += sum_i g_i a_ij.
"""

import numpy as np

from causal_theory.kernels._jit import jit, jit_parallel, prange
from causal_theory.kernels.lanes import LANES, add_products, softmax_back, softmax_rows
from causal_theory.kernels.messages import apply_rows

GROUPS = 8
"""Groups of lanes to a partial sum."""


@jit
def _frequencies(tokens, weights, frequencies):
    frequencies[:] = 0.0
    for i in range(tokens.shape[0]):
        for lane in range(LANES):
            frequencies[tokens[i, lane], lane] += weights[i, lane]


@jit
def _run_group(
    tokens, targets, attention, attention_columns, key_scores, epsilon, buffers, with_gradient, losses, sums
):
    values, logits, weights, slopes, frequencies, phi = buffers
    products, diagonal, second = sums
    length, size = tokens.shape[0], key_scores.shape[0]
    query = tokens[length - 1]
    for j in range(length):
        for lane in range(LANES):
            values[j, lane] = key_scores[query[lane], tokens[j, lane]]
    apply_rows(attention, values, logits)
    weights[:] = logits
    softmax_rows(weights, length)
    _frequencies(tokens, weights, frequencies)
    for lane in range(LANES):
        for b in range(size):
            wanted = targets[lane, b] if lane < losses.shape[0] else 0.0
            phi[b, lane] = wanted / (frequencies[b, lane] + epsilon)
    for lane in range(losses.shape[0]):
        loss = 0.0
        for b in range(size):
            loss -= targets[lane, b] * np.log(frequencies[b, lane] + epsilon)
        losses[lane] = loss
    if not with_gradient:
        return
    for i in range(length):
        for lane in range(LANES):
            slopes[i, lane] = -phi[tokens[i, lane], lane]
    softmax_back(weights, slopes, length)
    add_products(slopes, values, products)
    for i in range(length):
        total = 0.0
        for lane in range(LANES):
            total += slopes[i, lane] * logits[i, lane]
        diagonal[i] += total
    apply_rows(attention_columns, slopes, values)
    for j in range(length):
        for lane in range(LANES):
            second[query[lane], tokens[j, lane]] += values[j, lane]


@jit_parallel
def reduced_batch(tokens, targets, attention, key_scores, epsilon, with_gradient):
    """Losses (n,), and summed gradients by ``A1`` (T, T) and by the transpose of ``A2`` (S, S) when wanted."""
    count, length = tokens.shape
    size = targets.shape[1]
    block = GROUPS * LANES
    parts = (count + block - 1) // block
    losses = np.empty(count)
    columns = np.ascontiguousarray(attention.T)
    partial_products = np.zeros((parts, length, length))
    partial_diagonal = np.zeros((parts, length))
    partial_second = np.zeros((parts, size, size))
    for part in prange(parts):
        buffers = (
            np.empty((length, LANES)),
            np.empty((length, LANES)),
            np.empty((length, LANES)),
            np.empty((length, LANES)),
            np.empty((size, LANES)),
            np.empty((size, LANES)),
        )
        own = np.empty((length, LANES), dtype=np.uint32)
        for low in range(part * block, min(count, (part + 1) * block), LANES):
            high = min(count, low + LANES)
            for lane in range(LANES):
                for i in range(length):
                    own[i, lane] = tokens[min(low + lane, count - 1), i]
            _run_group(
                own,
                targets[low:high],
                attention,
                columns,
                key_scores,
                epsilon,
                buffers,
                with_gradient,
                losses[low:high],
                (partial_products[part], partial_diagonal[part], partial_second[part]),
            )
    first, second = np.zeros((length, length)), np.zeros((size, size))
    diagonal = np.zeros(length)
    for part in range(parts):
        first += partial_products[part]
        diagonal += partial_diagonal[part]
        second += partial_second[part]
    for i in range(length):
        for j in range(length):
            first[i, j] = attention[i, j] * (first[i, j] - diagonal[i])
    return losses, first, second
