"""Batches without end and the dataset of PyTorch: the same for every way of drawing them, from the law of the task."""

import itertools

import numpy as np
import pytest

from causal_theory import CausalGraph, DirichletPrior, InContextTask, OrbitPrior, PointPrior
from causal_theory.interop import TaskDataset
from causal_theory.interop.sequences import all_sequences, target_weights
from causal_theory.kernels.threads import thread_limit

torch = pytest.importorskip("torch", reason="needs the optional extra torch")

MATRIX = [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.25, 0.25, 0.5]]
TASKS = {
    "point": InContextTask(CausalGraph.chain(4), PointPrior(MATRIX)),
    "orbit": InContextTask(CausalGraph.pairs(5), OrbitPrior(MATRIX)),
    "Dirichlet": InContextTask(CausalGraph.chain(20), DirichletPrior(10, 0.1)),
    "two parents": InContextTask(CausalGraph.ngram(6, 2), DirichletPrior(3, 1.0)),
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
class TestBatches:
    def test_do_not_depend_on_their_size(self, task):
        whole = next(task.batches(1200, rng=3))
        parts = list(itertools.islice(task.batches(400, rng=3), 3))
        for k in range(2):
            assert np.array_equal(np.concatenate([part[k] for part in parts]), whole[k])

    def test_do_not_depend_on_threads(self, task):
        with thread_limit(1):
            one = next(task.batches(1000, rng=3))
        assert all(map(np.array_equal, one, next(task.batches(1000, rng=3))))

    def test_own_their_arrays(self, task):
        source = task.batches(10, rng=0)
        first = next(source)
        kept = [one.copy() for one in first]
        second = next(source)
        assert all(map(np.array_equal, first, kept))
        assert not np.array_equal(first[0], second[0])


def test_batches_follow_the_law_of_the_task():
    task = TASKS["point"]
    tokens, weights = all_sequences(task), target_weights(task, all_sequences(task)).value
    drawn, targets = next(task.batches(200_000, rng=0))
    seen = np.bincount(drawn @ 3 ** np.arange(4)[::-1], minlength=len(tokens))
    expected = weights.sum(axis=1) * len(drawn)
    # Of 80 degrees of freedom.
    assert 40 < ((seen - expected) ** 2 / expected).sum() < 140
    assert np.array_equal(targets, np.array(MATRIX)[drawn[:, -1]])


@pytest.mark.parametrize("labels", ["soft", "sampled"])
def test_workers_do_not_matter(labels):
    dataset = TaskDataset(TASKS["Dirichlet"], 7, batch_size=16, labels=labels, rng=1)
    found = [list(torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers)) for workers in (0, 1, 2)]
    assert [len(one) for one in found] == [7, 7, 7]
    for other in found[1:]:
        for (tokens, targets), (same_tokens, same_targets) in zip(found[0], other, strict=True):
            assert torch.equal(tokens, same_tokens)
            assert torch.equal(targets, same_targets)
    assert not torch.equal(found[0][0][0], found[0][1][0])


def test_soft_targets():
    soft = TaskDataset(TASKS["point"], 2, batch_size=50, rng=1)
    tokens, targets = soft[1]
    assert (tokens.dtype, targets.dtype) == (torch.int64, torch.float32)
    double = TaskDataset(TASKS["point"], 2, batch_size=50, dtype=torch.float64, rng=1)
    assert torch.equal(double[1][0], tokens)
    assert torch.equal(double[1][1], torch.tensor(MATRIX, dtype=torch.float64)[tokens[:, -1]])


def test_sampled_targets_follow_the_soft_ones():
    dataset = TaskDataset(TASKS["point"], 1, batch_size=100_000, labels="sampled", rng=1)
    tokens, targets = dataset[0]
    for query in range(3):
        seen = np.bincount(targets[tokens[:, -1] == query], minlength=3)
        expected = np.array(MATRIX[query]) * seen.sum()
        assert ((seen - expected) ** 2 / expected).sum() < 20  # of 2 degrees of freedom


def test_a_symbol_without_probability_is_never_a_target():
    task = InContextTask(
        CausalGraph.chain(3), PointPrior([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), "uniform"
    )
    tokens, targets = TaskDataset(task, 1, labels="sampled", rng=0)[0]
    assert torch.equal(targets, torch.tensor([1, 0, 1])[tokens[:, -1]])


def test_ends():
    dataset = TaskDataset(TASKS["point"], 3, batch_size=5, rng=0)
    assert len(list(dataset)) == len(dataset) == 3
    with pytest.raises(IndexError, match="number must be below 3"):
        dataset[3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": 0}, "batches must be an integer of at least 1"),
        ({"batches": 1, "batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"batches": 1, "labels": "hard"}, "labels must be one of 'soft', 'sampled', got 'hard'"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TaskDataset(TASKS["point"], **options)


@pytest.mark.parametrize("dtype", [torch.int64, "float32", np.float32])
def test_types_that_hold_no_probabilities(dtype):
    with pytest.raises(ValueError, match=r"dtype must be a floating-point torch\.dtype, got "):
        TaskDataset(TASKS["point"], 1, dtype=dtype)


def test_a_graph_is_no_task():
    with pytest.raises(
        ValueError, match=r"task must be an InContextTask, got CausalGraph; InContextTask\(graph, prior"
    ):
        TaskDataset(CausalGraph.chain(4), 1)


def test_no_sequence_comes_twice():
    dataset = TaskDataset(TASKS["Dirichlet"], 5, batch_size=40, rng=1)
    tokens = torch.cat([one for one, _ in dataset])
    assert len(torch.unique(tokens, dim=0)) == 200
