"""Both stages of Algorithm 1, one after the other."""

from dataclasses import dataclass

from causal_theory.display import Shown
from causal_theory.dynamics.stage1 import Stage1, Stage1Run, run_stage1
from causal_theory.dynamics.stage2 import Stage2, Stage2Run, run_stage2
from causal_theory.floats import default_floats
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_epsilon


@dataclass(frozen=True, eq=False)
class PopulationRun(Shown):
    """Both stages of a run with exact gradients.

    Attributes
    ----------
    stage1 : Stage1Run
        The first attention matrix.
    stage2 : Stage2Run
        The second one, for a first layer that attends to the parents.
    """

    stage1: Stage1Run
    stage2: Stage2Run

    def __repr__(self) -> str:
        """Return one line for each stage."""
        return f"PopulationRun(\n  {self.stage1!r},\n  {self.stage2!r})"


@default_floats
def train_population(
    task: InContextTask,
    *,
    epsilon: float,
    stage1: Stage1 | None = None,
    stage2: Stage2 | None = None,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = 0,
) -> PopulationRun:
    r"""Run Algorithm 1 on the population loss, without sampling sequences.

    Stage 1 starts at ``A1 = 0``, ``A2 = beta0 I`` and trains ``A1`` alone: to first order in ``beta0`` the rows follow
    :math:`\dot{A}_i = (\beta_0/T)(\mathrm{diag}(a_i) - a_i a_i^T) G_i` with fixed edge scores. Stage 2 trains ``A2``
    alone, with the first layer attending to the parents exactly.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any length.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    stage1, stage2 : Stage1, Stage2, optional
        Settings.
    draws : int
        Transition matrices to draw for priors that are averaged over draws.
    rng : int or Generator
        Source of these draws; every step of a stage uses the same ones.

    Returns
    -------
    PopulationRun
        Trajectories of both stages.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024,
    Algorithm 1.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.dynamics import Stage2, train_population
    >>> task = InContextTask(CausalGraph.chain(10), OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]]))
    >>> run = train_population(task, epsilon=0.05, stage2=Stage2(steps=5))
    >>> run.stage1.status, bool(run.stage2.losses[-1] < run.stage2.losses[0])
    ('converged', True)
    """
    epsilon = check_epsilon(epsilon)
    first, second = stage1 or Stage1(), stage2 or Stage2()
    return PopulationRun(
        run_stage1(task, first, epsilon=epsilon, draws=draws, rng=rng),
        run_stage2(task, second, epsilon=epsilon, beta0=first.beta0, draws=draws, rng=rng),
    )
