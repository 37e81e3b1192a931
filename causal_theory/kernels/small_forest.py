"""Edge scores of one transition matrix on a small forest: the tilted law as a Markov chain on the forest.

Lanes and names are those of ``kernels.messages``. Nothing is cut at separators and nothing is rescaled: masses of so
few tokens stay far above the smallest double. Given the symbol of its parent a node has a law of its own, ``down``;
from a key these laws are applied up along its ancestors and down to every position that comes later.

Strict arithmetic, so that it can be interpreted as well (`kernels.interpreted`).
"""

import numpy as np

from causal_theory.kernels._jit import interpretable_kernel


@interpretable_kernel
def small_tilted_sums(parents, pi, root_law, lanes, pair_blocks):
    """Sum over the lanes: pair sums (T, T) and key moments (T,), as ``tilted.tilted_sums`` does for all rows."""
    lane_symbols, lane_nodes, lane_weights = lanes
    blocks, width = lane_symbols.shape
    count, size = parents.shape[0], pi.shape[0]
    pair_sums = np.zeros((count + 1, count + 1))
    moment_sums = np.zeros(count + 1)
    below = np.empty((count, size, width))
    marginal = np.empty((count, size, width))
    message = np.empty((size, width))
    down = np.empty((count, size, size, width))
    mean = np.empty((count, size, width))
    joint = np.empty((count, size, width))
    function = np.empty((size, width))
    weight = np.empty(width)
    moment = np.empty(width)
    seen = np.empty(count, dtype=np.int64)
    # The first node of its tree, the last position in its subtree, and the last in its tree outside of the subtree.
    tree = np.arange(count)
    last = np.arange(count)
    elsewhere = np.full(count, -1)
    for v in range(count - 1, -1, -1):
        if parents[v] >= 0:
            last[parents[v]] = max(last[parents[v]], last[v])
    for v in range(count):
        w = parents[v]
        if w >= 0:
            tree[v] = tree[w]
            elsewhere[v] = max(elsewhere[w], w)
            for other in range(w + 1, count):
                if parents[other] == w and other != v:
                    elsewhere[v] = max(elsewhere[v], last[other])

    for block in range(blocks):
        symbols, nodes = lane_symbols[block], lane_nodes[block]
        for lane in range(width):
            weight[lane] = lane_weights[block, lane]
        for v in range(count):
            for c in range(size):
                for lane in range(width):
                    below[v, c, lane] = nodes[lane] if c == symbols[lane] else 1.0
        for v in range(count - 1, -1, -1):
            w = parents[v]
            if w < 0:
                continue
            for a in range(size):
                for lane in range(width):
                    message[a, lane] = 0.0
                for c in range(size):
                    step = pi[a, c]
                    for lane in range(width):
                        down[v, a, c, lane] = step * below[v, c, lane]
                        message[a, lane] += down[v, a, c, lane]
                for lane in range(width):
                    below[w, a, lane] *= message[a, lane]
                for c in range(size):
                    for lane in range(width):
                        # At a node of zero a law can have no mass; no pair sums are formed there.
                        sent = message[a, lane]
                        down[v, a, c, lane] = down[v, a, c, lane] / sent if sent > 0.0 else 0.0
        for v in range(count):
            w = parents[v]
            if w < 0:
                for lane in range(width):
                    message[0, lane] = 0.0
                for c in range(size):
                    for lane in range(width):
                        marginal[v, c, lane] = root_law[c] * below[v, c, lane]
                        message[0, lane] += marginal[v, c, lane]
                for lane in range(width):
                    weight[lane] *= message[0, lane]
                for c in range(size):
                    for lane in range(width):
                        mass = message[0, lane]
                        marginal[v, c, lane] = marginal[v, c, lane] / mass if mass > 0.0 else 0.0
            else:
                for c in range(size):
                    for lane in range(width):
                        marginal[v, c, lane] = 0.0
                for a in range(size):
                    for c in range(size):
                        for lane in range(width):
                            marginal[v, c, lane] += marginal[w, a, lane] * down[v, a, c, lane]

        for q in range(size):
            for lane in range(width):
                b = symbols[lane]
                function[q, lane] = pi[q, b] * (nodes[lane] if q == b else 1.0) * weight[lane]
                moment_sums[count] += function[q, lane]
        for v in range(count):
            seen[v] = -1
        for j in range(count):
            for lane in range(width):
                moment[lane] = 0.0
            for q in range(size):
                for lane in range(width):
                    joint[j, q, lane] = function[q, lane] * marginal[j, q, lane]
                    moment[lane] += joint[j, q, lane]
            for lane in range(width):
                moment_sums[j] += moment[lane]
            if block >= pair_blocks:
                continue
            # The position itself, and the query, which meets every key by the same event.
            own = 0.0
            for lane in range(width):
                own += joint[j, symbols[lane], lane]
            pair_sums[j, j] += own
            pair_sums[count, j] += own
            # Up, as long as a later position is on another branch: `mean[w, a] = E[function(s_j) | s_w = a]`.
            for q in range(size):
                for lane in range(width):
                    mean[j, q, lane] = function[q, lane]
            seen[j] = j
            v = j
            while elsewhere[v] > j:
                w = parents[v]
                for a in range(size):
                    for lane in range(width):
                        mean[w, a, lane] = 0.0
                    for c in range(size):
                        for lane in range(width):
                            mean[w, a, lane] += down[v, a, c, lane] * mean[v, c, lane]
                    for lane in range(width):
                        joint[w, a, lane] = marginal[w, a, lane] * mean[w, a, lane]
                seen[w] = j
                v = w
            # Down to all later positions: `joint[v, c] = E[function(s_j) 1(s_v = c)]`.
            for i in range(v + 1, count):
                w = parents[i]
                if tree[i] != tree[j]:
                    if i > j:
                        apart = 0.0
                        for lane in range(width):
                            apart += marginal[i, symbols[lane], lane] * moment[lane]
                        pair_sums[i, j] += apart
                    continue
                if seen[i] == j or seen[w] != j or last[i] <= j:
                    continue
                for c in range(size):
                    for lane in range(width):
                        joint[i, c, lane] = 0.0
                for a in range(size):
                    for c in range(size):
                        for lane in range(width):
                            joint[i, c, lane] += down[i, a, c, lane] * joint[w, a, lane]
                seen[i] = j
                if i > j:
                    met = 0.0
                    for lane in range(width):
                        met += joint[i, symbols[lane], lane]
                    pair_sums[i, j] += met
        if block < pair_blocks:
            for lane in range(width):
                pair_sums[count, count] += function[symbols[lane], lane]
    return pair_sums, moment_sums
