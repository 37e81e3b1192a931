"""The standard transformer: against loops in plain NumPy and finite differences.

Skipped without PyTorch.
"""

import doctest
import json

import numpy as np
import pytest

from causal_theory import StandardTransformer
from causal_theory.errors import InvalidArgumentError

from .helpers import assert_close

pytestmark = pytest.mark.compiled
SHAPES = [
    (5, 3, (1, 1), "joint"),
    (5, 3, (1, 1), "each"),
    (4, 2, (2, 1), "joint"),
    (4, 2, (2, 3), "each"),
    (4, 3, (1,), "each"),
    (3, 2, (1, 2, 1), "joint"),
]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="needs the optional extra torch")


needs_torch = pytest.mark.usefixtures("torch")


def random_model(length, size, heads, residual, rng, **options):
    """A model in which every parameter matters."""
    model = StandardTransformer(length, size, heads, residual=residual, **options)
    return model.with_parameters(0.3 * rng.normal(size=len(model.parameters)))


def random_batch(length, size, count, rng):
    return rng.integers(0, size, (count, length)), rng.dirichlet(np.ones(size), count)


def softmax(scores):
    weights = [np.exp(score - max(scores)) for score in scores]
    return np.array(weights) / sum(weights)


def by_loops(model, tokens):
    """The prediction for one sequence and the attention of each layer and head, position by position."""
    length = len(tokens)
    root = np.sqrt(model.length + model.vocab_size)
    x = [model.token_embedding[tokens[i]] + model.position_embedding[i] for i in range(length)]
    attended = []
    for layer in model.layers:
        rows = np.zeros((len(layer.attention), length, length))
        new = []
        for i in range(length):
            read = np.zeros(len(x[i]))
            for h, (matrix, value) in enumerate(zip(layer.attention, layer.values, strict=True)):
                rows[h, i, : i + 1] = softmax([x[i] @ matrix @ x[j] for j in range(i + 1)])
                for j in range(i + 1):
                    read += rows[h, i, j] * (value.T @ x[j])
            enters = read if model.residual == "joint" else x[i] + read
            hidden = layer.first.T @ enters + root * layer.first_bias
            hidden[hidden < 0.0] = 0.0
            leaves = layer.second.T @ hidden + root * layer.second_bias
            new.append((x[i] if model.residual == "joint" else enters) + leaves)
        x = new
        attended.append(rows)
    return softmax(model.output.T @ x[-1]), attended


