"""Draw the two stages of Algorithm 1: rows of the first attention matrix, and the loss."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.dynamics import Stage1Run, Stage2Run
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import axes_or_new, label_upwards, legend_below, legend_beside
from causal_theory.plotting.colours import COLOURS, DASHES, MARKERS
from causal_theory.plotting.curves import check_levels, draw_levels, mark_divergence, marks, note
from causal_theory.plotting.size import scaled
from causal_theory.plotting.ticks import whole_numbers
from causal_theory.validation import check_epsilon

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (6.4, 3.8)
SINGLE_ROWS = 5
"""Up to this many rows each gets a line of its own; more are shown as a band, their median and the extreme row."""

Array = NDArray[np.float64]


@default_floats
def plot_attention_by_step(run: Stage1Run, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the attention on the parent of every child row against the step of stage 1, and the goal 1 - 1/T.

    More than five rows are shown as the range between the smallest and the largest attention, the median, and the row
    that is lowest at the end.

    Parameters
    ----------
    run : Stage1Run
        See :func:`causal_theory.dynamics.run_stage1`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If ``run`` is no run of stage 1.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.dynamics import Stage1, run_stage1
    >>> from causal_theory.plotting import plot_attention_by_step
    >>> task = InContextTask(CausalGraph.chain(6), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> plot_attention_by_step(run_stage1(task, Stage1(steps=500), epsilon=0.2)).get_ylabel()
    'attention on the parent (weight, 0 to 1)'
    """
    _check_run(run, Stage1Run)
    ax = axes_or_new(ax, SIZE)
    attention = run.attention_on_parents
    length = attention.shape[1]
    children = np.flatnonzero(~np.isnan(attention[0]))
    _draw_rows(ax, run.steps, attention[:, children], children, extreme=np.argmin, word="lowest")
    if not children.size:
        note(ax, "no child rows")
    goal = 1.0 - 1.0 / length
    ax.axhline(
        goal, color="#555555", linestyle=":", linewidth=scaled(1.4), label=f"goal 1 - 1/T\n= {goal:.4g}", zorder=1
    )
    ax.set_ylim(-0.02, 1.04)
    ax.set_title("stage 1: child rows")
    label_upwards(ax, "attention on the parent (weight, 0 to 1)")
    _finish(ax, "step of stage 1", run.diverged_at, beside=True)
    return ax


@default_floats
def plot_root_rows(run: Stage1Run, *, ax: "Axes | None" = None) -> "Axes":
    """Draw how far root rows have left uniform attention against the step of stage 1.

    Shown is the largest distance ``|a_ij - 1/(i+1)|`` within a row. Position 0, whose single key cannot be left, is
    omitted; the row of the query, which stage 2 takes to be uniform as well, has a line of its own. More than five rows
    are shown as a band, the median, and the row that is farthest at the end.

    Parameters
    ----------
    run : Stage1Run
        See :func:`causal_theory.dynamics.run_stage1`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If ``run`` is no run of stage 1.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior
    >>> from causal_theory.dynamics import Stage1, run_stage1
    >>> from causal_theory.plotting import plot_root_rows
    >>> task = InContextTask(CausalGraph.pairs(8), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> plot_root_rows(run_stage1(task, Stage1(steps=500), epsilon=0.2)).get_xlabel()
    'step of stage 1'
    """
    _check_run(run, Stage1Run)
    ax = axes_or_new(ax, SIZE)
    deviation = run.root_deviation
    query = deviation.shape[1] - 1
    roots = np.flatnonzero(~np.isnan(deviation[0]))
    roots = roots[(roots > 0) & (roots < query)]
    _draw_rows(ax, run.steps, deviation[:, roots], roots, extreme=np.argmax, word="farthest")
    ax.plot(
        run.steps,
        deviation[:, query],
        color="black",
        linestyle="--",
        linewidth=scaled(1.2),
        label=f"query (row {query})",
    )
    if not roots.size:
        note(ax, "no root rows\nbesides position 0")
    if run.fastest_root >= 0:
        label = f"first root row has\nleft: step {run.fastest_root}"
        if run.fastest_root <= run.steps[-1]:
            ax.axvline(run.fastest_root, color="#555555", linestyle=":", linewidth=scaled(1.4), label=label, zorder=1)
        else:
            note(ax, label)
    ax.set_ylim(-0.02, 1.04)
    ax.set_title("stage 1: root rows")
    label_upwards(ax, "distance from uniform (weight, 0 to 1)")
    _finish(ax, "step of stage 1", run.diverged_at, beside=True)
    return ax


