"""Rows that are laws up to 1e-10 are made laws, once and in one way, wherever a matrix is taken."""

import json
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    certify_edge_scores,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
    pairwise_joint,
    subset_information,
)
from causal_theory.chains import stationary_distribution, stationary_distributions
from causal_theory.cli import app
from causal_theory.errors import TransitionError
from causal_theory.falsification import Instance
from causal_theory.priors import Prior
from causal_theory.validation import check_transition_tensor, normalised
from tests import oracles

MEASURES = ["chi2", "kl", "tv", "hellinger"]


def typed(digits=11, size=3):
    """A matrix with one row of two thirds and sixths in so many digits, and its rows as they are meant."""
    matrix = np.full((size, size), round(1 / (2 * size), digits))
    np.fill_diagonal(matrix, round(0.5 + 1 / (2 * size), digits))
    return matrix


def rows(draw_off):
    """A strategy for rows whose sums are off by at most ``draw_off``, tiny entries included."""
    weights = st.lists(st.sampled_from([0.0, 5e-324, 1e-200, 1e-17, 0.1, 0.3, 1.0, 7.0]), min_size=2, max_size=6)

    def scaled(pair):
        entries, off = pair
        total = sum(entries)
        return [entry / total * (1.0 + off) for entry in entries]

    return st.tuples(weights.filter(lambda w: sum(w) > 0.05), st.floats(-draw_off, draw_off)).map(scaled)


class TestNormalised:
    @given(row=rows(9e-11))
    def test_exact_sums_round_to_one(self, row):
        law = normalised(np.array([row]))[0]
        assert math.fsum(law) == 1.0
        assert (law >= 0.0).all()
        assert np.abs(law - row).max() <= 2e-10

    @given(row=rows(9e-11))
    def test_twice_is_once(self, row):
        once = normalised(np.array([row]))
        assert normalised(once) is once

    @given(row=rows(3e-16))
    def test_laws_stay_to_the_last_bit(self, row):
        """The exact sum decides, however NumPy adds the row up."""
        given = np.array([row])
        assert (normalised(given) is given) == (math.fsum(row) == 1.0)

    def test_sums_at_the_edge_of_rounding_to_one(self):
        below, above = 2.0**-54, 2.0**-53
        for row in ([1.0, above], [0.5, 0.5 - below], [0.5 - below, 0.5 - below, below / 2], [1.0, above, 1e-40]):
            given = np.array([row])
            assert (normalised(given) is given) == (math.fsum(row) == 1.0), row

    def test_other_rows_of_the_matrix_stay(self):
        given = np.array([[0.1, 0.9], [0.3333, 0.66669999999]])
        law = normalised(given)
        assert law[0].tolist() == [0.1, 0.9]
        assert law[1].tolist() != [0.3333, 0.66669999999]

    def test_kernels(self):
        kernel = check_transition_tensor("transition", np.full((3, 3, 3), 0.33333333333), 2)
        assert {math.fsum(row) for row in kernel.reshape(-1, 3)} == {1.0}


class TestPriors:
    @pytest.mark.parametrize("kind", [PointPrior, OrbitPrior])
    def test_moved_is_the_largest_distance(self, kind):
        """In rational arithmetic: the given numbers, the used ones, and what lies between."""
        prior = kind(typed())
        gaps = [
            abs(Fraction(used) - Fraction(given))
            for used_row, row in zip(prior.transition.tolist(), typed().tolist(), strict=True)
            for used, given in zip(used_row, row, strict=True)
        ]
        assert prior.moved == float(max(gaps)) > 1e-12
        assert "moved=6.7e-12" in repr(prior)
        assert "moved by up to" in prior._repr_html_()
        assert pickle.loads(pickle.dumps(prior)).moved == prior.moved

    def test_exact_rows_are_not_mentioned(self):
        prior = PointPrior([[0.1, 0.9], [0.7, 0.3]])
        assert prior.moved == 0.0
        assert prior.transition.tolist() == [[0.1, 0.9], [0.7, 0.3]]
        assert "moved" not in repr(prior) + prior._repr_html_()
        assert DirichletPrior(3, 1.0).moved == 0.0

    def test_kernels(self):
        prior = PointPrior({1: [[0.1, 0.9], [0.7, 0.3]], 2: np.full((2, 2, 2), 0.49999999999)})
        assert 0.9e-11 < prior.moved < 1.1e-11
        assert "moved=1.0e-11" in repr(prior)
        assert "moved by up to" in prior._repr_html_()

    def test_json_says_it(self):
        sloppy = json.loads(_scores("[[0.33333333333,0.66666666666],[0.5,0.5]]"))["task"]["prior"]
        assert 1e-12 < sloppy["moved"] < 1e-11
        assert math.fsum(sloppy["transition"][0]) == 1.0
        assert "moved" not in json.loads(_scores("[[0.25,0.75],[0.5,0.5]]"))["task"]["prior"]

    def test_certificate_of_the_prior(self):
        """One matrix, given directly or through the prior, is certified as one; both distances have one meaning."""
        prior = PointPrior(typed())
        graph = CausalGraph.chain(4)
        direct, through = (certify_edge_scores(graph, matrix, 0.1) for matrix in (typed(), prior.transition))
        assert direct.transition == through.transition
        assert abs(float(direct.moved) - prior.moved) < 1e-16
        assert float(through.moved) < 1e-16

    def test_instance(self):
        instance = Instance(CausalGraph.chain(4), tuple(map(tuple, typed().tolist())), 0.1)
        found = np.array([[float(p) for p in row] for row in instance.certificate.transition])
        assert np.abs(instance.task.prior.transition - found).max() < 1e-16


