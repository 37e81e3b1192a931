"""Numbers from an independent enumeration: the data file, the oracle and the package agree on all of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    InContextTask,
    PointPrior,
    edge_scores,
    pairwise_information,
    population_gradient,
    population_loss,
    stationary_distribution,
)
from causal_theory.information import MEASURES
from tests import oracles

CASES = json.loads((Path(__file__).parent / "data" / "small_cases.json").read_text(encoding="utf-8"))


def assert_matches(actual, expected):
    """Equal to 1e-12 of the largest entry."""
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.fixture(params=range(len(CASES)), ids=lambda k: f"case {k}")
def case(request):
    return CASES[request.param]


@pytest.fixture
def task(case):
    return InContextTask(CausalGraph.from_parents(case["parents"]), PointPrior(case["transition"]))


def test_there_are_six_cases():
    assert len(CASES) == 6
    assert {len(case["transition"]) for case in CASES} >= {2, 3}


class TestPackage:
    def test_stationary(self, case):
        assert_matches(stationary_distribution(case["transition"]), case["stationary"])

    def test_loss(self, case, task):
        estimate = population_loss(task, case["A1"], case["A2"], epsilon=case["epsilon"], method="enumerate")
        assert_matches(estimate, case["loss"])

    def test_gradients(self, case, task):
        gradient = population_gradient(task, case["A1"], case["A2"], epsilon=case["epsilon"], method="enumerate")
        assert_matches(gradient.A1, case["grad_A1"])
        assert_matches(gradient.A2, case["grad_A2"])
        assert_matches(gradient.loss, case["loss"])

    @pytest.mark.parametrize("method", ["transform", "enumerate"])
    def test_scores(self, method, case, task):
        estimate = edge_scores(task, epsilon=case["epsilon"], method=method)
        assert_matches(estimate, np.tril(case["scores"]))

    @pytest.mark.parametrize("measure", MEASURES)
    def test_informations(self, measure, case, task):
        assert_matches(pairwise_information(task, measure), case[measure])


class TestOracle:
    """The oracles of this test suite, with the rational stationary law."""

    def test_scores_and_informations(self, case):
        parents, matrix = case["parents"], oracles.exact(case["transition"])
        root = oracles.stationary(matrix)
        assert_matches(oracles.to_array(root), case["stationary"])
        floats = [[float(entry) for entry in row] for row in matrix]
        law = [float(entry) for entry in root]
        assert_matches(
            np.tril(oracles.to_array(oracles.scores(parents, floats, law, case["epsilon"]))), np.tril(case["scores"])
        )
        for measure in MEASURES:
            assert_matches(oracles.to_array(oracles.informations(parents, floats, law, measure)), case[measure])

    def test_loss_and_gradients(self, case):
        law = [float(entry) for entry in oracles.stationary(oracles.exact(case["transition"]))]
        arguments = (case["parents"], case["transition"], law, case["A1"], case["A2"], case["epsilon"])
        assert_matches(oracles.loss(*arguments), case["loss"])
        first, second = oracles.gradient(*arguments)
        assert_matches(first, case["grad_A1"])
        assert_matches(second, case["grad_A2"])
