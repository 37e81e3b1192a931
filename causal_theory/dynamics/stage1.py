"""Stage 1: gradient descent on the first attention matrix from zero, the second one held at ``beta0 I``."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.kernels.descent import descend, first_hits
from causal_theory.models import causal_softmax
from causal_theory.population.loss import population_gradient
from causal_theory.population.scores import edge_scores
from causal_theory.progress import track
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_integer, check_positive

__all__ = ["Stage1", "Stage1Run", "run_stage1"]

Array = NDArray[np.float64]
Stage1Method = Literal["first_order", "flow", "exact"]
Status = Literal["converged", "stopped", "diverged"]


@dataclass(frozen=True)
class Stage1:
    """Settings of stage 1.

    Attributes
    ----------
    steps : int
        Largest number of steps; fewer when every child row attends to its parent before.
    learning_rate : float
        Step size. One step moves the logits by ``learning_rate * beta0 / T`` times the scores.
    beta0 : float
        Scale of the second attention matrix.
    method : {"first_order", "flow", "exact"}
        ``"first_order"``: discrete steps with the first-order gradient, any length. ``"flow"``: its continuous limit,
        over the same time ``steps * learning_rate``. ``"exact"``: discrete steps with the gradient at ``beta0``, by
        enumeration, for small tasks.
    leave : float
        Distance from uniform attention, largest over entries, beyond which a root row counts as having left it.
    records : int
        Number of recorded steps, spread evenly.
    """

    steps: int = 10_000
    learning_rate: float = 1000.0
    beta0: float = 0.01
    method: Stage1Method = "first_order"
    leave: float = 0.1
    records: int = 200

    def __post_init__(self) -> None:
        """Check the settings."""
        check_integer("steps", self.steps, 1)
        check_positive("learning_rate", self.learning_rate)
        check_positive("beta0", self.beta0)
        check_choice("method", self.method, get_args(Stage1Method))
        check_positive("leave", self.leave)
        check_integer("records", self.records, 2)


@dataclass(frozen=True, eq=False)
class Stage1Run:
    """The course of stage 1.

    Attributes
    ----------
    A1 : ndarray, shape (T, T)
        First attention matrix at the end.
    steps : ndarray of int64, shape (R,)
        Recorded steps.
    attention_on_parents : ndarray, shape (R, T)
        Attention on the parent, NaN for roots.
    root_deviation : ndarray, shape (R, T)
        Largest distance of a root row from uniform attention, NaN for children.
    slowest_child, fastest_root : int
        First step at which every child row has attention of at least ``1 - 1/T`` on its parent, and first step at
        which a root row of the context has left uniform attention; -1 when not within the steps.
    status : {"converged", "stopped", "diverged"}
        ``"converged"``: every child row reached ``1 - 1/T``. ``"stopped"``: the steps were used up.
    """

    A1: Array
    steps: NDArray[np.int64]
    attention_on_parents: Array
    root_deviation: Array
    slowest_child: int
    fastest_root: int
    status: Status

    @property
    def window(self) -> int | None:
        """Steps between the slowest child and the fastest root; None while one of them is unknown."""
        known = self.slowest_child >= 0 and self.fastest_root >= 0
        return self.fastest_root - self.slowest_child if known else None


def run_stage1(task: InContextTask, settings: Stage1, *, epsilon: float, rng: SeedLike = None) -> Stage1Run:
    """Run stage 1; see :func:`causal_theory.train_population`."""
    task.require_query("run_stage1")
    if settings.method == "exact":
        return _exact(task, settings, epsilon)
    scores = edge_scores(task, epsilon=epsilon, rng=rng).value
    if settings.method == "flow":
        return _flow(task, settings, scores)
    return _first_order(task, settings, scores)


def _first_order(task: InContextTask, settings: Stage1, scores: Array) -> Stage1Run:
    length = task.length
    start = np.zeros((length, length))
    parents = task.graph.parent_array
    rate = settings.learning_rate * settings.beta0 / length
    goal = 1.0 - 1.0 / length
    hits = first_hits(start, scores, parents, rate, settings.steps, goal, settings.leave)
    slowest, fastest = _marks(task, hits)
    last = slowest if slowest >= 0 else settings.steps
    recorded = _recorded(last, settings.records)
    final, on_parent, deviation = descend(start, scores, parents, rate, recorded)
    status: Status = "converged" if slowest >= 0 else "stopped"
    return Stage1Run(final, recorded, on_parent, deviation, slowest, fastest, status)


def _marks(task: InContextTask, hits: NDArray[np.int64]) -> tuple[int, int]:
    """Slowest child and fastest root of the context (position 0 has a single key and cannot leave)."""
    parents = task.graph.parent_array
    children = hits[parents >= 0]
    slowest = int(children.max()) if children.size and (children >= 0).all() else 0 if not children.size else -1
    roots = hits[:-1][parents[:-1] < 0]
    left = roots[roots >= 0]
    return slowest, int(left.min()) if left.size else -1


def _recorded(last: int, records: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, last, records).round().astype(np.int64))


def _flow(task: InContextTask, settings: Stage1, scores: Array) -> Stage1Run:
    """Integrate the continuous limit, row by row; rows are short enough for an explicit high-order method."""
    from scipy.integrate import solve_ivp

    length = task.length
    horizon = settings.steps * settings.learning_rate * settings.beta0 / length
    recorded = _recorded(settings.steps, settings.records)
    times = recorded * (horizon / settings.steps)
    logits = np.zeros((len(times), length, length))

    def slope(_: float, row: Array, drive: Array) -> Array:
        weights = np.exp(row - row.max())
        weights /= weights.sum()
        change: Array = weights * (drive - weights @ drive)
        return change

    for i in track(range(1, length), "flow"):
        found = solve_ivp(
            slope,
            (0.0, horizon),
            np.zeros(i + 1),
            method="DOP853",
            t_eval=times,
            args=(scores[i, : i + 1],),
            rtol=1e-9,
            atol=1e-10,
        )
        if not found.success:
            raise InvalidArgumentError(f"learning_rate must let the flow be integrated, row {i}: {found.message}")
        logits[:, i, : i + 1] = found.y.T
    return _from_logits(task, settings, recorded, logits)


def _exact(task: InContextTask, settings: Stage1, epsilon: float) -> Stage1Run:
    """Discrete steps with the gradient at ``beta0``, every one a sum over all sequences."""
    A1 = np.zeros((task.length, task.length))
    A2 = settings.beta0 * np.eye(task.vocab_size)
    recorded = _recorded(settings.steps, settings.records)
    kept = set(recorded.tolist())
    logits = [A1.copy()]
    for step in track(range(1, settings.steps + 1), "stage 1"):
        gradient = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate").A1.value
        A1 = A1 - settings.learning_rate * gradient
        if not np.isfinite(A1).all():
            done = recorded[: len(logits)]
            return _from_logits(task, settings, done, np.array(logits), diverged=True)
        if step in kept:
            logits.append(A1.copy())
    return _from_logits(task, settings, recorded, np.array(logits))


def _from_logits(
    task: InContextTask, settings: Stage1, recorded: NDArray[np.int64], logits: Array, *, diverged: bool = False
) -> Stage1Run:
    """Measure a trajectory given by its recorded matrices; marks are known to the recorded steps only."""
    length = task.length
    parents = task.graph.parent_array
    children = np.flatnonzero(parents >= 0)
    attention = np.array([causal_softmax(matrix) for matrix in logits])
    on_parent = np.full((len(recorded), length), np.nan)
    on_parent[:, children] = attention[:, children, parents[children]]
    deviation = np.full((len(recorded), length), np.nan)
    for i in np.flatnonzero(parents < 0).tolist():
        deviation[:, i] = np.abs(attention[:, i, : i + 1] - 1.0 / (i + 1)).max(axis=1)
    hits = np.full(length, -1)
    with np.errstate(invalid="ignore"):
        marks = np.where(parents >= 0, on_parent >= 1.0 - 1.0 / length, deviation > settings.leave)
    for i in range(length):
        reached = np.flatnonzero(marks[:, i])
        if reached.size:
            hits[i] = int(recorded[reached[0]])
    slowest, fastest = _marks(task, hits)
    status: Status = "diverged" if diverged else "converged" if slowest >= 0 else "stopped"
    return Stage1Run(logits[-1], recorded, on_parent, deviation, slowest, fastest, status)
