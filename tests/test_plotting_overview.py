"""The overview of a task: every panel shows the numbers of the public functions, on scales that can be compared."""

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.plotting import plot_information, plot_overview, plot_scores
from causal_theory.plotting.colours import diverging

from .helpers import assert_close

mpl.use("agg")
from matplotlib import pyplot
from matplotlib.figure import Figure

PRIOR = OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])
TASK = InContextTask(CausalGraph.binary_tree(9), PRIOR)
EPSILON = 0.05


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def panels(figure):
    return {ax.get_label(): ax for ax in figure.axes}


def image(ax):
    (found,) = ax.get_images()
    return found


def heights(ax):
    """The marks over the positions."""
    return {x: y for line in ax.get_lines() if line.get_marker() in "oX" for x, y in line.get_xydata().tolist()}


class TestPanels:
    def test_scores(self):
        shown = image(panels(plot_overview(TASK, epsilon=EPSILON))["scores"]).get_array()
        expected = edge_scores(TASK, epsilon=EPSILON).value
        seen = np.tril(np.ones((9, 9), dtype=bool))
        seen[-1, -1] = False  # the query's own entry
        assert np.array_equal(~np.ma.getmaskarray(shown), seen)
        assert_close(shown[seen], expected[seen], rtol=0.0)

    def test_limit(self):
        shown = image(panels(plot_overview(TASK, epsilon=EPSILON))["limit"]).get_array()
        expected = limit_edge_scores(TASK, epsilon=EPSILON).value
        assert_close(shown.compressed(), expected[np.tril_indices(9)][:-1], rtol=0.0)

    @pytest.mark.parametrize("measure", ["chi2", "kl", "tv", "hellinger"])
    def test_information(self, measure):
        ax = panels(plot_overview(TASK, measure=measure))["information"]
        expected = pairwise_information(TASK, measure).value
        assert_close(image(ax).get_array().compressed(), expected[np.tril_indices(9, k=-1)], rtol=0.0)
        assert ax.get_title() == f"{measure} information" + (" (nats)" if measure == "kl" else "")

    def test_margins(self):
        ax = panels(plot_overview(TASK, epsilon=EPSILON))["margins"]
        margin = EdgeReport(edge_scores(TASK, epsilon=EPSILON), TASK.graph).margin
        assert heights(ax) == {i: margin[i] for i in range(1, 8)}
        assert ax.get_title() == "margins"

    def test_lost_edges_are_counted(self):
        # A matrix of large trace: the diagonal wins everywhere.
        task = InContextTask(CausalGraph.chain(8), PointPrior([[0.9, 0.1], [0.2, 0.8]]))
        ax = panels(plot_overview(task))["margins"]
        assert ax.get_title() == "margins (6 of 6 lost)"
        assert max(heights(ax).values()) < 0.0

    def test_graph(self):
        short = panels(plot_overview(TASK))["graph"]
        assert sum(len(line.get_xdata()) == 60 for line in short.get_lines()) == len(TASK.graph.edges)  # arcs
        assert short.get_legend() is None
        long = InContextTask(CausalGraph.binary_tree(60), PRIOR)
        assert np.array_equal(image(panels(plot_overview(long))["graph"]).get_array().filled(0.0), long.graph.adjacency)

    @pytest.mark.parametrize("name", ["scores", "limit", "information"])
    def test_edges_are_marked(self, name):
        ax = panels(plot_overview(TASK))[name]
        for outline in ax.collections:
            assert len(outline.get_paths()) == len(TASK.graph.edges)
        assert len(ax.collections) == 2


class TestScales:
    def test_scores_and_limit_have_one(self):
        found = panels(plot_overview(TASK))
        scales = {(image(found[name]).get_clim(), image(found[name]).get_cmap().name) for name in ("scores", "limit")}
        assert len(scales) == 1
        (ends, name), *_ = scales
        assert ends[0] == -ends[1]
        assert name == diverging().name

    @pytest.mark.parametrize("factor", [0.1, 10.0])
    def test_it_holds_every_score_of_both(self, factor):
        scores = edge_scores(TASK, epsilon=EPSILON) * factor
        found = panels(plot_overview(TASK, epsilon=EPSILON, scores=scores))
        largest = max(np.abs(image(found[name]).get_array()).max() for name in ("scores", "limit"))
        assert image(found["limit"]).get_clim() == (-largest, largest)

    def test_one_bar_for_both(self):
        found = panels(plot_overview(TASK))
        assert [len(found[name].child_axes) for name in ("scores", "limit", "information")] == [0, 1, 1]

    def test_it_can_be_given(self):
        figure = plot_overview(TASK, limits=(-0.5, 0.25))
        other = plot_scores(edge_scores(TASK, epsilon=EPSILON), limits=(0.0, 0.5))
        ends = [image(ax).get_clim() for ax in (panels(figure)["scores"], panels(figure)["limit"], other)]
        assert ends == [(-0.5, 0.5)] * 3

    def test_positive_scores_have_the_map_of_scores(self):
        shown = image(plot_scores(np.tril(np.full((4, 4), 0.25))))
        assert shown.get_cmap().name == diverging().name
        assert shown.get_clim() == (-0.25, 0.25)

    def test_zero_is_neutral(self):
        scores = np.tril(np.arange(9.0).reshape(3, 3) - 3.0)
        shown = image(plot_scores(scores))
        red, green, blue, _ = shown.to_rgba(0.0)
        assert max(red, green, blue) - min(red, green, blue) < 0.01

    def test_informations_begin_at_zero(self):
        information = np.full((4, 4), 0.25)
        information[3, 0] = 0.5
        assert image(plot_information(information, measure="kl")).get_clim() == (0.0, 0.5)
        assert image(plot_information(information, measure="kl", limits=(0.0, 0.7))).get_clim() == (0.0, 0.7)
        assert image(panels(plot_overview(TASK))["information"]).get_clim()[0] == 0.0

    def test_roundoff_is_no_scale(self):
        task = InContextTask(CausalGraph.chain(2), OrbitPrior([[0.5, 0.5], [0.5, 0.5]]))
        found = panels(plot_overview(task))
        assert image(found["scores"]).get_clim() == (-1.0, 1.0)
        assert image(found["information"]).get_clim() == (0.0, 1.0)

    def test_what_lies_beyond_given_ends_is_told(self):
        scores = edge_scores(TASK, epsilon=EPSILON)
        (bar,) = plot_scores(scores, limits=(-1e-3, 1e-3)).child_axes
        assert bar._colorbar.extend == "both"


