"""Settings of stage 1."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.population.scores import edge_scores
from causal_theory.specs.base import Option, Spec
from causal_theory.specs.readers import integer, number
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike

Stage1Method = Literal["first_order", "flow", "exact"]

PANEL = "Stage 1"
LEARNING_RATE = 1000.0


@dataclass(frozen=True, repr=False)
class Stage1(Spec):
    r"""Settings of stage 1.

    Parameters
    ----------
    steps : int
        Largest number of steps; fewer when every child row attends to its parent before.
    learning_rate : float, optional
        Step size. One step moves the logits by ``learning_rate * beta0 / T`` times the scores. By default 1000, or what
        ``natural_rate`` makes of it.
    beta0 : float
        Scale of the second attention matrix.
    method : {"first_order", "flow", "exact"}
        ``"first_order"``: discrete steps with the first-order gradient, any length. ``"flow"``: its continuous limit,
        over the same time ``steps * learning_rate``. ``"exact"``: discrete steps with the gradient at ``beta0``, by
        enumeration, for small tasks.
    leave : float
        Distance from uniform attention, largest over entries, beyond which a root row counts as having left it.
    records : int
        Recorded are the multiples of the smallest power of two that leaves at most twice this number of them, and the
        last step.
    natural_rate : float, optional
        The step size in units of :math:`T / (\beta_0 \max|G|)` instead, with G the edge scores of the context: at a
        rate r no logit moves by more than r/2 a step.

    Raises
    ------
    InvalidArgumentError
        If a setting is out of range.

    Examples
    --------
    >>> Stage1(steps=500).method
    'first_order'
    """

    WHAT: ClassVar[str] = "settings of stage 1"

    steps: Annotated[
        int,
        Option(
            "Most steps; stage 1 ends when every child row gives its parent 1 - 1/T, at a natural rate of 0.1 after "
            "about 20 T steps.",
            PANEL,
            integer(1),
            name="steps1",
        ),
    ] = 10_000
    learning_rate: Annotated[
        float | None, Option("Step size, instead of one in natural units.", PANEL, number(), name="learning_rate1")
    ] = LEARNING_RATE
    beta0: Annotated[float, Option("Scale of the second matrix in stage 1.", PANEL, number())] = 0.01
    method: Annotated[
        Stage1Method,
        Option(
            "Steps to first order in beta0, their continuous limit, or steps with the gradient at beta0 (a sum over "
            "all sequences, for small tasks).",
            PANEL,
        ),
    ] = "first_order"
    leave: Annotated[
        float, Option("Distance from uniform at which a root row counts as having left it.", PANEL, number())
    ] = 0.1
    records: int = 200
    natural_rate: Annotated[
        float | None,
        Option(
            "Step size in units of T / (beta0 max|G|), G the edge scores of the context: at rate r no logit moves by "
            "more than r/2 a step.",
            PANEL,
            number(),
            name="natural_rate1",
        ),
    ] = None

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        integer(2)("records", self.records)
        choose_rate(self, LEARNING_RATE)

    @default_floats
    def rate(self, length: int) -> float:
        """Return what one step adds to the time of the flow.

        Parameters
        ----------
        length : int
            T.

        Returns
        -------
        float
            ``learning_rate * beta0 / T``.

        Raises
        ------
        InvalidArgumentError
            If there is a natural rate only, whose size depends on the task.
        """
        return plain_rate(self.learning_rate) * self.beta0 / length

    @default_floats
    def resolved(self, task: InContextTask, *, epsilon: float, rng: SeedLike = 0) -> "Stage1":
        """Return the settings with a plain learning rate in place of a natural one.

        Only rows of the context with several keys set the unit: the row of the query decides no edge, and can hold
        the largest score by far. Without such rows nothing does, and 1 takes the place of the largest score.

        Parameters
        ----------
        task : InContextTask
            What is trained on.
        epsilon : float
            The constant inside the logarithm of the loss.
        rng : seed or numpy Generator, optional
            Source of draws for priors that are averaged over draws.

        Returns
        -------
        Stage1
            These settings themselves when their rate is plain.

        Examples
        --------
        >>> from causal_theory import CausalGraph, InContextTask, PointPrior
        >>> task = InContextTask(CausalGraph.chain(2), PointPrior([[0.9, 0.1], [0.2, 0.8]]))
        >>> Stage1(natural_rate=0.5, beta0=0.1).resolved(task, epsilon=0.1).learning_rate
        10.0
        """
        if self.natural_rate is None:
            return self
        scores = np.abs(edge_scores(task, epsilon=epsilon, rng=rng).value[1:-1, :-1])
        largest = float(scores.max(initial=0.0))
        unit = task.length / (self.beta0 * (largest if largest > 0.0 else 1.0))
        return replace(self, learning_rate=self.natural_rate * unit, natural_rate=None)


def plain_rate(learning_rate: float | None) -> float:
    """Return the plain learning rate of a stage.

    Raises
    ------
    InvalidArgumentError
        If there is a natural one only.
    """
    if learning_rate is None:
        raise InvalidArgumentError("learning_rate must be plain here, got a natural_rate; see the method resolved")
    return learning_rate


def choose_rate(stage: Any, default: float) -> None:
    """Leave a stage one of its two rates; ``default`` is that of the plain one.

    Raises
    ------
    InvalidArgumentError
        If both were given.
    """
    if stage.natural_rate is None:
        chosen = default if stage.learning_rate is None else stage.learning_rate
    elif stage.learning_rate not in (None, default):
        raise InvalidArgumentError(
            f"natural_rate must not be given together with learning_rate, got {stage.natural_rate}"
        )
    else:
        chosen = None
    object.__setattr__(stage, "learning_rate", chosen)
