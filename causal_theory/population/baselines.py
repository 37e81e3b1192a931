"""Losses to compare with: the entropy floor, counting along the edges, counting tokens."""

from collections.abc import Iterable
from typing import get_args

from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.population.engines import choose_engine
from causal_theory.population.monte_carlo import DEFAULT_SAMPLES
from causal_theory.population.parent_attention import ExactOrSampled
from causal_theory.population.several_parents.sampled import sampled_counting, sampled_floor, sampled_token_counting
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_integer, check_positive

SMALLEST_SMOOTHING, LARGEST_SMOOTHING = 1e-300, 1e300
"""Times up to the reciprocal of the one, and sums over symbols of the other, are doubles."""


@default_floats
def loss_floor(
    task: InContextTask,
    *,
    method: ExactOrSampled = "exact",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the loss of the best prediction when the transition matrix is known, in nats.

    .. math:: L^* = E_\pi \frac1S \sum_a H(\pi_{a \cdot}), \qquad H(p) = -\sum_b p_b \log p_b

    Without an independent query, as with several parents, the rows of the transition tensor of the target are weighed
    by the joint law of the tokens at the target's parents.

    No predictor whose output is a probability vector can do better; the model with ``eps > 0`` is not one, so its
    loss can lie below.

    Parameters
    ----------
    task : InContextTask
        The task; with an independent query only its prior matters.
    method : {"exact", "monte_carlo"}
        ``"monte_carlo"`` averages ``samples`` independent sequences: the way for graphs that are too wide.
    samples : int
        Sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices, or transition tensors, to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of draws and sequences.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Raises
    ------
    InvalidArgumentError
        If the method is unknown.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If the law of the tokens at the target's parents needs too large arrays.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, loss_floor
    >>> float(loss_floor(InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5], [0.0, 1.0]])))).__round__(6)
    0.346574
    """
    if check_choice("method", method, get_args(ExactOrSampled)) == "monte_carlo":
        return sampled_floor(task, check_integer("samples", samples, 2), rng)

    return task.prior.average(choose_engine(task, "loss_floor").floor(), draws=draws, rng=rng)


@default_floats
def counts_rule_loss(
    task: InContextTask,
    *,
    smoothing: float,
    parents: Iterable[int] | None = None,
    method: ExactOrSampled = "exact",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the loss of counting along the edges, in nats.

    The prediction is :math:`(N_{qb} + c) / (N_q + S c)` with :math:`N_{qb}` the number of children that equal *b* and
    whose parent equals the query *q*; roots are skipped. It knows the graph but not the transition matrix. With
    several parents a child counts when its parents carry the tokens of the target's parents, all of them or those at
    ``parents``.

    Parameters
    ----------
    task : InContextTask
        Any task whose graph has a narrow frontier, of any length: forests with an independent query, order-k chains.
    smoothing : float
        The constant *c*, greater than 0, from 1e-300 to 1e300.
    parents : iterable of int, optional
        Which of the target's parents count, as places in ``target_parents`` from 0; all by default.
    method : {"exact", "monte_carlo"}
        ``"monte_carlo"`` averages ``samples`` independent sequences: the way for graphs with a wide frontier.
    samples : int
        Sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices, or transition tensors, to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of draws and sequences.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Raises
    ------
    InvalidArgumentError
        If ``smoothing`` is out of range or another argument is out of range.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, counts_rule_loss, loss_floor
    >>> task = InContextTask(CausalGraph.chain(400), PointPrior([[0.2, 0.8], [0.7, 0.3]]))
    >>> bool(0.0 < float(counts_rule_loss(task, smoothing=1.0)) - float(loss_floor(task)) < 0.01)
    True
    """
    c = _check_smoothing(smoothing)
    slots = _check_slots(parents, len(task.graph.target_parents))
    if check_choice("method", method, get_args(ExactOrSampled)) == "monte_carlo":
        return sampled_counting(task, c, slots, check_integer("samples", samples, 2), rng)
    return task.prior.average(choose_engine(task, "counts_rule_loss").counting(c, slots), draws=draws, rng=rng)


@default_floats
def unigram_loss(
    task: InContextTask,
    *,
    smoothing: float,
    method: ExactOrSampled = "exact",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the loss of counting tokens, in nats.

    The prediction is :math:`(n_b + c) / (n + S c)` with :math:`n_b` the number of tokens that equal *b*, of *n*. It
    knows neither graph nor query. All T tokens count, but for a last one without parents: that is independent of all
    else and uniform, also where the target has other parents besides. So *n* is T - 1 with an independent query and T
    when the last token is a child. The baseline ``"unigram"`` of :func:`causal_theory.train_sgd` counts the same.

    Parameters
    ----------
    task : InContextTask
        Any task whose graph has a narrow frontier, of any length: forests with an independent query, order-k chains.
    smoothing : float
        The constant *c*, greater than 0, from 1e-300 to 1e300.
    method : {"exact", "monte_carlo"}
        ``"monte_carlo"`` averages ``samples`` independent sequences: the way for graphs with a wide frontier.
    samples : int
        Sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices, or transition tensors, to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of draws and sequences.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Raises
    ------
    InvalidArgumentError
        If ``smoothing`` is out of range or another argument is out of range.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, counts_rule_loss, unigram_loss
    >>> task = InContextTask(CausalGraph.chain(50), PointPrior([[0.1, 0.9], [0.9, 0.1]]))
    >>> bool(float(unigram_loss(task, smoothing=1.0)) > float(counts_rule_loss(task, smoothing=1.0)))
    True
    """
    c = _check_smoothing(smoothing)
    if check_choice("method", method, get_args(ExactOrSampled)) == "monte_carlo":
        return sampled_token_counting(task, c, check_integer("samples", samples, 2), rng)
    return task.prior.average(choose_engine(task, "unigram_loss").token_counting(c), draws=draws, rng=rng)


def _check_smoothing(smoothing: float) -> float:
    c = check_positive("smoothing", smoothing)
    if not SMALLEST_SMOOTHING <= c <= LARGEST_SMOOTHING:
        raise InvalidArgumentError(
            f"smoothing must be a number from {SMALLEST_SMOOTHING:g} to {LARGEST_SMOOTHING:g}, got {smoothing!r}"
        )
    return c


def _check_slots(parents: Iterable[int] | None, count: int) -> tuple[int, ...]:
    if parents is None:
        return tuple(range(count))
    if isinstance(parents, str) or not isinstance(parents, Iterable):
        raise InvalidArgumentError(f"parents must be places in target_parents, got {parents!r}")
    slots = tuple(check_integer("parents", slot, 0) for slot in parents)
    if len(set(slots)) != len(slots) or any(slot >= count for slot in slots):
        raise InvalidArgumentError(f"parents must be distinct places from 0 to {count - 1}, got {slots}")
    return slots
