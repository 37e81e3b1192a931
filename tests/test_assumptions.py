"""The four assumptions: verdicts against hand-made priors and brute force, and their witnesses."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causal_theory import CausalGraph, EdgeReport, InContextTask, limit_edge_scores
from causal_theory.errors import InvalidArgumentError
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, Prior, check_assumptions
from causal_theory.priors.verdicts import drawn_parents_win
from causal_theory.testing import transition_matrices
from tests.helpers import assert_close

UNIFORM = np.full((3, 3), 1 / 3)
LAZY = 0.4 * np.eye(3) + 0.6 * UNIFORM
TRACE_ONE = np.array([[0.1, 0.2, 0.7], [0.35, 0.5, 0.15], [0.3, 0.3, 0.4]])
SPARSE = np.array([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
REDUCIBLE = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])

NAMES = ["lower_bound", "non_degeneracy", "symmetry", "constant_mean"]


@pytest.mark.parametrize(
    ("prior", "expected"),
    [
        (PointPrior(UNIFORM), [True, False, True, True]),
        (PointPrior(LAZY), [True, True, True, False]),
        (PointPrior(TRACE_ONE), [True, True, False, False]),
        (PointPrior(SPARSE), [False, True, False, False]),
        (PointPrior(REDUCIBLE), [False, False, False, False]),
        (PointPrior([[0.25, 0.75], [0.25, 0.75]]), [True, False, False, False]),
        (OrbitPrior(UNIFORM), [True, False, True, True]),
        (OrbitPrior(LAZY), [True, True, True, False]),
        (OrbitPrior(TRACE_ONE), [True, True, True, True]),
        (OrbitPrior(SPARSE), [False, True, True, False]),
        (OrbitPrior([[0.0, 1.0], [0.0, 1.0]]), [False, False, True, True]),
        (DirichletPrior(3, 0.1), [False, False, True, True]),
        (DirichletPrior(3, 1.0, floor=0.3), [True, False, True, True]),
    ],
    ids=repr,
)
def test_verdicts(prior, expected):
    report = check_assumptions(prior, draws=50)
    assert [check.name for check in report] == NAMES
    assert [check.holds for check in report] == expected
    assert report.all_hold is all(expected)
    assert [getattr(report, name) for name in NAMES] == list(report)


@pytest.mark.parametrize("seed", range(8))
def test_lower_bound_and_norm_are_the_best_constants(seed):
    generator = np.random.default_rng(seed)
    matrix = generator.dirichlet(np.ones(4), size=4)
    report = check_assumptions(PointPrior(matrix))
    values, vectors = np.linalg.eig(matrix.T)
    law = np.real(vectors[:, np.argmax(values.real)])
    law /= law.sum()
    norm = np.sqrt(sum(law[a] * matrix[a, b] ** 2 / law[b] for a in range(4) for b in range(4)) - 1.0)
    assert_close(report.lower_bound.value, 4 * matrix.min(), rtol=1e-14)
    assert_close(report.non_degeneracy.value, norm, rtol=1e-11)  # a difference of numbers near 1 in the oracle
    assert check_assumptions(OrbitPrior(matrix)).non_degeneracy.value == report.non_degeneracy.value


@pytest.mark.parametrize("matrix", [UNIFORM, LAZY, TRACE_ONE, SPARSE, np.eye(4), np.roll(np.eye(3), 1, axis=1)])
def test_symmetry_against_all_permutations(matrix):
    orders = permutations(range(len(matrix)))
    invariant = all(np.array_equal(matrix[np.ix_(order, order)], matrix) for order in orders)
    assert check_assumptions(PointPrior(matrix)).symmetry.holds is invariant


def test_symmetry_ignores_roundoff_only():
    matrix = LAZY.copy()
    matrix[0, 1] += 1e-15
    assert check_assumptions(PointPrior(matrix)).symmetry.holds
    matrix[0, 1] += 1e-11
    assert not check_assumptions(PointPrior(matrix)).symmetry.holds


def test_witnesses_of_a_point_prior():
    report = check_assumptions(PointPrior([[0.5, 0.5], [0.1, 0.9]]))
    assert report.lower_bound.witness == "gamma = 0.2, smallest entry pi[1, 0] = 0.1"
    assert report.non_degeneracy.witness == "||B||_F = 0.4"
    assert report.symmetry.witness == "swapping symbols 0 and 1 changes pi[0, 0] = 0.5 to 0.9"
    assert report.constant_mean.witness == "trace of E[pi] = 1.4, E[pi][1, 0] = 0.1 instead of 0.5"
    assert_close(report.constant_mean.value, 1.4, rtol=1e-15)


def test_symmetry_witness_names_entries_that_differ():
    """An off-diagonal entry is the offender: the named swap must take it to the named value."""
    matrix = np.array([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.35, 0.25, 0.4]])
    check = check_assumptions(PointPrior(matrix)).symmetry
    assert check.witness == "swapping symbols 0 and 1 changes pi[2, 0] = 0.35 to 0.25"
    assert_close(check.value, 0.1, rtol=1e-14)


def test_witnesses_without_a_stationary_law():
    report = check_assumptions(OrbitPrior(REDUCIBLE))
    assert "closed classes of symbols: [0], [2]" in report.non_degeneracy.witness
    assert report.non_degeneracy.value == 0.0


def test_orbit_mean_depends_on_the_trace_alone():
    assert_close(check_assumptions(OrbitPrior(TRACE_ONE)).constant_mean.value, 1.0, rtol=1e-14)
    report = check_assumptions(OrbitPrior(LAZY))
    assert "trace of E[pi] = 1.8" in report.constant_mean.witness


class TestDirichlet:
    def test_gamma_is_the_floor(self):
        assert check_assumptions(DirichletPrior(3, 0.5, floor=0.25)).lower_bound.value == 0.25
        assert check_assumptions(DirichletPrior(3, 0.5)).lower_bound.value == 0.0

    def test_norms_are_those_of_the_draws(self):
        prior = DirichletPrior(3, 0.5)
        norms = []
        for matrix in prior.sample(200, rng=9):
            norms.append(check_assumptions(PointPrior(matrix)).non_degeneracy.value)
        witness = check_assumptions(prior, draws=200, rng=9).non_degeneracy.witness
        assert f"1% quantile of ||B||_F over 200 draws: {np.quantile(norms, 0.01):.6g}" in witness
        assert witness.endswith(f"smallest: {min(norms):.6g}")

    def test_draws_without_a_stationary_law_are_reported(self):
        """At concentration 1e-4 most rows have a single positive entry in floating point."""
        check = check_assumptions(DirichletPrior(3, 1e-4)).non_degeneracy
        assert check.witness.endswith("some have several closed classes in floating point")
        assert not check.holds

    def test_reproducible(self):
        prior = DirichletPrior(3, 0.5)
        assert check_assumptions(prior) == check_assumptions(prior, draws=1000, rng=0)
        assert check_assumptions(prior) != check_assumptions(prior, rng=1)


def test_text_has_one_line_per_assumption():
    lines = str(check_assumptions(OrbitPrior(LAZY))).splitlines()
    assert [line.split(":")[0] for line in lines] == NAMES
    assert lines[2].startswith("symmetry: holds (")
    assert lines[3].startswith("constant_mean: fails (")


class Own(Prior):
    """A prior of somebody's own: one of a few matrices, equally likely."""

    vocab_size = 3

    def __init__(self, *matrices, symmetric=False):
        self.matrices = np.array(matrices)
        self._symmetric = symmetric

    @property
    def mean(self):
        return self.matrices.mean(axis=0)

    @property
    def symmetric(self):
        return self._symmetric

    def sample(self, size, rng=None):
        return self.matrices[np.random.default_rng(rng).integers(len(self.matrices), size=size)]


