"""The state of a run in progress: everything that a checkpoint has to hold, and nothing else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory.models import TrainableModel
from causal_theory.training.optimizers import Optimizer, make_optimizer
from causal_theory.training.settings import TrainingSettings

Array = NDArray[np.float64]


@dataclass(eq=False)
class TrainingState:
    """A run in progress.

    Attributes
    ----------
    step : int
        Steps done.
    parameters : ndarray
        Flat parameters.
    optimizer : Optimizer
        With its state.
    keys, test_keys : ndarray of uint64, shape (2,)
        Streams of the training and of the held-out sequences.
    loss_sums, loss_counts : ndarray, shape (records,)
        Sums of batch losses over windows of steps, and the number of steps in each.
    test_losses, test_errors : ndarray, shape (snapshots + 1,)
        Mean loss on the held-out sequences at each snapshot with its standard error, NaN where not yet taken.
    attention : ndarray, shape (snapshots + 1, H, T, T)
        Attention of the first layer there, averaged over the held-out sequences.
    """

    step: int
    parameters: Array
    optimizer: Optimizer
    keys: NDArray[np.uint64]
    test_keys: NDArray[np.uint64]
    loss_sums: Array
    loss_counts: Array
    test_losses: Array
    test_errors: Array
    attention: Array

    @classmethod
    def start(
        cls,
        model: TrainableModel,
        settings: TrainingSettings,
        heads: int,
        keys: NDArray[np.uint64],
        test_keys: NDArray[np.uint64],
    ) -> "TrainingState":
        """Return the state before the first step."""
        records, snapshots = min(settings.records, settings.steps), min(settings.snapshots, settings.steps)
        return cls(
            step=0,
            parameters=model.parameters.copy(),
            optimizer=make_optimizer(settings, len(model.parameters)),
            keys=keys,
            test_keys=test_keys,
            loss_sums=np.zeros(records),
            loss_counts=np.zeros(records),
            test_losses=np.full(snapshots + 1, np.nan),
            test_errors=np.full(snapshots + 1, np.nan),
            attention=np.full((snapshots + 1, heads, model.length, model.length), np.nan),
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all of it as named arrays; the same objects that the run goes on with."""
        own: dict[str, NDArray[np.generic]] = {
            "step": np.array(self.step),
            "parameters": self.parameters,
            "keys": self.keys,
            "test_keys": self.test_keys,
            "loss_sums": self.loss_sums,
            "loss_counts": self.loss_counts,
            "test_losses": self.test_losses,
            "test_errors": self.test_errors,
            "attention": self.attention,
        }
        return own | {f"optimizer_{name}": value for name, value in self.optimizer.state.items()}

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over arrays of the same names and shapes."""
        for name, value in self.arrays().items():
            if name == "step":
                self.step = int(arrays[name])
            else:
                value[...] = arrays[name]
