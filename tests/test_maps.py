"""Phase maps: cells against certificates and margins one by one, what is marked, bad input."""

from fractions import Fraction

import matplotlib as mpl
import numpy as np
import pytest

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior, certify_edge_scores
from causal_theory.errors import GraphError, InvalidArgumentError, TransitionError
from causal_theory.falsification import RecoveryMap, concentration_map, symbols_map, trace_map
from causal_theory.falsification import maps as module
from causal_theory.falsification.critical import smallest_margin
from causal_theory.falsification.maps import PATTERN
from causal_theory.plotting import plot_phase_diagram
from causal_theory.priors.drawn import DrawnPrior
from tests.helpers import assert_close

mpl.use("agg")

PATTERN_ROWS = [[Fraction(entry) for entry in row] for row in PATTERN]


def matrix_of_trace(trace):
    stay = Fraction(trace) / 3
    return [[stay if a == b else (1 - stay) * PATTERN_ROWS[a][b] for b in range(3)] for a in range(3)]


class TestTraces:
    def test_cells_are_exact_margins(self):
        found = trace_map("chain", [5, 9], ["1/2", "5/4", 2])
        assert found.certified.all()
        for k, length in enumerate((5, 9)):
            for column, trace in enumerate(("1/2", "5/4", 2)):
                exact = certify_edge_scores(CausalGraph.chain(length), matrix_of_trace(trace), "1/100").weakest.margin
                assert found.values[k, column] == float(exact)
                assert abs(Fraction(found.values[k, column]) - exact) <= Fraction(found.errors[k, column])
        assert_close(found.x, [0.5, 1.25, 2.0], rtol=0.0)
        assert_close(found.y, [5.0, 9.0], rtol=0.0)
        assert found.recovered.tolist() == [[True, True, False], [True, True, False]]

    def test_long_ones_are_not_certified(self):
        found = trace_map("pairs", [20, 21, 60], [1])
        assert found.certified.ravel().tolist() == [True, False, False]
        task = InContextTask(CausalGraph.pairs(60), PointPrior(np.array(matrix_of_trace(1), dtype=np.float64)))
        assert_close(found.values[2, 0], smallest_margin(task, 0.01)[0], rtol=1e-12)

    def test_both_engines_agree(self, monkeypatch):
        arguments = ("binary-tree", [6, 9], ["1/2", 1, "3/2"])
        exact = trace_map(*arguments)
        monkeypatch.setattr(module, "CERTIFIED_LENGTH", 0)
        floating = trace_map(*arguments)
        assert not floating.certified.any()
        # Roundoff of the matrix comes on top of the error bars.
        assert (np.abs(exact.values - floating.values) <= floating.errors + exact.errors + 1e-15).all()

    def test_pattern_of_ones_own(self):
        found = trace_map("chain", [6], ["1/2", "3/2"], pattern=[[0, 1], [1, 0]])
        assert found.recovered.tolist() == [[True, False]]


class TestSymbols:
    def test_cells_are_exact_margins(self):
        found = symbols_map("pairs", [3, 4], ["1/10", 5], length=7)
        rows = [["3/5", "1/5", "1/5"], ["2/5", "1/5", "2/5"], ["2/5", "2/5", "1/5"]]
        exact = certify_edge_scores(CausalGraph.pairs(7), rows, 5).weakest.margin
        assert found.values[1, 0] == float(exact)

    def test_matrices_have_trace_one(self, monkeypatch):
        seen = []
        monkeypatch.setattr(module, "_certified", lambda graph, matrix, epsilon: (seen.append(matrix), (0.0, 0.0))[1])
        symbols_map("chain", [3, 4, 5], [1])
        for matrix in seen:
            assert sum(matrix[a][a] for a in range(len(matrix))) == 1
            assert all(sum(row) == 1 and min(row) > 0 for row in matrix)

    def test_many_symbols_are_not_certified(self):
        assert symbols_map("chain", [5, 6], [1], length=6).certified.ravel().tolist() == [True, False]

    def test_large_epsilon_loses_edges(self):
        found = symbols_map("chain", [4], ["1/100", 10])
        assert found.values[0, 0] > 0.0 > found.values[1, 0]


class TestConcentrations:
    def test_share_is_counted(self):
        """Against single draws: the same seed, the same matrices."""
        found = concentration_map("chain", [6], [0.1, 2.0], draws=24, rng=5)
        assert found.limits == (0.0, 1.0)
        assert ((found.values * 24) % 1 == 0.0).all()
        assert 0.0 < found.values[0, 0] < 1.0
        shares = np.round(found.values * 24)
        guess = (shares + 1) / 26
        assert_close(found.errors, np.sqrt(guess * (1 - guess) / 24), rtol=1e-12)

    def test_both_measures_have_the_same_draws(self):
        """The share is a mean of zeros and ones over the very draws whose margins are averaged."""
        seeds = np.random.default_rng(1).integers(2**63, size=2)
        for measure in ("share", "mean"):
            found = concentration_map("pairs", [10], [0.5, 2.0], draws=16, rng=1, measure=measure)
            for column, (concentration, seed) in enumerate(zip((0.5, 2.0), seeds, strict=True)):
                prior = DrawnPrior(DirichletPrior(3, concentration), 16, int(seed))
                graph = CausalGraph.pairs(10)
                singles = [smallest_margin(InContextTask(graph, PointPrior(pi)), 0.01)[0] for pi in prior.matrices]
                mean = smallest_margin(InContextTask(graph, prior), 0.01)[0]
                assert found.values[0, column] == (np.mean(np.array(singles) > 0.0) if measure == "share" else mean)
            assert not found.certified.any()

    def test_seed_decides(self):
        one, two, other = (
            concentration_map("chain", [5], [0.3], measure="mean", draws=4, rng=s).values[0, 0] for s in (0, 0, 1)
        )
        assert one == two
        assert one != other


