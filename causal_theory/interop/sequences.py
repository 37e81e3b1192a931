"""All sequences of a task, each with its probability and the law of its target."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import TooLargeError
from causal_theory.estimate import Estimate
from causal_theory.priors.rules import Plan, Transitions
from causal_theory.tasks import InContextTask, root_law_at

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_SEQUENCES = 200_000
"""Default limit of what is enumerated."""

MAX_BYTES = 4 * 2**30
"""Largest memory for the sequences and their weights."""


def is_enumerable(task: InContextTask, max_sequences: int) -> bool:
    """Tell whether a weighted sum over all sequences is exact, and short enough.

    Raises
    ------
    TooLargeError
        If it is short enough and does not fit into memory.
    """
    count = task.vocab_size**task.length
    if count > max_sequences or task.prior.rule().kind == "monte_carlo":
        return False
    needed = 8 * count * (2 * task.length + 3 * task.vocab_size)
    if needed > MAX_BYTES:
        raise TooLargeError(
            f"max_sequences must need at most {MAX_BYTES / 2**30:g} GiB, got {max_sequences} for S^T = "
            f"{task.vocab_size}^{task.length} sequences with {needed / 2**30:.3g} GiB"
        )
    return True


def all_sequences(task: InContextTask) -> Integers:
    """Return every sequence once, shape (S^T, T), in the order of their numbers to the base S."""
    grid = np.indices((task.vocab_size,) * task.length, dtype=np.int64)
    return np.ascontiguousarray(grid.reshape(task.length, -1).T)


def target_weights(task: InContextTask, tokens: Integers) -> Estimate:
    r"""Return the probability of sequence and target together, averaged over the prior, shape (n, S).

    .. math:: W_{sb} = E_\pi[P_\pi(s) \, \pi(b \mid s)]

    The population loss of a model is :math:`-\sum_{sb} W_{sb} \log p_b(s)`, whatever the model.
    """
    plan = Plan(partial(_weights_at, task, tokens), task.graph.in_degrees)
    return task.prior.average(plan)


def _weights_at(task: InContextTask, tokens: Integers, transitions: Transitions) -> tuple[Array, Array]:
    graph, size = task.graph, task.vocab_size
    # The stationary law is that of a matrix; where tokens have several parents, roots are uniform.
    uniform = task.root_law == "uniform"
    root = np.full(size, 1.0 / size) if uniform else root_law_at(task, transitions[1])
    chances = np.ones(len(tokens))
    for i, parents in enumerate(graph.parents):
        if parents:
            chances *= transitions[len(parents)][(*(tokens[:, parent] for parent in parents), tokens[:, i])]
        elif i == task.length - 1:  # the query, or what stands in its place
            chances /= size
        else:
            chances *= root[tokens[:, i]]
    targets = transitions[len(graph.target_parents)][tuple(tokens[:, parent] for parent in graph.target_parents)]
    weights = chances[:, np.newaxis] * targets
    # A product of T + 1 probabilities, each rounded once, and the law of a root, which is off by a few units.
    return weights, 4.0 * np.finfo(float).eps * (task.length + size) * weights
