"""Stochastic training: steps against plain loops, measurements, recipes, divergence."""

import math
import tracemalloc

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    counts_rule_loss,
    loss_floor,
    train_sgd,
    unigram_loss,
)
from causal_theory.errors import InvalidArgumentError, TaskError, TooLargeError
from causal_theory.kernels.threads import thread_limit
from causal_theory.training import TrainingSettings
from causal_theory.training.baselines import sample_baselines
from causal_theory.training.sampler import BatchSampler, draw_keys

from .helpers import assert_close

pytestmark = pytest.mark.compiled

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


@pytest.fixture
def task():
    return InContextTask(CausalGraph.from_parents([-1, 0, 0, -1, 3]), DirichletPrior(3, 0.5))


def batches(task, steps, size, seed):
    """The batches that a run with this seed sees, and its held-out sequences."""
    rng = np.random.default_rng(seed)
    keys, test_keys = draw_keys(rng), draw_keys(rng)
    sampler = BatchSampler(task, size, keys)
    for step in range(steps):
        tokens, targets = sampler.draw(step * size)
        yield tokens.copy(), targets.copy()
    yield BatchSampler(task, 64, test_keys).draw(0)


class TestSteps:
    @pytest.mark.parametrize("kind", ["reduced", "disentangled"])
    def test_sgd_is_a_plain_loop(self, task, kind):
        model = (
            ReducedTransformer(np.zeros((6, 6)), 0.3 * np.eye(3), 0.1)
            if kind == "reduced"
            else DisentangledTransformer(6, 3, scale=0.2, rng=0)
        )
        run = train_sgd(
            task, model, steps=7, batch_size=20, learning_rate=0.5, schedule="cosine", weight_decay=0.1, rng=4,
            test_size=64, records=7, snapshots=7,
        )  # fmt: skip
        *training, (test_tokens, test_targets) = batches(task, 7, 20, 4)
        losses, test_losses = [], [model.loss(test_tokens, test_targets)]
        for step, (tokens, targets) in enumerate(training):
            batch_losses, gradient = model.batch_gradient(tokens, targets)
            losses.append(batch_losses.mean())
            rate = 0.5 * 0.5 * (1.0 + math.cos(math.pi * step / 7))
            model = model.with_parameters((1.0 - 0.1 * rate) * model.parameters - rate * gradient)
            test_losses.append(model.loss(test_tokens, test_targets))
        assert_close(run.model.parameters, model.parameters, rtol=1e-12, atol=1e-15)
        assert_close(run.losses, losses, rtol=1e-12)
        assert_close(run.test_losses, test_losses, rtol=1e-12)
        assert run.steps.tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert run.snapshot_steps.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
        assert run.status == "finished"
        assert run.diverged_at == -1

    def test_adamw_is_a_plain_loop(self, task):
        model = DisentangledTransformer(6, 3, scale=0.2, rng=0)
        run = train_sgd(
            task, model, steps=5, batch_size=20, learning_rate=0.01, optimizer="adamw", weight_decay=0.2, rng=4,
            test_size=64, beta1=0.8, beta2=0.95, adam_epsilon=1e-6,
        )  # fmt: skip
        theta = model.parameters.copy()
        mean, square = np.zeros_like(theta), np.zeros_like(theta)
        *training, _ = batches(task, 5, 20, 4)
        for k, (tokens, targets) in enumerate(training, start=1):
            slope = model.with_parameters(theta).batch_gradient(tokens, targets)[1]
            mean = 0.8 * mean + 0.2 * slope
            square = 0.95 * square + 0.05 * slope**2
            move = (mean / (1.0 - 0.8**k)) / (np.sqrt(square / (1.0 - 0.95**k)) + 1e-6)
            theta = theta - 0.01 * move - 0.01 * 0.2 * theta
        assert_close(run.model.parameters, theta, rtol=1e-9, atol=1e-12)

    def test_two_stages(self, task):
        """First A1 alone, then A2 alone."""
        start = ReducedTransformer(np.zeros((6, 6)), 0.3 * np.eye(3), 0.1)
        settings = {"batch_size": 50, "learning_rate": 0.5, "recipe": "two_stage", "rng": 1}
        run = train_sgd(task, start, steps=30, first_steps=10, **settings)
        first = train_sgd(task, start, steps=10, batch_size=50, learning_rate=0.5, rng=1)
        assert (run.model.A1 != 0.0).any()
        assert (run.model.A2 != start.A2).any()
        joint_after_one = train_sgd(task, start, steps=1, batch_size=50, learning_rate=0.5, rng=1)
        assert (joint_after_one.model.A2 != start.A2).any()
        # Up to the switch A2 stays, after it A1 does: a run cut at the switch has the same A1.
        cut = train_sgd(task, start, steps=11, first_steps=10, **settings)
        np.testing.assert_array_equal(cut.model.A1, run.model.A1)
        assert (first.model.A1 != run.model.A1).any()

    def test_threads_do_not_change_a_bit(self, task):
        results = []
        for threads in (1, None):
            with thread_limit(threads):
                for model in (
                    DisentangledTransformer(6, 3, (2, 1)),
                    ReducedTransformer(np.zeros((6, 6)), np.eye(3), 0.1),
                ):
                    run = train_sgd(task, model, steps=4, batch_size=700, learning_rate=1.0, rng=0)
                    results.append((run.model.parameters, run.losses, run.test_losses, run.attention))
        half = len(results) // 2
        for one, two in zip(results[:half], results[half:], strict=True):
            for a, b in zip(one, two, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_learns(self):
        """A short run on a chain: the first layer finds the parents, the loss falls below that of counting tokens."""
        task = InContextTask(CausalGraph.chain(12), DirichletPrior(8, 0.1))
        model = DisentangledTransformer(12, 8)
        run = train_sgd(
            task, model, steps=400, batch_size=512, learning_rate=0.01, optimizer="adamw", rng=0, test_size=2000
        )
        assert run.test_losses[-1] < run.baselines["unigram"] - 0.1
        assert run.test_losses[-1] > run.baselines["floor"]
        assert np.nanmean(run.attention_on_parents) > 0.6


class TestMeasurements:
    def test_attention_on_parents(self, task):
        model = DisentangledTransformer(6, 3, (2, 1), scale=0.5, rng=1)
        run = train_sgd(task, model, steps=3, batch_size=8, learning_rate=0.1, rng=0, test_size=64)
        *_, (tokens, _) = batches(task, 3, 8, 0)
        attention = run.model.first_attention(tokens)
        assert run.attention_on_parents.shape == (2, 6)
        assert_close(run.attention[-1], attention, rtol=1e-12)
        parents = task.graph.parent_array
        for i in range(6):
            for h in range(2):
                if parents[i] < 0:
                    assert np.isnan(run.attention_on_parents[h, i])
                else:
                    assert run.attention_on_parents[h, i] == run.attention[-1][h, i, parents[i]]

    def test_test_loss_has_a_standard_error(self, task):
        run = train_sgd(
            task, DisentangledTransformer(6, 3), steps=2, batch_size=8, learning_rate=0.1, rng=0, test_size=64
        )
        *_, (tokens, targets) = batches(task, 2, 8, 0)
        losses = run.model.batch_losses(tokens, targets)
        assert_close(run.test_loss.value, losses.mean(), rtol=1e-12)
        assert_close(run.test_loss.error, losses.std(ddof=1) / 8.0, rtol=1e-12)
        assert_close(run.excess, losses.mean() - run.baselines["floor"], rtol=1e-9, atol=1e-12)

    def test_baselines_are_those_of_the_exact_engines(self):
        """On a large sample the mean losses of the predictors approach their exact values."""
        task = InContextTask(CausalGraph.random_forest(12, 0.4, 5), OrbitPrior(MATRIX))
        sample = task.sample(60_000, rng=2)
        found = sample_baselines(task.graph, sample.tokens, sample.targets, 0.7)
        assert_close(found["floor"], loss_floor(task).value, rtol=0.0, atol=0.005)
        assert_close(found["counts"], counts_rule_loss(task, smoothing=0.7).value, rtol=0.0, atol=0.008)
        assert_close(found["unigram"], unigram_loss(task, smoothing=0.7).value, rtol=0.0, atol=0.008)
        assert_close(found["uniform"], np.log(3.0), rtol=1e-15)

    def test_windows_and_snapshots_are_bounded(self, task):
        run = train_sgd(
            task, DisentangledTransformer(6, 3), steps=1000, batch_size=2, learning_rate=0.1, rng=0, records=16,
            snapshots=4, test_size=16,
        )  # fmt: skip
        assert run.steps.tolist() == [63, 125, 188, 250, 313, 375, 438, 500, 563, 625, 688, 750, 813, 875, 938, 1000]
        assert run.snapshot_steps.tolist() == [0, 250, 500, 750, 1000]
        assert run.attention.shape == (5, 1, 6, 6)

    def test_memory_does_not_grow_with_steps(self, task):
        model = DisentangledTransformer(6, 3)
        peaks = []
        for steps in (50, 400):
            train_sgd(task, model, steps=2, batch_size=64, learning_rate=0.1, rng=0)
            tracemalloc.start()
            train_sgd(task, model, steps=steps, batch_size=64, learning_rate=0.1, rng=0, records=8, snapshots=4)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.05 * peaks[0] + 20_000


class TestDivergence:
    def test_stops_with_finite_parameters(self, task):
        model = DisentangledTransformer(6, 3, scale=1.0, rng=0)
        run = train_sgd(task, model, steps=50, batch_size=16, learning_rate=1e308, rng=0)
        assert run.status == "diverged"
        assert 0 <= run.diverged_at < 50
        assert np.isfinite(run.model.parameters).all()
        assert len(run.losses) == run.steps.size


BAD = [
    ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
    ({"batch_size": 2.5}, "batch_size must be an integer of at least 1, got 2.5"),
    ({"learning_rate": -1.0}, r"learning_rate must be a finite number greater than 0, got -1\.0"),
    ({"optimizer": "lion"}, "optimizer must be one of 'sgd', 'adamw', got 'lion'"),
    ({"schedule": "warm"}, "schedule must be one of 'constant', 'cosine', got 'warm'"),
    ({"weight_decay": -0.1}, r"weight_decay must be a finite number of at least 0, got -0\.1"),
    ({"recipe": "three"}, "recipe must be one of"),
    ({"recipe": "two_stage"}, "recipe must be 'joint' for a model with the matrices layer1, layer2, output"),
    ({"beta1": 1.0}, "beta1 must be at least 0 and less than 1"),
    ({"momentum": 0.9}, "settings must be among steps, batch_size, .* got momentum"),
    ({"test_size": 1}, "test_size must be an integer of at least 2, got 1"),
    ({"every": 0}, "every must be an integer of at least 1, got 0"),
]


class TestBadInput:
    @pytest.mark.parametrize(("change", "message"), BAD, ids=[next(iter(change)) for change, _ in BAD])
    def test_settings(self, task, change, message):
        with pytest.raises(InvalidArgumentError, match=message):
            train_sgd(
                task,
                DisentangledTransformer(6, 3),
                **({"steps": 5, "batch_size": 4, "learning_rate": 0.1, "rng": 0} | change),
            )

    def test_model_and_task(self, task):
        common = {"steps": 5, "batch_size": 4, "learning_rate": 0.1}
        with pytest.raises(
            InvalidArgumentError, match="model must have length 6 and vocab_size 3 like the task, got 5 and 3"
        ):
            train_sgd(task, DisentangledTransformer(5, 3), **common)
        with pytest.raises(InvalidArgumentError, match="model must be a ReducedTransformer or"):
            train_sgd(task, np.zeros(3), **common)
        several = InContextTask(CausalGraph.from_parents([-1, -1, (0, 1)]), PointPrior(MATRIX))
        with pytest.raises(TaskError, match="prior must have a transition tensor for every number of parents"):
            train_sgd(several, DisentangledTransformer(4, 3), **common)
        with pytest.raises(TooLargeError, match="batch_size must need at most 4 GiB"):
            train_sgd(task, DisentangledTransformer(6, 3), steps=5, batch_size=10**9, learning_rate=0.1)


def test_settings_survive_json():
    import json

    settings = TrainingSettings(steps=10, batch_size=4, learning_rate=0.5, optimizer="adamw", schedule="cosine")
    assert TrainingSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    with pytest.raises(InvalidArgumentError, match="settings must contain batch_size, learning_rate, got steps"):
        TrainingSettings.from_dict({"steps": 4})


def test_representation_is_one_line(task):
    run = train_sgd(task, DisentangledTransformer(6, 3), steps=2, batch_size=8, learning_rate=0.1, rng=0)
    assert repr(run).startswith("TrainingRun(finished after 2 steps, test loss ")
    assert "\n" not in repr(run)
