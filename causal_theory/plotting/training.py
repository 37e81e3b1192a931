"""Draw losses of stochastic training against the step, beside the baselines."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import axes_or_new, label_upwards, legend_below
from causal_theory.plotting.colours import COLOURS
from causal_theory.plotting.curves import draw_levels, mark_divergence, marks, note
from causal_theory.plotting.size import scaled
from causal_theory.plotting.ticks import whole_numbers
from causal_theory.training import TrainingRun
from causal_theory.training.baselines import short_baseline_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ERROR_BARS = 2.0
"""Half the width of the error band, in standard errors."""

EARLY = 0.1
"""The step axis is logarithmic when half the fall of the held-out loss lies within this part of the run."""

BEYOND = 3.0
"""Losses above this many times log S, as before a divergence, are left out of sight."""

Array = NDArray[np.float64]


@default_floats
def plot_training(run: TrainingRun, *, ax: "Axes | None" = None) -> "Axes":
    r"""Draw the loss of training and the held-out loss against the step, with baselines as horizontal lines.

    The loss of each window of steps stands at its middle, the held-out loss where it was measured, with a band of two
    standard errors to both sides. The step axis is logarithmic (linear in the first window, so that step 0 is there)
    when half the fall of the latter lies within the first tenth of the run. The prediction :math:`f + \varepsilon` of
    the reduced transformer sums to :math:`1 + S \varepsilon`; a further curve shows the loss of the normalised one,
    higher by :math:`\log(1 + S \varepsilon)`: the one to hold against the baselines. So it does for every model with a
    ``loss_offset``.

    Parameters
    ----------
    run : TrainingRun
        See :func:`causal_theory.train_sgd`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Raises
    ------
    InvalidArgumentError
        If ``run`` is no training run, or has no finite held-out loss.
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
    if not len(run.test_losses):
        raise InvalidArgumentError(f"run must have a finite held-out loss, got one that {run.ending}")
    ax = axes_or_new(ax, (6.4, 3.8))
    middles = (np.concatenate([[0], run.steps[:-1]]) + run.steps - 1) / 2.0 if len(run.steps) else np.zeros(0)
    ax.plot(middles, run.losses, color="#555555", linewidth=scaled(0.9), label="training batches")
    style: dict[str, Any] = {
        "color": COLOURS[0],
        "markersize": scaled(4.0),
        "markevery": marks(len(run.snapshot_steps)),
    }
    ax.plot(run.snapshot_steps, run.test_losses, marker="o", linewidth=scaled(1.8), label="held out", **style)
    width = ERROR_BARS * run.test_errors
    low, high = run.test_losses - width, run.test_losses + width
    label = f"± {ERROR_BARS:g} standard errors"
    ax.fill_between(run.snapshot_steps, low, high, color=COLOURS[0], alpha=0.25, linewidth=0.0, label=label)
    shift = run.model.loss_offset
    if shift:
        raised = run.test_losses + shift
        ax.plot(run.snapshot_steps, raised, marker="o", markerfacecolor="white", label="held out, normalised", **style)
    mark_divergence(ax, run.diverged_at)
    seen = run.test_losses <= BEYOND * run.baselines["uniform"]
    _limit(ax, run, np.concatenate([low[seen], high[seen] + shift]))
    draw_levels(ax, {short_baseline_name(name): value for name, value in run.baselines.items()})
    _scale_steps(ax, run)
    ax.set_title("loss")
    label_upwards(ax, "loss (nats)")
    ax.grid(visible=True, alpha=0.3)
    legend_below(ax)
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
