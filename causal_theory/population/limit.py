"""The limit of the edge scores for long sequences, which on the edges is the chi-square information."""

from dataclasses import replace

import numpy as np

from causal_theory.errors import TaskError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.pair_structure import PAIR_BYTES
from causal_theory.population.engines import choose_engine
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_epsilon, check_memory


@default_floats
def limit_edge_scores(
    task: InContextTask, *, epsilon: float = 0.0, draws: int = DEFAULT_DRAWS, rng: SeedLike = None
) -> Estimate:
    r"""Return the limit of the edge scores as the effective length grows.

    .. math::

        \frac1S E_\pi\Big[\sum_{a,b} \frac{\pi_{ab}}{\mu_b + \varepsilon}
        \big(P(s_j = a, s_i = b) - \mu_a \mu_b\big)\Big], \qquad j \le i < T - 1

    With ``epsilon = 0`` the value at an edge is the chi-square mutual information of the edge over *S*. Off the edges
    it is not an information and can be negative, but it never exceeds
    :math:`\sqrt{I_{ij} I_{i,p(i)}} / S` for ``j < i``. The diagonal is :math:`(E[\mathrm{tr}\,\pi] - 1)/S` at
    ``epsilon = 0``.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query and stationary roots.
    epsilon : float
        The constant inside the logarithm of the loss, at least 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        Matrix (T, T), zero above the diagonal. The row of the query repeats the diagonal value: the query meets a key
        by chance only. Its own entry, which it always meets, is
        :math:`E[\sum_q \sum_b \pi_{qb} ([q = b] - \mu_b) / (\mu_b + \varepsilon)] / S`. Exact for point and orbit
        priors.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is negative.
    TaskError
        If the graph is not a forest with an independent query, or the roots are not stationary (the symbol
        frequencies then have no common limit).

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, limit_edge_scores
    >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.3, 0.7], [0.7, 0.3]]))
    >>> limit_edge_scores(task).value[:3, :3].round(4)
    array([[-0.2  ,  0.   ,  0.   ],
           [ 0.08 , -0.2  ,  0.   ],
           [-0.032,  0.08 , -0.2  ]])
    """
    epsilon = check_epsilon(epsilon, or_zero=True)
    task.require_query("limit_edge_scores")
    if task.root_law != "stationary":
        raise TaskError(f"task must have root_law='stationary' for limit_edge_scores, got {task.root_law!r}")
    check_memory(f"limit_edge_scores at length {task.length}", PAIR_BYTES * task.length**2)
    plan = choose_engine(task, "limit_edge_scores").limit_scores(epsilon)
    estimate = task.prior.average(plan, draws=draws, rng=rng)
    if epsilon == 0.0 and not task.prior.mean_ratio_exists:
        estimate.error[-1, -1] = np.inf
    return replace(estimate, of_scores=True)
