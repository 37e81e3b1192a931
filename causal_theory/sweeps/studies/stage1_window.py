"""Whether there is a time to stop stage 1, after all edges have arrived and before a root has moved."""

import math

import numpy as np

from causal_theory.dynamics.stage1 import Stage1, convergence_times
from causal_theory.population.scores import edge_scores
from causal_theory.specs import TaskSpec
from causal_theory.sweeps.studies.drawn import TASK, draw_task, epsilon_at
from causal_theory.sweeps.studies.parameters import Result, parameters


@parameters({**TASK, "learning_rate": 1000.0, "beta0": 0.01, "leave": 0.1})
def stage1_window(
    *,
    task: TaskSpec,
    stage: Stage1,
    epsilon: float,
    rng: np.random.Generator,
) -> Result:
    r"""Return when every row of stage 1 arrives, and how long one may wait.

    A child row arrives when its attention on the parent reaches :math:`1 - 1/T`, a root row leaves when its attention
    is farther than ``leave`` from uniform.

    Parameters
    ----------
    length : int
        T, the query included.
    concentration : float, default 1
        Of the Dirichlet law of the rows of the transition matrix.
    graph : str, default "chain"
        A family of forests, as on the command line.
    vocab_size : int, default 3
        S.
    floor : float, default 0
        Weight of the uniform law in every row.
    prior : {"orbit", "dirichlet"} or "module:Class", default "orbit"
        As in :func:`edge_recovery`.
    epsilon : float, default 0
        The constant inside the logarithm of the loss; 0 stands for 1/T.
    root_probability : float, default 0.5
        Of a random forest.
    learning_rate, beta0 : float, default 1000 and 0.01
        As in :class:`causal_theory.Stage1`: one step is worth ``learning_rate * beta0 / T`` of the time of the flow.
    leave : float, default 0.1
        Distance from uniform attention, largest over entries.
    rng : numpy Generator
        Source of a random graph and of the matrix.

    Returns
    -------
    dict
        ``children`` and ``roots``, shape (T,): steps until a row is at its mark, infinite when it never is, NaN for the
        other kind of row. ``last_child``, ``first_root``: the last and the first of these; the query, whose row is
        used nowhere, is no such root, and without roots that leave the latter is infinite. ``converges``: whether all
        children arrive. ``window``: steps from ``last_child`` to ``first_root``, negative when a root leaves first,
        NaN when a child never arrives. ``window_ratio``: ``first_root / last_child``, NaN without convergence or
        children.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a number out of range, or the graph no forest.

    Notes
    -----
    Times are those of the continuous flow under the first-order gradient, the limit of small steps, to about eight
    digits. The scores are exact where those of :func:`edge_recovery` are.

    Examples
    --------
    A chain has no root that could leave: one may wait for ever.

    >>> from causal_theory.sweeps.studies import stage1_window
    >>> found = stage1_window(length=12, concentration=1.0, rng=np.random.default_rng(0))
    >>> found["converges"], found["window"]
    (True, inf)
    """
    drawn = draw_task(task, rng)
    rate = stage.rate(drawn.length)
    scores = edge_scores(drawn, epsilon=epsilon_at(drawn.length, epsilon), rng=rng)
    times = convergence_times(scores, drawn.graph, leave=stage.leave)
    last, first = times.slowest_child / rate, times.fastest_root / rate
    return {
        "children": times.children / rate,
        "roots": times.roots / rate,
        "last_child": last,
        "first_root": first,
        "converges": times.converges,
        "window": first - last if times.converges else math.nan,
        "window_ratio": times.window_ratio,
    }
