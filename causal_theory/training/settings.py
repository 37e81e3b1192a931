"""What a training run is asked for; settings travel through configuration files and checkpoints as plain JSON."""

import math
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from typing import Any, Literal, get_args

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.validation import check_choice, check_integer, check_number, check_probability

__all__ = ["OptimizerName", "Recipe", "ScheduleName", "TrainingSettings"]

OptimizerName = Literal["sgd", "adamw"]
ScheduleName = Literal["constant", "cosine"]
Recipe = Literal["joint", "two_stage"]


@dataclass(frozen=True)
class TrainingSettings(Shown):
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

    steps: int
    batch_size: int
    learning_rate: float
    optimizer: OptimizerName = "sgd"
    schedule: ScheduleName = "constant"
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    adam_epsilon: float = 1e-8
    recipe: Recipe = "joint"
    first_steps: int = 0
    test_size: int = 4096
    records: int = 256
    snapshots: int = 32

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, least in (("steps", 1), ("batch_size", 1), ("first_steps", 0), ("test_size", 2), ("records", 1)):
            check_integer(name, getattr(self, name), least)
        check_integer("snapshots", self.snapshots, 1)
        object.__setattr__(self, "learning_rate", check_number("learning_rate", self.learning_rate))
        object.__setattr__(self, "adam_epsilon", check_number("adam_epsilon", self.adam_epsilon))
        check_choice("optimizer", self.optimizer, get_args(OptimizerName))
        check_choice("schedule", self.schedule, get_args(ScheduleName))
        check_choice("recipe", self.recipe, get_args(Recipe))
        object.__setattr__(self, "weight_decay", check_number("weight_decay", self.weight_decay, or_zero=True))
        for name in ("beta1", "beta2"):
            given = getattr(self, name)
            number = check_probability(name, given)
            if number == 1.0:
                raise InvalidArgumentError(f"{name} must be at least 0 and less than 1, got {given!r}")
            object.__setattr__(self, name, given if isinstance(given, int | float) else number)
        if self.first_steps >= self.steps and self.recipe == "two_stage":
            raise InvalidArgumentError(
                f"first_steps must be less than steps = {self.steps} in two stages, got {self.first_steps}"
            )

    def __repr__(self) -> str:
        """Show what differs from the defaults; evaluating it gives the settings back."""
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if self._is_set(field))
        return f"TrainingSettings({', '.join(shown)})"

    def _is_set(self, field: "Field[Any]") -> bool:
        return bool(getattr(self, field.name) != field.default)

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

    def as_dict(self) -> dict[str, Any]:
        """Return all settings by name.

        Returns
        -------
        dict
            In terms of JSON.
        """
        return asdict(self)

    @classmethod
    @default_floats
    def from_dict(cls, content: Mapping[str, Any]) -> "TrainingSettings":
        """Return settings from their names.

        Parameters
        ----------
        content : mapping
            Values by name; ``steps``, ``batch_size`` and ``learning_rate`` are required.

        Returns
        -------
        TrainingSettings
            The settings.

        Raises
        ------
        InvalidArgumentError
            If a name is unknown, a required one is missing, or a value is out of range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise InvalidArgumentError(f"settings must be among {', '.join(known)}, got {', '.join(unknown)}")
        missing = [name for name in ("steps", "batch_size", "learning_rate") if name not in content]
        if missing:
            raise InvalidArgumentError(
                f"settings must contain {', '.join(missing)}, got {', '.join(content) or 'none'}"
            )
        return cls(**content)