class TestTasks:
    def test_uniform_roots_have_no_limit(self):
        task = InContextTask(TASK.graph, PRIOR, root_law="uniform")
        found = panels(plot_overview(task))
        assert [text.get_text() for text in found["limit"].texts] == ["undefined:\nroots are not\nstationary"]
        assert not found["limit"].axison
        assert len(found["scores"].child_axes) == 1  # the bar

    @pytest.mark.parametrize("graph", [CausalGraph.chain(2), CausalGraph.from_parents([-1, -1, -1])])
    def test_without_edges(self, graph):
        found = panels(plot_overview(InContextTask(graph, PRIOR)))
        assert [text.get_text() for text in found["margins"].texts] == ["no edges"]

    def test_draws_of_a_prior_are_the_same_in_every_call_and_panel(self):
        task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.5))
        first, second = (panels(plot_overview(task, epsilon=EPSILON, draws=4)) for _ in range(2))
        for name in ("scores", "limit", "information"):
            assert np.array_equal(image(first[name]).get_array(), image(second[name]).get_array())
        seed = int(np.random.default_rng(0).integers(2**62))
        for name, expected in (
            ("scores", edge_scores(task, epsilon=EPSILON, draws=4, rng=seed)),
            ("limit", limit_edge_scores(task, epsilon=EPSILON, draws=4, rng=seed)),
        ):
            assert_close(image(first[name]).get_array().compressed(), expected.value[np.tril_indices(5)][:-1], rtol=0.0)
        other = panels(plot_overview(task, epsilon=EPSILON, draws=4, rng=1))
        assert not np.array_equal(image(first["scores"]).get_array(), image(other["scores"]).get_array())

    def test_errors_of_sampled_scores_are_bars(self):
        task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.5))
        ax = panels(plot_overview(task, draws=8))["margins"]
        (bars,) = ax.containers
        scores = edge_scores(task, epsilon=0.01, draws=8, rng=int(np.random.default_rng(0).integers(2**62)))
        error = EdgeReport(scores, task.graph).margin_error[1:4]
        low, high = np.transpose([path.vertices[:, 1] for path in bars.lines[2][0].get_paths()])
        assert_close(high - low, 4.0 * error, rtol=1e-9)

    def test_known_scores_are_taken(self):
        scores = edge_scores(TASK, epsilon=0.5)
        shown = image(panels(plot_overview(TASK, epsilon=EPSILON, scores=scores))["scores"]).get_array()
        assert_close(shown.compressed(), scores.value[np.tril_indices(9)][:-1], rtol=0.0)


class TestFigures:
    def test_of_ones_own(self):
        figure = Figure(figsize=(5.0, 3.0))
        assert plot_overview(TASK, figure=figure) is figure
        assert type(figure.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"
        assert not pyplot.get_fignums()

    def test_its_layout_is_kept(self):
        figure = Figure(layout="tight")
        plot_overview(TASK, figure=figure)
        assert type(figure.get_layout_engine()).__name__ == "TightLayoutEngine"

    def test_part_of_another(self):
        whole = Figure(figsize=(9.0, 9.0), layout="constrained")
        upper, lower = whole.subfigures(2, 1)
        assert plot_overview(TASK, figure=upper) is upper
        plot_overview(InContextTask(CausalGraph.chain(5), PRIOR), figure=lower)
        whole.draw_without_rendering()
        assert len(whole.axes) == 10

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"epsilon": 0.0}, InvalidArgumentError, "epsilon must be"),
            ({"measure": "mi"}, InvalidArgumentError, "measure must be one of .* got 'mi'"),
            ({"limits": (1.0, -1.0)}, InvalidArgumentError, "limits must be two finite numbers"),
            ({"rng": "seed"}, InvalidArgumentError, "rng must be"),
            ({"scores": np.eye(4)}, InvalidArgumentError, "scores must have the size of the graph, 9"),
        ],
    )
    def test_refused_before_a_figure_is_opened(self, options, error, words):
        with pytest.raises(error, match=words):
            plot_overview(TASK, **options)
        assert not pyplot.get_fignums()

    def test_several_parents(self):
        task = InContextTask(CausalGraph.ngram(5, 2), DirichletPrior(2, 1.0))
        with pytest.raises(TaskError, match="plot_overview needs a graph in which every position has at most one"):
            plot_overview(task)
        assert not pyplot.get_fignums()
