"""By how much every parent wins its row of the exact edge scores."""

import numpy as np

from causal_theory.population.scores import edge_scores
from causal_theory.recovery import EdgeReport
from causal_theory.specs import TaskSpec
from causal_theory.sweeps.studies.drawn import TASK, draw_task, epsilon_at
from causal_theory.sweeps.studies.parameters import Result, parameters


@parameters(TASK)
def margins(
    *,
    task: TaskSpec,
    epsilon: float,
    rng: np.random.Generator,
) -> Result:
    """Return the lead of the parent over its best rival for every position.

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
    rng : numpy Generator
        Source of a random graph and of the matrix.

    Returns
    -------
    dict
        ``margins`` and ``margin_errors``, shape (T,), NaN for roots; ``parents``, shape (T,), -1 for roots;
        ``smallest`` and ``median`` over children (NaN without any). All margins are dimensionless.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a number out of range, or the graph no forest.

    Notes
    -----
    Exact where :func:`edge_recovery` is.

    Examples
    --------
    >>> from causal_theory.sweeps.studies import margins
    >>> found = margins(length=6, concentration=1.0, graph="pairs", rng=np.random.default_rng(0))
    >>> np.isnan(found["margins"]), found["parents"]
    (array([ True, False,  True, False,  True,  True]), array([-1,  0, -1,  2, -1, -1]))
    """
    drawn = draw_task(task, rng)
    report = EdgeReport(edge_scores(drawn, epsilon=epsilon_at(drawn.length, epsilon), rng=rng), drawn.graph)
    children = report.margin[~np.isnan(report.margin)]
    return {
        "margins": report.margin,
        "margin_errors": report.margin_error,
        "parents": report.true,
        "smallest": float(children.min()) if len(children) else float("nan"),
        "median": float(np.median(children)) if len(children) else float("nan"),
    }
