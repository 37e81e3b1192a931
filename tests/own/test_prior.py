"""A prior of a user's own, one class in a file of its own, wherever a prior of the package works."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import causal_theory as ct
from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior, train_sgd
from causal_theory.dynamics import (
    Stage1,
    Stage2,
    best_multiple,
    learning_curve,
    run_stage1,
    run_stage2,
    train_population,
)
from causal_theory.errors import InvalidArgumentError
from causal_theory.falsification import critical_length
from causal_theory.priors import OneMatrix, Prior, WeightedSum
from causal_theory.training.sampler import BatchSampler
from tests.helpers import assert_close

from .mixture_prior import Mixture, MixtureOfTensors

OWN = Mixture(3, 0.8, 0.8, 0.5)
"""Both components are one: equal in law to a prior of the package."""

EQUAL = DirichletPrior(3, 0.8)
MIXED = Mixture(3, 0.5, 4.0, 0.3)
CHAIN, FOREST, TRIGRAM = CausalGraph.chain(6), CausalGraph.random_forest(7, 0.4, 1), CausalGraph.ngram(6, 2)
KEYS = np.array([5, 8], dtype=np.uint64)
SIGMAS = 5.5
"""Standard errors that a statistical comparison of some hundred entries allows; seeds are fixed."""

QUANTITIES = {
    "edge scores": lambda task, **over: ct.edge_scores(task, epsilon=0.1, **over),
    "enumerated scores": lambda task, **over: ct.edge_scores(task, epsilon=0.1, method="enumerate", **over),
    "limit scores": lambda task, **over: ct.limit_edge_scores(task, epsilon=0.1, **over),
    "chi2": lambda task, **over: ct.pairwise_information(task, "chi2", **over),
    "tv": lambda task, **over: ct.pairwise_information(task, "tv", **over),
    "joint": ct.pairwise_joint,
    "subset": lambda task, **over: ct.subset_information(task, 4, (2, 3), **over),
    "floor": ct.loss_floor,
    "counts": lambda task, **over: ct.counts_rule_loss(task, smoothing=0.5, **over),
    "unigram": lambda task, **over: ct.unigram_loss(task, smoothing=0.5, **over),
    "loss": lambda task, **over: ct.parent_attention_loss(task, 2.0 * np.eye(3), epsilon=0.1, **over),
    "slope": lambda task, **over: ct.parent_attention_gradient(task, 2.0 * np.eye(3), epsilon=0.1, **over),
    "excess": lambda task, **over: ct.excess_loss(task, 2.0 * np.eye(3), epsilon=0.1, **over),
    "any parameters": lambda task, **over: ct.population_loss(
        task, np.zeros((6, 6)), np.eye(3), epsilon=0.1, method="enumerate", **over
    ),
}


class Stop(Exception):
    """Raised in the middle of a run."""


def close_in_law(found, expected):
    """Whether two estimates agree within their joint standard error."""
    bar = np.hypot(found.error, expected.error)
    assert (np.abs(found.value - expected.value) <= SIGMAS * bar + 1e-12).all()


class TestExpectations:
    @pytest.mark.parametrize("name", QUANTITIES)
    def test_equal_in_law_to_a_prior_of_the_package(self, name):
        quantity = QUANTITIES[name]
        found = quantity(InContextTask(CHAIN, OWN), draws=200, rng=0)
        assert found.method == "monte_carlo"
        close_in_law(found, quantity(InContextTask(CHAIN, EQUAL), draws=200, rng=1))

    @pytest.mark.parametrize("name", QUANTITIES)
    def test_draws_and_seed_decide(self, name):
        quantity, task = QUANTITIES[name], InContextTask(CHAIN, MIXED)
        one, same, other = (quantity(task, draws=4, rng=seed).value for seed in (3, 3, 4))
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)

    @pytest.mark.parametrize(
        "quantity",
        [
            ct.loss_floor,
            lambda task, **over: ct.counts_rule_loss(task, smoothing=0.5, **over),
            ct.pairwise_information,
            lambda task, **over: ct.parent_attention_loss(task, np.stack([np.eye(3)] * 2), epsilon=0.1, **over),
        ],
    )
    def test_several_parents(self, quantity):
        own, equal = (InContextTask(TRIGRAM, prior) for prior in (MixtureOfTensors(3, 0.8, 0.8, 0.5), EQUAL))
        close_in_law(quantity(own, draws=60, rng=0), quantity(equal, draws=60, rng=1))

    def test_executors(self):
        """A worker of another process needs nothing but the matrix."""
        task = InContextTask(CausalGraph.chain(150), MIXED)
        local = ct.edge_scores(task, epsilon=0.1, draws=2, rng=0)
        with ThreadPoolExecutor(2) as pool:
            found = ct.edge_scores_on(pool, task, epsilon=0.1, draws=2, rng=0)
        assert np.array_equal(found.value, local.value)
        assert np.array_equal(found.error, local.error)

    def test_pickles(self):
        copy = pickle.loads(pickle.dumps(MIXED))
        assert np.array_equal(copy.sample(3, 1), MIXED.sample(3, 1))


class TestRules:
    """A class that knows more than its draws says so."""

    MATRICES = (np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]]), np.full((3, 3), 1 / 3))

    class Finite(Prior):
        vocab_size = 3

        def __init__(self, matrices, weights):
            self.matrices, self.weights = np.array(matrices), weights

        @property
        def mean(self):
            return np.einsum("n,nab->ab", self.weights, self.matrices)

        def sample(self, size, rng=None):
            return self.matrices[np.random.default_rng(rng).choice(len(self.matrices), size, p=self.weights)]

        def rule(self, in_degrees=(1,), *, draws=256, rng=None):
            return WeightedSum([({1: pi}, weight) for pi, weight in zip(self.matrices, self.weights, strict=True)])

    def test_a_finite_law_is_exact(self):
        task = InContextTask(CHAIN, self.Finite(self.MATRICES, [0.25, 0.75]))
        found = ct.edge_scores(task, epsilon=0.1)
        parts = [ct.edge_scores(InContextTask(CHAIN, PointPrior(pi)), epsilon=0.1).value for pi in self.MATRICES]
        assert found.method == "exact"
        assert_close(found.value, 0.25 * parts[0] + 0.75 * parts[1], rtol=1e-13, atol=1e-16)
        assert ct.population_loss(task, np.zeros((6, 6)), np.eye(3), epsilon=0.1).method == "exact"

    @pytest.mark.parametrize(
        ("elements", "message"),
        [
            ([({1: MATRICES[0]}, 0.5), ({1: MATRICES[1]}, 0.6)], "probabilities of WeightedSum must sum to 1 within"),
            ([({1: MATRICES[0]}, 1.5), ({1: MATRICES[1]}, -0.5)], "a probability of WeightedSum must be a number betw"),
            ([], "probabilities of WeightedSum must sum to 1 within 1e-10, got 0"),
            ([({1: 2.0 * MATRICES[1]}, 1.0)], "the tensor for 1 parents must have rows that sum to 1"),
            ([({2: MATRICES[1]}, 1.0)], r"the tensor for 2 parents must have 3 axes of one length, got shape \(3, 3\)"),
            ([(MATRICES[0], 1.0)], "transitions must be a mapping from numbers of parents to tensors, got ndarray"),
        ],
    )
    def test_a_rule_averages_over_laws(self, elements, message):
        """Some quantities never look at what they average: their mean would be a number all the same."""
        with pytest.raises(InvalidArgumentError, match=message):
            WeightedSum(elements)
        if len(elements) == 1 and "tensor" in message:
            with pytest.raises(InvalidArgumentError, match=message):
                OneMatrix(elements[0][0])

    @pytest.mark.parametrize(
        ("found", "message"),
        [
            (OneMatrix({1: np.eye(2)}), "tensors of the rule must have 3 symbols, as vocab_size says, got 2"),
            (WeightedSum([({1: np.eye(2)}, 1.0)]), "tensors of the rule must have 3 symbols"),
            (
                OneMatrix({2: np.full((3, 3, 3), 1 / 3)}),
                r"the rule must have a tensor for 1 parents, got those for \[2\]",
            ),
            ({1: np.eye(3)}, "rule of Known must return a Rule, got dict"),
        ],
        ids=["matrix", "sum", "degree", "type"],
    )
    @pytest.mark.parametrize("quantity", [ct.loss_floor, lambda task: ct.edge_scores(task, epsilon=0.1)])
    def test_a_rule_belongs_to_its_prior(self, found, message, quantity):
        class Known(self.Finite):
            def rule(self, in_degrees=(1,), *, draws=256, rng=None):
                return found

        with pytest.raises(InvalidArgumentError, match=message):
            quantity(InContextTask(CHAIN, Known(self.MATRICES, [0.25, 0.75])))

    def test_a_rule_takes_matrices_of_any_type(self):
        """Lists, whole numbers, elements that are made one by one: what counts are the numbers."""
        shift = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]

        class Known(self.Finite):
            def rule(self, in_degrees=(1,), *, draws=256, rng=None):
                return WeightedSum(({1: pi}, 0.5) for pi in (shift, np.array(shift)))

        task = InContextTask(CHAIN, Known([shift], [1.0]))
        assert float(ct.loss_floor(task)) == 0.0
        assert ct.edge_scores(task, epsilon=0.1).method == "exact"

    def test_a_point_is_a_point(self):
        class Known(self.Finite):
            def rule(self, in_degrees=(1,), *, draws=256, rng=None):
                return OneMatrix({1: self.matrices[0]})

        own = InContextTask(CHAIN, Known(self.MATRICES[:1], [1.0]))
        point = InContextTask(CHAIN, PointPrior(self.MATRICES[0]))
        assert np.array_equal(ct.edge_scores(own, epsilon=0.1).value, ct.edge_scores(point, epsilon=0.1).value)

    def test_symmetric_priors_are_averaged_over_names(self):
        class Symmetric(Mixture):
            symmetric = True

        named, free = (
            ct.pairwise_joint(InContextTask(CHAIN, kind(3, 0.5, 4.0, 0.3)), draws=4, rng=0).value
            for kind in (Mixture, Symmetric)
        )
        assert np.ptp(np.einsum("ijaa->ija", free), axis=2).max() == 0.0
        assert np.ptp(np.einsum("ijaa->ija", named), axis=2).max() > 0.01
        assert_close(np.trace(free, axis1=2, axis2=3), np.trace(named, axis1=2, axis2=3), rtol=1e-12)

    def test_a_bad_number_of_draws(self):
        with pytest.raises(InvalidArgumentError, match="draws must be an integer of at least 2, got 1"):
            ct.edge_scores(InContextTask(CHAIN, MIXED), epsilon=0.1, draws=1)


class TestDynamics:
    def test_both_stages(self):
        task = InContextTask(CHAIN, MIXED)
        runs = [
            train_population(task, epsilon=0.1, stage1=Stage1(steps=30), stage2=Stage2(steps=3), draws=5, rng=seed)
            for seed in (0, 0, 1)
        ]
        assert np.array_equal(runs[0].stage1.A1, runs[1].stage1.A1)
        assert np.array_equal(runs[0].stage2.A2, runs[1].stage2.A2)
        assert not np.array_equal(runs[0].stage2.A2, runs[2].stage2.A2)
        assert (np.diff(runs[0].stage2.losses) < 0.0).all()

    def test_fixed_draws_are_the_draws(self):
        """Stage 2 over draws that are fixed is that over the same draws."""
        fixed = MIXED.fixed(5, rng=np.random.default_rng(4))
        scores = ct.edge_scores(InContextTask(CHAIN, fixed), epsilon=0.1).value
        drawn = ct.edge_scores(InContextTask(CHAIN, MIXED), epsilon=0.1, draws=5, rng=4).value
        assert np.array_equal(scores, drawn)

    @pytest.mark.parametrize("method", ["first_order", "flow", "exact"])
    def test_stage1(self, method):
        task = InContextTask(CausalGraph.chain(5), MIXED)
        found = run_stage1(task, Stage1(steps=3, method=method), epsilon=0.1, draws=3, rng=0)
        assert np.isfinite(found.A1).all()
        assert np.abs(found.A1).max() > 0.0

    def test_learning_curve_and_best_multiple(self):
        curve = learning_curve(lambda T: InContextTask(CausalGraph.chain(T), MIXED), [5, 8], draws=3, rng=0)
        one = best_multiple(InContextTask(CausalGraph.chain(8), MIXED), epsilon=1 / 8, draws=3, rng=0)
        assert (curve.normalised_excess > 0.0).all()
        assert one.loss > 0.0
        stage2 = run_stage2(InContextTask(CHAIN, MIXED), Stage2(steps=2), epsilon=0.1, draws=3, rng=0)
        assert len(stage2.losses) == 3

    def test_critical_length(self):
        """All lengths see the same draws, and the error is that of the paired difference."""
        found = critical_length("chain", MIXED, 0.1, lengths=(4, 6), draws=8, rng=1)
        assert found.method == "monte_carlo"
        draws = MIXED.sample(8, np.random.default_rng(1))
        graph, margins = CausalGraph.chain(4), []
        for pi in draws:
            scores = ct.edge_scores(InContextTask(graph, PointPrior(pi)), epsilon=0.1).value
            margins.append([scores[i, i - 1] - scores[i, j] for i in (1, 2) for j in range(i + 1) if j != i - 1])
        assert np.isclose(found.margins[0], np.mean(margins, axis=0), rtol=1e-12).any()


GRAPHS = {"chain": CHAIN, "forest": FOREST, "trigram": TRIGRAM}


class TestTraining:
    @staticmethod
    def task(graph):
        return InContextTask(graph, (MIXED if graph.is_forest else MixtureOfTensors(3, 0.5, 4.0, 0.3)))

    @pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
    def test_a_sequence_has_a_number(self, graph):
        task = self.task(graph)
        whole = [part.copy() for part in BatchSampler(task, 700, KEYS).draw(100)]
        for size, first in ((77, 300), (1, 511), (256, 512), (256, 500)):
            for all_of_them, part in zip(whole, BatchSampler(task, size, KEYS).draw(first), strict=True):
                np.testing.assert_array_equal(all_of_them[first - 100 : first - 100 + size], part)
        other = BatchSampler(task, 700, KEYS + np.uint64(1)).draw(100)[0]
        assert (other != whole[0]).any()

    @pytest.mark.parametrize(("graph", "equal"), [(FOREST, EQUAL), (TRIGRAM, EQUAL)])
    def test_batches_have_the_law_of_the_task(self, graph, equal):
        own = MixtureOfTensors(3, 0.8, 0.8, 0.5)
        tokens, targets = BatchSampler(InContextTask(graph, own), 20_000, KEYS).draw(0)
        others = InContextTask(graph, equal).sample(20_000, rng=0)
        hot, other = (np.eye(3)[found] for found in (tokens, others.tokens))
        pairs = [np.einsum("nia,njb->ijab", one, one) / len(one) for one in (hot, other)]
        bar = np.sqrt(pairs[1] * (1 - pairs[1]) * 2 / len(tokens)) + 1e-9
        assert (np.abs(pairs[0] - pairs[1]) <= SIGMAS * bar).all()
        assert abs(targets.max(axis=1).mean() - others.targets.max(axis=1).mean()) < 0.01

    @pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
    def test_training_with_a_checkpoint(self, graph, tmp_path, monkeypatch):
        """Stopped where the last block of sequences is drawn, and taken up again in the middle of the one before."""
        task, path, draw = self.task(graph), tmp_path / "run.npz", Mixture._rows
        model = ct.DisentangledTransformer(task.length, 3, heads=(len(graph.target_parents), 1))
        settings = {"steps": 12, "batch_size": 100, "learning_rate": 0.3, "rng": 3, "progress": False}
        calls = []

        def counted(self, *arguments):
            calls.append(1)
            if len(calls) == last:
                raise Stop
            return draw(self, *arguments)

        monkeypatch.setattr(Mixture, "_rows", counted)
        last = 0
        whole = train_sgd(task, model, **settings)
        last, calls = len(calls), []
        with pytest.raises(Stop):
            train_sgd(task, model, checkpoint=path, every=3, **settings)
        monkeypatch.undo()
        with np.load(path) as archive:
            assert 0 < int(archive["step"]) < 12
        resumed = train_sgd(task, model, checkpoint=path, every=3, resume=True, **settings)
        assert np.array_equal(resumed.model.parameters, whole.model.parameters)

    def test_another_law_is_another_run(self, tmp_path):
        model = ct.ReducedTransformer(np.zeros((6, 6)), 0.1 * np.eye(3), 0.05)
        settings = {"steps": 4, "batch_size": 16, "learning_rate": 0.3, "rng": 3, "checkpoint": tmp_path / "run.npz"}
        settings["resume"] = True
        train_sgd(InContextTask(CHAIN, MIXED), model, **settings, progress=False)
        other = InContextTask(CHAIN, Mixture(3, 0.5, 4.0, 0.31))
        with pytest.raises(InvalidArgumentError, match=r"must belong to the same run, got task prior share = 0\.3"):
            train_sgd(other, model, **settings, progress=False)


def test_identity_tells_priors_apart_that_hide_their_arguments():
    class Hiding(Mixture):
        def __init__(self, level):
            super().__init__(3, level, level, 0.5)

    one, same, other = (Hiding(level).identity() for level in (0.5, 0.5, 0.6))
    assert one == same != other
    assert json.loads(json.dumps(one)) == one
