"""Stage 2: gradient descent on the second attention matrix, the first layer attending to the parents."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.parent_attention import parent_attention_gradient, parent_attention_loss
from causal_theory.progress import track
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_integer, check_positive

__all__ = ["Stage2", "Stage2Run", "run_stage2"]

Array = NDArray[np.float64]
Path = Literal["full", "one_parameter"]
Status = Literal["stopped", "diverged"]
OVERFLOW = 600.0
"""Spread of A2 from which weights underflow: the run is called divergent."""


@dataclass(frozen=True)
class Stage2:
    """Settings of stage 2.

    Attributes
    ----------
    steps : int
        Number of gradient steps.
    learning_rate : float
        Step size.
    path : {"full", "one_parameter"}
        ``"full"`` trains all of ``A2``. ``"one_parameter"`` trains the multiple of ``I - 11^T/S``, which is all that
        moves under a prior that does not know the names of the symbols.
    """

    steps: int = 100
    learning_rate: float = 1.0
    path: Path = "full"

    def __post_init__(self) -> None:
        """Check the settings."""
        check_integer("steps", self.steps, 1)
        check_positive("learning_rate", self.learning_rate)
        check_choice("path", self.path, get_args(Path))


@dataclass(frozen=True, eq=False)
class Stage2Run:
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
        ``"diverged"``: the loss or the matrix left the range of floating point; what came before is kept.
    """

    A2: Array
    losses: Array
    trajectory: Array
    status: Status


def run_stage2(
    task: InContextTask, settings: Stage2, *, epsilon: float, beta0: float = 0.0, rng: SeedLike = 0
) -> Stage2Run:
    """Run stage 2 from ``beta0 I``; see :func:`causal_theory.train_population`.

    Under a prior that is averaged over draws every step uses the same draws.
    """
    task.require_query("run_stage2")
    size = task.vocab_size
    seed = np.random.default_rng(rng).integers(2**63)
    A2 = beta0 * np.eye(size)
    direction = np.eye(size) - 1.0 / size
    losses: list[float] = []
    matrices: list[Array] = []
    for step in track(range(settings.steps + 1), "stage 2"):
        loss = float(parent_attention_loss(task, A2, epsilon=epsilon, rng=int(seed)))
        if not np.isfinite(loss):
            return _result(matrices, losses, "diverged")
        losses.append(loss)
        matrices.append(A2.copy())
        if step == settings.steps:
            break
        gradient = parent_attention_gradient(task, A2, epsilon=epsilon, rng=int(seed)).value
        if settings.path == "one_parameter":
            gradient = direction * float((gradient * direction).sum() / (direction**2).sum())
        A2 = A2 - settings.learning_rate * gradient
        if not np.isfinite(A2).all() or np.ptp(A2) > OVERFLOW:
            return _result(matrices, losses, "diverged")
    return _result(matrices, losses, "stopped")


def _result(matrices: list[Array], losses: list[float], status: Status) -> Stage2Run:
    return Stage2Run(matrices[-1], np.array(losses), np.array(matrices), status)