def small(values, errors=None, certified=None):
    table = np.array(values, dtype=np.float64)
    bars = np.zeros(table.shape) if errors is None else np.array(errors, dtype=np.float64)
    proved = np.zeros(table.shape, dtype=bool) if certified is None else np.array(certified)
    x, y = np.arange(1.0, 1.0 + table.shape[1]), np.arange(1.0, 1.0 + table.shape[0])
    return RecoveryMap(x, y, table, bars, proved, "x (units)", "y", "margin (units)", 0.0)


class TestRecord:
    def test_recovered_needs_more_than_the_error(self):
        found = small([[1.0, 1.0, -1.0]], errors=[[0.4, 0.6, 0.0]])
        assert found.recovered.tolist() == [[True, False, False]]

    def test_what_is_proved_needs_no_error(self):
        assert small([[1.0]], errors=[[0.9]], certified=[[True]]).recovered.all()

    def test_repr(self):
        found = small([[1.0, -1.0]], certified=[[True, False]])
        assert repr(found) == "RecoveryMap(margin over x and y: 1 of 2 cells above 0, 1 certified)"
        html = found._repr_html_()
        assert "<strong>" in html
        assert "in bold: certified" in html

    def test_drawing(self):
        found = small([[1.0, -1.0], [2.0, 3.0]], certified=[[True, False], [False, False]])
        ax = plot_phase_diagram(**found.arguments)
        assert "certified (1 of 4)" in [text.get_text() for text in ax.get_legend().get_texts()]
        assert small([[1.0]]).arguments["certified"] is None


class TestBadInput:
    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: trace_map("chain", [5, 4], [1]), InvalidArgumentError, "lengths must be increasing"),
            (lambda: trace_map("chain", [], [1]), InvalidArgumentError, "lengths must be increasing"),
            (lambda: trace_map("chain", [1.5], [1]), InvalidArgumentError, "lengths must be an integer"),
            (lambda: trace_map("chain", [5], [1, "1/2"]), InvalidArgumentError, "traces must be increasing"),
            (lambda: trace_map("chain", [5], [3]), InvalidArgumentError, "traces must be at least 0 and less than 3"),
            (lambda: trace_map("chain", [5], ["-1/2"]), InvalidArgumentError, "traces must be at least 0"),
            (lambda: trace_map("chain", [5], ["x"]), InvalidArgumentError, "traces must be a finite rational"),
            (
                lambda: trace_map("chain", [5], [1], epsilon=0),
                InvalidArgumentError,
                "epsilon must be a rational number",
            ),
            (
                lambda: trace_map("chain", [5], [1], pattern=[["1/2", "1/2"], [1, 0]]),
                TransitionError,
                "pattern must have a zero diagonal",
            ),
            (lambda: trace_map("ring", [5], [1]), InvalidArgumentError, "graph_family must be one of"),
            (lambda: trace_map("chain", [2], [1]), GraphError, "got none at length 2"),
            (lambda: symbols_map("chain", [2], [1]), InvalidArgumentError, "sizes must be an integer of at least 3"),
            (lambda: symbols_map("chain", [4, 3], [1]), InvalidArgumentError, "sizes must be increasing"),
            (lambda: symbols_map("chain", [3], [1, 1]), InvalidArgumentError, "epsilons must be increasing"),
            (lambda: symbols_map("chain", [3], [0]), InvalidArgumentError, "epsilons must be a rational number"),
            (lambda: symbols_map("chain", [3], [1], shift="3/5"), InvalidArgumentError, "0 < shift < stay < 1"),
            (lambda: concentration_map("chain", [5], [0.0]), InvalidArgumentError, "concentrations must be a finite"),
            (lambda: concentration_map("chain", [5], [1, 1]), InvalidArgumentError, "concentrations must be incr"),
            (lambda: concentration_map("chain", [5], [1], measure="all"), InvalidArgumentError, "measure must be one"),
            (lambda: concentration_map("chain", [5], [1], draws=1), InvalidArgumentError, "draws must be an integer"),
            (lambda: concentration_map("chain", [5], [1], draws=2, epsilon=0), InvalidArgumentError, "epsilon must be"),
        ],
    )
    def test_is_refused(self, make, error, message):
        with pytest.raises(error, match=message):
            make()
