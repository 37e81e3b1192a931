"""Pictures of every figure function, to compare pixel by pixel; ``python -m tests.images`` draws them anew.

Text is left out, and axes stand at fixed places: what a font makes of a label, and what a layout makes of that, differs
between versions of matplotlib. Labels and layouts have tests of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter
from matplotlib.transforms import Bbox

from causal_theory import CausalGraph, Estimate, InContextTask, OrbitPrior, ReducedTransformer
from causal_theory.models import Axis, MatrixView
from causal_theory.plotting import (
    plot_attention,
    plot_attention_by_position,
    plot_attention_by_step,
    plot_graph,
    plot_information,
    plot_layer,
    plot_losses,
    plot_margins,
    plot_matrix,
    plot_overview,
    plot_phase_diagram,
    plot_recovery,
    plot_root_rows,
    plot_scores,
    plot_second_matrix,
    plot_sweep,
    plot_training,
    plot_view,
)

from .made_up import UNIFORM, first_stage, report, second_stage, training_run

__all__ = ["FOLDER", "PICTURES", "Picture", "draw", "save"]

FOLDER = Path(__file__).parent
SIZE, DOTS_PER_INCH = (4.0, 3.0), 60
PLACE = (0.1, 1 / 6, 0.6, 2 / 3)
"""Axes in parts of the figure, 144 by 120 pixels; colour bars are to the right. A square matrix covers 120 by 120: its
size divides 120, so that cells end where pixels do, and no version of matplotlib has to round."""

PANELS = {
    "graph": (15, 110, 90, 60),
    "margins": (135, 110, 90, 60),
    "scores": (15, 20, 48, 48),
    "limit": (84, 20, 48, 48),
    "information": (165, 20, 48, 48),
}
"""Axes of a figure that has several, in pixels from the lower left, for the same reason."""


@dataclass(frozen=True)
class Picture:
    """One figure, and the same with one number changed.

    Attributes
    ----------
    plot : callable
        A public function of ``causal_theory.plotting``.
    call : callable
        Calls it on the given axes (None: those of a new figure) with a number of the data: ``usual`` or ``changed``.
    usual, changed : float
        The number as in the stored picture, and another one, which must be seen.
    """

    plot: Callable[..., Axes]
    call: Callable[[Axes | None, float], Axes]
    usual: float
    changed: float


def scores(number):
    """A matrix below the diagonal whose entries are all different, of both signs; the one at (6, 2) is given."""
    matrix = np.tril(0.05 * np.sin(np.arange(64.0)).reshape(8, 8))
    matrix[np.arange(1, 8), (np.arange(1, 8) - 1) // 2] = np.linspace(0.15, 0.3, 7)
    matrix[6, 2] = number
    return matrix


def attention(number):
    """Attention of five positions; the last one gives that much to its parent."""
    weights = UNIFORM.copy()
    weights[4] = (1.0 - number) / 4.0
    weights[4, 3] = number
    return weights


RISING = [np.array([0.1, 0.2 + 0.1 * k, 0.3 + 0.1 * k, 0.4 + 0.1 * k]) for k in range(7)]


def rows(number, count):
    """Curves of that many rows; the first one ends at the given height."""
    curves = [curve.copy() for curve in RISING[:count]]
    curves[0][-1] = number
    return curves


def every_verdict(number):
    """Twelve positions with each verdict; the margin of position 3 is given."""
    parents = [-1, 0, 1, 1, 0, 2, -1, 3, -1, 5, 4]
    predicted = [-1, 0, 1, 1, 2, 2, 4, -1, 8, 9, 4, -1]
    margins = [np.nan, 0.1, 0.07, number, -0.03, 0.08, np.nan, 0.005, np.nan, -0.02, 0.06, np.nan]
    return report(parents, predicted, margins, 0.004)


def long_report(number):
    """Two hundred positions in a binary tree; every ninth edge is lost to position 0; the margin of the last varies."""
    parents = [-1, *((np.arange(1, 199) - 1) // 2)]
    margins = np.append(0.05 + 0.04 * np.sin(np.arange(199.0)), np.nan)
    margins[198] = number
    predicted = np.array([*parents, -1])
    lost = np.arange(9, 198, 9)
    predicted[lost] = np.where(predicted[lost] == 1, 2, 1)
    margins[lost] = -0.01 - 0.0001 * lost
    return report(parents, predicted, margins, 0.002)


GRID = np.array([0.01, 0.03, 0.1, 0.3, 1.0]), np.array([10.0, 20.0, 50.0, 100.0])


def shares(number):
    """Shares that grow with both parameters, two not computed; that at the lower right is given."""
    x, y = GRID
    table = 1.0 / (1.0 + 1.0 / (0.4 * x * y[:, np.newaxis]))
    table[3, 3:] = np.nan
    table[0, 4] = number
    return table


OVER = {"xlabel": "concentration (dimensionless)", "ylabel": "length T (tokens)"}


def phases(ax, number):
    table = shares(number)
    known = ~np.isnan(table)
    marks = {"errors": np.where(known, 0.05, np.nan), "certified": known & (table > 0.8), "boundary": 0.5}
    label = "share of recovered edges (0 to 1)"
    return plot_phase_diagram(*GRID, table, label=label, limits=(0.0, 1.0), ax=ax, **OVER, **marks)


def signed_phases(ax, number):
    x, y = np.linspace(0.2, 1.8, 9), np.arange(2.0, 9.0)
    table = (1.0 - x) / np.sqrt(y)[:, np.newaxis] - 0.004
    table[6, 8] = number
    return plot_phase_diagram(
        x, y, table, xlabel="trace of the transition matrix (dimensionless)", ylabel="symbols S",
        label="smallest margin (dimensionless)", boundary=0.0, certified=np.abs(table) > 0.05, ax=ax,
    )  # fmt: skip


def kinds(ax, number):
    table = np.digitize(shares(0.8), [0.3, 0.7, 0.95]).astype(float)
    table[np.isnan(shares(0.8))] = np.nan
    table[0, 4] = number
    names = ["none", "some", "most", "all"]
    return plot_phase_diagram(*GRID, table, categories=names, label="edges recovered", ax=ax, **OVER)


def swept(number):
    """Three repeats of two families at each length; a share of one cell and a margin of one point vary."""
    length, kind, repeat = (
        np.repeat(np.tile([8, 16, 32, 64], 2), 3),
        np.repeat(["chain", "star"], 12),
        np.arange(24) % 3,
    )
    margin = 0.1 * np.log2(length / 4.0) * np.where(kind == "chain", 1.0, 0.4) + 0.03 * (repeat - 1)
    margin[21:] += number
    return {"length": length, "kind": kind, "level": 10.0 ** (repeat - 1), "margin": margin, "won": margin > 0.25}


def trained(number, **changes):
    """A run whose held-out loss in the middle is given."""
    return training_run(test_losses=np.array([1.09, number, 0.83]), **changes)


OVER_COLUMNS = {
    "length": "length T (tokens)",
    "level": "concentration (dimensionless)",
    "kind": "family",
    "margin": "margin (dimensionless)",
}
TREE = CausalGraph.binary_tree(8)
FOREST = [-1, 0, 0, -1, 3, 1, 4, 2, -1, 8]
LEVELS = {"entropy floor": 0.6, "counts rule": 0.66, "unigram": 1.05}
REDUCED = ReducedTransformer(np.zeros((5, 5)), np.eye(3), 0.1)
BLOCKS = np.sin(np.arange(144.0)).reshape(12, 12)


def overview(ax, number):
    """A whole figure, at fixed places like the others; the score of an edge is given."""
    task = InContextTask(TREE, OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    known = Estimate(scores(number), np.zeros((8, 8)), "exact")
    if ax is None:
        return plot_overview(task, scores=known).axes[0]
    figure = ax.figure
    ax.remove()
    made = plot_overview(task, scores=known, figure=figure)
    figure.set_layout_engine("none")
    for panel in made.axes:
        panel.set_position(Bbox.from_bounds(*PANELS[panel.get_label()]).transformed(figure.transFigure.inverted()))
    return made.axes[0]


PICTURES = {
    "overview": Picture(plot_overview, overview, -0.3, -0.2),
    "graph": Picture(
        plot_graph, lambda ax, n: plot_graph(CausalGraph.from_parents([*FOREST[:-1], int(n)]), ax=ax), 8, 5
    ),
    "graph_long": Picture(
        plot_graph, lambda ax, n: plot_graph(CausalGraph.from_parents([-1, *range(57), int(n)]), ax=ax), 57, 9
    ),
    "matrix": Picture(
        plot_matrix, lambda ax, n: plot_matrix(BLOCKS + np.diag([n] * 12), label="number", ax=ax), 1.0, 0.5
    ),
    "scores": Picture(plot_scores, lambda ax, n: plot_scores(scores(n), graph=TREE, ax=ax), -0.3, -0.2),
    "information": Picture(
        plot_information,
        lambda ax, n: plot_information(np.abs(scores(n)), measure="kl", graph=TREE, ax=ax),
        0.3,
        0.2,
    ),
    "attention_by_step": Picture(
        plot_attention_by_step, lambda ax, n: plot_attention_by_step(first_stage(rows(n, 5)), ax=ax), 0.4, 0.5
    ),
    "attention_by_step_many": Picture(
        plot_attention_by_step, lambda ax, n: plot_attention_by_step(first_stage(rows(n, 7)), ax=ax), 0.4, 0.3
    ),
    "root_rows": Picture(
        plot_root_rows,
        lambda ax, n: plot_root_rows(first_stage(rows(0.2, 1), rows(n, 3), fastest_root=12), ax=ax),
        0.4,
        0.5,
    ),
    "losses": Picture(
        plot_losses,
        lambda ax, n: plot_losses(second_stage([1.0, 0.8, n, 0.65]), baselines=LEVELS, epsilon=0.02, ax=ax),
        0.7,
        0.75,
    ),
    "second_matrix": Picture(
        plot_second_matrix, lambda ax, n: plot_second_matrix(n * np.eye(4) + BLOCKS[:4, :4], ax=ax), 3.0, 2.5
    ),
    "training": Picture(plot_training, lambda ax, n: plot_training(trained(n), ax=ax), 0.9, 0.95),
    "training_reduced": Picture(
        plot_training, lambda ax, n: plot_training(trained(n, model=REDUCED), ax=ax), 0.9, 0.95
    ),
    "attention": Picture(
        plot_attention, lambda ax, n: plot_attention(attention(n), graph=CausalGraph.chain(5), ax=ax), 0.8, 0.7
    ),
    "layer": Picture(plot_layer, lambda ax, n: plot_layer(BLOCKS + n * np.eye(12), 4, 2, ax=ax), 1.0, 0.5),
    "attention_by_position": Picture(
        plot_attention_by_position, lambda ax, n: plot_attention_by_position(training_run((0.7, n)), ax=ax), 0.2, 0.3
    ),
    "attention_by_position_runs": Picture(
        plot_attention_by_position,
        lambda ax, n: plot_attention_by_position([training_run((w,)) for w in (0.7, 0.8, n)], ax=ax),
        0.2,
        0.3,
    ),
    "view": Picture(
        plot_view,
        lambda ax, n: plot_view(
            MatrixView(
                "value matrix",
                np.array([[1.0, -0.5, 0.25, 0.0], [n, 0.5, -1.0, 0.75]]),
                Axis("head", names=[(0.0, "first"), (1.0, "second")], minor_borders=[0.5]),
                Axis("symbol", borders=[1.5]),
            ),
            ax=ax,
        ),
        0.5,
        0.75,
    ),
    "margins": Picture(
        plot_margins, lambda ax, n: plot_margins([0.1, -0.02, 0.3, 0.2], [0.8, 0.1, 0.9, n], ax=ax), 0.7, 0.6
    ),
    "recovery": Picture(plot_recovery, lambda ax, n: plot_recovery(every_verdict(n), ax=ax), 0.05, 0.06),
    "recovery_long": Picture(plot_recovery, lambda ax, n: plot_recovery(long_report(n), ax=ax), 0.05, 0.09),
    "phase_shares": Picture(plot_phase_diagram, phases, 0.6, 0.7),
    "phase_margins": Picture(plot_phase_diagram, signed_phases, -0.3, -0.2),
    "sweep_map": Picture(
        plot_sweep,
        lambda ax, n: plot_sweep(swept(n), "won", x="level", y="length", boundary=0.5, labels=OVER_COLUMNS, ax=ax),
        0.0,
        0.2,
    ),
    "sweep_curves": Picture(
        plot_sweep,
        lambda ax, n: plot_sweep(swept(n), "margin", x="length", lines="kind", labels=OVER_COLUMNS, ax=ax),
        0.0,
        0.1,
    ),
    "phase_kinds": Picture(plot_phase_diagram, kinds, 2, 3),
}


def draw(picture: Picture, number: float) -> Figure:
    """Draw a picture in the style of the stored ones, without text."""
    figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH)
    picture.call(figure.add_axes(PLACE), number)
    for ax in figure.findobj(Axes):
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(NullFormatter())
            axis.set_minor_formatter(NullFormatter())
        if ax.get_legend() is not None:
            ax.get_legend().remove()
    for text in figure.findobj(Text):
        text.set_text("")  # not hidden: the arrow of an annotation stays
    return figure


def save(name: str, path: Path, *, changed: bool = False) -> None:
    """Write one picture, the stored one or the one with a number changed."""
    picture = PICTURES[name]
    with mpl.rc_context(mpl.rcParamsDefault | {"savefig.dpi": "figure", "svg.hashsalt": "causal_theory"}):
        figure = draw(picture, picture.changed if changed else picture.usual)
        figure.savefig(path, format="png", metadata={"Software": None})
