"""How much work the main job does: named budgets, one set per profile."""

from dataclasses import dataclass

__all__ = ["FULL", "PROFILES", "QUICK", "Profile"]


@dataclass(frozen=True)
class Profile:
    """Budgets of a run. A claim takes those it needs.

    Attributes
    ----------
    name : str
        Name on the command line.
    enumerated_length : int
        Length T of sequences over three symbols that are enumerated.
    parameter_draws : int
        Random parameters A1 per task.
    edge_forests : int
        Random forests on which limit scores are compared with informations.
    inequality_forests : int
        Random forests on which inequalities are checked.
    lengths : tuple of int
        Lengths T, increasing, for studies of a limit.
    limit_matrices : int
        Transition matrices per study of a limit.
    prior_draws : int
        Matrices drawn from a Dirichlet prior at T = 20.
    long_prior_draws : int
        The same for each longer sequence.
    random_forests : int
        Random forests per setting, where other families have one graph.
    orbit_matrices : int
        Matrices of trace one per setting; a third of them at T >= 100.
    recovery_lengths : tuple of int
        Lengths at which edges are recovered under orbit priors.
    long_recovery_lengths : tuple of int
        Lengths beyond 20 at which edges are recovered under Dirichlet priors.
    """

    name: str
    enumerated_length: int
    parameter_draws: int
    edge_forests: int
    inequality_forests: int
    lengths: tuple[int, ...]
    limit_matrices: int
    prior_draws: int
    long_prior_draws: int
    random_forests: int
    orbit_matrices: int
    recovery_lengths: tuple[int, ...]
    long_recovery_lengths: tuple[int, ...]


QUICK = Profile(
    name="quick",
    enumerated_length=9,
    parameter_draws=3,
    edge_forests=200,
    inequality_forests=2000,
    lengths=(10, 20, 40, 80, 160, 320, 640),
    limit_matrices=6,
    prior_draws=256,
    long_prior_draws=32,
    random_forests=3,
    orbit_matrices=12,
    recovery_lengths=(10, 20, 50, 100, 200),
    long_recovery_lengths=(50, 100),
)
"""Under a minute on two cores."""

FULL = Profile(
    name="full",
    enumerated_length=12,
    parameter_draws=10,
    edge_forests=2000,
    inequality_forests=20_000,
    lengths=(10, 20, 40, 80, 160, 320, 640, 1280, 2560),
    limit_matrices=20,
    prior_draws=4096,
    long_prior_draws=256,
    random_forests=20,
    orbit_matrices=120,
    recovery_lengths=(10, 20, 50, 100, 200, 400),
    long_recovery_lengths=(50, 100, 200),
)
"""Larger samples, longer sequences."""

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (QUICK, FULL)}
