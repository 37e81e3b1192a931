"""Figures: what is drawn, on which axes, with which labels."""

import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DisentangledTransformer,
    Estimate,
    InContextTask,
    OrbitPrior,
    ReducedTransformer,
    edge_scores,
    pairwise_information,
)
from causal_theory.dynamics import Stage1, Stage2, run_stage1, run_stage2
from causal_theory.errors import InvalidArgumentError
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
    plot_root_rows,
    plot_scores,
    plot_second_matrix,
    plot_training,
)

from .helpers import assert_close
from .images.made_up import UNIFORM, first_stage, second_stage, training_run

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
    with pytest.raises(ImportError, match=r"pip install \"causal-theory\[plot\]\""):
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


class TestTraining:
    def test_losses_and_units(self):
        ax = pyplot.figure().subplots()
        assert plot_training(training_run(), ax=ax) is ax
        lines = lines_of(ax)
        assert lines["held out"].get_xdata().tolist() == [0, 20, 40]
        assert lines["held out"].get_ydata().tolist() == [1.09, 0.9, 0.83]
        # The first window holds the losses before steps 1 to 10, which is after 0 to 9 of them.
        assert lines["training batches"].get_xdata().tolist() == [4.5, 14.5, 24.5, 34.5]
        assert lines["training batches"].get_ydata().tolist() == [1.0, 0.9, 0.85, 0.82]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats)")

    def test_band_is_two_standard_errors_wide(self):
        (band,) = plot_training(training_run()).collections
        corners = band.get_paths()[0].vertices
        for step, low, high in ((0, 1.09, 1.09), (20, 0.88, 0.92), (40, 0.79, 0.87)):
            heights = corners[corners[:, 0] == step, 1]
            assert_close([heights.min(), heights.max()], [low, high], rtol=1e-12)

    def test_baselines_are_named(self):
        ax = plot_training(training_run())
        assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [
            ("entropy floor 0.5", 0.5),
            ("counts rule 0.8", 0.8),
            ("uniform, log S 1.099", np.log(3)),
            ("unigram 1.2", 1.2),
        ]
        low, high = ax.get_ylim()
        assert low < 0.5
        assert high > 1.2

    def test_normalised_loss_of_the_reduced_model(self):
        """``f + eps`` sums to ``1 + 3 eps``."""
        model = ReducedTransformer(np.zeros((5, 5)), np.eye(3), 0.1)
        curves = lines_of(plot_training(training_run(model=model)))
        assert_close(curves["held out, normalised"].get_ydata(), np.array([1.09, 0.9, 0.83]) + np.log(1.3), rtol=1e-14)
        assert "held out, normalised" not in lines_of(plot_training(training_run()))

    @pytest.mark.parametrize(("early", "scale"), [(True, "symlog"), (False, "linear")])
    def test_step_axis_shows_where_the_loss_falls(self, early, scale):
        steps = np.arange(0, 2001, 100)
        fall = np.exp(-steps / (100.0 if early else 1000.0))
        ax = plot_training(
            training_run(snapshot_steps=steps, test_losses=0.6 + 0.4 * fall, test_errors=np.zeros(len(steps)))
        )
        assert ax.get_xscale() == scale
        assert ax.get_xlim()[0] <= 0.0 < 2000.0 <= ax.get_xlim()[1]
        assert ax.get_xlabel() == ("step (logarithmic from 10 on)" if early else "step")
        if early:
            assert list(ax.get_xticks()) == [0, 10, 100, 1000]

    def test_divergence_is_marked_and_does_not_set_the_scale(self):
        run = training_run(
            losses=np.array([1.0, 1e3, 1e9, 1e300]),
            test_losses=np.array([1.09, 1e5, 1e280]),
            test_errors=np.array([0.0, 1e5, np.inf]),
            status="diverged",
            diverged_at=43,
        )
        ax = plot_training(run)
        assert {"diverged at step 43", "losses up to 1e+300 not shown"} <= set(legend_of(ax))
        assert ax.get_ylim()[1] < 1.5
        ax.figure.draw_without_rendering()

    def test_a_run_without_steps(self):
        run = training_run(
            steps=np.zeros(0, dtype=np.int64), losses=np.zeros(0), snapshot_steps=np.array([0]),
            test_losses=np.array([1.09]), test_errors=np.array([0.01]), status="diverged", diverged_at=0,
        )  # fmt: skip
        ax = plot_training(run)
        assert "diverged at step 0" in legend_of(ax)
        ax.figure.draw_without_rendering()

    def test_bad_input(self):
        with pytest.raises(InvalidArgumentError, match="run must be a TrainingRun, got list"):
            plot_training([training_run()])


