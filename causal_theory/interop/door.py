"""The one door for models of others: what they are, and the log-probabilities that they give, checked."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.interop import frameworks
from causal_theory.models import TrainableModel
from causal_theory.tasks import InContextTask

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

DOUBLE = float(np.finfo(np.float64).eps)
"""Spacing of numbers in double precision, relative to them."""

SUM_TOLERANCES = ((DOUBLE, 1e-9), (float(np.finfo(np.float32).eps), 1e-4), (np.inf, 3e-2))
"""By how much probabilities may miss the sum one, for numbers of at most a spacing: roundoff, for any S."""


class Numbers(NamedTuple):
    """Numbers of a model in double precision, with the spacing that they had as the model gave them.

    Attributes
    ----------
    values : ndarray of float64
        The numbers.
    spacing : float
        Distance from 1 to the next number in the precision of the model, the coarsest of several.
    """

    values: Array
    spacing: float


class Predictor(ABC):
    """A model as what maps tokens (n, T) to log-probabilities (n, S)."""

    name: str
    """The model, for messages."""

    @abstractmethod
    def __call__(self, tokens: Integers) -> Numbers:
        """Return the log-probabilities."""

    def in_double(self) -> "Predictor | None":
        """Return the same model computed in double precision, or ``None`` where that is not known."""
        return None


class Function(Predictor):
    """A callable on NumPy arrays."""

    def __init__(self, function: Callable[[Integers], Any]) -> None:
        self._function = function
        self.name = getattr(function, "__qualname__", type(function).__name__)

    @override
    def __call__(self, tokens: Integers) -> Numbers:
        given = self._function(np.array(tokens))  # a function may compute in place
        try:
            array = np.asarray(given)
        except Exception as error:  # whatever a tensor of a framework does when it is asked for its numbers
            raise InvalidArgumentError(
                f"model must give an array of NumPy, {self.name} gives {type(given).__name__}: {error}"
            ) from error
        if not np.issubdtype(array.dtype, np.floating):
            raise not_floating(self.name, array)
        return Numbers(np.asarray(array, dtype=np.float64), float(np.finfo(array.dtype).eps))


class Own(Predictor):
    """A model of this package, asked for the loss of every symbol."""

    def __init__(self, model: TrainableModel) -> None:
        self._model = model
        self.name = type(model).__name__

    @override
    def __call__(self, tokens: Integers) -> Numbers:
        shape = (len(tokens), self._model.vocab_size)
        symbols = (np.broadcast_to(one, shape).copy() for one in np.eye(self._model.vocab_size))
        losses = [self._model.batch_losses(self._model.check_tokens(tokens), one) for one in symbols]
        return Numbers(np.asarray(-np.stack(losses, axis=1)), DOUBLE)


def not_floating(name: str, given: Any, what: str = "array") -> InvalidArgumentError:
    """Return the error about a model that gives something else than floating-point numbers."""
    kind = type(given).__name__ + (f" of {given.dtype}" if hasattr(given, "dtype") else "")
    return InvalidArgumentError(f"model must give one {what} of floating-point log-probabilities, {name} gives {kind}")


def double_of(model: Predictor, tokens: Integers) -> Predictor | None:
    """Return the same model in double precision, or ``None`` where it does not compute in it.

    A model may have another precision written into it, such as a mask that is no buffer: it then fails in double
    precision, or does not give it.
    """
    try:
        double = model.in_double()
        return double if double is not None and double(tokens).spacing <= DOUBLE else None
    except Exception:  # what the code of others does with numbers that it was not written for
        return None


def open_door(model: Any) -> Predictor:
    """Return a model of any kind as a predictor.

    Raises
    ------
    InvalidArgumentError
        If it is none of the kinds that are known, or would not give the same answer twice.
    """
    if frameworks.is_torch(model):
        from causal_theory.interop.torch_models import TorchModel

        return TorchModel(model)
    if hasattr(model, "batch_losses"):
        return Own(model)
    if isinstance(model, tuple) and len(model) == 2 and callable(model[0]):
        from causal_theory.interop.jax_models import JaxModel

        return JaxModel(*model)
    if callable(model):
        return Function(model)
    raise InvalidArgumentError(
        "model must be a callable on NumPy arrays, an nn.Module of PyTorch or, for JAX, a pair (function, parameters), "
        f"got {type(model).__name__}"
    )


def check_logs(name: str, given: Numbers, task: InContextTask, count: int, *, normalised: bool) -> None:
    """Check what a model has given for so many sequences."""
    wanted = (count, task.vocab_size)
    values = given.values
    if values.shape != wanted:
        raise InvalidArgumentError(
            f"model must map tokens {(count, task.length)} to log-probabilities {wanted}, {name} gives {values.shape}"
        )
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
    tolerance = next(most for spacing, most in SUM_TOLERANCES if given.spacing <= spacing)
    if abs(sums[worst] - 1.0) > tolerance:
        raise InvalidArgumentError(
            f"model must give log-probabilities whose exponentials sum to one within {tolerance:g}, {name} gives "
            f"{sums[worst]:.9g}; put a log_softmax at its end, or pass normalised=False for a loss of other numbers"
        )
