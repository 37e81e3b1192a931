"""Read a graph off its scores: the winning key of every row, its margin, and whether it is the parent."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.tables import Tabular
from causal_theory.validation import check_matrix, check_threshold

ROOT = -1
"""Marks a position without a parent."""

ERROR_BARS = 2.0
"""What counts as beyond the error: this many error bars."""

SHARE = 1.0 / 3.0
"""By default an edge must score at least this share of the best edge."""

FLOOR = 0.25
"""Scores below ``FLOOR / T`` are not told from the bias of a finite sequence. Between independent positions of random
forests under orbit priors of trace 1 the largest bias measured is of this order, up to 0.46/T at T = 20. It
matters only where no edge scores above three times it, as on graphs without any: at T = 8 one root in twenty is taken
for a child there."""

Array = NDArray[np.float64]


def _split(scores: Estimate | ArrayLike) -> tuple[Array, Array]:
    """Return scores and error bars as (T, T) matrices; a plain array has error bars of zero."""
    try:
        value = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as mistaken:
        raise InvalidArgumentError(
            f"scores must be a square matrix, got {type(scores).__name__}; edge_scores(task, epsilon=...) makes one"
        ) from mistaken
    if value.ndim != 2 or value.shape[0] < 2:
        raise InvalidArgumentError(f"scores must be a square matrix of size at least 2, got shape {value.shape}")
    seen = np.tril(value)
    matrix = check_matrix("scores", seen, (len(seen), len(seen)))
    error = np.tril(scores.error) if isinstance(scores, Estimate) else np.zeros_like(matrix)
    return matrix, error


@default_floats
def recover_graph(scores: Estimate | ArrayLike, threshold: float | None = None) -> NDArray[np.int64]:
    """Return the best key of every position, or -1 for a root.

    The best key of position i is the largest entry of row i with j <= i. Position i is called a root when no earlier
    key scores above the threshold, or when i = 0. When an earlier key does but the diagonal is larger still, the
    answer is i itself: the position attends to itself, and no edge is predicted.

    Parameters
    ----------
    scores : Estimate or array_like, shape (T, T)
        Edge scores, attention, or any matrix with query positions in rows and key positions in columns; entries above
        the diagonal are ignored.
    threshold : float, optional
        Default: a third of the largest score of an earlier key in any row but the query's, at least ``1 / (4 T)``,
        plus two error bars of the entry (none for a plain array). With stationary roots all edges share one limit
        score, the chi-square information over S, and scores between different trees tend to zero like 1/T: the third
        leaves room for the spread of the edges at finite length, and the floor keeps a graph without edges empty. Edges
        that carry less information than the floor are not found; uniform roots, whose edges differ, may need a lower
        threshold.

    Returns
    -------
    ndarray of int64, shape (T,)
        The predicted parent of each position, -1 for a root.

    Raises
    ------
    InvalidArgumentError
        If the scores are not a finite square matrix.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores, recover_graph
    >>> prior = OrbitPrior([[0.2, 0.8], [0.8, 0.2]])
    >>> recover_graph(edge_scores(InContextTask(CausalGraph.binary_tree(8), prior), epsilon=0.01))
    array([-1,  0,  0,  1,  1,  2,  2, -1])
    """
    value, error = _split(scores)
    length = len(value)
    if threshold is None:
        # The row of the query repeats the diagonal, which a prior of large trace lifts above every edge.
        highest = value[:-1][np.tril_indices(length - 1, k=-1)].max(initial=0.0)
        bar = max(SHARE * highest, FLOOR / length) + ERROR_BARS * error
    else:
        bar = np.full_like(value, check_threshold("threshold", threshold))
    parents = np.full(length, ROOT, dtype=np.int64)
    for i in range(1, length):
        best = int(np.argmax(value[i, :i]))
        if value[i, best] > bar[i, best]:
            parents[i] = best if value[i, best] >= value[i, i] else i
    return parents


class EdgeCounts(NamedTuple):
    """Numbers of edges: predicted and true, predicted, in the graph."""

    correct: int
    predicted: int
    edges: int


@dataclass(frozen=True, eq=False)
class EdgeReport(Tabular, Shown):
    """Compare scores with the graph, row by row.

    Parameters
    ----------
    scores : Estimate or array_like, shape (T, T)
        See :func:`recover_graph`.
    graph : CausalGraph
        The true graph, a forest of the same length.
    threshold : float, optional
        See :func:`recover_graph`.

    Attributes
    ----------
    predicted, true : ndarray of int64, shape (T,)
        Parents; -1 for a root. ``predicted[i] = i`` when the diagonal wins.
    best_key : ndarray of int64, shape (T,)
        The largest entry j <= i of each row, whatever its value.
    best_rival : ndarray of int64, shape (T,)
        Child rows: the largest entry j <= i beside the parent, the diagonal included. Root rows: -1.
    margin : ndarray, shape (T,)
        Child rows: the score of the parent minus that of its best rival. Root rows: NaN.
    margin_error : ndarray, shape (T,)
        Error bar of the margin: sum of both bars for exact methods, root of the sum of squares for Monte Carlo.

    Examples
    --------
    >>> from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, edge_scores
    >>> graph = CausalGraph.chain(6)
    >>> task = InContextTask(graph, OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> report = EdgeReport(edge_scores(task, epsilon=0.01), graph)
    >>> report.precision, report.recall, report.exact_match, report.children_recovered
    (1.0, 1.0, True, True)
    """

    scores: Estimate | ArrayLike
    graph: CausalGraph
    threshold: float | None = None

    def __post_init__(self) -> None:
        """Check that sizes agree."""
        value, _ = _split(self.scores)
        if not isinstance(self.graph, CausalGraph):
            fix = "; its graph is task.graph" if hasattr(self.graph, "graph") else ""
            raise InvalidArgumentError(f"graph must be a CausalGraph, got {type(self.graph).__name__}{fix}")
        if len(value) != self.graph.length:
            raise InvalidArgumentError(
                f"scores must have the size of the graph, {self.graph.length}, got shape {value.shape}"
            )

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted parents (T,)."""
        return recover_graph(self.scores, self.threshold)

    @property
    def true(self) -> NDArray[np.int64]:
        """True parents (T,)."""
        return self.graph.parent_array

    @cached_property
    @default_floats
    def best_key(self) -> NDArray[np.int64]:
        """Largest entry of each row among j <= i, (T,)."""
        value, _ = _split(self.scores)
        return np.array([int(np.argmax(value[i, : i + 1])) for i in range(len(value))])

    @cached_property
    def _margins(self) -> tuple[NDArray[np.int64], Array, Array]:
        value, error = _split(self.scores)
        sampled = isinstance(self.scores, Estimate) and self.scores.method == "monte_carlo"
        best = np.full(len(value), ROOT, dtype=np.int64)
        margin = np.full(len(value), np.nan)
        bars = np.full(len(value), np.nan)
        rows = np.flatnonzero(self.true >= 0)
        parents = self.true[rows]
        for i, parent in zip(rows.tolist(), parents.tolist(), strict=True):
            rivals = value[i, : i + 1].copy()
            rivals[parent] = -np.inf
            best[i] = rivals.argmax()
        margin[rows] = value[rows, parents] - value[rows, best[rows]]
        pair = error[rows, parents], error[rows, best[rows]]
        bars[rows] = np.hypot(*pair) if sampled else sum(pair)
        return best, margin, bars

    @property
    def best_rival(self) -> NDArray[np.int64]:
        """The largest entry of each child row beside its parent (T,), -1 for roots."""
        return self._margins[0]

    @property
    def margin(self) -> Array:
        """Score of the parent minus that of its best rival (T,), NaN for roots."""
        return self._margins[1]

    @property
    def margin_error(self) -> Array:
        """Error bar of the margin (T,), NaN for roots."""
        return self._margins[2]

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table that ``to_pandas`` and ``to_latex`` return, one row for each position."""
        names = ("predicted", "best_key", "best_rival", "margin", "margin_error")
        found = {name: getattr(self, name) for name in names}
        labels = {} if self.graph.labels is None else {"label": np.array(self.graph.labels)}
        return {"position": np.arange(len(self.true)), **labels, "parent": self.true, **found}

    @property
    @default_floats
    def significant(self) -> NDArray[np.bool_]:
        """Whether the margin exceeds two of its error bars in absolute value (T,); False for roots."""
        decided: NDArray[np.bool_] = np.abs(self.margin) > ERROR_BARS * self.margin_error
        return decided

    @property
    @default_floats
    def smallest_margin(self) -> float:
        """The smallest margin over child rows; infinity for a graph without edges."""
        return float(np.nanmin(self.margin)) if (self.true >= 0).any() else float("inf")

    @property
    def children_recovered(self) -> bool:
        """Whether the best key of every child row is its parent, whatever the threshold."""
        children = self.true >= 0
        return bool((self.best_key[children] == self.true[children]).all())

    @property
    def counts(self) -> EdgeCounts:
        """Numbers of edges: correct ones, predicted ones, and those of the graph."""
        positions = np.arange(len(self.true))
        claimed = (self.predicted >= 0) & (self.predicted < positions)
        correct = claimed & (self.predicted == self.true)
        return EdgeCounts(int(correct.sum()), int(claimed.sum()), int((self.true >= 0).sum()))

    @property
    @default_floats
    def precision(self) -> float:
        """Share of predicted edges that are edges; 1 when none is predicted."""
        correct, claimed, _ = self.counts
        return correct / claimed if claimed else 1.0

    @property
    @default_floats
    def recall(self) -> float:
        """Share of edges that are predicted; 1 for a graph without edges."""
        correct, _, edges = self.counts
        return correct / edges if edges else 1.0

    @property
    @default_floats
    def exact_match(self) -> bool:
        """Whether every position, roots included, is predicted correctly."""
        return bool(np.array_equal(self.predicted, self.true))

    @property
    def missed(self) -> tuple[tuple[str, str], ...]:
        """Edges that are not predicted, as names of parent and child: labels, or positions as text."""
        return self._names(self.true, self.predicted)

    @property
    def false(self) -> tuple[tuple[str, str], ...]:
        """Predicted edges that are none, as names of parent and child: labels, or positions as text."""
        return self._names(self.predicted, self.true)

    def _names(self, parents: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[tuple[str, str], ...]:
        """Return the edges to ``parents`` that differ from those to the others."""
        children = np.flatnonzero((parents >= 0) & (parents < np.arange(len(parents))) & (parents != others))
        return tuple((self.graph.name(int(parents[child])), self.graph.name(child)) for child in children.tolist())

    def __repr__(self) -> str:
        """Return one line with the verdict."""
        where = ""
        if self.graph.labels is not None and self.graph.edges:
            where = f" at {self.graph.name(int(np.nanargmin(self.margin)))!r}"
        return (
            f"EdgeReport(length={len(self.true)}, precision={self.precision:.3f}, recall={self.recall:.3f}, "
            f"smallest_margin={self.smallest_margin:.3g}{where}, exact_match={self.exact_match})"
        )
