"""Critical lengths: against margins computed one by one, both sides of an error bar, bad input."""

from dataclasses import replace
from types import SimpleNamespace

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
)
from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.falsification import CriticalLength, critical, critical_length
from causal_theory.falsification.critical import smallest_margin
from causal_theory.graphs.by_name import graph_by_name
from causal_theory.graphs.families import FAMILIES
from causal_theory.priors import Plan
from causal_theory.priors.drawn import DrawnPrior
from tests.helpers import assert_close

FAINT = OrbitPrior([[0.84, 0.12, 0.04], [0.77, 0.12, 0.11], [0.84, 0.12, 0.04]])
STICKY = PointPrior([[0.8, 0.2], [0.3, 0.7]])


def made_up(margins, errors=None, lengths=None):
    values = np.array(margins, dtype=np.float64)
    bars = np.full(values.shape, 1e-15) if errors is None else np.array(errors)
    sizes = np.arange(3, 3 + len(values)) if lengths is None else np.array(lengths)
    return CriticalLength(sizes, np.full(values.shape, 0.01), values, bars, "exact")


class TestVerdicts:
    @pytest.mark.parametrize(
        ("margins", "first", "stays"),
        [
            ([1.0, 2.0, 3.0], 3, 3),
            ([-1.0, 2.0, 3.0], 4, 4),
            ([1.0, -2.0, 3.0], 3, 5),
            ([-1.0, 2.0, -3.0], 4, None),
            ([-1.0, -2.0, -3.0], None, None),
        ],
    )
    def test_first_and_stays(self, margins, first, stays):
        found = made_up(margins)
        assert (found.first, found.stays) == (first, stays)
        assert found.undecided == ()
        assert f"first={first}, stays={stays}" in repr(found)

    def test_a_margin_within_its_error_is_no_win(self):
        found = made_up([1.0, 0.3, 1.0, 0.5], errors=[0.1, 0.2, 0.1, 0.2])
        assert found.undecided == (4,)
        assert (found.first, found.stays) == (3, 5)
        assert repr(found).endswith("1 undecided)")
        assert "undecided" in found._repr_html_()

    def test_a_loss_within_its_error_is_undecided(self):
        found = made_up([-0.3, 1.0], errors=[0.2, 0.2])
        assert found.decided.tolist() == [False, True]
        assert found.recovered.tolist() == [False, True]

    def test_zero_is_undecided_even_without_error(self):
        assert made_up([0.0], errors=[0.0]).undecided == (3,)

    def test_repr_is_short(self):
        assert len(repr(made_up([1.0] * 500))) < 120
        assert "at no length looked at" in made_up([-1.0])._repr_html_()
        assert "<svg" in made_up([1.0, 2.0])._repr_html_()


class TestMargins:
    @pytest.mark.parametrize("family", [name for name, one in FAMILIES.items() if one.is_forest and not one.is_random])
    @pytest.mark.parametrize("prior", [FAINT, STICKY])
    def test_are_those_of_edge_reports(self, family, prior):
        found = critical_length(family, prior, 0.02, lengths=range(4, 12))
        for length, margin, bar in zip(found.lengths, found.margins, found.errors, strict=True):
            graph = graph_by_name(family, int(length))
            report = EdgeReport(edge_scores(InContextTask(graph, prior), epsilon=0.02), graph)
            assert_close(margin, report.smallest_margin, rtol=1e-12)
            assert 0.0 < bar < 1e-11
        assert found.method == "exact"

    def test_short_trees_lose_what_longer_ones_find(self):
        found = critical_length("binary-tree", FAINT, 0.01, lengths=range(4, 14))
        assert (found.first, found.stays) == (7, 7)
        assert found.margins[0] < 0.0 < found.margins[-1]

    def test_the_diagonal_counts(self):
        """Under a sticky matrix no earlier token beats the parent, but the position itself does."""
        assert critical_length("chain", STICKY, 0.01, lengths=[10, 40]).first is None

    def test_epsilon_of_the_length(self):
        found = critical_length("chain", FAINT, lambda T: 1 / T, lengths=[8, 16])
        assert_close(found.epsilons, [1 / 8, 1 / 16], rtol=0.0)
        assert_close(found.margins[1], critical_length("chain", FAINT, 1 / 16, lengths=[16]).margins[0], rtol=0.0)

    def test_uniform_roots(self):
        one, two = (
            critical_length("pairs", FAINT, 0.01, lengths=[9], root_law=law).margins
            for law in ("stationary", "uniform")
        )
        assert abs(one[0] - two[0]) > 1e-4

    def test_family_of_ones_own(self):
        found = critical_length(lambda T: CausalGraph.from_parents([-1] + [0] * (T - 2)), FAINT, 0.01, lengths=[6, 9])
        assert_close(found.margins, critical_length("star", FAINT, 0.01, lengths=[6, 9]).margins, rtol=0.0)

    def test_two_symbols_under_a_dirichlet_prior(self):
        found = critical_length("chain", DirichletPrior(2, 1.0), 0.1, lengths=[4, 6])
        assert found.method == "quadrature"


