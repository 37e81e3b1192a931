"""The loss and its gradients from independent samples of the task, each with its standard error."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.estimate import Estimate, Gradient
from causal_theory.models import SEQUENCES_PER_SUM, ReducedTransformer, causal_softmax, key_scores
from causal_theory.population.enumeration import is_steep, loss_error, roundoff
from causal_theory.progress import track
from causal_theory.tasks import InContextTask, Sample
from causal_theory.validation import SeedLike, as_generator

DEFAULT_SAMPLES = 100_000
"""Sequences for a Monte Carlo expectation."""

BATCH_ENTRIES = 2**22
"""Bounds the memory of a batch: sequences times T, S^2, and partial sums times T^2."""

Array = NDArray[np.float64]


def sample_batches(task: InContextTask, samples: int, rng: SeedLike) -> Iterator[Sample]:
    """Draw ``samples`` sequences, in batches that fit into memory."""
    generator = as_generator(rng)
    sums = max(2, BATCH_ENTRIES // (16 * task.length**2))
    sequences = max(2, BATCH_ENTRIES // max(task.length, task.vocab_size**2))
    size = min(sums * SEQUENCES_PER_SUM, sequences, 2**16)
    for start in track(range(0, samples, size), "sampling"):
        yield task.sample(min(size, samples - start), generator)


@np.errstate(under="ignore")
def sampled_loss(task: InContextTask, A1: Array, A2: Array, epsilon: float, samples: int, rng: SeedLike) -> Estimate:
    """Return the mean loss of ``samples`` sequences with its standard error; a steep ``A2`` adds its roundoff."""
    model = ReducedTransformer(A1, A2, epsilon)
    losses = np.concatenate(
        [
            -(batch.targets * np.log(model.forward(batch.tokens) + epsilon)).sum(axis=1)
            for batch in sample_batches(task, samples, rng)
        ]
    )
    return _with_roundoff(task, A2, epsilon, mean_loss(losses))


@np.errstate(under="ignore")
def sampled_gradient(
    task: InContextTask, A1: Array, A2: Array, epsilon: float, samples: int, rng: SeedLike
) -> Gradient:
    """Return the mean gradients of ``samples`` sequences with their standard errors."""
    attention, scores = causal_softmax(A1), key_scores(A2)
    losses = []
    first = np.zeros((2, *A1.shape))
    second = np.zeros((2, *A2.shape))
    for batch in sample_batches(task, samples, rng):
        chances = np.ones(len(batch.tokens))
        targets = np.ascontiguousarray(batch.targets)
        batch_losses, one_first, one_second = kernels.sequences.batch_moments(
            batch.tokens, targets, chances, attention, scores, epsilon, SEQUENCES_PER_SUM
        )
        losses.append(batch_losses)
        first += one_first
        second += one_second.transpose(0, 2, 1)
    loss = _with_roundoff(task, A2, epsilon, mean_loss(np.concatenate(losses)))
    return Gradient(_mean_and_error(first, samples), _mean_and_error(second, samples), loss)


def _with_roundoff(task: InContextTask, A2: Array, epsilon: float, loss: Estimate) -> Estimate:
    """Add what roundoff may do to every sequence, where the softmax amplifies it."""
    if not is_steep(A2):
        return loss
    return Estimate(loss.value, loss.error + loss_error(float(loss), epsilon, roundoff(task, A2)), loss.method)


def mean_loss(losses: Array) -> Estimate:
    """Return the mean of independent losses with its standard error."""
    error = losses.std(ddof=1) / np.sqrt(len(losses))
    return Estimate(np.array(losses.mean()), np.array(error), "monte_carlo")


def _mean_and_error(sums: Array, samples: int) -> Estimate:
    mean = sums[0] / samples
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        variance = np.maximum(sums[1] / samples - mean**2, 0.0) * samples / (samples - 1)
    # Squares of steep derivatives may overflow: then nothing is known of the error.
    return Estimate(mean, np.sqrt(np.where(np.isnan(variance), np.inf, variance) / samples), "monte_carlo")
