"""Exact sums over all sequences: the loss and its gradients for any parameters, in constant memory."""

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.errors import TooLargeError
from causal_theory.kernels.arrays import read_only
from causal_theory.models import SEQUENCES_PER_SUM, causal_softmax, key_scores
from causal_theory.population.names import mean_over_relabelings
from causal_theory.progress import track
from causal_theory.tasks import InContextTask, root_law_at

MAX_SEQUENCES = 2_000_000_000
"""Default limit of the enumeration: about a minute on two cores."""

STEEP = 600.0
"""Spread of a column of A2 from which weights, relative to the largest possible one, may underflow."""

LARGEST = float(np.finfo(float).max)
SMALLEST = float(np.finfo(float).smallest_subnormal)

SEQUENCES_PER_BLOCK = 2**18
SEQUENCES_PER_BATCH = 2**16
BLOCKS_PER_CALL = 128
MIN_BLOCKS = 24

Array = NDArray[np.float64]


def check_sequences(task: InContextTask, max_sequences: int, alternative: str) -> None:
    """Refuse to enumerate more than ``max_sequences`` sequences, naming their number and what to use instead."""
    count = task.vocab_size**task.length
    if count > max_sequences:
        raise TooLargeError(
            f"method='enumerate' must visit at most max_sequences={max_sequences} sequences, got "
            f"S^T = {task.vocab_size}^{task.length} = {count:.3g}; use {alternative} or raise max_sequences"
        )


@np.errstate(under="ignore")
def enumerated_loss(
    task: InContextTask, A1: Array, A2: Array, epsilon: float, transition: Array
) -> tuple[Array, Array]:
    """Return the loss at one transition matrix and a bound on its roundoff."""
    if is_steep(A2):
        loss, _, _ = _steep_sums(task, transition, A1, A2, epsilon)
    else:
        loss, _ = _walk_all(task, transition, causal_softmax(A1), A2, epsilon, with_gradient=False)
    return np.array(loss), loss_error(loss, epsilon, roundoff(task, A2))


