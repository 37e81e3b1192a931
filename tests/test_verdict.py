"""Verdicts on the positions of a task: against the formula in fractions, the rule for what is undecided, by hand."""

from fractions import Fraction
from itertools import product

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
    edge_verdict,
    recover_graph,
)
from causal_theory.errors import InvalidArgumentError, TaskError
from tests.helpers import assert_close

ORBIT = OrbitPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])


def score_by_hand(i, j):
    """G_ij of three tokens, the second a child of the first, the third the query: the definition, in fractions."""
    stay, change, epsilon = Fraction(3, 10), Fraction(7, 10), Fraction(1, 10)
    total = Fraction(0)
    for tokens in product((0, 1), repeat=3):
        chance = Fraction(1, 2) * (stay if tokens[0] == tokens[1] else change) * Fraction(1, 2)
        for b in (0, 1):
            label = stay if tokens[2] == b else change
            frequency = Fraction(tokens.count(b), 3)
            if tokens[j] == tokens[2]:
                total += chance * label * ((tokens[i] == b) - frequency) / (frequency + epsilon)
    return float(total)


class TestNumbers:
    def test_equal_those_by_hand(self):
        """Position 1: its parent 0 against itself, the only other key."""
        task = InContextTask(CausalGraph.from_parents([-1, 0]), PointPrior([[0.3, 0.7], [0.7, 0.3]]))
        verdict = edge_verdict(task, epsilon=0.1)
        parent, rival = score_by_hand(1, 0), score_by_hand(1, 1)
        assert verdict.parent.tolist() == [-1, 0, -1]
        assert verdict.rival.tolist() == [-1, 1, -1]
        assert_close(verdict.parent_score[1], parent, rtol=1e-13)
        assert_close(verdict.rival_score[1], rival, rtol=1e-13)
        assert_close(verdict.margin[1], parent - rival, rtol=1e-13)
        assert np.isnan([verdict.parent_score, verdict.rival_score, verdict.margin])[:, [0, 2]].all()
        assert abs(verdict.margin[1] - (parent - rival)) <= verdict.error[1] < 1e-12
        assert verdict.undecided.tolist() == [False, False, False]

    @pytest.mark.parametrize("prior", [ORBIT, DirichletPrior(3, 0.5)], ids=["exact", "drawn"])
    def test_margin_is_over_the_best_other_key(self, prior):
        graph = CausalGraph.random_forest(14, 0.3, rng=2)
        verdict = edge_verdict(InContextTask(graph, prior), epsilon=0.01, draws=20, rng=3)
        scores = edge_scores(InContextTask(graph, prior), epsilon=0.01, draws=20, rng=3)
        for i, parent in enumerate(graph.parent_array.tolist()):
            if parent < 0:
                assert np.isnan([verdict.margin[i], verdict.parent_score[i], verdict.error[i]]).all()
                continue
            others = {j: scores.value[i, j] for j in range(i + 1) if j != parent}
            assert verdict.rival_score[i] == max(others.values())
            assert others[verdict.rival[i]] == verdict.rival_score[i]
            assert verdict.margin[i] == scores.value[i, parent] - max(others.values())
        assert verdict.recovered.tolist() == (recover_graph(scores) == graph.parent_array).tolist()
        assert verdict.method == scores.method


class TestVerdicts:
    def test_independent_tokens_are_undecided(self):
        """Rows are equal, so that all scores of earlier keys are alike up to roundoff; position 1 has but one."""
        task = InContextTask(CausalGraph.chain(6), PointPrior([[0.25, 0.75], [0.25, 0.75]]))
        verdict = edge_verdict(task, epsilon=0.1)
        assert verdict.undecided.tolist() == [False, False, True, True, True, False]
        assert (np.abs(verdict.margin[2:5]) <= verdict.error[2:5]).all()
        assert "3 undecided" in repr(verdict)

    def test_a_large_trace_is_not_recovered(self):
        verdict = edge_verdict(InContextTask(CausalGraph.chain(6), PointPrior([[0.9, 0.1], [0.1, 0.9]])), epsilon=0.01)
        assert (verdict.margin[2:5] < -verdict.error[2:5]).all()
        assert not verdict.recovered[2:5].any()
        assert not verdict.undecided.any()
        assert (verdict.rival == np.arange(6))[2:5].all()

    def test_draws_need_four_standard_errors(self):
        task = InContextTask(CausalGraph.chain(8), DirichletPrior(3, 0.5))
        verdict = edge_verdict(task, epsilon=0.01, draws=6, rng=0)
        bars = np.abs(verdict.margin[1:-1]) / verdict.error[1:-1]
        assert verdict.method == "monte_carlo"
        assert verdict.undecided[1:-1].tolist() == (bars <= 4.0).tolist()
        assert ((bars > 1.0) & (bars <= 4.0)).any()

    def test_no_edges(self):
        verdict = edge_verdict(InContextTask(CausalGraph.from_parents([-1, -1]), ORBIT), epsilon=0.01)
        assert np.isnan(verdict.margin).all()
        assert repr(verdict).startswith("EdgeVerdict(3 of 3 positions recovered, 0 undecided")

    def test_refused(self):
        with pytest.raises(InvalidArgumentError, match="epsilon must"):
            edge_verdict(InContextTask(CausalGraph.chain(4), ORBIT), epsilon=0.0)
        with pytest.raises(TaskError, match="edge_scores needs"):
            edge_verdict(InContextTask(CausalGraph.ngram(5, 2), DirichletPrior(2, 1.0)), epsilon=0.1)

    def test_notebooks_show_every_position(self):
        verdict = edge_verdict(InContextTask(CausalGraph.chain(5), ORBIT), epsilon=0.01)
        shown = verdict._repr_html_()
        assert shown.count("not recovered") == int((~verdict.recovered).sum())
        assert shown.count("<tr") == 6


def test_the_report_is_the_same_table():
    task = InContextTask(CausalGraph.binary_tree(9), ORBIT)
    verdict, report = edge_verdict(task, epsilon=0.01), EdgeReport(edge_scores(task, epsilon=0.01), task.graph)
    frame, other = verdict.to_pandas(), report.to_pandas()
    assert frame["margin"].equals(other["margin"])
    assert frame["rival"].tolist() == other["best_rival"].tolist()


def test_labels_stand_in_the_table():
    graph = CausalGraph([(), (0,), ()], labels=["cause", "effect", "query"])
    report = EdgeReport(edge_scores(InContextTask(graph, ORBIT), epsilon=0.01), graph)
    assert report.to_pandas()["label"].tolist() == ["cause", "effect", "query"]
