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


def test_double_precision_is_the_users_to_switch_on():
    task, parameters = make(1, np.float32)
    asked = jax.tree_util.tree_map(lambda one: np.asarray(one, np.float64), parameters)
    with pytest.warns(UserWarning, match="JAX computes in single precision; for double set jax_enable_x64"):
        found = model_loss(task, (jax_network, asked))
    assert not jax.config.jax_enable_x64
    assert float(found.error) > 1e-8