@np.errstate(under="ignore")
def enumerated_gradient(
    task: InContextTask, A1: Array, A2: Array, epsilon: float, transition: Array
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """Return the gradients (A1, A2) and the loss at one transition matrix, and bounds on their roundoff.

    The absolute derivatives by the logits sum to at most ``2 / (1 + eps)`` over all positions, whatever the parameters.
    """
    attention = causal_softmax(A1)
    if is_steep(A2):
        loss, first, second = _steep_sums(task, transition, A1, A2, epsilon)
    else:
        loss, by_token = _walk_all(task, transition, attention, A2, epsilon, with_gradient=True)
        first, second = _chain_rule(attention, A2, by_token)
    relative = roundoff(task, A2)
    slopes = 2.0 / (1.0 + epsilon)
    with np.errstate(over="ignore"):
        spread = min(_spread(A2), LARGEST)
        first_error = np.minimum(slopes * _attention_doubt(A1, attention, relative) * spread, LARGEST)
    second_error = np.full_like(A2, slopes * min(relative, 1.0))
    return (first, second, np.array(loss)), (first_error, second_error, loss_error(loss, epsilon, relative))


def joined_gradient(
    task: InContextTask, A1: Array, A2: Array, epsilon: float, transition: Array
) -> tuple[Array, Array]:
    """Return the gradients (A1, A2) and the loss as one array, and bounds on their roundoff."""
    values, errors = enumerated_gradient(task, A1, A2, epsilon, transition)
    return _join(*values), _join(*errors)


def _join(*arrays: Array) -> Array:
    return np.concatenate([array.ravel() for array in arrays])


def split_gradient(joined: Array, A1: Array, A2: Array) -> tuple[Array, Array, Array]:
    """Return the parts of :func:`joined_gradient`."""
    cut = A1.size
    return joined[:cut].reshape(A1.shape), joined[cut:-1].reshape(A2.shape), joined[-1].reshape(())


def mean_gradient_over_names(A1: Array, A2: Array, joined: Array) -> Array:
    """Return the average over relabelings of :func:`joined_gradient`."""
    first, second, loss = split_gradient(joined, A1, A2)
    return _join(first, mean_over_relabelings(second), loss)


def _attention_doubt(A1: Array, attention: Array, relative: float) -> Array:
    """Bound the error of the attention times that of a derivative by a logit, which is at most one.

    Attention is an exponential of differences and amplifies their rounding; where it underflows nothing is known of it.
    """
    seen = np.tri(len(A1), dtype=bool)
    with np.errstate(over="ignore", under="ignore"):
        lag = np.minimum(A1.max(axis=1, keepdims=True, where=seen, initial=-np.inf) - A1, LARGEST)
        doubt = np.minimum(relative + 4.0 * float(np.finfo(float).eps) * lag, 1.0)
        bound: Array = np.where(attention > 0.0, attention * doubt, np.where(seen, SMALLEST, 0.0))
    return bound


def enumerated_scores(task: InContextTask, epsilon: float, transition: Array) -> tuple[Array, Array]:
    """Return the edge scores: the derivatives by the logits at ``A2 = 0``, where the token equals the query."""
    length, size = task.length, task.vocab_size
    uniform = np.tril(np.ones((length, length))) / np.arange(1, length + 1)[:, None]
    _, by_token = _walk_all(task, transition, uniform, np.zeros((size, size)), epsilon, with_gradient=True)
    scores = -length * np.einsum("qdqi->id", by_token)
    bound = np.abs(scores) + 2.0 / size
    bound[:, -1] += 2.0
    return scores + 0.0, np.tril(roundoff(task, np.zeros((size, size))) * bound)


def loss_error(loss: float, epsilon: float, relative: float) -> Array:
    """Bound the roundoff of the loss.

    Terms are at least ``-log(1 + eps)``, so this bounds their absolute values; and the loss lies between that and
    ``-log eps``, however wrong the weights are.
    """
    return np.array(min(relative * (abs(loss) + 2.0 * np.log1p(epsilon) + 1.0), np.log1p(epsilon) - np.log(epsilon)))


def is_steep(A2: Array) -> bool:
    """Whether weights relative to the largest possible one may underflow."""
    return _spread(A2) > STEEP


def _spread(A2: Array) -> float:
    with np.errstate(over="ignore"):
        return float(np.ptp(A2, axis=0).max())


def _chain_rule(attention: Array, A2: Array, by_token: Array) -> tuple[Array, Array]:
    """Turn ``by_token[q, d, a, i]`` (token a at d, logit i, query q) into the gradients by A1 and A2."""
    length, size = len(attention), len(A2)
    second = (by_token.transpose(2, 0, 3, 1).reshape(size * size, -1) @ attention.ravel()).reshape(size, size)
    # A constant in a column of A2 changes nothing; without it roundoff is proportional to the spread of the columns.
    shifted = A2 - A2.min(axis=0)
    weighted = (by_token.transpose(3, 1, 2, 0).reshape(length * length, -1) @ shifted.ravel()).reshape(length, length)
    first = attention * (weighted - (attention * weighted).sum(axis=1, keepdims=True))
    return first, second


def _prefix_length(task: InContextTask) -> int:
    """First tokens that name a block: enough blocks for all threads, and none that runs for long."""
    size, length = task.vocab_size, task.length
    prefix = 0
    while prefix < length - 2 and (
        size ** (prefix + 1) < MIN_BLOCKS or size ** (length - 1 - prefix) > SEQUENCES_PER_BLOCK
    ):
        prefix += 1
    return prefix


def _walk_all(
    task: InContextTask, transition: Array, attention: Array, A2: Array, epsilon: float, *, with_gradient: bool
) -> tuple[float, Array]:
    """Loss and derivatives by logit and token, summed over all sequences block by block in a fixed order."""
    size, length = task.vocab_size, task.length
    prefix = _prefix_length(task)
    blocks = size ** (prefix + 1)
    step = max(size, BLOCKS_PER_CALL // size * size)
    parents = task.graph.parent_array[:-1]
    root_law = root_law_at(task, transition)
    factors = np.exp(attention.T[None, :, None, :] * key_scores(A2)[:, None, :, None])
    losses = np.zeros(size)
    by_token = np.zeros((size, length, size, length))
    for first in track(range(0, blocks, step), "enumeration"):
        count = min(step, blocks - first)
        loss, hist = kernels.enumeration.walk_blocks(
            parents, transition, root_law, factors, epsilon, prefix, first, count, with_gradient
        )
        losses += loss.reshape(-1, size).sum(axis=0)
        if with_gradient:
            by_token += hist.reshape(-1, size, length, size, length).sum(axis=0)
    return float(losses.sum() / size), by_token / size


def _steep_sums(
    task: InContextTask, transition: Array, A1: Array, A2: Array, epsilon: float
) -> tuple[float, Array, Array]:
    """Loss and gradients with the softmax of every sequence taken relative to its own largest logit."""
    total = task.vocab_size**task.length
    parents = task.graph.parent_array[:-1]
    root_law = root_law_at(task, transition)
    attention, scores = causal_softmax(A1), key_scores(A2)
    loss = 0.0
    first = np.zeros_like(A1)
    second = np.zeros_like(A2)
    for start in track(range(0, total, SEQUENCES_PER_BATCH), "enumeration"):
        count = min(SEQUENCES_PER_BATCH, total - start)
        tokens = np.empty((count, task.length), dtype=np.int64)
        chances = np.empty(count)
        kernels.sequences.unpack_sequences(
            start, count, *map(read_only, (parents, transition, root_law)), tokens, chances
        )
        targets = transition[tokens[:, -1]]
        losses, one_first, one_second = kernels.sequences.batch_moments(
            tokens, targets, chances, attention, scores, epsilon, SEQUENCES_PER_SUM
        )
        loss += float(chances @ losses)
        first += one_first[0]
        second += one_second[0].T
    return loss, first, second


def roundoff(task: InContextTask, A2: Array) -> float:
    """Relative roundoff of one term: T factors, and logits whose error the exponential amplifies."""
    return 4.0 * float(np.finfo(float).eps) * (task.length + task.vocab_size) * (1.0 + _spread(A2))
