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
    training_length : int
        Length T of sequences over three symbols that are enumerated at every step of a trajectory.
    training_matrices : int
        Transition matrices per graph family or length, in studies of a trajectory.
    training_steps : int
        Steps of stage 2.
    training_first_steps : int
        Transition matrices per setting of which only the first step of stage 2 is taken.
    training_sequences : int
        Sequences sampled per trained model.
    training_lengths : tuple of int
        Lengths T of the chains on which both stages are run.
    stage1_lengths : tuple of int
        Lengths at which child rows are followed to the end of stage 1.
    stage1_matrices : int
        Matrices of trace one per setting of stage 1.
    window_lengths : tuple of int
        Lengths at which root rows are timed.
    curve_lengths : tuple of int
        Lengths of learning curves.
    curve_matrices : int
        Matrices per learning curve.
    transfer_matrices : int
        Matrices that a trained model is tested on, per kind.
    transfer_samples : int
        Sequences sampled per test of a trained model.
    agreement_sequences : int
        Sequences whose gradients are averaged.
    trajectory_batches, trajectory_steps : tuple of int
        Batch sizes and numbers of steps of stochastic descents.
    trajectory_repeats : int
        Runs per batch size and number of steps.
    published_training : bool
        Whether the full model is trained with the published budgets.
    short_training_steps : int
        Steps where it is not.
    many_graphs : int
        Random forests that the full model is trained on.
    search_evaluations : int
        Matrices that a search for a counterexample may try.
    kernel_draws : int
        Kernels of two parents per prior whose informations of single positions are computed.
    subset_draws : int
        Kernels per task of which the informations of all small sets of positions are computed.
    subset_graphs : int
        Random graphs with several parents.
    construction_lengths : tuple of int
        Lengths at which the construction for several parents is followed.
    three_parent_symbols : int
        Largest number of symbols at which it is followed with three parents.
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
    training_length: int
    training_matrices: int
    training_steps: int
    training_first_steps: int
    training_sequences: int
    training_lengths: tuple[int, ...]
    stage1_lengths: tuple[int, ...]
    stage1_matrices: int
    window_lengths: tuple[int, ...]
    curve_lengths: tuple[int, ...]
    curve_matrices: int
    transfer_matrices: int
    transfer_samples: int
    agreement_sequences: int
    trajectory_batches: tuple[int, ...]
    trajectory_steps: tuple[int, ...]
    trajectory_repeats: int
    published_training: bool
    short_training_steps: int
    many_graphs: int
    search_evaluations: int
    kernel_draws: int
    subset_draws: int
    subset_graphs: int
    construction_lengths: tuple[int, ...]
    three_parent_symbols: int


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
    training_length=7,
    training_matrices=2,
    training_steps=20,
    training_first_steps=60,
    training_sequences=1000,
    training_lengths=(20, 50, 100),
    stage1_lengths=(20, 50, 100, 200),
    stage1_matrices=3,
    window_lengths=(20, 50, 100, 200, 400),
    curve_lengths=(40, 160, 640, 2560),
    curve_matrices=2,
    transfer_matrices=3,
    transfer_samples=2000,
    agreement_sequences=100_000,
    trajectory_batches=(32, 128, 512, 2048),
    trajectory_steps=(10, 40),
    trajectory_repeats=6,
    published_training=False,
    short_training_steps=2500,
    many_graphs=2,
    search_evaluations=4000,
    kernel_draws=3000,
    subset_draws=200,
    subset_graphs=3,
    construction_lengths=(20, 80, 320, 1280),
    three_parent_symbols=2,
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
    training_length=8,
    training_matrices=8,
    training_steps=40,
    training_first_steps=1000,
    training_sequences=4000,
    training_lengths=(20, 50, 100, 200, 400),
    stage1_lengths=(20, 50, 100, 200),
    stage1_matrices=12,
    window_lengths=(20, 50, 100, 200, 400, 800, 1600),
    curve_lengths=(40, 160, 640, 2560, 10_240),
    curve_matrices=6,
    transfer_matrices=12,
    transfer_samples=20_000,
    agreement_sequences=2_000_000,
    trajectory_batches=(32, 128, 512, 2048, 8192),
    trajectory_steps=(10, 40, 160),
    trajectory_repeats=20,
    published_training=True,
    short_training_steps=2500,
    many_graphs=20,
    search_evaluations=60_000,
    kernel_draws=20_000,
    subset_draws=4000,
    subset_graphs=12,
    construction_lengths=(20, 80, 320, 1280, 5120),
    three_parent_symbols=3,
)
"""Larger samples, longer sequences."""

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (QUICK, FULL)}
