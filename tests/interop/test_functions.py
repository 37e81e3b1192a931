"""Losses of callables on NumPy arrays and of models of the package, and what is refused."""

import sys

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
    loss_floor,
    population_loss,
)
from causal_theory.interop import TaskDataset, model_gradient, model_loss
from tests.helpers import assert_close

MATRIX = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.25, 0.25, 0.5]])
TASK = InContextTask(CausalGraph.chain(5), PointPrior(MATRIX))


def truth(tokens):
    """The law of the target itself."""
    return np.log(MATRIX[tokens[:, -1]])


def test_of_the_truth_is_the_floor():
    found = model_loss(TASK, truth)
    assert found.method == "exact"
    assert abs(float(found) - float(loss_floor(TASK))) <= float(found.error) < 1e-12


def test_of_models_of_the_package():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 5)), rng.normal(size=(3, 3))
    for task in (TASK, InContextTask(TASK.graph, OrbitPrior(MATRIX))):
        found = model_loss(task, ReducedTransformer(first, second, 0.2), normalised=False)
        assert_close(found, population_loss(task, first, second, epsilon=0.2), rtol=1e-12)
    model = DisentangledTransformer(5, 3, heads=(2, 1))
    model = model.with_parameters(rng.normal(size=model.parameters.size))
    sample = TASK.sample(20_000, rng=0)
    drawn = model.batch_losses(sample.tokens, sample.targets)
    assert abs(drawn.mean() - float(model_loss(TASK, model))) < 4 * drawn.std() / np.sqrt(20_000)


def test_single_precision_of_a_function_is_in_its_error():
    found = model_loss(TASK, lambda tokens: truth(tokens).astype(np.float32))
    assert 0 < abs(float(found) - float(loss_floor(TASK))) <= float(found.error) < 1e-5


def test_a_prior_without_an_exact_average_takes_fresh_sequences():
    task = InContextTask(CausalGraph.chain(4), DirichletPrior(3, 1.0))
    found = model_loss(task, lambda tokens: np.full((len(tokens), 3), -np.log(3)), samples=100, rng=0)
    assert found.method == "monte_carlo"
    assert_close(found, np.log(3), rtol=1e-14)


def test_what_cannot_happen_may_be_held_impossible():
    task = InContextTask(CausalGraph.chain(3), PointPrior([[0.0, 1.0], [1.0, 0.0]]))
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert float(model_loss(task, lambda tokens: logs[tokens[:, -1]])) == 0.0
    assert float(model_loss(task, lambda tokens: logs[1 - tokens[:, -1]])) == np.inf


def shifted(by):
    return lambda tokens: truth(tokens) + by


def with_nan(tokens):
    logs = truth(tokens)
    logs[3, 1] = np.nan
    return logs


REFUSED = [
    (
        shifted(0.1),
        r"sum to one within 1e-09, .*shifted.* gives 1.10517092; put a log_softmax at its end, or pass norm",
    ),
    (with_nan, r"with_nan gives \[.*nan.*\] for sequence 3 of a batch"),
    (lambda tokens: truth(tokens)[:, :2], r"to log-probabilities \(243, 3\), .* gives \(243, 2\)"),
    (lambda tokens: truth(tokens)[:1], r"gives \(1, 3\)"),
    (
        lambda tokens: np.zeros((len(tokens), 3), dtype=int),
        "must give one array of floating-point log-probabilities, .* gives ndarray of int64",
    ),
    (lambda tokens: np.log(np.random.default_rng().dirichlet(np.ones(3), len(tokens))), "the same answer to the same"),
    (7, r"model must be a callable on NumPy arrays, an nn.Module of PyTorch or, for JAX, a pair \(function, param"),
    ("model", "got str"),
]


@pytest.mark.parametrize(("model", "message"), REFUSED)
def test_refused(model, message):
    with pytest.raises(ValueError, match=message):
        model_loss(TASK, model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_sequences": 0}, "max_sequences must be an integer of at least 1"),
        ({"samples": 1, "max_sequences": 1}, "samples must be an integer of at least 2"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        model_loss(TASK, truth, **options)


def test_a_function_may_compute_in_place():
    def in_place(tokens):
        tokens -= 1
        return truth(tokens + 1)

    assert float(model_loss(TASK, in_place)) == float(model_loss(TASK, truth))


def test_no_array():
    """What a framework says of a tensor of its own is one line."""

    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    with pytest.raises(ValueError, match=r"must give an array of NumPy, .* gives Tensor: call detach\(\) first"):
        model_loss(TASK, lambda _: Tensor())


def test_no_task():
    with pytest.raises(ValueError, match="task must be an InContextTask, got CausalGraph"):
        model_loss(TASK.graph, truth)


def test_no_gradient_of_a_function():
    with pytest.raises(ValueError, match=r"must be an nn.Module of PyTorch or a pair \(function, parameters\) of JAX"):
        model_gradient(TASK, truth)


def test_batches_do_not_matter():
    sizes = []

    def watched(tokens):
        sizes.append(len(tokens))
        return truth(tokens)

    whole = float(model_loss(TASK, truth))
    assert float(model_loss(TASK, watched, batch_size=100)) == whole
    assert set(sizes) == {100}
    assert float(model_loss(TASK, watched, batch_size=1000)) == whole
    assert sizes[-1] == 243


@pytest.mark.parametrize(
    ("name", "ask", "extra"),
    [
        ("torch", lambda: TaskDataset(TASK, 1), "TaskDataset needs PyTorch: .*torch"),
        ("jax", lambda: model_loss(TASK, (lambda parameters, tokens: tokens, {})), r"a pair .* needs JAX: .*autodiff"),
    ],
)
def test_a_framework_that_is_missing(monkeypatch, name, ask, extra):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=extra):
        ask()
