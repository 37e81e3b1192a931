"""Hold what a training run found: losses, attention on the parents and the trained model."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.models import TrainableModel
from causal_theory.tables import Tabular
from causal_theory.training.settings import TrainingSettings
from causal_theory.wording import count

Array = NDArray[np.float64]
TrainingStatus = Literal["finished", "diverged"]


@default_floats
def parent_attention(attention: Array, graph: CausalGraph) -> Array:
    r"""Return the attention of every position on its parents together.

    .. math:: \sum_{p \in \mathrm{parents}(i)} a_{ip}

    Parameters
    ----------
    attention : ndarray, shape (..., T, T)
        Query positions in rows, key positions in columns.
    graph : CausalGraph
        A graph on T positions.

    Returns
    -------
    ndarray, shape (..., T)
        NaN for roots.

    Examples
    --------
    >>> parent_attention(np.eye(4), CausalGraph.chain(4))
    array([nan,  0.,  0., nan])
    """
    found = np.full(attention.shape[:-1], np.nan)
    for i, parents in enumerate(graph.parents):
        if parents:
            found[..., i] = attention[..., i, parents].sum(axis=-1)
    return found


@default_floats
def slot_attention(attention: Array, graph: CausalGraph) -> Array:
    r"""Return the attention of every position on each of its parents.

    Parent number s of a position, in the order in which the graph lists them, is in slot s.

    .. math:: [s, i] = a_{i p_s(i)}

    Parameters
    ----------
    attention : ndarray, shape (..., T, T)
        Query positions in rows, key positions in columns.
    graph : CausalGraph
        A graph on T positions, which have at most k parents; k = 1 for a graph without edges.

    Returns
    -------
    ndarray, shape (..., k, T)
        NaN where a position has fewer parents.

    Examples
    --------
    >>> slot_attention(np.eye(4), CausalGraph.ngram(4, 2))
    array([[nan, nan,  0.,  0.],
           [nan, nan,  0.,  0.]])
    """
    slots = max(1, *map(len, graph.parents))
    found = np.full((*attention.shape[:-2], slots, graph.length), np.nan)
    for i, parents in enumerate(graph.parents):
        found[..., : len(parents), i] = attention[..., i, parents]
    return found


@default_floats
def match_heads(on_slots: Array) -> NDArray[np.int64]:
    r"""Return the head of each slot: no head has two of them, and mean attention is largest in sum.

    .. math:: \arg\max_{\sigma} \sum_s \mathrm{mean}_i \, a^{\sigma(s)}_{i p_s(i)}

    The names of heads mean nothing, those of parents do: a transition tensor takes its parents in order.

    Parameters
    ----------
    on_slots : ndarray, shape (H, k, T)
        See :func:`slot_attention`.

    Returns
    -------
    ndarray of int64, shape (k,)
        Numbers of heads from 0 on; -1 for slots that are left when there are fewer heads.

    Examples
    --------
    >>> match_heads(np.array([[[np.nan, 0.1], [np.nan, 0.8]], [[np.nan, 0.6], [np.nan, 0.7]]]))
    array([1, 0])
    """
    from scipy.optimize import linear_sum_assignment  # takes long to load

    seen = np.isfinite(on_slots)
    means = np.where(seen, on_slots, 0.0).sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1)
    heads, slots = linear_sum_assignment(means, maximize=True)
    matched = np.full(on_slots.shape[1], -1, dtype=np.int64)
    matched[slots] = heads
    return matched


@dataclass(frozen=True, eq=False)
class TrainingRun(Tabular, Shown):
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
        ``"uniform"``; where the target has several parents also ``"counts_parent_1"``, ..., which count by one alone.
    status : {"finished", "diverged"}
        ``"diverged"``: the loss or a parameter was not finite.
    diverged_at : int
        The step at which it was, -1 when none.
    graph : CausalGraph
        The graph of the task.
    versions : tuple of str
        Of a run with a checkpoint: the version of the package with the first digits of the digest of the code, NumPy,
        numba and Python; several, in their order, when the run was resumed by others.
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
    versions: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table, one row for each measurement on the held-out sequences."""
        return {"step": self.snapshot_steps, "test_loss": self.test_losses, "test_error": self.test_errors}

    @property
    @default_floats
    def test_loss(self) -> Estimate:
        """Loss on the held-out sequences at the end, with its standard error."""
        return Estimate(np.array(self.test_losses[-1]), np.array(self.test_errors[-1]), "monte_carlo")

    @property
    def attention_on_parents(self) -> Array:
        """Attention on the parents at the end, shape (H, T), of several parents the sum; NaN for roots."""
        return parent_attention(self.attention[-1], self.graph)

    @property
    def attention_on_slots(self) -> Array:
        """Attention on each parent at the end, shape (H, k, T), NaN where a position has fewer parents."""
        return slot_attention(self.attention[-1], self.graph)

    @property
    def matched_heads(self) -> NDArray[np.int64]:
        """The head matched to each parent, shape (k,), by largest mean attention; -1 when none is left."""
        return match_heads(self.attention_on_slots)

    @property
    def matched_names(self) -> list[str]:
        """The matched head, in words."""
        return [f"head {head + 1}" if head >= 0 else "no head left" for head in self.matched_heads.tolist()]

    @property
    @default_floats
    def matched_attention(self) -> Array:
        """Attention on each parent of the head that is matched to it, shape (k, T); 0 when none is left."""
        found = slot_attention(np.zeros((self.graph.length, self.graph.length)), self.graph)
        on_slots = self.attention_on_slots
        for slot, head in enumerate(match_heads(on_slots).tolist()):
            if head >= 0:
                found[slot] = on_slots[head, slot]
        return found

    @property
    def excess(self) -> float:
        """Loss on the held-out sequences at the end minus their entropy floor, in nats."""
        return float(self.test_losses[-1] - self.baselines["floor"])

    def __repr__(self) -> str:
        """Return one line: status, loss beside its baselines, attention on the parents."""
        versions = f", computed by {len(self.versions)} versions" if len(self.versions) > 1 else ""
        told = f"{self._losses_text}, mean attention on parents {self.mean_attention_text}{versions}"
        return f"TrainingRun({self.ending}, {told})"

    @property
    def ending(self) -> str:
        """The end of the run and the number of its steps, in words."""
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
    @default_floats
    def mean_attention_text(self) -> str:
        """Attention at the end on all parents, mean over positions, in words when there is none."""
        on_parents = self.matched_attention if self.attention.size else np.zeros(0)
        seen = on_parents[np.isfinite(on_parents)]
        return f"{seen.mean():.3f}" if seen.size else "none"


def best_attention(run: TrainingRun) -> Array:
    """Return the attention at the end on each parent, shape (k, T), NaN where a position has fewer parents.

    Of several parents it is that of the matched head; of one that of the head that gives most, position by position. A
    model without heads has none, NaN.
    """
    if not len(run.attention[-1]):
        return np.full_like(run.matched_attention, np.nan)
    if run.graph.is_forest:
        best: Array = run.attention_on_parents.max(axis=0, keepdims=True)
        return best
    return run.matched_attention
