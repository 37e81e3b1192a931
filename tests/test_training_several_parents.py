"""Training on graphs with several parents: baselines, heads matched to parents."""

import itertools

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
    gradient_agreement,
    loss_floor,
    train_sgd,
    unigram_loss,
)
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.training import find_preset, match_heads, parent_attention, slot_attention, train_with_settings
from causal_theory.training.baselines import baseline_name, sample_baselines, short_baseline_name
from causal_theory.training.record import describe_task
from causal_theory.training.sampler import BatchSampler

from . import kernel_oracle
from .helpers import assert_close

pytestmark = pytest.mark.compiled

KEYS = np.array([123, 456], dtype=np.uint64)


def kernel(size, parents, seed):
    return np.random.default_rng(seed).dirichlet([0.7] * size, size=(size,) * parents)


MIXED = CausalGraph([(), (), (0,), (1, 0), (2,), (0, 3, 1)], (4, 2))
"""One, two and three parents, not in ascending order, and a target with two."""

GRAPHS = {
    "ngram": CausalGraph.ngram(6, 2),
    "binary tree and previous": CausalGraph.binary_tree_and_previous(6),
    "random dag": CausalGraph.random_dag(6, 2, rng=3),
    "mixed": MIXED,
}


def plain_counts(graph, tokens, targets, smoothing, slots):
    """The counts rule by loops over sequences and positions."""
    size, total = targets.shape[1], 0.0
    for own, law in zip(tokens.tolist(), targets, strict=True):
        counts = np.full(size, smoothing)
        for i, parents in enumerate(graph.parents):
            if len(parents) != len(graph.target_parents):
                continue
            if all(own[parents[s]] == own[graph.target_parents[s]] for s in slots):
                counts[own[i]] += 1.0
        total -= law @ np.log(counts / counts.sum())
    return total / len(tokens)