@default_floats
def plot_losses(
    run: Stage2Run,
    *,
    baselines: Mapping[str, float] | None = None,
    epsilon: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    r"""Draw the loss against the step of stage 2, with baselines as horizontal lines.

    Parameters
    ----------
    run : Stage2Run
        See :func:`causal_theory.dynamics.run_stage2`.
    baselines : mapping of str to float, optional
        Losses in nats by name.
    epsilon : float, optional
        The constant inside the logarithm. If given, a second curve shows the loss of :math:`(f + \varepsilon) / (1 + S
        \varepsilon)`, which is higher by :math:`\log(1 + S \varepsilon)`: unlike :math:`f + \varepsilon` a probability
        vector, as the predictions of the usual baselines are.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If ``run`` is no run of stage 2, a baseline is not a finite number, or ``epsilon`` is not positive.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, loss_floor
    >>> from causal_theory.dynamics import Stage2, run_stage2
    >>> from causal_theory.plotting import plot_losses
    >>> task = InContextTask(CausalGraph.chain(6), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> run = run_stage2(task, Stage2(steps=5), epsilon=0.2)
    >>> plot_losses(run, baselines={"entropy floor": float(loss_floor(task))}).get_ylabel()
    'loss (nats)'
    """
    _check_run(run, Stage2Run)
    levels = check_levels(baselines or {})
    shift = 0.0 if epsilon is None else np.log1p(run.A2.shape[0] * check_epsilon(epsilon))
    ax = axes_or_new(ax, SIZE)
    steps = np.arange(len(run.losses))
    style: dict[str, Any] = {"color": COLOURS[0], "markersize": scaled(4.0), "markevery": marks(len(steps))}
    ax.plot(steps, run.losses, marker="o", linewidth=scaled(1.8), label="trained model", **style)
    if epsilon is not None:
        ax.plot(steps, run.losses + shift, marker="o", markerfacecolor="white", label="the same, normalised", **style)
    draw_levels(ax, levels)
    ax.set_title("stage 2: loss")
    label_upwards(ax, "loss (nats)")
    _finish(ax, "step of stage 2", run.diverged_at, beside=False)
    return ax


def _check_run(run: object, kind: type) -> None:
    if not isinstance(run, kind):
        raise InvalidArgumentError(f"run must be a {kind.__name__}, got {type(run).__name__}")


def _draw_rows(
    ax: "Axes", steps: NDArray[np.int64], values: Array, rows: NDArray[np.int64], *, extreme: Any, word: str
) -> None:
    """Draw one line per row, or a band with the median and the row that ``extreme`` picks at the end."""
    every = marks(len(steps))
    if len(rows) <= SINGLE_ROWS:
        for k, row in enumerate(rows.tolist()):
            style: dict[str, Any] = {"color": COLOURS[k], "linestyle": DASHES[k], "marker": MARKERS[k]}
            # Markers of different lines are moved along, so that lines on top of each other are both seen.
            ax.plot(
                steps,
                values[:, k],
                label=f"row {row}",
                markersize=scaled(4.0),
                markevery=(k * every // 5, every),
                **style,
            )
        return
    low, high = values.min(axis=1), values.max(axis=1)
    ax.fill_between(steps, low, high, color=COLOURS[0], alpha=0.25, linewidth=0.0, label=f"all {len(rows)} rows")
    median = np.median(values, axis=1)
    ax.plot(steps, median, color=COLOURS[0], marker="o", markersize=scaled(4.0), markevery=every, label="median")
    k = int(extreme(values[-1]))
    style = {"color": COLOURS[1], "linestyle": "--", "marker": "s"}
    ax.plot(
        steps,
        values[:, k],
        markersize=scaled(4.0),
        markevery=every,
        label=f"{word} at the\nend: row {rows[k]}",
        **style,
    )


def _finish(ax: "Axes", xlabel: str, diverged_at: int, *, beside: bool) -> None:
    """Add what all curves share, and the legend ``beside`` the axes or below them, where it hides none of them."""
    mark_divergence(ax, diverged_at)
    if ax.get_xlim()[1] < 1.0:
        ax.set_xlim(-0.05, 1.0)  # a single point would be spread over fractions of a step
    whole_numbers(ax, "x", most=6)
    ax.set_xlabel(xlabel)
    ax.grid(visible=True, alpha=0.3)
    if beside:
        legend_beside(ax)
    else:
        legend_below(ax)
