"""The graph families.

Those of one parent return one parent (-1 for a root) per context position; the query follows as a root. Those of
several parents return the parents of all T positions, and then those of the target.
"""

from dataclasses import dataclass

import numpy as np

from causal_theory.choices import Choice, Registry
from causal_theory.validation import SeedLike, as_generator, check_integer, check_memory, check_probability

Parents = list[tuple[int, ...]]

MINIMUM_LENGTH = 2
"""A context of at least one token, and the query."""


BYTES_PER_POSITION, BYTES_PER_PARENT = 400, 40
"""Memory of a graph, roughly: a tuple and an integer, and what is made of them on the way."""


def _check_length(length: object, least: int = MINIMUM_LENGTH, parents: int = 1) -> int:
    size = check_integer("length", length, least)
    check_memory(f"a graph of length {size}", size * (BYTES_PER_POSITION + parents * BYTES_PER_PARENT))
    return size


def _context_size(length: object) -> int:
    return _check_length(length) - 1


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


def ngram(length: int, order: int) -> tuple[Parents, tuple[int, ...]]:
    """Position i follows the ``order`` positions before it, and so does the target."""
    k = check_integer("order", order, 1)
    size = _check_length(length, max(MINIMUM_LENGTH, k), k)
    whole: Parents = [tuple(range(i - k, i)) if i >= k else () for i in range(size + 1)]
    return whole[:-1], whole[-1]


def binary_tree_and_previous(length: int) -> tuple[Parents, tuple[int, ...]]:
    """Position i follows (i - 1) // 2 and i - 1, from i = 2 on, and so does the target at i = T."""
    size = _check_length(length, parents=2)
    whole: Parents = [((i - 1) // 2, i - 1) if i >= 2 else () for i in range(size + 1)]
    return whole[:-1], whole[-1]


def random_dag(length: int, parents: int, rng: SeedLike) -> tuple[Parents, tuple[int, ...]]:
    """Draw a set of ``parents`` earlier positions, uniformly, for every position that has as many, and the target."""
    k = check_integer("parents", parents, 1)
    size = _check_length(length, max(MINIMUM_LENGTH, k), k)
    generator = as_generator(rng)
    whole: Parents = [() for _ in range(k)]
    for i in range(k, size + 1):
        whole.append(tuple(sorted(generator.choice(i, k, replace=False).tolist())))
    return whole[:-1], whole[-1]


def recursive_forest(length: int, rng: SeedLike) -> list[int]:
    """Draw each parent uniformly from "none" and the earlier positions."""
    size = _context_size(length)
    return [int(parent) for parent in as_generator(rng).integers(-1, np.arange(size))]


@dataclass(frozen=True)
class Family(Choice):
    """A graph family.

    Parameters
    ----------
    is_forest : bool
        Whether positions have at most one parent.
    """

    is_forest: bool = True


FAMILIES = Registry(
    "graph",
    "module:function",
    "chain",
    {
        "chain": Family(chain, help="each token follows the one before it"),
        "pairs": Family(pairs, help="an odd position follows the one before it"),
        "binary-tree": Family(binary_tree, help="position i follows (i - 1) // 2"),
        "star": Family(star, help="every token follows position 0"),
        "random-forest": Family(
            random_forest, {"root_probability": 0.5}, "uniform parents, and each position a root by chance"
        ),
        "recursive-forest": Family(recursive_forest, help='parents uniform among "none" and the earlier positions'),
        "ngram": Family(ngram, {"order": 2}, "position i follows the positions before it", is_forest=False),
        "binary-tree-and-previous": Family(
            binary_tree_and_previous, help="position i follows (i - 1) // 2 and i - 1", is_forest=False
        ),
        "random-dag": Family(random_dag, {"parents": 2}, "uniform sets of parents", is_forest=False),
    },
)
"""The graph families by name: whatever lists or reads them asks here."""