@needs_torch
class TestModel:
    @pytest.mark.parametrize(("length", "size", "heads", "residual"), SHAPES)
    def test_equals_loops(self, length, size, heads, residual):
        rng = np.random.default_rng([length, size, *heads])
        model = random_model(length, size, heads, residual, rng)
        tokens, targets = random_batch(length, size, 12, rng)
        expected = [by_loops(model, row) for row in tokens]
        predictions = np.array([prediction for prediction, _ in expected])
        assert_close(model.forward(tokens), predictions, rtol=1e-11)
        losses = -(targets * np.log(predictions)).sum(axis=1)
        assert_close(model.batch_losses(tokens, targets), losses, rtol=1e-11)
        assert_close(model.loss(tokens, targets), losses.mean(), rtol=1e-11)
        attention = np.mean([layers[0] for _, layers in expected], axis=0)
        assert_close(model.first_attention(tokens), attention, rtol=1e-11, atol=1e-15)

    @pytest.mark.parametrize(("length", "size", "heads", "residual"), SHAPES)
    def test_gradient_equals_finite_differences(self, length, size, heads, residual):
        """Every single parameter. Steps are short because the rectifiers have kinks, which costs digits: 1e-16 / 1e-5
        of rounding and 1e-10 of curvature, times derivatives of order ten.
        """
        rng = np.random.default_rng([3, length, size, *heads])
        model = random_model(length, size, heads, residual, rng)
        tokens, targets = random_batch(length, size, 5, rng)
        losses, gradient = model.gradient_at(model.parameters, tokens, targets)
        assert_close(losses, model.batch_losses(tokens, targets), rtol=1e-12)
        assert np.array_equal(model.gradient(tokens, targets).parameters, gradient)
        step = 1e-5
        for k in range(len(gradient)):
            ends = []
            for sign in (-1.0, 1.0):
                moved = model.parameters.copy()
                moved[k] += sign * step
                ends.append(model.with_parameters(moved).loss(tokens, targets))
            assert abs((ends[1] - ends[0]) / (2.0 * step) - gradient[k]) < 1e-7 * max(1.0, np.abs(gradient).max()), k

    def test_gradient_is_that_at_the_given_parameters(self):
        rng = np.random.default_rng(0)
        model = random_model(4, 3, (1, 1), "joint", rng)
        other = random_model(4, 3, (1, 1), "joint", rng)
        batch = random_batch(4, 3, 7, rng)
        before = model.parameters.copy()
        assert np.array_equal(model.gradient_at(other.parameters, *batch)[1], other.batch_gradient(*batch)[1])
        assert np.array_equal(model.parameters, before)

    def test_batches_of_any_size(self):
        """Several blocks in memory give what their parts give."""
        rng = np.random.default_rng(1)
        model = random_model(4, 3, (1, 1), "joint", rng)
        tokens, targets = random_batch(4, 3, 2500, rng)
        parts = [
            model.gradient_at(model.parameters, tokens[k : k + 500], targets[k : k + 500]) for k in range(0, 2500, 500)
        ]
        losses, gradient = model.gradient_at(model.parameters, tokens, targets)
        assert_close(losses, np.concatenate([one for one, _ in parts]), rtol=1e-12)
        assert_close(gradient, np.mean([one for _, one in parts], axis=0), rtol=1e-10, atol=1e-13)
        assert_close(model.batch_losses(tokens, targets), losses, rtol=1e-12)
        predictions = np.concatenate([model.forward(tokens[k : k + 500]) for k in range(0, 2500, 500)])
        assert_close(model.forward(tokens), predictions, rtol=1e-12)
        pieces = [model.first_attention(tokens[k : k + 500]) for k in range(0, 2500, 500)]
        assert_close(model.first_attention(tokens), np.mean(pieces, axis=0), rtol=1e-12)

    def test_attention_sums_to_one(self):
        rng = np.random.default_rng(2)
        attention = random_model(7, 3, (2, 1), "joint", rng).first_attention(random_batch(7, 3, 9, rng)[0])
        assert attention.shape == (2, 7, 7)
        assert_close(attention.sum(axis=2), np.ones((2, 7)), rtol=1e-13)
        assert (attention[:, np.tri(7, dtype=bool)] > 0.0).all()  # also on itself

    @pytest.mark.parametrize("changed", range(7))
    def test_later_tokens_do_not_matter_to_earlier_rows(self, changed):
        rng = np.random.default_rng(3)
        model = random_model(7, 3, (2, 1), "joint", rng)
        tokens = random_batch(7, 3, 1, rng)[0]
        other = tokens.copy()
        other[0, changed] = (other[0, changed] + 1) % 3
        before, after = model.first_attention(tokens), model.first_attention(other)
        assert (before[:, ~np.tri(7, dtype=bool)] == 0.0).all()
        assert_close(before[:, :changed], after[:, :changed], rtol=1e-13)
        if changed > 0:  # the only weight of row 0 is 1
            assert np.abs(before[:, changed] - after[:, changed]).max() > 1e-3
        assert np.abs(model.forward(tokens) - model.forward(other)).max() > 1e-6

    def test_single_precision(self):
        rng = np.random.default_rng(4)
        exact = random_model(5, 3, (1, 1), "joint", rng)
        single = StandardTransformer(5, 3, precision="float32").with_parameters(exact.parameters)
        batch = random_batch(5, 3, 50, rng)
        for precise, rough in zip(exact.batch_gradient(*batch), single.batch_gradient(*batch), strict=True):
            assert rough.dtype == np.float64
            # 24 bits through some ten operations, of which sums cancel.
            assert 1e-12 < np.abs(rough - precise).max() < 1e-5 * np.abs(precise).max()
        assert single.describe() != exact.describe()

    def test_knows_whether_gradients_are_switched_off(self, torch):
        model = random_model(4, 2, (1, 1), "joint", np.random.default_rng(5))
        batch = random_batch(4, 2, 3, np.random.default_rng(6))
        expected = model.batch_gradient(*batch)[1]
        with torch.no_grad():
            assert np.array_equal(model.batch_gradient(*batch)[1], expected)