class TestDraws:
    def test_mean_and_paired_error(self):
        """Against the definition, over the same draws."""
        prior = DrawnPrior(DirichletPrior(3, 1.0), 12, rng=3)
        graph = CausalGraph.chain(5)
        stack = np.stack(
            [edge_scores(InContextTask(graph, PointPrior(pi)), epsilon=0.05).value for pi in prior.matrices]
        )
        leads = {}
        for child, parent in ((1, 0), (2, 1), (3, 2)):
            for rival in range(child + 1):
                if rival != parent:
                    lead = stack[:, child, parent] - stack[:, child, rival]
                    leads[child, rival] = lead.mean(), lead.std(ddof=1) / np.sqrt(12)
        lost = [pair for pair in leads.values() if pair[0] + 2 * pair[1] < 0]
        least = min(lost or leads.values(), key=lambda pair: pair[0] + (2 if lost else -2) * pair[1])
        margin, bar, method = smallest_margin(InContextTask(graph, prior), 0.05)
        assert method == "monte_carlo"
        assert_close([margin, bar], least, rtol=1e-12)

    def test_seed_decides(self):
        prior = DirichletPrior(3, 0.5)
        one, two, other = (
            critical_length("chain", prior, 0.01, lengths=[5, 8], draws=8, rng=seed).margins for seed in (0, 0, 1)
        )
        assert_close(one, two, rtol=0.0)
        assert np.all(one != other)

    def test_a_certain_loss_is_seen_beside_an_uncertain_pair(self, monkeypatch):
        """The pair that loses for certain decides, not the one with the lowest lower end."""
        value, error = np.zeros((4, 4)), np.full((4, 4), 0.005)
        value[1, :2] = 0.0, 0.1
        value[2, :3] = -1.0, 1.0, 0.5
        error[2, 2] = 1.0
        engine = SimpleNamespace(scores=lambda epsilon: Plan(lambda transitions: (value, error), label_invariant=True))
        monkeypatch.setattr(critical, "choose_engine", lambda task, caller: engine)
        margin, bar, _ = smallest_margin(InContextTask(CausalGraph.chain(4), FAINT), 0.01)
        assert_close([margin, bar], [-0.1, 0.01], rtol=1e-12)
        value[1, 0] = 0.2
        margin, bar, _ = smallest_margin(InContextTask(CausalGraph.chain(4), FAINT), 0.01)
        assert_close([margin, bar], [0.5, 1.005], rtol=1e-12)


class TestBadInput:
    @pytest.mark.parametrize("lengths", [[], [5, 5], [6, 5]])
    def test_lengths(self, lengths):
        with pytest.raises(InvalidArgumentError, match="lengths must be increasing integers, at least one, got"):
            critical_length("chain", FAINT, 0.01, lengths=lengths)

    @pytest.mark.parametrize("length", [1, 3.5])
    def test_length(self, length):
        with pytest.raises(InvalidArgumentError, match="lengths must be an integer of at least 2, got"):
            critical_length("chain", FAINT, 0.01, lengths=[length])

    @pytest.mark.parametrize("epsilon", [0.0, -1.0, np.nan, lambda T: 0.0])
    def test_epsilon(self, epsilon):
        with pytest.raises(InvalidArgumentError, match="epsilon must be a finite number greater than 0, got"):
            critical_length("chain", FAINT, epsilon, lengths=[5])

    @pytest.mark.parametrize(
        ("family", "error", "message"),
        [
            ("ring", InvalidArgumentError, "graph_family must be one of 'chain', .*, got 'ring'"),
            (3, InvalidArgumentError, "graph_family must be a name or a function of the length, got 3"),
            (lambda T: CausalGraph.chain(T + 1), GraphError, "must return a forest of length 5"),
            (lambda T: [-1] * T, GraphError, "must return a forest of length 5"),
            (lambda T: CausalGraph([(), (0,), (0, 1), (2,), ()]), GraphError, "must return a forest of length 5"),
            (lambda T: CausalGraph.from_parents([-1] * (T - 1)), GraphError, "got none at length 5"),
        ],
    )
    def test_family(self, family, error, message):
        with pytest.raises(error, match=message):
            critical_length(family, FAINT, 0.01, lengths=[5])

    def test_draws(self):
        with pytest.raises(InvalidArgumentError, match="draws must be an integer of at least 2, got 1"):
            critical_length("chain", DirichletPrior(3, 1.0), 0.01, lengths=[5], draws=1)


def test_records_do_not_change():
    with pytest.raises(AttributeError):
        made_up([1.0]).margins = np.zeros(1)
    assert replace(made_up([1.0]), method="monte_carlo").method == "monte_carlo"
