"""Sequences and their weights in batches of one size, of the whole task or drawn from it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.interop.differentiable import Batch
from causal_theory.interop.door import Numbers, Predictor, check_logs
from causal_theory.interop.sequences import all_sequences, target_weights
from causal_theory.progress import track
from causal_theory.tasks import InContextTask

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

BATCH_SIZE = 2048
"""Sequences that a model is given at a time unless something else is said."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences and what the logarithm of each prediction counts in the loss.

    Attributes
    ----------
    tokens : ndarray of int64, shape (n, T)
        The sequences.
    weights : Estimate, shape (n, S)
        Weights of the log-probabilities, with what they may be off by.
    """

    tokens: Integers
    weights: Estimate

    @classmethod
    def all_of(cls, task: InContextTask) -> "Sequences":
        """Return every sequence of a task with its probability."""
        tokens = all_sequences(task)
        return cls(tokens, target_weights(task, tokens))

    @classmethod
    def drawn(cls, task: InContextTask, samples: int, rng: np.random.Generator) -> "Sequences":
        """Return sequences drawn from a task, each with the law of its target, not divided by their number."""
        tokens, targets = next(task.batches(samples, rng))
        return cls(tokens, Estimate(targets, np.zeros_like(targets), "monte_carlo"))

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield batches of exactly so many sequences; the last one repeats sequences, with weight zero.

        A framework that compiles a function for a shape compiles one.
        """
        tokens, weights = self.tokens, self.weights.value
        starts = range(0, len(tokens), size)
        for start in track(starts, "sequences") if len(starts) > 1 else starts:
            part, weight = tokens[start : start + size], weights[start : start + size]
            missing = min(size, len(tokens)) - len(part) if len(tokens) > size else 0
            yield (
                np.concatenate([part, np.repeat(part[:1], missing, axis=0)]),
                np.concatenate([weight, np.zeros((missing, weight.shape[1]))]),
            )


def log_probabilities(
    predictor: Predictor, task: InContextTask, sequences: Sequences, size: int, *, normalised: bool
) -> Numbers:
    """Return what a model gives for all sequences, (n, S)."""
    found = np.empty((len(sequences.tokens), task.vocab_size))
    start, spacing = 0, 0.0
    for tokens, _ in sequences.batches(size):
        given = predictor(tokens)
        check_logs(predictor.name, given, task, len(tokens), normalised=normalised)
        if start == 0:
            refuse_randomness(predictor, tokens, given)
        spacing = max(spacing, given.spacing)
        stop = min(start + len(tokens), len(found))
        found[start:stop] = given.values[: stop - start]
        start = stop
    return Numbers(found, spacing)


def refuse_randomness(predictor: Predictor, tokens: Integers, given: Numbers) -> None:
    """Check that a model gives the same answer when it is asked again."""
    if not np.array_equal(predictor(tokens).values, given.values):
        raise InvalidArgumentError(
            f"model must give the same answer to the same tokens, {predictor.name} gives two; is it in training mode?"
        )
