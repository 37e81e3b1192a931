"""Learning curves: the best loss of stage 2 against the length of the sequence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.dynamics.minimum import Point, smallest_on
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.population.baselines import loss_floor
from causal_theory.population.engines import AnyGraph, choose_engine
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.progress import track
from causal_theory.tables import Tabular
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_epsilon, check_integer

Array = NDArray[np.float64]
LARGEST = 40.0
"""Largest multiple of I that is tried: beyond it the softmax is one-hot to roundoff."""


@dataclass(frozen=True, eq=False)
class LearningCurve(Tabular, Shown):
    """Best losses against length.

    Attributes
    ----------
    lengths : ndarray of int64, shape (R,)
        Lengths T.
    epsilons : ndarray, shape (R,)
        The constant inside the logarithm at each length.
    losses, floors : ndarray, shape (R,)
        Best loss over multiples of I for ``A2``, and the entropy floor, in nats.
    multiples : ndarray, shape (R,)
        Where the best loss is taken.
    vocab_size : int
        S.
    exponent, exponent_error : float
        Slope of ``log(normalised_excess)`` against ``log T`` over the fitted lengths, and its standard error from the
        scatter around the line (NaN with two lengths).
    """

    lengths: NDArray[np.int64]
    epsilons: Array
    losses: Array
    floors: Array
    multiples: Array
    vocab_size: int
    exponent: float
    exponent_error: float

    def __repr__(self) -> str:
        """Return one line: the lengths, the range of the excess and the exponent."""
        first, last = self.normalised_excess[[0, -1]]
        return (
            f"LearningCurve(T = {self.lengths[0]} to {self.lengths[-1]}, normalised excess {first:.4g} to {last:.4g} "
            f"nats, exponent {self.exponent_text})"
        )

    @property
    def exponent_text(self) -> str:
        """The exponent with its standard error, in words when there is none."""
        if np.isnan(self.exponent):
            return "undefined"
        bar = "" if np.isnan(self.exponent_error) else f" +- {self.exponent_error:.2g}"
        return f"{self.exponent:.3f}{bar}"

    @property
    def at_end(self) -> NDArray[np.bool_]:
        """Lengths at which the best multiple is an end of the range, 0 or 40, so that the best loss may lie beyond."""
        return np.array([_at_end(multiple) for multiple in self.multiples.tolist()])

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table, one row for each length."""
        given = {"length": self.lengths, "epsilon": self.epsilons, "loss": self.losses, "floor": self.floors}
        return given | {"normalised_excess": self.normalised_excess, "multiple": self.multiples}

    @property
    def excess(self) -> Array:
        """Loss minus floor, in nats; negative values are possible, because f + eps is not normalised."""
        return self.losses - self.floors

    @property
    @default_floats
    def normalised_excess(self) -> Array:
        """Excess of ``(f + eps) / (1 + S eps)``, which is a probability vector: never negative."""
        return self.excess + np.log1p(self.vocab_size * self.epsilons)


class BestMultiple(NamedTuple):
    """The best multiple of the identity, and its loss.

    Attributes
    ----------
    multiple : float
        Where the loss is smallest.
    loss : float
        The loss there, in nats.
    """

    multiple: float
    loss: float

    @property
    def at_end(self) -> bool:
        """Whether the loss is smallest at an end of the range, 0 or 40, so that a multiple beyond may be better."""
        return _at_end(self.multiple)


def _at_end(multiple: float) -> bool:
    return multiple in (0.0, LARGEST)


@default_floats
def best_multiple(
    task: InContextTask, *, epsilon: float, draws: int = DEFAULT_DRAWS, rng: SeedLike = 0
) -> BestMultiple:
    """Return the multiple of I for ``A2`` with the smallest loss, and that loss; with several parents for every head.

    The loss may have several local minima. Its derivatives are bounded, so that values and slopes at the ends of an
    interval bound it inside; what cannot hold the smallest value is dropped, the rest is split.

    Parameters
    ----------
    task : InContextTask
        Any task whose graph has a narrow frontier, of any length: forests with an independent query, order-k chains.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    draws : int
        Transition tensors to draw for priors that are averaged over draws.
    rng : int or Generator, optional
        Source of these draws, the same for every multiple.

    Returns
    -------
    multiple : float
        Between 0 and 40, to 1e-5.
    loss : float
        The loss there, in nats: no other multiple in the range has one that is smaller by more than 2e-7. The result
        also has ``at_end``, which says whether the multiple is 0 or 40.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> task = InContextTask(CausalGraph.chain(50), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> multiple, loss = best_multiple(task, epsilon=0.02)
    >>> multiple > 1.0, loss < 0.55
    (True, True)
    >>> best_multiple(task, epsilon=0.02).at_end
    False
    """
    seed = int(as_generator(rng).integers(2**63))
    copy = np.stack([np.eye(task.vocab_size)] * len(task.graph.target_parents))
    return best_multiple_of(task, copy, epsilon=epsilon, upper=LARGEST, draws=draws, rng=seed)


