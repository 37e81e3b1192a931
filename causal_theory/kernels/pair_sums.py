"""Pair sums of a tilted law: within the pieces of a forest, across its trees, across its separators.

For a key ``j`` and the function ``u(q) = pi[q, b] z^[q = b]`` the edge scores need ``E[u(s_j) 1(s_i = b)]`` for every
``i > j``. Within a piece the pair law is carried away from ``j``: first up along its ancestors, then down in index
order, visiting only the nodes from which a later position can be reached. For positions of different branches of a
separator it is a product of two vectors over the separator's symbol, and across trees a product of two numbers.
Names are those of ``kernels.messages``. Sums are formed for the rows ``first <= i < last`` and go to
``out[i - first, j]``.
"""

import numpy as np

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.messages import TINY, apply_rows

RUN = 32
"""Positions whose vectors are kept in the cache while all partners pass by."""


@kernel
def reachability(parents):
    """For each node: the last position in its subtree, whether it is a leaf, its tree, and how far to climb.

    ``top[j]`` is the highest ancestor of ``j`` from which a position after ``j`` is reached on another branch
    (``j`` itself when there is none).
    """
    count = parents.shape[0]
    last = np.arange(count)
    second = np.full(count, -1)
    leaf = np.ones(count, dtype=np.bool_)
    tree = np.arange(count)
    top = np.arange(count)
    for v in range(count):
        if parents[v] >= 0:
            tree[v] = tree[parents[v]]
            leaf[parents[v]] = False
    # `second[w]`: the last position below w on any branch but the one that holds last[w].
    for v in range(count - 1, -1, -1):
        w = parents[v]
        if w >= 0:
            if last[v] > last[w]:
                second[w] = last[w] if last[w] > w else second[w]
                last[w] = last[v]
            elif last[v] > second[w]:
                second[w] = last[v]
    for j in range(count):
        child = j
        v = parents[j]
        while v >= 0:
            elsewhere = second[v] if last[child] == last[v] else last[v]
            if elsewhere > j:
                top[j] = v
            child = v
            v = parents[v]
    return last, leaf, tree, top


@helper
def _climb(j, summit, parents, pi, below, message, above, conditional, carried, spread, stamp):
    """Fill ``spread`` at the ancestors of ``j`` up to ``summit`` with ``above * E[function(s_j) | state]``.

    ``conditional`` holds the function at ``j`` and is overwritten.
    """
    size, lanes = conditional.shape
    v = j
    while v != summit:
        for c in range(size):
            for lane in range(lanes):
                carried[c, lane] = below[v, c, lane] * conditional[c, lane]
        apply_rows(pi, 0, carried, conditional)
        w = parents[v]
        for a in range(size):
            for lane in range(lanes):
                sent = message[v, a, lane]
                value = conditional[a, lane] / sent if sent > TINY else 0.0
                conditional[a, lane] = value
                spread[w, a, lane] = value * above[w, a, lane]
        stamp[w] = j
        v = w


@helper
def _own_pairs(pi, symbols, fields, function, rows, out):
    """Add the pairs of a position with itself; the query meets every key by the same event as the diagonal."""
    first, last = rows
    below, _, _, above = fields
    count, _, lanes = below.shape
    query = last > count
    if query:
        for lane in range(lanes):
            out[count - first, count] += function[symbols[lane], lane]
    for j in range(0 if query else first, min(last, count)):
        total = 0.0
        for lane in range(lanes):
            b = symbols[lane]
            total += below[j, b, lane] * above[j, b, lane] * function[b, lane]
        if j >= first:
            out[j - first, j] += total
        if query:
            out[count - first, j] += total