class TestPriorsOfYourOwn:
    @pytest.mark.parametrize(
        ("prior", "expected"),
        [
            (Own(UNIFORM, LAZY), [None, False, None, False]),
            (Own(LAZY, LAZY.T), [None, None, None, False]),
            (Own(TRACE_ONE), [None, None, False, False]),
            (Own(SPARSE), [False, None, False, False]),
            (Own(REDUCIBLE), [False, False, False, False]),
            (Own(LAZY, LAZY.T, symmetric=True), [None, None, True, False]),
            (Own(TRACE_ONE, symmetric=True), [None, None, False, False]),  # refuted by its mean
        ],
    )
    def test_draws_refute_and_never_prove(self, prior, expected):
        report = check_assumptions(prior, draws=50)
        assert [check.holds for check in report] == expected
        assert not report.all_hold

    def test_witnesses(self):
        report = check_assumptions(Own(TRACE_ONE, LAZY), draws=40)
        assert report.lower_bound.witness == "smallest entry in 40 draws: pi[0, 0] = 0.1, gamma at most 0.3"
        norms = [check_assumptions(PointPrior(pi)).non_degeneracy.value for pi in (TRACE_ONE, LAZY)]
        assert_close(report.non_degeneracy.value, min(norms), rtol=1e-12)
        assert report.symmetry.witness.startswith("swapping symbols 0 and ")
        assert "lower_bound: open" in str(report)
        assert "non_degeneracy open" in repr(report)

    def test_another_answer_of_the_prior_is_taken(self):
        class Knows(Own):
            def assumptions(self, *, draws=1000, rng=0):
                return check_assumptions(OrbitPrior(TRACE_ONE))

        assert check_assumptions(Knows(TRACE_ONE)).all_hold


