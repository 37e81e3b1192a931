"""Draw the attention of the first layer: all positions in one matrix, or the parents alone, by position."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.plotting.canvas import axes_or_new, label_positions, label_upwards, legend_beside
from causal_theory.plotting.colours import COLOURS, MARKERS
from causal_theory.plotting.curves import mark_size, note
from causal_theory.plotting.heatmaps import check_square, plot_matrix
from causal_theory.plotting.size import scaled
from causal_theory.plotting.ticks import whole_numbers
from causal_theory.training import TrainingRun
from causal_theory.training.run import best_attention

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDOFF = 1e-6
"""Attention may leave [0, 1] and sum to one up to this: averages in single precision are welcome."""

Array = NDArray[np.float64]


@default_floats
def plot_attention(attention: ArrayLike, *, graph: CausalGraph | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw the attention of one head: query positions in rows, key positions in columns.

    The scale always runs from 0 to 1, so that two heads or two runs can be compared.

    Parameters
    ----------
    attention : array_like, shape (T, T)
        Rows sum to one, nothing above the diagonal.
    graph : CausalGraph, optional
        Its edges are marked with open squares.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If the matrix is not square and finite, is no causal attention, or the graph has another length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, ReducedTransformer
    >>> from causal_theory.plotting import plot_attention
    >>> model = ReducedTransformer(np.eye(4), np.eye(2), 0.1)
    >>> plot_attention(model.attention, graph=CausalGraph.chain(4)).get_title()
    'attention of the first layer'
    """
    weights = check_square("attention", attention)
    wrong = np.abs(np.tril(weights).sum(axis=1) - 1.0) > ROUNDOFF
    if weights.min() < -ROUNDOFF or np.triu(weights, k=1).any() or wrong.any():
        raise InvalidArgumentError(
            "attention must have entries of at least 0, zeros above the diagonal and rows that sum to 1, got "
            f"rows with sums from {float(weights.sum(axis=1).min()):.4g} to {float(weights.sum(axis=1).max()):.4g} and "
            f"entries from {float(weights.min()):.4g} to {float(weights.max()):.4g}"
        )
    title = "attention of the first layer"
    shown = np.clip(weights, 0.0, 1.0)
    return plot_matrix(shown, graph=graph, ax=ax, title=title, label="weight (0 to 1)", limits=(0.0, 1.0))


@default_floats
def plot_attention_by_position(run: TrainingRun | Sequence[TrainingRun], *, ax: "Axes | None" = None) -> "Axes":
    """Draw the attention on the parent at the end by position; of several runs the mean and the spread over them.

    Roots have no parent: where one run has a root, nothing is drawn; of several runs those count in which a position
    is a child. Of several heads each has its own marks; of several runs the head counts that gives most, position by
    position. Where positions have several parents each parent has its own marks, at the attention of the head that is
    matched to it (:attr:`causal_theory.TrainingRun.matched_attention`). The dashed line is what uniform attention
    gives.

    Parameters
    ----------
    run : TrainingRun or sequence of TrainingRun
        See :func:`causal_theory.train_sgd`; several have the same length, their graphs may differ.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If there is no run, something else than a run, a run without a finite held-out loss, or runs differ in length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, DirichletPrior, DisentangledTransformer, InContextTask, train_sgd
    >>> from causal_theory.plotting import plot_attention_by_position
    >>> task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.1))
    >>> run = train_sgd(task, DisentangledTransformer(5, 3), steps=20, batch_size=16, learning_rate=1.0, rng=0)
    >>> plot_attention_by_position(run).get_xlabel()
    'position'
    """
    runs = _check_runs(run)
    ax = axes_or_new(ax, (6.4, 3.8))
    positions = np.arange(runs[0].model.length)
    if len(runs) == 1:
        _draw_stems(ax, positions, *_stems(runs[0]))
    else:
        _draw_spread(ax, positions, np.concatenate([best_attention(one) for one in runs]), len(runs))
    ax.plot(
        positions,
        1.0 / (positions + 1.0),
        color="black",
        linestyle="--",
        linewidth=scaled(1.0),
        label="uniform, 1/(i+1)",
    )
    ax.set_xlim(-0.6, positions[-1] + 0.6)
    ax.set_ylim(-0.02, 1.04)
    whole_numbers(ax, "x")
    if len({one.graph.labels for one in runs}) == 1:
        label_positions(ax, runs[0].graph.labels, "x")
    ax.set_title("attention on the parent")
    ax.set_xlabel("position")
    label_upwards(ax, "weight (0 to 1)")
    ax.grid(visible=True, alpha=0.3)
    legend_beside(ax, markerscale=scaled(6.0) / mark_size(len(positions)))
    return ax


