"""Stage 1: gradient descent on the first attention matrix from zero, the second one held at ``beta0 I``."""

from causal_theory.dynamics.stage1.exact import run_exact
from causal_theory.dynamics.stage1.first_order import run_first_order
from causal_theory.dynamics.stage1.flow import FlowTimes, convergence_times, run_flow
from causal_theory.dynamics.stage1.record import Stage1Run
from causal_theory.dynamics.stage1.settings import Stage1
from causal_theory.population.scores import edge_scores
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_epsilon

__all__ = ["FlowTimes", "Stage1", "Stage1Run", "convergence_times", "run_stage1"]


def run_stage1(
    task: InContextTask, settings: Stage1, *, epsilon: float, draws: int = DEFAULT_DRAWS, rng: SeedLike = 0
) -> Stage1Run:
    """Run stage 1 by itself; see :func:`causal_theory.train_population`.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query.
    settings : Stage1
        Steps, learning rate and method.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    draws : int
        Transition matrices to draw for priors that are averaged over draws.
    rng : int or Generator, optional
        Source of these draws; every step uses the same ones.

    Returns
    -------
    Stage1Run
        Progress of every row, and when rows reached their marks.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.
    TooLargeError
        If the method is ``"exact"`` and the task has too many sequences.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.dynamics import Stage1, run_stage1
    >>> task = InContextTask(CausalGraph.chain(10), OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]]))
    >>> run = run_stage1(task, Stage1(steps=5000), epsilon=0.1)
    >>> run.status, bool((run.attention_on_parents[-1, 1:-1] >= 0.9).all())
    ('converged', True)
    """
    task.require_query("run_stage1")
    epsilon = check_epsilon(epsilon)
    seed = int(as_generator(rng).integers(2**63))
    settings = settings.resolved(task, epsilon=epsilon, rng=seed)
    if settings.method == "exact":
        return run_exact(task, settings, epsilon, draws, seed)
    scores = edge_scores(task, epsilon=epsilon, draws=draws, rng=seed).value
    return run_flow(task, settings, scores) if settings.method == "flow" else run_first_order(task, settings, scores)
