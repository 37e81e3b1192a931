"""The provided studies: each number by another route, from a task drawn again from the same seed."""

import inspect

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    edge_scores,
    loss_floor,
)
from causal_theory.dynamics import Stage1, run_stage1
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.graphs.by_name import graph_by_name
from causal_theory.graphs.families import FAMILIES
from causal_theory.sweeps import studies
from causal_theory.sweeps.studies import (
    PROVIDED,
    critical_length,
    edge_recovery,
    learning_curve,
    margins,
    stage1_window,
    training_run,
)

from ..helpers import assert_close

TRAIN = {"length": 8, "concentration": 0.5, "steps": 30, "batch_size": 64, "learning_rate": 1.0, "test_size": 256}
SMALL = {
    edge_recovery: {"length": 6, "concentration": 1.0},
    margins: {"length": 6, "concentration": 1.0},
    learning_curve: {"length": 6, "concentration": 1.0, "points": 3},
    stage1_window: {"length": 6, "concentration": 1.0},
    critical_length: {"concentration": 1.0, "longest": 6},
    training_run: TRAIN,
}
"""Parameters without a default, and others that keep a study small."""

ids = [study.__name__ for study in PROVIDED]


def drawn(seed, length, concentration, *, size=3, floor=0.0, graph="random-forest"):
    """The task that a study draws from a seed: its graph, then its matrix."""
    rng = np.random.default_rng(seed)
    made = graph_by_name(graph, length, rng=rng)
    return InContextTask(made, OrbitPrior(DirichletPrior(size, concentration, floor=floor).sample(1, rng)[0]))


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)


class TestAll:
    def test_each_is_listed(self):
        assert {study.__name__ for study in PROVIDED} == set(studies.__all__) - {"PROVIDED"}
        assert set(SMALL) == set(PROVIDED)

    @pytest.mark.parametrize("study", PROVIDED, ids=ids)
    def test_parameters_are_plain(self, study):
        parameters = inspect.signature(study).parameters.values()
        assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
        kinds = {p.name: p.annotation for p in parameters}
        assert kinds.pop("rng") is np.random.Generator
        assert set(kinds.values()) <= {int, float, str, bool}
        needed = {p.name for p in parameters if p.default is p.empty} - {"rng"}
        assert needed <= {"length", "steps", "batch_size", "learning_rate"}

    @pytest.mark.parametrize("study", PROVIDED, ids=ids)
    def test_same_seed_same_result(self, study):
        first, again, other = (study(**SMALL[study], rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
        assert same(first, again)
        assert not same(first, other)

    @pytest.mark.parametrize("study", PROVIDED, ids=ids)
    def test_results_are_plain(self, study):
        found = study(**SMALL[study], rng=np.random.default_rng(0))
        assert {type(value) for value in found.values()} <= {float, int, bool, np.ndarray}
        arrays = [value for value in found.values() if isinstance(value, np.ndarray)]
        assert {array.dtype.kind for array in arrays} <= {"f", "i"}
        assert sum(array.nbytes for array in arrays) < 2**20

    @pytest.mark.parametrize("study", PROVIDED, ids=ids)
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"concentration": 0.0}, "concentration must be"),
            ({"vocab_size": 1}, "vocab_size must be an integer of at least 2, got 1"),
            ({"floor": 1.5}, "floor must be"),
            ({"graph": "ring"}, "graph(_family)? must be one of .*'chain'.*, got 'ring'"),
            ({"prior": "point"}, "prior must be one of 'orbit', 'dirichlet', or module:Class, got 'point'"),
            ({"epsilon": -0.1}, "epsilon must be a finite number greater than 0, got -0.1"),
        ],
        ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
    )
    def test_mistakes(self, study, change, message):
        with pytest.raises(InvalidArgumentError, match=message):
            study(**(SMALL[study] | change), rng=np.random.default_rng(0))

    @pytest.mark.parametrize("study", [edge_recovery, margins, stage1_window, training_run])
    def test_several_parents_are_refused(self, study):
        with pytest.raises(TaskError, match="at most one parent"):
            study(**SMALL[study], graph="ngram", rng=np.random.default_rng(0))


