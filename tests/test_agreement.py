"""Agreement of sampled with exact gradients: calibrated when right, loud when wrong; and the published presets."""

import numpy as np
import pytest
from scipy import stats

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    gradient_agreement,
)
from causal_theory.errors import InvalidArgumentError
from causal_theory.training import PRESETS, find_preset

pytestmark = pytest.mark.compiled

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


@pytest.fixture
def task():
    return InContextTask(CausalGraph.from_parents([-1, 0, 0, -1, 3]), PointPrior(MATRIX))


def model_at(seed, kind=ReducedTransformer):
    rng = np.random.default_rng(seed)
    return kind(rng.normal(size=(6, 6)), rng.normal(size=(3, 3)), 0.1)


class TestAgreement:
    def test_z_scores_are_standard_normal(self, task):
        """Over independent samples the z-score of each entry is standard normal: mean, spread and shape."""
        z = np.array([gradient_agreement(task, model_at(0), 20_000, rng=k).z for k in range(60)])
        # Row 0 has a single key: its gradient vanishes. All other entries vary.
        assert z.shape == (60, 20 + 9)
        for column in z.T:
            assert abs(column.mean()) < 4.5 / np.sqrt(60)
            assert stats.kstest(column, "norm").pvalue > 1e-5
        assert 0.9 < np.sqrt(np.mean(z**2)) < 1.1

    @pytest.mark.parametrize("seed", range(3))
    def test_one_wrong_sign_is_seen(self, task, seed):
        class WrongSign(ReducedTransformer):
            def gradient_at(self, parameters, tokens, targets):
                losses, gradient = super().gradient_at(parameters, tokens, targets)
                gradient[6 * 3 + 1] *= -1.0
                return losses, gradient

        found = gradient_agreement(task, model_at(seed, WrongSign), 200_000, rng=seed)
        worst = int(np.argmax(np.abs(found.z)))
        assert found.largest > 6.0
        assert found.names[worst] == "A1[3, 1]"
        assert gradient_agreement(task, model_at(seed), 200_000, rng=seed).largest < 4.7

    def test_first_order(self):
        """At a tiny multiple of I the scores give the gradient of A1, at a length that cannot be enumerated."""
        task = InContextTask(CausalGraph.pairs(20), OrbitPrior(MATRIX))
        model = ReducedTransformer(np.zeros((20, 20)), 1e-4 * np.eye(3), 0.05)
        found = gradient_agreement(task, model, 60_000, rng=1, method="first_order")
        assert found.method == "first_order"
        assert found.largest < 5.0
        assert 0.3 < found.chi_square < 3.0
        assert len(found.z) == 19 * 20 // 2 + 19
        wrong = ReducedTransformer(np.zeros((20, 20)), 1.0 * np.eye(3), 0.05)
        assert gradient_agreement(task, wrong, 60_000, rng=1, method="first_order").largest > 6.0

    @pytest.mark.parametrize("method", ["enumerate", "first_order"])
    def test_prior_that_is_averaged_over_draws(self, method):
        """The seed decides the draws too, and their standard error, larger here than that of training, is counted."""
        task = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 0.5))
        model = ReducedTransformer(np.zeros((5, 5)), 1e-4 * np.eye(3), 0.1)
        found = [gradient_agreement(task, model, 1_000_000, rng=k, method=method) for k in (0, 0, 1)]
        assert found[0].z.tobytes() == found[1].z.tobytes() != found[2].z.tobytes()
        assert max(one.largest for one in found) < 5.0

    def test_samples_and_names(self, task):
        found = gradient_agreement(task, model_at(0), 1000, rng=0)
        assert found.samples == 768
        assert found.names[0] == "A1[1, 0]"
        assert found.names[-1] == "A2[2, 2]"
        assert found.chi_square == np.mean(found.z**2)

    def test_bad_input(self, task):
        with pytest.raises(InvalidArgumentError, match="size must be an integer of at least 512, got 100"):
            gradient_agreement(task, model_at(0), 100)
        with pytest.raises(InvalidArgumentError, match="method must be one of 'enumerate', 'first_order', got 'exact'"):
            gradient_agreement(task, model_at(0), 1000, method="exact")
        with pytest.raises(InvalidArgumentError, match="model must be a ReducedTransformer, got Disentangled"):
            gradient_agreement(task, DisentangledTransformer(6, 3), 1000)
        with pytest.raises(InvalidArgumentError, match="A2 must be a multiple of I"):
            gradient_agreement(task, model_at(0), 1000, method="first_order")


class TestPresets:
    def test_settings_are_the_published_ones(self):
        for name in ("paper-chain", "paper-pairs", "paper-random"):
            preset = find_preset(name)
            settings = preset.settings
            assert (preset.task.length, preset.task.symbols, preset.task.concentration, preset.graphs) == (
                20,
                10,
                0.1,
                1,
            )
            assert (settings.steps, settings.batch_size, settings.learning_rate) == (131_072, 1024, 1.0)
            assert (settings.optimizer, settings.schedule, settings.recipe) == ("sgd", "cosine", "joint")
        many = find_preset("paper-many-graphs")
        assert (many.task.length, many.task.symbols, many.task.concentration, many.graphs) == (20, 3, 0.1, 20)
        assert (many.settings.steps, many.settings.batch_size, many.settings.schedule) == (16_384, 1024, "constant")

    @pytest.mark.parametrize("name", PRESETS)
    def test_tasks_and_models_fit(self, name):
        preset = PRESETS[name]
        if preset.model.kind == "standard":
            pytest.importorskip("torch", reason="needs the optional extra torch")
        tasks = preset.tasks(0)
        assert len(tasks) == preset.graphs
        for task in tasks:
            assert isinstance(task.prior, DirichletPrior)
            assert task.prior.concentration == 0.1
            model = preset.model.build(task)
            assert (model.length, model.vocab_size) == (task.length, task.vocab_size)
        starts_at_zero = preset.model.kind == "disentangled" and not preset.model.scale
        assert (model.parameters == 0.0).all() == starts_at_zero
        again = preset.tasks(0)
        assert [task.graph for task in tasks] == [task.graph for task in again]

    def test_graphs(self):
        assert find_preset("paper-chain").tasks()[0].graph == CausalGraph.chain(20)
        assert find_preset("paper-pairs").tasks()[0].graph == CausalGraph.pairs(20)
        assert len({task.graph for task in find_preset("paper-many-graphs").tasks(1)}) == 20

    def test_unknown_name(self):
        with pytest.raises(InvalidArgumentError, match=r"preset must be one of paper-chain, .* got 'paper'"):
            find_preset("paper")
