"""Fresh sequences for training: matrices, root laws and tokens, each sequence from a stream of its own.

Each function fills the rows ``start .. stop`` of its arrays with the sequences of these numbers after ``first``.
"""

import numpy as np

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.streams import below, inverse_gamma_shape, log_gamma, open_stream, uniform

SEVERAL_CLASSES = 1

LEAST = 64
"""Sequences that are worth waking a thread."""


@helper
def _dirichlet_row(state, concentration, inverse, row):
    """One Dirichlet row; ``inverse`` is an integer 1 / concentration when that is at most 20, else 0."""
    size = row.shape[0]
    total = 0.0
    if inverse > 1:
        for b in range(size):
            row[b] = inverse_gamma_shape(state, inverse)
            total += row[b]
    if total < 1e-200:
        largest = -np.inf
        for b in range(size):
            row[b] = log_gamma(state, concentration)
            largest = max(largest, row[b])
        total = 0.0
        for b in range(size):
            row[b] = np.exp(row[b] - largest)
            total += row[b]
    for b in range(size):
        row[b] /= total


@helper
def _stationary(matrix, work, law):
    """Stationary law by elimination without subtraction; False when a symbol cannot be eliminated."""
    size = matrix.shape[0]
    for a in range(size):
        for b in range(size):
            work[a, b] = matrix[a, b]
    for n in range(size - 1, 0, -1):
        leaving = 0.0
        for b in range(n):
            leaving += work[n, b]
        if not leaving > 0.0:
            return False
        inverse = 1.0 / leaving
        for a in range(n):
            share = work[a, n] * inverse
            work[a, n] = share
            for b in range(n):
                work[a, b] += share * work[n, b]
    law[0] = 1.0
    total = 1.0
    for n in range(1, size):
        weight = 0.0
        for a in range(n):
            weight += law[a] * work[a, n]
        law[n] = weight
        total += weight
    for n in range(size):
        law[n] /= total
    return True


@helper
def _pick(state, law):
    """Draw a symbol from a law, by inversion."""
    u = uniform(state)
    total = 0.0
    last = 0
    for b in range(law.shape[0]):
        if law[b] > 0.0:
            total += law[b]
            last = b
            if u < total:
                return b
    return last


@helper
def _sequence(state, parents, matrix, root_law, tokens):
    """Tokens of one sequence; the last position is an independent uniform query when it has no parent."""
    length = parents.shape[0]
    for i in range(length):
        w = parents[i]
        if w >= 0:
            tokens[i] = _pick(state, matrix[tokens[w]])
        elif i == length - 1:
            tokens[i] = below(state, matrix.shape[0])
        else:
            tokens[i] = _pick(state, root_law)


@helper
def _shuffle(state, names):
    for k in range(names.shape[0]):
        names[k] = k
    for k in range(names.shape[0] - 1, 0, -1):
        other = below(state, k + 1)
        names[k], names[other] = names[other], names[k]


@kernel
def sample_dirichlet(start, stop, keys, first, parents, target, law, uniform_roots, tokens, targets, flags):
    """Sequences under a Dirichlet prior, into rows of ``tokens`` (n, T) and ``targets`` (n, S).

    Parameters
    ----------
    keys : (2,) uint64
        Of the streams; the stream of a sequence has its number.
    target : int
        Position whose row of the matrix is the target.
    law : (concentration, inverse, floor)
        Rows are ``floor / S + (1 - floor) Dirichlet``; ``inverse`` as in ``_dirichlet_row``.
    flags : (n,) int64, output
        1 where the matrix has no unique stationary law in floating point, although roots need one.
    """
    concentration, inverse, floor = law
    size = targets.shape[1]
    state = np.empty(4, dtype=np.uint64)
    matrix, work, root_law = np.empty((size, size)), np.empty((size, size)), np.full(size, 1.0 / size)
    for n in range(start, stop):
        open_stream(keys, first + n, state)
        for a in range(size):
            _dirichlet_row(state, concentration, inverse, matrix[a])
            if floor > 0.0:
                for b in range(size):
                    matrix[a, b] = floor / size + (1.0 - floor) * matrix[a, b]
        flags[n] = 0
        if not uniform_roots and not _stationary(matrix, work, root_law):
            flags[n] = SEVERAL_CLASSES
            continue
        _sequence(state, parents, matrix, root_law, tokens[n])
        for b in range(size):
            targets[n, b] = matrix[tokens[n, target], b]


