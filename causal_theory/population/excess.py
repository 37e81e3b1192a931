"""What the model with local attention loses against the entropy floor."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_prior
from causal_theory.estimate import Estimate
from causal_theory.population.baselines import entropy_floor
from causal_theory.population.loss import ignores_labels
from causal_theory.population.parent_attention import check_second_matrix, parent_loss_at
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike

__all__ = ["excess_loss"]

Array = NDArray[np.float64]


def excess_loss(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    normalised: bool = False,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return ``parent_attention_loss(task, A2) - loss_floor(task)``, in nats.

    Under a prior that is averaged over draws both are taken at the same draws, so that ``error`` is that of the
    difference.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any root law, any length.
    A2 : array_like, shape (S, S)
        Second attention matrix, ``A2[key symbol, query symbol]``.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    normalised : bool
        :math:`f + \varepsilon` sums to :math:`1 + S\varepsilon`. Divided by it, it is a probability vector, which costs
        :math:`\log(1 + S\varepsilon)` nats more: that excess is never negative, the plain one can be.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        A scalar; exactness and errors are those of :func:`parent_attention_loss`.

    Raises
    ------
    InvalidArgumentError
        If ``A2`` has the wrong shape or ``epsilon`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, excess_loss
    >>> task = InContextTask(CausalGraph.chain(100), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> bool(0.0 < float(excess_loss(task, 4.0 * np.eye(2), epsilon=0.01, normalised=True)) < 0.1)
    True
    """
    matrix, epsilon = check_second_matrix(task, A2, epsilon, "excess_loss")
    shift = np.log1p(task.vocab_size * epsilon) if normalised else 0.0

    def evaluate(transition: Array) -> tuple[Array, Array]:
        loss, loss_error = parent_loss_at(task, transition, matrix, epsilon)
        floor, floor_error = entropy_floor(transition)
        return loss - floor + shift, loss_error + floor_error

    return average_over_prior(task.prior, evaluate, label_invariant=ignores_labels(matrix), draws=draws, rng=rng)