def best_multiple_of(
    task: InContextTask,
    pattern: Array,
    *,
    epsilon: float,
    upper: float,
    draws: int = DEFAULT_DRAWS,
    rng: int = 0,
) -> BestMultiple:
    """Return the same for multiples, from 0 to ``upper``, of any matrices (k, S, S)."""
    engine = choose_engine(task, "best_multiple")
    evaluate = cache(partial(_point_at, engine, pattern, check_epsilon(epsilon), draws, rng))
    # The logits of a position span no more than the columns of the matrices do together.
    reach = float(np.ptp(pattern, axis=1).max(axis=1).sum())
    best = smallest_on(evaluate, upper, reach)
    return BestMultiple(best.at, best.loss)


def _point_at(engine: AnyGraph, pattern: Array, epsilon: float, draws: int, rng: int, multiple: float) -> Point:
    found = engine.task.prior.average(engine.along(pattern, multiple, epsilon), draws=draws, rng=rng)
    return Point(multiple, *found.value.tolist())


@default_floats
def learning_curve(
    task_family: Callable[[int], InContextTask],
    lengths: Sequence[int],
    *,
    epsilon: Callable[[int], float] | None = None,
    fit_last: int = 4,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = 0,
) -> LearningCurve:
    """Return the best loss over the one-parameter path of stage 2 at several lengths, exactly.

    With several parents every head has the same multiple of I.

    Parameters
    ----------
    task_family : callable
        Maps a length T to a task.
    lengths : sequence of int
        At least two, increasing.
    epsilon : callable, optional
        Maps a length to the constant inside the logarithm; ``1 / T`` by default.
    fit_last : int
        Number of lengths, counted from the longest, that the exponent is fitted to.
    draws : int
        Transition tensors to draw for priors that are averaged over draws.
    rng : int or Generator, optional
        Source of these draws; every length uses the same ones.

    Returns
    -------
    LearningCurve
        Best losses and floors, and the exponent of the excess.

    Raises
    ------
    InvalidArgumentError
        If there are fewer than two lengths or they do not increase.

    Notes
    -----
    ``f + eps`` sums to ``1 + S eps``, which gains ``log(1 + S eps)`` nats. Counting ``m`` children costs about
    ``(S - 1)/(2 m)`` times the mean of ``1/mu_q`` over symbols. With ``eps = 1/T`` both are of order ``1/T``: on a
    chain with uniform ``mu`` the gain is ``S/T``, the cost ``S (S - 1)/(2T)``, and for three symbols they cancel. The
    exponent is therefore fitted to the normalised excess, which is the cost alone.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> prior = OrbitPrior([[0.3, 0.0, 0.7], [0.2, 0.2, 0.6], [0.4, 0.2, 0.4]])
    >>> curve = learning_curve(lambda T: InContextTask(CausalGraph.chain(T), prior), [160, 320, 640])
    >>> bool((curve.normalised_excess > 0.0).all() and -1.0 < curve.exponent < -0.9)
    True
    """
    sizes = [check_integer("lengths", length, 2) for length in lengths]
    if len(sizes) < 2 or any(a >= b for a, b in pairwise(sizes)):
        raise InvalidArgumentError(f"lengths must be at least two increasing integers, got {list(lengths)}")
    check_integer("fit_last", fit_last, 2)
    seed = int(as_generator(rng).integers(2**63))
    losses, floors, multiples, constants, symbols = [], [], [], [], 0
    for length in track(sizes, "learning curve"):
        task = task_family(length)
        symbols = task.vocab_size
        constants.append(check_epsilon(epsilon(length) if epsilon is not None else 1.0 / length))
        best = best_multiple(task, epsilon=constants[-1], draws=draws, rng=seed)
        losses.append(best.loss)
        multiples.append(best.multiple)
        floors.append(float(loss_floor(task, draws=draws, rng=seed)))
    curve = LearningCurve(
        lengths=np.array(sizes),
        epsilons=np.array(constants),
        losses=np.array(losses),
        floors=np.array(floors),
        multiples=np.array(multiples),
        vocab_size=symbols,
        exponent=np.nan,
        exponent_error=np.nan,
    )
    exponent, error = _slope(curve.lengths[-fit_last:].astype(np.float64), curve.normalised_excess[-fit_last:])
    return replace(curve, exponent=exponent, exponent_error=error)


def _slope(lengths: Array, excess: Array) -> tuple[float, float]:
    """Slope in logarithms with its standard error (NaN with two points, which leave no scatter)."""
    if (excess <= 0.0).any():  # a deterministic chain: nothing is left but roundoff
        return float("nan"), float("nan")
    x, y = np.log(lengths), np.log(excess)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    if len(x) == 2:
        return slope, float("nan")
    residuals = y - y.mean() - slope * centred
    return slope, float(np.sqrt(residuals @ residuals / (len(x) - 2) / (centred @ centred)))
