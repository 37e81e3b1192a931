"""Many equal steps of a pass at once, by powers of their transfer matrix; the innermost index runs over lanes.

With A the matrix of one step, n steps lead from u to ``A^n u``. The derivative by an entry of A needs the **joint sum**
``sum_i (A^i u) (v A^(n-1-i))``, v being what comes back from the end. Both follow the binary digits of n from the
first: powers of the **prefixes** of n, each the square of the one before, times A where the digit is one.
"""

import numpy as np

from causal_theory.kernels._jit import helper


@helper
def digits_of(number):
    """Return how many binary digits a positive number has."""
    digits = 0
    while number > 0:
        number >>= 1
        digits += 1
    return digits


@helper
def _add_product(first, second, out):
    """Add ``first @ second``, three terms of a sum at a time: they share the load and the store of the sum."""
    size, lanes = out.shape[1], out.shape[2]
    threes = size - size % 3
    for y in range(size):
        for z in range(0, threes, 3):
            f0, f1, f2 = first[y, z], first[y, z + 1], first[y, z + 2]
            for x in range(size):
                total, s0, s1, s2 = out[y, x], second[z, x], second[z + 1, x], second[z + 2, x]
                for lane in range(lanes):
                    total[lane] += f0[lane] * s0[lane] + f1[lane] * s1[lane] + f2[lane] * s2[lane]
        for z in range(threes, size):
            f0 = first[y, z]
            for x in range(size):
                total, s0 = out[y, x], second[z, x]
                for lane in range(lanes):
                    total[lane] += f0[lane] * s0[lane]


@helper
def _add_stepped(step, columns, out):
    """Take one step of every column; ``step`` is ``(first, size, rows, following, laws, symbol, gains)``."""
    first, size, rows, following, laws, symbol, gains = step
    lanes = out.shape[2]
    for x in range(size):
        r = rows[first + x]
        for c in range(laws.shape[1]):
            p = laws[r, c]
            y = following[first + x, c]
            gain = gains[1] if c == symbol else gains[0]
            for z in range(columns.shape[1]):
                for lane in range(lanes):
                    out[y, z, lane] += p * gain[r, lane] * columns[x, z, lane]


@helper
def _set_all(array, value):
    for y in range(array.shape[0]):
        for x in range(array.shape[1]):
            for lane in range(array.shape[2]):
                array[y, x, lane] = value


@helper
def _copy(source, target):
    for y in range(target.shape[0]):
        for x in range(target.shape[1]):
            for lane in range(target.shape[2]):
                target[y, x, lane] = source[y, x, lane]


@helper
def _set_outer(first, second, out):
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for lane in range(out.shape[2]):
                out[y, x, lane] = first[y, lane] * second[x, lane]


@helper
def prefix_powers(step, count, powers):
    """Fill ``powers[j]`` with A to the power of the first ``j + 1`` binary digits of ``count``."""
    size, lanes = powers.shape[1], powers.shape[3]
    scratch = np.empty((size, size, lanes))
    _set_all(scratch, 0.0)
    for x in range(size):
        for lane in range(lanes):
            scratch[x, x, lane] = 1.0
    _set_all(powers[0], 0.0)
    _add_stepped(step, scratch, powers[0])
    last = powers.shape[0] - 1
    for j in range(1, last + 1):
        odd = (count >> (last - j)) & 1 == 1
        square = scratch if odd else powers[j]
        _set_all(square, 0.0)
        _add_product(powers[j - 1], powers[j - 1], square)
        if odd:
            _set_all(powers[j], 0.0)
            _add_stepped(step, square, powers[j])


@helper
def times_vector(matrix, vector, out):
    """``matrix @ vector``."""
    for y in range(matrix.shape[0]):
        for lane in range(matrix.shape[2]):
            out[y, lane] = 0.0
        for x in range(matrix.shape[1]):
            for lane in range(matrix.shape[2]):
                out[y, lane] += matrix[y, x, lane] * vector[x, lane]


@helper
def vector_times(vector, matrix, out):
    """``vector @ matrix``."""
    for x in range(matrix.shape[1]):
        for lane in range(matrix.shape[2]):
            out[x, lane] = 0.0
    for y in range(matrix.shape[0]):
        for x in range(matrix.shape[1]):
            for lane in range(matrix.shape[2]):
                out[x, lane] += vector[y, lane] * matrix[y, x, lane]


@helper
def joint_sum(step, count, powers, start, end, joint):
    """Fill ``joint[x, y]`` with the sum over steps of what reaches x before the step times what comes back to y."""
    size, lanes = powers.shape[1], powers.shape[3]
    before = np.empty((size, size, lanes))
    back, further = np.empty((size, lanes)), np.empty((size, lanes))
    _set_outer(start, end, joint)
    last = powers.shape[0] - 1
    for j in range(1, last + 1):
        power = powers[j - 1]
        _copy(joint, before)
        _set_all(joint, 0.0)
        _add_product(before, power, joint)
        _add_product(power, before, joint)
        if (count >> (last - j)) & 1 == 1:
            _copy(joint, before)
            vector_times(end, power, back)
            vector_times(back, power, further)
            _set_outer(start, further, joint)
            _add_stepped(step, before, joint)
