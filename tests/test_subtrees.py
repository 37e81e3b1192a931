"""Shapes of subtrees, and the messages that are sent once for each of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_theory import CausalGraph, InContextTask, PointPrior, counts_rule_loss, unigram_loss
from causal_theory.graphs.subtrees import Subtrees, context_subtrees
from causal_theory.population import engines, log_moments
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
from causal_theory.population.several_parents import moments
from causal_theory.testing import forests, transition_matrices
from causal_theory.token_laws.tables import TransferTables

from .helpers import assert_close


def every_position(graph):
    """Each position as a shape of its own: nothing is shared."""
    parents = graph.parent_array[:-1].tolist()
    last = len(parents) - 1
    children = [[last - i for i in range(len(parents)) if parents[i] == j] for j in range(last, -1, -1)]
    return Subtrees(
        np.cumsum([0, *map(len, children)]),
        np.array([child for own in children for child in own], dtype=np.int64),
        np.ones(sum(map(len, children))),
        np.array([float(parents[last - number] < 0) for number in range(len(parents))]),
    )


@settings(max_examples=60)
@given(forests(max_length=12))
def test_shapes_count_every_position_once(graph):
    found = context_subtrees(graph)
    shapes = len(found.roots)
    sizes, copies = np.zeros(shapes), found.roots.copy()
    for shape in range(shapes):
        edges = slice(found.starts[shape], found.starts[shape + 1])
        assert (found.children[edges] < shape).all()
        sizes[shape] = 1.0 + found.copies[edges] @ sizes[found.children[edges]]
    for shape in range(shapes - 1, -1, -1):
        edges = slice(found.starts[shape], found.starts[shape + 1])
        np.add.at(copies, found.children[edges], copies[shape] * found.copies[edges])
    assert found.roots @ sizes == graph.length - 1
    assert copies.sum() == graph.length - 1
    leaves = set(range(graph.length - 1)) - set(graph.parent_array.tolist())
    assert copies[0] == len(leaves)


@pytest.mark.parametrize(
    ("graph", "shapes"),
    [
        (CausalGraph.star(1000), 2),
        (CausalGraph.pairs(1001), 2),
        (CausalGraph.binary_tree(1024), 10),
        (CausalGraph.chain(1000), 999),
    ],
)
def test_few_shapes(graph, shapes):
    assert len(context_subtrees(graph).roots) == shapes


def losses(task, A2):
    loss, gradient = parent_attention_loss_and_gradient(task, A2, epsilon=0.05)
    return loss, gradient, counts_rule_loss(task, smoothing=0.3), unigram_loss(task, smoothing=0.3)


@settings(max_examples=40)
@given(
    forests(min_length=3, max_length=40), transition_matrices(), st.integers(0, 1000), st.sampled_from([1.0, 6.0, 90.0])
)
def test_once_for_each_shape_equals_once_for_each_position(graph, matrix, seed, strength):
    task = InContextTask(graph, PointPrior(matrix))
    A2 = strength * np.random.default_rng(seed).normal(size=matrix.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransferTables, "repeated", (0, 0))
        shared = losses(task, A2)
        patch.setattr(log_moments, "context_subtrees", every_position)
        alone = losses(task, A2)
    for one, other in zip(shared, alone, strict=True):
        assert_close(one.value, other.value, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("graph", [CausalGraph.star(3000), CausalGraph.pairs(3000), CausalGraph.binary_tree(3000)])
def test_many_copies(monkeypatch, graph):
    """Thousands of copies neither underflow nor lose digits."""
    matrix = np.array([[0.9, 0.1, 0.0], [0.05, 0.05, 0.9], [0.2, 0.3, 0.5]])
    task = InContextTask(graph, PointPrior(matrix))
    shared = losses(task, 4.0 * np.eye(3))
    monkeypatch.setattr(log_moments, "context_subtrees", every_position)
    alone = losses(task, 4.0 * np.eye(3))
    for one, other in zip(shared, alone, strict=True):
        assert_close(one.value, other.value, rtol=1e-11, atol=1e-12)
        assert (np.abs(one.value - other.value) <= one.error + other.error).all()


@pytest.mark.parametrize(("length", "size"), [(60, 2), (300, 3), (150, 5)])
def test_long_chains_by_powers_and_by_messages(monkeypatch, length, size):
    rng = np.random.default_rng(size)
    task = InContextTask(CausalGraph.chain(length), PointPrior(rng.dirichlet(np.ones(size), size)))
    A2 = 3.0 * rng.normal(size=(size, size))
    powers = losses(task, A2)
    monkeypatch.setattr(TransferTables, "repeated", (0, 0))
    messages = losses(task, A2)
    assert float(powers[0]) != float(messages[0])  # two routes indeed
    for one, other in zip(powers, messages, strict=True):
        assert_close(one.value, other.value, rtol=1e-11, atol=1e-12)
        assert (np.abs(one.value - other.value) <= one.error + other.error).all()


@pytest.mark.parametrize(("length", "most"), [(4, 2**16), (60, 3)])
def test_chains_of_too_many_symbols(monkeypatch, length, most):
    """They are too wide for powers, and messages do as well as ever."""
    size = 257 if length == 4 else 2
    task = InContextTask(CausalGraph.chain(length), PointPrior(np.full((size, size), 1.0 / size)))
    for module in (engines, moments):
        monkeypatch.setattr(module, "MAX_STATES", most)
    assert float(unigram_loss(task, smoothing=1.0)) > 0.0
