"""Pairs of tokens of any graph: along the frontier where that is narrow, by elimination otherwise."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.frontier import Frontier, find_frontier
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.codes import CHI2
from causal_theory.population.lost_symbols import lost_symbols
from causal_theory.tasks import InContextTask
from causal_theory.token_laws import joint_law
from causal_theory.token_laws.tables import TableArrays, TransferTables, law_rows, row_layout, transfer_tables

Array = NDArray[np.float64]

MAX_STATES = 2**16
"""Up to this many states of the frontier all pairs are found by transfers."""


def joints_of_pairs(task: InContextTask, transitions: Mapping[int, Array]) -> Array:
    """Return the joint law of every pair of tokens under given transition tensors, shape (T, T, S, S)."""
    if _is_narrow(task):
        arrays, laws, states, marginals = _transfers(task, transitions)
        joints: Array = kernels.frontier.pair_joints(arrays, laws, states, marginals)
        return joints
    length, size = task.length, task.vocab_size
    joint = np.empty((length, length, size, size))
    for i in range(length):
        joint[i, i] = np.diag(joint_law(task, transitions, (i,)))
        for j in range(i):
            joint[i, j] = joint_law(task, transitions, (i, j))
            joint[j, i] = joint[i, j].T
    return joint


def divergences_of_pairs(
    task: InContextTask, code: int, relative: float, transitions: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Return a divergence for every pair of tokens under given tensors, and bounds on the errors, shapes (T, T)."""
    if _is_narrow(task):
        arrays, laws, states, marginals = _transfers(task, transitions)
        values, errors = kernels.frontier.pair_divergences(arrays, laws, states, marginals, code, relative)
    else:
        joint = joints_of_pairs(task, transitions)
        marginals = np.einsum("iiaa->ia", joint).copy()
        values, errors = np.zeros((2, task.length, task.length))
        for i in range(task.length):
            for j in range(i):
                p, q = marginals[i], marginals[j]
                found = kernels.frontier.joint_divergence(
                    *map(read_only, (joint[i, j] - np.outer(p, q), joint[i, j], p, q)), code, relative
                )
                values[i, j], errors[i, j] = found
                values[j, i], errors[j, i] = found
    diagonal = np.array([kernels.pairs.self_divergence(read_only(law), code) for law in marginals])
    np.fill_diagonal(values, diagonal)
    np.fill_diagonal(errors, 2.0 * relative * diagonal)
    if code == CHI2:
        lost = lost_symbols(marginals, transitions, lambda others: _laws_of_tokens(task, others))
        errors += np.add.outer(lost, lost)
    return values, errors


def _laws_of_tokens(task: InContextTask, transitions: Mapping[int, Array]) -> Array:
    if _is_narrow(task):
        return _transfers(task, transitions)[3]
    return np.array([joint_law(task, transitions, (i,)) for i in range(task.length)])


@lru_cache(maxsize=32)
def _frontier_of(graph: CausalGraph) -> Frontier:
    return find_frontier(graph.parents, ())


def _is_narrow(task: InContextTask) -> bool:
    return bool(task.vocab_size ** _frontier_of(task.graph).width <= MAX_STATES)


def _transfers(task: InContextTask, transitions: Mapping[int, Array]) -> tuple[TableArrays, Array, Array, Array]:
    """Return the pass as the kernels take it, the laws of its rows, of its states, and of the tokens."""
    layout = row_layout(task.vocab_size, sorted({len(entry) for entry in task.graph.parents if entry}))
    tables = transfer_tables(_frontier_of(task.graph), layout, task.length)
    laws = law_rows(task, layout, transitions)
    states: Array = kernels.frontier.state_laws(tuple(map(read_only, tables.arrays)), read_only(laws), tables.last)
    return tables.arrays, laws, states, _marginals(tables, laws, states)


def _marginals(tables: TransferTables, laws: Array, states: Array) -> Array:
    out = np.empty((len(tables.kinds), laws.shape[1]))
    for i, kind in enumerate(tables.kinds.tolist()):
        run = slice(tables.offsets[kind], tables.offsets[kind] + tables.sizes[kind])
        out[i] = states[i, : tables.sizes[kind]] @ laws[tables.rows[run]]
    return out
