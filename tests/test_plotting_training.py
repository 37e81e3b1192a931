"""Figures of stochastic training: losses, attention, layers, attention on the parents, margins."""

import numpy as np
import pytest
from matplotlib import pyplot

from causal_theory import (
    CausalGraph,
    DisentangledTransformer,
    ReducedTransformer,
)
from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting import (
    plot_attention,
    plot_attention_by_position,
    plot_layer,
    plot_margins,
    plot_training,
)
from tests.test_plotting import image_of, legend_of, lines_of

from .helpers import assert_close
from .images.made_up import UNIFORM, training_run

UNMEASURED = training_run(
    snapshot_steps=np.zeros(0, dtype=np.int64), test_losses=np.zeros(0), test_errors=np.zeros(0),
    attention=np.zeros((0, 1, 5, 5)), status="diverged", diverged_at=0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


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
        with pytest.raises(InvalidArgumentError, match="finite held-out loss, got one that diverged at step 0"):
            plot_training(UNMEASURED)


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
            (UNMEASURED, "run must have a finite held-out loss, got one that diverged at step 0"),
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
