"""The loss of the model with local attention above the entropy floor."""

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.population.engines import choose_engine, with_heads
from causal_theory.population.parent_attention import check_second_matrix
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike


@default_floats
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
        Any task whose graph has a narrow frontier, of any length: forests with an independent query, order-k chains.
    A2 : array_like, shape (S, S) or (k, S, S)
        Second attention matrices, ``A2[h, key symbol, query symbol]``, one for each parent of the target; a single one
        may come without the first axis.
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
        If the prior has no transition tensor for a number of parents in the graph, or ``A2`` is one matrix and a
        position has several parents.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, excess_loss
    >>> task = InContextTask(CausalGraph.chain(100), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> bool(0.0 < float(excess_loss(task, 4.0 * np.eye(2), epsilon=0.01, normalised=True)) < 0.1)
    True
    """
    matrices, epsilon = check_second_matrix(task, A2, epsilon, "excess_loss")
    shift = np.log1p(task.vocab_size * epsilon) if normalised else 0.0
    plan = choose_engine(task, "excess_loss").excess(with_heads(matrices), epsilon, float(shift))
    return task.prior.average(plan, draws=draws, rng=rng)
