"""The model whose first layer attends to the parents, on a forest with an independent query: sums over its edges."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.levels import (
    NEGLIGIBLE,
    Windows,
    along_levels,
    exact_integers,
    find_windows,
    gap_that_separates,
)
from causal_theory.population.log_moments import LogMoments, Terms, Weights, log_moments
from causal_theory.tasks import InContextTask, root_law_at

Array = NDArray[np.float64]


def forest_windows(task: InContextTask, A2: Array, epsilon: float) -> Windows:
    """Return the windows of the weights of a position: what the loss needs to know of ``A2`` (S, S)."""
    size = task.vocab_size
    children, _ = _counts(task.graph.parent_array[:-1])
    integers, unit = exact_integers(A2)
    # The query never lacks: its level, that of the roots, is always there.
    levels = np.column_stack([integers.T * size, integers.sum(axis=0)])
    occurs = np.append(np.full(size, children > 0), True)
    return find_windows(levels, unit * size, occurs, size, gap_that_separates(task.length, epsilon))


def forest_levels_of(pattern: Array) -> Array:
    """Return the logits of children and of roots, by query (S, S + 1), at one time a pattern (S, S)."""
    return np.column_stack([pattern.T, pattern.mean(axis=0)])


def forest_loss(task: InContextTask, windows: Windows, epsilon: float, transition: Array) -> tuple[Array, Array]:
    """Return the loss at one transition matrix and a bound on its error."""
    found, _ = _evaluate(task, windows, epsilon, transition, slopes=False)
    return np.array(found.value), np.array(found.error)


@np.errstate(under="ignore")
def forest_slopes(task: InContextTask, windows: Windows, epsilon: float, transition: Array) -> tuple[Array, Array]:
    """Return the derivative by ``A2`` and, last, the loss at one transition matrix, (S^2 + 1,), with their errors."""
    size = task.vocab_size
    found, by_level, _ = _forest_levels(task, windows, epsilon, transition)
    slopes = (by_level[:, :size] + by_level[:, size:] / size).T
    return np.append(slopes, found.value), np.append(np.full(slopes.size, found.slope_error), found.error)


@np.errstate(under="ignore")
def forest_along(
    task: InContextTask, windows: Windows, epsilon: float, levels: Array, transition: Array
) -> tuple[Array, Array]:
    """Return what :func:`along_levels` does at one transition matrix."""
    found, signed, shares = _forest_levels(task, windows, epsilon, transition)
    return along_levels(found, signed, shares, levels)


@np.errstate(under="ignore")
def _forest_levels(
    task: InContextTask, windows: Windows, epsilon: float, transition: Array
) -> tuple[LogMoments, Array, Array]:
    """Return the loss, its derivatives by the logits of children and of roots, (S, S + 1), and these without signs.

    The derivative of ``log X`` by a logit is the share that positions with it have in ``X``. Without signs: the sum of
    these shares over the logarithms, by their absolute factors.
    """
    size = task.vocab_size
    found, terms = _evaluate(task, windows, epsilon, transition, slopes=True)
    signed, shares = np.zeros((size, size + 1)), np.zeros((size, size + 1))
    by_level = np.column_stack([found.by_omega, found.by_root])
    np.add.at(signed, windows.queries, by_level)
    np.add.at(signed[:, size], windows.queries[terms.groups], found.by_constant)
    np.add.at(shares, windows.queries, found.shares)
    np.add.at(shares[:, size], windows.queries[terms.groups], np.abs(found.by_constant))
    return found, signed, shares


def _evaluate(
    task: InContextTask, windows: Windows, epsilon: float, transition: Array, *, slopes: bool
) -> tuple[LogMoments, Terms]:
    """Return the expected logarithms at one matrix and their terms; the windows are the groups of the terms."""
    weights, terms = _forest_terms(windows, epsilon, *_counts(task.graph.parent_array[:-1]))
    root_law = root_law_at(task, transition)
    shares = -transition[windows.queries[terms.groups], terms.symbols]
    factors = np.where(terms.symbols < 0, 1.0, shares) / len(transition)
    found = log_moments(task.graph, transition, root_law, weights, terms, factors, slopes=slopes)
    # The shares of all queries sum to one, and the absolute factors of each share to two.
    doubt = 2.0 * (windows.rounding + 2.0 * np.exp(-NEGLIGIBLE))
    return replace(found, error=found.error + doubt, slope_error=found.slope_error + 2.0 * doubt), terms


def _counts(parents: NDArray[np.int64]) -> tuple[int, int]:
    """Return the numbers of children and of roots, the query among these."""
    children = int((parents >= 0).sum())
    return children, len(parents) - children + 1


@lru_cache(maxsize=1)
@np.errstate(divide="ignore", under="ignore")
def _forest_terms(windows: Windows, epsilon: float, children: int, roots: int) -> tuple[Weights, Terms]:
    """Return ``log(N_b + eps D)`` for every b, and ``log D``, for every window, and the weights in them."""
    size, count = windows.logs.shape[1] - 1, len(windows.queries)
    group = np.repeat(np.arange(count), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), count)
    query, plain = windows.queries[group], symbol < 0
    shift = np.where(plain, 1.0, epsilon)
    logs, root_logs = windows.logs[:, :-1], windows.logs[:, -1]
    finite = np.where(np.isfinite(logs), logs, -np.inf)
    smallest = children * np.exp(logs.min(axis=1)) + roots * np.exp(root_logs)
    log_smallest = np.logaddexp(np.log(children) + logs.min(axis=1), np.log(roots) + root_logs)
    largest = children * np.exp(finite.max(axis=1)) + roots * np.exp(root_logs)
    low, log_low = windows.lower_bounds(epsilon, shift, group, smallest, log_smallest)
    terms = Terms(
        symbols=symbol,
        groups=group,
        shifts=shift,
        constant_logs=root_logs[group],
        constant_shifts=shift + (symbol == query),
        lowest=low,
        log_lowest=log_low,
        highest=float((1.0 + epsilon) * largest.max()),
    )
    return Weights(logs, root_logs), terms
