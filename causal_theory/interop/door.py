"""The one door for models of others: what they are, and the log-probabilities that they give, checked."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.interop import frameworks
from causal_theory.models import TrainableModel
from causal_theory.tasks import InContextTask

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SUM_TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
"""By how much probabilities may miss the sum one: roundoff of sums, no matter how many symbols."""

COARSE_TOLERANCE = 3e-2
"""The same for numbers with fewer digits than single precision."""


class Predictor(ABC):
    """A model as what maps tokens (n, T) to log-probabilities (n, S)."""

    name: str
    """The model, for messages."""

    @abstractmethod
    def __call__(self, tokens: Integers) -> NDArray[Any]:
        """Return the log-probabilities in the precision of the model."""

    def in_double(self) -> "Predictor | None":
        """Return the same model computed in double precision, or ``None`` where that is not known."""
        return None


class Function(Predictor):
    """A callable on NumPy arrays."""

    def __init__(self, function: Callable[[Integers], Any]) -> None:
        self._function = function
        self.name = getattr(function, "__qualname__", type(function).__name__)

    @override
    def __call__(self, tokens: Integers) -> NDArray[Any]:
        return np.asarray(self._function(tokens))


class Own(Predictor):
    """A model of this package, asked for the loss of every symbol."""

    def __init__(self, model: TrainableModel) -> None:
        self._model = model
        self.name = type(model).__name__

    @override
    def __call__(self, tokens: Integers) -> NDArray[Any]:
        shape = (len(tokens), self._model.vocab_size)
        symbols = (np.broadcast_to(one, shape).copy() for one in np.eye(self._model.vocab_size))
        losses = [self._model.batch_losses(self._model.check_tokens(tokens), one) for one in symbols]
        return np.asarray(-np.stack(losses, axis=1))


def open_door(model: Any) -> Predictor:
    """Return a model of any kind as a predictor.

    Raises
    ------
    InvalidArgumentError
        If it is none of the kinds that are known, or would not give the same answer twice.
    """
    if hasattr(model, "batch_losses"):
        return Own(model)
    if frameworks.is_torch(model):
        from causal_theory.interop.torch_models import TorchModel

        return TorchModel(model)
    if isinstance(model, tuple) and len(model) == 2 and callable(model[0]):
        from causal_theory.interop.jax_models import JaxModel

        return JaxModel(*model)
    if callable(model):
        return Function(model)
    raise InvalidArgumentError(
        "model must be a callable on NumPy arrays, an nn.Module of PyTorch or, for JAX, a pair (function, parameters), "
        f"got {type(model).__name__}"
    )


def predict(predictor: Predictor, task: InContextTask, tokens: Integers, *, normalised: bool) -> Array:
    """Return log-probabilities (n, S) in double precision, checked.

    Raises
    ------
    InvalidArgumentError
        If their shape is wrong, they are no numbers, or, where they are to be ``normalised``, their exponentials do
        not sum to one.
    """
    given = predictor(tokens)
    check_logs(predictor.name, given, task, len(tokens), normalised=normalised)
    return np.asarray(given, dtype=np.float64)


def check_logs(name: str, given: NDArray[Any], task: InContextTask, count: int, *, normalised: bool) -> None:
    """Check what a model has given for so many sequences."""
    wanted = (count, task.vocab_size)
    if given.shape != wanted:
        raise InvalidArgumentError(
            f"model must map tokens {(count, task.length)} to log-probabilities {wanted}, {name} gives {given.shape}"
        )
    if not np.issubdtype(given.dtype, np.floating):
        raise InvalidArgumentError(f"model must give floating-point log-probabilities, {name} gives {given.dtype}")
    values = np.asarray(given, dtype=np.float64)
    wrong = np.isnan(values) | (values == np.inf)
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise InvalidArgumentError(
            f"model must give log-probabilities, {name} gives {values[row].tolist()} for sequence {row} of a batch"
        )
    if not normalised:
        return
    with np.errstate(over="ignore"):
        sums = np.exp(values).sum(axis=1)
    worst = int(np.abs(sums - 1.0).argmax())
    tolerance = SUM_TOLERANCE.get(given.dtype.name, COARSE_TOLERANCE)
    if abs(sums[worst] - 1.0) > tolerance:
        raise InvalidArgumentError(
            f"model must give log-probabilities whose exponentials sum to one within {tolerance:g}, {name} gives "
            f"{sums[worst]:.9g}; put a log_softmax at its end, or pass normalised=False for a loss of other numbers"
        )
