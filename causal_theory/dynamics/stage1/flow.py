"""The continuous limit of stage 1: its trajectory, and the times at which rows reach their marks."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory import kernels
from causal_theory.display import Shown
from causal_theory.dynamics.stage1.record import Recorder, Stage1Run, Stage1Status, goal_of, marks_of, progress_of
from causal_theory.dynamics.stage1.settings import Stage1
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.gauss import gauss_power
from causal_theory.graphs import CausalGraph
from causal_theory.models import check_attention_matrix
from causal_theory.progress import track
from causal_theory.tasks import InContextTask
from causal_theory.validation import LARGEST, check_positive
from causal_theory.wording import number

Array = NDArray[np.float64]
NODES = 16
"""Of the quadrature of a panel."""


@dataclass(frozen=True, eq=False)
class FlowTimes(Shown):
    r"""Times at which rows reach marks under the flow :math:`\dot\theta_i = (\mathrm{diag}(a_i) - a_i a_i^T) G_i`.

    Attributes
    ----------
    children : ndarray, shape (T,)
        Time at which attention on the parent reaches ``1 - 1/T``; infinite when the parent's score is not the largest
        of its row, NaN for roots.
    roots : ndarray, shape (T,)
        Time at which a root row has left uniform attention; infinite when it never does, NaN for children.
    """

    children: Array
    roots: Array

    def __repr__(self) -> str:
        """Return one line with the marks."""
        return f"FlowTimes({', '.join(f'{name} {fact}' for name, fact in self.facts().items())})"

    def facts(self) -> dict[str, object]:
        """Return what a notebook and the representation tell of it.

        Returns
        -------
        dict
            Names and values.
        """
        slowest = f"{self.slowest_child:.4g}" if self.converges else "never (a parent's score is not the largest)"
        root = self.fastest_root
        found: dict[str, object] = {
            "slowest child": slowest,
            "fastest root": f"{root:.4g}" if math.isfinite(root) else "never",
        }
        return found if math.isnan(self.window_ratio) else found | {"window ratio": number(self.window_ratio, 3)}

    @property
    @default_floats
    def slowest_child(self) -> float:
        """Time at which all children have converged; 0 without children."""
        times = self.children[~np.isnan(self.children)]
        return float(times.max(initial=0.0))

    @property
    @default_floats
    def fastest_root(self) -> float:
        """Time at which the first root of the context leaves uniform attention; infinite when none does."""
        times = self.roots[:-1][~np.isnan(self.roots[:-1])]
        return float(times.min(initial=np.inf))

    @property
    def converges(self) -> bool:
        """Whether every child row converges to its parent."""
        return math.isfinite(self.slowest_child)

    @property
    @default_floats
    def window_ratio(self) -> float:
        """``fastest_root / slowest_child``: there is a time to stop at when it exceeds 1; NaN without convergence."""
        slowest = self.slowest_child
        return self.fastest_root / slowest if self.converges and slowest > 0.0 else math.nan


@default_floats
def convergence_times(scores: ArrayLike, graph: CausalGraph, *, leave: float = 0.1) -> FlowTimes:
    r"""Return when each row of the flow of stage 1 is at its mark.

    Starting at ``A1 = 0`` the order of the logits of a row is that of its scores at all times, so that a row converges
    to its parent exactly when the parent has the strictly largest score. The time is in units of
    ``learning_rate * beta0 / T``: that of one discrete step in the limit of small ones.

    Parameters
    ----------
    scores : Estimate or array_like, shape (T, T)
        See :func:`causal_theory.edge_scores`.
    graph : CausalGraph
        Which rows are children, and of whom; a forest.
    leave : float
        Distance from uniform attention beyond which a root row counts as having left it.

    Returns
    -------
    FlowTimes
        From a closed form of the flow, accurate to about thirteen digits at any time scale.

    Raises
    ------
    InvalidArgumentError
        If ``scores`` has the wrong shape, ``leave`` is not positive, or a position has several parents.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, edge_scores
    >>> from causal_theory.dynamics import convergence_times
    >>> task = InContextTask(CausalGraph.pairs(20), OrbitPrior([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]]))
    >>> times = convergence_times(edge_scores(task, epsilon=0.05), task.graph)
    >>> times.converges, times.slowest_child > times.fastest_root  # roots leave first: T = 20 is short
    (True, True)
    """
    matrix = check_attention_matrix("scores", np.asarray(scores), graph.length)
    if not graph.is_forest:
        raise InvalidArgumentError(f"graph must be a forest, got {graph!r}")
    if (largest := float(np.abs(matrix).max())) > LARGEST:
        raise InvalidArgumentError(f"scores must be at most {LARGEST:g} in size, got {largest:g}")
    parents = graph.parent_array
    pairs = kernels.descent.balanced_pairs(np.arange(graph.length))
    times = kernels.flow.flow_times(
        matrix, parents, pairs, goal_of(graph.length), check_positive("leave", leave), gauss_power(0.0, NODES)
    )
    child = parents >= 0
    return FlowTimes(np.where(child, times, np.nan), np.where(child, np.nan, times))


def run_flow(task: InContextTask, settings: Stage1, scores: Array) -> Stage1Run:
    """Integrate row by row over the time of all steps, or until every child row attends to its parent."""
    graph, length = task.graph, task.length
    rate = settings.rate(length)
    times = convergence_times(scores, graph, leave=settings.leave)
    child = graph.parent_array >= 0
    steps = np.nan_to_num(np.where(child, times.children, times.roots) / rate, nan=np.inf)
    within = steps <= settings.steps
    hits = np.full(length, -1)
    hits[within] = np.ceil(steps[within]).astype(np.int64)
    marks = marks_of(graph, hits)
    status: Stage1Status = "converged" if marks[0] >= 0 else "stopped"
    last = marks[0] if marks[0] >= 0 else settings.steps
    recorded = _recorded(last, settings.records)
    logits = _integrate(scores, recorded.astype(np.float64) * rate)
    recorder = Recorder(progress_of(logits[0], graph), settings.records)
    if len(recorded) > 1:
        recorder.add(recorded[1:].tolist(), np.array([progress_of(matrix, graph) for matrix in logits[1:]]))
    return recorder.finish(graph, logits[-1], marks, status)


def _recorded(last: int, records: int) -> NDArray[np.int64]:
    """Return the steps that a `Recorder` keeps when ``last`` is known beforehand."""
    stride = 1
    while -(-last // stride) > 2 * records:
        stride *= 2
    return np.unique(np.append(np.arange(0, last, stride), last))


def _integrate(scores: Array, times: Array) -> Array:
    """Return the logits (R, T, T) at some times, from an explicit method of order eight."""
    from scipy.integrate import solve_ivp

    length = len(scores)
    logits = np.zeros((len(times), length, length))

    def slope(_: float, row: Array, drive: Array) -> Array:
        weights = np.exp(row - row.max())
        weights /= weights.sum()
        change: Array = weights * (drive - weights @ drive)
        return change

    for i in track(range(1, length if times[-1] > 0.0 else 1), "flow"):
        found = solve_ivp(
            slope,
            (0.0, times[-1]),
            np.zeros(i + 1),
            method="DOP853",
            t_eval=times,
            args=(scores[i, : i + 1],),
            rtol=1e-9,
            atol=1e-10,
        )
        if not found.success:
            raise InvalidArgumentError(f"learning_rate must let the flow be integrated, row {i}: {found.message}")
        logits[:, i, : i + 1] = found.y.T
    return logits
