"""Excess over the floor, errors of predictions, and trained models on other tasks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    excess_loss,
    generalisation,
    loss_floor,
    parent_attention_loss,
    population_loss,
    prediction_error,
)
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.population.prediction_error import _quantile_interval, _summarise
from causal_theory.testing import tasks

from .helpers import assert_close

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


class TestExcess:
    @given(tasks(max_length=9, max_size=3), st.floats(0.01, 1.0), st.floats(-3.0, 6.0))
    def test_is_loss_minus_floor(self, task, epsilon, multiple):
        A2 = multiple * np.eye(task.vocab_size)
        found = excess_loss(task, A2, epsilon=epsilon, draws=4, rng=1)
        loss = parent_attention_loss(task, A2, epsilon=epsilon, draws=4, rng=1)
        floor = loss_floor(task, draws=4, rng=1)
        assert_close(found.value, loss.value - floor.value, rtol=0.0, atol=1e-11)
        assert found.method == loss.method

    @given(tasks(max_length=9, max_size=3), st.floats(1e-4, 1.0), st.floats(-5.0, 20.0))
    def test_normalised_predictions_never_beat_the_floor(self, task, epsilon, multiple):
        """(f + eps) / (1 + S eps) is a probability vector: Gibbs' inequality."""
        A2 = multiple * np.eye(task.vocab_size)
        found = excess_loss(task, A2, epsilon=epsilon, normalised=True, draws=4, rng=1)
        plain = excess_loss(task, A2, epsilon=epsilon, draws=4, rng=1)
        assert found.value >= -found.error - 1e-12
        assert_close(found.value - plain.value, np.log1p(task.vocab_size * epsilon), rtol=1e-9, atol=1e-12)

    def test_draws_are_paired(self):
        """Loss and floor at the same matrices: the error is that of their differences."""
        graph, prior = CausalGraph.chain(30), DirichletPrior(3, 0.5)
        A2 = 3.0 * np.eye(3)
        found = excess_loss(InContextTask(graph, prior), A2, epsilon=0.03, draws=32, rng=0)
        points = [InContextTask(graph, PointPrior(matrix)) for matrix in prior.sample(32, np.random.default_rng(0))]
        gaps = [float(parent_attention_loss(p, A2, epsilon=0.03)) - float(loss_floor(p)) for p in points]
        assert_close(found.value, np.mean(gaps), rtol=1e-10)
        assert_close(found.error, np.std(gaps, ddof=1) / np.sqrt(32), rtol=1e-8)

    def test_bad_input(self):
        task = InContextTask(CausalGraph.chain(4), OrbitPrior(MATRIX))
        with pytest.raises(InvalidArgumentError, match=r"A2 must have shape \(3, 3\)"):
            excess_loss(task, np.eye(2), epsilon=0.1)
        with pytest.raises(InvalidArgumentError, match="epsilon must be"):
            excess_loss(task, np.eye(3), epsilon=-1.0)


