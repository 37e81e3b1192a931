"""From scores to a graph: the documented rule on matrices written by hand, and the graph families from exact scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    EdgeReport,
    Estimate,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    recover_graph,
)
from causal_theory.testing import forests
from tests.helpers import assert_close


def trace_one_matrix(size, seed):
    """A transition matrix of trace one: rows are drawn, then the diagonal is set to 1/S."""
    matrix = np.random.default_rng(seed).dirichlet([0.3] * (size - 1), size=size)
    result = np.full((size, size), 1.0 / size)
    for a in range(size):
        result[a, np.arange(size) != a] = matrix[a] * (1.0 - 1.0 / size)
    return result


def estimate(value, error, method="exact"):
    value = np.asarray(value, dtype=float)
    return Estimate(value, np.broadcast_to(np.asarray(error, dtype=float), value.shape).copy(), method)


class TestRule:
    @given(graph=forests(max_length=12), strength=st.sampled_from([1e-6, 0.1, 1.0, 1e6]))
    def test_scores_that_are_edges_give_the_graph(self, graph, strength):
        """``strength`` on every edge, zero elsewhere: the parents for a threshold in between."""
        found = recover_graph(strength * graph.adjacency, threshold=0.5 * strength)
        assert found.tolist() == graph.parent_array.tolist()
        assert found.dtype == np.int64

    def test_default_threshold_is_a_third_of_the_best_edge(self):
        scores = np.array([[0.0, 0, 0, 0], [0.9, 0, 0, 0], [0.2, 0.31, 0, 0], [0.29, 0.1, 0.0, 0]])
        assert recover_graph(scores).tolist() == [-1, 0, 1, -1]
        # Exactly a third is not above it.
        scores[3, 0] = 0.9 / 3.0
        assert recover_graph(scores).tolist() == [-1, 0, 1, -1]

    def test_default_threshold_has_a_floor(self):
        """At least 1/(4T): T = 4 gives 0.0625."""
        scores = np.zeros((4, 4))
        scores[1, 0] = scores[2, 1] = 0.0624
        assert recover_graph(scores).tolist() == [-1, -1, -1, -1]
        scores[2, 1] = 0.0626
        assert recover_graph(scores).tolist() == [-1, -1, 1, -1]
        assert recover_graph(scores, threshold=0.01).tolist() == [-1, 0, 1, -1]

    def test_default_threshold_adds_two_error_bars(self):
        value = [[0.0, 0, 0], [1.0, 0, 0], [0.0, 0.5, 0]]
        assert recover_graph(estimate(value, 0.08)).tolist() == [-1, 0, 1]
        assert recover_graph(estimate(value, 0.09)).tolist() == [-1, 0, -1]
        assert recover_graph(value).tolist() == [-1, 0, 1]

    def test_a_given_threshold_is_taken_as_it_is(self):
        value = [[0.0, 0, 0], [1.0, 0, 0], [0.0, 0.5, 0]]
        assert recover_graph(estimate(value, 10.0), threshold=0.4).tolist() == [-1, 0, 1]
        assert recover_graph(value, threshold=0.5).tolist() == [-1, 0, -1]
        below_zero = np.array([[0.0, 0, 0], [-1.0, -3, 0], [-3.0, -2.5, -9]])
        assert recover_graph(below_zero, threshold=-2.0).tolist() == [-1, 0, -1]

    def test_the_diagonal_as_a_rival(self):
        """A position whose own entry is largest attends to itself, if an earlier key is above the threshold at all."""
        scores = np.array([[5.0, 0, 0, 0], [1.0, 2.0, 0, 0], [0.1, 1.0, 1.0, 0], [0.1, 0.1, 0.1, 3.0]])
        assert recover_graph(scores).tolist() == [-1, 1, 1, -1]

    def test_ties_go_to_the_earlier_key(self):
        assert recover_graph([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]]).tolist() == [-1, 0, 0]

    def test_entries_above_the_diagonal_are_ignored(self):
        scores = np.tril(np.ones((4, 4)), k=-1)
        junk = scores + np.triu(np.full((4, 4), 9.0), k=1)
        junk[0, 3] = np.nan
        assert recover_graph(junk).tolist() == recover_graph(scores).tolist() == [-1, 0, 0, 0]


class TestEdgeReport:
    GRAPH = CausalGraph.from_parents([-1, 0, 0, -1])
    VALUE = np.array(
        [
            [9.0, 0, 0, 0, 0],
            [0.5, 0.1, 0, 0, 0],
            [0.3, 0.4, 0.2, 0, 0],
            [0.0, 0.0, 0.6, -1.0, 0],
            [0.0, 0.0, 0.0, 0.0, 7.0],
        ]
    )

    def test_numbers_by_hand(self):
        """Row 1 is right by 0.4, row 2 wrong by 0.1, row 3 is a root that is taken for a child."""
        report = EdgeReport(self.VALUE, self.GRAPH)
        assert report.predicted.tolist() == [-1, 0, 1, 2, -1]
        assert report.true.tolist() == [-1, 0, 0, -1, -1]
        assert report.best_key.tolist() == [0, 0, 1, 2, 4]
        assert np.isnan(report.margin[[0, 3, 4]]).all()
        assert_close(report.margin[[1, 2]], [0.4, -0.1], rtol=1e-15)
        assert_close(report.smallest_margin, -0.1, rtol=1e-15)
        assert (report.precision, report.recall) == (1 / 3, 1 / 2)
        assert not report.exact_match
        assert not report.children_recovered
        assert repr(report) == (
            "EdgeReport(length=5, precision=0.333, recall=0.500, smallest_margin=-0.1, exact_match=False)"
        )

    def test_a_perfect_report(self):
        report = EdgeReport(self.GRAPH.adjacency, self.GRAPH)
        assert (report.precision, report.recall, report.exact_match, report.children_recovered) == (
            1.0,
            1.0,
            True,
            True,
        )
        assert report.smallest_margin == 1.0

    def test_self_attention_is_no_edge(self):
        """A diagonal winner is neither a claimed edge nor a correct one."""
        value = self.VALUE.copy()
        value[1, 1] = 2.0
        report = EdgeReport(value, self.GRAPH)
        assert report.predicted[1] == 1
        assert (report.precision, report.recall) == (0.0, 0.0)
        assert_close(report.margin[1], -1.5, rtol=1e-15)

    def test_error_of_the_margin(self):
        """Bounds add up; standard errors add in squares. Significant means beyond two of them, in either direction."""
        error = np.full((5, 5), 0.03)
        error[1, 0], error[2, 0] = 0.04, 0.01
        bound = EdgeReport(estimate(self.VALUE, error), self.GRAPH)
        assert_close(bound.margin_error[[1, 2]], [0.07, 0.04], rtol=1e-15)
        drawn = EdgeReport(estimate(self.VALUE, error, "monte_carlo"), self.GRAPH)
        assert_close(drawn.margin_error[[1, 2]], [0.05, np.sqrt(0.001)], rtol=1e-15)
        assert bound.significant.tolist() == [False, True, True, False, False]
        assert np.isnan(bound.margin_error[[0, 3, 4]]).all()
        wide = EdgeReport(estimate(self.VALUE, 0.1), self.GRAPH)
        assert not wide.significant[[0, 2, 3, 4]].any()
        assert EdgeReport(estimate(self.VALUE, 0.0999), self.GRAPH).significant[1]
        assert not EdgeReport(estimate(self.VALUE, 0.1001), self.GRAPH).significant[1]

    def test_graph_without_edges(self):
        report = EdgeReport(np.zeros((4, 4)), CausalGraph.from_parents([-1, -1, -1]))
        assert (report.precision, report.recall, report.exact_match, report.children_recovered) == (
            1.0,
            1.0,
            True,
            True,
        )
        assert report.smallest_margin == np.inf
        assert not report.significant.any()

    def test_threshold_is_passed_on(self):
        assert EdgeReport(self.VALUE, self.GRAPH, threshold=0.55).predicted.tolist() == [-1, -1, -1, 2, -1]


class TestOnScores:
    """Exact scores of orbit priors of trace one, where the theory applies."""

    @pytest.mark.parametrize("family", ["chain", "pairs", "binary_tree"])
    @pytest.mark.parametrize(("size", "length"), [(3, 12), (3, 40), (5, 20), (10, 20)])
    def test_families(self, family, size, length):
        graph = getattr(CausalGraph, family)(length)
        for seed in range(3):
            scores = edge_scores(InContextTask(graph, OrbitPrior(trace_one_matrix(size, seed))), epsilon=0.01)
            report = EdgeReport(scores, graph)
            assert report.exact_match
            assert report.significant[report.true >= 0].all()

    def test_random_forests(self):
        for seed in range(5):
            graph = CausalGraph.random_forest(20, 0.5, seed)
            scores = edge_scores(InContextTask(graph, OrbitPrior(trace_one_matrix(5, seed))), epsilon=0.01)
            assert EdgeReport(scores, graph).children_recovered

    def test_no_edges(self):
        for seed in range(5):
            task = InContextTask(CausalGraph.from_parents([-1] * 19), OrbitPrior(trace_one_matrix(4, seed)))
            assert recover_graph(edge_scores(task, epsilon=0.01)).tolist() == [-1] * 20

    def test_mean_over_the_dirichlet_prior(self):
        """The paper's setting, T = 20, S = 10, concentration 0.1: every child finds its parent."""
        graph = CausalGraph.random_forest(20, 0.5, 3)
        scores = edge_scores(InContextTask(graph, DirichletPrior(10, 0.1)), epsilon=0.01, draws=32, rng=0)
        report = EdgeReport(scores, graph)
        assert report.children_recovered
        assert report.significant[report.true >= 0].all()

    def test_a_large_trace_defeats_it(self):
        """Negative control: outside the assumptions the diagonal beats the parent."""
        graph = CausalGraph.chain(20)
        scores = edge_scores(InContextTask(graph, PointPrior([[0.875, 0.125], [0.125, 0.875]])), epsilon=0.01)
        report = EdgeReport(scores, graph)
        children = report.true >= 0
        assert (report.margin[children] < 0.0).all()
        assert not report.children_recovered
        assert report.recall == 0.0
        # Every child attends to itself or, in the middle of the chain, to nothing that counts.
        assert all(found in (-1, i) for i, found in enumerate(report.predicted.tolist()))
        assert np.count_nonzero(report.predicted >= 0) > 6


def test_the_row_of_the_query_does_not_set_the_threshold():
    """Under a prior of large trace that row repeats a high diagonal, which is no edge."""
    scores = edge_scores(InContextTask(CausalGraph.chain(8), PointPrior(0.7 * np.eye(3) + 0.1)), epsilon=0.01).value
    changed = np.array(scores)
    changed[-1] = 1000.0
    assert recover_graph(changed)[:-1].tolist() == recover_graph(scores)[:-1].tolist()
    assert recover_graph(scores)[1] == 1
