"""Draw the tasks of the provided studies as the command line draws them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.priors import OrbitPrior, Prior
from causal_theory.priors.by_name import PRIORS
from causal_theory.specs import TaskSpec
from causal_theory.sweeps.studies.parameters import REQUIRED
from causal_theory.tasks import InContextTask
from causal_theory.validation import check_epsilon

TASK: Mapping[str, Any] = {
    "length": REQUIRED,
    "concentration": 1.0,
    "graph": "chain",
    "vocab_size": 3,
    "floor": 0.0,
    "prior": "orbit",
    "epsilon": 0.0,
    "root_probability": 0.5,
}
"""Parameters that most studies share."""

DRAWN, WHOLE = "orbit", "dirichlet"
"""One matrix of the Dirichlet law up to the names of its symbols, which is exact; or the whole law."""


def draw_task(task: TaskSpec, rng: np.random.Generator) -> InContextTask:
    """Return a task: the graph is drawn first, then the matrix of an orbit.

    Options that the graph or the prior does not have are left aside: in a grid they may stand beside those that have.

    Parameters
    ----------
    task : TaskSpec
        The graph and the prior, see :func:`draw_prior`.
    rng : numpy Generator
        Source of both.

    Returns
    -------
    InContextTask
        With stationary roots, or uniform ones for several parents.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a number is out of range.
    TransitionError
        If the matrix of an orbit has several closed classes, which happens at concentrations of 0.01 and less.

    Examples
    --------
    >>> spec = TaskSpec(length=6, symbols=3, concentration=0.5, root_probability=0.5, prior="dirichlet")
    >>> draw_task(spec, np.random.default_rng(0)).prior
    DirichletPrior(3, 0.5)
    """
    graph = task.relevant().build_graph(rng)
    return InContextTask(graph, draw_prior(task, rng))


def draw_prior(task: TaskSpec, rng: np.random.Generator) -> Prior:
    """Return the Dirichlet law, the orbit of one matrix drawn from it, or a prior of one's own."""
    law = replace(task, prior=WHOLE) if task.prior == DRAWN else task
    if law.prior != WHOLE and law.prior in PRIORS:
        raise InvalidArgumentError(f"prior must be one of {DRAWN!r}, {WHOLE!r}, or {PRIORS.pattern}, got {law.prior!r}")
    made = law.relevant().build_prior(rng)
    return OrbitPrior(made.sample(1, rng)[0]) if task.prior == DRAWN else made


def epsilon_at(length: int, epsilon: float) -> float:
    """Return the constant inside the logarithm: 0 stands for ``1 / length``.

    Examples
    --------
    >>> epsilon_at(20, 0.0), epsilon_at(20, 0.01)
    (0.05, 0.01)
    """
    return 1.0 / length if epsilon == 0.0 else check_epsilon(epsilon)
