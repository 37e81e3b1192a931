"""Sums over all sequences of a graph by transfers between the states of its frontier, many quantities side by side.

A **state** is a combination of tokens on the frontier. Token c follows row ``rows[x]`` of ``laws`` from state x and
leads to state ``following[x, c]``; steps of one kind share these tables, which the tuple ``tables`` holds:
``(kinds, offsets, sizes, rows, following)``. The innermost index runs over quadrature nodes or symbols (lanes).

Nothing is rescaled: what underflows on the way is part of an expectation that is smaller still, and of no account.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel, strict_helper
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.codes import CHI2, MODIFIED_CHI2
from causal_theory.kernels.pairs import UNDERFLOW, divergence_term
from causal_theory.kernels.repeats import digits_of, joint_sum, prefix_powers, times_vector, vector_times
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Tables = tuple[NDArray[Any], ...]


@helper
def _gains(times, omega, shift, marked, shared, own):
    """``exp(-t w e)`` for a token of weight w, and ``exp(-t w (1 + e))`` for one that equals the symbol."""
    for r in range(omega.shape[0]):
        for lane in range(times.shape[0]):
            exponent = -times[lane] * omega[r]
            shared[r, lane] = np.exp(exponent * shift)
            own[r, lane] = np.exp(exponent * (1.0 + shift)) if marked else shared[r, lane]


@helper
def _step(before, after, size, size_after, offset, tables, laws, symbol, gains):
    """One transfer of all lanes."""
    rows, following = tables[3], tables[4]
    shared, own = gains
    lanes = before.shape[1]
    for x in range(size_after):
        for lane in range(lanes):
            after[x, lane] = 0.0
    for x in range(size):
        r = rows[offset + x]
        for c in range(laws.shape[1]):
            p = laws[r, c]
            y = following[offset + x, c]
            gain = own if c == symbol else shared
            for lane in range(lanes):
                after[y, lane] += p * gain[r, lane] * before[x, lane]


@helper
def _step_back(after, before, size, offset, tables, laws, symbol, gains, marked):
    """Take one step of the adjoint; ``marked`` becomes the part of it in which the token equals the symbol."""
    rows, following = tables[3], tables[4]
    shared, own = gains
    lanes = before.shape[1]
    for x in range(size):
        r = rows[offset + x]
        for lane in range(lanes):
            before[x, lane] = 0.0
            marked[x, lane] = 0.0
        for c in range(laws.shape[1]):
            p = laws[r, c]
            y = following[offset + x, c]
            if c == symbol:
                for lane in range(lanes):
                    marked[x, lane] = p * own[r, lane] * after[y, lane]
            else:
                for lane in range(lanes):
                    before[x, lane] += p * after[y, lane]
        for lane in range(lanes):
            before[x, lane] = before[x, lane] * shared[r, lane] + marked[x, lane]


@helper
def _block(tables, laws, omega, terminal, times, symbol, shift, repeats, with_slopes, masses, slopes):
    """Compute the transforms of one block of lanes, and their derivatives by the logarithms of the weights."""
    kinds, offsets, sizes, rows, following = tables
    steps, width = kinds.shape[0], times.shape[0]
    largest = max(sizes.max(), terminal.shape[0])
    first, count = repeats
    # Repeated steps are one: slot i holds what is before step i, or before step i + count - 1 when i > first.
    slots = steps - count + 1 if count > 0 else steps
    depth = slots + 1 if with_slopes else 2
    states = np.empty((depth, largest, width))
    gains = (np.empty((laws.shape[0], width)), np.empty((laws.shape[0], width)))
    _gains(times, omega, shift, symbol >= 0, gains[0], gains[1])
    kind = kinds[first]
    repeated = (offsets[kind], sizes[kind], rows, following, laws, symbol, gains)
    powers = np.empty((digits_of(count), sizes[kind], sizes[kind], width))
    if count > 0:
        prefix_powers(repeated, count, powers)
    states[0, 0, :] = 1.0
    for slot in range(slots):
        before, after = states[slot % depth], states[(slot + 1) % depth]
        if count > 0 and slot == first:
            times_vector(powers[-1], before, after)
            continue
        i = slot if count == 0 or slot < first else slot + count - 1
        size_after = sizes[kinds[i + 1]] if i + 1 < steps else terminal.shape[0]
        _step(before, after, sizes[kinds[i]], size_after, offsets[kinds[i]], tables, laws, symbol, gains)
    final = states[slots % depth]
    for lane in range(width):
        mass = 0.0
        for x in range(terminal.shape[0]):
            mass += terminal[x] * final[x, lane]
        masses[lane] = mass
    if not with_slopes:
        return
    slopes[:] = 0.0
    back, previous, marked = np.empty((largest, width)), np.empty((largest, width)), np.empty((largest, width))
    for x in range(terminal.shape[0]):
        back[x, :] = terminal[x]
    for slot in range(slots - 1, -1, -1):
        forward = states[slot]
        if count > 0 and slot == first:
            _add_slopes_of_repeats(repeated, count, powers, forward, back, shift, slopes)
            vector_times(back, powers[-1], previous)
        else:
            kind = kinds[slot if count == 0 or slot < first else slot + count - 1]
            _step_back(back, previous, sizes[kind], offsets[kind], tables, laws, symbol, gains, marked)
            for x in range(sizes[kind]):
                r = rows[offsets[kind] + x]
                for lane in range(width):
                    slopes[r, lane] += forward[x, lane] * (shift * previous[x, lane] + marked[x, lane])
        back, previous = previous, back
    for r in range(laws.shape[0]):
        for lane in range(width):
            slopes[r, lane] *= omega[r]


@helper
def _add_slopes_of_repeats(step, count, powers, start, end, shift, slopes):
    """Add what repeated steps contribute to the derivatives by the weights."""
    first, size, rows, following, laws, symbol, gains = step
    joint = np.empty(powers.shape[1:])
    joint_sum(step, count, powers, start, end, joint)
    for x in range(size):
        r = rows[first + x]
        for c in range(laws.shape[1]):
            gain, share = (gains[1], 1.0 + shift) if c == symbol else (gains[0], shift)
            p = laws[r, c] * share
            y = following[first + x, c]
            for lane in range(joint.shape[2]):
                slopes[r, lane] += p * gain[r, lane] * joint[x, y, lane]


def _given(arrays: Tables) -> Tables:
    return tuple(map(read_only, arrays))


def frontier_transforms(
    tables: Tables,
    laws: Array,
    omega: Array,
    terminals: Array,
    lanes: Tables,
    with_slopes: bool,
    repeats: tuple[int, int] = (0, 0),
) -> tuple[Array, Array]:
    """``E[v exp(-t X)]`` and ``E[v exp(-t X) dX / d log omega_r]`` with ``X = sum_i omega[row_i] ([s_i = b] + e)``.

    Parameters
    ----------
    tables : tuple
        Tables of the pass.
    laws : (R, S)
        Laws of a token, by row.
    omega : (Q, R)
        Weights of a position by the row that its token follows, for every group.
    terminals : (V, X)
        Non-negative values v of the states at the end.
    lanes : five arrays
        Times (blocks, width), and for each block its symbol b (-1: none), group, shift e and terminal.
    with_slopes : bool
        Whether derivatives are wanted.
    repeats : two integers
        First and number of equal steps to do at once, as in `TransferTables.repeated`; without, one after another.

    Returns
    -------
    masses : (blocks, width)
    slopes : (blocks, R, width)
        Every block is independent of all others.
    """
    blocks, width = lanes[0].shape
    masses = np.empty((blocks, width))
    slopes = np.empty((blocks, laws.shape[0], width) if with_slopes else (blocks, 1, 1))
    given = (_given(tables), *map(read_only, (laws, omega, terminals)), _given(lanes))
    run_shared(_transform_blocks, blocks, *given, repeats, with_slopes, masses, slopes)
    return masses, slopes


@kernel
def _transform_blocks(start, stop, tables, laws, omega, terminals, lanes, repeats, with_slopes, masses, slopes):
    times, symbols, groups, shifts, ends = lanes
    for block in range(start, stop):
        _block(
            tables,
            laws,
            omega[groups[block]],
            terminals[ends[block]],
            times[block],
            symbols[block],
            shifts[block],
            repeats,
            with_slopes,
            masses[block],
            slopes[block],
        )


@kernel
def state_laws(tables, laws, last):
    """Law of the state before every step and at the end, shape (n + 1, largest number of states)."""
    kinds, offsets, sizes, rows, following = tables
    steps, size = kinds.shape[0], laws.shape[1]
    out = np.zeros((steps + 1, max(sizes.max(), last)))
    out[0, 0] = 1.0
    for i in range(steps):
        kind = kinds[i]
        for x in range(sizes[kind]):
            r = rows[offsets[kind] + x]
            for c in range(size):
                out[i + 1, following[offsets[kind] + x, c]] += out[i, x] * laws[r, c]
    return out


@helper
def _follow(tables, laws, states, marginals, j, joints, deviations):
    """Joint laws of the token at j with all later ones, and their deviations from independence, lanes = symbols at j.

    The deviations are centred after every step: their sum over states is zero, and roundoff must not build up in it.
    """
    kinds, offsets, sizes, rows, following = tables
    steps, symbols = kinds.shape[0], laws.shape[1]
    largest = states.shape[1]
    plain, off = np.zeros((largest, symbols)), np.zeros((largest, symbols))
    next_plain, next_off = np.zeros((largest, symbols)), np.zeros((largest, symbols))
    for i in range(j, steps):
        kind = kinds[i]
        offset = offsets[kind]
        next_plain[:] = 0.0
        next_off[:] = 0.0
        for x in range(sizes[kind]):
            r = rows[offset + x]
            for c in range(symbols):
                y = following[offset + x, c]
                p = laws[r, c]
                if i == j:
                    reached = states[i, x] * p
                    next_plain[y, c] += reached
                    for lane in range(symbols):
                        next_off[y, lane] += reached * ((1.0 if lane == c else 0.0) - marginals[j, lane])
                    continue
                for lane in range(symbols):
                    joints[i, c, lane] += p * plain[x, lane]
                    deviations[i, c, lane] += p * off[x, lane]
                    next_plain[y, lane] += p * plain[x, lane]
                    next_off[y, lane] += p * off[x, lane]
        plain, next_plain = next_plain, plain
        off, next_off = next_off, off
        for lane in range(symbols):
            excess = 0.0
            for x in range(largest):
                excess += off[x, lane]
            for x in range(largest):
                off[x, lane] -= excess * states[i + 1, x]


def pair_joints(tables: Tables, laws: Array, states: Array, marginals: Array) -> Array:
    """Joint laws of all pairs of positions, (n, n, S, S): ``[i, j, a, b]`` belongs to ``s_i = a, s_j = b``.

    Parameters
    ----------
    tables : tuple
        Tables of a pass over all positions.
    laws : (R, S)
        Laws of a token, by row.
    states : (n + 1, X)
        Output of `state_laws`.
    marginals : (n, S)
        Laws of the tokens.
    """
    steps, symbols = tables[0].shape[0], laws.shape[1]
    out = np.zeros((steps, steps, symbols, symbols))
    run_shared(_joints_with, steps, _given(tables), *map(read_only, (laws, states, marginals)), out)
    return out


@kernel
def _joints_with(start, stop, tables, laws, states, marginals, out):
    """Joint laws of the tokens at ``start .. stop`` with themselves and all later ones."""
    steps, symbols = tables[0].shape[0], laws.shape[1]
    for j in range(start, stop):
        joints, deviations = np.zeros((steps, symbols, symbols)), np.zeros((steps, symbols, symbols))
        _follow(tables, laws, states, marginals, j, joints, deviations)
        for a in range(symbols):
            out[j, j, a, a] = marginals[j, a]
        for i in range(j + 1, steps):
            for a in range(symbols):
                for b in range(symbols):
                    out[i, j, a, b] = joints[i, a, b]
                    out[j, i, b, a] = joints[i, a, b]


def pair_divergences(
    tables: Tables, laws: Array, states: Array, marginals: Array, measure: int, relative: float
) -> Array:
    """Divergences of all pairs of positions and bounds on their errors, (2, n, n), zero on the diagonal.

    ``relative`` bounds the relative roundoff of a probability; the other arguments are those of `pair_joints`.
    """
    steps = tables[0].shape[0]
    out = np.zeros((2, steps, steps))
    given = (_given(tables), *map(read_only, (laws, states, marginals)))
    run_shared(_divergences_from, steps, *given, measure, float(relative), out)
    return out


@kernel
def _divergences_from(start, stop, tables, laws, states, marginals, measure, relative, out):
    """Divergences of the tokens at ``start .. stop`` with all later ones."""
    steps, symbols = tables[0].shape[0], laws.shape[1]
    for j in range(start, stop):
        joints, deviations = np.zeros((steps, symbols, symbols)), np.zeros((steps, symbols, symbols))
        _follow(tables, laws, states, marginals, j, joints, deviations)
        for i in range(j + 1, steps):
            value, bound = joint_divergence(deviations[i], joints[i], marginals[i], marginals[j], measure, relative)
            out[0, i, j] = value
            out[0, j, i] = value
            out[1, i, j] = bound
            out[1, j, i] = bound


@strict_helper
def modified_chi2(joint, p, q, relative):
    """``sum_z q(z)^2 (sum_e P(e | z)^2 / p(e) - 1)`` with the square multiplied out, and a bound on its error."""
    total, bound = 0.0, 0.0
    for a in range(p.shape[0]):
        if p[a] > 0.0:
            for b in range(q.shape[0]):
                off = joint[a, b] - p[a] * q[b]
                error = relative * (joint[a, b] + p[a] * q[b]) + UNDERFLOW
                value = off / p[a] * off
                total += value
                bound += (2.0 * abs(off) + error) / p[a] * error + 4.0 * relative * value
    return total, bound


def law_divergences(joints: Array, measure: int, relative: float) -> Array:
    """Divergences of joint laws (N, E, Z) from the products of their marginals, and bounds on the errors, (2, N)."""
    out = np.empty((2, len(joints)))
    run_shared(_divergences_of_laws, len(joints), read_only(joints), measure, float(relative), out)
    return out


@kernel
def _divergences_of_laws(start, stop, joints, measure, relative, out):
    _, first, second = joints.shape
    for n in range(start, stop):
        p, q = np.zeros(first), np.zeros(second)
        for a in range(first):
            for b in range(second):
                p[a] += joints[n, a, b]
                q[b] += joints[n, a, b]
        if measure == MODIFIED_CHI2:
            value, bound = modified_chi2(joints[n], p, q, relative)
        else:
            deviation = np.empty((first, second))
            for a in range(first):
                for b in range(second):
                    deviation[a, b] = joints[n, a, b] - p[a] * q[b]
            value, bound = joint_divergence(deviation, joints[n], p, q, measure, relative)
        out[0, n] = value
        out[1, n] = bound


@kernel
def joint_divergence(deviation, joint, p, q, measure, relative):
    """Divergence of one joint law from the product of its marginals, and a bound on its error."""
    total, bound = 0.0, 0.0
    for a in range(p.shape[0]):
        for b in range(q.shape[0]):
            if p[a] > 0.0 and q[b] > 0.0:
                error = relative * (joint[a, b] + p[a] * q[b])
                value, one = divergence_term(measure, deviation[a, b], error, joint[a, b], p[a], q[b], relative)
                total += value
                bound += one
    if measure == CHI2:
        # It is at most the smaller number of symbols, less one.
        bound = min(bound, total + min(p.shape[0], q.shape[0]))
    return total, bound
