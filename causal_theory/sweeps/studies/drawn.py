"""What the provided studies share: a task from plain parameters, drawn as the command line draws it."""

import numpy as np

from causal_theory.graphs.by_name import graph_by_name
from causal_theory.priors import DirichletPrior, OrbitPrior, Prior
from causal_theory.tasks import InContextTask
from causal_theory.validation import check_choice, check_epsilon

__all__ = ["PRIORS", "draw_prior", "draw_task", "epsilon_at"]

PRIORS = ("orbit", "dirichlet")
"""One matrix of the Dirichlet law up to the names of its symbols, which is exact; or the whole law."""


def draw_task(
    *,
    graph: str,
    length: int,
    vocab_size: int,
    concentration: float,
    floor: float,
    prior: str,
    root_probability: float,
    rng: np.random.Generator,
) -> InContextTask:
    """Return a task: the graph is drawn first, then the matrix of an orbit.

    Parameters
    ----------
    graph : str
        See :data:`causal_theory.graphs.by_name.GRAPH_NAMES`.
    length : int
        T.
    vocab_size : int
        S.
    concentration, floor : float
        See :class:`causal_theory.DirichletPrior`.
    prior : {"orbit", "dirichlet"}
        See :func:`draw_prior`.
    root_probability : float
        Of a random forest.
    rng : numpy Generator
        Source of both.

    Returns
    -------
    InContextTask
        With stationary roots.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a number is out of range.
    TransitionError
        If the matrix of an orbit has several closed classes, which happens at concentrations of 0.01 and less.

    Examples
    --------
    >>> setting = {"graph": "chain", "length": 6, "vocab_size": 3, "floor": 0.0, "root_probability": 0.5}
    >>> draw_task(**setting, concentration=0.5, prior="dirichlet", rng=np.random.default_rng(0)).prior
    DirichletPrior(3, 0.5)
    """
    made = graph_by_name(graph, length, root_probability=root_probability, rng=rng)
    return InContextTask(made, draw_prior(vocab_size, concentration, floor, prior, rng))


def draw_prior(vocab_size: int, concentration: float, floor: float, prior: str, rng: np.random.Generator) -> Prior:
    """Return the Dirichlet law, or the orbit of one matrix drawn from it."""
    law = DirichletPrior(vocab_size, concentration, floor=floor)
    if check_choice("prior", prior, PRIORS) == "dirichlet":
        return law
    return OrbitPrior(law.sample(1, rng)[0])


def epsilon_at(length: int, epsilon: float) -> float:
    """Return the constant inside the logarithm: 0 stands for ``1 / length``.

    Examples
    --------
    >>> epsilon_at(20, 0.0), epsilon_at(20, 0.01)
    (0.05, 0.01)
    """
    return 1.0 / length if epsilon == 0.0 else check_epsilon(epsilon)
