"""Compare what runs have learned with the edge scores of their tasks, one by one and all together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.floats import default_floats
from causal_theory.population.scores import edge_scores
from causal_theory.recovery import EdgeReport
from causal_theory.tasks import InContextTask
from causal_theory.training.run import TrainingRun, best_attention
from causal_theory.validation import SeedLike

Array = NDArray[np.float64]

LOW = 0.25
"""Attention below which an edge counts as not learned, as published."""

LEAST_ROWS = 3
"""Rows from which a rank correlation says anything."""


@dataclass(frozen=True, eq=False)
class TrainingOutcome:
    """A run beside the edge scores of its task.

    Attributes
    ----------
    task : InContextTask
        Where its sequences came from.
    run : TrainingRun
        What was learned.
    scores : EdgeReport or None
        None for a task that has none: those with an independent query on a forest have them.
    """

    task: InContextTask
    run: TrainingRun
    scores: EdgeReport | None

    @property
    def attention(self) -> Array:
        """Attention on each parent (k, T), NaN where a position has fewer."""
        return best_attention(self.run)

    @property
    def weights(self) -> Array:
        """The same, one number for each edge."""
        attention = self.attention
        return attention[~np.isnan(attention)]

    @property
    def margin(self) -> Array:
        """Margin of the edge scores (T,), NaN where unknown."""
        return np.full(self.task.length, np.nan) if self.scores is None else self.scores.margin

    @property
    def correlation(self) -> tuple[float | None, float | None]:
        """Rank correlation of margin and attention with its p-value."""
        return rank_correlation(*pool([self]))


@default_floats
def compare_with_scores(task: InContextTask, run: TrainingRun, rng: SeedLike) -> TrainingOutcome:
    """Return a run beside the edge scores of its task at epsilon = 1/T; ``rng`` draws matrices where that is needed."""
    scores = None
    if task.is_single_parent and task.graph.has_query:
        scores = EdgeReport(edge_scores(task, epsilon=1.0 / task.length, rng=rng), task.graph)
    return TrainingOutcome(task, run, scores)


@default_floats
def pool(outcomes: Sequence[TrainingOutcome]) -> tuple[Array, Array]:
    """Return margins and attention of some runs, one number for each position and parent."""
    pairs = [(np.broadcast_to(one.margin, one.attention.shape).ravel(), one.attention.ravel()) for one in outcomes]
    margins, attention = zip(*pairs, strict=True)
    return np.concatenate(margins), np.concatenate(attention)


@default_floats
def rank_correlation(x: Array, y: Array) -> tuple[float | None, float | None]:
    """Return Spearman's rank correlation and its p-value over entries where both are finite, None where undefined."""
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = x[seen], y[seen]
    if len(x) < LEAST_ROWS or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None, None
    from scipy.stats import spearmanr  # takes long to load

    found = spearmanr(x, y)
    return float(found.statistic), float(found.pvalue)


@default_floats
def summarise(outcomes: Sequence[TrainingOutcome]) -> dict[str, Any]:
    """Return attention on the parents over all runs; the spread is that of the means of the graphs."""
    weights = [outcome.weights for outcome in outcomes if len(outcome.weights)]
    whole = np.concatenate(weights) if weights else np.zeros(0)
    means = np.array([part.mean() for part in weights])
    spread = float(means.std(ddof=1)) if len(means) > 1 else None
    correlations = [value for value, _ in (outcome.correlation for outcome in outcomes) if value is not None]
    return {
        "graphs": len(outcomes),
        "edges": len(whole),
        "mean_attention": float(whole.mean()) if len(whole) else None,
        "mean_over_graphs": float(means.mean()) if len(means) else None,
        "standard_deviation": spread,
        "standard_error": None if spread is None else spread / math.sqrt(len(means)),
        "below": int((whole < LOW).sum()),
        "below_what": LOW,
        "mean_rank_correlation": float(np.mean(correlations)) if correlations else None,
        "pooled_rank_correlation": rank_correlation(*pool(outcomes))[0],
    }
