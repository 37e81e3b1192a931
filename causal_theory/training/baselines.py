"""What simple predictors lose on given sequences, so that a model can be compared with them on the same sample."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.priors import DirichletPrior, Prior

__all__ = ["natural_smoothing", "sample_baselines"]

Array = NDArray[np.float64]


def natural_smoothing(prior: Prior) -> float:
    """Return the constant of the counts rules: the concentration of a Dirichlet prior, 1 for others."""
    return prior.concentration if isinstance(prior, DirichletPrior) else 1.0


def sample_baselines(
    graph: CausalGraph, tokens: NDArray[np.int64], targets: Array, smoothing: float
) -> dict[str, float]:
    """Return the mean losses, in nats, of four predictors on a sample.

    ``"floor"`` knows the target; ``"counts"`` counts what followed the query along the edges (roots are skipped);
    ``"unigram"`` counts the context tokens; ``"uniform"`` knows nothing.
    """
    count, size = targets.shape
    parents = graph.parent_array
    children = np.flatnonzero(parents >= 0)
    rows = np.arange(count)
    followed, seen = np.zeros((count, size)), np.zeros((count, size))
    for child in children.tolist():
        np.add.at(followed, (rows, tokens[:, child]), tokens[:, parents[child]] == tokens[:, -1])
    for i in range(graph.length - 1):
        np.add.at(seen, (rows, tokens[:, i]), 1.0)
    logs = np.log(targets, out=np.zeros_like(targets), where=targets > 0.0)
    return {
        "floor": float(-(targets * logs).sum(axis=1).mean()),
        "counts": _loss(followed, targets, smoothing),
        "unigram": _loss(seen, targets, smoothing),
        "uniform": float(np.log(size)),
    }


def _loss(counts: Array, targets: Array, smoothing: float) -> float:
    guess = (counts + smoothing) / (counts.sum(axis=1, keepdims=True) + counts.shape[1] * smoothing)
    return float(-(targets * np.log(guess)).sum(axis=1).mean())
