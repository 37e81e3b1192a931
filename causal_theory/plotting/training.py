"""Stochastic training: losses, attention, the matrices of a layer, attention on the parents."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs import CausalGraph
from causal_theory.models import ReducedTransformer
from causal_theory.plotting.canvas import axes_or_new, whole_numbers
from causal_theory.plotting.colours import COLOURS, MARKERS
from causal_theory.plotting.curves import draw_levels, mark_divergence, marks, note
from causal_theory.plotting.heatmaps import draw_heatmap, plot_matrix
from causal_theory.training import TrainingRun
from causal_theory.validation import check_integer, check_matrix, check_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_attention", "plot_layer", "plot_margins", "plot_parent_attention", "plot_training"]

BASELINES = {"floor": "entropy floor", "counts": "counts rule", "unigram": "unigram", "uniform": "uniform, log S"}
ERROR_BARS = 2.0
"""Half the width of the error band, in standard errors."""

EARLY = 0.1
"""The step axis is logarithmic when half the fall of the held-out loss lies within this part of the run."""

BEYOND = 3.0
"""Losses above this many times log S, as before a divergence, are left out of sight."""

NAMED_BLOCKS = 3
"""Up to this many blocks tokens and positions of each are named; of more, the numbers of the blocks are."""

ROUNDOFF = 1e-6
"""Attention may leave [0, 1] and sum to one up to this: averages in single precision are welcome."""

Array = NDArray[np.float64]


def plot_training(run: TrainingRun, *, ax: "Axes | None" = None) -> "Axes":
    r"""Draw the loss of training and the held-out loss against the step, with baselines as horizontal lines.

    The loss of each window of steps stands at its middle, the held-out loss where it was measured, with a band of two
    standard errors to both sides. The step axis is logarithmic (linear in the first window, so that step 0 is there)
    when half the fall of the latter lies within the first tenth of the run. The prediction :math:`f + \varepsilon` of
    the reduced transformer sums to :math:`1 + S \varepsilon`; a further curve shows the loss of the normalised one,
    higher by :math:`\log(1 + S \varepsilon)`: the one to hold against the baselines.

    Parameters
    ----------
    run : TrainingRun
        See :func:`causal_theory.train_sgd`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidArgumentError
        If ``run`` is no training run.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, DirichletPrior, DisentangledTransformer, InContextTask, train_sgd
    >>> from causal_theory.plotting import plot_training
    >>> task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.1))
    >>> run = train_sgd(task, DisentangledTransformer(5, 3), steps=20, batch_size=16, learning_rate=1.0, rng=0)
    >>> plot_training(run).get_ylabel()
    'loss (nats)'
    """
    if not isinstance(run, TrainingRun):
        raise InvalidArgumentError(f"run must be a TrainingRun, got {type(run).__name__}")
    ax = axes_or_new(ax, (6.4, 3.8))
    middles = (np.concatenate([[0], run.steps[:-1]]) + run.steps - 1) / 2.0 if len(run.steps) else np.zeros(0)
    ax.plot(middles, run.losses, color="#555555", linewidth=0.9, label="training batches")
    style: dict[str, Any] = {"color": COLOURS[0], "markersize": 4.0, "markevery": marks(len(run.snapshot_steps))}
    ax.plot(run.snapshot_steps, run.test_losses, marker="o", linewidth=1.8, label="held out", **style)
    width = ERROR_BARS * run.test_errors
    low, high = run.test_losses - width, run.test_losses + width
    label = f"± {ERROR_BARS:g} standard errors"
    ax.fill_between(run.snapshot_steps, low, high, color=COLOURS[0], alpha=0.25, linewidth=0.0, label=label)
    shift = 0.0
    if isinstance(run.model, ReducedTransformer):
        shift = math.log1p(run.model.vocab_size * run.model.epsilon)
        raised = run.test_losses + shift
        ax.plot(run.snapshot_steps, raised, marker="o", markerfacecolor="white", label="held out, normalised", **style)
    mark_divergence(ax, run.diverged_at)
    seen = run.test_losses <= BEYOND * run.baselines["uniform"]
    _limit(ax, run, np.concatenate([low[seen], high[seen] + shift]))
    draw_levels(ax, {BASELINES[name]: value for name, value in run.baselines.items()})
    _scale_steps(ax, run)
    ax.set_title("loss")
    ax.set_ylabel("loss (nats)")
    ax.grid(visible=True, alpha=0.3)
    ax.legend(framealpha=0.85, edgecolor="none", fontsize=8)
    return ax


def _limit(ax: "Axes", run: TrainingRun, band: Array) -> None:
    """Set the limits of the losses, with a margin, to what is worth seeing."""
    losses = np.concatenate([run.losses, run.test_losses])
    shown = losses[losses <= BEYOND * run.baselines["uniform"]]
    values = np.concatenate([shown, band, list(run.baselines.values())])
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low)
    ax.set_ylim(low - margin, high + margin)
    if len(shown) < len(losses):
        note(ax, f"losses up to {losses.max():.3g} not shown")


def _scale_steps(ax: "Axes", run: TrainingRun) -> None:
    last = max(int(run.snapshot_steps[-1]), run.diverged_at, 1)
    losses = run.test_losses
    half = (losses[0] + losses.min()) / 2.0
    ax.set_xlabel("step")
    if losses[0] > losses.min() and 0 < run.snapshot_steps[np.argmax(losses <= half)] < EARLY * last:
        first = int(run.steps[0])
        ax.set_xscale("symlog", linthresh=first, linscale=0.3)
        ax.set_xlim(0.0, 1.05 * last)
        powers = 10 ** np.arange(math.ceil(math.log10(first)), math.floor(math.log10(last)) + 1)
        ax.set_xticks([0, *powers.tolist()])
        ax.set_xlabel(f"step (logarithmic from {first} on)")
        return
    ax.set_xlim(-0.02 * last, 1.02 * last)
    whole_numbers(ax, "x", most=6)


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
    weights = _square("attention", attention)
    wrong = np.abs(np.tril(weights).sum(axis=1) - 1.0) > ROUNDOFF
    if weights.min() < -ROUNDOFF or np.triu(weights, k=1).any() or wrong.any():
        raise InvalidArgumentError(
            "attention must have entries of at least 0, zeros above the diagonal and rows that sum to 1, got "
            f"rows with sums from {float(weights.sum(axis=1).min()):.4g} to {float(weights.sum(axis=1).max()):.4g} and "
            f"entries from {float(weights.min()):.4g} to {float(weights.max()):.4g}"
        )
    title = "attention of the first layer"
    ax = plot_matrix(np.maximum(weights, 0.0), graph=graph, ax=ax, title=title, label="weight (0 to 1)", inset=True)
    ax.get_images()[0].set_clim(0.0, 1.0)
    return ax


def plot_layer(matrix: ArrayLike, length: int, vocab_size: int, *, ax: "Axes | None" = None) -> "Axes":
    """Draw one attention matrix of a disentangled transformer, all its blocks, with their borders.

    The vectors that a layer compares consist of blocks, each of ``vocab_size`` entries for tokens followed by
    ``length`` entries for positions: block 0 is what entered the model, block h what head h of the first layer copied,
    and so on. Full lines separate blocks, dotted lines tokens from positions within a block. Rows belong to the query,
    columns to the key.

    Parameters
    ----------
    matrix : array_like, shape (d, d)
        An entry of :attr:`DisentangledTransformer.layers`, one head; d is a multiple of ``vocab_size + length``.
    length, vocab_size : int
        T and S.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidArgumentError
        If the matrix is not square and finite, or does not consist of whole blocks.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import DisentangledTransformer
    >>> from causal_theory.plotting import plot_layer
    >>> model = DisentangledTransformer(4, 2)
    >>> ax = plot_layer(model.layers[1][0], model.length, model.vocab_size)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['tok 0', 'pos 0', 'tok 1', 'pos 1']
    """
    values = _square("matrix", matrix)
    size = check_integer("vocab_size", vocab_size, 1)
    width = check_integer("length", length, 1) + size
    if len(values) % width:
        raise InvalidArgumentError(
            f"matrix must have a size that is a multiple of length + vocab_size = {width}, got {len(values)}"
        )
    ax = axes_or_new(ax, (4.6, 3.8))
    draw_heatmap(ax, np.ma.array(values), "logit (dimensionless)", inset=True)
    blocks = len(values) // width
    starts = width * np.arange(blocks)
    for border in starts[1:] - 0.5:
        _border(ax, float(border), 1.2, "-")
    for border in starts + size - 0.5:
        _border(ax, float(border), 0.7, ":")
    if blocks == 1:
        names = ["tokens", "positions"]
    elif blocks <= NAMED_BLOCKS:
        names = [f"{kind} {block}" for block in range(blocks) for kind in ("tok", "pos")]
    else:
        names = [str(block) for block in range(blocks)]
    centres = (starts + (width - 1) / 2.0).tolist()
    if blocks <= NAMED_BLOCKS:
        centres = [
            middle for start in starts.tolist() for middle in (start + (size - 1) / 2, start + size + (length - 1) / 2)
        ]
    ax.set_xticks(centres, names, fontsize=8)
    ax.set_yticks(centres, names, fontsize=8)
    ax.tick_params(length=0.0)
    suffix = "" if blocks == 1 else ", by block"
    ax.set_title("attention matrix")
    ax.set_xlabel(f"key{suffix}")
    ax.set_ylabel(f"query{suffix}")
    return ax


def _border(ax: "Axes", place: float, width: float, style: str) -> None:
    """Draw a line across and a line down, light below and dark above: one of the two shows on every colour."""
    for line in (ax.axhline, ax.axvline):
        line(place, color="white", linewidth=2.5 * width, alpha=0.6)
        line(place, color="black", linewidth=width, linestyle=style)


def plot_parent_attention(run: TrainingRun | Sequence[TrainingRun], *, ax: "Axes | None" = None) -> "Axes":
    """Draw the attention on the parent at the end by position; of several runs the mean and the spread over them.

    Roots have no parent: where one run has a root, nothing is drawn; of several runs those count in which a position
    is a child. Of several heads each has its own marks; of several runs the head counts that gives most, position by
    position. The dashed line is what uniform attention gives.

    Parameters
    ----------
    run : TrainingRun or sequence of TrainingRun
        See :func:`causal_theory.train_sgd`; several have the same length, their graphs may differ.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidArgumentError
        If there is no run, something else than a run, or runs differ in length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, DirichletPrior, DisentangledTransformer, InContextTask, train_sgd
    >>> from causal_theory.plotting import plot_parent_attention
    >>> task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.1))
    >>> run = train_sgd(task, DisentangledTransformer(5, 3), steps=20, batch_size=16, learning_rate=1.0, rng=0)
    >>> plot_parent_attention(run).get_xlabel()
    'position'
    """
    runs = _check_runs(run)
    ax = axes_or_new(ax, (6.4, 3.8))
    positions = np.arange(runs[0].model.length)
    if len(runs) == 1:
        _draw_heads(ax, positions, runs[0].attention_on_parents)
    else:
        _draw_spread(ax, positions, np.array([one.attention_on_parents.max(axis=0) for one in runs]))
    ax.plot(positions, 1.0 / (positions + 1.0), color="black", linestyle="--", linewidth=1.0, label="uniform, 1/(i+1)")
    ax.set_xlim(-0.6, positions[-1] + 0.6)
    ax.set_ylim(-0.02, 1.04)
    whole_numbers(ax, "x")
    ax.set_title("attention on the parent")
    ax.set_xlabel("position")
    ax.set_ylabel("weight (0 to 1)")
    ax.grid(visible=True, alpha=0.3)
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return ax


def _draw_heads(ax: "Axes", positions: NDArray[np.int64], attention: Array) -> None:
    """Draw stems, one for each head, side by side so that none hides another."""
    children = ~np.isnan(attention[0])
    if not children.any():
        note(ax, "no child rows")
        return
    heads = len(attention)
    for h, weights in enumerate(attention):
        places = positions[children] + 0.5 * ((h + 0.5) / heads - 0.5)
        colour = COLOURS[h % len(COLOURS)]
        ax.vlines(places, 0.0, weights[children], color=colour, linewidth=1.2, alpha=0.6)
        label = f"head {h + 1}" if heads > 1 else "child rows"
        ax.plot(
            places, weights[children], linestyle="none", marker=MARKERS[h % len(MARKERS)], color=colour, label=label
        )


def _draw_spread(ax: "Axes", positions: NDArray[np.int64], attention: Array) -> None:
    """Draw every run as a dot, and mean and standard deviation over the runs of each position."""
    seen = ~np.isnan(attention)
    counts = seen.sum(axis=0)
    if not counts.any():
        note(ax, "no child rows")
        return
    rows, columns = np.nonzero(seen)
    label = f"each of {len(attention)} runs"
    ax.plot(positions[columns], attention[rows, columns], linestyle="none", marker=".", color="#888888", label=label)
    some, several = positions[counts > 0], positions[counts > 1]
    means = np.array([attention[seen[:, i], i].mean() for i in some])
    bars = [attention[seen[:, i], i].std(ddof=1) for i in several]
    style: dict[str, Any] = {"color": COLOURS[0], "linestyle": "none"}
    ax.errorbar(several, means[np.isin(some, several)], bars, capsize=2.5, label="standard deviation", **style)
    ax.plot(some, means, marker="o", label="mean over runs", **style)


def plot_margins(margins: ArrayLike, attention: ArrayLike, *, ax: "Axes | None" = None) -> "Axes":
    """Draw learned attention on the parent against the margin of the edge scores, one mark for each child row.

    A margin above zero says that the first gradient step points from that position to its parent.

    Parameters
    ----------
    margins : array_like, shape (n,)
        See :attr:`causal_theory.EdgeReport.margin`.
    attention : array_like, shape (n,)
        Attention on the parent of the same rows. Rows where either is NaN, as for roots, are left out.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidArgumentError
        If the shapes differ.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory.plotting import plot_margins
    >>> plot_margins([0.1, -0.02, 0.3], [0.8, 0.1, 0.9]).get_ylabel()
    'attention on the parent (weight, 0 to 1)'
    """
    x, y = check_real("margins", margins).ravel(), check_real("attention", attention).ravel()
    if x.shape != y.shape:
        raise InvalidArgumentError(f"attention must have as many entries as margins, {len(x)}, got {len(y)}")
    ax = axes_or_new(ax, (4.6, 3.8))
    seen = np.isfinite(x) & np.isfinite(y)
    # Open marks: many on top of each other stay apart.
    style: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "markersize": 5.0}
    for wanted, marker, colour, label in (
        (x > 0.0, "o", COLOURS[0], "parent wins the scores"),
        (x <= 0.0, "x", COLOURS[1], "another key does"),
    ):
        used = seen & wanted
        if used.any():
            ax.plot(x[used], y[used], marker=marker, color=colour, label=f"{label} ({int(used.sum())})", **style)
    if not seen.any():
        note(ax, "no child rows")
    ax.axvline(0.0, color="#555555", linestyle=":", linewidth=1.2, zorder=1)
    ax.locator_params(axis="x", nbins=5)
    ax.set_ylim(-0.02, 1.04)
    ax.set_title("margins of the scores")
    ax.set_xlabel("margin of the edge scores (dimensionless)")
    ax.set_ylabel("attention on the parent (weight, 0 to 1)")
    ax.grid(visible=True, alpha=0.3)
    ax.legend(framealpha=0.85, edgecolor="none", fontsize=8)
    return ax


def _check_runs(run: TrainingRun | Sequence[TrainingRun]) -> list[TrainingRun]:
    runs = [run] if isinstance(run, TrainingRun) else list(run) if isinstance(run, Sequence) else [run]
    for one in runs:
        if not isinstance(one, TrainingRun):
            raise InvalidArgumentError(f"run must be a TrainingRun or a sequence of them, got {type(one).__name__}")
    lengths = sorted({one.model.length for one in runs})
    if len(lengths) != 1:
        raise InvalidArgumentError(f"run must hold at least one run, all of one length, got the lengths {lengths}")
    return runs


def _square(name: str, value: ArrayLike) -> Array:
    matrix = check_real(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InvalidArgumentError(f"{name} must be a square matrix, got shape {matrix.shape}")
    return check_matrix(name, matrix, (len(matrix), len(matrix)))
