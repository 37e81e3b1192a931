"""The graph families: each function returns one parent (-1 for a root) per context position."""

import numpy as np

from causal_theory.validation import SeedLike, as_generator, check_integer, check_probability

__all__ = ["binary_tree", "chain", "pairs", "random_forest", "recursive_forest", "star"]

MINIMUM_LENGTH = 2
"""A context of at least one token, and the query."""


def _context_size(length: object) -> int:
    return check_integer("length", length, MINIMUM_LENGTH) - 1


def chain(length: int) -> list[int]:
    """Each token follows the one before it."""
    return list(range(-1, _context_size(length) - 1))


def pairs(length: int) -> list[int]:
    """Roots at even positions; an odd position follows the one before it."""
    return [i - 1 if i % 2 else -1 for i in range(_context_size(length))]


def star(length: int) -> list[int]:
    """Every token follows position 0."""
    return [-1] + [0] * (_context_size(length) - 1)


def binary_tree(length: int) -> list[int]:
    """Position i follows position (i - 1) // 2, as in a binary heap."""
    return [-1] + [(i - 1) // 2 for i in range(1, _context_size(length))]


def random_forest(length: int, root_probability: float, rng: SeedLike) -> list[int]:
    """Draw each parent uniformly from the earlier positions, then turn positions into roots independently."""
    size = _context_size(length)
    probability = check_probability("root_probability", root_probability)
    generator = as_generator(rng)
    parents = generator.integers(0, np.arange(1, size))
    roots = generator.random(size - 1) < probability
    return [-1, *(int(p) for p in np.where(roots, -1, parents))]


def recursive_forest(length: int, rng: SeedLike) -> list[int]:
    """Draw each parent uniformly from "none" and the earlier positions."""
    size = _context_size(length)
    return [int(parent) for parent in as_generator(rng).integers(-1, np.arange(size))]
