"""The exact loss of any model on a task."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.interop.batches import BATCH_SIZE, Sequences, log_probabilities
from causal_theory.interop.door import DOUBLE, Predictor, double_of, open_door
from causal_theory.interop.sequences import MAX_SEQUENCES, is_enumerable
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_integer

Array = NDArray[np.float64]

SAMPLES = 65_536
"""Sequences drawn where there are too many for all of them."""


@default_floats
def model_loss(
    task: InContextTask,
    model: Any,
    *,
    max_sequences: int = MAX_SEQUENCES,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    normalised: bool = True,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the population loss of any model, in nats.

    .. math:: L = -E \sum_b \pi(b \mid s) \log p_b(s)

    over the sequences s of the task and the matrices of its prior. A sum over all :math:`S^T` sequences with their
    probabilities where there are at most ``max_sequences`` and the prior has an exact average or a quadrature; the mean
    over ``samples`` fresh sequences otherwise.

    Parameters
    ----------
    task : InContextTask
        The task, on any graph.
    model : callable, nn.Module, (function, parameters) or TrainableModel
        Maps tokens (n, T), integers 0 .. S - 1, to log-probabilities (n, S): a callable on NumPy arrays, a module of
        PyTorch, for JAX a pair of a function ``(parameters, tokens)`` and its parameters, or a model of this package.
    max_sequences : int, default 200,000
        The largest number of sequences to sum over.
    samples : int, default 65,536
        Sequences to draw otherwise.
    batch_size : int, default 2048
        Sequences that the model is given at a time: it bounds the memory that the model needs.
    normalised : bool, default True
        Whether to require that the exponentials of the log-probabilities sum to one.
    rng : int or Generator, optional
        Source of randomness, for fresh sequences only.

    Returns
    -------
    Estimate
        A scalar. A sum over all sequences is ``"exact"`` (or a ``"quadrature"``), up to the arithmetic of the model.
        Its ``error`` bounds the roundoff of probabilities and sums; for a model in lower precision it holds the
        distance to the same model in double precision as well where that can be made (modules of PyTorch; JAX with
        ``jax_enable_x64``), otherwise a multiple of the spacing of its numbers. For fresh sequences it is one
        standard error.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range, the model is of no known kind, gives numbers of another shape, NaN, or what is
        not normalised, or does not give the same answer twice.
    TooLargeError
        If the sequences do not fit into 4 GiB.

    See Also
    --------
    model_gradient : Its derivatives by the parameters of the model.
    causal_theory.population_loss : For the reduced transformer, at any length that can be enumerated, and faster.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.interop import model_loss
    >>> task = InContextTask(CausalGraph.chain(6), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> uniform = model_loss(task, lambda tokens: np.full((len(tokens), 2), np.log(0.5)))
    >>> round(float(uniform), 12), uniform.method
    (0.69314718056, 'exact')
    """
    limit, size = check_integer("max_sequences", max_sequences, 1), check_integer("batch_size", batch_size, 1)
    count = check_integer("samples", samples, 2)
    predictor = open_door(model)
    if is_enumerable(task, limit):
        return _summed(task, predictor, size, normalised=normalised)
    sequences = Sequences.drawn(task, count, as_generator(rng))
    logs = log_probabilities(predictor, task, sequences, size, normalised=normalised)
    losses = _terms(sequences.weights.value, logs.values).sum(axis=1)
    return Estimate(np.array(losses.mean()), np.array(losses.std(ddof=1) / np.sqrt(count)), "monte_carlo")


def _terms(weights: Array, logs: Array) -> Array:
    """Return what each prediction adds to the loss; what cannot happen adds nothing, however unlikely it is held."""
    with np.errstate(invalid="ignore"):
        return np.where(weights > 0.0, -weights * logs, 0.0)


def _summed(task: InContextTask, predictor: Predictor, size: int, *, normalised: bool) -> Estimate:
    sequences = Sequences.all_of(task)
    weights = sequences.weights
    logs, spacing = log_probabilities(predictor, task, sequences, size, normalised=normalised)
    terms = _terms(weights.value, logs)
    value = terms.sum()
    # Numbers are summed pairwise: fewer than 64 roundings touch any of them.
    error = 64 * DOUBLE * np.abs(terms).sum() + _terms(weights.error, -np.abs(logs)).sum()
    if spacing > DOUBLE:
        double = double_of(predictor, next(sequences.batches(size))[0])
        if double is not None:
            exact, _ = log_probabilities(double, task, sequences, size, normalised=False)
            measured = _terms(weights.value, exact).sum()
            error += 0.0 if measured == value else 2.0 * abs(measured - value)  # both may be infinite
        # What it would be off by if every number were rounded once, and sixteen times where nothing was measured.
        error += (1.0 if double is not None else 16.0) * spacing * (1.0 + np.abs(terms).sum())
    return Estimate(np.array(value), np.array(error), weights.method)
