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
    gradient_tasks : int
        Small tasks whose gradient is enumerated.
    chi2_forests : int
        Random forests on which limit scores are compared with informations.
    inequality_forests : int
        Random forests on which the inequalities of information are checked.
    longest : int
        Largest length T in studies of convergence, 10 times a power of two.
    convergence_matrices : int
        Transition matrices in studies of convergence.
    prior_draws : int
        Matrices drawn from a Dirichlet prior.
    random_forests : int
        Random forests per setting, where the other graph families have one graph.
    orbit_matrices : int
        Matrices of trace one per setting.
    recovery_lengths : tuple of int
        Lengths T at which edges are recovered under orbit priors.
    """

    name: str
    gradient_tasks: int
    chi2_forests: int
    inequality_forests: int
    longest: int
    convergence_matrices: int
    prior_draws: int
    random_forests: int
    orbit_matrices: int
    recovery_lengths: tuple[int, ...]


QUICK = Profile(
    name="quick",
    gradient_tasks=12,
    chi2_forests=200,
    inequality_forests=2000,
    longest=640,
    convergence_matrices=8,
    prior_draws=256,
    random_forests=3,
    orbit_matrices=6,
    recovery_lengths=(20, 50, 100, 200),
)
"""Under two minutes on two cores, compile time included."""

FULL = Profile(
    name="full",
    gradient_tasks=60,
    chi2_forests=2000,
    inequality_forests=20_000,
    longest=2560,
    convergence_matrices=16,
    prior_draws=2048,
    random_forests=20,
    orbit_matrices=40,
    recovery_lengths=(20, 50, 100, 200, 400),
)
"""More of everything: larger samples, longer sequences."""

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (QUICK, FULL)}
