"""Discrete steps with the gradient at ``beta0``, every one a sum over all sequences."""

import numpy as np

from causal_theory.dynamics.stage1.record import Recorder, Stage1Run, Stage1Status, goal_of, marks_of, progress_of
from causal_theory.dynamics.stage1.settings import Stage1, plain_rate
from causal_theory.population.loss import population_gradient
from causal_theory.progress import track
from causal_theory.tasks import InContextTask


def run_exact(task: InContextTask, settings: Stage1, epsilon: float, draws: int, seed: int) -> Stage1Run:
    """Descend until every child row attends to its parent, or the steps are used up."""
    graph = task.graph
    child = graph.parent_array >= 0
    A1 = np.zeros((task.length, task.length))
    A2 = settings.beta0 * np.eye(task.vocab_size)
    progress = progress_of(A1, graph)
    recorder = Recorder(progress, settings.records)
    hits = np.full(task.length, -1)
    reached = A1
    status: Stage1Status = "stopped"
    for step in track(range(settings.steps + 1), "stage 1"):
        with np.errstate(over="ignore", invalid="ignore"):
            progress = progress_of(A1, graph)
        if not np.isfinite(A1).all():
            return recorder.finish(graph, reached, marks_of(graph, hits), "diverged", step)
        at_mark = np.where(child, progress >= goal_of(task.length), progress > settings.leave)
        hits[at_mark & (hits < 0)] = step
        converged = marks_of(graph, hits)[0] >= 0
        if step > 0 and (step % recorder.stride == 0 or step == settings.steps or converged):
            recorder.add([step], progress[None])
            recorder.thin()
        if converged:
            status = "converged"
            break
        if step < settings.steps:
            found = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate", draws=draws, rng=seed)
            with np.errstate(over="ignore"):
                reached, A1 = A1, A1 - plain_rate(settings.learning_rate) * found.A1.value
    return recorder.finish(graph, A1, marks_of(graph, hits), status)
