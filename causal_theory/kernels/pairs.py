"""Joint laws and informations of pairs of tokens on a forest, one evaluation per kind of pair.

Two tokens of one tree have a last common ancestor at depth ``e``, at distances ``d1`` and ``d2``. Their joint law
depends on ``(e, d1, d2)`` only:

    P(a, b) - p(a) p(b) = sum_c m_e(c) D_d1(c, a) D_d2(c, b),    D_d = pi^d minus its mean row under m_e

with ``m_e`` the law at depth ``e``. Working with this deviation keeps the relative accuracy of informations that decay
to 1e-300; where ``P`` is far from the product, ``P`` itself is the accurate number.

A ``chain`` is the tuple (powers of pi, centred powers, bounds on the errors of these, laws by depth).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel, strict_helper
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.codes import CHI2, HELLINGER, KL, TV
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Tables = tuple[NDArray[Any], ...]

SERIES_BELOW = 0.02
LARGE = 1e300
UNIT = 2.3e-16
"""A little more than the spacing of doubles at one."""

UNDERFLOW = 1e-318
"""What a probability is off by when terms of it underflow: 200,000 times the smallest positive double."""

ROOT_UNDERFLOW = 1e-159
LONGEST_LOG = 1500.0
"""No logarithm of a ratio of a joint probability and two others is larger."""

TINY = 1e-290
"""Below this a product of two probabilities may have lost digits."""

LEAST_WORK = 200_000
"""Multiplications that are worth waking a thread."""


@kernel
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


@helper
def _centred(powers, errors, law, distance, out, out_error):
    """``pi^distance`` minus its mean row under ``law``, from centred powers (any centring will do), and its error."""
    size = law.shape[0]
    for b in range(size):
        mean = 0.0
        spread = 0.0
        for c in range(size):
            mean += law[c] * powers[distance, c, b]
            spread += law[c] * (errors[distance, c, b] + UNIT * size * abs(powers[distance, c, b]))
        for c in range(size):
            out[c, b] = powers[distance, c, b] - mean
            out_error[c, b] = errors[distance, c, b] + spread + UNIT * abs(out[c, b])


@helper
def _deviation(kind, chain, deviation, error):
    """``P(a, b) - p(a) p(b)`` of one kind of pair, ``a`` the token at distance ``d1``, and a bound on its error."""
    _, powers, errors, marginals = chain
    depth, d1, d2 = kind[0], kind[1], kind[2]
    law = marginals[depth]
    size = law.shape[0]
    second = np.empty((size, size))
    second_error = np.empty((size, size))
    _centred(powers, errors, law, d2, second, second_error)
    if d1 == 0:
        for a in range(size):
            for b in range(size):
                deviation[a, b] = law[a] * second[a, b]
                error[a, b] = law[a] * (second_error[a, b] + UNIT * size * abs(second[a, b]))
        return
    first = np.empty((size, size))
    first_error = np.empty((size, size))
    _centred(powers, errors, law, d1, first, first_error)
    deviation[:] = 0.0
    error[:] = 0.0
    for c in range(size):
        for a in range(size):
            left = law[c] * first[c, a]
            left_error = law[c] * first_error[c, a] + UNIT * size * abs(left)
            for b in range(size):
                deviation[a, b] += left * second[c, b]
                error[a, b] += left_error * abs(second[c, b]) + (abs(left) + left_error) * second_error[c, b]


@helper
def _joint(kind, chain, out):
    """``P(a, b)`` of one kind of pair as a sum of products of probabilities: exact zeros stay zero."""
    plain, _, _, marginals = chain
    depth, d1, d2 = kind[0], kind[1], kind[2]
    law = marginals[depth]
    size = law.shape[0]
    out[:] = 0.0
    for c in range(size):
        for a in range(size):
            left = law[c] * plain[d1, c, a]
            if left > 0.0:
                for b in range(size):
                    out[a, b] += left * plain[d2, c, b]


@helper
def _entropy_excess(r):
    """``(1 + r) log(1 + r) - r`` for small ``r``: ``sum_k (-r)^k / (k (k - 1))``, k = 2 .. 10."""
    inner = 1.0 / 42.0 - r * (1.0 / 56.0 - r * (1.0 / 72.0 - r * (1.0 / 90.0)))
    return r * r * (0.5 - r * (1.0 / 6.0 - r * (1.0 / 12.0 - r * (1.0 / 20.0 - r * (1.0 / 30.0 - r * inner)))))


@strict_helper
def divergence_term(measure, deviation, error, joint, p, q, relative):
    """One term of a divergence and a bound on its error.

    Close to independence the deviation is the accurate number, far from it the joint probability is. Numbers below the
    range of normal doubles have an absolute error only: it counts for chi-square, which divides by ``p`` and ``q``, and
    is nothing for the others, whose terms are no larger than the probabilities themselves, up to a logarithm. Factors
    are not reordered: the product of two small probabilities is zero where quotients by each of them are not.
    """
    error += UNDERFLOW
    if measure == TV:
        return 0.5 * abs(deviation), 0.5 * error
    if measure == CHI2:
        value = (deviation / p) * (deviation / q)
        error += UNDERFLOW  # that of p and q counts no more than that of the deviation, which is at most each of them
        off = ((2.0 * abs(deviation) + error) / p) * (error / q)
        return value, off + 4.0 * relative * value
    product = p * q
    largest = LONGEST_LOG * (joint + error) + product
    r = deviation / p / q
    geometric = np.sqrt(product) if product > TINY else np.sqrt(p) * np.sqrt(q)
    if abs(r) < SERIES_BELOW:
        if measure == KL:
            value = product * _entropy_excess(r)
            return value, min(largest, abs(r) * error + (error / p) * (error / q)) + 4.0 * relative * value
        root = np.sqrt(joint) + geometric
        value = 0.5 * (deviation / root) ** 2
        return value, min(largest, (abs(deviation) + error) / root * (error / root)) + 4.0 * relative * value
    if measure == KL:
        logarithm = 0.0
        if joint > 0.0:
            ratio = joint / p / q
            logarithm = np.log(ratio) if ratio < LARGE else np.log(joint) - np.log(p) - np.log(q)
        value = joint * logarithm - joint + product
        return value, 4.0 * relative * (joint * (abs(logarithm) + 1.0) + product) + LONGEST_LOG * UNDERFLOW
    gap = np.sqrt(joint) - np.sqrt(p) * np.sqrt(q)
    size = np.sqrt(joint) + np.sqrt(p) * np.sqrt(q)
    off = 2.0 * relative * (abs(gap) + relative * size) * size
    return 0.5 * gap * gap, off + (abs(gap) + ROOT_UNDERFLOW) * ROOT_UNDERFLOW


@helper
def _divergence(kind, chain, measure, relative):
    """Divergence of the joint law from the product of its marginals, and its error bound.

    Symbols of probability zero count nothing; what has underflowed to zero is not in the bound.
    """
    marginals = chain[3]
    p = marginals[kind[0] + kind[1]]
    q = marginals[kind[0] + kind[2]]
    size = p.shape[0]
    deviation = np.empty((size, size))
    error = np.empty((size, size))
    joint = np.empty((size, size))
    _deviation(kind, chain, deviation, error)
    _joint(kind, chain, joint)
    total = 0.0
    bound = 0.0
    for a in range(size):
        for b in range(size):
            if p[a] > 0.0 and q[b] > 0.0:
                value, off = divergence_term(measure, deviation[a, b], error[a, b], joint[a, b], p[a], q[b], relative)
                total += value
                bound += off
    if measure == CHI2:
        bound = min(bound, total + size)  # it is at most S - 1
    return total, bound + UNIT * size * size * abs(total)


@kernel
def self_divergence(p, measure):
    """Divergence of a token paired with itself, joint law ``diag(p)``; ``1 - p`` is summed, not subtracted."""
    total = 0.0
    positive = 0
    for a in range(p.shape[0]):
        if p[a] == 0.0:
            continue
        positive += 1
        others = 0.0
        for b in range(p.shape[0]):
            if b != a:
                others += p[b]
        if measure == KL:
            total -= p[a] * (np.log(p[a]) if p[a] < 0.5 else np.log1p(-others))
        elif measure == TV:
            total += p[a] * others
        elif measure == HELLINGER:
            total += p[a] * others / (1.0 + np.sqrt(p[a]))
    return positive - 1.0 if measure == CHI2 else total


def kind_divergences(kinds: Integers, chain: Tables, measure: int, relative: float) -> Array:
    """Divergences of the kinds of pairs (K, 3) and their error bounds, (2, K)."""
    out = np.empty((2, len(kinds)))
    least = max(LEAST_WORK // chain[0].shape[1] ** 3, 1)
    given = read_only(kinds), tuple(map(read_only, chain))
    run_shared(_divergences_of_kinds, len(kinds), *given, measure, float(relative), out, least=least)
    return out


@kernel
def _divergences_of_kinds(start, stop, kinds, chain, measure, relative, out):
    for k in range(start, stop):
        out[0, k], out[1, k] = _divergence(kinds[k], chain, measure, relative)


@kernel
def kind_contractions(kinds, chain, weights):
    """``sum_ab weights[a, b] (P(a, b) - p(a) p(b))`` for the kinds of pairs (K, 3), and its error bound, (2, K)."""
    size = weights.shape[0]
    out = np.zeros((2, kinds.shape[0]))
    deviation = np.empty((size, size))
    error = np.empty((size, size))
    for k in range(kinds.shape[0]):
        _deviation(kinds[k], chain, deviation, error)
        for a in range(size):
            for b in range(size):
                out[0, k] += weights[a, b] * deviation[a, b]
                off = error[a, b] + UNDERFLOW + UNIT * size * size * abs(deviation[a, b])
                out[1, k] += weights[a, b] * off
    return out


@kernel
def kind_joints(kinds, chain):
    """Joint laws (K, S, S) of the kinds of pairs (K, 3), the token at distance ``d1`` first."""
    size = chain[3].shape[1]
    out = np.empty((kinds.shape[0], size, size))
    for k in range(kinds.shape[0]):
        _joint(kinds[k], chain, out[k])
    return out