@helper
def _piece_pairs(members, parents, reach, pi, pi_columns, symbols, fields, function, scratch, rows, out):
    """Add ``sum_lanes E[u(s_j) 1(s_i = b)]`` for the pairs i > j of one piece.

    The pair law is carried away from ``j``: up along its ancestors, then down in index order, only through nodes from
    which a later position is reached.
    """
    last, leaf, top = reach
    first_row, last_row = rows
    below, message, cavity, above = fields
    spread, carried, column, conditional, stamp = scratch
    size, lanes = function.shape
    for a in range(size):
        for lane in range(lanes):
            column[a, lane] = pi[a, symbols[lane]]
    for j in members:
        if (last[j] == j and top[j] == j) or j >= last_row:
            continue
        stamp[j] = j
        for q in range(size):
            for lane in range(lanes):
                spread[j, q, lane] = above[j, q, lane] * function[q, lane]
                conditional[q, lane] = function[q, lane]
        _climb(j, top[j], parents, pi, below, message, above, conditional, carried, spread, stamp)
        for v in members:
            w = parents[v]
            if v <= top[j] or w < 0 or stamp[v] == j or last[v] <= j or stamp[w] != j:
                continue
            wanted = first_row <= v < last_row
            if leaf[v]:
                if not wanted:
                    continue
                total = 0.0
                for a in range(size):
                    for lane in range(lanes):
                        total += (
                            column[a, lane] * cavity[v, a, lane] * spread[w, a, lane] * below[v, symbols[lane], lane]
                        )
                out[v - first_row, j] += total
                continue
            stamp[v] = j
            for a in range(size):
                for lane in range(lanes):
                    carried[a, lane] = cavity[v, a, lane] * spread[w, a, lane]
            apply_rows(pi_columns, 0, carried, spread[v])
            if v > j and wanted:
                total = 0.0
                for lane in range(lanes):
                    total += spread[v, symbols[lane], lane] * below[v, symbols[lane], lane]
                out[v - first_row, j] += total


@helper
def _separator_vectors(walk, pi, pi_columns, symbols, fields, function, steps, carried, events, means):
    """Vectors over the symbol of a separator, for every position of its piece.

    ``steps[k][x, s, l] = P(s_v = x | separator = s)`` for the position that holds slot ``k`` on the way; a step may
    overwrite the one it comes from. Writes ``events[v, s] = P(separator = s, s_v = b)`` and
    ``means[v, s] = E[u(s_v) | separator = s]``.
    """
    below, message, cavity, above = fields
    size, lanes = function.shape
    ratio = np.empty(lanes)
    centre = walk[0, 0]
    for n in range(walk.shape[0]):
        v, w, down = walk[n, 0], walk[n, 1], walk[n, 2]
        here = steps[walk[n, 3]]
        if w < 0:
            here[:] = 0.0
            for s in range(size):
                here[s, s * lanes : (s + 1) * lanes] = 1.0
        else:
            before = steps[walk[n, 4]]
            for a in range(size):
                for lane in range(lanes):
                    sent = message[v, a, lane] if down else above[w, a, lane]
                    ratio[lane] = 1.0 / sent if sent > TINY else 0.0
                for s in range(size):
                    for lane in range(lanes):
                        carried[a, s * lanes + lane] = before[a, s * lanes + lane] * ratio[lane]
            apply_rows(pi_columns if down else pi, 0, carried, here)
            for x in range(size):
                for lane in range(lanes):
                    ratio[lane] = below[v, x, lane] if down else cavity[w, x, lane] * above[v, x, lane]
                for s in range(size):
                    for lane in range(lanes):
                        here[x, s * lanes + lane] *= ratio[lane]
        for s in range(size):
            for lane in range(lanes):
                b = symbols[lane]
                at = s * lanes + lane
                events[v, at] = here[b, at] * below[centre, s, lane] * above[centre, s, lane]
                means[v, at] = 0.0
        for x in range(size):
            for s in range(size):
                for lane in range(lanes):
                    means[v, s * lanes + lane] += function[x, lane] * here[x, s * lanes + lane]


@helper
def _dot(left, right):
    total = 0.0
    for k in range(left.shape[0]):
        total += left[k] * right[k]
    return total