def test_graphs_by_name():
    for name in FAMILIES:
        assert graph_by_name(name, 9, rng=1).length == 9
    assert graph_by_name("ngram", 9, order=3).in_degrees == CausalGraph.ngram(9, 3).in_degrees
    assert graph_by_name("random-dag", 9, parents=1, rng=2).parents == CausalGraph.random_dag(9, 1, 2).parents
    assert graph_by_name("random-forest", 9, root_probability=1.0, rng=0).edges == ()


class TestEdgeRecovery:
    @pytest.mark.parametrize("seed", range(6))
    def test_against_a_sum_over_all_sequences(self, seed):
        found = edge_recovery(
            length=8, concentration=0.3, graph="random-forest", epsilon=0.05, rng=np.random.default_rng(seed)
        )
        task = drawn(seed, 8, 0.3)
        scores = edge_scores(task, epsilon=0.05, method="enumerate").value
        leads = [
            scores[i, p] - max(scores[i, j] for j in range(i + 1) if j != p)
            for i, p in enumerate(task.graph.parent_array)
            if p >= 0
        ]
        assert found["edges"] == len(leads)
        assert found["fraction"] == (np.mean(np.array(leads) > 0.0) if leads else 1.0)
        assert found["recovered"] == all(lead > 0.0 for lead in leads)
        assert_close(found["smallest_margin"], min(leads, default=np.inf), rtol=1e-10, atol=1e-13)
        assert 0.0 <= found["margin_error"] < 1e-12

    def test_some_fail_and_some_do_not(self):
        """Concentration 0.1 is outside the theorem: about a quarter of single draws with three symbols fail."""
        found = [
            edge_recovery(length=20, concentration=0.1, rng=np.random.default_rng(seed))["recovered"]
            for seed in range(200)
        ]
        assert 0.6 < np.mean(found) < 0.9  # 0.75 within five standard errors of 0.03

    def test_no_edges(self):
        found = edge_recovery(
            length=5, concentration=1.0, graph="random-forest", root_probability=1.0, rng=np.random.default_rng(0)
        )
        assert (found["edges"], found["fraction"], found["recovered"]) == (0, 1.0, True)
        assert (found["smallest_margin"], found["margin_error"]) == (np.inf, 0.0)

    def test_epsilon_is_one_over_the_length_by_default(self):
        first, second = (
            edge_recovery(length=16, concentration=0.5, rng=np.random.default_rng(5), **more)
            for more in ({}, {"epsilon": 1.0 / 16.0})
        )
        assert first == second

    def test_the_mean_over_the_prior(self):
        """Every edge of the mean is recovered where a quarter of single draws fail."""
        found = edge_recovery(length=20, concentration=0.1, prior="dirichlet", rng=np.random.default_rng(0))
        assert found["recovered"]
        assert found["margin_error"] > 1e-4

    def test_two_symbols_average_by_quadrature(self):
        found = [
            edge_recovery(length=8, concentration=0.5, vocab_size=2, prior="dirichlet", rng=np.random.default_rng(seed))
            for seed in (0, 1)
        ]
        assert found[0] == found[1]


class TestMargins:
    def test_equal_the_report(self):
        found = margins(length=9, concentration=0.7, graph="random-forest", floor=0.2, rng=np.random.default_rng(2))
        task = drawn(2, 9, 0.7, floor=0.2)
        report = EdgeReport(edge_scores(task, epsilon=1.0 / 9.0, method="enumerate"), task.graph)
        child = task.graph.parent_array >= 0
        assert np.isnan(found["margins"]).tolist() == (~child).tolist()
        assert_close(found["margins"][child], report.margin[child], rtol=1e-10, atol=1e-13)
        assert found["parents"].tolist() == task.graph.parent_array.tolist()
        children = sorted(report.margin[child])
        assert_close(found["smallest"], children[0], rtol=1e-10, atol=1e-13)
        assert_close(found["median"], np.median(children), rtol=1e-10, atol=1e-13)

    def test_no_edges(self):
        found = margins(
            length=4, concentration=1.0, graph="random-forest", root_probability=1.0, rng=np.random.default_rng(0)
        )
        assert np.isnan([found["smallest"], found["median"], *found["margins"]]).all()


