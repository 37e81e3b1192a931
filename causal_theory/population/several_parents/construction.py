"""The construction with one first-layer head for each parent, for any second attention matrices."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.levels import (
    NEGLIGIBLE,
    Integers,
    Windows,
    along_levels,
    exact_integers,
    find_windows,
    gap_that_separates,
)
from causal_theory.population.several_parents.moments import RowMoments, RowTerms, Transfers, row_moments
from causal_theory.token_laws.tables import RowLayout

Array = NDArray[np.float64]


def logit_rows(A2: Array, layout: RowLayout, queries: NDArray[np.int64]) -> tuple[Integers, int]:
    """Return the logits of a position, shape (Q, rows), as integers in a unit that comes with them.

    Head h of a position with parents ``p_1, ..., p_m`` carries the token of parent h, and for ``h > m`` a uniform key;
    it meets token h of the query.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory.token_laws.tables import row_layout
    >>> A2 = np.array([np.eye(2), 10 * np.eye(2)])
    >>> logits, unit = logit_rows(A2, row_layout(2, (2,)), np.array([[0, 1]]))
    >>> logits / unit  # two roots, then parents 00, 01, 10, 11
    array([[5.5, 5.5, 1.0, 11.0, 0.0, 10.0]], dtype=object)
    """
    heads, size = A2.shape[:2]
    integers, unit = exact_integers(A2)
    # [q, h, a]: what head h adds for key symbol a.
    parts = np.stack([integers[h][:, queries[:, h]].T for h in range(heads)], axis=1)
    uniform = parts.sum(axis=2)
    parts = parts * size
    logits = np.repeat(uniform.sum(axis=1)[:, np.newaxis], layout.count, axis=1)
    for degree in layout.starts:
        tokens = layout.parent_tokens(degree)
        rows = sum(parts[:, h, tokens[:, h]] for h in range(degree)) + uniform[:, degree:].sum(axis=1)[:, np.newaxis]
        logits[:, layout.rows(degree)] = rows
    return logits, unit * size


def row_windows(A2: Array, transfers: Transfers, epsilon: float) -> Windows:
    """Return the windows of the weights of a position, by query and row."""
    logits, unit = logit_rows(A2, transfers.layout, transfers.queries)
    # Position 0 has no parents.
    gap = gap_that_separates(transfers.task.length, epsilon)
    return find_windows(logits, unit, transfers.row_counts > 0.0, 0, gap)


def _terms(transfers: Transfers, windows: Windows, transitions: Mapping[int, Array], epsilon: float) -> RowTerms:
    """Return ``log D`` and, for every symbol b with its share of the target, ``log(N_b + eps D)``; for every window."""
    size, count = transfers.task.vocab_size, len(windows.queries)
    targets = transfers.targets(transitions)
    group = np.repeat(np.arange(count), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), count)
    query, plain = windows.queries[group], symbol < 0
    share = np.where(plain, 1.0, targets[query, symbol])
    values = np.zeros((len(query), transfers.tables.last))
    values[np.arange(len(query)), transfers.ends[query]] = share
    shift = np.where(plain, 1.0, epsilon)
    smallest, log_smallest, largest = _extremes(transfers, windows.logs)
    low, log_low = windows.lower_bounds(epsilon, shift, group, smallest, log_smallest)
    return RowTerms(
        symbols=symbol,
        groups=group,
        shifts=shift,
        constants=np.zeros(len(query)),
        signs=np.where(plain, 1.0, -1.0),
        values=values,
        lowest=low,
        log_lowest=log_low,
        highest=float((1.0 + epsilon) * largest.max()),
    )


@np.errstate(under="ignore")
def _extremes(transfers: Transfers, logs: Array) -> tuple[Array, Array, Array]:
    """Return a lower bound on the sum of the weights, its logarithm, and an upper bound where the sum is finite."""
    smallest, largest = np.zeros(len(logs)), np.zeros(len(logs))
    log_smallest = np.full(len(logs), -np.inf)
    finite = np.where(np.isfinite(logs), logs, -np.inf)
    blocks = [slice(0, 1), slice(1, 2), *(transfers.layout.rows(degree) for degree in transfers.layout.starts)]
    for block in blocks:
        positions = transfers.row_counts[block][0]
        if positions > 0.0:
            least = logs[:, block].min(axis=1)
            log_smallest = np.logaddexp(log_smallest, np.log(positions) + least)
            smallest += positions * np.exp(least)
            largest += positions * np.exp(finite[:, block].max(axis=1))
    return smallest, log_smallest, largest


def construction_loss(
    transfers: Transfers, windows: Windows, epsilon: float, transitions: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Return the loss at given tensors, and a bound on its error."""
    found = _moments(transfers, transitions, windows, epsilon, slopes=False)
    return np.array(found.value), np.array(found.error)