class TestBaselines:
    @pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
    def test_are_plain_loops(self, graph):
        sample = InContextTask(graph, DirichletPrior(3, 0.3)).sample(200, rng=0)
        found = sample_baselines(graph, sample.tokens, sample.targets, 0.3)
        assert list(found) == ["floor", "counts", "counts_parent_1", "counts_parent_2", "unigram", "uniform"]
        for name, slots in (("counts", (0, 1)), ("counts_parent_1", (0,)), ("counts_parent_2", (1,))):
            assert_close(found[name], plain_counts(graph, sample.tokens, sample.targets, 0.3, slots), rtol=1e-12)
        counted = sample.tokens if graph.parents[-1] else sample.tokens[:, :-1]
        seen = np.stack([(counted == b).sum(axis=1) for b in range(3)], axis=1) + 0.3
        guess = np.log(seen / seen.sum(axis=1, keepdims=True))
        assert_close(found["unigram"], -(sample.targets * guess).sum(axis=1).mean(), rtol=1e-12)

    @pytest.mark.parametrize(
        "graph",
        [
            CausalGraph.from_parents([-1, 0, 1]),  # an independent query
            CausalGraph([(), (0,), (1,), ()], (1, 3)),  # a last root, and a target with another parent besides
            CausalGraph([(), (0,), (0, 1), ()], (0, 1)),  # a last root of which nothing depends
            CausalGraph([(), (0,), (1,), ()], (2,)),
            CausalGraph.ngram(4, 2),  # a last token that is a child
        ],
    )
    def test_unigram_is_the_exact_loss(self, graph):
        """The same tokens are counted: mean over all sequences, with their probabilities, one sequence to a sample."""
        kernels = {m: DirichletPrior(2, 1.0).sample_transitions(1, (m,), m)[m][0] for m in graph.in_degrees}
        given = kernels if set(kernels) != {1} else kernels[1]
        task = InContextTask(graph, PointPrior(given), "uniform")
        mean = 0.0
        for tokens, chance in kernel_oracle.sequences(graph, kernels, 2):
            target = kernel_oracle.row(kernels, tokens, graph.target_parents)
            found = sample_baselines(graph, np.array([tokens]), np.array([target]), 0.4)
            mean += float(chance) * found["unigram"]
        exact = unigram_loss(task, smoothing=0.4)
        assert_close(exact.value, mean, rtol=1e-12)
        assert_close(exact.value, kernel_oracle.token_counting_loss(graph, kernels, 2, 0.4), rtol=1e-12)
        sampled = unigram_loss(task, smoothing=0.4, method="monte_carlo", samples=4000, rng=0)
        assert abs(float(sampled) - mean) < 5.0 * float(sampled.error)

    def test_three_parents_have_one_rule_each(self):
        graph = CausalGraph.ngram(7, 3)
        sample = InContextTask(graph, DirichletPrior(2, 0.5)).sample(50, rng=0)
        found = sample_baselines(graph, sample.tokens, sample.targets, 0.5)
        for slot in range(3):
            expected = plain_counts(graph, sample.tokens, sample.targets, 0.5, (slot,))
            assert_close(found[f"counts_parent_{slot + 1}"], expected, rtol=1e-12)

    def test_approach_the_exact_losses(self):
        """On a large sample, within five standard errors of a mean of losses that vary by at most one nat or so."""
        task = InContextTask(CausalGraph.ngram(9, 2), PointPrior({2: kernel(3, 2, seed=5)}))
        tokens, targets = BatchSampler(task, 100_000, KEYS).draw(0)
        found = sample_baselines(task.graph, tokens, targets, 0.7)
        assert_close(found["floor"], loss_floor(task).value, rtol=0.0, atol=0.01)
        assert_close(found["counts"], counts_rule_loss(task, smoothing=0.7).value, rtol=0.0, atol=0.01)
        for slot in range(2):
            exact = counts_rule_loss(task, smoothing=0.7, parents=(slot,)).value
            assert_close(found[f"counts_parent_{slot + 1}"], exact, rtol=0.0, atol=0.01)
        assert found["counts"] < min(found["counts_parent_1"], found["counts_parent_2"]) - 0.05

    def test_a_forest_keeps_its_four(self):
        sample = InContextTask(CausalGraph.chain(8), DirichletPrior(3, 0.3)).sample(100, rng=0)
        found = sample_baselines(CausalGraph.chain(8), sample.tokens, sample.targets, 0.3)
        assert list(found) == ["floor", "counts", "unigram", "uniform"]

    def test_names_in_words(self):
        graph = CausalGraph.ngram(8, 2)
        sample = InContextTask(graph, DirichletPrior(3, 0.1)).sample(10, rng=0)
        keys = list(sample_baselines(graph, sample.tokens, sample.targets, 0.1))
        for name in (baseline_name, short_baseline_name):
            assert len({name(key) for key in keys}) == len(keys)
        assert [short_baseline_name(key) for key in keys][1:4] == [
            "counts rule",
            "counts, parent 1 alone",
            "counts, parent 2 alone",
        ]


