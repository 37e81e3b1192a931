"""Tilted message passing on a forest: the passes themselves.

Write ``n_b`` for the number of tokens equal to ``b``. Under ``1/(n_b + eps T) = integral z^(n_b + eps T - 1) dz`` the
law of the tokens is tilted by ``z`` at every token equal to ``b``, and a tilted law on a forest is again a Markov
field on the same forest. A **lane** is one pair ``(b, z)``: a symbol and a quadrature node. All lanes share the
transition matrix, so arrays carry the lane as their innermost index and every inner loop runs over lanes.

Names, for a node ``v`` with parent ``w``, symbols ``a, c``, in one lane (all but ``evidence`` are normalised so that
nothing underflows, whatever the length):

- ``below[v, c]``: tilt of ``v`` times the messages of its children, up to a factor, maximum one;
- ``message[v, a] = sum_c pi[a, c] below[v, c]``: what ``v`` says to its parent;
- ``above[v, c]``: the rest of the forest, so that ``below * above`` is the tilted marginal of ``v``;
- ``evidence``: the tilted total mass, i.e. ``E[z^n_b]`` over the context.
"""

import numpy as np

from causal_theory.kernels._jit import helper, hot_helper

TINY = 1e-290
"""A message below this share of its maximum belongs to an event of tilted mass below it: it is dropped."""


@hot_helper
def apply_rows(matrix, first, source, target):
    """``target[a, l] = sum_c matrix[a, first + c] source[c, l]``: two rows at a time, four terms of the sum at a time.

    The two rows share the loads of ``source``; the innermost loops run over lanes and are vectorised.
    """
    size, lanes = source.shape
    rows = matrix.shape[0]
    quads = size - size % 4
    for a in range(0, rows - 1, 2):
        row = target[a]
        next_row = target[a + 1]
        for lane in range(lanes):
            row[lane] = 0.0
            next_row[lane] = 0.0
        for c in range(0, quads, 4):
            k = first + c
            m0, m1, m2, m3 = matrix[a, k], matrix[a, k + 1], matrix[a, k + 2], matrix[a, k + 3]
            n0, n1, n2, n3 = matrix[a + 1, k], matrix[a + 1, k + 1], matrix[a + 1, k + 2], matrix[a + 1, k + 3]
            s0, s1, s2, s3 = source[c], source[c + 1], source[c + 2], source[c + 3]
            for lane in range(lanes):
                row[lane] += m0 * s0[lane] + m1 * s1[lane] + m2 * s2[lane] + m3 * s3[lane]
                next_row[lane] += n0 * s0[lane] + n1 * s1[lane] + n2 * s2[lane] + n3 * s3[lane]
        for c in range(quads, size):
            m0, n0 = matrix[a, first + c], matrix[a + 1, first + c]
            s0 = source[c]
            for lane in range(lanes):
                row[lane] += m0 * s0[lane]
                next_row[lane] += n0 * s0[lane]
    if rows % 2:
        row = target[rows - 1]
        for lane in range(lanes):
            row[lane] = 0.0
        for c in range(size):
            m0 = matrix[rows - 1, first + c]
            s0 = source[c]
            for lane in range(lanes):
                row[lane] += m0 * s0[lane]


@helper
def collect(parents, pi, symbols, nodes, below, message, evidence):
    """Pass messages from the leaves to the roots; ``evidence`` becomes the log of the dropped factors."""
    size = pi.shape[0]
    lanes = symbols.shape[0]
    scale = np.ones(lanes)
    below[:] = 1.0
    evidence[:] = 0.0
    for v in range(parents.shape[0] - 1, -1, -1):
        for lane in range(lanes):
            below[v, symbols[lane], lane] *= nodes[lane]
        for lane in range(lanes):
            largest = below[v, 0, lane]
            for c in range(1, size):
                largest = max(largest, below[v, c, lane])
            if largest == 0.0:
                evidence[lane] = -np.inf
            elif largest < 1e-3:
                scale[lane] *= largest
                if scale[lane] < 1e-200:
                    evidence[lane] += np.log(scale[lane])
                    scale[lane] = 1.0
                for c in range(size):
                    below[v, c, lane] /= largest
        w = parents[v]
        if w >= 0:
            apply_rows(pi, 0, below[v], message[v])
            for a in range(size):
                for lane in range(lanes):
                    below[w, a, lane] *= message[v, a, lane]
    for lane in range(lanes):
        evidence[lane] += np.log(scale[lane])


@helper
def root_mass(root_law, below, lane):
    """Return the message into a root, averaged over the law of its symbol."""
    mass = 0.0
    for c in range(root_law.shape[0]):
        mass += root_law[c] * below[c, lane]
    return mass


@helper
def distribute(parents, pi_columns, root_law, fields, evidence, carried):
    """Pass messages from the roots to the leaves; adds the log masses of the trees to ``evidence``.

    ``cavity[v]`` is what the parent of ``v`` knows without ``v``, relative to the message of ``v``:
    ``below[parent] / message[v]``.
    """
    below, message, cavity, above = fields
    size, lanes = below.shape[1], below.shape[2]
    for v in range(parents.shape[0]):
        w = parents[v]
        if w < 0:
            for lane in range(lanes):
                mass = root_mass(root_law, below[v], lane)
                evidence[lane] += np.log(mass)
                inverse = 1.0 / mass if mass > TINY else 0.0
                for c in range(size):
                    above[v, c, lane] = root_law[c] * inverse
        else:
            for a in range(size):
                for lane in range(lanes):
                    sent = message[v, a, lane]
                    ratio = below[w, a, lane] / sent if sent > TINY else 0.0
                    cavity[v, a, lane] = ratio
                    carried[a, lane] = ratio * above[w, a, lane]
            apply_rows(pi_columns, 0, carried, above[v])


@helper
def key_moments(pi, symbols, nodes, weights, below, above, function, moments, out):
    """Weighted ``u(q) = pi[q, b] z^[q = b]`` and its tilted mean at every key; adds the means to ``out``.

    The last entry of ``out`` belongs to the query, which takes every symbol.
    """
    count, size, lanes = below.shape
    for q in range(size):
        for lane in range(lanes):
            b = symbols[lane]
            function[q, lane] = pi[q, b] * (nodes[lane] if q == b else 1.0) * weights[lane]
            out[count] += function[q, lane]
    for j in range(count):
        moment = moments[j]
        moment[:] = 0.0
        for q in range(size):
            for lane in range(lanes):
                moment[lane] += function[q, lane] * below[j, q, lane] * above[j, q, lane]
        total = 0.0
        for lane in range(lanes):
            total += moment[lane]
        out[j] += total
