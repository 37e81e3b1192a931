"""The exact gradient of the population loss in the parameters of any model that can be differentiated."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.interop.batches import BATCH_SIZE, Sequences, refuse_randomness
from causal_theory.interop.differentiable import Differentiable, split, total
from causal_theory.interop.door import DOUBLE, check_logs, double_of, open_door
from causal_theory.interop.loss import SAMPLES
from causal_theory.interop.sequences import MAX_SEQUENCES, is_enumerable
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_integer

Array = NDArray[np.float64]

GROUPS = 64
"""Groups of fresh sequences whose gradients give the standard error."""

ROUNDINGS = 64.0
"""A sum of many numbers is off by some spacings of them: so many, as they are added pairwise."""

SIGNS = 2
"""Drawings of signs that show how large the terms of a gradient are."""

MEASURED = 256
"""Sequences, the likeliest, on which single precision is compared with double."""

MARGIN = 4.0
"""So many times what was seen on them is granted to all."""


@default_floats
def model_gradient(
    task: InContextTask,
    model: Any,
    *,
    max_sequences: int = MAX_SEQUENCES,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    normalised: bool = True,
    rng: SeedLike = None,
) -> Any:
    r"""Return the gradient of the population loss by the parameters of a model of PyTorch or JAX.

    .. math:: \frac{\partial L}{\partial \theta} = -\sum_{s, b} W_{sb} \frac{\partial \log p_b(s)}{\partial \theta}

    with the probability :math:`W_{sb}` of sequence and target: one weighted backward pass over all sequences, batch by
    batch, through the framework's own differentiation.

    Parameters
    ----------
    task : InContextTask
        The task, on any graph.
    model : nn.Module or (function, parameters)
        See :func:`model_loss`. Neither its parameters nor the gradients that it holds are changed.
    max_sequences : int, default 200,000
        The largest number of sequences to sum over.
    samples : int, default 65,536
        Sequences to draw otherwise, at least 128; rounded down to a multiple of 64.
    batch_size : int, default 2048
        Sequences that the model is given at a time.
    normalised : bool, default True
        See :func:`model_loss`.
    rng : int or Generator, optional
        Source of randomness, for fresh sequences only.

    Returns
    -------
    dict or pytree of Estimate
        For PyTorch a dictionary by the names of the parameters that require a gradient, for JAX the structure of the
        parameters, with zeros for what holds no floating-point numbers. ``error`` of a sum over all sequences is its
        roundoff, the same for all entries of an array: that of the sums in the precision of the model, relative to
        their terms, and, where the model can be made one in double precision, four times the distance that the
        likeliest sequences show. For fresh sequences it is one standard error.

    Raises
    ------
    InvalidArgumentError
        As for :func:`model_loss`, and if the model cannot be differentiated.
    TooLargeError
        If the sequences do not fit into 4 GiB.

    Notes
    -----
    A parameter that occurs in the model twice is one parameter, under its first name.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior
    >>> from causal_theory.interop import model_gradient
    >>> class Frequencies(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.logits = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    ...     def forward(self, tokens):
    ...         return torch.log_softmax(self.logits, dim=0).expand(len(tokens), 2)
    >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.2, 0.8], [0.6, 0.4]]))
    >>> model_gradient(task, Frequencies())["logits"].value.round(12)
    array([ 0.1, -0.1])
    """
    limit, size = check_integer("max_sequences", max_sequences, 1), check_integer("batch_size", batch_size, 1)
    count = check_integer("samples", samples, 2 * GROUPS) // GROUPS * GROUPS
    found = open_door(model)
    if not isinstance(found, Differentiable):
        raise InvalidArgumentError(
            f"model must be an nn.Module of PyTorch or a pair (function, parameters) of JAX to be differentiated, got "
            f"{type(model).__name__}"
        )
    exact = is_enumerable(task, limit)
    sequences = Sequences.all_of(task) if exact else Sequences.drawn(task, count, as_generator(rng))
    spacing = _check_first(found, task, sequences, size, normalised=normalised)
    if exact:
        return found.structured(*_summed(found, sequences, size, spacing), sequences.weights.method)
    per_group = count // GROUPS
    groups = np.array([total(found, group.batches(size))[0] / per_group for group in _split(sequences, per_group)])
    error = groups.std(axis=0, ddof=1) / np.sqrt(GROUPS)
    return found.structured(groups.mean(axis=0), error, "monte_carlo")


def _check_first(
    model: Differentiable, task: InContextTask, sequences: Sequences, size: int, *, normalised: bool
) -> float:
    """Check what the model gives for a batch before long work; return the spacing of its numbers."""
    tokens, _ = next(sequences.batches(size))
    given = model(tokens)
    check_logs(model.name, given, task, len(tokens), normalised=normalised)
    refuse_randomness(model, tokens, given)
    return given.spacing


def _split(sequences: Sequences, size: int) -> Iterator[Sequences]:
    for start in range(0, len(sequences.tokens), size):
        part = slice(start, start + size)
        yield replace(sequences, tokens=sequences.tokens[part], weights=sequences.weights[part])


def _summed(model: Differentiable, sequences: Sequences, size: int, spacing: float) -> tuple[Array, Array]:
    value, sizes = total(model, sequences.batches(size))
    if not np.isfinite(value).all():
        raise InvalidArgumentError(f"model must have finite derivatives, {model.name} has a NaN or infinite gradient")
    share = float(np.max(sequences.weights.error / np.maximum(sequences.weights.value, np.finfo(float).tiny)))
    # Where a gradient is small its terms are not: they cancel, their roundings do not.
    sizes = np.maximum(sizes, _size_of_terms(model, sequences, size))
    error = _largest_of_each(model, (ROUNDINGS * spacing + share) * sizes)
    if spacing > DOUBLE:
        double = double_of(model, next(sequences.batches(size))[0])
        if double is not None:
            error = error + _distance(model, double, sequences)
    return value, error


def _size_of_terms(model: Differentiable, sequences: Sequences, size: int) -> Array:
    r"""Estimate a bound on the sum of the absolute values of the terms of a gradient.

    With random signs :math:`\epsilon_{sb}` the sum :math:`\sum \epsilon_{sb} \sqrt{W_{sb}} \, \partial \log p_b(s)`
    has the mean square :math:`\sum W_{sb} (\partial \log p_b(s))^2`, whose root is at least
    :math:`\sum W_{sb} |\partial \log p_b(s)|`, as weights sum to one. The sequences of one batch, spread evenly over
    the law of the task, stand for all.
    """
    chances = sequences.weights.value.sum(axis=1)
    ends, count = chances.cumsum(), min(size, len(chances))
    picked = np.searchsorted(ends, ends[-1] * (np.arange(count) + 0.5) / count)
    roots = np.sqrt(sequences.weights.value[picked] / (chances[picked, np.newaxis] * count))
    rng, tokens = np.random.default_rng(0), sequences.tokens[picked]
    drawn = [model.gradient((tokens, rng.choice([-1.0, 1.0], roots.shape) * roots)) for _ in range(SIGNS)]
    return np.asarray(np.sqrt(np.mean(np.square(drawn), axis=0)))


def _distance(model: Differentiable, double: Any, sequences: Sequences) -> Array:
    """Estimate how far a gradient is from that of the same model in double precision, from the likeliest sequences."""
    likely = np.argsort(-sequences.weights.value.sum(axis=1), kind="stable")[:MEASURED]
    batch = sequences.tokens[likely], sequences.weights.value[likely]
    off = np.abs(total(model, [batch])[0] - total(double, [batch])[0])
    return MARGIN * _largest_of_each(model, off) / float(batch[1].sum())


def _largest_of_each(model: Differentiable, errors: Array) -> Array:
    """Return for every entry the largest error of its array: roundoff of single entries varies by chance."""
    return np.concatenate([np.full(part.size, part.max(initial=0.0)) for (part,) in split(model.shapes, errors)])
