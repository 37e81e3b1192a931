"""Compare the mean of sampled gradients with the exact gradient."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models import ReducedTransformer, TrainableModel, check_model
from causal_theory.population.loss import population_gradient
from causal_theory.population.scores import edge_scores, first_order_gradient
from causal_theory.tasks import InContextTask
from causal_theory.training.sampler import BatchSampler, draw_keys
from causal_theory.validation import SeedLike, as_generator, check_choice, check_integer

Array = NDArray[np.float64]
BATCHES = 256
"""Batches whose means give the standard errors: enough for a t law that is all but normal."""

METHODS = ("enumerate", "first_order")


@dataclass(frozen=True, eq=False)
class GradientAgreement(Shown):
    """Differences between sampled and exact gradients in units of their standard errors.

    Attributes
    ----------
    z : ndarray, shape (m,)
        One z-score for each entry of the gradient that varies between batches.
    names : list of str
        Which entry each of them is.
    samples : int
        Number of sequences.
    method : {"enumerate", "first_order"}
        Where the exact gradient comes from.
    """

    z: Array
    names: list[str]
    samples: int
    method: str

    def __repr__(self) -> str:
        """Return one line: the largest z-score and how likely it is by chance."""
        if not len(self.z):
            return f"GradientAgreement(no entry varies, {self.samples} sequences, {self.method})"
        return (
            f"GradientAgreement({len(self.z)} entries, largest |z| = {self.largest:.2f} (by chance with probability "
            f"{self.chance:.2g}), mean z^2 = {self.chi_square:.2f}, {self.samples} sequences, {self.method})"
        )

    @property
    def chance(self) -> float:
        """The probability that the largest of as many independent normal variables is as large."""
        return -math.expm1(len(self.z) * math.log1p(-min(math.erfc(self.largest / math.sqrt(2.0)), 1.0 - 1e-16)))

    @property
    @default_floats
    def largest(self) -> float:
        """Largest z-score in absolute value."""
        return float(np.abs(self.z).max())

    @property
    @default_floats
    def chi_square(self) -> float:
        """Mean square of the z-scores: near 1 for a correct gradient, although entries are correlated."""
        return float(np.mean(self.z**2))


@default_floats
def gradient_agreement(
    task: InContextTask,
    model: TrainableModel,
    size: int,
    rng: SeedLike = None,
    *,
    method: str = "enumerate",
) -> GradientAgreement:
    r"""Compare the gradient of training, averaged over many batches, with the exact one.

    The sequences come from the sampler of training and the gradients from its kernel; the exact gradient comes from a
    sum over all sequences, or from the edge scores, which share no code with them.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query.
    model : ReducedTransformer, or another model that is one as_reduced()
        Where the gradient is taken.
    size : int
        Number of sequences, at least 512; rounded down to a multiple of 256 batches.
    rng : int or Generator, optional
        Source of randomness, also of the matrices where the average over the prior is over draws; the standard error
        of that average is part of the z-scores.
    method : {"enumerate", "first_order"}
        ``"enumerate"`` checks both matrices on small tasks. ``"first_order"`` checks ``A1`` at any length, for ``A2`` a
        small multiple of I: the formula has an error of the order of its square.

    Returns
    -------
    GradientAgreement
        For a correct kernel the z-scores are standard normal.

    Raises
    ------
    InvalidArgumentError
        If ``size`` is too small, the model is no reduced transformer, or ``A2`` is no multiple of I for first order.
    TaskError
        If the graph is no forest with an independent query.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, ReducedTransformer
    >>> from causal_theory.training import gradient_agreement
    >>> task = InContextTask(CausalGraph.chain(5), PointPrior([[0.2, 0.8], [0.6, 0.4]]))
    >>> model = ReducedTransformer(np.eye(5), np.eye(2), 0.1)
    >>> bool(gradient_agreement(task, model, 50_000, rng=0).largest < 4.5)
    True
    """
    check_choice("method", method, METHODS)
    count = check_integer("size", size, 2 * BATCHES) // BATCHES
    reduced = check_model(model).as_reduced()
    task.require_query("gradient_agreement")
    generator = as_generator(rng)
    sampler = BatchSampler(task, count, draw_keys(generator))
    sampled = np.array([model.batch_gradient(*sampler.draw(k * count))[1] for k in range(BATCHES)])
    exact, exact_error, used = _exact(task, reduced, method, generator)
    sampled = sampled[:, used]
    error = sampled.std(axis=0, ddof=1) / np.sqrt(BATCHES)
    varying = error > 1e-12 * np.abs(exact).max()
    z = (sampled.mean(axis=0) - exact)[varying] / np.hypot(error, exact_error)[varying]
    names = np.array(_names(reduced))[used][varying].tolist()
    return GradientAgreement(z, names, count * BATCHES, method)


def _exact(
    task: InContextTask, model: ReducedTransformer, method: str, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return exact entries of the gradient, their errors, and their places among the parameters."""
    length = model.length
    lower = np.flatnonzero(np.tril(np.ones((length, length))).ravel())
    if method == "enumerate":
        found = population_gradient(task, model.A1, model.A2, epsilon=model.epsilon, method="enumerate", rng=rng)
        whole = np.concatenate([found.A1.value.ravel(), found.A2.value.ravel()])
        error = np.concatenate([found.A1.error.ravel(), found.A2.error.ravel()])
        used = np.concatenate([lower, np.arange(model.A1.size, whole.size)])
        return whole[used], error[used], used
    beta0 = float(model.A2[0, 0])
    if not np.array_equal(model.A2, beta0 * np.eye(len(model.A2))):
        raise InvalidArgumentError("A2 must be a multiple of I for method='first_order', got another matrix")
    scores = edge_scores(task, epsilon=model.epsilon, rng=rng)
    attention = model.attention
    # Of a (G - a . G), also when the errors of the entries are related.
    error = np.abs(beta0) / length * attention * (scores.error + (attention * scores.error).sum(axis=1, keepdims=True))
    return first_order_gradient(scores, model.A1, beta0).ravel()[lower], error.ravel()[lower], lower


def _names(model: ReducedTransformer) -> list[str]:
    first = [f"A1[{i}, {j}]" for i in range(model.length) for j in range(model.length)]
    return first + [f"A2[{a}, {q}]" for a in range(model.vocab_size) for q in range(model.vocab_size)]
