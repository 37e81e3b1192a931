"""Sequences for training on graphs with several parents, against exact laws."""

import itertools
import math

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    pairwise_joint,
)
from causal_theory.errors import TaskError, TooLargeError
from causal_theory.kernels.threads import thread_limit
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.training.sampler import BatchSampler

from .test_training_several_parents import GRAPHS, KEYS, MIXED, kernel

pytestmark = pytest.mark.compiled
LARGEST_Z = 5.0
"""Of a few thousand correlated normal numbers one as large has a chance of about 1e-3."""
KERNELS = {k: kernel(2, k, seed=k) for k in (1, 2, 3)}


def exact_law(graph, prior):
    """Probability of every sequence of bits, and the expectation of the target on it; Dirichlet rows by their urns."""
    codes = list(itertools.product(range(2), repeat=graph.length))
    chances, targets = np.zeros(len(codes)), np.zeros((len(codes), 2))
    for number, tokens in enumerate(codes):
        if isinstance(prior, DirichletPrior):
            chances[number], law = urn(graph, tokens, prior.concentration)
            targets[number] = chances[number] * law
            continue
        relabelings = prior.relabelings_of(graph.in_degrees) if isinstance(prior, OrbitPrior) else [prior.transitions]
        relabelings = list(relabelings)
        for own in relabelings:
            chance = 1.0 / len(relabelings)
            for token, parents in zip(tokens, graph.parents, strict=True):
                row = own[len(parents)][tuple(tokens[p] for p in parents)] if parents else [0.5, 0.5]
                chance *= row[token]
            chances[number] += chance
            wanted = graph.target_parents
            targets[number] += chance * own[len(wanted)][tuple(tokens[p] for p in wanted)]
    return chances, targets


def urn(graph, tokens, concentration):
    """Probability of a sequence and mean of the target given it, when rows are independent Dirichlet."""
    chance, seen = 1.0, {}
    for token, parents in zip(tokens, graph.parents, strict=True):
        if not parents:
            chance /= 2.0
            continue
        counts = seen.setdefault(tuple(tokens[p] for p in parents), np.zeros(2))
        chance *= (counts[token] + concentration) / (counts.sum() + 2.0 * concentration)
        counts[token] += 1.0
    counts = seen.get(tuple(tokens[p] for p in graph.target_parents), np.zeros(2))
    return chance, (counts + concentration) / (counts.sum() + 2.0 * concentration)


def z_scores(values, exact):
    """Deviations of means over the first axis in standard errors, of those that are no sum of a few rare events."""
    often = len(values) * exact > 100.0
    error = values.std(axis=0, ddof=1) / math.sqrt(len(values))
    return (values.mean(axis=0) - exact)[often] / error[often]


def sequence_z_scores(graph, tokens, targets, exact):
    """Deviations of the law of whole sequences and of targets on them from exact ones."""
    code = tokens @ (2 ** np.arange(graph.length)[::-1])
    hot = np.eye(2**graph.length)[code]
    chances, weighted = exact
    return np.concatenate([z_scores(hot, chances), z_scores(hot * targets[:, :1], weighted[:, 0])])


