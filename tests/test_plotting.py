"""Figures: what is drawn, on which axes, with which labels."""

import sys

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import CausalGraph, Estimate, InContextTask, OrbitPrior, edge_scores, pairwise_information
from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting import plot_graph, plot_information, plot_matrix, plot_scores

from .helpers import assert_close

mpl.use("agg")
from matplotlib import pyplot

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


def test_draws_on_the_given_axes():
    ax = pyplot.figure().subplots()
    assert plot_matrix(np.eye(3), ax=ax) is ax
    assert plot_graph(CausalGraph.chain(4), ax=ax) is ax


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


def test_scores_leave_out_the_entry_of_the_query(task):
    scores = edge_scores(task, epsilon=0.01)
    shown = image_of(plot_scores(scores, graph=task.graph)).get_array()
    assert np.ma.getmaskarray(shown)[-1, -1]
    assert np.array_equal(shown[:-1, :-1].filled(0.0), scores.value[:-1, :-1])
    assert scores.value[-1, -1] != 0.0


@pytest.mark.parametrize(("measure", "unit"), [("kl", "kl (nats)"), ("chi2", "chi2 (dimensionless)")])
def test_information_has_units(task, measure, unit):
    ax = plot_information(pairwise_information(task, measure), measure=measure)
    assert unit in [axes.get_ylabel() for axes in ax.figure.axes]
    assert ax.get_xlabel() == "key position j"


def test_estimates_and_arrays_give_the_same_picture(task):
    scores = edge_scores(task, epsilon=0.01)
    assert isinstance(scores, Estimate)
    first, second = (image_of(plot_matrix(matrix)).get_array() for matrix in (scores, scores.value))
    assert np.array_equal(first, second)


def test_graph_draws_every_node_and_arrow():
    graph = CausalGraph.from_parents([-1, 0, (0, 1), -1])
    ax = plot_graph(graph)
    assert sorted(text.get_text() for text in ax.texts if text.get_text()) == ["0", "1", "2", "3", "4"]
    ends = {(line.get_xdata()[0], line.get_xdata()[-1]) for line in ax.get_lines()}
    assert ends == {(0.0, 1.0), (0.0, 2.0), (1.0, 2.0)}


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


# Viénot, Brettel and Mollon (1999): linear light as seen without red or without green receptors.
SEEN = {
    "everyone": np.eye(3),
    "protanope": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, -0.0], [0.00401, -0.00401, 1.0]]),
    "deuteranope": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, -0.0], [-0.02234, 0.02234, 1.0]]),
}


class TestColours:
    """Lightness is that of CIE L*, a function of the luminance Y = 0.2126 R + 0.7152 G + 0.0722 B of linear light."""

    @pytest.mark.parametrize("eye", SEEN)
    @pytest.mark.parametrize("matrix", [np.eye(3), np.diag([-1.0, 0.5, 1.0])])
    def test_lightness_grows_with_the_value(self, matrix, eye):
        colours = image_of(plot_matrix(matrix)).get_cmap()(np.linspace(0.0, 1.0, 64))[:, :3]
        linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
        luminance = linear @ SEEN[eye].T @ [0.2126, 0.7152, 0.0722]
        lightness = 116.0 * np.cbrt(luminance) - 16.0
        assert np.diff(lightness).min() > 0.2
        assert lightness[-1] - lightness[0] > 70.0

    def test_zero_is_grey(self):
        red, green, blue, _ = image_of(plot_matrix(np.diag([-1.0, 1.0]))).get_cmap()(0.5)
        assert red == green == blue

    def test_the_map_shown_for_both_signs_is_not_the_sequential_one(self):
        names = {image_of(plot_matrix(matrix)).get_cmap().name for matrix in (np.eye(2), np.diag([-1.0, 1.0]))}
        assert len(names) == 2


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
