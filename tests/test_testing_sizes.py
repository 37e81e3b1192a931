"""The strategies at the borders of what they accept, and one step beyond."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given, settings

from causal_theory import CausalGraph
from causal_theory.chains import closed_classes
from causal_theory.errors import InvalidArgumentError
from causal_theory.testing import (
    PRIOR_KINDS,
    attention_matrices,
    causal_graphs,
    forests,
    tasks,
    tensor_tasks,
    transition_matrices,
    transition_tensors,
)
from causal_theory.validation import check_transition_tensor


def run(strategy, check, examples=20):
    """Run a property with all health checks of Hypothesis, and see that it was run at all."""
    seen = []

    @settings(max_examples=examples, deadline=None, database=None)
    @given(strategy)
    def holds(example):
        check(example)
        seen.append(1)

    holds()
    assert seen


@pytest.mark.parametrize(("length", "examples"), [(2, 20), (3, 100), (256, 20), (257, 100), (3_000, 20), (100_000, 2)])
def test_forests(length, examples):
    def check(graph):
        assert graph.length == length
        assert graph.is_forest
        assert graph.has_query

    run(forests(min_length=length, max_length=length), check, examples)


@pytest.mark.parametrize(
    ("length", "parents"), [(2, 1), (2, 100), (16, 16), (17, 16), (40, 39), (300, 1), (2_000, 2_000), (100_000, 2)]
)
def test_causal_graphs(length, parents):
    def check(graph):
        assert graph.length == length
        assert 1 <= len(graph.target_parents) <= parents
        assert max(map(len, graph.parents)) <= parents

    run(causal_graphs(min_length=length, max_length=length, max_parents=parents), check, 100 if length < 400 else 2)


def check_laws(array):
    assert (array >= 0.0).all()
    assert (array.sum(axis=-1) == 1.0).all()
    assert all(sum(map(Fraction, row)) == 1 for row in array.reshape(-1, array.shape[-1])[:20].tolist())


@pytest.mark.parametrize("size", [2, 16, 17, 64, 300, 2048])
@pytest.mark.parametrize("unique", [True, False])
def test_transition_matrices(size, unique):
    def check(matrix):
        assert matrix.shape == (size, size)
        check_laws(matrix)
        assert not unique or len(closed_classes(matrix)) == 1

    strategy = transition_matrices(min_size=size, max_size=size, unique_stationary=unique)
    run(strategy, check, 100 if size < 100 else 2)


def test_long_rows_are_near_deterministic():
    """All but one entry of such a row are equal, and one holds nearly everything, however many there are."""

    def check(matrix):
        hard = matrix[[len(set(row)) == 2 and min(row) > 0.0 for row in matrix.tolist()]]
        assert len(hard)
        assert hard.max(axis=1).min() > 0.99

    run(transition_matrices(min_size=2000, max_size=2048, unique_stationary=False), check, 3)


def test_gentle_matrices_of_any_size():
    def check(matrix):
        check_laws(matrix)
        assert matrix.min() > 0.0

    run(transition_matrices(min_size=2, max_size=200, zeros=False, near_deterministic=False), check)


@pytest.mark.parametrize(("parents", "size"), [(1, 2), (1, 2048), (7, 2), (21, 2), (2, 161), (3, 45), (10, 3)])
def test_kernels(parents, size):
    def check(kernel):
        assert kernel.shape == (size,) * (parents + 1)
        check_transition_tensor("transition", kernel, parents)
        check_laws(kernel)

    run(transition_tensors(parents, size), check, 100 if size**parents < 1_000 else 2)


@pytest.mark.parametrize(
    "options",
    [
        {"max_length": 2, "max_size": 2, "max_parents": 1},
        {"max_length": 3, "max_size": 3, "max_parents": 10**9},
        {"max_length": 8, "max_size": 4, "max_parents": 8},
        {"max_length": 500, "max_size": 160, "max_parents": 2},
    ],
)
def test_tensor_tasks(options):
    def check(task):
        assert task.length <= options["max_length"]
        assert task.vocab_size <= options["max_size"]

    run(tensor_tasks(**options), check)


@pytest.mark.parametrize(("length", "size"), [(2, 2), (600, 2), (2, 64), (20_000, 300)])
@pytest.mark.parametrize("kind", PRIOR_KINDS)
def test_tasks(length, size, kind):
    def check(task):
        assert task.length <= length
        assert task.vocab_size <= size

    run(tasks(max_length=length, max_size=size, priors=(kind,)), check, 10)


@pytest.mark.parametrize("size", [1, 16, 17, 100, 2048])
@pytest.mark.parametrize("magnitude", [1e-300, 1e-10, 1.0, 1e300])
def test_attention(size, magnitude):
    def check(matrix):
        assert matrix.shape == (size, size)
        assert matrix.dtype == np.float64
        assert np.abs(matrix).max() <= magnitude

    run(attention_matrices(size, magnitude=magnitude), check, 50 if size < 100 else 2)


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (attention_matrices(1, magnitude=1e-300), lambda matrix: matrix[0, 0] != 0.0),
        (attention_matrices(40), lambda matrix: matrix.min() < 0.0 < matrix.max()),
        (transition_matrices(min_size=40, max_size=40), lambda matrix: (matrix == 1.0).any()),
        (transition_matrices(min_size=40, max_size=40), lambda matrix: ((matrix > 0.0) & (matrix < 1e-9)).any()),
        (transition_matrices(min_size=40, max_size=40, zeros=False), lambda matrix: matrix.min() > 0.0),
        (causal_graphs(min_length=400, max_length=400), lambda graph: graph.in_degrees == (1, 2)),
        (
            causal_graphs(min_length=400, max_length=400),
            lambda graph: any(a > b for a, b in filter(pair, graph.parents)),
        ),
        (forests(min_length=400, max_length=400), lambda graph: len(graph.roots) == 2),
        (forests(min_length=400, max_length=400), lambda graph: len(graph.roots) > 200),
    ],
    ids=["subnormal", "signs", "certain", "tiny", "positive", "degrees", "order", "one tree", "many trees"],
)
def test_hard_cases_of_large_objects(strategy, wanted):
    assert wanted(find(strategy, wanted, settings=settings(database=None)))


def pair(parents):
    return len(parents) == 2


def test_small_objects_shrink():
    """The smallest examples have no edges, and zeros."""
    assert find(causal_graphs(), lambda graph: True) == CausalGraph([(), ()], (0,))
    assert not find(attention_matrices(3), lambda matrix: True).any()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: forests(min_length=1), "min_length must be an integer of at least 2, got 1"),
        (lambda: forests(min_length=5, max_length=4), "max_length must be an integer of at least 5, got 4"),
        (lambda: forests(max_length=100_001), "max_length must be an integer of at most 100000, got 100001"),
        (lambda: causal_graphs(min_length=5, max_length=4), "max_length must be an integer of at least 5, got 4"),
        (lambda: causal_graphs(max_parents=0), "max_parents must be an integer of at least 1, got 0"),
        (
            lambda: causal_graphs(max_length=100_000, max_parents=10**9),
            r"max_length \* max_parents must be at most 4194304, got 100000 \* 100000",
        ),
        (lambda: transition_matrices(min_size=1), "min_size must be an integer of at least 2, got 1"),
        (lambda: transition_matrices(min_size=4, max_size=3), "max_size must be an integer of at least 4, got 3"),
        (lambda: transition_matrices(max_size=2049), "max_size must be an integer of at most 2048, got 2049"),
        (lambda: transition_matrices(max_size=10**30), "max_size must be an integer of at most 2048"),
        (lambda: transition_tensors(0, 2), "parents must be an integer of at least 1, got 0"),
        (lambda: transition_tensors(1, 1), "size must be an integer of at least 2, got 1"),
        (
            lambda: transition_tensors(22, 2),
            r"size \*\* \(parents \+ 1\), .* at most 4194304, got size = 2 and parents = 22",
        ),
        (lambda: transition_tensors(10**9, 10**9), "got size = 1000000000 and parents = 1000000000"),
        (lambda: tensor_tasks(max_size=1), "max_size must be an integer of at least 2, got 1"),
        (
            lambda: tensor_tasks(max_length=30, max_parents=30),
            r"max_size \*\* \(max_parents \+ 1\), .* max_parents = 30",
        ),
        (lambda: tasks(max_length=1), "max_length must be an integer of at least 2, got 1"),
        (lambda: tasks(max_size=1), "max_size must be an integer of at least 2, got 1"),
        (lambda: tasks(max_size=5_000), "max_size must be an integer of at most 2048, got 5000"),
        (lambda: tasks(priors=()), "priors must be a sequence of at least one name"),
        (lambda: tasks(root_laws=np.array(["uniform", "stationary"])), "root_laws must be a sequence of at least one"),
        (lambda: attention_matrices(0), "size must be an integer of at least 1, got 0"),
        (lambda: attention_matrices(2049), "size must be an integer of at most 2048, got 2049"),
        (lambda: attention_matrices(2, magnitude=0.0), "magnitude must be a finite number greater than 0"),
    ],
)
def test_refused_by_name(make, words):
    with pytest.raises(InvalidArgumentError, match=words):
        make()
