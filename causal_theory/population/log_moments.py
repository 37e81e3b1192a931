"""Expected logarithms of weighted token counts on a forest: what every loss with local attention is made of."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.errors import TooLargeError
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.subtrees import context_subtrees
from causal_theory.population.logarithm import EXHAUSTED, LogarithmRule, logarithm_rule

Array = NDArray[np.float64]
WIDTH = 32
"""Lanes to a block."""

MAX_SCALED_PASSES = 2**23
"""Most pairs of a term and a node when the arguments span more than doubles can."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Logarithms of the weights of the context positions, by group.

    A weight may be zero, or infinite where only sequences without such a position shall count; every term of a group
    with infinite weights has a shift.

    Attributes
    ----------
    logs : ndarray, shape (Q, S)
        Of a child in group q by the symbol of its parent.
    root_logs : ndarray, shape (Q,)
        Of a root.
    """

    logs: Array
    root_logs: Array


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms ``factor * E log(X + constant)`` with ``X = sum_i weight_i ([s_i = symbol] + shift)``.

    The factors, which alone depend on the transition matrix, come with it. They must sum to zero: only ratios of
    arguments have a meaning here. Sequences in which ``X + constant`` is
    zero or infinite for all terms of a group do not count there, so that the terms must share ``log_lowest``.

    Attributes
    ----------
    symbols, groups : ndarray of int64, shape (N,)
        Symbol (-1 for no indicator) and group of each term.
    shifts : ndarray, shape (N,)
        See above.
    constant_logs, constant_shifts : ndarray, shape (N,)
        The constant is ``exp(constant_logs) * constant_shifts``.
    lowest, log_lowest : ndarray, shape (N,)
        A lower bound of each argument that is not zero, and its logarithm, as the bound may underflow.
    highest : float
        An upper bound of all arguments that are finite.
    """

    symbols: NDArray[np.int64]
    groups: NDArray[np.int64]
    shifts: Array
    constant_logs: Array
    constant_shifts: Array
    lowest: Array
    log_lowest: Array
    highest: float


@dataclass(frozen=True, eq=False)
class LogMoments:
    """The sum of the terms and its derivatives.

    Attributes
    ----------
    value, error : float
        The sum, and a bound on quadrature and roundoff.
    by_omega, by_root : ndarray, shapes (Q, S) and (Q,)
        Derivatives by the logarithms of the weights; empty when not asked for.
    shares : ndarray, shape (Q, S + 1)
        The same by the absolute factors, the root in the last column.
    by_constant : ndarray, shape (N,)
        ``factor * E[constant / (X + constant)]`` of each term.
    slope_error : float
        Bound on the errors of the derivatives.
    """

    value: float
    error: float
    by_omega: Array
    by_root: Array
    shares: Array
    by_constant: Array
    slope_error: float


@dataclass(frozen=True, eq=False)
class _Passes:
    """A lane for every term and node that matters, whatever the transition matrix.

    Attributes
    ----------
    rule : LogarithmRule
        The nodes.
    node, term : ndarray of int64, shape (M,)
        Of each lane.
    members : tuple of ndarray
        The lanes of each group.
    omega, root_omega : ndarray, shapes (Q', S) and (Q',)
        Weights by scale and group.
    lanes : tuple of ndarray, shapes (blocks, WIDTH)
        Times, symbols, groups and shifts; the last block is filled up.
    infinite : ndarray of bool, shape (M, S + 1), or None
        Where weights are infinite, if any is.
    constants, decays : ndarray, shape (M,)
        The constants, and the exponentials of minus their products with the times.
    """

    rule: LogarithmRule
    node: NDArray[np.int64]
    term: NDArray[np.int64]
    members: tuple[NDArray[np.int64], ...]
    omega: Array
    root_omega: Array
    lanes: tuple[NDArray[Any], ...]
    infinite: NDArray[np.bool_] | None
    constants: Array
    decays: Array


