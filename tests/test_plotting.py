"""Figures: what is drawn, on which axes, with which labels."""

import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    Estimate,
    InContextTask,
    OrbitPrior,
    edge_scores,
    pairwise_information,
)
from causal_theory.dynamics import Stage1, Stage2, run_stage1, run_stage2
from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting import (
    plot_attention_by_step,
    plot_graph,
    plot_information,
    plot_losses,
    plot_matrix,
    plot_root_rows,
    plot_scores,
    plot_second_matrix,
)

from .helpers import assert_close
from .images.made_up import first_stage, second_stage, training_run

mpl.use("agg")
from matplotlib import pyplot
from matplotlib.text import Text

PRIOR = OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def task():
    return InContextTask(CausalGraph.binary_tree(8), PRIOR)


def image_of(ax):
    (image,) = ax.get_images()
    return image


def test_matrix_shows_the_numbers_and_hides_the_future():
    matrix = np.tril(np.arange(16.0).reshape(4, 4) + 1.0)
    shown = image_of(plot_matrix(matrix)).get_array()
    assert np.array_equal(np.ma.getmaskarray(shown), np.triu(np.ones((4, 4), dtype=bool), k=1))
    assert np.array_equal(shown.filled(0.0), matrix)


def test_full_matrix_is_not_masked():
    assert not np.ma.getmaskarray(image_of(plot_matrix(np.ones((3, 3)))).get_array()).any()


def test_both_signs_get_a_map_centred_at_zero():
    matrix = np.tril(np.ones((4, 4)))
    matrix[3, 0] = -3.0
    low, high = image_of(plot_matrix(matrix)).get_clim()
    assert (low, high) == (-3.0, 3.0)
    assert image_of(plot_matrix(np.eye(4))).get_cmap().name == "cividis"


def test_edges_are_marked():
    graph = CausalGraph.star(5)
    ax = plot_matrix(np.eye(5), graph=graph)
    for marks in ax.collections:
        centres = [path.get_extents().get_points().mean(axis=0) for path in marks.get_paths()]
        assert_close(centres, graph.edges, rtol=0.0, atol=1e-12)
    assert len(ax.collections) == 2
    plain = plot_matrix(np.eye(3), graph=CausalGraph.from_parents([-1, -1]))
    assert [len(marks.get_paths()) for marks in plain.collections] == [0, 0]


@pytest.mark.parametrize(("length", "outside"), [(8, False), (30, False), (100, True)])
def test_outlines_do_not_hide_the_cells(length, outside):
    """Inside of large cells, around small ones; either way the middle of the cell stays free."""
    ax = plot_matrix(np.eye(length), graph=CausalGraph.chain(length))
    cell = np.diff(ax.transData.transform([(0.0, 0.0), (1.0, 0.0)])[:, 0])[0] * 72.0 / ax.figure.dpi
    for marks in ax.collections:
        side = marks.get_paths()[0].get_extents().width
        assert (side > 1.0) == outside
        assert side * cell - marks.get_linewidth()[0] > 0.6 * cell


def test_scores_leave_out_the_entry_of_the_query(task):
    scores = edge_scores(task, epsilon=0.01)
    shown = image_of(plot_scores(scores, graph=task.graph)).get_array()
    assert np.ma.getmaskarray(shown)[-1, -1]
    assert np.array_equal(shown[:-1, :-1].filled(0.0), scores.value[:-1, :-1])
    assert scores.value[-1, -1] != 0.0


@pytest.mark.parametrize(("measure", "unit"), [("kl", "kl (nats)"), ("chi2", "chi2 (dimensionless)")])
def test_information_has_units(task, measure, unit):
    ax = plot_information(pairwise_information(task, measure), measure=measure)
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == unit
    assert ax.get_xlabel() == "key position j"


def test_estimates_and_arrays_give_the_same_picture(task):
    scores = edge_scores(task, epsilon=0.01)
    assert isinstance(scores, Estimate)
    first, second = (image_of(plot_matrix(matrix)).get_array() for matrix in (scores, scores.value))
    assert np.array_equal(first, second)


