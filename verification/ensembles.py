"""Graphs and transition matrices that several claims use."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, InContextTask, OrbitPrior, PointPrior
from causal_theory.chains import chi2_matrix
from causal_theory.graphs.by_name import graph_by_name

Array = NDArray[np.float64]

FAMILIES = ("chain", "pairs", "binary tree", "random forest")
"""Graph families whose effective length grows with T."""

STAR = "star"
"""The family whose effective length does not."""

GAMMA = 0.1
"""The constant of the assumptions on the prior: ``min pi >= GAMMA / S`` and ``||B||_F >= GAMMA``."""


def family_graph(name: str, length: int, rng: np.random.Generator) -> CausalGraph:
    """Return a graph of a named family, at least three tokens long; random forests have at least one edge."""
    if length < 3:
        raise ValueError(f"length must be at least 3, got {length}")
    graph = graph_by_name(name.replace(" ", "-"), length, rng=rng)
    return graph if graph.edges else family_graph(name, length, rng)


def other_graph(graph: CausalGraph, rng: np.random.Generator) -> CausalGraph:
    """Return a random forest of the same length without a common edge, for controls."""
    if graph.edges and graph.length < 4:
        raise ValueError(f"length must be at least 4, got {graph.length}")
    other = family_graph("random forest", graph.length, rng)
    return other_graph(graph, rng) if set(other.edges) & set(graph.edges) else other


def trace_one_matrix(size: int, rng: np.random.Generator) -> Array:
    """Return a random matrix whose orbit satisfies all four assumptions with the constant ``GAMMA``.

    Rows are Dirichlet draws of concentration 1 or 0.3 (an even chance). The diagonal is divided by its sum, which makes
    the trace one, and the rest of each row is scaled to what is left. Mixing in the share ``GAMMA`` of the uniform
    matrix keeps the trace and bounds the entries. Matrices with ``||B||_F < GAMMA`` are drawn again. Two symbols with
    trace 1 would have independent tokens, so at least three are needed.
    """
    if size < 3:
        raise ValueError(f"size must be at least 3, got {size}")
    while True:
        rows = rng.dirichlet(np.full(size, rng.choice([1.0, 0.3])), size=size)
        diagonal = np.diagonal(rows) / np.trace(rows)
        np.fill_diagonal(rows, 0.0)
        rest = rows.sum(axis=1)
        if rest.min() <= 0.0:
            continue
        rows *= ((1.0 - diagonal) / rest)[:, None]
        matrix: Array = (1.0 - GAMMA) * (rows + np.diag(diagonal)) + GAMMA / size
        if np.linalg.norm(chi2_matrix(matrix)) >= GAMMA:
            return matrix


def _near_deterministic(size: int, rng: np.random.Generator) -> Array:
    """Each symbol has one likely successor, any; all else has a probability between 1e-13 and 1e-3."""
    tiny = 10.0 ** rng.uniform(-13.0, -3.0)
    matrix = np.full((size, size), tiny)
    matrix[np.arange(size), rng.integers(0, size, size)] = 1.0 - (size - 1) * tiny
    return matrix


def _near_permutation(size: int, rng: np.random.Generator) -> Array:
    """Blend a cycle of the symbols with very little noise: information hardly fades with the distance."""
    share = 10.0 ** rng.uniform(-13.0, -2.0)
    cycle = np.roll(np.eye(size), 1, axis=1)
    return np.asarray((1.0 - share) * cycle + share * rng.dirichlet(np.ones(size), size=size))


def _near_independent(size: int, rng: np.random.Generator) -> Array:
    """Rows that hardly differ: all informations are tiny."""
    share = 10.0 ** rng.uniform(-6.0, -1.0)
    return np.asarray((1.0 - share) / size + share * rng.dirichlet(np.ones(size), size=size))


KINDS: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "generic": lambda size, rng: rng.dirichlet(np.full(size, rng.choice([0.5, 1.0, 3.0])), size=size),
    "sparse": lambda size, rng: rng.dirichlet(np.full(size, 0.1), size=size),
    "near-deterministic": _near_deterministic,
    "near-permutation": _near_permutation,
    "near-independent": _near_independent,
}
"""Kinds of random transition matrices."""


PRIORS = {"orbit": "orbit priors of trace 1", "point": "point priors"}
"""Kinds of priors of random tasks, the first of which meets all assumptions, and what reports call them."""


def random_task(family: str, length: int, kind: str, size: int, rng: np.random.Generator) -> InContextTask:
    """Draw a graph and a prior, of a kind in ``PRIORS``."""
    graph = family_graph(family, length, rng)
    if kind == "orbit":
        return InContextTask(graph, OrbitPrior(trace_one_matrix(size, rng)))
    return InContextTask(graph, PointPrior(KINDS["generic"](size, rng)))


def random_size(rng: np.random.Generator, lengths: tuple[int, int], sizes: tuple[int, int]) -> tuple[int, int]:
    """Return a random length T and number of symbols S, both bounds included."""
    return int(rng.integers(lengths[0], lengths[1] + 1)), int(rng.integers(sizes[0], sizes[1] + 1))
