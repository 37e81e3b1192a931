"""What a training run returns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.estimate import Estimate
from causal_theory.graphs import CausalGraph
from causal_theory.models import TrainableModel
from causal_theory.notebook import array_block, block, count, details, facts, figure, number, settings_table, sparkline
from causal_theory.training.settings import TrainingSettings

__all__ = ["TrainingRun", "TrainingStatus", "parent_attention"]

Array = NDArray[np.float64]
TrainingStatus = Literal["finished", "diverged"]

NAMES = {
    "floor": "entropy floor",
    "counts": "counting along the edges",
    "unigram": "counting tokens",
    "uniform": "uniform guess",
}
"""What the baselines are."""


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
        return f"TrainingRun({self._ending}, {self._losses_text}, mean attention on parents {self._mean_attention})"

    def _repr_html_(self) -> str:
        rows: dict[str, object] = {"model": repr(self.model)}
        if len(self.test_losses):
            rows["loss on held-out sequences"] = self.test_loss._text()
        rows |= {NAMES.get(name, name): float(loss) for name, loss in self.baselines.items()}
        rows["mean attention on parents"] = self._mean_attention
        parts = [facts(f"Training: {self._ending}; losses in nats", rows)]
        drawn = sparkline(
            self.losses,
            "Loss of training against steps, with the entropy floor and the loss of counting along the edges",
            lines=[self.baselines["floor"], self.baselines["counts"]],
        )
        if drawn:
            words = f"Loss of training from {number(self.losses[0])} to {number(self.losses[-1])}"
            parts.append(figure(drawn, f"{words}. Dashed: entropy floor; dotted: counting along the edges."))
        if len(self.attention):
            heads = self.attention[-1]
            shown = [array_block(f"Attention of the first layer, head {h + 1}", head) for h, head in enumerate(heads)]
            parts.append(details("Attention at the end", *shown))
        return block(*parts, details("Settings", settings_table("Settings of training", self.settings)))

    @property
    def _ending(self) -> str:
        if self.status == "diverged":
            return f"diverged at step {self.diverged_at}"
        return f"{self.status} after {count(int(self.snapshot_steps[-1]) if len(self.snapshot_steps) else 0, 'step')}"

    @property
    def _losses_text(self) -> str:
        baselines = f"(floor {self.baselines['floor']:.4f}, counts {self.baselines['counts']:.4f})"
        if not len(self.test_losses):
            return f"no test loss {baselines}"
        return f"test loss {self.test_losses[-1]:.4f} +- {self.test_errors[-1]:.1g} {baselines}"

    @property
    def _mean_attention(self) -> str:
        on_parents = self.attention_on_parents if len(self.attention) else np.zeros(0)
        seen = on_parents[np.isfinite(on_parents)]
        return f"{seen.mean():.3f}" if seen.size else "none"
