"""Modules of PyTorch that are odd and valid, precisions that cancel, and outputs that are no log-probabilities."""

import numpy as np
import pytest

from causal_theory import CausalGraph, InContextTask, PointPrior
from causal_theory.interop import model_gradient, model_loss
from causal_theory.interop.differentiable import total
from tests.helpers import assert_close

from .expected import table

torch = pytest.importorskip("torch", reason="needs the optional extra torch")

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
TASK = InContextTask(CausalGraph.chain(5), PointPrior(MATRIX))


class Scaled(torch.nn.Module):
    """Frequencies times one number; ``after`` changes what it gives."""

    def __init__(self, scale=2.0, dtype=torch.float64, after=lambda logs: logs):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(scale, dtype=dtype))
        self.after = after

    def forward(self, tokens):
        seen = torch.nn.functional.one_hot(tokens, 3).to(self.scale.dtype).mean(dim=1)
        return self.after(torch.log_softmax(self.scale * seen, dim=1))


def written_out(task, scale):
    """Loss and slope of :class:`Scaled` with more digits than double precision has."""
    tokens, weights = table(task)
    seen = np.eye(3, dtype=np.longdouble)[tokens].mean(axis=1)
    logs = scale * seen
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    slopes = seen - (np.exp(logs) * seen).sum(axis=1, keepdims=True)
    return -float((weights * logs).sum()), -float((weights * slopes).sum())


def flattest(task):
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if written_out(task, middle)[1] > 0 else (middle, high)
    return low


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_errors_where_a_gradient_vanishes(dtype):
    """Its terms do not: what they are off by must not vanish with their sum."""
    scale = float(torch.tensor(flattest(TASK), dtype=dtype))
    loss, slope = written_out(TASK, scale)
    module = Scaled(scale, dtype)
    found, gradient = model_loss(TASK, module), model_gradient(TASK, module)["scale"]
    assert abs(float(found) - loss) <= float(found.error)
    assert abs(float(gradient.value) - slope) <= float(gradient.error) < 1e3 * torch.finfo(dtype).eps


def test_half_precision_counts_unlikely_sequences():
    """The probability of each is below what half precision can tell from zero."""

    class Half:
        def gradient(self, batch):
            return batch[1].astype(np.float16).sum(dtype=np.float64)

    weights = np.full((7, 3), 1e-9)
    assert_close(total(Half(), [(np.zeros((7, 2), dtype=np.int64), weights)])[0], 21e-9, rtol=1e-3)


def test_a_module_with_single_precision_written_into_it():
    """It has no double: its error is a multiple of its spacing."""

    class Masked(Scaled):
        def __init__(self):
            super().__init__(dtype=torch.float32)
            self.mask = torch.eye(3)

        def forward(self, tokens):
            seen = torch.nn.functional.one_hot(tokens, 3).to(self.scale.dtype).mean(dim=1)
            return torch.log_softmax(self.scale * (seen @ self.mask), dim=1)

    loss, slope = written_out(TASK, 2.0)
    found, gradient = model_loss(TASK, Masked()), model_gradient(TASK, Masked())["scale"]
    assert abs(float(found) - loss) <= float(found.error) < 1e-5
    assert abs(float(gradient.value) - slope) <= float(gradient.error) < 1e-4


def test_a_loss_that_is_infinite_in_single_precision():
    impossible = torch.tensor([0.0, 0.0, -torch.inf])
    found = model_loss(TASK, Scaled(dtype=torch.float32, after=lambda logs: torch.log_softmax(logs + impossible, 1)))
    assert float(found) == float(found.error) == np.inf


def test_a_module_with_a_method_that_models_of_the_package_have():
    class Trained(Scaled):
        def batch_losses(self, tokens, targets):
            raise NotImplementedError

    assert float(model_loss(TASK, Trained())) == float(model_loss(TASK, Scaled()))


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (lambda logs: (logs, None), "must give one tensor of floating-point log-probabilities, Scaled gives tuple"),
        (lambda logs: logs.detach().numpy(), "one tensor of .* gives ndarray of float64"),
        (lambda logs: logs.long(), "one tensor of .* gives Tensor of torch.int64"),
    ],
)
def test_no_tensor_of_numbers(after, message):
    for ask in (model_loss, model_gradient):
        with pytest.raises(ValueError, match=message):
            ask(TASK, Scaled(after=after))


def test_no_gradient():
    with pytest.raises(ValueError, match=r"must be differentiable, what Scaled gives has no gradient: .*no_grad"):
        model_gradient(TASK, Scaled(after=lambda logs: logs.detach()))


def test_complex_parameters():
    module = Scaled()
    module.phase = torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"parameters must be real, got torch\.complex64 as 'phase' of Scaled"):
        model_gradient(TASK, module)