def _moments(
    transfers: Transfers, transitions: Mapping[int, Array], windows: Windows, epsilon: float, *, slopes: bool
) -> RowMoments:
    terms = _terms(transfers, windows, transitions, epsilon)
    found = row_moments(transfers, transfers.laws(transitions), windows.logs, terms, slopes=slopes)
    # Every query has its probability twice: once with each sign.
    doubt = 2.0 * (windows.rounding + 2.0 * np.exp(-NEGLIGIBLE))
    return replace(found, error=found.error + doubt, slope_error=found.slope_error + 2.0 * doubt)


@np.errstate(under="ignore")
def _levels(
    transfers: Transfers, windows: Windows, epsilon: float, transitions: Mapping[int, Array]
) -> tuple[RowMoments, Array, Array]:
    """Return the loss at given tensors, its derivatives by the logits, shape (Q, rows), and these without signs."""
    found = _moments(transfers, transitions, windows, epsilon, slopes=True)
    signed, shares = np.zeros((2, len(transfers.queries), transfers.layout.count))
    np.add.at(signed, windows.queries, found.by_omega)
    np.add.at(shares, windows.queries, found.shares)
    return found, signed, shares


@np.errstate(under="ignore")
def construction_along(
    transfers: Transfers, windows: Windows, epsilon: float, levels: Array, transitions: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Return what :func:`along_levels` does at given tensors."""
    found, signed, shares = _levels(transfers, windows, epsilon, transitions)
    return along_levels(found, signed, shares, levels)


def pattern_levels(pattern: Array, transfers: Transfers) -> Array:
    """Return the logits (Q, rows) at one time the pattern; rows that no position follows have the largest."""
    integers, unit = logit_rows(pattern, transfers.layout, transfers.queries)
    levels = np.asarray(integers / unit, dtype=np.float64)
    occurs = transfers.row_counts > 0.0
    return np.where(occurs, levels, levels[:, occurs].max(axis=1, keepdims=True))


@np.errstate(under="ignore")
def construction_slopes(
    transfers: Transfers, windows: Windows, epsilon: float, transitions: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Return the derivative by ``A2`` (k, S, S) and, last, the loss at given tensors, with bounds on their errors."""
    found, by_omega, _ = _levels(transfers, windows, epsilon, transitions)
    heads, size = transfers.queries.shape[1], transfers.task.vocab_size
    slopes = np.zeros((heads, size, size))
    shared = by_omega[:, :2].sum(axis=1)
    for h in range(heads):
        # [q, a]: derivative by what head h adds for key symbol a under query q.
        by_key = np.repeat(shared[:, np.newaxis] / size, size, axis=1)
        for degree in transfers.layout.starts:
            block = by_omega[:, transfers.layout.rows(degree)]
            if h < degree:
                tokens = transfers.layout.parent_tokens(degree)[:, h]
                by_key += np.stack([block[:, tokens == a].sum(axis=1) for a in range(size)], axis=1)
            else:
                by_key += block.sum(axis=1)[:, np.newaxis] / size
        np.add.at(slopes[h].T, transfers.queries[:, h], by_key)
    return np.append(slopes, found.value), np.append(np.full(slopes.size, found.slope_error), found.error)
