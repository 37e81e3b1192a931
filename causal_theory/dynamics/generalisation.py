"""A trained model on another task: another transition matrix, another prior."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from causal_theory.display import Shown
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.population.baselines import loss_floor
from causal_theory.population.excess import excess_loss
from causal_theory.population.loss import population_loss
from causal_theory.population.parent_attention import parent_attention_loss
from causal_theory.population.prediction_error import PredictionError, prediction_error
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator


@dataclass(frozen=True, eq=False)
class Generalisation(Shown):
    """The loss of a model on a task beside its floor, and the errors of its predictions.

    Attributes
    ----------
    loss : Estimate
        Loss when the first layer attends to the parents, exact.
    floor : Estimate
        Entropy floor of the task.
    excess : Estimate
        ``loss - floor``.
    actual_loss : Estimate
        Loss of the first attention matrix as it is: a sum over all sequences where these are few, sampled otherwise.
        Its distance from ``loss`` is what incomplete attention, and roots without the uniform key, are worth.
    error : PredictionError
        Worst-case error of the prediction, over sampled sequences, of the matrices as they are.
    """

    loss: Estimate
    floor: Estimate
    excess: Estimate
    actual_loss: Estimate
    error: PredictionError

    def __repr__(self) -> str:
        """Return one line: losses beside the floor, and the error of prediction."""
        named = {"loss": self.loss, "floor": self.floor, "excess": self.excess, "actual loss": self.actual_loss}
        losses = ", ".join(f"{name} {estimate.text('+-')}" for name, estimate in named.items())
        return f"Generalisation({losses}, mean error of prediction {self.error.mean.text('+-')})"


@default_floats
def generalisation(
    task: InContextTask,
    A1: ArrayLike,
    A2: ArrayLike,
    *,
    epsilon: float,
    samples: int = 20_000,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = 0,
) -> Generalisation:
    """Evaluate trained matrices under a task that they were not trained on.

    Parameters
    ----------
    task : InContextTask
        The task to test on: the graph of the training, any prior on as many symbols.
    A1 : array_like, shape (T, T)
        First attention matrix after stage 1.
    A2 : array_like, shape (S, S)
        Second attention matrix after stage 2.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    samples : int
        Sequences for what is sampled.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of randomness.

    Returns
    -------
    Generalisation
        Losses and errors of prediction.

    Raises
    ------
    InvalidArgumentError
        If a matrix has the wrong shape, or a number lies outside its range.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, PointPrior
    >>> from causal_theory.dynamics import Stage2, generalisation, train_population
    >>> graph = CausalGraph.chain(12)
    >>> prior = OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]])
    >>> run = train_population(InContextTask(graph, prior), epsilon=0.1, stage2=Stage2(steps=20))
    >>> test = InContextTask(graph, PointPrior([[0.2, 0.2, 0.6], [0.4, 0.3, 0.3], [0.3, 0.6, 0.1]]))
    >>> found = generalisation(test, run.stage1.A1, run.stage2.A2, epsilon=0.1)
    >>> found.loss.method, found.actual_loss.method
    ('exact', 'exact')
    """
    seeds = [int(seed) for seed in as_generator(rng).integers(2**63, size=3)]
    return Generalisation(
        loss=parent_attention_loss(task, A2, epsilon=epsilon, draws=draws, rng=seeds[0]),
        floor=loss_floor(task, draws=draws, rng=seeds[0]),
        excess=excess_loss(task, A2, epsilon=epsilon, draws=draws, rng=seeds[0]),
        actual_loss=population_loss(task, A1, A2, epsilon=epsilon, samples=samples, draws=draws, rng=seeds[1]),
        error=prediction_error(task, A1, A2, samples=samples, rng=seeds[2]),
    )