class TestGraph:
    def test_draws_every_node_and_arrow(self):
        graph = CausalGraph.from_parents([-1, 0, (0, 1), -1])
        ax = plot_graph(graph)
        assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3", "4"]
        *arcs, heads = ax.get_lines()
        assert {(arc.get_xdata()[0], arc.get_xdata()[-1]) for arc in arcs} == {(0.0, 1.0), (0.0, 2.0), (1.0, 2.0)}
        assert heads.get_marker() == ">"
        assert heads.get_xdata().tolist() == [0.5, 1.0, 1.5]
        for arc, x, y in zip(arcs, *heads.get_data(), strict=True):
            assert np.hypot(arc.get_xdata() - x, arc.get_ydata() - y).min() < 0.03

    def test_kinds_of_nodes_differ_without_colour(self):
        ax = plot_graph(CausalGraph.from_parents([-1, 0, -1, 2]))
        assert legend_of(ax) == ["root", "child", "query"]
        roots, children, query = ax.collections
        for nodes, places in ((roots, [0, 2]), (children, [1, 3]), (query, [4])):
            assert nodes.get_offsets()[:, 0].tolist() == places
        assert len(roots.get_paths()[0]) != len(children.get_paths()[0])
        assert query.get_linestyle() != children.get_linestyle()

    def test_a_query_with_a_parent_is_a_child(self):
        ax = plot_graph(CausalGraph([(), (0,)]))
        assert legend_of(ax) == ["root", "child"]

    def test_nodes_do_not_touch_where_there_is_little_room(self):
        """Forty positions on three inches: no numbers, and each node is narrower than its place."""
        figure = pyplot.figure(figsize=(3.0, 2.0))
        ax = plot_graph(CausalGraph.chain(40), ax=figure.add_axes((0.0, 0.2, 1.0, 0.8)))
        assert not ax.texts
        distance = np.diff(ax.transData.transform([(0.0, 0.0), (1.0, 0.0)])[:, 0])[0] * 72.0 / figure.dpi
        assert all(nodes.get_sizes()[0] ** 0.5 < distance for nodes in ax.collections)


def test_long_graph_becomes_its_adjacency():
    graph = CausalGraph.chain(60)
    assert np.array_equal(image_of(plot_graph(graph)).get_array().filled(0.0), graph.adjacency)


@pytest.mark.parametrize(
    ("matrix", "graph", "message"),
    [
        (np.ones(3), None, r"matrix must be square, got shape \(3,\)"),
        (np.ones((2, 3)), None, r"matrix must be square, got shape \(2, 3\)"),
        (np.empty((0, 0)), None, r"matrix must be square, got shape \(0, 0\)"),
        (np.full((2, 2), np.nan), None, "matrix must have finite entries"),
        (np.eye(3), CausalGraph.chain(4), "graph must have length 3 like the matrix, got 4"),
    ],
)
def test_bad_input(matrix, graph, message):
    with pytest.raises(InvalidArgumentError, match=message):
        plot_matrix(matrix, graph=graph)


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install \"\.\[plot\]\""):
        plot_matrix(np.eye(3))


def test_information_leaves_the_diagonal_blank(task):
    values = pairwise_information(task, "tv")
    shown = image_of(plot_information(values, measure="tv")).get_array()
    assert np.array_equal(np.ma.getmaskarray(shown), np.triu(np.ones((8, 8), dtype=bool)))
    assert np.array_equal(shown.filled(0.0), np.tril(values.value, k=-1))


def test_unknown_measure_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"measure must be one of 'chi2', .* got 'mi'"):
        plot_information(np.eye(3), measure="mi")


def test_nothing_to_show_is_drawn_empty():
    assert image_of(plot_matrix(np.ma.masked_all((2, 2)).filled(0.0))).get_clim() == (0.0, 1.0)
    hidden = np.ma.array(np.zeros((2, 2)), mask=True)
    assert np.ma.getmaskarray(image_of(plot_matrix(hidden)).get_array()).all()


def curves_of(ax):
    """Lines that follow the steps, by label on one line."""
    lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
    return {" ".join(line.get_label().split()): np.array(line.get_ydata()) for line in lines}


def legend_of(ax):
    return [" ".join(text.get_text().split()) for text in ax.get_legend().get_texts()]


RISING = [np.array([0.1, 0.2 + 0.1 * k, 0.3 + 0.1 * k, 0.4 + 0.1 * k]) for k in range(6)]


