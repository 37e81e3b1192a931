"""Probabilities of all sequences: against the formulas on forests, against the sampler on other graphs."""

import numpy as np
import pytest

from causal_theory import CausalGraph, DirichletPrior, InContextTask, OrbitPrior, PointPrior
from causal_theory.interop.sequences import all_sequences, is_enumerable, target_weights
from tests.helpers import assert_close

from .expected import table

MATRIX = [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.25, 0.25, 0.5]]


@pytest.mark.parametrize("prior", [PointPrior(MATRIX), OrbitPrior(MATRIX)], ids=["point", "orbit"])
@pytest.mark.parametrize("roots", ["stationary", "uniform"])
@pytest.mark.parametrize("graph", [CausalGraph.chain(5), CausalGraph.pairs(5), CausalGraph.star(4)])
def test_of_forests(prior, roots, graph):
    task = InContextTask(graph, prior, roots)
    tokens, weights = table(task)
    assert np.array_equal(all_sequences(task), tokens)
    assert_close(target_weights(task, tokens).value, weights, rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    "graph",
    [
        CausalGraph.ngram(4, 2),
        CausalGraph([(), (0,), (1,)]),
        CausalGraph([(), (), (0, 1), ()], (2, 0)),
        CausalGraph([(), (0,), (), ()], (1,)),
    ],
    ids=["two parents", "no query", "targets in another order", "a root that is no query"],
)
def test_of_any_graph_are_those_of_the_sampler(graph):
    rng = np.random.default_rng(0)
    degrees = graph.in_degrees
    tensors = {k: rng.dirichlet(np.ones(2), size=(2,) * k) for k in degrees}
    task = InContextTask(graph, PointPrior(tensors))
    tokens = all_sequences(task)
    weights = target_weights(task, tokens).value
    assert_close(weights.sum(), 1.0, rtol=1e-14)
    sample = task.sample(100_000, rng=1)
    codes = sample.tokens @ 2 ** np.arange(task.length)[::-1]
    seen = np.bincount(codes, minlength=len(tokens)) / len(codes)
    chances = weights.sum(axis=1)
    error = np.sqrt(chances * (1 - chances) / len(codes))
    assert np.abs(seen - chances).max() < 5 * error.max()
    for code in range(len(tokens)):
        given = sample.targets[codes == code]
        assert_close(given, np.broadcast_to(weights[code] / chances[code], given.shape), rtol=1e-12)


def test_of_a_quadrature_are_those_of_the_sampler():
    task = InContextTask(CausalGraph.chain(4), DirichletPrior(2, 0.7))
    assert is_enumerable(task, 16)
    tokens = all_sequences(task)
    weights = target_weights(task, tokens)
    assert weights.method == "quadrature"
    sample = task.sample(100_000, rng=1)
    codes = sample.tokens @ 2 ** np.arange(4)[::-1]
    seen = np.array([sample.targets[codes == code].sum(axis=0) for code in range(16)]) / len(codes)
    assert np.abs(seen - weights.value).max() < 5 * np.sqrt(weights.value.max() / len(codes))


def test_are_enumerable():
    def task(prior, length=4):
        return InContextTask(CausalGraph.chain(length), prior)

    assert is_enumerable(task(PointPrior(MATRIX)), 81)
    assert not is_enumerable(task(PointPrior(MATRIX)), 80)
    assert not is_enumerable(task(DirichletPrior(3, 1.0)), 81)
    with pytest.raises(ValueError, match=r"max_sequences must need at most 4 GiB, got 1000000000 for S\^T = 3\^18"):
        is_enumerable(task(PointPrior(MATRIX), 18), 10**9)