class TestAttention:
    def test_scale_is_the_same_for_all(self):
        ax = pyplot.figure().subplots()
        assert plot_attention(UNIFORM, graph=CausalGraph.chain(5), ax=ax) is ax
        image = image_of(ax)
        assert image.get_clim() == (0.0, 1.0)
        assert np.array_equal(image.get_array().filled(0.0), UNIFORM)
        assert np.array_equal(np.ma.getmaskarray(image.get_array()), np.triu(np.ones((5, 5), dtype=bool), k=1))
        assert len(ax.collections) == 2
        (bar,) = ax.child_axes
        assert bar.get_ylabel() == "weight (0 to 1)"

    @pytest.mark.parametrize(
        ("attention", "message"),
        [
            (np.ones(3), r"attention must be a square matrix, got shape \(3,\)"),
            (np.empty((0, 0)), "attention must be a square matrix"),
            (np.full((2, 2), np.nan), "attention must be finite"),
            (np.full((2, 2), 0.5), "attention must have .* zeros above the diagonal"),
            (np.tril(np.ones((2, 2))), "rows that sum to 1, got rows with sums from 1 to 2"),
            (np.array([[1.0, 0.0], [1.5, -0.5]]), "entries of at least 0, .* entries from -0.5 to 1.5"),
            (["a"], "attention must be an array of real numbers"),
        ],
    )
    def test_bad_input(self, attention, message):
        with pytest.raises(InvalidArgumentError, match=message):
            plot_attention(attention)
        assert not pyplot.get_fignums()

    def test_graph_of_another_length(self):
        with pytest.raises(InvalidArgumentError, match="graph must have length 5 like the matrix, got 4"):
            plot_attention(UNIFORM, graph=CausalGraph.chain(4))


class TestLayer:
    def borders(self, ax):
        """Places of lines across, in black, by line style; those of lines down must be the same."""
        places = []
        for axis in (0, 1):
            found = {"-": [], ":": []}
            for line in ax.get_lines():
                if line.get_color() == "black" and len(set(line.get_data()[axis])) == 1:
                    found[line.get_linestyle()].append(line.get_data()[axis][0])
            places.append({style: sorted(numbers) for style, numbers in found.items()})
        assert places[0] == places[1]
        return places[0]

    @pytest.mark.parametrize(
        ("blocks", "labels"),
        [
            (1, ["tokens", "positions"]),
            (2, ["tok 0", "pos 0", "tok 1", "pos 1"]),
            (3, ["tok 0", "pos 0", "tok 1", "pos 1", "tok 2", "pos 2"]),
            (4, ["0", "1", "2", "3"]),
        ],
    )
    def test_blocks(self, blocks, labels):
        """Six entries each, two for tokens and four for positions."""
        size = 6 * blocks
        matrix = np.arange(float(size**2)).reshape(size, size)
        ax = pyplot.figure().subplots()
        assert plot_layer(matrix, 4, 2, ax=ax) is ax
        assert np.array_equal(image_of(ax).get_array(), matrix)
        borders = self.borders(ax)
        assert borders["-"] == [6 * k - 0.5 for k in range(1, blocks)]
        assert borders[":"] == [6 * k + 1.5 for k in range(blocks)]
        for ticks, names in ((ax.get_xticks(), ax.get_xticklabels()), (ax.get_yticks(), ax.get_yticklabels())):
            assert [text.get_text() for text in names] == labels
            middles = [6 * k + m for k in range(blocks) for m in ((2.5,) if blocks > 3 else (0.5, 3.5))]
            assert list(ticks) == middles

    def test_blocks_are_those_of_the_model(self):
        model = DisentangledTransformer(4, 2, (2, 1), scale=1.0, rng=0)
        ax = plot_layer(model.layers[1][0], 4, 2)
        assert np.array_equal(image_of(ax).get_array(), model.layers[1][0])
        assert len(ax.get_xticks()) == 6
        (bar,) = ax.child_axes
        assert bar.get_ylabel() == "logit (dimensionless)"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((np.eye(7), 4, 2), r"size that is a multiple of length \+ vocab_size = 6, got 7"),
            ((np.ones((6, 12)), 4, 2), "matrix must be a square matrix"),
            ((np.full((6, 6), np.inf), 4, 2), "matrix must be finite"),
            ((np.eye(6), 0, 2), "length must be an integer of at least 1, got 0"),
            ((np.eye(6), 4, 2.0), "vocab_size must be an integer of at least 1, got 2.0"),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(InvalidArgumentError, match=message):
            plot_layer(*arguments)


