"""Expected logarithms of weighted token counts on a forest: what every loss with local attention is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels.exponential import laplace_transforms
from causal_theory.population.logarithm import EXHAUSTED, logarithm_rule

__all__ = ["LogMoments", "Terms", "Weights", "log_moments"]

Array = NDArray[np.float64]
WIDTH = 32
"""Lanes to a block."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of the context positions, by group.

    Attributes
    ----------
    omega : ndarray, shape (Q, S)
        Weight of a child in group q by the symbol of its parent.
    root_omega : ndarray, shape (Q,)
        Weight of a root.
    """

    omega: Array
    root_omega: Array


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms ``factor * E log(X + constant)`` with ``X = sum_i weight_i ([s_i = symbol] + shift)``.

    The factors must sum to zero: only ratios of arguments have a meaning here.

    Attributes
    ----------
    symbols, groups : ndarray of int64, shape (N,)
        Symbol (-1 for no indicator) and group of each term.
    shifts, constants, factors : ndarray, shape (N,)
        See above.
    lowest : ndarray, shape (N,)
        A positive lower bound of each argument.
    highest : float
        An upper bound of all arguments.
    """

    symbols: NDArray[np.int64]
    groups: NDArray[np.int64]
    shifts: Array
    constants: Array
    factors: Array
    lowest: Array
    highest: float


@dataclass(frozen=True, eq=False)
class LogMoments:
    """The sum of the terms and its derivatives.

    Attributes
    ----------
    value, error : float
        The sum, and a bound on quadrature and roundoff.
    by_omega, by_root : ndarray, shapes (Q, S) and (Q,)
        Derivatives by ``log omega`` and ``log root_omega``; empty when not asked for.
    reciprocals : ndarray, shape (N,)
        ``factor * E[1 / (X + constant)]`` of each term.
    slope_error : float
        Bound on the errors of the derivatives.
    """

    value: float
    error: float
    by_omega: Array
    by_root: Array
    reciprocals: Array
    slope_error: float


def log_moments(
    parents: NDArray[np.int64],
    transition: Array,
    root_law: Array,
    weights: Weights,
    terms: Terms,
    *,
    slopes: bool,
) -> LogMoments:
    """Evaluate all terms on one quadrature rule, one message pass for every term and node that matters."""
    rule = logarithm_rule(float(terms.lowest.min()), terms.highest)
    # A term whose smallest argument is large is exhausted long before the last node.
    node, term = np.nonzero(np.outer(rule.nodes, terms.lowest) <= EXHAUSTED)
    blocks = max(1, -(-node.size // WIDTH))
    times = np.zeros(blocks * WIDTH)
    symbols = np.full(blocks * WIDTH, -1)
    groups = np.zeros(blocks * WIDTH, dtype=np.int64)
    shifts = np.zeros(blocks * WIDTH)
    run = slice(0, node.size)
    times[run], symbols[run], groups[run] = rule.nodes[node], terms.symbols[term], terms.groups[term]
    shifts[run] = terms.shifts[term]
    shape = (blocks, WIDTH)
    lanes = (times.reshape(shape), symbols.reshape(shape), groups.reshape(shape), shifts.reshape(shape))
    masses, raw = laplace_transforms(parents, transition, root_law, weights.omega, weights.root_omega, lanes, slopes)
    outside = terms.factors[term] * np.exp(-rule.nodes[node] * terms.constants[term]) * rule.weights[node]
    passed = outside * masses.ravel()[run]
    spread = float(np.abs(terms.factors).sum())
    unit = float(np.finfo(float).eps)
    depth = 8.0 * (len(parents) + transition.shape[0])
    error = spread * (rule.error + unit * depth * float(rule.weights @ np.exp(-rule.nodes * terms.highest)))
    groups_count, size = weights.omega.shape
    by_omega, by_root = np.zeros((0, size)), np.zeros(0)
    if slopes:
        by_omega, by_root = np.zeros((groups_count, size)), np.zeros(groups_count)
        strength = rule.nodes[node] * outside
        rows = raw.transpose(0, 2, 1).reshape(-1, size + 1)[run] * strength[:, None]
        for q in range(groups_count):
            chosen = rows[terms.groups[term] == q]
            by_omega[q] = chosen[:, :size].sum(axis=0)
            by_root[q] = chosen[:, size].sum()
    reciprocals = np.zeros(len(terms.factors))
    np.add.at(reciprocals, term, rule.nodes[node] * passed)
    return LogMoments(
        value=-float(passed.sum()),
        error=error,
        by_omega=by_omega,
        by_root=by_root,
        reciprocals=reciprocals,
        slope_error=2.0 * spread * (rule.reciprocal_error + unit * depth),
    )
