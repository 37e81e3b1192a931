"""The disentangled transformer: against a plain twin, finite differences and automatic differentiation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_theory import DisentangledTransformer
from causal_theory.errors import InvalidArgumentError
from causal_theory.kernels.lanes import LANES, exponential

from . import oracles
from .helpers import assert_close, from_python

pytestmark = pytest.mark.compiled

SHAPES = [
    (5, 3, (1, 1)),
    (4, 2, (2, 1)),
    (6, 3, (1,)),
    (4, 2, (3,)),
    (4, 3, (1, 1, 1)),
    (3, 2, (2, 1, 2)),
    (5, 2, (1, 2)),
]


def random_model(length, size, heads, rng, scale=0.6):
    model = DisentangledTransformer(length, size, heads)
    return model.with_parameters(scale * rng.normal(size=len(model.parameters)))


def random_batch(length, size, count, rng):
    return rng.integers(0, size, (count, length)), rng.dirichlet(np.ones(size), count)


@pytest.mark.parametrize(("length", "size", "heads"), SHAPES)
def test_equals_the_plain_twin(length, size, heads):
    rng = np.random.default_rng([length, size, *heads])
    model = random_model(length, size, heads, rng)
    tokens, targets = random_batch(length, size, 40, rng)
    layers, output = [list(matrices) for matrices in model.layers], model.output
    expected = np.array([oracles.disentangled_forward(layers, output, row, size) for row in tokens])
    assert_close(model.forward(tokens), expected, rtol=1e-12)
    losses = -(targets * np.log(expected)).sum(axis=1)
    assert_close(model.loss(tokens, targets), losses.mean(), rtol=1e-12)
    if len(heads) > 1:
        attention = np.mean([oracles.disentangled_attention(layers, row, size)[0] for row in tokens], axis=0)
        assert_close(model.first_attention(tokens), attention, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["batch_losses", "first_attention"])
def test_what_a_subclass_computes_is_what_training_measures(name):
    class Doubled(DisentangledTransformer):
        pass

    setattr(Doubled, name, lambda self, *batch: 2.0 * getattr(DisentangledTransformer, name)(self, *batch))
    model, own = DisentangledTransformer(5, 3), Doubled(5, 3)
    batch = random_batch(5, 3, 20, np.random.default_rng(1))
    usual, found = model.losses_and_attention(*batch), own.losses_and_attention(*batch)
    for one, other, changed in zip(usual, found, (name == "batch_losses", name == "first_attention"), strict=True):
        assert_close(other, (2.0 if changed else 1.0) * one, rtol=1e-15)
    assert_close(usual[0], model.batch_losses(*batch), rtol=1e-15)
    assert_close(usual[1], model.first_attention(batch[0]), rtol=1e-15)


@pytest.mark.parametrize(("length", "size", "heads"), SHAPES)
def test_gradient_equals_finite_differences(length, size, heads):
    """Fourth-order differences along random directions, and along every single parameter of small models."""
    rng = np.random.default_rng([7, length, size, *heads])
    model = random_model(length, size, heads, rng)
    tokens, targets = random_batch(length, size, 9, rng)
    gradient = model.gradient(tokens, targets).parameters
    count = len(gradient)
    directions = list(np.eye(count)) if count < 500 else [rng.normal(size=count) / np.sqrt(count) for _ in range(20)]
    step = 2e-3
    scale = np.abs(gradient).max()
    for direction in directions:
        values = [
            model.with_parameters(model.parameters + k * step * direction).loss(tokens, targets) for k in (-2, -1, 1, 2)
        ]
        slope = (values[0] - 8.0 * values[1] + 8.0 * values[2] - values[3]) / (12.0 * step)
        assert abs(slope - gradient @ direction) < 1e-9 * max(1.0, scale)


@pytest.mark.parametrize(("length", "size", "heads"), [(5, 3, (1, 1)), (4, 2, (2, 1)), (4, 2, (1, 1, 1))])
def test_gradient_equals_automatic_differentiation(length, size, heads):
    jax = pytest.importorskip("jax", reason="needs the optional extra autodiff: pip install jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    rng = np.random.default_rng([3, length, size, *heads])
    model = random_model(length, size, heads, rng)
    tokens, targets = random_batch(length, size, 17, rng)
    shapes = [matrices.shape for matrices in model.layers] + [model.output.shape]

    def loss(flat):
        parts, start = [], 0
        for shape in shapes:
            stop = start + int(np.prod(shape))
            parts.append(flat[start:stop].reshape(shape))
            start = stop
        total = 0.0
        future = jnp.triu(jnp.full((length, length), -jnp.inf), k=1)
        for row, target in zip(tokens, targets, strict=True):
            x = jnp.concatenate([jnp.eye(size)[row], jnp.eye(length)], axis=1)
            for matrices in parts[:-1]:
                x = jnp.concatenate(
                    [x, *(jax.nn.softmax(x @ matrix @ x.T + future, axis=1) @ x for matrix in matrices)], axis=1
                )
            total -= target @ jax.nn.log_softmax(x[-1] @ parts[-1])
        return total / len(tokens)

    value, slopes = jax.value_and_grad(loss)(jnp.array(model.parameters))
    assert_close(model.loss(tokens, targets), float(value), rtol=1e-12)
    scale = float(np.abs(slopes).max())
    assert_close(model.gradient(tokens, targets).parameters, np.asarray(slopes), rtol=0.0, atol=1e-9 * scale)


@given(st.integers(1, 200), st.integers(0, 2**31))
@settings(max_examples=25)
def test_every_sequence_counts_for_itself(count, seed):
    """Whatever the size of the batch, losses are those of single sequences and the gradient is their mean."""
    rng = np.random.default_rng(seed)
    model = random_model(4, 3, (1, 1), rng)
    tokens, targets = random_batch(4, 3, count, rng)
    losses, gradient = model.batch_gradient(tokens, targets)
    picked = rng.integers(count)
    one, own = model.batch_gradient(tokens[picked : picked + 1], targets[picked : picked + 1])
    assert_close(losses[picked], one[0], rtol=1e-13)
    if count == 1:
        assert_close(gradient, own, rtol=1e-13, atol=1e-16)
    halves = [slice(0, count // 2), slice(count // 2, count)]
    parts = [model.batch_gradient(tokens[h], targets[h])[1] * (h.stop - h.start) for h in halves if h.stop > h.start]
    assert_close(gradient, sum(parts) / count, rtol=1e-11, atol=1e-15)


def test_zero_parameters_predict_nothing_and_only_the_output_moves():
    model = DisentangledTransformer(6, 4)
    rng = np.random.default_rng(0)
    tokens, targets = random_batch(6, 4, 50, rng)
    assert_close(model.forward(tokens), np.full((50, 4), 0.25), rtol=1e-15)
    assert_close(model.loss(tokens, targets), np.log(4.0), rtol=1e-14)
    slopes = model.gradient(tokens, targets)
    assert (slopes.layer1 == 0.0).all()
    assert (slopes.layer2 == 0.0).all()
    assert np.abs(slopes.output).max() > 1e-3


def test_gaussian_start():
    model = DisentangledTransformer(10, 5, (2, 1), scale=0.1, rng=0)
    values = np.concatenate([matrices.ravel() for matrices in model.layers])
    assert abs(values.std() - 0.1) < 0.005
    assert (model.output == 0.0).all()
    np.testing.assert_array_equal(
        values, DisentangledTransformer(10, 5, (2, 1), scale=0.1, rng=0).parameters[: len(values)]
    )


def test_views_make_up_the_parameters():
    model = random_model(4, 2, (2, 1), np.random.default_rng(1))
    parts = [*(matrices.ravel() for matrices in model.layers), model.output.ravel()]
    np.testing.assert_array_equal(np.concatenate(parts), model.parameters)
    assert list(model.groups) == ["layer1", "layer2", "output"]
    for name, part in zip(model.groups, parts, strict=True):
        np.testing.assert_array_equal(model.parameters[model.groups[name]], part)
    with pytest.raises(ValueError, match="read-only"):
        model.parameters[0] = 1.0


def test_large_scores_stay_finite():
    """Logits of several thousands: the softmax is one-hot, nothing overflows."""
    rng = np.random.default_rng(5)
    model = random_model(6, 3, (1, 1), rng, scale=3000.0)
    tokens, targets = random_batch(6, 3, 30, rng)
    losses, gradient = model.batch_gradient(tokens, targets)
    assert np.isfinite(losses).all()
    assert np.isfinite(gradient).all()


def test_exponential_is_accurate():
    x = -np.concatenate([[0.0], np.geomspace(1e-12, 700.0, 40 * LANES - 1)]).reshape(40, LANES)
    values = x.copy()
    zero, scratch = np.zeros((2, LANES))
    from_python(exponential)(values, 40, zero, scratch)
    assert_close(values, np.exp(x), rtol=1e-15)
    far = np.full((1, LANES), -1e6)
    from_python(exponential)(far, 1, zero, scratch)
    assert (far < 1e-300).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 3, (1, 1)), "length must be an integer of at least 2, got 1"),
        ((5, 1, (1, 1)), "vocab_size must be an integer of at least 2, got 1"),
        ((5, 3, (0, 1)), "heads must be an integer of at least 1, got 0"),
        ((5, 3, ()), r"heads must be one positive integer for each layer, got \(\)"),
        ((5, 3, 2), "heads must be one positive integer for each layer, got 2"),
        ((50, 50, (9, 9, 9)), "heads must give at most 50000000 parameters"),
    ],
)
def test_bad_shapes(arguments, message):
    with pytest.raises(InvalidArgumentError, match=message):
        DisentangledTransformer(*arguments)


def test_bad_batches():
    model = DisentangledTransformer(4, 2)
    with pytest.raises(InvalidArgumentError, match=r"tokens must be integers of shape \(n, 4\)"):
        model.forward(np.zeros((2, 3), dtype=int))
    with pytest.raises(InvalidArgumentError, match=r"symbols 0\.\.1"):
        model.forward(np.full((2, 4), 2))
    with pytest.raises(InvalidArgumentError, match=r"targets must have shape \(2, 2\)"):
        model.gradient(np.zeros((2, 4), dtype=int), np.ones((3, 2)))
    with pytest.raises(InvalidArgumentError, match="parameters must have shape"):
        model.with_parameters(np.zeros(3))