class TestAttention:
    def test_slots_by_hand(self):
        rng = np.random.default_rng(0)
        attention = rng.random((4, 3, 6, 6))
        found = slot_attention(attention, MIXED)
        assert found.shape == (4, 3, 3, 6)
        for i, parents in enumerate(MIXED.parents):
            for slot in range(3):
                if slot < len(parents):
                    np.testing.assert_array_equal(found[:, :, slot, i], attention[:, :, i, parents[slot]])
                else:
                    assert np.isnan(found[:, :, slot, i]).all()
        sums = parent_attention(attention, MIXED)
        assert_close(sums[..., 3], attention[..., 3, 0] + attention[..., 3, 1], rtol=1e-15)
        assert np.isnan(sums[..., :2]).all()

    def test_a_graph_without_edges(self):
        found = slot_attention(np.eye(3)[np.newaxis], CausalGraph([(), (), ()]))
        assert found.shape == (1, 1, 3)
        assert np.isnan(found).all()
        assert match_heads(found).tolist() == [0]

    @pytest.mark.parametrize(("heads", "slots"), [(2, 2), (3, 2), (2, 3), (4, 4), (1, 2)])
    def test_the_matching_is_the_best_of_all(self, heads, slots):
        rng = np.random.default_rng(heads + 10 * slots)
        for _ in range(20):
            on_slots = rng.random((heads, slots, 5))
            on_slots[:, -1, :3] = np.nan
            means = np.nanmean(on_slots, axis=-1)
            longer, shorter = max(heads, slots), min(heads, slots)
            best = max(
                sum(means[(a, b) if heads <= slots else (b, a)] for a, b in enumerate(order))
                for order in itertools.permutations(range(longer), shorter)
            )
            matched = match_heads(on_slots)
            used = [(head, slot) for slot, head in enumerate(matched.tolist()) if head >= 0]
            assert len({head for head, _ in used}) == len(used) == shorter
            assert_close(sum(means[pair] for pair in used), best, rtol=1e-12)

    def test_of_a_run(self):
        """Heads that are set to a parent each are found in any order, and one head serves one parent only."""
        graph = CausalGraph.ngram(6, 2)
        task = InContextTask(graph, DirichletPrior(3, 0.1))
        for order in ((0, 1), (1, 0)):
            model = DisentangledTransformer(6, 3, (2, 1))
            flat = model.parameters.copy()
            layer = flat[model.groups["layer1"]].reshape(2, 9, 9)
            for head, slot in enumerate(order):
                for i in range(2, 6):
                    layer[head, 3 + i, 3 + graph.parents[i][slot]] = 30.0
            start = model.with_parameters(flat)
            run = train_sgd(task, start, steps=1, batch_size=8, learning_rate=1e-9, rng=0, test_size=64)
            assert run.matched_heads.tolist() == list(order)
            assert run.attention_on_slots.shape == (2, 2, 6)
            assert run.matched_attention.shape == (2, 6)
            assert np.isnan(run.matched_attention[:, :2]).all()
            assert run.matched_attention[:, 2:].min() > 0.999
            assert_close(run.attention_on_parents[:, 2:], run.attention_on_slots[:, :, 2:].sum(axis=1), rtol=1e-15)
            assert "mean attention on parents 1.000" in repr(run)
            shown = run._repr_html_()
            assert f"on parent 1 (head {order[0] + 1})" in shown
            assert "counting along the edges to parent 2 alone" in shown

    def test_fewer_heads_than_parents(self):
        task = InContextTask(CausalGraph.ngram(6, 2), DirichletPrior(3, 0.1))
        run = train_sgd(task, DisentangledTransformer(6, 3), steps=2, batch_size=8, learning_rate=0.1, rng=0)
        assert sorted(run.matched_heads.tolist()) == [-1, 0]
        left = int(np.argmin(run.matched_heads))
        assert run.matched_attention[left, 2:].tolist() == [0.0] * 4
        assert np.isnan(run.matched_attention[:, :2]).all()
        assert "no head left" in run._repr_html_()