class TestRows:
    @pytest.mark.parametrize("plot", [plot_attention_by_step, plot_root_rows])
    def test_draws_on_the_given_axes_with_units(self, plot):
        ax = pyplot.figure().subplots()
        assert plot(first_stage(RISING[:1], RISING[:1]), ax=ax) is ax
        assert ax.get_xlabel() == "step of stage 1"
        assert ax.get_ylabel().endswith("(weight, 0 to 1)")

    def test_few_child_rows_have_a_line_each(self):
        ax = plot_attention_by_step(first_stage(RISING[:5], RISING[5:]))
        curves = curves_of(ax)
        assert list(curves) == [f"row {k}" for k in (1, 2, 3, 4, 5)]
        assert np.array_equal(list(curves.values()), RISING[:5])
        assert not ax.collections

    def test_goal(self):
        """T = 7 with five children, a root besides position 0, and the query."""
        ax = plot_attention_by_step(first_stage(RISING[:4], RISING[5:]))
        (goal,) = [line for line in ax.get_lines() if "goal" in line.get_label()]
        assert set(goal.get_ydata()) == {1.0 - 1.0 / 7}
        assert "goal 1 - 1/T = 0.8571" in legend_of(ax)

    @pytest.mark.parametrize(
        ("plot", "run", "label", "extreme"),
        [
            (plot_attention_by_step, first_stage(RISING), "lowest at the end: row 1", RISING[0]),
            (plot_root_rows, first_stage(roots=RISING), "farthest at the end: row 6", RISING[5]),
        ],
    )
    def test_many_rows_become_a_band(self, plot, run, label, extreme):
        ax = plot(run)
        curves = curves_of(ax)
        curves.pop("query (row 7)", None)
        assert set(curves) == {"median", label}
        assert_close(curves["median"], np.median(RISING, axis=0), rtol=1e-14)
        assert np.array_equal(curves[label], extreme)
        (band,) = ax.collections
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
        for step, low, high in zip((0, 10, 20, 30), np.min(RISING, axis=0), np.max(RISING, axis=0), strict=True):
            assert {(step, low), (step, high)} <= corners
        assert legend_of(ax)[0] == "all 6 rows"

    def test_lines_differ_without_colour(self):
        ax = plot_attention_by_step(first_stage(RISING[:5]))
        lines = [line for line in ax.get_lines() if line.get_label().startswith("row")]
        assert len({line.get_marker() for line in lines}) == len({str(line._dash_pattern) for line in lines}) == 5

    def test_roots_leave_out_position_0_and_show_the_query(self):
        curves = curves_of(plot_root_rows(first_stage(RISING[:1], RISING[1:3])))
        assert list(curves) == ["row 2", "row 3", "query (row 4)"]
        assert np.array_equal(curves["query (row 4)"], np.linspace(0.0, 0.9, 4))

    def test_missing_rows_are_told(self):
        assert "no child rows" in legend_of(plot_attention_by_step(first_stage(roots=RISING[:1])))
        assert "no root rows besides position 0" in legend_of(plot_root_rows(first_stage(RISING[:1])))

    @pytest.mark.parametrize(("step", "drawn"), [(-1, None), (12, True), (31, False)])
    def test_first_root_that_leaves(self, step, drawn):
        ax = plot_root_rows(first_stage(RISING[:1], RISING[1:2], fastest_root=step))
        label = f"first root row has left: step {step}"
        assert (label in legend_of(ax)) == (drawn is not None)
        upright = [line for line in ax.get_lines() if list(line.get_xdata()) == [step, step]]
        assert len(upright) == (drawn is True)

    @pytest.mark.parametrize("plot", [plot_attention_by_step, plot_root_rows])
    def test_divergence_is_marked(self, plot):
        ax = plot(first_stage(RISING[:1], RISING[1:2], status="diverged", diverged_at=33))
        assert "diverged at step 33" in legend_of(ax)
        assert [33, 33] in [list(line.get_xdata()) for line in ax.get_lines()]

    @pytest.mark.parametrize("plot", [plot_attention_by_step, plot_root_rows])
    def test_other_runs_are_refused(self, plot):
        for run in (training_run(), second_stage([1.0])):
            with pytest.raises(InvalidArgumentError, match=f"run must be a Stage1Run, got {type(run).__name__}"):
                plot(run)

    def test_curves_of_a_real_run(self, task):
        run = run_stage1(task, Stage1(steps=200), epsilon=0.1)
        ax = plot_attention_by_step(run)
        median = next(line for line in ax.get_lines() if line.get_label() == "median")
        children = task.graph.parent_array >= 0
        assert np.array_equal(median.get_xdata(), run.steps)
        assert_close(median.get_ydata(), np.median(run.attention_on_parents[:, children], axis=1), rtol=1e-14)


