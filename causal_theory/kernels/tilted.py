"""Edge scores of one transition matrix: tilted messages and pair sums over all lanes.

A **lane** is a pair (symbol b, quadrature node z); blocks of lanes are shared out to a fixed number of partial sums,
so that results do not depend on the number of threads.
"""

import numpy as np

from causal_theory.kernels._jit import jit, jit_parallel, prange
from causal_theory.kernels.messages import collect, distribute, key_moments, root_mass
from causal_theory.kernels.pair_sums import all_pairs


@jit
def _part_sums(part, parts, parents, splitting, farthest, pi, pi_columns, root_law, lanes, pair_blocks, sums):
    """Add the blocks ``part, part + parts, ...`` to the pair sums and moments of one part."""
    lane_symbols, lane_nodes, lane_weights = lanes
    pair_sums, moment_sums = sums
    blocks, width = lane_symbols.shape
    count = parents.shape[0]
    size = pi.shape[0]
    field = (count, size, width)
    fields = (np.empty(field), np.empty(field), np.empty(field), np.empty(field))
    below, message, _, above = fields
    function = np.empty((size, width))
    moments = np.empty((count, width))
    evidence = np.empty(width)
    scratch = (
        np.empty(field),
        np.empty((size, width)),
        np.empty((size, width)),
        np.empty((size, width)),
        np.empty(count, dtype=np.int64),
    )
    split = count if farthest > 0 else 0
    vectors = (
        np.empty((farthest + 1, size, size * width)),
        np.empty((size, size * width)),
        np.empty((split, size * width)),
        np.empty((split, size * width)),
        np.empty((count, width)),
    )
    for block in range(part, blocks, parts):
        symbols = lane_symbols[block]
        nodes = lane_nodes[block]
        collect(parents, pi, symbols, nodes, below, message, evidence)
        distribute(parents, pi_columns, root_law, fields, evidence, scratch[1])
        weights = lane_weights[block] * np.exp(evidence)
        key_moments(pi, symbols, nodes, weights, below, above, function, moments, moment_sums)
        if block < pair_blocks:
            all_pairs(splitting, pi, pi_columns, symbols, fields, function, moments, scratch, vectors, pair_sums)


@jit
def tilted_masses(parents, pi, root_law, lane_symbols, lane_nodes):
    """``E[z^n_b]`` over the context for every lane (blocks, width): one upward pass."""
    blocks, width = lane_symbols.shape
    field = (parents.shape[0], pi.shape[0], width)
    below = np.empty(field)
    message = np.empty(field)
    masses = np.empty((blocks, width))
    for block in range(blocks):
        evidence = masses[block]
        collect(parents, pi, lane_symbols[block], lane_nodes[block], below, message, evidence)
        for v in range(parents.shape[0]):
            if parents[v] < 0:
                for lane in range(width):
                    evidence[lane] += np.log(root_mass(root_law, below[v], lane))
        for lane in range(width):
            evidence[lane] = np.exp(evidence[lane])
    return masses


@jit
def tilted_sums_serial(parents, splitting, farthest, pi, root_law, lanes, pair_blocks):
    """Sum as ``tilted_sums`` does, in one part on the calling thread: for work that is over before threads start."""
    count = parents.shape[0]
    pair_sums = np.zeros((count + 1, count + 1))
    moment_sums = np.zeros(count + 1)
    columns = np.ascontiguousarray(pi.T)
    sums = (pair_sums, moment_sums)
    _part_sums(0, 1, parents, splitting, farthest, pi, columns, root_law, lanes, pair_blocks, sums)
    return sums


@jit_parallel
def tilted_sums(parents, splitting, farthest, pi, root_law, lanes, pair_blocks, parts):
    """Sum over all lanes: pair sums (T, T) and key moments (T,).

    Parameters
    ----------
    parents : (T - 1,) int64
        Parent of each context position, -1 for a root.
    splitting : tuple of arrays
        The forest in pieces, see ``population.splitting``.
    farthest : int
        The longest walk from a separator.
    pi, root_law : (S, S) and (S,) float64
        Transition matrix and law of a root.
    lanes : three arrays (blocks, width)
        Symbol, node and quadrature weight of each lane.
    pair_blocks : int
        Pair sums are formed over the first ``pair_blocks`` blocks only; at ``z = 0`` they vanish.
    parts : int
        Number of partial sums. The result depends on it, not on the number of threads.
    """
    count = parents.shape[0]
    columns = np.ascontiguousarray(pi.T)
    pair_parts = np.zeros((parts, count + 1, count + 1))
    moment_parts = np.zeros((parts, count + 1))
    for part in prange(parts):
        sums = (pair_parts[part], moment_parts[part])
        _part_sums(part, parts, parents, splitting, farthest, pi, columns, root_law, lanes, pair_blocks, sums)
    pair_sums = np.zeros((count + 1, count + 1))
    moment_sums = np.zeros(count + 1)
    for part in range(parts):
        pair_sums += pair_parts[part]
        moment_sums += moment_parts[part]
    return pair_sums, moment_sums