@needs_torch
class TestParameters:
    def test_start(self):
        """As published: embeddings, value matrices and first layers Gaussian, the rest zero: it says nothing."""
        model = StandardTransformer(20, 10, (1, 2), rng=0)
        width = 30
        for layer, heads in zip(model.layers, (1, 2), strict=True):
            assert layer.attention.shape == layer.values.shape == (heads, width, width)
            for zero in (layer.attention, layer.first_bias, layer.second, layer.second_bias):
                assert not zero.any()
            for drawn, variance in ((layer.values, 1.0 / (heads * width)), (layer.first, 1.0 / width)):
                # Four standard errors of a variance.
                assert abs(drawn.var() / variance - 1.0) < 4.0 * np.sqrt(2.0 / drawn.size)
        for embedding, rows in ((model.token_embedding, 10), (model.position_embedding, 20)):
            assert embedding.shape == (rows, width)
            assert abs(embedding.var() * width - 1.0) < 4.0 * np.sqrt(2.0 / embedding.size)
        assert model.output.shape == (width, 10)
        assert not model.output.any()
        tokens = np.random.default_rng(0).integers(0, 10, (3, 20))
        assert_close(model.forward(tokens), np.full((3, 10), 0.1), rtol=1e-14)

    def test_scale(self):
        model = StandardTransformer(20, 10, scale=0.3, rng=0)
        for layer in model.layers:
            assert abs(layer.attention.std() / 0.3 - 1.0) < 4.0 / np.sqrt(2.0 * layer.attention.size)

    def test_seed(self):
        one, same, other = (StandardTransformer(5, 3, scale=0.1, rng=seed) for seed in (1, 1, 2))
        assert np.array_equal(one.parameters, same.parameters)
        assert not np.array_equal(one.parameters, other.parameters)

    @pytest.mark.parametrize(("length", "size", "heads", "residual"), SHAPES)
    def test_round_trip(self, length, size, heads, residual):
        """Every parameter has its own place, and comes back as it was."""
        model = StandardTransformer(length, size, heads, residual=residual, rng=0)
        numbered = model.with_parameters(np.arange(len(model.parameters)))
        layers = [part for layer in numbered.layers for part in layer]
        parts = [numbered.token_embedding, numbered.position_embedding, *layers, numbered.output]
        assert np.array_equal(np.concatenate([part.ravel() for part in parts]), np.arange(len(model.parameters)))
        assert [part.shape[0] for part in numbered.layers[0]][:2] == [heads[0], heads[0]]
        covered = np.concatenate([numbered.parameters[part] for part in numbered.groups.values()])
        assert np.array_equal(covered, numbered.parameters)
        assert list(numbered.groups) == ["embedding", *(f"layer{k + 1}" for k in range(len(heads))), "output"]
        assert np.array_equal(numbered.parameters[numbered.groups["output"]], numbered.output.ravel())
        assert np.array_equal(numbered.parameters[numbered.groups["layer1"]][: layers[0].size], layers[0].ravel())
        assert numbered.with_parameters(model.parameters).describe() == model.describe()
        assert np.array_equal(numbered.with_parameters(model.parameters).parameters, model.parameters)

    def test_are_read_only_and_copied(self):
        model = StandardTransformer(4, 2, rng=0)
        own = np.ones(len(model.parameters))
        other = model.with_parameters(own)
        own[:] = 7.0
        assert (other.parameters == 1.0).all()
        with pytest.raises(ValueError, match="read-only"):
            other.parameters[0] = 2.0

    def test_describes_itself(self):
        model = StandardTransformer(4, 2, (2, 1), residual="each", precision="float32", rng=0)
        expected = {"kind": "standard", "length": 4, "vocab_size": 2, "heads": [2, 1], "residual": "each"}
        assert model.describe() == expected | {"precision": "float32"}
        assert json.loads(json.dumps(model.describe())) == model.describe()
        assert (model.length, model.vocab_size, model.heads, model.residual, model.precision) == (
            *(4, 2, (2, 1)),
            *("each", "float32"),
        )
        assert repr(model) == (
            "StandardTransformer(length=4, vocab_size=2, heads=(2, 1), residual='each', precision='float32', "
            "432 parameters)"
        )
        assert "432 (embedding: 36, layer1: 228, layer2: 156, output: 12)" in model._repr_html_()

    def test_example_of_the_docstring(self):
        """It is left out of the doctests, which have to pass without PyTorch."""
        text = StandardTransformer.__doc__
        assert text.count("# doctest: +SKIP") == 4
        test = doctest.DocTestParser().get_doctest(text.replace("# doctest: +SKIP", ""), {}, "example", None, 0)
        said = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
        result = runner.run(test, out=said.append)
        assert result.attempted == 6
        assert result.failed == 0, "".join(said)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"length": 1}, "length must be an integer of at least 2, got 1"),
            ({"vocab_size": 2.5}, "vocab_size must be an integer of at least 2, got 2.5"),
            ({"heads": ()}, r"heads must be one positive integer for each layer, got \(\)"),
            ({"heads": "1,1"}, "heads must be one positive integer for each layer, got '1,1'"),
            ({"heads": (1, 0)}, "heads must be an integer of at least 1, got 0"),
            ({"residual": "none"}, "residual must be one of 'joint', 'each', got 'none'"),
            ({"precision": "float16"}, "precision must be one of 'float64', 'float32', got 'float16'"),
            ({"scale": -1.0}, "scale must be a finite number greater than 0, got -1.0"),
            ({"scale": np.nan}, "scale must be a finite number greater than 0, got nan"),
            ({"rng": "seed"}, "rng must be a seed or a numpy Generator, got 'seed'"),
            ({"length": 10**4}, r"at most 50000000 parameters, got 10003 and \(1, 1\) with "),
        ],
    )
    def test_bad_shapes(self, change, message):
        with pytest.raises(InvalidArgumentError, match=message):
            StandardTransformer(**({"length": 4, "vocab_size": 3} | change))

    def test_bad_data(self):
        model = StandardTransformer(4, 3, rng=0)
        good = np.zeros((2, 4), dtype=np.int64)
        for method in (model.forward, model.first_attention):
            with pytest.raises(InvalidArgumentError, match=r"tokens must be integers of shape \(n, 4\)"):
                method(np.zeros((2, 5), dtype=np.int64))
            with pytest.raises(InvalidArgumentError, match=r"symbols 0\.\.2"):
                method(good + 3)
        with pytest.raises(InvalidArgumentError, match=r"targets must have shape \(2, 3\)"):
            model.loss(good, np.ones((2, 2)))
        with pytest.raises(InvalidArgumentError, match=r"targets must have shape \(2, 3\)"):
            model.gradient(good, np.ones((3, 3)))
        with pytest.raises(InvalidArgumentError, match="parameters must have shape"):
            model.with_parameters(np.zeros(3))
        with pytest.raises(InvalidArgumentError, match="parameters must be finite"):
            model.with_parameters(np.full(len(model.parameters), np.inf))