def _scores(matrix):
    words = ["scores", "--length", "4", "--prior", "point", "--transition", matrix, "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    return result.stdout


class Sloppy(Prior):
    """A prior of somebody's own that rounds what it draws."""

    vocab_size = 2
    mean = np.full((2, 2), 0.5)
    digits = 11

    def sample(self, size, rng=None):
        x = np.random.default_rng(rng).random((size, 2, 1))
        matrices = np.concatenate([x, 1.0 - x], axis=2)
        return np.trunc(matrices * 10**self.digits) / 10**self.digits


class TestYourOwn:
    def test_draws_are_made_laws(self):
        prior = Sloppy()
        assert prior.moved == 0.0
        task = InContextTask(CausalGraph.chain(2000), prior, "uniform")
        found = pairwise_joint(InContextTask(CausalGraph.chain(300), prior, "uniform"), draws=2, rng=0)
        assert np.abs(found.value.sum(axis=(2, 3)) - 1.0).max() < 1e-12
        assert 1e-12 < prior.moved < 1e-10
        assert "moved by up to" in prior._repr_html_()
        assert {math.fsum(row) for row in task.sample(3, rng=1).transitions.reshape(-1, 2)} == {1.0}

    def test_what_is_no_law_is_refused(self):
        prior = Sloppy()
        prior.digits = 3
        with pytest.raises(TransitionError, match="the draws of Sloppy for 1 parents must have rows that sum to 1"):
            edge_scores(InContextTask(CausalGraph.chain(4), prior), epsilon=0.1, draws=2)

    def test_a_subclass_is_not_trusted(self):
        class Rounded(DirichletPrior):
            def sample(self, size, rng=None):
                return np.trunc(super().sample(size, rng) * 1e11) / 1e11

        prior = Rounded(3, 1.0)
        edge_scores(InContextTask(CausalGraph.chain(4), prior), epsilon=0.1, draws=2, rng=0)
        assert prior.moved > 0.0


class TestDirectly:
    def test_stationary_laws(self):
        """GTH takes the diagonal for one minus the rest: of the normalised row, which is the law that is used."""
        matrix = [[0.99999999995, 0.0], [0.5, 0.5]]
        assert stationary_distribution(matrix).tolist() == [1.0, 0.0]
        sloppy = [[0.75, 0.25 - 5e-11], [0.5, 0.5]]
        law = stationary_distribution(sloppy)
        exact = oracles.exact(PointPrior(sloppy).transition)
        assert abs(law[0] - float(exact[1][0] / (exact[1][0] + exact[0][1]))) < 2e-16
        assert np.array_equal(stationary_distributions([sloppy])[0], law)


class TestLongChains:
    """The law of an edge is the same at the beginning and at the end, within the errors."""

    @pytest.mark.parametrize("measure", MEASURES)
    def test_informations(self, measure):
        found = pairwise_information(InContextTask(CausalGraph.chain(2000), PointPrior(typed()), "uniform"), measure)
        ends = [(1, 0), (1000, 999), (1998, 1997)]
        for place in ends[1:]:
            gap = abs(found.value[place] - found.value[1, 0])
            assert gap <= found.error[place] + found.error[1, 0] < 1e-10

    def test_at_twenty_thousand_positions(self):
        task = InContextTask(CausalGraph.chain(20_000), PointPrior(typed()), "uniform")
        first, last = (subset_information(task, i, (i - 1,), measure="tv") for i in (1, 19_998))
        assert abs(float(first) - float(last)) <= first.error + last.error < 1e-9

    def test_joints_scores_and_limits(self):
        task = InContextTask(CausalGraph.chain(400), PointPrior(typed()))
        joint = pairwise_joint(task)
        assert (np.abs(joint.value[1, 0] - joint.value[398, 397]) <= joint.error[1, 0] + joint.error[398, 397]).all()
        limit = limit_edge_scores(task)
        assert abs(limit.value[1, 0] - limit.value[398, 397]) <= limit.error[1, 0] + limit.error[398, 397]

    def test_scores(self):
        """Against rational arithmetic at the matrix that the certificate of the same digits is for."""
        graph = CausalGraph.chain(20)
        certificate = certify_edge_scores(graph, typed(), "1/10")
        found = edge_scores(InContextTask(graph, PointPrior(typed())), epsilon=0.1)
        for i, row in enumerate(certificate.scores):
            for j, exact in enumerate(row):
                assert abs(found.value[i, j] - float(exact)) <= found.error[i, j] < 1e-12
