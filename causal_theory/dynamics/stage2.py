"""Stage 2: gradient descent on the second attention matrix, the first layer attending to the parents."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.display import Shown
from causal_theory.dynamics.stage1.settings import choose_rate, plain_rate
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.progress import track
from causal_theory.specs.base import Option, Spec
from causal_theory.specs.readers import integer
from causal_theory.specs.readers import number as positive
from causal_theory.tables import Tabular
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_epsilon
from causal_theory.wording import count

Array = NDArray[np.float64]
Path = Literal["full", "one_parameter"]
Status = Literal["stopped", "diverged"]
PANEL = "Stage 2"
LEARNING_RATE = 1.0
OVERFLOW = 600.0
"""Spread of A2 from which the run is called divergent: every softmax is one-hot, and steps have lost their meaning."""


@dataclass(frozen=True, repr=False)
class Stage2(Spec):
    """Settings of stage 2.

    Parameters
    ----------
    steps : int
        Number of gradient steps.
    learning_rate : float, optional
        Step size; by default 1, or what ``natural_rate`` makes of it.
    path : {"full", "one_parameter"}
        ``"full"`` trains all of ``A2``. ``"one_parameter"`` trains the multiple of ``I - 11^T/S``, which is all that
        moves under a prior that does not know the names of the symbols.
    natural_rate : float, optional
        The step size in units of S instead: at a rate r the diagonal of ``A2 = b I`` moves by ``-r dL/db``.

    Raises
    ------
    InvalidArgumentError
        If a setting is out of range.

    Examples
    --------
    >>> Stage2(steps=30, path="one_parameter")
    Stage2(steps=30, path='one_parameter')
    """

    WHAT: ClassVar[str] = "settings of stage 2"

    steps: Annotated[int, Option("Steps.", PANEL, integer(1), name="steps2")] = 100
    learning_rate: Annotated[
        float | None, Option("Step size, instead of one in natural units.", PANEL, positive(), name="learning_rate2")
    ] = LEARNING_RATE
    path: Annotated[Path, Option("Train all of A2, or its multiple of I - 11^T/S alone.", PANEL)] = "full"
    natural_rate: Annotated[
        float | None,
        Option(
            "Step size in units of S, the symbols: at rate r the diagonal of A2 = b I moves by -r dL/db.",
            PANEL,
            positive(),
            name="natural_rate2",
        ),
    ] = None

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        choose_rate(self, LEARNING_RATE)

    @default_floats
    def resolved(self, task: InContextTask) -> "Stage2":
        """Return the settings with a plain learning rate in place of a natural one.

        Parameters
        ----------
        task : InContextTask
            What is trained on.

        Returns
        -------
        Stage2
            These settings themselves when their rate is plain.

        Examples
        --------
        >>> from causal_theory import CausalGraph, InContextTask, PointPrior
        >>> task = InContextTask(CausalGraph.chain(2), PointPrior([[0.9, 0.1], [0.2, 0.8]]))
        >>> Stage2(natural_rate=4.0).resolved(task).learning_rate
        8.0
        """
        if self.natural_rate is None:
            return self
        return replace(self, learning_rate=self.natural_rate * task.vocab_size, natural_rate=None)


@dataclass(frozen=True, eq=False)
class Stage2Run(Tabular, Shown):
    """The course of stage 2.

    Attributes
    ----------
    A2 : ndarray, shape (S, S)
        Second attention matrix at the end.
    losses : ndarray, shape (R,)
        Loss before every step and at the end, in nats.
    trajectory : ndarray, shape (R, S, S)
        The matrix at each of these losses.
    status : {"stopped", "diverged"}
        ``"diverged"``: a step left the range of floating point, or took entries of the matrix more than 600 apart,
        where every softmax is one-hot; what came before is kept.
    diverged_at : int
        That step, -1 when none.
    """

    A2: Array
    losses: Array
    trajectory: Array
    status: Status
    diverged_at: int = -1

    def __repr__(self) -> str:
        """Return one line: how it ended, losses and the strength of copying."""
        found = ", ".join(f"{name} {fact}" for name, fact in self.facts().items())
        return f"Stage2Run({self.ending}, {found})"

    @property
    def ending(self) -> str:
        """The end of the run and the number of its steps, in words."""
        if self.status == "diverged":
            return f"diverged at step {self.diverged_at}"
        return f"{self.status} after {count(max(len(self.losses) - 1, 0), 'step')}"

    def facts(self) -> dict[str, object]:
        """Return what a notebook and the representation tell of it.

        Returns
        -------
        dict
            Names and values.
        """
        if not len(self.losses):
            return {"symbols": len(self.A2), "loss": "none recorded"}
        return {
            "symbols": len(self.A2),
            "loss": f"{self.losses[0]:.4f} to {self.losses[-1]:.4f} nats",
            "copying": f"{self.copying[0]:.3g} to {self.copying[-1]:.3g}",
        }

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table, one row for each step: the loss before it, and the strength of copying."""
        return {"step": np.arange(len(self.losses)), "loss": self.losses, "copying": self.copying}

    @property
    @default_floats
    def copying(self) -> Array:
        """Mean of the diagonal minus mean of the rest, shape (R,): how much stronger a matching key weighs."""
        size = self.trajectory.shape[1]
        diagonal = np.trace(self.trajectory, axis1=1, axis2=2)
        rest = self.trajectory.sum(axis=(1, 2)) - diagonal
        difference: Array = diagonal / size - rest / (size * (size - 1))
        return difference


