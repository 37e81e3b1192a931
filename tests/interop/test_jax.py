"""Losses and gradients of JAX functions: against a weighted sum written out, in double and in single precision."""

import numpy as np
import pytest

from causal_theory import CausalGraph, InContextTask, OrbitPrior, PointPrior
from causal_theory.interop import model_gradient, model_loss
from tests.helpers import assert_close

from .expected import table

jax = pytest.importorskip("jax", reason="needs the optional extra autodiff: pip install jax")
from .modules import jax_network, jax_parameters  # noqa: E402

SHAPES = [(2, 10, 4), (3, 6, 6), (3, 5, 5), (4, 4, 4), (2, 7, 6)]


@pytest.fixture
def double():
    """JAX computes in double precision while a test runs."""
    with jax.enable_x64(True):
        yield


def make(k, dtype):
    vocab, length, width = SHAPES[k % len(SHAPES)]
    rng = np.random.default_rng(k)
    prior = (PointPrior, OrbitPrior)[k // len(SHAPES)](rng.dirichlet(np.ones(vocab), vocab))
    parameters = jax.tree_util.tree_map(
        lambda one: jax.numpy.array(one, dtype), jax_parameters(vocab, length, width, k)
    )
    return InContextTask(CausalGraph.random_forest(length, 0.3, rng), prior), parameters


def written_out(task, parameters):
    tokens, weights = table(task)
    return jax.value_and_grad(lambda one: -(weights * jax_network(one, tokens)).sum())(parameters)


@pytest.mark.parametrize("k", range(2 * len(SHAPES)))
def test_double_precision(double, k):
    task, parameters = make(k, np.float64)
    loss, slopes = written_out(task, parameters)
    found = model_loss(task, (jax_network, parameters))
    assert abs(float(found) - float(loss)) <= float(found.error) < 1e-11
    gradient = model_gradient(task, (jax_network, parameters), batch_size=100)
    for one, slope in zip(*map(jax.tree_util.tree_leaves, (gradient, slopes)), strict=True):
        assert_close(one.value, np.asarray(slope), rtol=0, atol=1e-12)
    assert gradient["layers"][1]["qk"][0].value.shape == parameters["layers"][1]["qk"][0].shape


@pytest.mark.parametrize("k", range(len(SHAPES)))
def test_single_precision_lies_within_its_error(k):
    task, parameters = make(k, np.float32)
    found = model_loss(task, (jax_network, parameters))
    gradient = model_gradient(task, (jax_network, parameters))
    with jax.enable_x64(True):
        exact = jax.tree_util.tree_map(lambda one: jax.numpy.array(one, np.float64), parameters)
        loss, slopes = written_out(task, exact)
    assert abs(float(found) - float(loss)) <= float(found.error) < 1e-4
    for one, slope in zip(*map(jax.tree_util.tree_leaves, (gradient, slopes)), strict=True):
        assert (np.abs(one.value - np.asarray(slope)) <= one.error).all()
        assert one.error.max() < 1e-4


def by_last_token(parameters, tokens):
    return jax.nn.log_softmax(parameters["logits"][tokens[:, parameters["at"]]], axis=1)


LOGITS = np.random.default_rng(0).normal(size=(3, 3))
TASK = InContextTask(CausalGraph.chain(4), PointPrior([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]))


@pytest.mark.parametrize("at", [-1, np.array(-1)])
def test_integers_among_parameters_are_constants(double, at):
    """They index, also in the double of a model in single precision, and have the derivative zero."""
    logits = jax.numpy.array(LOGITS, np.float32)
    found, alone = (by_last_token, {"logits": logits, "at": at}), (lambda p, t: by_last_token(p | {"at": -1}, t))
    loss = model_loss(TASK, found)
    assert float(loss) == float(model_loss(TASK, (alone, {"logits": logits})))
    assert loss.error < 1e-6
    gradient = model_gradient(TASK, found)
    assert_close(gradient["logits"].value, model_gradient(TASK, (alone, {"logits": logits}))["logits"].value, rtol=0)
    assert gradient["at"].value == gradient["at"].error == 0.0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_lies_within_its_error(precision):
    logits = jax.numpy.array(LOGITS, precision)
    exact = np.asarray(logits, dtype=np.float64)
    tokens, weights = table(TASK)
    logs = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
    loss, last = -(weights * logs[tokens[:, -1]]).sum(), np.eye(3)[tokens[:, -1]]
    slope = last.T @ (np.exp(logs)[tokens[:, -1]] * weights.sum(axis=1, keepdims=True) - weights)
    model = (lambda one, tokens: jax.nn.log_softmax(one[tokens[:, -1]], axis=1)), logits
    found = model_loss(TASK, model)
    assert abs(float(found) - loss) <= float(found.error) < 1.0
    gradient = model_gradient(TASK, model)
    assert (np.abs(gradient.value - slope) <= gradient.error).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"act": "relu"}, r"parameters must be arrays and numbers, got str at parameters\['act'\]"),
        ({"w": [1j]}, r"parameters must be real, got complex64 at parameters\['w'\]\[0\]"),
    ],
)
def test_refused_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        model_loss(TASK, (by_last_token, parameters))


def test_refused_functions():
    logits = jax.numpy.array(LOGITS, np.float32)
    with pytest.raises(ValueError, match=r"must give one array of floating-point log-probabilities, .* gives tuple"):
        model_loss(TASK, ((lambda one, tokens: (one[tokens[:, -1]], one)), logits))
    with pytest.raises(ValueError, match=r"must have floating-point parameters, .* has none"):
        model_gradient(TASK, ((lambda _, tokens: jax.numpy.full((len(tokens), 3), -np.log(3.0))), {"at": 1}))


def test_double_precision_is_the_users_to_switch_on():
    task, parameters = make(1, np.float32)
    asked = jax.tree_util.tree_map(lambda one: np.asarray(one, np.float64), parameters)
    with pytest.warns(UserWarning, match="JAX computes in single precision; for double set jax_enable_x64"):
        found = model_loss(task, (jax_network, asked))
    assert not jax.config.jax_enable_x64
    assert float(found.error) > 1e-8
