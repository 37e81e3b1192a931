"""The limit of the edge scores for long sequences, which on the edges is the chi-square information."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_prior
from causal_theory.chains import stationary_distribution
from causal_theory.errors import TaskError, TransitionError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.information.lost import same_support
from causal_theory.kernels.pairs import kind_contractions
from causal_theory.pair_structure import PAIR_BYTES, PairStructure, chain_powers, pair_structure
from causal_theory.priors import DirichletPrior
from causal_theory.tasks import InContextTask
from causal_theory.validation import SMALLEST, SeedLike, check_epsilon, check_memory

__all__ = ["limit_edge_scores"]

Array = NDArray[np.float64]


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
        by chance only. Exact for point and orbit priors.

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
    structure = pair_structure(task.graph, stationary=True)

    def evaluate(transition: Array) -> tuple[Array, Array]:
        return _limit(task, structure, transition, epsilon)

    estimate = average_over_prior(task.prior, evaluate, label_invariant=True, rarest=epsilon, draws=draws, rng=rng)
    if epsilon == 0.0 and isinstance(task.prior, DirichletPrior) and not _has_mean(task.prior):
        estimate.error[-1, -1] = np.inf
    return estimate


def _has_mean(prior: DirichletPrior) -> bool:
    """Whether ``E[pi_aa / mu_a]`` exists: ``mu_a`` is as small as the S - 1 entries that lead to ``a``."""
    return prior.floor > 0.0 or (prior.vocab_size - 1) * prior.concentration > 1.0


def _refuse_rare_symbols(transition: Array, law: Array) -> None:
    """Refuse to divide by probabilities that are known to a few digits only, or not at all."""
    if (law >= SMALLEST).all():
        return
    possible = stationary_distribution(same_support(transition)) > 0.0
    rare = np.flatnonzero(possible & (law < SMALLEST))
    if rare.size:
        raise TransitionError(
            f"epsilon must be greater than 0 for a matrix with stationary probabilities below {SMALLEST:g}, got 0 and "
            f"{law[rare[0]]:.3g} for symbol {rare[0]}"
        )


def _limit(task: InContextTask, structure: PairStructure, transition: Array, epsilon: float) -> tuple[Array, Array]:
    size = task.vocab_size
    law = task.root_distribution(transition)
    if epsilon == 0.0:
        _refuse_rare_symbols(transition, law)
    scale = law + epsilon
    # Symbols of probability zero are never seen: 0 / 0 = 0.
    inverse = np.divide(1.0, scale, out=np.zeros(size), where=scale > 0.0)
    slopes = transition * inverse
    chain = chain_powers(transition, law, int(structure.depths.max()), stationary=True)
    on_kinds, errors = kind_contractions(structure.kinds, tuple(chain), slopes)
    per_query = np.diagonal(slopes) - slopes @ law
    own = float(law @ per_query)
    value = np.tril(structure.spread(on_kinds, np.full(task.length, own)))
    value[-1, :-1] = own
    value[-1, -1] = per_query.sum()
    roundoff = 4.0 * float(np.finfo(float).eps) * (task.length + size)
    error = np.tril(structure.spread(errors, np.full(task.length, roundoff * float(law @ slopes.sum(axis=1)))))
    # On the edges slopes carry the relative error of the stationary law.
    error += roundoff * np.abs(value)
    error[-1, :-1] = roundoff * float(law @ slopes.sum(axis=1))
    error[-1, -1] = roundoff * slopes.sum()
    return value / size, error / size
