"""The construction with one first-layer head for each parent, for any second attention matrices."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.several_parents.moments import RowMoments, RowTerms, Sweep, row_moments
from causal_theory.token_laws.tables import RowLayout

__all__ = ["construction_loss", "construction_slopes", "logit_rows", "row_weights"]

Array = NDArray[np.float64]


def logit_rows(A2: Array, layout: RowLayout, queries: NDArray[np.int64]) -> Array:
    """Return the logits of a position, shape (Q, rows).

    Head h of a position with parents ``p_1, ..., p_m`` carries the token of parent h, and for ``h > m`` a uniform key;
    it meets token h of the query.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory.token_laws.tables import row_layout
    >>> A2 = np.array([np.eye(2), 10 * np.eye(2)])
    >>> logit_rows(A2, row_layout(2, (2,)), np.array([[0, 1]]))  # two roots, then parents 00, 01, 10, 11
    array([[ 5.5,  5.5,  1. , 11. ,  0. , 10. ]])
    """
    heads = len(A2)
    # [q, h, a]: what head h adds for key symbol a.
    parts = np.stack([A2[h][:, queries[:, h]].T for h in range(heads)], axis=1)
    uniform = parts.mean(axis=2)
    logits = np.repeat(uniform.sum(axis=1)[:, np.newaxis], layout.count, axis=1)
    for degree in layout.starts:
        tokens = layout.parent_tokens(degree)
        rows = sum(parts[:, h, tokens[:, h]] for h in range(degree)) + uniform[:, degree:].sum(axis=1)[:, np.newaxis]
        logits[:, layout.rows(degree)] = rows
    return logits


def row_weights(A2: Array, sweep: Sweep) -> Array:
    """Return the weights of a position before the softmax, relative to the largest, by query and row, (Q, rows)."""
    logits = logit_rows(A2, sweep.layout, sweep.queries)
    weights: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights


def _terms(sweep: Sweep, omega: Array, kernels: Mapping[int, Array], epsilon: float) -> RowTerms:
    """Return ``log D`` and, for every symbol b with its share of the target, ``log(N_b + eps D)``; for every query."""
    size, count = sweep.task.vocab_size, len(sweep.queries)
    targets = sweep.targets(kernels)
    query = np.repeat(np.arange(count), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), count)
    plain = symbol < 0
    share = np.where(plain, 1.0, targets[query, symbol])
    values = np.zeros((len(query), sweep.tables.last))
    values[np.arange(len(query)), sweep.ends[query]] = share
    shift = np.where(plain, 1.0, epsilon)
    smallest, largest = _extremes(sweep, omega)
    return RowTerms(
        symbols=symbol,
        groups=query,
        shifts=shift,
        constants=np.zeros(len(query)),
        signs=np.where(plain, 1.0, -1.0),
        values=values,
        lowest=shift * smallest[query],
        highest=float((1.0 + epsilon) * largest.max()),
    )


def _extremes(sweep: Sweep, omega: Array) -> tuple[Array, Array]:
    """Return bounds on the sum of the weights for every query."""
    smallest, largest = np.zeros(len(omega)), np.zeros(len(omega))
    blocks = [slice(0, 1), slice(1, 2), *(sweep.layout.rows(degree) for degree in sweep.layout.starts)]
    for block in blocks:
        positions = sweep.row_counts[block][0]
        smallest += positions * omega[:, block].min(axis=1)
        largest += positions * omega[:, block].max(axis=1)
    return smallest, largest


def construction_loss(sweep: Sweep, kernels: Mapping[int, Array], A2: Array, epsilon: float) -> RowMoments:
    """Return the loss at given kernels."""
    omega = row_weights(A2, sweep)
    return row_moments(sweep, sweep.laws(kernels), omega, _terms(sweep, omega, kernels, epsilon), slopes=False)


def construction_slopes(
    sweep: Sweep, kernels: Mapping[int, Array], A2: Array, epsilon: float
) -> tuple[RowMoments, Array]:
    """Return the loss at given kernels, and its derivative by ``A2``, shape (k, S, S)."""
    omega = row_weights(A2, sweep)
    found = row_moments(sweep, sweep.laws(kernels), omega, _terms(sweep, omega, kernels, epsilon), slopes=True)
    heads, size = A2.shape[:2]
    slopes = np.zeros((heads, size, size))
    shared = found.by_omega[:, :2].sum(axis=1)
    for h in range(heads):
        # [q, a]: derivative by what head h adds for key symbol a under query q.
        by_key = np.repeat(shared[:, np.newaxis] / size, size, axis=1)
        for degree in sweep.layout.starts:
            block = found.by_omega[:, sweep.layout.rows(degree)]
            if h < degree:
                tokens = sweep.layout.parent_tokens(degree)[:, h]
                by_key += np.stack([block[:, tokens == a].sum(axis=1) for a in range(size)], axis=1)
            else:
                by_key += block.sum(axis=1)[:, np.newaxis] / size
        np.add.at(slopes[h].T, sweep.queries[:, h], by_key)
    return found, slopes
