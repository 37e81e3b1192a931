"""Losses and gradients of PyTorch modules: against a weighted sum written out, and against the reduced transformer."""

import numpy as np
import pytest

from causal_theory import CausalGraph, InContextTask, OrbitPrior, PointPrior, population_gradient, population_loss
from causal_theory.interop import model_gradient, model_loss
from tests.helpers import assert_close

from .expected import table

torch = pytest.importorskip("torch", reason="needs the optional extra torch")
from .modules import SHAPES, Network, Reduced  # noqa: E402


def make(k, dtype=torch.float64):
    """A random module and a task that fits it: five shapes, each under both priors."""
    shape, rng = SHAPES[k % len(SHAPES)], np.random.default_rng(k)
    vocab, length = shape[:2]
    prior = (PointPrior, OrbitPrior)[k // len(SHAPES)](rng.dirichlet(np.ones(vocab), vocab))
    torch.manual_seed(k)
    return InContextTask(CausalGraph.random_forest(length, 0.3, rng), prior), Network(*shape).to(dtype).eval()


def written_out(task, module):
    """Loss and gradient of the weighted sum over all sequences, in one batch."""
    tokens, weights = table(task)
    loss = -(torch.tensor(weights) * module(torch.tensor(tokens))).sum()
    names, parameters = zip(*module.named_parameters(), strict=True)
    slopes = torch.autograd.grad(loss, parameters)
    return loss.item(), {name: one.numpy() for name, one in zip(names, slopes, strict=True)}


@pytest.mark.parametrize("k", range(2 * len(SHAPES)))
def test_double_precision(k):
    task, module = make(k)
    loss, slopes = written_out(task, module)
    found = model_loss(task, module)
    assert found.method == "exact"
    assert abs(float(found) - loss) <= float(found.error) < 1e-11
    gradient = model_gradient(task, module, batch_size=100)
    assert list(gradient) == list(slopes)
    for name, slope in slopes.items():
        assert gradient[name].value.shape == slope.shape
        assert_close(gradient[name].value, slope, rtol=0, atol=1e-12)
        assert gradient[name].error.max() < 1e-11


@pytest.mark.parametrize("k", range(2 * len(SHAPES)))
def test_single_precision_lies_within_its_error(k):
    task, module = make(k, torch.float32)
    loss, slopes = written_out(task, make(k, torch.float32)[1].double())
    found = model_loss(task, module)
    assert abs(float(found) - loss) <= float(found.error) < 1e-4
    for name, one in model_gradient(task, module).items():
        assert (np.abs(one.value - slopes[name]) <= one.error).all(), name
        assert one.error.max() < 1e-4


@pytest.mark.parametrize("prior", [PointPrior, OrbitPrior])
def test_reduced_transformer(prior):
    rng = np.random.default_rng(3)
    task = InContextTask(CausalGraph.random_forest(7, 0.3, rng), prior(rng.dirichlet(np.ones(3), 3)))
    first, second, options = rng.normal(size=(7, 7)), rng.normal(size=(3, 3)), {"epsilon": 0.1}
    module = Reduced(first, second, 0.1)
    assert_close(
        model_loss(task, module, normalised=False), population_loss(task, first, second, **options), rtol=1e-12
    )
    found, exact = model_gradient(task, module, normalised=False), population_gradient(task, first, second, **options)
    assert_close(found["A1"].value, exact.A1.value, rtol=0, atol=1e-12)
    assert_close(found["A2"].value, exact.A2.value, rtol=0, atol=1e-12)


def test_fresh_sequences():
    """Within a few standard errors, which are not far from what they should be."""
    task, module = make(1)
    options = {"max_sequences": 1, "samples": 8192, "rng": 0}
    found, exact = model_loss(task, module, **options), model_loss(task, module)
    assert found.method == "monte_carlo"
    assert 0 < abs(float(found) - float(exact)) < 4 * float(found.error) < 0.1
    whole, squares = model_gradient(task, module), []
    for seed in range(8):  # the entries of one gradient are off together
        drawn = model_gradient(task, module, **(options | {"samples": 2048, "rng": seed}))
        z = np.concatenate([((drawn[name].value - whole[name].value) / drawn[name].error).ravel() for name in whole])
        assert np.abs(z).max() < 5
        squares.append(np.mean(z**2))
    assert 0.5 < np.mean(squares) < 2


def test_nothing_of_the_module_changes():
    task, module = make(2)
    module.output.weight.requires_grad_(False)
    module.output.bias.grad = torch.ones(3, dtype=torch.float64)
    before = {name: one.detach().clone() for name, one in module.named_parameters()}
    found = model_gradient(task, module)
    model_loss(task, module)
    assert "output.weight" not in found
    assert not module.training
    assert module.output.weight.grad is None
    assert torch.equal(module.output.bias.grad, torch.ones(3, dtype=torch.float64))
    assert all(torch.equal(before[name], one) for name, one in module.named_parameters())


def test_tied_parameters_are_one():
    task, module = make(1)
    module.layers[1].query.weight = module.layers[0].key.weight
    _, slopes = written_out(task, module)
    found = model_gradient(task, module)
    assert set(found) == set(slopes)
    assert "layers.1.query.weight" not in found
    assert_close(found["layers.0.key.weight"].value, slopes["layers.0.key.weight"], rtol=0, atol=1e-12)


class Frequencies(torch.nn.Module):
    """The same law for every sequence, of which some symbols never occur."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits, dtype=torch.float64))
        self.unused = torch.nn.Parameter(torch.ones(2))

    def forward(self, tokens):
        return torch.log_softmax(self.logits, dim=0).expand(len(tokens), -1)


class Padded(torch.nn.Module):
    """A transformer of PyTorch, read at a position that may be masked: its fast path leaves zeros there."""

    def __init__(self):
        super().__init__()
        self.symbols = torch.nn.Embedding(2, 4)
        options = {"dim_feedforward": 8, "dropout": 0.0, "batch_first": True, "dtype": torch.float64}
        self.layers = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(4, 2, **options), 1)
        self.output = torch.nn.Linear(4, 2, dtype=torch.float64)

    def forward(self, tokens):
        mask = (tokens == 1).cumsum(dim=1) > 0
        mask[:, 0] = False
        read = self.layers(self.symbols(tokens).double(), src_key_padding_mask=mask)
        return torch.log_softmax(self.output(read[:, -1]), dim=1)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of nested tensors
def test_frozen_layers_take_no_other_path():
    task = InContextTask(CausalGraph.chain(4), PointPrior([[0.3, 0.7], [0.6, 0.4]]))
    torch.manual_seed(0)
    module = Padded().eval()
    loss = float(model_loss(task, module))
    module.requires_grad_(False)
    with torch.no_grad():
        assert_close(float(model_loss(task, module)), loss, rtol=1e-13)


def test_a_symbol_that_cannot_occur():
    """Its logarithm is -inf, which counts nothing."""
    task = InContextTask(CausalGraph.chain(3), PointPrior([[0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.5, 0.5, 0.0]]))
    module = Frequencies([0.0, 0.0, -np.inf])
    assert_close(model_loss(task, module), np.log(2), rtol=1e-14)
    found = model_gradient(task, module)
    assert_close(
        found["logits"].value, [0.5 - (0.2 + 0.6 + 0.5) / 3, 0.5 - (0.8 + 0.4 + 0.5) / 3, 0.0], rtol=0, atol=1e-14
    )
    assert not found["unused"].value.any()


class TestRefused:
    def test_dropout_in_training(self):
        task, module = make(0)
        module.network = torch.nn.Dropout(0.1)
        module.train()
        with pytest.raises(
            ValueError, match=r"its part 'network' \(Dropout\) would change its answers; call model.eval"
        ):
            model_loss(task, module)
        model_loss(task, module.eval())

    def test_training_without_anything_random(self):
        task, module = make(0)
        assert float(model_loss(task, module.train())) == float(model_loss(task, module.eval()))
        assert not module.training

    def test_randomness_of_its_own(self):
        task, module = make(0)
        module.network = type("Noise", (torch.nn.Module,), {"forward": lambda _, x: x + torch.rand_like(x)})()
        for ask in (model_loss, model_gradient):
            with pytest.raises(ValueError, match="model must give the same answer to the same tokens"):
                ask(task, module)

    def test_nothing_to_differentiate(self):
        task, module = make(0)
        with pytest.raises(ValueError, match="model must have parameters that require a gradient, Network has none"):
            model_gradient(task, module.requires_grad_(False))

    def test_logits(self):
        task, module = make(0)
        logits = torch.nn.Sequential(module, type("Times", (torch.nn.Module,), {"forward": lambda _, x: 2 * x})())
        for ask in (model_loss, model_gradient):
            with pytest.raises(ValueError, match=r"sum to one within 1e-09, Sequential gives .*; put a log_softmax"):
                ask(task, logits)
        model_loss(task, logits, normalised=False)