@lru_cache(maxsize=1)
@np.errstate(over="ignore", under="ignore")
def _passes(weights: Weights, terms: Terms) -> _Passes:
    """Prepare all passes; an average over transition matrices needs the same for each of them."""
    rule = logarithm_rule(float(terms.lowest.min()), terms.highest, float(terms.log_lowest.min()))
    check_passes(rule, len(terms.symbols))
    # A term whose smallest argument is large is exhausted long before the last node.
    node, term = np.nonzero(np.add.outer(rule.log_nodes, terms.log_lowest) <= np.log(EXHAUSTED))
    scales, scale_of = np.unique(rule.scales, return_inverse=True)
    groups_count, size = weights.logs.shape
    # A group for each scale: its weights are multiplied by what the times lack.
    omega = scaled(weights.logs, scales).reshape(-1, size)
    root_omega = scaled(weights.root_logs, scales).ravel()
    group = scale_of[node] * groups_count + terms.groups[term]
    blocks = max(1, -(-node.size // WIDTH))
    times = np.ones(blocks * WIDTH)
    symbols = np.full(blocks * WIDTH, -1)
    groups = np.zeros(blocks * WIDTH, dtype=np.int64)
    shifts = np.ones(blocks * WIDTH)
    run = slice(0, node.size)
    times[run], symbols[run], groups[run] = rule.nodes[node], terms.symbols[term], group
    shifts[run] = terms.shifts[term]
    infinite = np.isinf(np.column_stack([omega, root_omega]))
    constants = scaled(terms.constant_logs, scales)[scale_of[node], term] * terms.constant_shifts[term]
    return _Passes(
        rule=rule,
        node=node,
        term=term,
        members=tuple(np.flatnonzero(terms.groups[term] == q) for q in range(groups_count)),
        omega=omega,
        root_omega=root_omega,
        lanes=tuple(values.reshape(blocks, WIDTH) for values in (times, symbols, groups, shifts)),
        infinite=infinite[group] if infinite.any() else None,
        constants=constants,
        decays=np.exp(-rule.nodes[node] * constants),
    )


@np.errstate(over="ignore", under="ignore")
def log_moments(
    graph: CausalGraph,
    transition: Array,
    root_law: Array,
    weights: Weights,
    terms: Terms,
    factors: Array,
    *,
    slopes: bool,
) -> LogMoments:
    """Evaluate all terms, of factors (N,), on one quadrature rule, one message pass for every term and node.

    The sums run over all positions of the graph but the last.
    """
    passes = _passes(weights, terms)
    rule, node, term = passes.rule, passes.node, passes.term
    groups_count, size = weights.logs.shape
    subtrees = context_subtrees(graph).arrays
    masses, raw = kernels.exponential.laplace_transforms(
        subtrees, transition, root_law, passes.omega, passes.root_omega, passes.lanes, slopes
    )
    outside = factors[term] * passes.decays * rule.weights[node]
    passed = outside * masses.ravel()[: node.size]
    strength = rule.nodes[node] * outside
    shares = strength * passes.constants * masses.ravel()[: node.size]
    spread = float(np.abs(factors).sum())
    unit = float(np.finfo(float).eps)
    depth = 8.0 * (graph.length + transition.shape[0])
    error = spread * rule.error + unit * depth * float(np.abs(passed).sum())
    by_omega, by_root, unsigned = np.zeros((0, size)), np.zeros(0), np.zeros((0, size + 1))
    if slopes:
        by_omega, by_root = np.zeros((groups_count, size)), np.zeros(groups_count)
        unsigned = np.zeros((groups_count, size + 1))
        found = raw.transpose(0, 2, 1).reshape(-1, size + 1)[: node.size]
        if passes.infinite is not None:
            # Sequences with a position of infinite weight have no mass; the kernel multiplies this zero by the weight.
            found = np.where(passes.infinite, 0.0, found)
        rows = found * strength[:, None]
        for q, own in enumerate(passes.members):
            chosen = rows[own]
            by_omega[q] = chosen[:, :size].sum(axis=0)
            by_root[q] = chosen[:, size].sum()
            unsigned[q] = np.abs(chosen).sum(axis=0)
    by_constant = np.zeros(len(factors))
    np.add.at(by_constant, term, shares)
    return LogMoments(
        value=-float(passed.sum()),
        error=error,
        by_omega=by_omega,
        by_root=by_root,
        shares=unsigned,
        by_constant=by_constant,
        slope_error=2.0 * spread * (rule.reciprocal_error + unit * depth),
    )


def scaled(logs: Array, scales: Array) -> Array:
    """Return the exponentials of ``logs`` plus each of the scales, along a new first axis."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp(np.add.outer(scales, logs)))


def check_passes(rule: LogarithmRule, terms: int) -> None:
    """Refuse a range so wide that its nodes would take too long."""
    if rule.scales.any() and rule.nodes.size * terms > MAX_SCALED_PASSES:
        raise TooLargeError(
            f"A2 and epsilon must need at most {MAX_SCALED_PASSES} passes, got {rule.nodes.size * terms} for arguments "
            f"of logarithms that span {np.ptp(rule.log_nodes):.3g} nats; use method='monte_carlo' or a larger epsilon"
        )
