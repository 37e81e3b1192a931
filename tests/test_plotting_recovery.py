"""The figure of a report: where marks stand, which verdict they tell, and that long reports stay legible and cheap."""

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import CausalGraph, EdgeReport
from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.plotting import plot_recovery

from .helpers import assert_close
from .images.made_up import report

mpl.use("agg")
from matplotlib import pyplot

# Row 1 correct, 2 wrong, 3 missed below the threshold, 4 missed because the diagonal wins, 5 a spurious edge, 6 a root
# whose diagonal wins, 7 correct, 8 the query.
PARENTS = [-1, 0, 1, 0, 2, -1, -1, 6]
PREDICTED = [-1, 0, 0, -1, 4, 3, 6, 6, -1]
MARGINS = [np.nan, 0.1, -0.04, 0.005, -0.02, np.nan, np.nan, 0.07, np.nan]
VERDICTS = {
    "correct edge": [1, 7],
    "wrong parent": [2],
    "missed edge": [3, 4],
    "spurious edge": [5],
    "diagonal wins": [4, 6],
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def mixed():
    made = report(PARENTS, PREDICTED, MARGINS, 0.003)
    assert made.predicted.tolist() == PREDICTED
    assert_close(made.margin[made.true >= 0], np.array(MARGINS)[made.true >= 0], rtol=1e-12)
    return made


def marks_of(ax):
    """Places of all marks, by the label without its count."""
    found = {}
    for line in ax.get_lines():
        label = line.get_label().rsplit(" (", 1)[0]
        if line.get_linestyle() == "None" and not label.startswith("_"):
            found[label] = np.transpose(line.get_data()).astype(float).tolist()
    return found


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_draws_on_the_given_axes_with_units(mixed):
    ax = pyplot.figure().subplots()
    assert plot_recovery(mixed, ax=ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("position i", "margin (dimensionless)")
    (below,) = ax.child_axes
    assert below.get_ylabel() == "parent j"


def test_every_verdict_has_its_rows_and_its_count(mixed):
    ax = plot_recovery(mixed)
    marks = marks_of(ax)
    for verdict, rows in VERDICTS.items():
        heights = [0.0 if np.isnan(MARGINS[row]) else mixed.margin[row] for row in rows]
        assert marks[verdict] == [[row, height] for row, height in zip(rows, heights, strict=True)]
        assert f"{verdict} ({len(rows)})" in legend_of(ax)
    assert marks["root row or query, no margin"] == [[0, 0], [5, 0], [6, 0], [8, 0]]


def test_verdicts_differ_in_colour_and_in_marker(mixed):
    lines = [line for line in plot_recovery(mixed).get_lines() if line.get_label().rsplit(" (", 1)[0] in VERDICTS]
    assert len({line.get_marker() for line in lines}) == len({line.get_markeredgecolor() for line in lines}) == 5


def test_parents_true_and_predicted(mixed):
    (below,) = plot_recovery(mixed).child_axes
    squares, *verdicts = [np.transpose(line.get_data()).tolist() for line in below.get_lines()]
    assert squares == [[1, 0], [2, 1], [3, 0], [4, 2], [7, 6]]
    assert verdicts == [[[1, 0], [7, 6]], [[2, 0]], [[3, 0], [4, 2]], [[5, 3]], [[4, 4], [6, 6]]]
    (joined,) = [item for item in below.collections if type(item).__name__ == "LineCollection"]
    assert [segment.tolist() for segment in joined.get_segments()] == [[[2, 1], [2, 0]]]


def test_bars_are_two_errors_long(mixed):
    """The margin of two scores with an error of 0.003 each, sampled: sqrt(2) 0.003."""
    ax = plot_recovery(mixed)
    (bars,) = ax.containers
    (segments,) = (item.get_segments() for item in bars.lines[2])
    children = np.flatnonzero(mixed.true >= 0)
    half = 2.0 * np.sqrt(2.0) * 0.003
    for row, segment in zip(children, segments, strict=True):
        expected = [[row, mixed.margin[row] - half], [row, mixed.margin[row] + half]]
        assert_close(segment, expected, rtol=1e-12, atol=1e-15)
    assert "± 2 errors" in legend_of(ax)


@pytest.mark.parametrize(("errors", "label"), [(1e-15, "± 2 errors, at most 4e-15"), (0.0, None)])
def test_bars_that_cannot_be_seen_are_told(errors, label):
    made = report(PARENTS, PREDICTED, MARGINS, errors, "transform")
    assert [text for text in legend_of(plot_recovery(made)) if text.startswith("±")] == ([label] if label else [])


def test_lost_edges_are_below_zero_and_told(mixed):
    ax = plot_recovery(mixed)
    assert "margin below 0: edge lost (2)" in legend_of(ax)
    (band,) = ax.patches
    assert band.get_y() + band.get_height() == 0.0
    assert band.get_y() < -0.04
    clean = plot_recovery(report([-1, 0, 1], [-1, 0, 1, -1], [np.nan, 0.1, 0.1, np.nan]))
    assert not clean.patches


def test_title_tells_the_verdict(mixed):
    """Two of four predicted edges are edges; two of five edges are predicted."""
    assert plot_recovery(mixed).get_title() == "precision 0.5, recall 0.4, no exact match"
    clean = report([-1, 0, 1], [-1, 0, 1, -1], [np.nan, 0.1, 0.1, np.nan])
    assert plot_recovery(clean).get_title() == "precision 1, recall 1, exact match"


def test_the_margins_leave_room_for_the_parents(mixed):
    """No mark, bar or tick of a margin lies where the parents are drawn."""
    ax = plot_recovery(mixed)
    bottom, top = ax.get_ylim()
    edge = bottom + 0.44 * (top - bottom)
    ax.figure.draw_without_rendering()
    inside = ax.transAxes.inverted().transform_bbox(ax.child_axes[0].get_window_extent())
    assert_close(inside.extents, [0.0, 0.0, 1.0, 0.44], rtol=1e-9, atol=1e-9)
    assert np.nanmin(mixed.margin - 2.0 * mixed.margin_error) > edge
    assert min(ax.get_yticks()) > edge


@pytest.mark.parametrize("length", [2, 3, 100, 500])
def test_any_length_needs_few_artists_and_few_ticks(length):
    parents = [-1, *range(length - 2)]
    margins = np.concatenate([[np.nan], np.linspace(-0.05, 0.1, length - 2), [np.nan]])
    predicted = np.array([-1, *np.arange(length - 2), -1])
    predicted[margins < 0.0] = np.flatnonzero(margins < 0.0)
    ax = plot_recovery(report(parents, predicted, margins, 0.001))
    ax.figure.draw_without_rendering()
    (below,) = ax.child_axes
    assert sum(len(axes.lines) + len(axes.collections) + len(axes.patches) for axes in (ax, below)) < 30
    assert all(len(axis.get_ticklocs()) <= 12 for axis in (ax.xaxis, ax.yaxis, below.yaxis))
    assert all(tick == int(tick) for tick in [*ax.get_xticks(), *below.get_yticks()])


def test_a_graph_without_edges():
    ax = plot_recovery(EdgeReport(np.zeros((3, 3)), CausalGraph.from_parents([-1, -1])))
    assert legend_of(ax) == ["no child rows", "root row or query, no margin (3)"]
    ax.figure.draw_without_rendering()


def test_a_single_margin_of_zero():
    """Equal scores: neither range nor bars."""
    made = EdgeReport(np.tril(np.full((3, 3), 0.3)), CausalGraph.from_parents([-1, 0]))
    assert made.margin[1] == 0.0
    plot_recovery(made).figure.draw_without_rendering()


def test_bad_input():
    with pytest.raises(InvalidArgumentError, match="report must be an EdgeReport, got ndarray"):
        plot_recovery(np.eye(3))
    several = EdgeReport(np.eye(4), CausalGraph.from_parents([-1, -1, (0, 1)]))
    with pytest.raises(GraphError, match="position 2 has the parents"):
        plot_recovery(several)
    assert not pyplot.get_fignums()