class TestLearningCurve:
    def test_against_a_sum_over_all_sequences(self):
        found = learning_curve(length=7, concentration=0.5, rng=np.random.default_rng(1), points=3, largest=4.0)
        task = drawn(1, 7, 0.5, graph="chain")
        losses = [loss_by_hand(task, b, 1.0 / 7.0) for b in found["multiples"]]
        assert_close(found["losses"], losses, rtol=1e-10)

    def test_best_and_excess(self):
        found = learning_curve(length=30, concentration=0.5, rng=np.random.default_rng(7), points=41)
        assert found["best_loss"] <= found["losses"].min() + 1e-8  # where the minimiser stops
        near = np.abs(found["multiples"] - found["best_multiple"]).argmin()
        assert found["losses"][near] - found["best_loss"] < 0.01
        task = drawn(7, 30, 0.5, graph="chain")
        assert_close(found["entropy_floor"], float(loss_floor(task)), rtol=1e-12)
        assert_close(found["excess"], found["best_loss"] - found["entropy_floor"], rtol=1e-12)
        assert_close(found["normalised_excess"], found["excess"] + np.log(1.0 + 3.0 / 30.0), rtol=1e-12)
        assert found["normalised_excess"] > 0.0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"largest": 50.0}, r"largest must be at most 40, got 50\.0"),
            ({"largest": 0.0}, "largest must be a finite number greater than 0"),
            ({"points": 1}, "points must be an integer of at least 2, got 1"),
        ],
    )
    def test_mistakes(self, change, message):
        with pytest.raises(InvalidArgumentError, match=message):
            learning_curve(**({"length": 6, "concentration": 1.0} | change), rng=np.random.default_rng(0))


def loss_by_hand(task, multiple, epsilon):
    """The loss of parent attention by a sum over all sequences, from its formula."""
    pi = task.prior.transition
    mu = task.root_distribution(pi)
    length, size = task.length, task.vocab_size
    total = 0.0
    for index in np.ndindex(*(size,) * length):
        parents = task.graph.parent_array
        weight = 1.0 / size
        for i, p in enumerate(parents[:-1]):
            weight *= pi[index[p], index[i]] if p >= 0 else mu[index[i]]
        query = index[-1]
        logits = np.array([multiple * ((index[p] == query) if p >= 0 else 1.0 / size) for p in parents])
        attention = np.exp(logits) / np.exp(logits).sum()
        f = np.bincount(index, attention, minlength=size)
        total -= weight * (pi[query] @ np.log(f + epsilon))
    return total


class TestStage1Window:
    @pytest.mark.parametrize("seed", [0, 2, 4])
    def test_against_small_steps(self, seed):
        """A descent in steps of a two-thousandth of the whole time arrives when the flow does, to a per cent."""
        setting = {"length": 12, "concentration": 0.8, "graph": "pairs", "rng": np.random.default_rng(seed)}
        found = stage1_window(**setting)
        task = drawn(seed, 12, 0.8, graph="pairs")
        assert found["converges"]  # of these seeds
        rate = 1000.0 * found["last_child"] / 2000.0
        steps = Stage1(steps=6000, learning_rate=rate, records=2)
        run = run_stage1(task, steps, epsilon=1.0 / 12.0)
        assert run.status == "converged"
        assert_close(run.slowest_child * rate / 1000.0, found["last_child"], rtol=0.01)
        if run.fastest_root >= 0:
            assert_close(run.fastest_root * rate / 1000.0, found["first_root"], rtol=0.01)

    def test_window(self):
        found = stage1_window(length=20, concentration=1.0, graph="pairs", rng=np.random.default_rng(0))
        assert_close(found["window"], found["first_root"] - found["last_child"], rtol=1e-12)
        assert_close(found["window_ratio"], found["first_root"] / found["last_child"], rtol=1e-12)
        assert_close(found["last_child"], np.nanmax(found["children"]), rtol=1e-12)
        assert_close(found["first_root"], np.nanmin(found["roots"][:-1]), rtol=1e-12)

    def test_steps_are_in_units_of_the_rate(self):
        slow, fast = (
            stage1_window(length=10, concentration=1.0, graph="pairs", learning_rate=rate, rng=np.random.default_rng(0))
            for rate in (1000.0, 4000.0)
        )
        assert_close(slow["last_child"], 4.0 * fast["last_child"], rtol=1e-12)

    def test_a_parent_that_loses_never_arrives(self):
        found = next(
            found
            for seed in range(50)
            if not (found := stage1_window(length=10, concentration=0.1, rng=np.random.default_rng(seed)))["converges"]
        )
        assert found["last_child"] == np.inf
        assert np.isnan([found["window"], found["window_ratio"]]).all()


