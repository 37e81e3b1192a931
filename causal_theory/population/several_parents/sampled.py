"""The construction and simple predictors on independent sequences: for graphs that are too wide for exact sums."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.estimate import Estimate
from causal_theory.graphs import CausalGraph
from causal_theory.population.levels import column_means
from causal_theory.population.monte_carlo import mean_loss, sample_batches
from causal_theory.population.several_parents.baselines import counted_tokens
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


@np.errstate(under="ignore")
def sampled_construction(
    task: InContextTask, A2: Array, epsilon: float, samples: int, rng: SeedLike
) -> tuple[Estimate, Estimate]:
    """Return the loss of the construction and its derivative by ``A2`` (k, S, S), with standard errors."""
    losses, sums, squares = [], np.zeros(A2.shape), np.zeros(A2.shape)
    for batch in sample_batches(task, samples, rng):
        batch_losses, slopes = _construction(task.graph, batch.tokens, batch.targets, A2, epsilon)
        losses.append(batch_losses)
        sums += slopes.sum(axis=0)
        squares += (slopes * slopes).sum(axis=0)
    mean = sums / samples
    variance = np.maximum(squares / samples - mean**2, 0.0) * samples / (samples - 1)
    return mean_loss(np.concatenate(losses)), Estimate(mean, np.sqrt(variance / samples), "monte_carlo")


def _construction(graph: CausalGraph, tokens: Tokens, targets: Array, A2: Array, epsilon: float) -> tuple[Array, Array]:
    """Return the loss of each sequence, and its derivative by ``A2``, shapes (n,) and (n, k, S, S)."""
    heads, size = A2.shape[:2]
    count, length = tokens.shape
    rows = np.arange(count)
    queries = tokens[:, list(graph.target_parents)]
    # [h, n, i, a]: what head h copies to position i, by symbol.
    keys = np.full((heads, count, length, size), 1.0 / size)
    for i, entry in enumerate(graph.parents):
        for h, parent in enumerate(entry):
            keys[h, :, i] = np.eye(size)[tokens[:, parent]]
    weights = np.exp(_logits(graph, tokens, queries, A2))
    weights /= weights.sum(axis=1, keepdims=True)
    guess = np.zeros((count, size))
    np.add.at(guess, (rows[:, np.newaxis], tokens), weights)
    losses = -(targets * np.log(guess + epsilon)).sum(axis=1)
    pull = -targets / (guess + epsilon)
    mean = (pull * guess).sum(axis=1, keepdims=True)
    by_logit = weights * (np.take_along_axis(pull, tokens, axis=1) - mean)
    slopes = np.zeros((count, heads, size, size))
    by_key = np.einsum("ni,hnia->nha", by_logit, keys)
    for h in range(heads):
        slopes[rows, h, :, queries[:, h]] = by_key[:, h]
    return losses, slopes


def _logits(graph: CausalGraph, tokens: Tokens, queries: Tokens, A2: Array) -> Array:
    """Return the logits of all positions, (n, T), relative to the largest of each sequence.

    Sums over heads are kept in two doubles, so that what is common to all positions is not rounded before it drops out.
    """
    # Sums and differences of numbers below 1e300 over the number of heads stay finite; powers of two are exact.
    shrink = 2.0**-20 if np.abs(A2).max() > 1e290 else 1.0
    matrices = shrink * A2
    means, remainders = column_means(matrices)
    count, length = tokens.shape
    high, low = np.zeros((count, length)), np.zeros((count, length))
    for i, entry in enumerate(graph.parents):
        for h, matrix in enumerate(matrices):
            query = queries[:, h]
            if h < len(entry):
                added, rest = matrix[tokens[:, entry[h]], query], np.zeros(count)
            else:
                added, rest = means[h, query], remainders[h, query]
            high[:, i], lost = _exact_sum(high[:, i], added)
            low[:, i] += lost + rest
    high, low = _exact_sum(high, low)
    largest = high.max(axis=1, keepdims=True)
    next_largest = np.where(high == largest, low, -np.inf).max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):
        relative: Array = ((high - largest) + (low - next_largest)) / shrink
    return relative


def _exact_sum(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the rounded sum and what it lacks."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def sampled_floor(task: InContextTask, samples: int, rng: SeedLike) -> Estimate:
    """Return the mean entropy of the target's law, with its standard error."""
    losses = []
    for batch in sample_batches(task, samples, rng):
        logs = np.log(batch.targets, out=np.zeros_like(batch.targets), where=batch.targets > 0.0)
        losses.append(-(batch.targets * logs).sum(axis=1))
    return mean_loss(np.concatenate(losses))


def sampled_counting(
    task: InContextTask, smoothing: float, slots: tuple[int, ...], samples: int, rng: SeedLike
) -> Estimate:
    """Return the loss of counting what followed the query's tokens at some parent slots, with its standard error."""
    losses = []
    for batch in sample_batches(task, samples, rng):
        counts = np.zeros(batch.targets.shape)
        query = batch.tokens[:, [task.graph.target_parents[slot] for slot in slots]]
        for i, entry in enumerate(task.graph.parents):
            if len(entry) == len(task.graph.target_parents):
                same = (batch.tokens[:, [entry[slot] for slot in slots]] == query).all(axis=1)
                np.add.at(counts, (np.arange(len(counts)), batch.tokens[:, i]), same)
        losses.append(_smoothed(counts, batch.targets, smoothing))
    return mean_loss(np.concatenate(losses))


def sampled_token_counting(task: InContextTask, smoothing: float, samples: int, rng: SeedLike) -> Estimate:
    """Return the loss of counting all tokens but a last one without parents, with its standard error."""
    losses = []
    for batch in sample_batches(task, samples, rng):
        counts = np.zeros(batch.targets.shape)
        for i in range(counted_tokens(task.graph)):
            np.add.at(counts, (np.arange(len(counts)), batch.tokens[:, i]), 1.0)
        losses.append(_smoothed(counts, batch.targets, smoothing))
    return mean_loss(np.concatenate(losses))


def _smoothed(counts: Array, targets: Array, c: float) -> Array:
    guess = (counts + c) / (counts.sum(axis=1, keepdims=True) + counts.shape[1] * c)
    losses: Array = -(targets * np.log(guess)).sum(axis=1)
    return losses
