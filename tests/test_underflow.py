"""Probabilities at and below the range of doubles: never NaN, never outside the error, or a clear refusal."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    Estimate,
    InContextTask,
    PointPrior,
    limit_edge_scores,
    pairwise_information,
    pairwise_joint,
    subset_informations,
)
from causal_theory.errors import TransitionError
from causal_theory.population.lost_symbols import lost_symbols, same_support
from tests import oracles
from tests.helpers import average

MATRICES = {
    "independent, rare": [[1.0, 1e-200], [1.0, 1e-200]],
    "independent, close to the smallest normal double": [[1.0, 1e-308], [1.0, 1e-308]],
    "independent, the smallest double": [[1.0, 5e-324], [1.0, 5e-324]],
    "rare": [[1.0, 1e-200], [0.5, 0.5]],
    "rare and sticky": [[1.0, 1e-200], [1e-10, 1.0 - 1e-10]],
    "subnormal": [[1.0, 1e-315], [1e-3, 1.0 - 1e-3]],
    "the smallest double": [[1.0, 5e-324], [0.25, 0.75]],
    "three symbols": [[1.0 - 1e-5, 1e-5, 1e-200], [0.5, 0.5, 1e-300], [0.5, 1e-250, 0.5]],
    "stationary law below all doubles": [[1.0, 1e-200, 0.0], [0.5, 0.5, 1e-200], [0.0, 0.25, 0.75]],
}
PARENTS = [-1, 0, 1, 0]
MEASURES = ["chi2", "kl", "tv", "hellinger"]


def exact_rows(matrix):
    """The rationals that the doubles are, each row closed in its largest entry."""
    rows = oracles.exact(matrix)
    for row in rows:
        row[row.index(max(row))] += 1 - sum(row)
    return rows


def setting(name, law):
    rows = exact_rows(MATRICES[name])
    task = InContextTask(CausalGraph.from_parents(PARENTS), PointPrior(MATRICES[name]), law)
    return task, rows, oracles.root_law(rows, law)


@pytest.mark.parametrize("law", ["stationary", "uniform"])
@pytest.mark.parametrize("name", list(MATRICES))
class TestAgainstRationals:
    @pytest.mark.parametrize("measure", MEASURES)
    def test_informations(self, name, law, measure):
        """To 750 digits where logarithms and roots are needed: 1 - 1e-324 must not round to 1."""
        task, rows, root = setting(name, law)
        table = oracles.joint(PARENTS, rows, root)
        with mpmath.workdps(750):
            truth = [[oracles.information(cell, measure) for cell in row] for row in table]
        oracles.assert_within_error(pairwise_information(task, measure), truth)
        sets = subset_informations(task, 3, 1, measure=measure).informations
        oracles.assert_within_error(sets, truth[3][:3])

    def test_joint_laws(self, name, law):
        task, rows, root = setting(name, law)
        oracles.assert_within_error(pairwise_joint(task), oracles.joint(PARENTS, rows, root), truth_error=0.0)

    def test_modified_chi_square_is_finite(self, name, law):
        task, _, _ = setting(name, law)
        found = subset_informations(task, 3, 2, measure="modified_chi2").informations
        assert np.isfinite(found.value).all()
        assert np.isfinite(found.error).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_independent_tokens_have_no_information(measure):
    for rare in (1e-200, 1e-308, 5e-324):
        task = InContextTask(CausalGraph.chain(4), PointPrior([[1.0, rare], [1.0, rare]]))
        found = pairwise_information(task, measure).value
        assert (found[np.tril_indices(4, -1)] == 0.0).all()


class TestErrorsOfChiSquare:
    def test_accurate_down_to_1e_300(self):
        """The edge of two symbols: ``(1 - x - y)^2``; the product of two probabilities is 1e-600 here."""
        task = InContextTask(CausalGraph.chain(3), PointPrior([[1.0, 1e-300], [0.5, 0.5]]))
        found = pairwise_information(task, "chi2")
        assert abs(found.value[1, 0] - 0.25) <= found.error[1, 0] < 1e-14

    def test_lost_symbols_are_in_the_error(self):
        task, _, _ = setting("stationary law below all doubles", "stationary")
        found = pairwise_information(task, "chi2")
        assert 2.0 <= found.error[1, 0] < 2.0 + 1e-9
        assert pairwise_information(task, "kl").error[1, 0] < 1e-12

    def test_symbols_that_cannot_occur_are_not_lost(self):
        kernel = np.array([[1.0, 0.0], [0.5, 0.5]])

        def laws(kernels):
            return np.array([0.0, 1.0]) @ np.linalg.matrix_power(kernels[1], 3) * [1.0, 0.0]

        assert lost_symbols(np.array([1.0, 0.0]), {1: kernel}, laws).tolist() == 0.0
        assert same_support(kernel).tolist() == [[1.0, 0.0], [0.5, 0.5]]

    def test_several_parents(self):
        """A symbol that needs two rare steps: the chain visits it with a chance of 1e-400."""
        step = [[1.0, 1e-200, 0.0], [1.0, 0.0, 1e-200], [0.0, 0.0, 1.0]]
        kernel = np.stack([step] * 3)
        graph = CausalGraph.from_parents([-1, -1, (0, 1), (1, 2), (2, 3)], target_parents=(3, 4))
        roots = np.full((3, 3, 3), 1.0 / 3.0)
        task = InContextTask(graph, PointPrior({1: step, 2: 0.0 * roots + kernel}))
        for measure in MEASURES:
            found = pairwise_information(task, measure)
            assert np.isfinite(found.value).all()
            assert np.isfinite(found.error).all()


class TestLimitScores:
    @pytest.mark.parametrize("name", list(MATRICES))
    @pytest.mark.parametrize("epsilon", [1e-300, 1e-8, 1.0])
    def test_with_epsilon(self, name, epsilon):
        task, rows, _ = setting(name, "stationary")
        found = limit_edge_scores(task, epsilon=epsilon)
        context = Estimate(found.value[:-1, :-1], found.error[:-1, :-1], found.method)
        truth = np.tril(oracles.to_array(oracles.limit_scores(PARENTS, rows, Fraction(epsilon))))
        oracles.assert_within_error(context, truth)
        assert np.isfinite(found.value).all()
        assert np.isfinite(found.error).all()

    @pytest.mark.parametrize("name", ["independent, rare", "rare", "rare and sticky", "three symbols"])
    def test_without_epsilon(self, name):
        task, rows, _ = setting(name, "stationary")
        found = limit_edge_scores(task)
        context = Estimate(found.value[:-1, :-1], found.error[:-1, :-1], found.method)
        oracles.assert_within_error(context, np.tril(oracles.to_array(oracles.limit_scores(PARENTS, rows, 0))))

    @pytest.mark.parametrize(
        ("name", "symbol"),
        [("subnormal", 1), ("the smallest double", 1), ("stationary law below all doubles", 2)],
    )
    def test_what_cannot_be_divided_by_is_said(self, name, symbol):
        task, _, _ = setting(name, "stationary")
        message = (
            f"epsilon must be greater than 0 for a matrix with stationary .* below 1e-300, got 0 .* symbol {symbol}$"
        )
        with pytest.raises(TransitionError, match=message):
            limit_edge_scores(task)

    def test_transient_symbols_are_no_obstacle(self):
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.5, 0.25, 0.25]]))
        assert np.isfinite(limit_edge_scores(task).value).all()


class TestSparsePriors:
    """Dirichlet laws of small concentration draw such matrices all the time."""

    @pytest.mark.parametrize("symbols", [2, 3])
    @pytest.mark.parametrize("concentration", [0.01, 1e-4])
    @pytest.mark.parametrize("measure", MEASURES)
    def test_finite(self, symbols, concentration, measure):
        task = InContextTask(CausalGraph.chain(4), DirichletPrior(symbols, concentration), "uniform")
        found = pairwise_information(task, measure, draws=40, rng=3)
        assert np.isfinite(found.value).all()
        assert np.isfinite(found.error).all()

    def test_what_single_draws_leave_open_is_in_the_error(self):
        """A standard error of zero beside evaluations that are off by two."""

        def evaluate(matrix):
            return np.array([1.0, 1.0]), np.array([2.0, 1e-15])

        found = average(DirichletPrior(3, 1.0), evaluate, label_invariant=True, draws=5, rng=0)
        assert found.error.tolist() == [2.0, 0.0]
