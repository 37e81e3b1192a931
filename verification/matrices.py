"""Transition matrices and graphs that several claims use."""

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph

__all__ = ["FAMILIES", "family", "near_deterministic", "random_matrix", "trace_one"]

Array = NDArray[np.float64]

FAMILIES = ("chain", "pairs", "binary tree", "random forest")
"""Graph families whose effective length grows with T; the star is treated apart."""


def family(name: str, length: int, rng: np.random.Generator) -> CausalGraph:
    """Return the graph of a named family."""
    makers = {
        "chain": CausalGraph.chain,
        "pairs": CausalGraph.pairs,
        "binary tree": CausalGraph.binary_tree,
        "star": CausalGraph.star,
    }
    if name == "random forest":
        return CausalGraph.random_forest(length, 0.5, rng)
    return makers[name](length)


def trace_one(size: int, rng: np.random.Generator) -> Array:
    """Return a random matrix with trace 1, so that its orbit has mean 11^T/S.

    The diagonal is a point of the simplex; the rest of each row is a Dirichlet draw scaled to fill it up. At least
    three symbols: two with trace 1 have second eigenvalue 0, and tokens would be independent.
    """
    rest = rng.dirichlet(np.full(size, rng.choice([0.3, 1.0, 3.0])), size)
    np.fill_diagonal(rest, 0.0)
    diagonal = rng.dirichlet(np.ones(size))
    rest *= ((1.0 - diagonal) / rest.sum(axis=1))[:, None]
    rest += np.diag(diagonal)
    rest /= rest.sum(axis=1, keepdims=True)
    return rest


def near_deterministic(size: int, rng: np.random.Generator) -> Array:
    """Return a cyclic permutation of the symbols blended with a little noise, so that it stays irreducible."""
    order = rng.permutation(size)
    step = np.zeros((size, size))
    step[order, np.roll(order, 1)] = 1.0
    noise = 10.0 ** rng.uniform(-12.0, -2.0)
    matrix: Array = (1.0 - noise) * step + noise * rng.dirichlet(np.ones(size), size)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


def random_matrix(size: int, rng: np.random.Generator) -> Array:
    """Return a random matrix: flat, spiky or nearly deterministic."""
    kind = rng.integers(3)
    if kind == 0:
        return near_deterministic(size, rng)
    concentration = 1.0 if kind == 1 else 0.2
    matrix: Array = rng.dirichlet(np.full(size, concentration), size)
    return matrix
