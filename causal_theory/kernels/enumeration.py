"""The population loss and its gradients as a sum over all ``S^T`` sequences, by a walk over the tree of prefixes.

For a fixed query symbol ``q`` the logit of position ``i`` depends on the tokens up to ``i`` only, so a prefix fixes
its weight once for all its continuations. Going down, every prefix of length ``d + 1`` adds its last token to the
logits of the positions from ``d`` on. At a leaf the sequence is complete and yields, for each symbol ``b``, the
slope ``gamma_b = P(sequence) (phi_b - mean phi) / D`` with ``phi_b = y_b / (f_b + eps)`` and ``D`` the sum of the
weights; the derivative by the logit of ``i`` is then ``-w_i gamma_{s_i}``. Going up, these are summed over all
continuations of a prefix, and only then attributed to its last token. The work per sequence is ``O(S)``, independent
of ``T``, and the memory does not grow with the number of sequences. Sums are nested like the prefixes, ``S`` terms at
a time, so roundoff grows with ``T``, not with ``S^T``.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import kernel, pasted_helper, strict_helper
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@pasted_helper
def _leaf(probability, numerators, query, query_weight, denominator, target, epsilon, slopes, with_gradient):
    """Loss of a complete sequence times its probability; writes ``gamma`` to ``slopes``."""
    inverse = 1.0 / (denominator + query_weight)
    loss = 0.0
    mean = 0.0
    for b in range(target.shape[0]):
        share = numerators[b]
        if b == query:
            share += query_weight
        share *= inverse
        loss -= target[b] * np.log(share + epsilon)
        if with_gradient:
            ratio = target[b] / (share + epsilon)
            slopes[b] = ratio
            mean += ratio * share
    if with_gradient:
        factor = probability * inverse
        for b in range(target.shape[0]):
            slopes[b] = (slopes[b] - mean) * factor
    return loss * probability


@strict_helper
def _walk(parents, pi, root_law, factors, query, epsilon, prefix, prefix_length, with_gradient, hist):
    """Sum over all sequences with the given query and prefix; returns the loss, adds to ``hist``.

    ``hist[d, a, i]``: sum of the derivatives by the logit of ``i`` over the sequences with token ``a`` at ``d``.
    ``factors[d, a, i]``: what token ``a`` at ``d`` contributes to the weight of ``i``.
    """
    context = parents.shape[0]
    length = context + 1
    size = pi.shape[0]
    tokens = np.full(context, -1)
    probability = np.ones(context + 1)
    weight = np.empty(context)
    denominator = np.zeros(context + 1)
    numerators = np.zeros((context + 1, size))
    partial = np.ones((context + 1, length))
    slope_sums = np.zeros((context + 1, size))
    position_sums = np.zeros((context + 1, length))
    slopes = np.empty(size)
    target = pi[query].copy()
    partial[0, context] = factors[context, query, context]
    loss = 0.0
    depth = 0
    while True:
        symbol = tokens[depth] + 1
        if depth < prefix_length:
            symbol = prefix[depth] if symbol == 0 else size
        if symbol == size:
            depth -= 1
            if depth < 0:
                break
            if with_gradient:
                symbol = tokens[depth]
                inner = position_sums[depth + 1]
                outer = position_sums[depth]
                row = hist[depth, symbol]
                inner[depth] = -weight[depth] * slope_sums[depth + 1, symbol]
                for i in range(depth, length):
                    row[i] += inner[i]
                    outer[i] += inner[i]
                for b in range(size):
                    slope_sums[depth, b] += slope_sums[depth + 1, b]
            continue
        tokens[depth] = symbol
        parent = parents[depth]
        chance = root_law[symbol] if parent < 0 else pi[tokens[parent], symbol]
        if chance == 0.0:
            continue
        chance *= probability[depth]
        factor = factors[depth, symbol]
        own = partial[depth, depth] * factor[depth]
        if depth < context - 1:
            for i in range(depth + 1, length):
                partial[depth + 1, i] = partial[depth, i] * factor[i]
                position_sums[depth + 1, i] = 0.0
            for b in range(size):
                numerators[depth + 1, b] = numerators[depth, b]
                slope_sums[depth + 1, b] = 0.0
            numerators[depth + 1, symbol] += own
            denominator[depth + 1] = denominator[depth] + own
            probability[depth + 1] = chance
            weight[depth] = own
            depth += 1
            tokens[depth] = -1
            continue
        final = partial[depth, context] * factor[context]
        kept = numerators[depth, symbol]
        numerators[depth, symbol] = kept + own
        total = denominator[depth] + own
        loss += _leaf(chance, numerators[depth], query, final, total, target, epsilon, slopes, with_gradient)
        numerators[depth, symbol] = kept
        if with_gradient:
            at_last = -own * slopes[symbol]
            at_query = -final * slopes[query]
            hist[depth, symbol, depth] += at_last
            hist[depth, symbol, context] += at_query
            position_sums[depth, depth] += at_last
            position_sums[depth, context] += at_query
            for b in range(size):
                slope_sums[depth, b] += slopes[b]
    hist[context, query, context] += position_sums[0, context]
    return loss


def walk_blocks(
    parents: Integers,
    pi: Array,
    root_law: Array,
    factors: Array,
    epsilon: float,
    prefix_length: int,
    first: int,
    count: int,
    with_gradient: bool,
) -> tuple[Array, Array]:
    """Sum over the blocks ``first .. first + count``: a block is a query symbol and the first tokens.

    ``factors[q, d, a, i] = exp(attention[i, d] (A2[a, q] - max_a A2[a, q]))`` lets no weight overflow and needs no
    further exponential. Returns the losses (count,) and the attributed derivatives (count, T, S, T), see ``_walk``.
    """
    size, length = len(pi), len(parents) + 1
    losses = np.zeros(count)
    hists = np.zeros((count, length, size, length))
    run_shared(
        _walk_range,
        count,
        *map(read_only, (parents, pi, root_law, factors)),
        epsilon,
        prefix_length,
        first,
        with_gradient,
        losses,
        hists,
    )
    return losses, hists


@kernel
def _walk_range(
    start, stop, parents, pi, root_law, factors, epsilon, prefix_length, first, with_gradient, losses, hists
):
    size = pi.shape[0]
    for item in range(start, stop):
        code = first + item
        query = code % size
        code //= size
        prefix = np.empty(max(prefix_length, 1), dtype=np.int64)
        for d in range(prefix_length):
            prefix[d] = code % size
            code //= size
        losses[item] = _walk(
            parents, pi, root_law, factors[query], query, epsilon, prefix, prefix_length, with_gradient, hists[item]
        )