@kernel
def sample_matrices(start, stop, keys, first, parents, target, matrices, root_laws, renamed, tokens, targets):
    """Sequences under matrices (K, S, S) with their root laws (K, S), one picked for each, its symbols ``renamed``."""
    length, size = tokens.shape[1], targets.shape[1]
    state = np.empty(4, dtype=np.uint64)
    names = np.arange(size)
    for n in range(start, stop):
        open_stream(keys, first + n, state)
        k = below(state, matrices.shape[0]) if matrices.shape[0] > 1 else 0
        if renamed:
            _shuffle(state, names)
        _sequence(state, parents, matrices[k], root_laws[k], tokens[n])
        row = tokens[n, target]
        for b in range(size):
            targets[n, names[b]] = matrices[k, row, b]
        for i in range(length):
            tokens[n, i] = names[tokens[n, i]]


@helper
def _row_number(tokens, entry, offsets, sources, bases, size):
    """Return the number of the row that an entry follows: its parents' tokens as digits, after other kernels."""
    number = 0
    for p in range(offsets[entry], offsets[entry + 1]):
        number = number * size + tokens[sources[p]]
    return bases[entry] + number


@kernel
def sample_dirichlet_rows(start, stop, keys, first, offsets, sources, bases, law, tokens, targets):
    """Sequences on a graph with several parents under a Dirichlet prior; roots are uniform.

    A kernel of k parents has S^k independent rows, of which a sequence visits few: a row is drawn when it is first
    needed, from the stream of the sequence, which has the same law.

    Parameters
    ----------
    offsets, sources : (T + 2,) and (E,) int64
        The parents of entry i are ``sources[offsets[i]:offsets[i + 1]]``; entry T is the target.
    bases : (T + 1,) int64
        Number of the first row of the kernel that an entry follows, so that rows of different kernels differ.
    law : (concentration, inverse, floor)
        As in ``sample_dirichlet``.
    """
    concentration, inverse, floor = law
    length, size = tokens.shape[1], targets.shape[1]
    state = np.empty(4, dtype=np.uint64)
    rows, names = np.empty((length + 1, size)), np.empty(length + 1, dtype=np.int64)
    for n in range(start, stop):
        open_stream(keys, first + n, state)
        drawn = 0
        for i in range(length + 1):
            if offsets[i] == offsets[i + 1]:
                tokens[n, i] = below(state, size)
                continue
            name = _row_number(tokens[n], i, offsets, sources, bases, size)
            r = 0
            while r < drawn and names[r] != name:
                r += 1
            if r == drawn:
                names[r] = name
                drawn += 1
                _dirichlet_row(state, concentration, inverse, rows[r])
                if floor > 0.0:
                    for b in range(size):
                        rows[r, b] = floor / size + (1.0 - floor) * rows[r, b]
            if i < length:
                tokens[n, i] = _pick(state, rows[r])
            else:
                for b in range(size):
                    targets[n, b] = rows[r, b]


@kernel
def sample_rows(start, stop, keys, first, offsets, sources, bases, rows, renamed, tokens, targets):
    """Sequences on a graph with several parents under given ``rows`` (R, S) of all kernels, symbols ``renamed``."""
    length, size = tokens.shape[1], targets.shape[1]
    state = np.empty(4, dtype=np.uint64)
    names = np.arange(size)
    for n in range(start, stop):
        open_stream(keys, first + n, state)
        if renamed:
            _shuffle(state, names)
        for i in range(length):
            if offsets[i] == offsets[i + 1]:
                tokens[n, i] = below(state, size)
            else:
                tokens[n, i] = _pick(state, rows[_row_number(tokens[n], i, offsets, sources, bases, size)])
        row = _row_number(tokens[n], length, offsets, sources, bases, size)
        for b in range(size):
            targets[n, names[b]] = rows[row, b]
        for i in range(length):
            tokens[n, i] = names[tokens[n, i]]
