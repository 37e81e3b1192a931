"""What stage 1 is asked for."""

from dataclasses import dataclass
from typing import Literal, get_args

from causal_theory.display import Shown
from causal_theory.floats import default_floats
from causal_theory.validation import check_choice, check_integer, check_number

__all__ = ["Stage1", "Stage1Method"]

Stage1Method = Literal["first_order", "flow", "exact"]


@dataclass(frozen=True)
class Stage1(Shown):
    """Settings of stage 1.

    Parameters
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
        Recorded are the multiples of the smallest power of two that leaves at most twice this number of them, and the
        last step.

    Raises
    ------
    InvalidArgumentError
        If a setting is out of range.

    Examples
    --------
    >>> Stage1(steps=500).method
    'first_order'
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
        object.__setattr__(self, "learning_rate", check_number("learning_rate", self.learning_rate))
        object.__setattr__(self, "beta0", check_number("beta0", self.beta0))
        check_choice("method", self.method, get_args(Stage1Method))
        object.__setattr__(self, "leave", check_number("leave", self.leave))
        check_integer("records", self.records, 2)

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
        """
        return self.learning_rate * self.beta0 / length