@helper
def _tile(rows, columns, i, j, first, out, later):
    """Eight dot products at once: two rows i with four columns j; ``later`` tells whether the rows come later."""
    r0, r1 = rows[i[0]], rows[i[1]]
    c0, c1, c2, c3 = columns[j[0]], columns[j[1]], columns[j[2]], columns[j[3]]
    t00 = t01 = t02 = t03 = t10 = t11 = t12 = t13 = 0.0
    for k in range(r0.shape[0]):
        t00 += r0[k] * c0[k]
        t01 += r0[k] * c1[k]
        t02 += r0[k] * c2[k]
        t03 += r0[k] * c3[k]
        t10 += r1[k] * c0[k]
        t11 += r1[k] * c1[k]
        t12 += r1[k] * c2[k]
        t13 += r1[k] * c3[k]
    if later:
        out[i[0] - first, j[0]] += t00
        out[i[0] - first, j[1]] += t01
        out[i[0] - first, j[2]] += t02
        out[i[0] - first, j[3]] += t03
        out[i[1] - first, j[0]] += t10
        out[i[1] - first, j[1]] += t11
        out[i[1] - first, j[2]] += t12
        out[i[1] - first, j[3]] += t13
    else:
        out[j[0] - first, i[0]] += t00
        out[j[1] - first, i[0]] += t01
        out[j[2] - first, i[0]] += t02
        out[j[3] - first, i[0]] += t03
        out[j[0] - first, i[1]] += t10
        out[j[1] - first, i[1]] += t11
        out[j[2] - first, i[1]] += t12
        out[j[3] - first, i[1]] += t13


@helper
def _products(bounds, positions, events, means, first_row, out):
    """Add ``events[i] . means[j]`` for all pairs of the jobs, i the later position, whose row must be in the block."""
    for job in range(bounds.shape[0]):
        ys = positions[bounds[job, 0] : bounds[job, 1]]
        xs = positions[bounds[job, 2] : bounds[job, 3]]
        for first in range(0, xs.shape[0], RUN):
            _run_products(ys, xs[first : first + RUN], events, means, first_row, out)


@helper
def _run_products(ys, xs, events, means, first, out):
    """All ys with a run of xs short enough to stay in the cache."""
    for m in range(0, ys.shape[0], 2):
        wide = m + 2 <= ys.shape[0]
        for n in range(0, xs.shape[0], 4):
            if wide and n + 4 <= xs.shape[0]:
                y, x = ys[m : m + 2], xs[n : n + 4]
                if y[0] > x[3]:
                    _tile(events, means, y, x, first, out, True)
                    continue
                if y[1] < x[0]:
                    _tile(means, events, y, x, first, out, False)
                    continue
            for y in ys[m : m + 2]:
                for x in xs[n : n + 4]:
                    if y > x:
                        out[y - first, x] += _dot(events[y], means[x])
                    else:
                        out[x - first, y] += _dot(events[x], means[y])


@helper
def all_pairs(splitting, pi, pi_columns, symbols, fields, function, moments, scratch, vectors, rows, out):
    """Add the pair sums of one block of lanes: within pieces, across trees, across separators."""
    parents, piece_starts, piece_members, last, leaf, top = splitting[:6]
    walk_starts, walk, tree_bounds, tree_positions, branch_groups, branch_bounds, branch_positions = splitting[6:]
    steps, carried, events, means, tilted = vectors
    below, _, _, above = fields
    count, _, lanes = below.shape
    _own_pairs(pi, symbols, fields, function, rows, out)
    scratch[4][:] = -1
    for k in range(piece_starts.shape[0] - 1):
        members = piece_members[piece_starts[k] : piece_starts[k + 1]]
        reach = (last, leaf, top)
        _piece_pairs(members, parents, reach, pi, pi_columns, symbols, fields, function, scratch, rows, out)
    if tree_bounds.shape[0] > 0:
        for v in range(count):
            for lane in range(lanes):
                b = symbols[lane]
                tilted[v, lane] = below[v, b, lane] * above[v, b, lane]
        _products(tree_bounds, tree_positions, tilted, moments, rows[0], out)
    for k in range(walk_starts.shape[0] - 1):
        steps_walked = walk[walk_starts[k] : walk_starts[k + 1]]
        if steps_walked.shape[0] == 0:
            continue
        _separator_vectors(steps_walked, pi, pi_columns, symbols, fields, function, steps, carried, events, means)
        jobs = branch_bounds[branch_groups[k] : branch_groups[k + 1]]
        _products(jobs, branch_positions, events, means, rows[0], out)