def test_bad_input():
    with pytest.raises(InvalidArgumentError, match=r"prior must be .* got ndarray"):
        check_assumptions(UNIFORM)
    with pytest.raises(InvalidArgumentError, match="draws must be an integer of at least 1, got 0"):
        check_assumptions(DirichletPrior(3, 1.0), draws=0)


class TestWhatDecides:
    """Whether parents have the largest limit scores, against the limit scores themselves."""

    GRAPHS = (CausalGraph.chain(7), CausalGraph.binary_tree(9), CausalGraph.star(6), CausalGraph.pairs(6))

    @settings(max_examples=60, deadline=None)
    @given(
        pi=transition_matrices(min_size=2, max_size=4, zeros=False),
        stay=st.sampled_from([0.0, 0.3, 0.7]),
        graph=st.sampled_from(GRAPHS),
    )
    def test_is_the_limit_scores_row_by_row(self, pi, stay, graph):
        matrix = (1.0 - stay) * pi + stay * np.eye(len(pi))
        prior = PointPrior(matrix)
        check = check_assumptions(prior).parents_win
        report = EdgeReport(limit_edge_scores(InContextTask(graph, prior)), graph)
        children = graph.parent_array >= 0
        margin, error = report.margin[children], report.margin_error[children]
        assume((np.abs(margin) > error).all() and abs(check.value) >= 1e-9)  # else as good as independent tokens
        assert ((margin > 0.0) == check.holds).all()

    @pytest.mark.parametrize(("trace", "holds"), [(1.05, True), (1.5, False), (1.11, None), (1.09, None)])
    def test_of_draws_is_undecided_within_their_errors(self, trace, holds):
        norms = np.sqrt([0.08, 0.12, 0.09, 0.11])  # the mean square is 0.1, with a standard error of 0.009
        found = drawn_parents_win(np.diag([trace - 0.5, 0.5]), norms)
        assert found.holds is holds
        assert_close(found.value, 1.1 - trace, rtol=1e-12)

    @pytest.mark.parametrize("size", [2, 3, 6])
    def test_the_sides_are_the_scores_of_parent_and_position(self, size):
        matrix = np.random.default_rng(size).dirichlet(np.ones(size), size=size)
        scores = limit_edge_scores(InContextTask(CausalGraph.chain(4), PointPrior(matrix))).value
        check = check_assumptions(PointPrior(matrix)).parents_win
        assert_close(check.value, size * (scores[2, 1] - scores[2, 2]), rtol=1e-12, atol=1e-14)

    def test_estimated_matrices_fail_the_assumption_and_not_the_criterion(self):
        report = check_assumptions(OrbitPrior([[0.21, 0.69, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]))
        assert report.constant_mean.holds is False
        assert report.parents_win.holds is True
        assert "trace - 1 = 0.01 < ||B||_F^2 = " in str(report)
        assert len(list(report)) == 4

    def test_zeros_allow_ties(self):
        """With period two every second position up the chain is as good as the parent."""
        swap = PointPrior([[0.0, 1.0], [1.0, 0.0]])
        assert "0 allow other keys" in check_assumptions(swap).parents_win.witness
        graph = CausalGraph.chain(6)
        assert EdgeReport(limit_edge_scores(InContextTask(graph, swap)), graph).margin[3] == 0.0

    def test_a_matrix_that_stays_and_independent_tokens_fail(self):
        for matrix in ([[0.9, 0.1], [0.1, 0.9]], [[0.3, 0.7], [0.3, 0.7]]):
            check = check_assumptions(PointPrior(matrix)).parents_win
            assert check.holds is False
            assert "not below" in check.witness
        several = check_assumptions(PointPrior(np.eye(3))).parents_win
        assert several.holds is False
        assert "not unique" in several.witness

    def test_draws(self):
        check = check_assumptions(DirichletPrior(3, 0.5), draws=2000).parents_win
        scores = limit_edge_scores(InContextTask(CausalGraph.chain(4), DirichletPrior(3, 0.5)), draws=2000, rng=1)
        difference = 3.0 * (scores[2, 1] - scores[2, 2])
        assert check.holds is True
        assert abs(check.value - float(difference)) < 6.0 * float(difference.error)
        assert check_assumptions(DirichletPrior(3, 0.5), draws=1).parents_win.holds is None
