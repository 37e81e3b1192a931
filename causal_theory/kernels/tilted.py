"""Edge scores of one transition matrix: tilted messages and pair sums over some lanes and some rows.

A **lane** is a pair (symbol b, quadrature node z). Kernels here are sequential: a large problem is cut into units of
lanes and rows that run side by side, in an order that does not matter.
"""

import numpy as np

from causal_theory.kernels._jit import kernel
from causal_theory.kernels.messages import collect, distribute, key_moments, root_mass
from causal_theory.kernels.pair_sums import all_pairs


@kernel
def tilted_sums(parents, splitting, slots, pi, root_law, lanes, pair_blocks, rows):
    """Sum over the lanes: pair sums (last - first, last) and key moments (T,).

    Parameters
    ----------
    parents : (T - 1,) int64
        Parent of each context position, -1 for a root.
    splitting : tuple of arrays
        The forest in pieces, see ``population.splitting``, restricted to the rows.
    slots : int
        Number of vectors that a walk from a separator keeps.
    pi, root_law : (S, S) and (S,) float64
        Transition matrix and law of a root.
    lanes : three arrays (blocks, width)
        Symbol, node and quadrature weight of each lane.
    pair_blocks : int
        Pair sums are formed over the first ``pair_blocks`` blocks only; at ``z = 0`` they vanish.
    rows : two int
        First row and the one after the last.
    """
    first, last = rows
    lane_symbols, lane_nodes, lane_weights = lanes
    blocks, width = lane_symbols.shape
    count = parents.shape[0]
    size = pi.shape[0]
    pi_columns = np.ascontiguousarray(pi.T)
    pair_sums = np.zeros((last - first, last))
    moment_sums = np.zeros(count + 1)
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
    split = count if slots > 0 else 0
    vectors = (
        np.empty((slots, size, size * width)),
        np.empty((size, size * width)),
        np.empty((split, size * width)),
        np.empty((split, size * width)),
        np.empty((count, width)),
    )
    for block in range(blocks):
        symbols = lane_symbols[block]
        nodes = lane_nodes[block]
        collect(parents, pi, symbols, nodes, below, message, evidence)
        distribute(parents, pi_columns, root_law, fields, evidence, scratch[1])
        weights = lane_weights[block] * np.exp(evidence)
        key_moments(pi, symbols, nodes, weights, below, above, function, moments, moment_sums)
        if block < pair_blocks:
            all_pairs(splitting, pi, pi_columns, symbols, fields, function, moments, scratch, vectors, rows, pair_sums)
    return pair_sums, moment_sums


@kernel
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
