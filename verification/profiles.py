"""How much work a run may do: the quick profile is for every day, the full one for the record."""

from dataclasses import dataclass

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True)
class Profile:
    """Named budgets.

    Attributes
    ----------
    name : str
        "quick", "full", or anything in tests.
    gradient_tasks : int
        Tasks on which the gradient is compared with its first order.
    forests : int
        Random forests on which the scores of edges are compared with informations.
    information_forests : int
        Random forests for the data-processing inequality.
    lengths : tuple of int
        Lengths for the approach to the limit.
    recovery_lengths : tuple of int
        Lengths for recovery under orbit priors.
    draws : int
        Transition matrices for a Dirichlet prior.
    orbits : int
        Transition matrices of trace one per setting.
    """

    name: str
    gradient_tasks: int
    forests: int
    information_forests: int
    lengths: tuple[int, ...]
    recovery_lengths: tuple[int, ...]
    draws: int
    orbits: int


PROFILES = {
    "quick": Profile(
        name="quick",
        gradient_tasks=6,
        forests=200,
        information_forests=2000,
        lengths=(10, 20, 40, 80, 160, 320, 640),
        recovery_lengths=(20, 50, 100, 200),
        draws=256,
        orbits=8,
    ),
    "full": Profile(
        name="full",
        gradient_tasks=30,
        forests=1000,
        information_forests=20000,
        lengths=(10, 20, 40, 80, 160, 320, 640, 1280),
        recovery_lengths=(20, 50, 100, 200, 500),
        draws=2048,
        orbits=40,
    ),
}