@default_floats
def run_stage2(
    task: InContextTask,
    settings: Stage2,
    *,
    epsilon: float,
    beta0: float = 0.0,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = 0,
) -> Stage2Run:
    """Run stage 2 by itself; see :func:`causal_theory.train_population`.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any length.
    settings : Stage2
        Steps and learning rate.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    beta0 : float
        The start is ``A2 = beta0 I``.
    draws : int
        Transition matrices to draw for priors that are averaged over draws.
    rng : int or Generator, optional
        Source of these draws; every step uses the same ones.

    Returns
    -------
    Stage2Run
        Losses and matrices of every step.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive, or ``beta0`` leaves no room for a step.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.dynamics import Stage2, run_stage2
    >>> task = InContextTask(CausalGraph.chain(10), OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]]))
    >>> run = run_stage2(task, Stage2(steps=5), epsilon=0.1)
    >>> len(run.losses), bool((run.losses[1:] < run.losses[:-1]).all())
    (6, True)
    """
    task.require_query("run_stage2")
    epsilon = check_epsilon(epsilon)
    if not abs(beta0) <= OVERFLOW:
        raise InvalidArgumentError(f"beta0 must be at most {OVERFLOW:g}, got {beta0!r}")
    rate, size = plain_rate(settings.resolved(task).learning_rate), task.vocab_size
    seed = int(as_generator(rng).integers(2**63))
    A2 = beta0 * np.eye(size)
    direction = np.eye(size) - 1.0 / size
    losses: list[float] = []
    matrices: list[Array] = []
    for step in track(range(settings.steps + 1), "stage 2"):
        if not _within_reach(A2):
            return _result(matrices, losses, step)
        loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=epsilon, draws=draws, rng=seed)
        if not np.isfinite(loss.value):
            return _result(matrices, losses, step)
        losses.append(float(loss))
        matrices.append(A2)
        slope = gradient.value
        if settings.path == "one_parameter":
            slope = direction * float((slope * direction).sum() / (direction**2).sum())
        with np.errstate(over="ignore", under="ignore"):
            A2 = A2 - rate * slope
    return _result(matrices, losses)


def _within_reach(A2: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(A2).all() and np.ptp(A2) <= OVERFLOW)


def _result(matrices: list[Array], losses: list[float], diverged_at: int = -1) -> Stage2Run:
    status: Status = "diverged" if diverged_at >= 0 else "stopped"
    return Stage2Run(matrices[-1], np.array(losses), np.array(matrices), status, diverged_at)
