"""Judge every position of a task: does the parent win, by how much, and is that more than the error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.error_propagation import Method
from causal_theory.estimate import GRANTED
from causal_theory.floats import default_floats
from causal_theory.population.scores import edge_scores
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.recovery import EdgeReport
from causal_theory.tables import Tabular
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike
from causal_theory.wording import count

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EdgeVerdict(Tabular, Shown):
    """The verdict of the edge scores on every position; all arrays have shape (T,).

    Attributes
    ----------
    parent : ndarray of int64
        The parent, -1 where there is none.
    parent_score : ndarray
        The score of the parent, NaN where there is none.
    rival : ndarray of int64
        The best other key j <= i, the position itself included; -1 where there is no parent.
    rival_score : ndarray
        Its score, NaN where there is no parent.
    margin : ndarray
        ``parent_score - rival_score``, NaN where there is no parent.
    error : ndarray
        Error bar of the margin: the sum of those of the two scores; for draws the root of the sum of squares.
    undecided : ndarray of bool
        Whether ``abs(margin) <= error``: neither is known to win. With draws, whose error is one standard error, four
        of them. False where there is no parent.
    recovered : ndarray of bool
        Whether `recover_graph` predicts what the graph has: the parent, or none.
    method : str
        How the scores were obtained, as in `Estimate`.
    """

    parent: NDArray[np.int64]
    parent_score: Array
    rival: NDArray[np.int64]
    rival_score: Array
    margin: Array
    error: Array
    undecided: NDArray[np.bool_]
    recovered: NDArray[np.bool_]
    method: Method

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table, one row for each position."""
        names = ("parent", "parent_score", "rival", "rival_score", "margin", "error", "undecided", "recovered")
        return {"position": np.arange(len(self.parent)), **{name: getattr(self, name) for name in names}}

    @default_floats
    def __repr__(self) -> str:
        """Return one line: how many positions are right, the smallest margin, how many are undecided."""
        children = self.parent >= 0
        least = ""
        if children.any():
            k = int(np.nanargmin(self.margin))
            least = f", smallest margin {self.margin[k]:.3g} +- {self.error[k]:.1e} at {k}"
        found = f"{int(self.recovered.sum())} of {count(len(self.parent), 'position')} recovered"
        return f"EdgeVerdict({found}{least}, {int(self.undecided.sum())} undecided, {self.method})"


@default_floats
def edge_verdict(
    task: InContextTask, *, epsilon: float, draws: int = DEFAULT_DRAWS, rng: SeedLike = None
) -> EdgeVerdict:
    """Return whether the parent of every position has the largest edge score, and by how much.

    Parameters
    ----------
    task : InContextTask
        A task on a forest whose last token is an independent query; any root law.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    EdgeVerdict
        Scores, margins and their errors by position. For `EdgeReport`, which is about any scores, or for another
        threshold, compute `edge_scores` yourself.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, edge_verdict
    >>> task = InContextTask(CausalGraph.chain(5), PointPrior([[0.3, 0.7], [0.7, 0.3]]))
    >>> verdict = edge_verdict(task, epsilon=0.1)
    >>> verdict.parent, verdict.rival
    (array([-1,  0,  1,  2, -1]), array([-1,  1,  0,  0, -1]))
    >>> verdict.margin.round(4)
    array([   nan, 0.3909, 0.1187, 0.0643,    nan])
    >>> bool(verdict.recovered.all() and not verdict.undecided.any())
    True
    """
    scores = edge_scores(task, epsilon=epsilon, draws=draws, rng=rng)
    report = EdgeReport(scores, task.graph)
    rows = np.flatnonzero(report.true >= 0)
    parent_score, rival_score = np.full((2, task.length), np.nan)
    parent_score[rows] = scores.value[rows, report.true[rows]]
    rival_score[rows] = scores.value[rows, report.best_rival[rows]]
    with np.errstate(invalid="ignore"):
        undecided = np.abs(report.margin) <= GRANTED[scores.method] * report.margin_error
    return EdgeVerdict(
        parent=report.true,
        parent_score=parent_score,
        rival=report.best_rival,
        rival_score=rival_score,
        margin=report.margin,
        error=report.margin_error,
        undecided=undecided,
        recovered=report.predicted == report.true,
        method=scores.method,
    )
