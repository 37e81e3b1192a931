"""Figures: what is drawn, on which axes, with which labels."""

import sys

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import CausalGraph, Estimate, InContextTask, OrbitPrior, edge_scores, pairwise_information
from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting import plot_graph, plot_information, plot_matrix, plot_scores

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
    marks = ax.get_lines()[0]
    assert list(zip(marks.get_xdata(), marks.get_ydata(), strict=True)) == list(graph.edges)
    assert plot_matrix(np.eye(3), graph=CausalGraph.from_parents([-1, -1])).get_lines()[0].get_xdata().size == 0


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