class TestCriticalLength:
    def test_equals_single_lengths(self):
        found = critical_length(
            concentration=0.4, graph="binary-tree", epsilon=0.01, shortest=4, longest=14, rng=np.random.default_rng(8)
        )
        pi = DirichletPrior(3, 0.4).sample(1, np.random.default_rng(8))[0]
        won = []
        for length, margin in zip(found["lengths"], found["margins"], strict=True):
            task = InContextTask(CausalGraph.binary_tree(int(length)), OrbitPrior(pi))
            report = EdgeReport(edge_scores(task, epsilon=0.01), task.graph)
            assert_close(margin, report.smallest_margin, rtol=1e-9, atol=1e-13)
            won.append(report.children_recovered)
        assert found["lengths"].tolist() == list(range(4, 15))
        assert found["first"] == (4 + won.index(True) if any(won) else -1)
        lost = [k for k, one in enumerate(won) if not one]
        stays = lost[-1] + 1 if lost else 0
        assert found["stays"] == (4 + stays if stays < len(won) else -1)

    def test_never(self):
        """Two symbols that hardly ever change: a position always prefers itself."""
        found = next(
            found
            for seed in range(50)
            if (found := critical_length(concentration=0.2, vocab_size=2, longest=20, rng=np.random.default_rng(seed)))[
                "first"
            ]
            == -1
        )
        assert found["stays"] == -1
        assert (found["margins"] < 0.0).all()

    def test_lengths_must_be_in_order(self):
        with pytest.raises(InvalidArgumentError, match="longest must be at least shortest = 9, got 8"):
            critical_length(concentration=1.0, shortest=9, longest=8, rng=np.random.default_rng(0))


class TestTrainingRun:
    def test_learns_and_compares(self):
        found = training_run(
            **(TRAIN | {"vocab_size": 8, "concentration": 0.1, "steps": 300, "batch_size": 256, "learning_rate": 0.02}),
            optimizer="adamw",
            rng=np.random.default_rng(0),
        )
        assert not found["diverged"]
        assert found["entropy_floor"] < found["counts"] < found["unigram"]
        assert_close(found["uniform"], np.log(8.0), rtol=1e-12)
        assert found["loss"] < found["unigram"]
        seen = found["attention"][~np.isnan(found["attention"])]
        assert len(seen) == 6
        assert_close([found["mean_attention"], found["least_attention"]], [seen.mean(), seen.min()], rtol=1e-12)
        assert found["weak_edges"] == (seen < 0.25).sum()
        assert found["mean_attention"] > 0.5
        assert found["smallest_margin"] == np.nanmin(found["margins"]) > 0.0

    def test_reduced(self):
        """With a tiny rate nothing moves: attention is uniform, and the loss that of counting tokens at once."""
        found = training_run(**(TRAIN | {"learning_rate": 1e-9}), model="reduced", rng=np.random.default_rng(0))
        expected = [1.0 / (i + 1) for i in range(1, 7)]
        assert_close(found["attention"][1:7], expected, rtol=1e-5)  # a rate of 1e-9, thirty steps
        assert np.isnan(found["attention"][[0, 7]]).all()

    def test_divergence_is_a_result(self):
        found = training_run(
            **(TRAIN | {"learning_rate": 1e308, "steps": 50}), model="reduced", rng=np.random.default_rng(0)
        )
        assert found["diverged"]

    def test_model(self):
        with pytest.raises(InvalidArgumentError, match=r"model must be one of 'disentangled', .*, got 'large'"):
            training_run(**TRAIN, model="large", rng=np.random.default_rng(0))
