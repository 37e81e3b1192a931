"""Loss and gradient of the reduced transformer, sequence by sequence: for samples, and for steep parameters.

For one sequence with weights ``w = softmax(logits)``, ``phi_b = y_b / (f_b + eps)`` and ``m = sum_b phi_b f_b``, the
derivative of the loss by the logit of position ``i`` is ``g_i = -w_i (phi_{s_i} - m)``; then

    dloss/dA1[i, j] = g_i a_ij (A2[s_j, q] - logit_i),      dloss/dA2[:, q] = sum_i g_i k_i.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@helper
def _logits(tokens, attention, key_scores, logits):
    """Fill the logits of all positions; returns the largest."""
    largest = -np.inf
    for i in range(tokens.shape[0]):
        total = 0.0
        for j in range(i + 1):
            total += attention[i, j] * key_scores[tokens[j]]
        logits[i] = total
        largest = max(largest, total)
    return largest


@helper
def _predict(tokens, logits, largest, weights, frequencies):
    """Softmax over all positions and the attended frequency of each symbol."""
    frequencies[:] = 0.0
    for i in range(tokens.shape[0]):
        weights[i] = np.exp(logits[i] - largest)
    total = 0.0
    for i in range(tokens.shape[0]):
        total += weights[i]
    for i in range(tokens.shape[0]):
        weights[i] /= total
        frequencies[tokens[i]] += weights[i]


def batch_predictions(tokens: Integers, attention: Array, key_scores: Array) -> Array:
    """Attended frequencies (n, S) of a batch of token sequences (n, T); ``key_scores[q, a] = A2[a, q]``."""
    out = np.zeros((len(tokens), len(key_scores)))
    run_shared(_predict_range, len(tokens), *map(read_only, (tokens, attention, key_scores)), out)
    return out


@kernel
def _predict_range(start, stop, tokens, attention, key_scores, out):
    length = tokens.shape[1]
    logits = np.empty(length)
    weights = np.empty(length)
    for k in range(start, stop):
        largest = _logits(tokens[k], attention, key_scores[tokens[k, length - 1]], logits)
        _predict(tokens[k], logits, largest, weights, out[k])


@helper
def _accumulate(tokens, target, chance, attention, key_scores, epsilon, buffers, sums, squares):
    """Add the gradient of one sequence to the sums; returns its loss."""
    logits, weights, frequencies, keys = buffers
    first_sum, second_sum = sums
    first_square, second_square = squares
    length = tokens.shape[0]
    size = target.shape[0]
    query = tokens[length - 1]
    scores = key_scores[query]
    largest = _logits(tokens, attention, scores, logits)
    _predict(tokens, logits, largest, weights, frequencies)
    loss = 0.0
    mean = 0.0
    for b in range(size):
        loss -= target[b] * np.log(frequencies[b] + epsilon)
        mean += target[b] * frequencies[b] / (frequencies[b] + epsilon)
    keys[:size] = 0.0
    for i in range(length):
        b = tokens[i]
        slope = -weights[i] * (target[b] / (frequencies[b] + epsilon) - mean)
        for j in range(i + 1):
            share = slope * attention[i, j]
            keys[tokens[j]] += share
            value = share * (scores[tokens[j]] - logits[i])
            first_sum[i, j] += chance * value
            first_square[i, j] += chance * value * value
    for a in range(size):
        second_sum[query, a] += chance * keys[a]
        second_square[query, a] += chance * keys[a] * keys[a]
    return loss


def batch_moments(
    tokens: Integers, targets: Array, chances: Array, attention: Array, key_scores: Array, epsilon: float, block: int
) -> tuple[Array, Array, Array]:
    """Weighted sums of loss, gradients and their squares over a batch, ``block`` sequences to a partial sum.

    Returns ``losses`` (n,), the sums for ``A1`` (2, T, T) and those for the transpose of ``A2`` (2, S, S).
    """
    count, length = tokens.shape
    size = targets.shape[1]
    blocks = -(-count // block)
    losses = np.empty(count)
    first = np.zeros((blocks, 2, length, length))
    second = np.zeros((blocks, 2, size, size))
    given = map(read_only, (tokens, targets, chances, attention, key_scores))
    run_shared(_sum_blocks, blocks, *given, float(epsilon), block, losses, first, second)
    return losses, first.sum(axis=0), second.sum(axis=0)


@kernel
def _sum_blocks(start, stop, tokens, targets, chances, attention, key_scores, epsilon, block, losses, first, second):
    count, length = tokens.shape
    size = targets.shape[1]
    buffers = (np.empty(length), np.empty(length), np.empty(size), np.empty(size))
    for k in range(start, stop):
        for n in range(k * block, min(count, (k + 1) * block)):
            losses[n] = _accumulate(
                tokens[n],
                targets[n],
                chances[n],
                attention,
                key_scores,
                epsilon,
                buffers,
                (first[k, 0], second[k, 0]),
                (first[k, 1], second[k, 1]),
            )


@kernel
def unpack_sequences(first_code, count, parents, pi, root_law, tokens, chances):
    """Write the sequences numbered ``first_code ...`` (base S, query last) and their probabilities."""
    size = pi.shape[0]
    length = parents.shape[0] + 1
    for n in range(count):
        code = first_code + n
        chance = 1.0 / size
        tokens[n, length - 1] = code % size
        code //= size
        for i in range(length - 1):
            tokens[n, i] = code % size
            code //= size
            w = parents[i]
            chance *= root_law[tokens[n, i]] if w < 0 else pi[tokens[n, w], tokens[n, i]]
        chances[n] = chance
