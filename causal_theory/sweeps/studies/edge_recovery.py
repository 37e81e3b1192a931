"""Whether the edges of the graph are on top of the exact edge scores."""

import numpy as np

from causal_theory.population.scores import edge_scores
from causal_theory.recovery import EdgeReport
from causal_theory.specs import TaskSpec
from causal_theory.sweeps.studies.drawn import TASK, draw_task, epsilon_at
from causal_theory.sweeps.studies.parameters import Result, parameters


@parameters(TASK)
def edge_recovery(
    *,
    task: TaskSpec,
    epsilon: float,
    rng: np.random.Generator,
) -> Result:
    r"""Say whether every edge is recovered from the edge scores, and by what margin.

    An edge is recovered when the parent wins its row, the diagonal included:

    .. math:: G_{i,p(i)} - \max_{j \le i,\, j \ne p(i)} G_{ij} > 2 \delta_i

    with :math:`\delta_i` the error bar of this margin.

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
        ``"orbit"``: one matrix drawn from the Dirichlet law, its symbols renamed at random. ``"dirichlet"``: the mean
        over the law.
    epsilon : float, default 0
        The constant inside the logarithm of the loss; 0 stands for 1/T.
    root_probability : float, default 0.5
        Of a random forest.
    rng : numpy Generator
        Source of a random graph and of the matrix.

    Returns
    -------
    dict
        ``edges``: their number. ``fraction``: share of them recovered, 1 without edges. ``recovered``: whether all
        are. ``whole_graph``: whether :func:`causal_theory.recover_graph` finds every parent and every root.
        ``smallest_margin`` (dimensionless; infinite without edges), ``margin_error``: its error bar.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a number out of range, or the graph no forest.

    Notes
    -----
    Exact for an orbit: the error bar bounds quadrature and roundoff, about 1e-14. Under ``"dirichlet"`` it is the same
    for two symbols, and from three on a standard error over 256 draws.

    Examples
    --------
    >>> from causal_theory.sweeps.studies import edge_recovery
    >>> found = edge_recovery(length=10, concentration=1.0, rng=np.random.default_rng(0))
    >>> found["edges"], found["fraction"], found["recovered"]
    (8, 1.0, True)
    """
    drawn = draw_task(task, rng)
    report = EdgeReport(edge_scores(drawn, epsilon=epsilon_at(drawn.length, epsilon), rng=rng), drawn.graph)
    edges = len(drawn.graph.edges)
    won = int((report.significant & (report.margin > 0.0)).sum())
    return {
        "edges": edges,
        "fraction": won / edges if edges else 1.0,
        "recovered": won == edges,
        "whole_graph": report.exact_match,
        "smallest_margin": report.smallest_margin,
        "margin_error": float(report.margin_error[np.nanargmin(report.margin)]) if edges else 0.0,
    }
