"""Laplace transforms of weighted token counts on a forest, and their derivatives.

For one **lane** ``(t, b, q, e)`` and weights ``omega[q, a]`` by the parent's symbol (``root_omega[q]`` at roots) let

    X = sum_i weight_i ([s_i = b] + e),      weight_i = omega[q, s_parent(i)] or root_omega[q]

over the context positions. ``exp(-t X)`` is a product over edges, so ``E exp(-t X)`` is an upward message pass, and
its derivatives by ``log omega`` need one downward pass more. Equal subtrees send equal messages: a pass goes through
their **shapes**, and m children of one shape count as a power. ``b = -1`` marks lanes without the indicator. Lanes are
the innermost index; ``below`` and ``message`` are as in ``kernels.messages``.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.messages import TINY, apply_rows
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Tables = tuple[NDArray[Any], ...]


@helper
def _gains(pi, omega, root_omega, lanes, shared, own, column, root_shared, root_own):
    """Factors of one edge: ``shared[a]`` whatever the child, ``own[a]`` besides when the child equals ``b``."""
    times, symbols, groups, shifts = lanes
    for lane in range(times.shape[0]):
        b, q = symbols[lane], groups[lane]
        root_shared[lane] = np.exp(-times[lane] * root_omega[q] * shifts[lane])
        root_own[lane] = np.exp(-times[lane] * root_omega[q]) if b >= 0 else 1.0
        for a in range(pi.shape[0]):
            exponent = times[lane] * omega[q, a]
            shared[a, lane] = np.exp(-exponent * shifts[lane])
            own[a, lane] = np.exp(-exponent) if b >= 0 else 1.0
            column[a, lane] = pi[a, b] if b >= 0 else 0.0


@helper
def _collect(subtrees, pi, root_law, symbols, gains, below, message, dropped, carried, kept, evidence):
    """Pass messages to the roots, once for each shape; ``evidence`` becomes ``log E exp(-t X)``."""
    starts, children, copies, roots = subtrees
    shared, own, column, root_shared, root_own = gains
    size = pi.shape[0]
    lanes = symbols.shape[0]
    evidence[:] = 0.0
    for v in range(roots.shape[0]):
        for c in range(size):
            for lane in range(lanes):
                below[v, c, lane] = 1.0
        for lane in range(lanes):
            dropped[v, lane] = 0.0
        for edge in range(starts[v], starts[v + 1]):
            w, times = children[edge], copies[edge]
            for c in range(size):
                if times == 1.0:
                    for lane in range(lanes):
                        below[v, c, lane] *= message[w, c, lane]
                else:
                    for lane in range(lanes):
                        below[v, c, lane] *= message[w, c, lane] ** times
            for lane in range(lanes):
                dropped[v, lane] += times * dropped[w, lane]
        for lane in range(lanes):
            largest = below[v, 0, lane]
            for c in range(1, size):
                largest = max(largest, below[v, c, lane])
            if largest < TINY:
                dropped[v, lane] = -np.inf
            elif largest < 1e-3:
                dropped[v, lane] += np.log(largest)
                for c in range(size):
                    below[v, c, lane] /= largest
        if roots[v] > 0.0:
            for lane in range(lanes):
                mass = 0.0
                for c in range(size):
                    mass += root_law[c] * below[v, c, lane] * (root_own[lane] if c == symbols[lane] else 1.0)
                evidence[lane] += roots[v] * (np.log(mass * root_shared[lane]) + dropped[v, lane])
        for c in range(size):
            for lane in range(lanes):
                carried[c, lane] = below[v, c, lane]
        for lane in range(lanes):
            kept[lane] = 0.0
            if symbols[lane] >= 0:
                kept[lane] = below[v, symbols[lane], lane]
                carried[symbols[lane], lane] = 0.0
        apply_rows(pi, 0, carried, message[v])
        for a in range(size):
            for lane in range(lanes):
                total = message[v, a, lane] + own[a, lane] * column[a, lane] * kept[lane]
                message[v, a, lane] = total * shared[a, lane]


@helper
def _differentiate(subtrees, pi_columns, root_law, lanes, omega, root_omega, gains, fields, carried, slopes):
    """Tilted means of ``dX / d log omega_a`` (rows a) and of the share of the roots (last row), one downward pass.

    ``expected[v, a]`` is the expected number of subtrees of shape v below a token a, and then of those at c.
    """
    starts, children, copies, roots = subtrees
    times, symbols, groups, shifts = lanes
    shared, own, column, _, root_own = gains
    below, message, expected, found = fields
    size = root_law.shape[0]
    count = times.shape[0]
    slopes[:] = 0.0
    expected[:] = 0.0
    for v in range(roots.shape[0] - 1, -1, -1):
        for a in range(size):
            for lane in range(count):
                sent = message[v, a, lane]
                carried[a, lane] = expected[v, a, lane] * shared[a, lane] / sent if sent > TINY else 0.0
        apply_rows(pi_columns, 0, carried, found)
        for lane in range(count):
            b = symbols[lane]
            if b >= 0:
                found[b, lane] = 0.0
        for a in range(size):
            for lane in range(count):
                b = symbols[lane]
                met = 0.0
                if b >= 0:
                    reached = carried[a, lane] * own[a, lane] * column[a, lane]
                    found[b, lane] += reached
                    met = reached * below[v, b, lane]
                slopes[a, lane] += shifts[lane] * expected[v, a, lane] + met
        if roots[v] > 0.0:
            for lane in range(count):
                b = symbols[lane]
                mass = 0.0
                for c in range(size):
                    mass += root_law[c] * below[v, c, lane] * (root_own[lane] if c == b else 1.0)
                trees = roots[v] / mass if mass > TINY else 0.0
                for c in range(size):
                    found[c, lane] += trees * root_law[c] * (root_own[lane] if c == b else 1.0)
                met = trees * root_law[b] * root_own[lane] * below[v, b, lane] if b >= 0 else 0.0
                slopes[size, lane] += root_omega[groups[lane]] * (shifts[lane] * roots[v] + met)
        for edge in range(starts[v], starts[v + 1]):
            w = children[edge]
            for a in range(size):
                for lane in range(count):
                    expected[w, a, lane] += copies[edge] * found[a, lane] * below[v, a, lane]
    for a in range(size):
        for lane in range(count):
            slopes[a, lane] *= omega[groups[lane], a]


@helper
def _block(subtrees, pi, pi_columns, root_law, omega, root_omega, lanes, with_slopes, masses, slopes):
    """Compute the transforms of one block of lanes, and the slopes times the transforms."""
    shapes, size, width = subtrees[3].shape[0], pi.shape[0], masses.shape[0]
    small = (size, width)
    gains = (np.empty(small), np.empty(small), np.empty(small), np.empty(width), np.empty(width))
    field = (shapes, size, width)
    below, message = np.empty(field), np.empty(field)
    carried, kept = np.empty(small), np.empty(width)
    shared, own, column, root_shared, root_own = gains
    _gains(pi, omega, root_omega, lanes, shared, own, column, root_shared, root_own)
    dropped = np.empty((shapes, width))
    _collect(subtrees, pi, root_law, lanes[1], gains, below, message, dropped, carried, kept, masses)
    heaviest = masses.max()
    for lane in range(width):
        masses[lane] = np.exp(masses[lane])
    if not with_slopes:
        return
    if heaviest < -80.0:
        slopes[:] = 0.0
        return
    fields = (below, message, np.empty(field), np.empty(small))
    _differentiate(subtrees, pi_columns, root_law, lanes, omega, root_omega, gains, fields, carried, slopes)
    for a in range(size + 1):
        for lane in range(width):
            slopes[a, lane] *= masses[lane]


def laplace_transforms(
    subtrees: Tables, pi: Array, root_law: Array, omega: Array, root_omega: Array, lanes: Tables, with_slopes: bool
) -> tuple[Array, Array]:
    """``E exp(-t X)`` and ``E[exp(-t X) dX / d log omega_a]`` for every lane.

    Parameters
    ----------
    subtrees : four arrays
        Shapes of the subtrees of the context positions, as `Subtrees.arrays` has them.
    pi, root_law : (S, S) and (S,)
        Transition matrix and law of a root.
    omega, root_omega : (Q, S) and (Q,)
        Weights of a child by its parent's symbol, and of a root, for every group.
    lanes : four arrays (blocks, width)
        Times t, symbols b (-1: none), groups q and shifts e.
    with_slopes : bool
        Whether derivatives are wanted.

    Returns
    -------
    masses : (blocks, width)
    slopes : (blocks, S + 1, width)
        The last row is the derivative by ``log root_omega``. Every block is independent of all others.
    """
    blocks, width = lanes[0].shape
    masses = np.empty((blocks, width))
    slopes = np.empty((blocks, len(pi) + 1, width) if with_slopes else (blocks, 1, 1))
    run_shared(
        _transform_blocks,
        blocks,
        tuple(map(read_only, subtrees)),
        *map(read_only, (pi, pi.T, root_law, omega, root_omega)),
        tuple(map(read_only, lanes)),
        with_slopes,
        masses,
        slopes,
    )
    return masses, slopes


@kernel
def _transform_blocks(
    start, stop, subtrees, pi, pi_columns, root_law, omega, root_omega, lanes, with_slopes, masses, slopes
):
    for block in range(start, stop):
        own_lanes = (lanes[0][block], lanes[1][block], lanes[2][block], lanes[3][block])
        _block(
            subtrees, pi, pi_columns, root_law, omega, root_omega, own_lanes, with_slopes, masses[block], slopes[block]
        )