def _stems(run: TrainingRun) -> tuple[Array, list[str]]:
    """Return what is drawn of one run, shape (n, T), and its names: heads on one parent, or parents by their heads."""
    if run.graph.is_forest:
        heads = len(run.attention[-1])
        names = [f"head {h + 1}" for h in range(heads)] if heads > 1 else ["child rows"]
        return run.attention_on_parents, names
    return run.matched_attention, [f"parent {slot + 1}: {name}" for slot, name in enumerate(run.matched_names)]


def _draw_stems(ax: "Axes", positions: NDArray[np.int64], attention: Array, names: list[str]) -> None:
    """Draw stems, one for each row of ``attention``, side by side so that none hides another."""
    if np.isnan(attention).all():
        note(ax, "no child rows" if len(attention) else "no heads")
        return
    count, size = len(attention), mark_size(len(positions))
    for k, (weights, name) in enumerate(zip(attention, names, strict=True)):
        children = ~np.isnan(weights)
        places = positions[children] + 0.5 * ((k + 0.5) / count - 0.5)
        colour = COLOURS[k % len(COLOURS)]
        ax.vlines(places, 0.0, weights[children], color=colour, linewidth=scaled(0.2) * size, alpha=0.6)
        style: dict[str, Any] = {"linestyle": "none", "marker": MARKERS[k % len(MARKERS)], "markersize": size}
        ax.plot(places, weights[children], color=colour, label=name, **style)


def _draw_spread(ax: "Axes", positions: NDArray[np.int64], attention: Array, runs: int) -> None:
    """Draw every run as a dot, and mean and standard deviation over the runs of each position."""
    seen = ~np.isnan(attention)
    counts = seen.sum(axis=0)
    if not counts.any():
        note(ax, "no child rows")
        return
    rows, columns = np.nonzero(seen)
    label = f"each of {runs} runs"
    ax.plot(positions[columns], attention[rows, columns], linestyle="none", marker=".", color="#888888", label=label)
    some, several = positions[counts > 0], positions[counts > 1]
    means = np.array([attention[seen[:, i], i].mean() for i in some])
    bars = [attention[seen[:, i], i].std(ddof=1) for i in several]
    style: dict[str, Any] = {"color": COLOURS[0], "linestyle": "none"}
    ax.errorbar(several, means[np.isin(some, several)], bars, capsize=scaled(2.5), label="standard deviation", **style)
    ax.plot(some, means, marker="o", markersize=mark_size(len(positions)), label="mean over runs", **style)


def _check_runs(run: TrainingRun | Sequence[TrainingRun]) -> list[TrainingRun]:
    runs = [run] if isinstance(run, TrainingRun) else list(run) if isinstance(run, Sequence) else [run]
    for one in runs:
        if not isinstance(one, TrainingRun):
            raise InvalidArgumentError(f"run must be a TrainingRun or a sequence of them, got {type(one).__name__}")
        if not len(one.attention):
            raise InvalidArgumentError(f"run must have a finite held-out loss, got one that {one.ending}")
    lengths = sorted({one.model.length for one in runs})
    if len(lengths) != 1:
        raise InvalidArgumentError(f"run must hold at least one run, all of one length, got the lengths {lengths}")
    return runs