class TestSampler:
    @pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
    @pytest.mark.parametrize(
        "prior", [PointPrior(KERNELS), OrbitPrior(KERNELS), DirichletPrior(2, 0.1), DirichletPrior(2, 0.7)], ids=repr
    )
    def test_whole_sequences_and_targets_have_the_exact_law(self, graph, prior):
        """All tokens together with the target: a kernel is the same at all positions of a sequence."""
        tokens, targets = BatchSampler(InContextTask(graph, prior), 60_000, KEYS).draw(0)
        z = sequence_z_scores(graph, tokens, targets, exact_law(graph, prior))
        assert np.abs(z).max() < LARGEST_Z
        assert np.abs(targets.sum(axis=1) - 1.0).max() < 1e-12

    def test_a_wrong_law_is_noticed(self):
        """The same statistic is far from the law of kernels that change on the way, and of parents in another order."""
        prior = DirichletPrior(2, 0.1)
        tokens, targets = BatchSampler(InContextTask(MIXED, prior), 60_000, KEYS).draw(0)
        independent = np.full(64, 1.0 / 64.0), np.full((64, 2), 1.0 / 128.0)
        assert np.abs(sequence_z_scores(MIXED, tokens, targets, independent)).max() > 3 * LARGEST_Z
        swapped = CausalGraph([(), (), (0,), (0, 1), (2,), (0, 3, 1)], (4, 2))
        tokens, targets = BatchSampler(InContextTask(MIXED, PointPrior(KERNELS)), 60_000, KEYS).draw(0)
        wrong = exact_law(swapped, PointPrior(KERNELS))
        assert np.abs(sequence_z_scores(MIXED, tokens, targets, wrong)).max() > 3 * LARGEST_Z

    @pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
    @pytest.mark.parametrize(
        "prior",
        [
            PointPrior({k: kernel(3, k, seed=9 + k) for k in (1, 2, 3)}),
            OrbitPrior({k: kernel(3, k, seed=9 + k) for k in (1, 2, 3)}),
            DirichletPrior(3, 0.37),
            DirichletPrior(3, 0.1, floor=0.3),
        ],
        ids=repr,
    )
    def test_pairs_have_the_exact_law(self, graph, prior):
        task, count = InContextTask(graph, prior), 40_000
        tokens, targets = BatchSampler(task, count, KEYS).draw(0)
        exact = pairwise_joint(task, draws=4000, rng=1)
        hot = np.eye(3)[tokens]
        found = np.einsum("nia,njb->ijab", hot, hot) / count
        error = np.sqrt(exact.value * (1.0 - exact.value) / count + exact.error**2) + 1e-9
        assert np.abs((found - exact.value) / error).max() < LARGEST_Z
        assert (targets >= (prior.floor / 3 - 1e-15 if isinstance(prior, DirichletPrior) else 0.0)).all()

    def test_targets_and_tokens_go_together_as_in_the_sampler_of_the_task(self):
        """A floor has no urn: tokens times targets against the plain sampler, both with errors."""
        task = InContextTask(MIXED, DirichletPrior(3, 0.1, floor=0.3))
        tokens, targets = BatchSampler(task, 40_000, KEYS).draw(0)
        plain = task.sample(40_000, rng=1)
        one, two = (np.einsum("nia,nb->niab", np.eye(3)[t], y) for t, y in ((tokens, targets), plain[:2]))
        gap = one.mean(axis=0) - two.mean(axis=0)
        error = np.sqrt(one.var(axis=0) / len(one) + two.var(axis=0) / len(two))
        assert np.abs(gap / error).max() < LARGEST_Z

    def test_a_target_of_its_own_number_of_parents(self):
        """A forest whose target has two parents: the kernel of the target is drawn for it alone."""
        graph = CausalGraph([(), (0,), (1,), ()], (1, 3))
        tokens, targets = BatchSampler(InContextTask(graph, DirichletPrior(2, 0.7)), 60_000, KEYS).draw(0)
        z = sequence_z_scores(graph, tokens, targets, exact_law(graph, DirichletPrior(2, 0.7)))
        assert np.abs(z).max() < LARGEST_Z
        task = InContextTask(graph, PointPrior(KERNELS))
        tokens, targets = BatchSampler(task, 100, KEYS).draw(0)
        np.testing.assert_array_equal(targets, KERNELS[2][tokens[:, 1], tokens[:, 3]])

    @pytest.mark.parametrize("prior", [DirichletPrior(2, 0.1), OrbitPrior(KERNELS), PointPrior(KERNELS)], ids=repr)
    def test_neither_batch_size_nor_threads_matter(self, prior):
        task = InContextTask(CausalGraph.binary_tree_and_previous(12), prior)
        results = []
        for threads in (1, None):
            with thread_limit(threads):
                tokens, targets = BatchSampler(task, 1000, KEYS).draw(5000)
                results.append((tokens.copy(), targets.copy()))
        for one, two in zip(*results, strict=True):
            np.testing.assert_array_equal(one, two)
        for whole, part in zip(results[0], BatchSampler(task, 77, KEYS).draw(5300), strict=True):
            np.testing.assert_array_equal(whole[300:377], part)
        assert (BatchSampler(task, 1000, KEYS).draw(6000)[0] != results[0][0]).any()

    def test_bad_input(self):
        graph = CausalGraph.ngram(6, 2)
        task = InContextTask(graph, PointPrior(kernel(3, 1, 0)))
        with pytest.raises(
            TaskError, match="prior must have a transition tensor for every number of parents in the graph"
        ):
            BatchSampler(task, 4, KEYS)
        with pytest.raises(TaskError, match="prior must have a transition tensor"):
            BatchSampler(InContextTask(graph, DrawnPrior(DirichletPrior(3, 1.0), 4, rng=0)), 4, KEYS)
        with pytest.raises(TooLargeError, match="batch_size must need at most 4 GiB"):
            BatchSampler(InContextTask(graph, DirichletPrior(3, 1.0)), 10**9, KEYS)
        with pytest.raises(
            TooLargeError, match=r"transition tensors of at most .* rows in all, got up to 19 parents with 10"
        ):
            BatchSampler(InContextTask(CausalGraph.ngram(30, 19), DirichletPrior(10, 1.0)), 4, KEYS)

    def test_many_rows_cost_no_memory(self):
        """A kernel of 18 parents has 10^18 rows; those that a sequence visits are drawn."""
        task = InContextTask(CausalGraph.ngram(30, 18), DirichletPrior(10, 0.1))
        tokens, targets = BatchSampler(task, 64, KEYS).draw(0)
        assert tokens.shape == (64, 30)
        assert np.abs(targets.sum(axis=1) - 1.0).max() < 1e-12
