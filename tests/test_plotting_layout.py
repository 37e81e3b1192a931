"""Every figure at its natural size: all text lies within the figure, and no two texts overlap."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from causal_theory import CausalGraph
from causal_theory.plotting import plot_graph, plot_matrix, plot_phase_diagram, plot_recovery
from causal_theory.plotting.canvas import detached_axes

from .images import PICTURES
from .images.made_up import report

mpl.use("agg")
from matplotlib import pyplot

SLACK = 1.0
"""Pixels by which boxes of text, which end a little beyond the ink, may overlap."""


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def ticks_in_view(axis):
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    for tick in axis.get_major_ticks():
        if low - slack <= tick.get_loc() <= high + slack:
            yield from (tick.label1, tick.label2)


def texts_of(figure):
    """All visible text by what it says, with its box in pixels."""
    FigureCanvasAgg(figure).draw()  # figures for files come without a canvas that draws
    found = []
    for ax in figure.findobj(Axes):
        legend = [] if ax.get_legend() is None else ax.get_legend().get_texts()
        found += [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts, *legend]
        if ax.axison:
            found += [*ticks_in_view(ax.xaxis), *ticks_in_view(ax.yaxis)]
    seen = [text for text in found if text.get_visible() and text.get_text().strip()]
    # The extent of an annotation includes its leader, that of a text does not.
    return [(text.get_text(), Text.get_window_extent(text)) for text in seen]


def faults(figure):
    """Texts that leave the figure, and pairs of texts that overlap."""
    texts = texts_of(figure)
    width, height = figure.canvas.get_width_height()
    cut = [
        text for text, box in texts if min(box.x0, box.y0) < -SLACK or box.x1 > width + SLACK or box.y1 > height + SLACK
    ]
    pairs = [
        (one, two)
        for (one, a), (two, b) in combinations(texts, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > SLACK and min(a.y1, b.y1) - max(a.y0, b.y0) > SLACK
    ]
    return cut + pairs


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_cut_or_covered(name):
    picture = PICTURES[name]
    assert not faults(picture.call(None, picture.usual).get_figure(root=True))


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda: plot_matrix(np.tril(np.ones((100, 100))), label="score (dimensionless)"), id="matrix"),
        pytest.param(lambda: plot_graph(CausalGraph.star(40)), id="graph"),
        pytest.param(
            lambda: plot_recovery(report([-1] * 99, [-1] * 100, [np.nan] * 100, 0.1)), id="recovery without edges"
        ),
        pytest.param(
            lambda: plot_phase_diagram(
                np.geomspace(1e-4, 1.0, 9), np.arange(3.0, 40.0), np.eye(37, 9) - 0.5, xlabel="epsilon",
                ylabel="length T (tokens)", label="smallest margin (dimensionless)", boundary=0.0,
            ),
            id="phase",
        ),
    ],
)  # fmt: skip
def test_long_ones_too(draw):
    assert not faults(draw().figure)


def test_a_grid_of_figures():
    """All pictures of a kind that hangs something beside or below its axes."""
    names = ["scores", "training", "margins", "recovery", "phase_shares", "layer"]
    axes = detached_axes((18.0, 9.0), (2, 3))
    for name, ax in zip(names, axes, strict=True):
        PICTURES[name].call(ax, PICTURES[name].usual)
    assert not faults(axes[0].figure)


def test_what_is_cut_or_covered_is_found():
    figure = pyplot.figure(figsize=(3.0, 2.0))
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axis_off()
    for place, word in ((0.98, "cut off"), (0.5, "covered"), (0.52, "covering")):
        ax.text(place, 0.5, word)
    assert faults(figure) == ["cut off", ("covered", "covering")]
