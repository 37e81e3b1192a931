"""Margins of the edge scores beside the attention that was learned."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.plotting.canvas import axes_or_new, label_along, label_upwards, legend_below
from causal_theory.plotting.colours import COLOURS
from causal_theory.plotting.curves import note
from causal_theory.plotting.size import scaled
from causal_theory.validation import check_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@default_floats
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
        The axes drawn on.

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
    style: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "markersize": scaled(5.0)}
    for wanted, marker, colour, label in (
        (x > 0.0, "o", COLOURS[0], "parent wins the scores"),
        (x <= 0.0, "x", COLOURS[1], "another key does"),
    ):
        used = seen & wanted
        if used.any():
            ax.plot(x[used], y[used], marker=marker, color=colour, label=f"{label} ({int(used.sum())})", **style)
    if not seen.any():
        note(ax, "no child rows")
    ax.axvline(0.0, color="#555555", linestyle=":", linewidth=scaled(1.2), zorder=1)
    ax.locator_params(axis="x", nbins=5)
    ax.set_ylim(-0.02, 1.04)
    ax.set_title("margins of the scores")
    label_along(ax, "margin of the edge scores (dimensionless)")
    label_upwards(ax, "attention on the parent (weight, 0 to 1)")
    ax.grid(visible=True, alpha=0.3)
    legend_below(ax, columns=1)
    return ax
