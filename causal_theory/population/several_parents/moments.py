"""Expected logarithms of weighted token counts on any graph with a narrow frontier.

As on forests (`population.log_moments`), with three differences: a position's weight belongs to the row of the
transition tensor that its token follows; all T positions count; and the query, which is part of the sequence, is
singled out by a value of the state at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.errors import TooLargeError
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.frontier import Frontier, find_frontier
from causal_theory.population.log_moments import check_passes, scaled
from causal_theory.population.logarithm import EXHAUSTED, logarithm_rule
from causal_theory.tasks import InContextTask
from causal_theory.token_laws.tables import RowLayout, TransferTables, law_rows, row_layout, transfer_tables

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_STATES = 2**16
"""Largest number of combinations of tokens on the frontier, the new token included."""

MAX_BYTES = 2**31
"""Largest memory of one thread."""

WIDTHS = (32, 24, 16)
"""Lanes to a block."""


@dataclass(frozen=True, eq=False)
class Transfers:
    """A task prepared for transfers: what does not depend on the transition tensors.

    Attributes
    ----------
    task : InContextTask
        The task.
    layout : RowLayout
        Where the rows of the transition tensors stand.
    tables : TransferTables
        The pass, ending with the tokens of the target's parents.
    queries : ndarray of int64, shape (S^k, k)
        Tokens of the target's parents, in the order of ``target_parents``.
    ends : ndarray of int64, shape (S^k,)
        The state at the end for each of them.
    row_counts : ndarray, shape (rows,)
        How many positions can follow each row.
    """

    task: InContextTask
    layout: RowLayout
    tables: TransferTables
    queries: Indices
    ends: Indices
    row_counts: Array

    def laws(self, transitions: Mapping[int, Array]) -> Array:
        """Return the laws of all rows."""
        return law_rows(self.task, self.layout, transitions)

    def targets(self, transitions: Mapping[int, Array]) -> Array:
        """Return the law of the target for each query, shape (S^k, S)."""
        return transitions[self.queries.shape[1]].reshape(len(self.queries), -1)

    def at_end(self, values: Array) -> Array:
        """Turn values by query (..., S^k) into values by state at the end."""
        out = np.zeros((*values.shape[:-1], self.tables.last))
        out[..., self.ends] = values
        return out


@lru_cache(maxsize=32)
def _frontier_of(graph: CausalGraph) -> Frontier:
    return find_frontier(graph.parents, graph.target_parents)


def prepare_transfers(task: InContextTask, caller: str) -> Transfers:
    """Prepare a task for transfers, or refuse a graph whose frontier is too wide.

    Examples
    --------
    >>> from causal_theory import CausalGraph, DirichletPrior, InContextTask
    >>> transfers = prepare_transfers(InContextTask(CausalGraph.ngram(100, 2), DirichletPrior(3, 1.0)), "example")
    >>> transfers.tables.largest, transfers.queries.shape
    (9, (9, 2))
    """
    graph, size = task.graph, task.vocab_size
    task.prior.require_transitions(graph.in_degrees)
    frontier = _frontier_of(graph)
    states = size**frontier.width
    if states > MAX_STATES:
        raise TooLargeError(
            f"{caller} needs a graph with at most {MAX_STATES} combinations of tokens on its frontier, got "
            f"{size}^{frontier.width} (width {frontier.width}); use method='monte_carlo', which parent_attention_loss, "
            "its gradient and the baselines have, or a graph whose parents are near, such as CausalGraph.ngram"
        )
    layout = row_layout(size, graph.in_degrees)
    tables = transfer_tables(frontier, layout, graph.length)
    queries = layout.parent_tokens(len(graph.target_parents))
    ascending = [graph.target_parents.index(position) for position in frontier.last]
    ends = np.ravel_multi_index(tuple(queries[:, ascending].T), (size,) * queries.shape[1])
    counts = np.zeros(layout.count)
    for i, entry in enumerate(graph.parents):
        if entry:
            counts[layout.rows(len(entry))] += 1.0
        else:
            counts[int(i == graph.length - 1)] += 1.0
    return Transfers(task, layout, tables, queries, np.asarray(ends, dtype=np.int64), counts)


@dataclass(frozen=True, eq=False)
class RowTerms:
    """Terms ``sign * E[v log(X + constant)]`` with ``X = sum_i omega[group, row_i] ([s_i = symbol] + shift)``.

    For each group the signed values v must sum to zero at every state: only ratios of arguments have a meaning here.
    Weights may be zero or infinite, as on forests.

    Attributes
    ----------
    symbols, groups : ndarray of int64, shape (N,)
        Symbol (-1 for no indicator) and group of each term.
    shifts, constants, signs : ndarray, shape (N,)
        See above.
    values : ndarray, shape (N, X)
        The non-negative v by state at the end.
    lowest, log_lowest : ndarray, shape (N,)
        A lower bound of each argument that is not zero, and its logarithm, as the bound may underflow.
    highest : float
        An upper bound of all arguments that are finite.
    """

    symbols: Indices
    groups: Indices
    shifts: Array
    constants: Array
    signs: Array
    values: Array
    lowest: Array
    log_lowest: Array
    highest: float


@dataclass(frozen=True, eq=False)
class RowMoments:
    """The sum of the terms and its derivatives.

    Attributes
    ----------
    value, error : float
        The sum, and a bound on quadrature and roundoff.
    by_omega : ndarray, shape (Q, rows)
        Derivatives by ``log omega``; empty when not asked for.
    shares : ndarray, shape (Q, rows)
        The same without signs.
    slope_error : float
        Bound on their errors.
    """

    value: float
    error: float
    by_omega: Array
    shares: Array
    slope_error: float


@np.errstate(over="ignore", under="ignore")
def row_moments(transfers: Transfers, laws: Array, logs: Array, terms: RowTerms, *, slopes: bool) -> RowMoments:
    """Evaluate all terms on one quadrature rule, one pass for every term and block of nodes that matter.

    ``logs`` are the logarithms of the weights, by group and row.
    """
    rule = logarithm_rule(float(terms.lowest.min()), terms.highest, float(terms.log_lowest.min()))
    check_passes(rule, len(terms.signs))
    used = (np.add.outer(terms.log_lowest, rule.log_nodes) <= np.log(EXHAUSTED)).sum(axis=1)
    repeats = transfers.tables.repeated
    _check_memory(transfers, repeats, slopes)
    width = min(WIDTHS, key=lambda lanes: int((-(-used // lanes)).sum()) * (lanes + 4))
    term = np.repeat(np.arange(len(used)), -(-used // width))
    first = np.concatenate([np.arange(0, count, width) for count in used.tolist()])
    node = first[:, np.newaxis] + np.arange(width)
    kept = node < used[term][:, np.newaxis]
    node = np.where(kept, node, 0)
    # The weights of a block are multiplied by what its first time lacks.
    scales, scale_of = np.unique(rule.scales, return_inverse=True)
    omega = scaled(logs, scales).reshape(-1, len(laws))
    group = scale_of[first] * len(logs) + terms.groups[term]
    relative = np.exp(rule.scales[node] - rule.scales[first][:, np.newaxis])
    times = np.where(kept, rule.nodes[node] * relative, 1.0)
    lanes = (times, terms.symbols[term], group, terms.shifts[term], term)
    masses, raw = kernels.frontier.frontier_transforms(
        transfers.tables.arrays, laws, omega, terms.values, lanes, slopes, repeats
    )
    outside = terms.signs[term][:, np.newaxis] * np.exp(-times * terms.constants[term][:, np.newaxis])
    outside *= np.where(kept, rule.weights[node], 0.0)
    passed = outside * masses
    by_omega, shares = np.zeros((2, len(logs) if slopes else 0, len(laws)))
    if slopes:
        infinite = np.isinf(omega)
        if infinite.any():  # no mass has such a weight; the kernel multiplies this zero by it
            raw[infinite[group]] = 0.0
        found = np.einsum("nrl,nl->nr", raw, times * outside)
        np.add.at(by_omega, terms.groups[term], found)
        np.add.at(shares, terms.groups[term], np.abs(found))
    # Every group has the whole probability twice: once with each sign.
    spread = 2.0
    unit = float(np.finfo(float).eps)
    # A step rounds a few times; an entry of the product of two powers adds up as many terms as there are states.
    roundings = max(8.0, transfers.tables.largest + 4.0) if repeats[1] > 0 else 8.0
    depth = roundings * (transfers.task.length + laws.shape[1] * transfers.tables.largest)
    error = spread * rule.error + unit * depth * float(np.abs(passed).sum())
    slope_error = 2.0 * spread * (rule.reciprocal_error + unit * depth)
    return RowMoments(-float(passed.sum()), error, by_omega, shares, slope_error)


def _check_memory(transfers: Transfers, repeats: tuple[int, int], slopes: bool) -> None:
    states, (_, count) = transfers.tables.largest, repeats
    depth = transfers.task.length - max(count - 1, 0) + 1 if slopes else 2
    # The powers of the first digits, and four more matrices.
    matrices = count.bit_length() + 4 if count > 0 else 0
    needed = 8 * WIDTHS[0] * states * (depth + matrices * states)
    if needed > MAX_BYTES:
        raise TooLargeError(
            f"the gradient must need at most {MAX_BYTES / 2**30:g} GiB for each thread, got {needed / 2**30:.3g} GiB "
            f"for {transfers.tables.largest} states and T = {transfers.task.length}; use a shorter task"
        )