class TestLosses:
    LOSSES = (1.0, 0.8, 0.7, 0.65)

    def test_curve_and_units(self, task):
        run = run_stage2(task, Stage2(steps=3), epsilon=0.1)
        ax = pyplot.figure().subplots()
        assert plot_losses(run, ax=ax) is ax
        assert np.array_equal(curves_of(ax)["trained model"], run.losses)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("step of stage 2", "loss (nats)")
        assert legend_of(ax) == ["trained model"]

    def test_other_runs_are_refused(self):
        with pytest.raises(InvalidArgumentError, match="run must be a Stage2Run, got TrainingRun"):
            plot_losses(training_run())

    def test_every_baseline_is_a_labelled_line(self):
        baselines = {"floor": 0.6, "counts": np.float64(0.75), "unigram": 1.05}
        ax = plot_losses(second_stage(self.LOSSES), baselines=baselines)
        flat = [line for line in ax.get_lines() if len(line.get_ydata()) == 2]
        assert [line.get_ydata()[0] for line in flat] == [0.6, 0.75, 1.05]
        assert len({str(line._dash_pattern) for line in flat}) == 3
        assert [text.get_text() for text in ax.texts] == ["floor 0.6", "counts 0.75", "unigram 1.05"]
        assert [text.xy[1] for text in ax.texts] == [0.6, 0.75, 1.05]

    @pytest.mark.parametrize(
        "values", [(0.9, 0.9, 0.9), (0.9, 0.91, 2.0), (0.99, 1.0, 1.0), (0.65, 0.65, 0.66), (0.2, 0.21, 0.22)]
    )
    def test_labels_of_close_baselines_do_not_overlap(self, values):
        ax = plot_losses(second_stage(self.LOSSES), baselines=dict(zip("abc", values, strict=True)))
        ax.figure.draw_without_rendering()
        # The extent of an annotation includes its leader, that of a text does not.
        boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
        assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
        frame = ax.get_window_extent()
        # Boxes of text end at whole pixels.
        assert all(frame.y0 - 1.0 <= (box.y0 + box.y1) / 2 <= frame.y1 + 1.0 for box in boxes)

    def test_normalised_loss(self):
        """``f + eps`` sums to ``1 + 3 eps``."""
        curves = curves_of(plot_losses(second_stage(self.LOSSES), epsilon=0.1))
        assert_close(curves["the same, normalised"], np.array(self.LOSSES) + np.log(1.3), rtol=1e-14)

    def test_divergence_is_marked(self):
        ax = plot_losses(second_stage(self.LOSSES, status="diverged", diverged_at=4))
        assert legend_of(ax) == ["trained model", "diverged at step 4"]

    def test_a_single_loss_stands_at_a_whole_step(self):
        ax = plot_losses(second_stage([0.7]))
        ticks = [tick for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        assert ticks == [0.0, 1.0]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"baselines": {"floor": np.nan}}, "baseline 'floor' must be a finite number, got nan"),
            ({"baselines": {"floor": "low"}}, "baseline 'floor' must be an array of real numbers"),
            ({"epsilon": 0.0}, "epsilon must be a finite number greater than 0"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(InvalidArgumentError, match=message):
            plot_losses(second_stage(self.LOSSES), **arguments)
        assert not pyplot.get_fignums()


class TestSecondMatrix:
    @pytest.mark.parametrize("matrix", [2.0 * np.eye(3), np.arange(9.0).reshape(3, 3) - 4.0])
    def test_shows_every_entry_with_keys_in_rows(self, matrix):
        ax = pyplot.figure().subplots()
        assert plot_second_matrix(matrix, ax=ax) is ax
        shown = image_of(ax).get_array()
        assert not np.ma.getmaskarray(shown).any()
        assert np.array_equal(shown, matrix)
        assert (ax.get_ylabel(), ax.get_xlabel()) == ("key symbol a", "query symbol q")
        (bar,) = ax.child_axes
        assert bar.get_ylabel() == "logit (dimensionless)"

    @pytest.mark.parametrize(
        ("matrix", "message"),
        [
            (np.ones((2, 3)), r"A2 must be a square matrix, got shape \(2, 3\)"),
            (np.ones(3), "A2 must be a square matrix"),
            (1.0, "A2 must be a square matrix"),
            ([], "A2 must be a square matrix"),
            (np.full((2, 2), np.inf), "A2 must be finite"),
        ],
    )
    def test_bad_input(self, matrix, message):
        with pytest.raises(InvalidArgumentError, match=message):
            plot_second_matrix(matrix)


def lines_of(ax):
    """All lines but those across and down, by label on one line."""
    return {" ".join(line.get_label().split()): line for line in ax.get_lines() if not line.get_label().startswith("_")}