class TestPredictionError:
    def test_is_the_largest_deviation_of_each_sequence(self):
        task = InContextTask(CausalGraph.random_forest(9, 0.4, 3), DirichletPrior(3, 1.0))
        rng = np.random.default_rng(0)
        A1, A2 = rng.normal(size=(9, 9)), rng.normal(size=(3, 3))
        found = prediction_error(task, A1, A2, samples=500, rng=7)
        batch = task.sample(500, rng=7)
        errors = np.abs(ReducedTransformer(A1, A2, 0.1).forward(batch.tokens) - batch.targets).max(axis=1)
        assert_close(found.mean.value, errors.mean(), rtol=1e-12)
        assert_close(found.mean.error, errors.std(ddof=1) / np.sqrt(500), rtol=1e-12)
        assert found.largest == errors.max()
        assert found.quantile == np.sort(errors)[474]
        assert found.samples == 500

    def test_exact_mean_lies_in_the_interval(self):
        """Enumerated by hand: two symbols, three tokens, uniform attention."""
        matrix = np.array([[0.3, 0.7], [0.6, 0.4]])
        task = InContextTask(CausalGraph.chain(3), PointPrior(matrix), "uniform")
        mean = 0.0
        for a in range(2):
            for b in range(2):
                for q in range(2):
                    share = np.bincount([a, b, q], minlength=2) / 3.0
                    mean += 0.5 * matrix[a, b] * 0.5 * np.abs(share - matrix[q]).max()
        found = prediction_error(task, np.zeros((3, 3)), np.zeros((2, 2)), samples=40_000, confidence=0.999, rng=3)
        assert found.mean_interval[0] < mean < found.mean_interval[1]
        assert found.mean_interval[1] - found.mean_interval[0] < 0.01

    def test_quantile_intervals_cover(self):
        """Of 400 intervals at 80 % about 80 % contain the true quantile, whatever the law (here: uniform)."""
        rng = np.random.default_rng(5)
        for level in (0.5, 0.9):
            hits = 0
            for _ in range(400):
                found = _summarise(np.sort(rng.random(60)), level, 0.8)
                hits += found.quantile_interval[0] <= level <= found.quantile_interval[1]
            # Order statistics are coarse: the coverage is at least 80 %, at most a few percent more.
            assert binom.ppf(1e-4, 400, 0.8) <= hits <= binom.ppf(1.0 - 1e-4, 400, 0.93)

    @pytest.mark.parametrize("count", [2, 3, 20, 71, 72, 400])
    @pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.999])
    @pytest.mark.parametrize("confidence", [0.1, 0.5, 0.95, 0.9999])
    def test_quantile_intervals_cover_under_every_law(self, count, level, confidence):
        """The chance that an end lies beyond the quantile, from the binomial law of the samples on either side of it.

        A law is continuous at its quantile, or has an atom there with any masses below and up to it around the level.
        """
        low, high = _quantile_interval(np.arange(1.0, count + 1.0), level, 0.5 * (1.0 - confidence))
        for below, upto in ((level, level), (0.0, level), (level, 1.0), (0.5 * level, 0.5 + 0.5 * level), (0.0, 1.0)):
            # An order statistic of rank r exceeds the quantile when fewer than r samples lie up to it.
            too_high = binom.cdf(low - 1.0, count, upto) if low > 0.0 else 0.0
            too_low = binom.sf(high - 1.0, count, below) if np.isfinite(high) else 0.0
            assert too_high <= 0.5 * (1.0 - confidence) * (1.0 + 1e-12)
            assert too_low <= 0.5 * (1.0 - confidence) * (1.0 + 1e-12)
        # No end could be one rank further in.
        assert binom.cdf(low, count, level) > 0.5 * (1.0 - confidence) * (1.0 - 1e-12) or low == count
        if high > 1.0:
            assert binom.sf(min(high, count + 1.0) - 2.0, count, level) > 0.5 * (1.0 - confidence) * (1.0 - 1e-12)

    def test_few_samples_leave_the_quantile_open(self):
        found = _summarise(np.linspace(0.1, 0.6, 71), 0.95, 0.95)
        assert found.quantile_interval[0] > 0.1
        assert found.quantile_interval[1] == np.inf
        assert np.isfinite(_summarise(np.linspace(0.1, 0.6, 72), 0.95, 0.95).quantile_interval[1])
        assert _summarise(np.array([0.2, 0.3]), 0.5, 0.95).quantile_interval == (0.0, np.inf)
        assert "0 to infinite" in _summarise(np.array([0.2, 0.3]), 0.5, 0.95)._repr_html_()

    def test_two_equal_samples_are_not_certainty(self):
        """An error of 1 with chance 0.3, else 0: the interval of the mean covers 0.3 whatever the two samples are."""
        for errors in ([0.0, 0.0], [0.0, 1.0], [1.0, 1.0]):
            low, high = _summarise(np.array(errors), 0.5, 0.95).mean_interval
            assert low <= 0.3 <= high
        assert _summarise(np.full(50, 0.25), 0.5, 0.95).mean_interval == pytest.approx(
            (0.25 * 0.05**0.02, 0.25 * 0.05**0.02 + 1.0 - 0.05**0.02), rel=1e-12
        )

    @pytest.mark.parametrize("samples", [2, 3, 5])
    def test_mean_intervals_of_few_samples_follow_student(self, samples):
        rng = np.random.default_rng(samples)
        draws = np.sort(rng.normal(0.5, 0.1, size=(4000, samples)), axis=1)
        intervals = [_summarise(row, 0.5, 0.9).mean_interval for row in draws]
        hits = sum(low <= 0.5 <= high for low, high in intervals)
        assert binom.ppf(1e-5, 4000, 0.9) <= hits <= binom.ppf(1.0 - 1e-5, 4000, 0.9)

    def test_unseen_share(self):
        found = _summarise(np.linspace(0.0, 1.0, 100), 0.5, 0.95)
        # The chance that 100 draws all miss a set of this share is 5 %.
        assert_close((1.0 - found.unseen) ** 100, 0.05, rtol=1e-10)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"samples": 1}, "samples must be an integer of at least 2, got 1"),
            ({"level": 1.0}, r"level must be a number between 0 and 1, both excluded, got 1\.0"),
            ({"confidence": -0.5}, r"confidence must be a number between 0 and 1, both excluded, got -0\.5"),
        ],
    )
    def test_bad_input(self, options, message):
        task = InContextTask(CausalGraph.chain(4), OrbitPrior(MATRIX))
        with pytest.raises(InvalidArgumentError, match=message):
            prediction_error(task, np.zeros((4, 4)), np.eye(3), **options)
        with pytest.raises(InvalidArgumentError, match="A1 must have shape"):
            prediction_error(task, np.zeros((3, 3)), np.eye(3))


class TestGeneralisation:
    def test_parts_are_those_of_the_other_task(self):
        graph = CausalGraph.chain(8)
        test = InContextTask(graph, PointPrior([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]]))
        A1, A2 = 60.0 * graph.adjacency, 2.0 * np.eye(3) + 0.5
        found = generalisation(test, A1, A2, epsilon=0.1, samples=300)
        assert_close(found.loss.value, parent_attention_loss(test, A2, epsilon=0.1).value, rtol=1e-13)
        assert_close(found.floor.value, loss_floor(test).value, rtol=1e-13)
        assert_close(found.excess.value, found.loss.value - found.floor.value, rtol=1e-10)
        assert_close(found.actual_loss.value, population_loss(test, A1, A2, epsilon=0.1).value, rtol=1e-13)
        assert found.error.samples == 300

    def test_long_sequences_are_sampled(self):
        """At T = 60 the matrix itself is sampled; it attends to the parents, so both losses agree nearly."""
        graph = CausalGraph.chain(60)
        test = InContextTask(graph, PointPrior(MATRIX))
        found = generalisation(test, 60.0 * graph.adjacency, 2.0 * np.eye(3), epsilon=0.02, samples=4000)
        assert found.actual_loss.method == "monte_carlo"
        # Position 0 and the query carry the uniform key on one side only: two positions in sixty.
        assert abs(found.actual_loss.value - found.loss.value) < 5.0 * found.actual_loss.error + 2.0 / 60.0

    def test_bad_input(self):
        test = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior(MATRIX))
        with pytest.raises(TaskError, match="at most one parent"):
            generalisation(test, np.zeros((4, 4)), np.eye(3), epsilon=0.1)