class TestTraining:
    @pytest.mark.parametrize("heads", [(2, 1), (3, 2), (2, 2, 1)])
    def test_gradient_against_finite_differences(self, heads):
        task = InContextTask(CausalGraph.binary_tree_and_previous(5), DirichletPrior(2, 0.5))
        tokens, targets = BatchSampler(task, 40, KEYS).draw(0)
        model = DisentangledTransformer(5, 2, heads, scale=0.4, rng=0)
        rng = np.random.default_rng(1)
        theta = model.parameters + 0.3 * rng.standard_normal(len(model.parameters))
        gradient = model.gradient_at(theta, tokens, targets)[1]
        for part in model.groups.values():
            for _ in range(4):
                step = np.zeros_like(theta)
                step[part] = rng.standard_normal(part.stop - part.start)
                step *= 1e-4 / np.linalg.norm(step)
                up, down = (model.gradient_at(theta + s * step, tokens, targets)[0].mean() for s in (1.0, -1.0))
                # Central differences: errors of relative size h^2 and of roundoff over h.
                slope = 1e-4 * np.linalg.norm(gradient[part])
                assert abs((up - down) / 2.0 - gradient @ step) < 1e-5 * slope

    def test_learns(self):
        """A short run: the loss falls below what any rule reaches that sees one parent alone."""
        task = InContextTask(CausalGraph.ngram(10, 2), DirichletPrior(5, 0.1))
        model = DisentangledTransformer(10, 5, (2, 1), scale=1e-2, rng=0)
        run = train_sgd(
            task, model, steps=600, batch_size=256, learning_rate=0.02, optimizer="adamw", schedule="cosine", rng=0
        )
        assert sorted(run.matched_heads.tolist()) == [0, 1]
        rules = [run.baselines[name] for name in ("counts_parent_1", "counts_parent_2", "unigram", "uniform")]
        assert run.baselines["floor"] < run.test_losses[-1] < min(rules) - 0.1

    def test_resumes_to_the_last_bit(self, tmp_path, monkeypatch):
        task = InContextTask(CausalGraph.random_dag(6, 2, rng=0), OrbitPrior({2: kernel(3, 2, 0)}))
        model = DisentangledTransformer(6, 3, (2, 1), scale=0.1, rng=0)
        settings = {"batch_size": 16, "learning_rate": 0.1, "schedule": "cosine", "rng": 0, "test_size": 32}
        whole = train_sgd(task, model, steps=6, **settings)
        path = tmp_path / "run.npz"

        original, calls = DisentangledTransformer.gradient_at, []

        def stopping(self, *args):
            calls.append(1)
            if len(calls) > 3:
                raise RuntimeError("stopped")
            return original(self, *args)

        monkeypatch.setattr(DisentangledTransformer, "gradient_at", stopping)
        with pytest.raises(RuntimeError, match="stopped"):
            train_sgd(task, model, steps=6, checkpoint=path, every=1, **settings)
        monkeypatch.undo()
        again = train_sgd(task, model, steps=6, checkpoint=path, resume=True, **settings)
        np.testing.assert_array_equal(again.model.parameters, whole.model.parameters)
        other = InContextTask(task.graph, OrbitPrior({2: kernel(3, 2, 1)}))
        with pytest.raises(
            InvalidArgumentError, match="must belong to the same run, got task prior kernel of 2 parents"
        ):
            train_sgd(other, model, steps=6, checkpoint=path, resume=True, **settings)

    def test_descriptions_tell_kernels_apart(self):
        graph = CausalGraph.ngram(5, 2)
        one, two = (describe_task(InContextTask(graph, PointPrior({2: kernel(3, 2, k)}))) for k in (0, 1))
        assert one != two
        forest = describe_task(InContextTask(CausalGraph.chain(5), PointPrior(kernel(3, 1, 0))))
        assert set(forest["prior"]) == {"kind", "vocab_size", "kernel of 1 parents"}

    def test_a_gradient_agreement_needs_a_forest(self):
        task = InContextTask(CausalGraph.ngram(5, 2), DirichletPrior(2, 1.0))
        with pytest.raises(TaskError, match="gradient_agreement needs a graph in which every position has at most one"):
            gradient_agreement(task, ReducedTransformer(np.zeros((5, 5)), np.eye(2), 0.1), 1024, rng=0)


class TestPreset:
    def test_is_as_published(self):
        preset = find_preset("paper-two-parents")
        (task,) = preset.tasks(0)
        assert task.graph == CausalGraph.binary_tree_and_previous(32)
        assert (task.vocab_size, task.prior.concentration, task.root_law) == (5, 0.1, "uniform")
        settings = preset.settings
        assert (settings.steps, settings.batch_size, settings.learning_rate) == (65536, 1024, 0.01)
        assert (settings.optimizer, settings.schedule, settings.weight_decay) == ("adamw", "cosine", 1e-4)

    def test_starts_small_and_with_its_seed(self):
        preset = find_preset("paper-two-parents")
        (task,) = preset.tasks(0)
        model, again, other = (preset.model.build(task, seed) for seed in (7, 7, 8))
        assert model.heads == (2, 1)
        assert not model.output.any()
        matrices = np.concatenate([layer.ravel() for layer in model.layers])
        assert abs(matrices.std() / 1e-4 - 1.0) < 0.05
        np.testing.assert_array_equal(model.parameters, again.parameters)
        assert (model.parameters != other.parameters).any()

    def test_a_few_steps(self):
        preset = find_preset("paper-two-parents")
        (task,) = preset.tasks(0)
        few = type(preset.settings).from_dict(preset.settings.to_dict() | {"steps": 3, "test_size": 64})
        run = train_with_settings(task, preset.model.build(task, 0), few, rng=0)
        assert run.status == "finished"
        assert run.attention.shape[1:] == (2, 32, 32)
