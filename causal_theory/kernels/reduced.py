"""Losses and gradients of the reduced transformer on a batch, sequences side by side.

The attention ``a`` of the first layer does not depend on the tokens. With ``z_j = A2[s_j, q]`` the logit of position
``i`` is ``sum_j a_ij z_j``, so that all of a group of sequences is a matrix product; with the slopes ``g_i`` of the
loss by the logits

    dloss/dA1[i, j] = a_ij (g_i z_j - g_i logit_i),      dloss/dA2[s_j, q] += sum_i g_i a_ij.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.lanes import LANES, add_products, softmax_back, softmax_rows
from causal_theory.kernels.messages import apply_rows
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

GROUPS = 8
"""Groups of lanes to a partial sum."""


@helper
def _frequencies(tokens, weights, frequencies):
    frequencies[:] = 0.0
    for i in range(tokens.shape[0]):
        for lane in range(LANES):
            frequencies[tokens[i, lane], lane] += weights[i, lane]


@helper
def _run_group(
    tokens, targets, attention, attention_columns, key_scores, epsilon, buffers, with_gradient, losses, sums
):
    values, logits, weights, slopes, frequencies, phi, work = buffers
    products, diagonal, second = sums
    length, size = tokens.shape[0], key_scores.shape[0]
    query = tokens[length - 1]
    for j in range(length):
        for lane in range(LANES):
            values[j, lane] = key_scores[query[lane], tokens[j, lane]]
    apply_rows(attention, 0, values, logits)
    for i in range(length):
        for lane in range(LANES):
            weights[i, lane] = logits[i, lane]
    softmax_rows(weights, length, work)
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
    softmax_back(weights, slopes, length, work[0])
    add_products(slopes, values, products)
    for i in range(length):
        total = 0.0
        for lane in range(LANES):
            total += slopes[i, lane] * logits[i, lane]
        diagonal[i] += total
    apply_rows(attention_columns, 0, slopes, values)
    for j in range(length):
        for lane in range(LANES):
            second[query[lane], tokens[j, lane]] += values[j, lane]


def reduced_batch(
    tokens: Integers, targets: Array, attention: Array, key_scores: Array, epsilon: float, with_gradient: bool
) -> tuple[Array, Array, Array]:
    """Losses (n,), and summed gradients by ``A1`` (T, T) and by the transpose of ``A2`` (S, S) when wanted."""
    count, length = tokens.shape
    size = targets.shape[1]
    parts = -(-count // (GROUPS * LANES))
    losses = np.empty(count)
    sums = (np.zeros((parts, length, length)), np.zeros((parts, length)), np.zeros((parts, size, size)))
    given = map(read_only, (tokens, targets, attention, attention.T, key_scores))
    run_shared(_run_parts, parts, *given, float(epsilon), with_gradient, losses, *sums)
    products, diagonal, second = (part.sum(axis=0) for part in sums)
    return losses, attention * (products - diagonal[:, None]), second


@kernel
def _run_parts(
    start,
    stop,
    tokens,
    targets,
    attention,
    columns,
    key_scores,
    epsilon,
    with_gradient,
    losses,
    products,
    diagonal,
    second,
):
    """Losses, and the partial sums ``start .. stop`` of the gradients."""
    count, length = tokens.shape
    size = targets.shape[1]
    block = GROUPS * LANES
    buffers = (
        np.empty((length, LANES)),
        np.empty((length, LANES)),
        np.empty((length, LANES)),
        np.empty((length, LANES)),
        np.empty((size, LANES)),
        np.empty((size, LANES)),
        np.empty((3, LANES)),
    )
    own = np.empty((length, LANES), dtype=np.uint32)
    for part in range(start, stop):
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
                (products[part], diagonal[part], second[part]),
            )
