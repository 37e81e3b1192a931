"""What a training run returns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.estimate import Estimate
from causal_theory.graphs import CausalGraph
from causal_theory.models import TrainableModel
from causal_theory.training.settings import TrainingSettings

__all__ = ["TrainingRun", "TrainingStatus", "parent_attention"]

Array = NDArray[np.float64]
TrainingStatus = Literal["finished", "diverged"]


def parent_attention(attention: Array, graph: CausalGraph) -> Array:
    """Return the attention of every position on its parent.

    Parameters
    ----------
    attention : ndarray, shape (..., T, T)
        Query positions in rows, key positions in columns.
    graph : CausalGraph
        A forest on T positions.

    Returns
    -------
    ndarray, shape (..., T)
        NaN for roots.

    Raises
    ------
    GraphError
        If a position has several parents.

    Examples
    --------
    >>> parent_attention(np.eye(4), CausalGraph.chain(4))
    array([nan,  0.,  0., nan])
    """
    parents = graph.parent_array
    rows = np.arange(len(parents))
    found: Array = np.where(parents >= 0, attention[..., rows, np.maximum(parents, 0)], np.nan)
    return found


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A finished or diverged run of stochastic training.

    Attributes
    ----------
    model : TrainableModel
        The model at the end; after divergence the last one with finite parameters.
    settings : TrainingSettings
        What was asked for.
    steps : ndarray of int64, shape (R,)
        Last step of each window of steps.
    losses : ndarray, shape (R,)
        Loss of fresh batches, averaged over each window, in nats.
    snapshot_steps : ndarray of int64, shape (K,)
        Steps done at each measurement on the held-out sequences.
    test_losses, test_errors : ndarray, shape (K,)
        Mean loss there and its standard error.
    attention : ndarray, shape (K, H, T, T)
        Attention of the first layer, averaged over the held-out sequences.
    baselines : dict
        Mean losses of simple predictors on the same sequences: ``"floor"``, ``"counts"``, ``"unigram"``,
        ``"uniform"``.
    status : {"finished", "diverged"}
        ``"diverged"``: the loss or a parameter was not finite.
    diverged_at : int
        The step at which it was, -1 when none.
    graph : CausalGraph
        The graph of the task.
    """

    model: TrainableModel
    settings: TrainingSettings
    steps: NDArray[np.int64]
    losses: Array
    snapshot_steps: NDArray[np.int64]
    test_losses: Array
    test_errors: Array
    attention: Array
    baselines: dict[str, float]
    status: TrainingStatus
    diverged_at: int
    graph: CausalGraph

    @property
    def test_loss(self) -> Estimate:
        """Loss on the held-out sequences at the end, with its standard error."""
        return Estimate(np.array(self.test_losses[-1]), np.array(self.test_errors[-1]), "monte_carlo")

    @property
    def attention_on_parents(self) -> Array:
        """Attention on the parent at the end, shape (H, T), NaN for roots."""
        return parent_attention(self.attention[-1], self.graph)

    @property
    def excess(self) -> float:
        """Loss on the held-out sequences at the end minus their entropy floor, in nats."""
        return float(self.test_losses[-1] - self.baselines["floor"])

    def __repr__(self) -> str:
        """Return one line: status, loss beside its baselines, attention on the parents."""
        on_parents = self.attention_on_parents
        seen = f"{np.nanmean(on_parents):.3f}" if np.isfinite(on_parents).any() else "none"
        return (
            f"TrainingRun({self.status} after {int(self.snapshot_steps[-1])} steps, test loss "
            f"{self.test_losses[-1]:.4f} +- {self.test_errors[-1]:.1g} (floor {self.baselines['floor']:.4f}, counts "
            f"{self.baselines['counts']:.4f}), mean attention on parents {seen})"
        )
