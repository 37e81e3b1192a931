"""The reduced transformer on batches: against the oracle, sequence by sequence, and its arguments."""

from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    InContextTask,
    PointPrior,
    ReducedTransformer,
    population_gradient,
    population_loss,
)
from causal_theory.models import causal_softmax
from causal_theory.testing import attention_matrices
from tests import oracles
from tests.helpers import assert_close


def make_batch(seed, count, length, size):
    generator = np.random.default_rng(seed)
    return generator.integers(size, size=(count, length)), generator.dirichlet([1.0] * size, size=count)


class TestAttention:
    @given(A1=attention_matrices(5, magnitude=50.0))
    def test_softmax(self, A1):
        rows = oracles.attention(A1.tolist())
        expected = np.array([row + [0.0] * (5 - len(row)) for row in rows])
        assert_close(causal_softmax(A1), expected, rtol=1e-14)
        assert_close(causal_softmax(A1).sum(axis=1), np.ones(5), rtol=1e-15)

    def test_steep_rows(self):
        """Entries of a thousand: one key takes all, exactly; above the diagonal anything is ignored."""
        A1 = np.array([[-1000.0, np.inf, np.nan], [1000.0, -1000.0, np.inf], [0.0, 0.0, -1000.0]])
        model = ReducedTransformer(A1, np.eye(2), 0.1)
        assert model.attention.tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]


class TestBatch:
    @given(data=st.data(), scale=st.sampled_from([0.5, 5.0, 2000.0]), seed=st.integers(0, 999))
    def test_forward_loss_and_gradient(self, data, scale, seed):
        """Mean over the batch of the oracle's values, with 40 digits."""
        length, size, count, epsilon = 4, 3, 5, 0.02
        A1 = data.draw(attention_matrices(length))
        A2 = data.draw(attention_matrices(size, magnitude=scale))
        tokens, targets = make_batch(seed, count, length, size)
        model = ReducedTransformer(A1, A2, epsilon)
        losses, predictions, firsts, seconds = [], [], [], []
        with mpmath.workdps(40):
            first = oracles.attention([[mpmath.mpf(x) for x in row] for row in A1.tolist()], mpmath.mp)
            for sequence, target in zip(tokens.tolist(), targets.tolist(), strict=True):
                _, f = oracles.forward(sequence, first, A2.tolist(), mpmath.mp)
                predictions.append([float(value) for value in f])
                losses.append(float(-sum(y * mpmath.log(f[b] + epsilon) for b, y in enumerate(target))))
                parts = oracles.sequence_gradient(sequence, target, A1.tolist(), A2.tolist(), epsilon, mpmath.mp)
                firsts.append(oracles.to_array(parts[0]))
                seconds.append(oracles.to_array(parts[1]))
        # A logit of 2000 has an absolute roundoff of 2e-13, and so has the exponential of a difference of two.
        roundoff = 1e-14 * (1.0 + scale)
        assert_close(model.forward(tokens), predictions, rtol=0.0, atol=roundoff)
        assert_close(model.loss(tokens, targets), np.mean(losses), rtol=0.0, atol=roundoff / epsilon)
        by_first, by_second = model.gradient(tokens, targets)
        # Slopes are at most 1/epsilon, and dL/dA1 has another factor of A2.
        assert_close(by_first, np.mean(firsts, axis=0), rtol=0.0, atol=roundoff * (1.0 + scale) / epsilon)
        assert_close(by_second, np.mean(seconds, axis=0), rtol=0.0, atol=roundoff / epsilon)

    def test_forward_is_a_law(self):
        tokens, _ = make_batch(1, 50, 6, 4)
        generator = np.random.default_rng(0)
        model = ReducedTransformer(generator.normal(size=(6, 6)), generator.normal(size=(4, 4)), 0.1)
        f = model.forward(tokens)
        assert f.shape == (50, 4)
        assert (f >= 0.0).all()
        assert_close(f.sum(axis=1), np.ones(50), rtol=1e-14)

    def test_zero_parameters_give_frequencies(self):
        tokens = np.array([[0, 1, 1, 0], [2, 2, 2, 2]])
        model = ReducedTransformer(np.zeros((4, 4)), np.zeros((3, 3)), 0.1)
        assert_close(model.forward(tokens), [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], rtol=1e-15)

    def test_an_induction_head_by_hand(self):
        """Attention on the position before, A2 = beta I with beta large: what followed the earlier query.

        Position 0 has nothing before it and attends to itself, so the query's own first occurrence counts too.
        """
        A1 = np.where(np.eye(5, k=-1) > 0, 50.0, 0.0)
        model = ReducedTransformer(A1, 100.0 * np.eye(3), 1e-3)
        assert_close(model.forward(np.array([[0, 1, 2, 0, 1]])), [[0.0, 0.0, 1.0]], rtol=0.0, atol=1e-14)
        assert_close(model.forward(np.array([[1, 2, 0, 0, 1]])), [[0.0, 0.5, 0.5]], rtol=0.0, atol=1e-14)

    def test_relabeling_the_symbols(self):
        generator = np.random.default_rng(3)
        tokens, targets = make_batch(2, 30, 5, 3)
        A1, A2 = generator.normal(size=(5, 5)), generator.normal(size=(3, 3))
        order = np.array([2, 0, 1])
        name = np.argsort(order)
        one = ReducedTransformer(A1, A2, 0.1)
        other = ReducedTransformer(A1, A2[np.ix_(order, order)], 0.1)
        assert_close(other.forward(name[tokens]), one.forward(tokens)[:, order], rtol=1e-14)
        assert_close(other.loss(name[tokens], targets[:, order]), one.loss(tokens, targets), rtol=1e-14)

    @pytest.mark.parametrize("shift", [1.0, 1e6, 1e12])
    def test_columns_of_a2_far_from_zero(self, shift):
        """Softmax ignores a constant per query; subtracted first, it costs no digits."""
        generator = np.random.default_rng(3)
        tokens, targets = make_batch(2, 30, 5, 3)
        A1, A2 = generator.normal(size=(5, 5)), generator.integers(-4, 5, size=(3, 3)) / 2.0
        near, far = ReducedTransformer(A1, A2, 0.1), ReducedTransformer(A1, A2 + shift, 0.1)
        assert_close(far.forward(tokens), near.forward(tokens), rtol=1e-13)
        for one, other in zip(far.gradient(tokens, targets), near.gradient(tokens, targets), strict=True):
            assert_close(one, other, rtol=0.0, atol=1e-15)

    def test_all_sequences_weighted_by_chance_are_the_population(self):
        """A batch that holds each sequence as often as it is likely: the population loss and gradient."""
        task = InContextTask(CausalGraph.chain(4), PointPrior([[0.25, 0.75], [0.75, 0.25]]))
        parents, matrix = [-1, 0, 1], task.prior.transition.tolist()
        tokens = []
        for sequence, chance in oracles.sequences(parents, matrix, [0.5, 0.5]):
            tokens += [sequence] * round(64 * chance)
        assert len(tokens) == 64
        batch = np.array(tokens)
        targets = task.prior.transition[batch[:, -1]]
        generator = np.random.default_rng(4)
        A1, A2 = generator.normal(size=(4, 4)), generator.normal(size=(2, 2))
        model = ReducedTransformer(A1, A2, 0.05)
        gradient = population_gradient(task, A1, A2, epsilon=0.05)
        first, second = model.gradient(batch, targets)
        assert_close(model.loss(batch, targets), float(population_loss(task, A1, A2, epsilon=0.05)), rtol=1e-14)
        assert_close(first, gradient.A1.value, rtol=0.0, atol=1e-15)
        assert_close(second, gradient.A2.value, rtol=0.0, atol=1e-15)

    def test_gradient_against_finite_differences(self):
        tokens, targets = make_batch(5, 20, 4, 3)
        generator = np.random.default_rng(6)
        parameters = [generator.normal(size=(4, 4)), generator.normal(size=(3, 3))]
        gradients = list(ReducedTransformer(*parameters, 0.1).gradient(tokens, targets))
        step = 1e-5
        for which, size in ((0, 4), (1, 3)):
            slopes = np.zeros((size, size))
            for i, j in product(range(size), repeat=2):
                values = []
                for sign in (1.0, -1.0):
                    moved = [matrix.copy() for matrix in parameters]
                    moved[which][i, j] += sign * step
                    values.append(ReducedTransformer(*moved, 0.1).loss(tokens, targets))
                slopes[i, j] = (values[0] - values[1]) / (2 * step)
            # Truncation step^2 = 1e-10 and roundoff 1e-16 / step = 1e-11, times derivatives of order one.
            assert_close(gradients[which], slopes, rtol=0.0, atol=1e-9)