class TestParentAttention:
    def test_child_rows_of_one_run(self):
        ax = pyplot.figure().subplots()
        assert plot_attention_by_position(training_run(parents=(-1, 0, -1, 2)), ax=ax) is ax
        rows = lines_of(ax)["child rows"]
        assert rows.get_xdata().tolist() == [1, 3]
        assert_close(rows.get_ydata(), [0.7, 0.7], rtol=1e-14)
        assert_close(lines_of(ax)["uniform, 1/(i+1)"].get_ydata(), 1.0 / np.arange(1.0, 6.0), rtol=1e-14)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("position", "weight (0 to 1)")

    def test_heads_stand_side_by_side_and_differ_without_colour(self):
        lines = lines_of(plot_attention_by_position(training_run((0.7, 0.2))))
        one, two = lines["head 1"], lines["head 2"]
        assert_close([one.get_ydata(), two.get_ydata()], [[0.7] * 3, [0.2] * 3], rtol=1e-14)
        assert (one.get_xdata() < two.get_xdata()).all()
        assert_close((one.get_xdata() + two.get_xdata()) / 2.0, [1.0, 2.0, 3.0], rtol=1e-14)
        assert one.get_marker() != two.get_marker()

    def test_mean_and_spread_of_several_runs(self):
        """Position 1 is a child in all, 2 in one, 3 in two of three; of two heads the larger weight counts."""
        runs = [
            training_run((0.1, 0.6), (-1, 0, -1, 0)),
            training_run((0.8, 0.1), (-1, 0, 1, -1)),
            training_run((0.3, 0.2), (-1, 0, -1, 1)),
        ]
        ax = plot_attention_by_position(runs)
        lines = lines_of(ax)
        mean = lines["mean over runs"]
        assert mean.get_xdata().tolist() == [1, 2, 3]
        assert_close(mean.get_ydata(), [1.7 / 3.0, 0.8, 0.45], rtol=1e-14)
        assert_close(sorted(lines["each of 3 runs"].get_ydata()), [0.3, 0.3, 0.6, 0.6, 0.8, 0.8], rtol=1e-12)
        (bars,) = [item for item in ax.collections if type(item).__name__ == "LineCollection"]
        ends = [segment[:, 1] for segment in bars.get_segments()]
        deviations = [np.std([0.6, 0.8, 0.3], ddof=1), np.std([0.6, 0.3], ddof=1)]
        assert_close([(high - low) / 2.0 for low, high in ends], deviations, rtol=1e-12)
        assert "standard deviation" in legend_of(ax)

    def test_no_child_rows(self):
        run = training_run(parents=(-1, -1, -1, -1))
        for runs in (run, [run, run]):
            assert "no child rows" in legend_of(plot_attention_by_position(runs))

    @pytest.mark.parametrize(
        ("runs", "message"),
        [
            ([], r"run must hold at least one run, all of one length, got the lengths \[\]"),
            (3, "run must be a TrainingRun or a sequence of them, got int"),
            ([training_run(), "run"], "run must be a TrainingRun or a sequence of them, got str"),
            (
                [training_run(), training_run(model=DisentangledTransformer(6, 3))],
                r"all of one length, got the lengths \[5, 6\]",
            ),
        ],
    )
    def test_bad_input(self, runs, message):
        with pytest.raises(InvalidArgumentError, match=message):
            plot_attention_by_position(runs)


class TestMargins:
    def test_rows_that_the_scores_get_wrong_stand_apart(self):
        ax = pyplot.figure().subplots()
        margins, attention = [np.nan, 0.1, -0.2, 0.3, 0.4], [0.5, 0.8, 0.3, 0.9, np.nan]
        assert plot_margins(margins, attention, ax=ax) is ax
        lines = lines_of(ax)
        won, lost = lines["parent wins the scores (2)"], lines["another key does (1)"]
        assert (won.get_xdata().tolist(), won.get_ydata().tolist()) == ([0.1, 0.3], [0.8, 0.9])
        assert (lost.get_xdata().tolist(), lost.get_ydata().tolist()) == ([-0.2], [0.3])
        assert won.get_marker() != lost.get_marker()
        assert ax.get_xlabel() == "margin of the edge scores (dimensionless)"

    def test_nothing_to_show(self):
        assert legend_of(plot_margins([np.nan], [0.5])) == ["no child rows"]

    def test_bad_input(self):
        with pytest.raises(InvalidArgumentError, match="attention must have as many entries as margins, 2, got 1"):
            plot_margins([0.1, 0.2], [0.5])
