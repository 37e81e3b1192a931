"""Stationary laws by the elimination of Grassmann, Taksar and Heyman (GTH).

Symbols are censored one after the other: when ``n`` is removed, the chain watched on the remaining symbols has the
rates ``p[i, j] + p[i, n] p[n, j] / sum_{j < n} p[n, j]``. The diagonal is never used, so nothing is subtracted, and
every entry of the result has a small relative error.

Two versions. The plain one is safe when a product of ``S - 1`` positive entries cannot underflow. The scaled one
represents a number as ``mantissa * 2**(512 block)`` with the mantissa in ``[2**-256, 2**256)``, zero being
``(0, LOWEST)``: one product cannot leave the range of a double, and two blocks apart a term is negligible.
"""

import math

import numpy as np

from causal_theory.kernels._jit import interpretable_helper, interpretable_kernel, pasted_helper

BLOCK = 512
UP, DOWN = 2.0**BLOCK, 2.0**-BLOCK
HIGH, LOW = 2.0 ** (BLOCK // 2), 2.0 ** (-BLOCK // 2)
LOWEST = -(2**60)
"""Block of a zero: below that of any other number."""

SAFE = 1e-290
"""The plain version is used when the smallest positive entry to the power ``S - 1`` is at least this."""


@pasted_helper
def _normalised(mantissa, block):
    """Bring a mantissa in ``[2**-1022, 2**1022]`` back into its range."""
    if mantissa == 0.0:
        return 0.0, LOWEST
    while mantissa < LOW:
        mantissa *= UP
        block -= 1
    while mantissa >= HIGH:
        mantissa *= DOWN
        block += 1
    return mantissa, block


@pasted_helper
def _sum(m1, k1, m2, k2):
    """Add two scaled numbers."""
    if k1 == k2:
        total, block = m1 + m2, k1
    elif k1 > k2:
        total, block = (m1 + m2 * DOWN if k1 == k2 + 1 else m1), k1
    else:
        total, block = (m2 + m1 * DOWN if k2 == k1 + 1 else m2), k2
    return _normalised(total, block)


@interpretable_helper
def _eliminate_plain(rates, law):
    """Write the stationary law of ``rates`` (n, n), which is overwritten, to ``law``."""
    size = rates.shape[0]
    for n in range(size - 1, 0, -1):
        leaving = 0.0
        for j in range(n):
            leaving += rates[n, j]
        for i in range(n):
            rates[i, n] /= leaving
            for j in range(n):
                rates[i, j] += rates[i, n] * rates[n, j]
    law[0] = 1.0
    total = 1.0
    for n in range(1, size):
        mass = 0.0
        for i in range(n):
            mass += law[i] * rates[i, n]
        law[n] = mass
        total += mass
    for n in range(size):
        law[n] /= total


@interpretable_helper
def _eliminate_scaled(rates, law):
    """Like ``_eliminate_plain``, in scaled numbers; entries below the smallest double come out as zero."""
    size = rates.shape[0]
    block = np.zeros((size, size), dtype=np.int64)
    for i in range(size):
        for j in range(size):
            rates[i, j], block[i, j] = _normalised(rates[i, j], 0)
    for n in range(size - 1, 0, -1):
        leaving, leaving_block = 0.0, LOWEST
        for j in range(n):
            leaving, leaving_block = _sum(leaving, leaving_block, rates[n, j], block[n, j])
        for i in range(n):
            if rates[i, n] == 0.0:
                continue
            share, share_block = _normalised(rates[i, n] / leaving, block[i, n] - leaving_block)
            rates[i, n], block[i, n] = share, share_block
            for j in range(n):
                if rates[n, j] > 0.0:
                    term, term_block = _normalised(share * rates[n, j], share_block + block[n, j])
                    rates[i, j], block[i, j] = _sum(rates[i, j], block[i, j], term, term_block)
    law_block = np.zeros(size, dtype=np.int64)
    law[0] = 1.0
    total, total_block = 1.0, 0
    for n in range(1, size):
        mass, mass_block = 0.0, LOWEST
        for i in range(n):
            if rates[i, n] > 0.0:
                term, term_block = _normalised(law[i] * rates[i, n], law_block[i] + block[i, n])
                mass, mass_block = _sum(mass, mass_block, term, term_block)
        law[n], law_block[n] = mass, mass_block
        total, total_block = _sum(total, total_block, mass, mass_block)
    for n in range(size):
        shift = max(law_block[n] - total_block, -8)
        law[n] = math.ldexp(law[n] / total, int(BLOCK * shift))


@interpretable_kernel
def stationary_laws(matrices, recurrent, laws):
    """Write the stationary law of each matrix (n, S, S), zero outside its one closed class, to ``laws`` (n, S).

    ``recurrent`` (n, S) marks the members of the closed class.
    """
    count, size = recurrent.shape
    members = np.empty(size, dtype=np.int64)
    for item in range(count):
        used = 0
        for a in range(size):
            laws[item, a] = 0.0
            if recurrent[item, a]:
                members[used] = a
                used += 1
        rates = np.empty((used, used))
        law = np.empty(used)
        smallest = 1.0
        for i in range(used):
            for j in range(used):
                rate = matrices[item, members[i], members[j]]
                rates[i, j] = rate
                if i != j and 0.0 < rate < smallest:
                    smallest = rate
        if (used - 1) * math.log(smallest) >= math.log(SAFE):
            _eliminate_plain(rates, law)
        else:
            _eliminate_scaled(rates, law)
        for i in range(used):
            laws[item, members[i]] = law[i]