class TestParameters:
    def test_they_are_copied(self):
        A1, A2 = np.zeros((3, 3)), np.eye(2)
        model = ReducedTransformer(A1, A2, 0.1)
        A1[1, 0] = 7.0
        assert model.A1[1, 0] == 0.0

    def test_lists_and_integers_are_accepted(self):
        model = ReducedTransformer([[0, 0], [0, 0]], [[1, 0], [0, 1]], 1)
        assert model.A1.dtype == model.A2.dtype == np.float64
        assert model.epsilon == 1.0
        assert model.forward([[0, 1]]).shape == (1, 2)

    @pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
    def test_any_integer_type(self, dtype):
        tokens, _ = make_batch(0, 10, 3, 2)
        model = ReducedTransformer(np.zeros((3, 3)), np.eye(2), 0.1)
        assert np.array_equal(model.forward(tokens.astype(dtype)), model.forward(tokens))


@pytest.mark.compiled
def test_gradient_equals_automatic_differentiation():
    jax = pytest.importorskip("jax", reason="needs the optional extra autodiff: pip install jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    rng = np.random.default_rng(8)
    length, size, epsilon = 7, 3, 0.05
    A1, A2 = rng.normal(size=(length, length)), rng.normal(size=(size, size))
    tokens, targets = rng.integers(0, size, (40, length)), rng.dirichlet(np.ones(size), 40)
    future = np.triu(np.full((length, length), -np.inf), k=1)

    def loss(first, second):
        attention = jax.nn.softmax(first + future, axis=1)
        hot = jnp.eye(size)[tokens]
        scores = jnp.einsum("ij,nja,aq,nq->ni", attention, hot, second, hot[:, -1])
        frequencies = jnp.einsum("ni,nib->nb", jax.nn.softmax(scores, axis=1), hot)
        return -(targets * jnp.log(frequencies + epsilon)).sum(axis=1).mean()

    value, (first, second) = jax.value_and_grad(loss, (0, 1))(jnp.array(A1), jnp.array(A2))
    model = ReducedTransformer(A1, A2, epsilon)
    assert_close(model.loss(tokens, targets), float(value), rtol=1e-12)
    for own, other in zip(model.gradient(tokens, targets), (first, second), strict=True):
        scale = float(np.abs(other).max())
        assert_close(own, np.tril(other) if len(other) == length else np.asarray(other), rtol=0.0, atol=1e-9 * scale)
