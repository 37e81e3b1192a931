"""Draw sequences of a graph whose transition tensors follow a prior, anew for each sequence."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import stationary_distributions
from causal_theory.graphs import CausalGraph
from causal_theory.priors.base import Prior
from causal_theory.priors.laws import draw_laws

RootLaw = Literal["stationary", "uniform"]
"""The law of a root: the stationary law of the drawn transition matrix, or uniform."""

Array = NDArray[np.float64]


def draw_sequences(
    prior: Prior, graph: CausalGraph, root_law: str | None, count: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return tokens (n, T), targets (n, S) and the tensors (n, ..., S) that the targets follow.

    Examples
    --------
    >>> from causal_theory import PointPrior
    >>> prior, generator = PointPrior([[0.0, 1.0], [1.0, 0.0]]), np.random.default_rng(0)
    >>> draw_sequences(prior, CausalGraph.from_parents([-1, 0]), "uniform", 2, generator)[0][:, :2]
    array([[1, 0],
           [0, 1]])
    """
    drawn = draw_laws(prior, count, graph.in_degrees, generator)
    # Of one law for all sequences, seen n times, one copy is enough.
    shared = all(tensors.strides[0] == 0 for tensors in drawn.values())
    used = {k: tensors[:1] if shared else tensors for k, tensors in drawn.items()}
    owner = np.zeros(count, dtype=np.intp) if shared else np.arange(count)
    steps = {k: _cumulative(tensors) for k, tensors in used.items()}
    size = prior.vocab_size
    if root_law == "uniform":
        roots = _cumulative(np.full((len(next(iter(used.values()))), size), 1.0 / size))
    else:
        roots = _cumulative(stationary_distributions(used[1]))
    tokens = np.empty((count, graph.length), dtype=np.int64)
    for i, parents in enumerate(graph.parents):
        if parents:
            tokens[:, i] = _draw(steps[len(parents)][owner, *(tokens[:, parent] for parent in parents)], generator)
        elif i == graph.length - 1:
            tokens[:, i] = generator.integers(size, size=count)
        else:
            tokens[:, i] = _draw(roots[owner], generator)
    degree = len(graph.target_parents)
    targets = used[degree][owner, *(tokens[:, parent] for parent in graph.target_parents)]
    return tokens, targets, drawn[degree]


def _cumulative(laws: Array) -> Array:
    """Cumulative sums along the last axis, exactly one from the last possible symbol on."""
    sums: Array = np.cumsum(laws, axis=-1)
    sums /= sums[..., -1:]
    return sums


def _draw(cumulative: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw one symbol from each row of `_cumulative`, by inversion: the first whose sum exceeds a uniform < 1."""
    uniform = generator.random(len(cumulative))
    return np.asarray((cumulative <= uniform[:, np.newaxis]).sum(axis=1), dtype=np.int64)
