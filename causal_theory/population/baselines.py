"""Losses to compare with: the entropy floor, counting along the edges, counting tokens."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_prior
from causal_theory.estimate import Estimate
from causal_theory.population.log_moments import Terms, Weights, log_moments
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_positive

__all__ = ["counts_rule_loss", "entropy_floor", "loss_floor", "unigram_loss"]

Array = NDArray[np.float64]


def loss_floor(task: InContextTask, *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Estimate:
    r"""Return the loss of the best prediction when the transition matrix is known, in nats.

    .. math:: L^* = E_\pi \frac1S \sum_a H(\pi_{a \cdot}), \qquad H(p) = -\sum_b p_b \log p_b

    No predictor whose output is a probability vector can do better; the model with ``eps > 0`` is not one, so its
    loss can lie below.

    Parameters
    ----------
    task : InContextTask
        Only its prior matters.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, loss_floor
    >>> float(loss_floor(InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5], [0.0, 1.0]])))).__round__(6)
    0.346574
    """
    return average_over_prior(task.prior, entropy_floor, label_invariant=True, draws=draws, rng=rng)


def entropy_floor(transition: Array) -> tuple[Array, Array]:
    """Return the mean entropy of the rows of one matrix, and a bound on its roundoff."""
    logs = np.log(transition, out=np.zeros_like(transition), where=transition > 0.0)
    value = np.array(-(transition * logs).sum() / len(transition))
    return value, 4.0 * float(np.finfo(float).eps) * len(transition) * (1.0 + value)


def counts_rule_loss(
    task: InContextTask, *, smoothing: float, draws: int = DEFAULT_DRAWS, rng: SeedLike = None
) -> Estimate:
    r"""Return the loss of counting along the edges, in nats.

    The prediction is :math:`(N_{qb} + c) / (N_q + S c)` with :math:`N_{qb}` the number of children that equal *b* and
    whose parent equals the query *q*; roots are skipped. It knows the graph but not the transition matrix.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any length.
    smoothing : float
        The constant *c*, greater than 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Raises
    ------
    InvalidArgumentError
        If ``smoothing`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, counts_rule_loss, loss_floor
    >>> task = InContextTask(CausalGraph.chain(400), PointPrior([[0.2, 0.8], [0.7, 0.3]]))
    >>> bool(0.0 < float(counts_rule_loss(task, smoothing=1.0)) - float(loss_floor(task)) < 0.01)
    True
    """
    task.require_query("counts_rule_loss")
    c = check_positive("smoothing", smoothing)
    size = task.vocab_size
    parents = task.graph.parent_array[:-1]
    weights = Weights(np.eye(size), np.zeros(size))
    query = np.repeat(np.arange(size), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), size)
    plain = symbol < 0
    constant = np.where(plain, size * c, c)

    def evaluate(transition: Array) -> tuple[Array, Array]:
        terms = Terms(
            symbols=symbol,
            groups=query,
            shifts=plain.astype(np.float64),
            constants=constant,
            factors=np.where(plain, 1.0, -transition[query, symbol]) / size,
            lowest=constant,
            highest=float((parents >= 0).sum() + size * c),
        )
        law = task.root_distribution(transition)
        found = log_moments(parents, transition, law, weights, terms, slopes=False)
        return np.array(found.value), np.array(found.error)

    return average_over_prior(task.prior, evaluate, label_invariant=True, draws=draws, rng=rng)


def unigram_loss(
    task: InContextTask, *, smoothing: float, draws: int = DEFAULT_DRAWS, rng: SeedLike = None
) -> Estimate:
    r"""Return the loss of counting tokens, in nats.

    The prediction is :math:`(n_b + c) / (T - 1 + S c)` with :math:`n_b` the number of context tokens that equal *b*.
    It knows neither graph nor query.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any length.
    smoothing : float
        The constant *c*, greater than 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Raises
    ------
    InvalidArgumentError
        If ``smoothing`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, counts_rule_loss, unigram_loss
    >>> task = InContextTask(CausalGraph.chain(50), PointPrior([[0.1, 0.9], [0.9, 0.1]]))
    >>> bool(float(unigram_loss(task, smoothing=1.0)) > float(counts_rule_loss(task, smoothing=1.0)))
    True
    """
    task.require_query("unigram_loss")
    c = check_positive("smoothing", smoothing)
    size, context = task.vocab_size, task.length - 1
    total = context + size * c
    # The last term is the constant total: group 1 weighs nothing.
    weights = Weights(np.stack([np.ones(size), np.zeros(size)]), np.array([1.0, 0.0]))
    symbol = np.append(np.arange(size), -1)
    constant = np.append(np.full(size, c), total)

    def evaluate(transition: Array) -> tuple[Array, Array]:
        terms = Terms(
            symbols=symbol,
            groups=np.append(np.zeros(size, dtype=np.int64), 1),
            shifts=np.zeros(size + 1),
            constants=constant,
            factors=np.append(-transition.mean(axis=0), 1.0),
            lowest=constant,
            highest=total,
        )
        law = task.root_distribution(transition)
        parents = task.graph.parent_array[:-1]
        found = log_moments(parents, transition, law, weights, terms, slopes=False)
        return np.array(found.value), np.array(found.error)

    return average_over_prior(task.prior, evaluate, label_invariant=True, draws=draws, rng=rng)
