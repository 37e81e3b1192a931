"""Joint laws and informations of pairs of tokens on a forest, one evaluation per kind of pair.

Two tokens of one tree have a last common ancestor at depth ``e``, at distances ``d1`` and ``d2``. Their joint law
depends on ``(e, d1, d2)`` only:

    P(a, b) - p(a) p(b) = sum_c m_e(c) D_d1(c, a) D_d2(c, b),    D_d = pi^d minus its mean row under m_e

with ``m_e`` the law at depth ``e``. Working with this deviation instead of ``P`` keeps the relative accuracy of
informations that decay to 1e-300.
"""

import numpy as np

from causal_theory.kernels._jit import jit, jit_parallel, prange

CHI2, KL, TV, HELLINGER = 0, 1, 2, 3
SERIES_BELOW = 0.02
LARGE = 1e300


@jit
def pair_keys(parents, depths, same_depth):
    """Key of the kind of every pair i > j: ``(e * D + d1) * D + d2`` with ``D`` = largest depth + 1; -1 across trees.

    With ``same_depth`` the depth ``e`` of the last common ancestor is taken to be zero. Entries with j >= i are -1.
    """
    length = parents.shape[0]
    radix = np.int64(depths.max() + 1)
    meet = np.full((length, length), np.int32(-1))
    keys = np.full((length, length), np.int64(-1))
    for i in range(length):
        meet[i, i] = i
        w = parents[i]
        if w < 0:
            continue
        for j in range(i):
            k = meet[w, j] if j <= w else meet[j, w]
            meet[i, j] = k
            if k >= 0:
                e = np.int64(0) if same_depth else np.int64(depths[k])
                keys[i, j] = (e * radix + depths[j] - depths[k]) * radix + depths[i] - depths[k]
    return keys


@jit
def _centred(powers, law, distance, out):
    """``pi^distance`` minus its mean row under ``law``, from centred powers (any centring will do)."""
    size = law.shape[0]
    for b in range(size):
        mean = 0.0
        for c in range(size):
            mean += law[c] * powers[distance, c, b]
        for c in range(size):
            out[c, b] = powers[distance, c, b] - mean


@jit
def _deviation(kind, powers, marginals, first, second, out):
    """``P(a, b) - p(a) p(b)`` of one kind of pair, ``a`` the token at distance ``d1``."""
    depth, d1, d2 = kind
    law = marginals[depth]
    size = law.shape[0]
    _centred(powers, law, d2, second)
    if d1 == 0:
        for a in range(size):
            for b in range(size):
                out[a, b] = law[a] * second[a, b]
        return
    _centred(powers, law, d1, first)
    for a in range(size):
        for b in range(size):
            out[a, b] = 0.0
    for c in range(size):
        for a in range(size):
            left = law[c] * first[c, a]
            for b in range(size):
                out[a, b] += left * second[c, b]


@jit
def _entropy_excess(r):
    """``(1 + r) log(1 + r) - r`` for small ``r``: ``sum_k (-r)^k / (k (k - 1))``, k = 2 .. 10."""
    inner = 1.0 / 42.0 - r * (1.0 / 56.0 - r * (1.0 / 72.0 - r * (1.0 / 90.0)))
    return r * r * (0.5 - r * (1.0 / 6.0 - r * (1.0 / 12.0 - r * (1.0 / 20.0 - r * (1.0 / 30.0 - r * inner)))))


@jit
def divergence(deviation, p, q, measure):
    """Divergence of the joint law from the product of its marginals; symbols of probability zero count nothing."""
    total = 0.0
    for a in range(p.shape[0]):
        if p[a] == 0.0:
            continue
        for b in range(q.shape[0]):
            if q[b] == 0.0:
                continue
            dev = deviation[a, b]
            product = p[a] * q[b]
            joint = max(product + dev, 0.0)
            if measure == CHI2:
                total += (dev / p[a]) * (dev / q[b])
            elif measure == TV:
                total += 0.5 * abs(dev)
            elif measure == HELLINGER:
                root = np.sqrt(joint) + np.sqrt(p[a]) * np.sqrt(q[b])
                if root > 0.0:
                    total += 0.5 * (dev / root) ** 2
            else:
                r = dev / p[a] / q[b]
                if abs(r) < SERIES_BELOW:
                    total += product * _entropy_excess(r)
                elif joint > 0.0:
                    if r < LARGE:
                        total += joint * np.log(1.0 + r) - dev
                    else:
                        total += joint * (np.log(joint) - np.log(p[a]) - np.log(q[b])) - dev
                else:
                    total -= dev
    return total


@jit
def self_divergence(p, measure):
    """Divergence of a token paired with itself: joint law ``diag(p)``."""
    total = 0.0
    positive = 0
    for a in range(p.shape[0]):
        if p[a] == 0.0:
            continue
        positive += 1
        if measure == KL:
            total -= p[a] * np.log(p[a])
        elif measure == TV:
            total += p[a] * (1.0 - p[a])
        elif measure == HELLINGER:
            total += p[a] * (1.0 - np.sqrt(p[a]))
    return positive - 1.0 if measure == CHI2 else total


@jit
def _one_deviation(kind, powers, marginals):
    size = powers.shape[1]
    first = np.empty((size, size))
    second = np.empty((size, size))
    deviation = np.empty((size, size))
    _deviation((kind[0], kind[1], kind[2]), powers, marginals, first, second, deviation)
    return deviation


@jit
def _one_divergence(kind, powers, marginals, measure):
    deviation = _one_deviation(kind, powers, marginals)
    return divergence(deviation, marginals[kind[0] + kind[1]], marginals[kind[0] + kind[2]], measure)


@jit
def kind_divergences(kinds, powers, marginals, measure):
    """Divergences (K,) of the kinds of pairs (K, 3), on the calling thread."""
    out = np.empty(kinds.shape[0])
    for k in range(kinds.shape[0]):
        out[k] = _one_divergence(kinds[k], powers, marginals, measure)
    return out


@jit_parallel
def kind_divergences_parallel(kinds, powers, marginals, measure):
    """Divergences (K,) of the kinds of pairs (K, 3), on all threads."""
    out = np.empty(kinds.shape[0])
    for k in prange(kinds.shape[0]):
        out[k] = _one_divergence(kinds[k], powers, marginals, measure)
    return out


@jit
def kind_contractions(kinds, powers, marginals, weights):
    """``sum_ab weights[a, b] (P(a, b) - p(a) p(b))`` for the kinds of pairs (K, 3)."""
    size = powers.shape[1]
    out = np.empty(kinds.shape[0])
    for k in range(kinds.shape[0]):
        deviation = _one_deviation(kinds[k], powers, marginals)
        total = 0.0
        for a in range(size):
            for b in range(size):
                total += weights[a, b] * deviation[a, b]
        out[k] = total
    return out


@jit
def kind_deviations(kinds, powers, marginals):
    """Deviations (K, S, S) of the joint laws of the kinds of pairs (K, 3) from independence."""
    out = np.empty((kinds.shape[0], powers.shape[1], powers.shape[1]))
    for k in range(kinds.shape[0]):
        out[k] = _one_deviation(kinds[k], powers, marginals)
    return out
