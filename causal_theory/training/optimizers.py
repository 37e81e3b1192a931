"""Optimisers on a flat vector of parameters; their state is a dictionary of arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.training.settings import OptimizerName, TrainingSettings

Array = NDArray[np.float64]


class Optimizer(ABC):
    """Changes parameters in place; ``state`` is all it remembers."""

    state: dict[str, Array]

    @abstractmethod
    def step(self, parameters: Array, gradient: Array, rate: float, part: slice) -> None:
        """Take one step on a part of the parameters."""


class Sgd(Optimizer):
    """Plain gradient steps: ``theta -= rate (gradient + weight_decay theta)``."""

    def __init__(self, size: int, settings: TrainingSettings) -> None:
        self.state = {}
        self._decay = settings.weight_decay

    @override
    def step(self, parameters: Array, gradient: Array, rate: float, part: slice) -> None:
        own = parameters[part]
        if self._decay:
            own *= 1.0 - rate * self._decay
        own -= rate * gradient[part]


class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    ``m`` and ``v`` are running means of the gradient and its square, corrected for their start at zero; parameters
    move by ``rate (m / (sqrt(v) + eps) + weight_decay theta)``.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    def __init__(self, size: int, settings: TrainingSettings) -> None:
        self.state = {"mean": np.zeros(size), "square": np.zeros(size), "counts": np.zeros(size)}
        self._settings = settings

    @override
    def step(self, parameters: Array, gradient: Array, rate: float, part: slice) -> None:
        own, slope = parameters[part], gradient[part]
        mean, square, counts = (self.state[name][part] for name in ("mean", "square", "counts"))
        beta1, beta2 = self._settings.beta1, self._settings.beta2
        counts += 1.0
        mean += (1.0 - beta1) * (slope - mean)
        square += (1.0 - beta2) * (slope * slope - square)
        done = float(counts[0])
        root = np.sqrt(square / (1.0 - beta2**done))
        own *= 1.0 - rate * self._settings.weight_decay
        own -= rate * (mean / (1.0 - beta1**done)) / (root + self._settings.adam_epsilon)


OPTIMIZERS: Mapping[OptimizerName, Callable[[int, TrainingSettings], Optimizer]] = {"sgd": Sgd, "adamw": AdamW}
"""Every name that the settings know."""


def make_optimizer(settings: TrainingSettings, size: int) -> Optimizer:
    """Return the optimiser that the settings name, for a number of parameters."""
    return OPTIMIZERS[settings.optimizer](size, settings)
