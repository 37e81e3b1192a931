"""Sampling: unbiased, with standard errors that mean what they say."""

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    population_gradient,
    population_loss,
)
from causal_theory.population import monte_carlo
from tests.helpers import assert_close

MATRIX = [[0.25, 0.75, 0.0], [0.5, 0.125, 0.375], [0.0, 0.625, 0.375]]
PRIORS = {"point": PointPrior(MATRIX), "orbit": OrbitPrior(MATRIX), "dirichlet": DirichletPrior(2, 0.7)}
RUNS = 60
SAMPLES = 400


def make_task(kind, root_law="stationary"):
    return InContextTask(CausalGraph.from_parents([-1, 0, 0, -1, 3]), PRIORS[kind], root_law)


def parameters(task):
    generator = np.random.default_rng(8)
    return generator.normal(size=(task.length, task.length)), generator.normal(size=(task.vocab_size,) * 2)


class TestAgainstEnumeration:
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    @pytest.mark.parametrize("kind", list(PRIORS))
    def test_within_five_standard_errors(self, kind, root_law):
        """One run, every entry: fifty entries at 5 standard errors are a false alarm of 3e-5; the seed is fixed."""
        task = make_task(kind, root_law)
        A1, A2 = parameters(task)
        exact_loss = population_loss(task, A1, A2, epsilon=0.05, method="enumerate")
        exact = population_gradient(task, A1, A2, epsilon=0.05, method="enumerate")
        loss = population_loss(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=20_000, rng=1)
        drawn = population_gradient(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=20_000, rng=2)
        assert loss.method == drawn.A1.method == drawn.A2.method == drawn.loss.method == "monte_carlo"
        pairs = [(loss, exact_loss), (drawn.A1, exact.A1), (drawn.A2, exact.A2), (drawn.loss, exact_loss)]
        for sampled, truth in pairs:
            # Entries that are zero for every sequence have no spread; 1e-14 is the error of the exact value.
            assert (np.abs(sampled.value - truth.value) <= 5.0 * sampled.error + 1e-14).all()
            assert sampled.error.max() < 0.05

    @pytest.mark.parametrize("kind", list(PRIORS))
    def test_standard_errors_are_calibrated(self, kind):
        """Sixty runs: z-scores of every entry have mean 0 and standard deviation 1.

        The mean of 60 z-scores has standard deviation 0.13 and their own standard deviation an error of 0.09: bands
        of 5 such errors around 0 and 1, for each of about 25 entries.
        """
        task = make_task(kind)
        A1, A2 = parameters(task)
        exact = population_gradient(task, A1, A2, epsilon=0.05, method="enumerate")
        scores = []
        for seed in range(RUNS):
            drawn = population_gradient(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=SAMPLES, rng=seed)
            pairs = [(drawn.A1, exact.A1), (drawn.A2, exact.A2), (drawn.loss, exact.loss)]
            scores.append(
                np.concatenate(
                    [((one.value - two.value)[one.error > 0] / one.error[one.error > 0]).ravel() for one, two in pairs]
                )
            )
        table = np.array(scores)
        assert table.shape[0] == RUNS
        assert table.shape[1] > 15
        assert np.abs(table.mean(axis=0)).max() < 5.0 / np.sqrt(RUNS)
        assert np.abs(table.std(axis=0, ddof=1) - 1.0).max() < 5.0 / np.sqrt(2 * RUNS)

    def test_error_falls_like_the_root_of_the_sample(self):
        task = make_task("point")
        A1, A2 = parameters(task)
        errors = [
            float(population_loss(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=n, rng=0).error)
            for n in (1000, 16_000)
        ]
        # The ratio 4 is known to the relative accuracy of a standard deviation from 1000 draws, 3 %.
        assert 3.4 < errors[0] / errors[1] < 4.6


class TestMechanics:
    def test_loss_and_error_are_those_of_the_sample(self):
        """The mean and its standard error, from the losses of the same sequences one by one."""
        task = make_task("dirichlet")
        A1, A2 = parameters(task)
        sample = task.sample(500, np.random.default_rng(3))
        model = ReducedTransformer(A1, A2, 0.05)
        losses = [model.loss(sample.tokens[n : n + 1], sample.targets[n : n + 1]) for n in range(500)]
        estimate = population_loss(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=500, rng=3)
        assert_close(estimate, np.mean(losses), rtol=1e-13)
        assert_close(estimate.error, np.std(losses, ddof=1) / np.sqrt(500), rtol=1e-12)

    def test_gradient_and_error_are_those_of_the_sample(self):
        task = make_task("point")
        A1, A2 = parameters(task)
        sample = task.sample(300, np.random.default_rng(3))
        model = ReducedTransformer(A1, A2, 0.05)
        parts = [model.gradient(sample.tokens[n : n + 1], sample.targets[n : n + 1]) for n in range(300)]
        drawn = population_gradient(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=300, rng=3)
        for name, estimate in (("A1", drawn.A1), ("A2", drawn.A2)):
            table = np.array([part[name] for part in parts])
            assert_close(estimate, table.mean(axis=0), rtol=1e-12, atol=1e-16)
            # The variance is a difference of two sums of squares: half the digits of a small entry may go.
            assert_close(estimate.error, table.std(axis=0, ddof=1) / np.sqrt(300), rtol=1e-8, atol=1e-12)

    def test_the_same_seed_gives_the_same_bits(self):
        task = make_task("dirichlet")
        A1, A2 = parameters(task)
        one, two = (population_loss(task, A1, A2, epsilon=0.1, method="monte_carlo", rng=5) for _ in range(2))
        other = population_loss(task, A1, A2, epsilon=0.1, method="monte_carlo", rng=6)
        assert one.value == two.value
        assert one.value != other.value

    def test_a_generator_is_advanced(self):
        task = make_task("point")
        A1, A2 = parameters(task)
        generator = np.random.default_rng(0)
        one, two = (
            population_loss(task, A1, A2, epsilon=0.1, method="monte_carlo", samples=100, rng=generator)
            for _ in range(2)
        )
        assert one.value != two.value

    def test_batches_are_all_counted(self, monkeypatch):
        """Sequences are drawn in batches of bounded memory; here many, the last one smaller."""
        task = make_task("point")
        A1, A2 = parameters(task)
        monkeypatch.setattr(monte_carlo, "BATCH_ENTRIES", 3000)
        exact = population_gradient(task, A1, A2, epsilon=0.05, method="enumerate")
        drawn = population_gradient(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=20_011, rng=2)
        assert (np.abs(drawn.A1.value - exact.A1.value) <= 5.0 * drawn.A1.error + 1e-14).all()
        loss = population_loss(task, A1, A2, epsilon=0.05, method="monte_carlo", samples=20_011, rng=2)
        assert abs(float(loss) - float(exact.loss)) < 5.0 * loss.error

    @pytest.mark.compiled
    def test_large_task(self):
        """T = 200, S = 20: no enumeration, finite values, and a gradient that moves attention to the parents."""
        matrix = np.random.default_rng(1).dirichlet([0.1] * 20, size=20)
        task = InContextTask(CausalGraph.chain(200), PointPrior(matrix))
        gradient = population_gradient(task, np.zeros((200, 200)), np.eye(20), epsilon=0.01, samples=2000, rng=0)
        assert np.isfinite(gradient.A1.value).all()
        assert np.isfinite(gradient.A1.error).all()
        rows = np.arange(1, 100)
        assert (-gradient.A1.value[rows]).argmax(axis=1).tolist() == (rows - 1).tolist()
