"""Settings of a training run: plain values that travel through configuration files and checkpoints as JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.specs.base import Option, Spec, options_of
from causal_theory.specs.readers import integer, number, share

OptimizerName = Literal["sgd", "adamw"]
ScheduleName = Literal["constant", "cosine"]
Recipe = Literal["joint", "two_stage"]

REQUIRED = ("steps", "batch_size", "learning_rate")
"""Settings without a default."""

SETTINGS, OPTIMIZER, MEASUREMENTS = "Training", "Optimizer", "Measurements"


@dataclass(frozen=True, repr=False)
class TrainingSettings(Spec):
    """Settings of :func:`causal_theory.train_sgd`.

    Parameters
    ----------
    steps : int
        Number of steps.
    batch_size : int
        Fresh sequences per step.
    learning_rate : float
        Step size at the start.
    optimizer : {"sgd", "adamw"}
        Plain gradient steps, or Adam with decoupled weight decay.
    schedule : {"constant", "cosine"}
        ``"cosine"``: the rate falls to zero like ``(1 + cos(pi step / steps)) / 2``.
    weight_decay : float
        Parameters shrink by ``rate * weight_decay`` in every step, at least 0.
    beta1, beta2, adam_epsilon : float
        Constants of AdamW.
    recipe : {"joint", "two_stage"}
        All matrices together, or the first matrix alone for ``first_steps`` and then the second one alone.
    first_steps : int
        Length of the first stage; 0 stands for half the steps.
    test_size : int
        Held-out sequences, the same at every measurement.
    records : int
        Number of windows over which the loss of training is averaged.
    snapshots : int
        Number of measurements on the held-out sequences, besides the one at the start.

    Raises
    ------
    InvalidArgumentError
        If a setting is out of range.

    Examples
    --------
    >>> settings = TrainingSettings(steps=100, batch_size=32, learning_rate=0.5, schedule="cosine")
    >>> settings.rate(0), settings.rate(50), settings.rate(100)
    (0.5, 0.25, 0.0)
    """

    WHAT: ClassVar[str] = "settings"

    steps: Annotated[int, Option("Steps.", SETTINGS, integer(1))]
    batch_size: Annotated[int, Option("Fresh sequences per step.", SETTINGS, integer(1))]
    learning_rate: Annotated[float, Option("Step size at the start.", SETTINGS, number())]
    optimizer: Annotated[OptimizerName, Option("Plain gradient steps, or AdamW.", OPTIMIZER)] = "sgd"
    schedule: Annotated[ScheduleName, Option("Constant, or falling to zero like a cosine.", SETTINGS)] = "constant"
    weight_decay: Annotated[
        float, Option("Parameters shrink by rate times this in every step.", OPTIMIZER, number(or_zero=True))
    ] = 0.0
    beta1: Annotated[float, Option("AdamW: memory of the mean.", OPTIMIZER, share)] = 0.9
    beta2: Annotated[float, Option("AdamW: memory of the square.", OPTIMIZER, share)] = 0.999
    adam_epsilon: Annotated[float, Option("AdamW: added to the root of the square.", OPTIMIZER, number())] = 1e-8
    recipe: Annotated[
        Recipe,
        Option("All matrices together, or, for two matrices, the first alone and then the second.", SETTINGS),
    ] = "joint"
    first_steps: Annotated[int, Option("Steps of the first of two stages (0: half of them).", SETTINGS, integer(0))] = 0
    test_size: Annotated[int, Option("Held-out sequences.", MEASUREMENTS, integer(2))] = 4096
    records: Annotated[int, Option("Windows of steps over which the loss is averaged.", MEASUREMENTS, integer(1))] = 256
    snapshots: Annotated[
        int,
        Option("Measurements on the held-out sequences after the one at the start.", MEASUREMENTS, integer(1)),
    ] = 32

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_steps >= self.steps and self.recipe == "two_stage":
            raise InvalidArgumentError(
                f"first_steps must be less than steps = {self.steps} in two stages, got {self.first_steps}"
            )

    @default_floats
    def rate(self, step: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        float
            The rate.
        """
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / self.steps))

    @property
    def switch(self) -> int:
        """The step at which two stages change."""
        return self.first_steps or self.steps // 2

    @classmethod
    @default_floats
    @override
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        missing = [name for name in REQUIRED if isinstance(content, Mapping) and name not in content]
        if missing and set(content) <= set(options_of(cls)):
            raise InvalidArgumentError(
                f"settings must contain {', '.join(missing)}, got {', '.join(content) or 'none'}"
            )
        return super().from_dict(content)
