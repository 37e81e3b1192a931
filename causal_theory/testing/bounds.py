"""Bounds of the sizes that are drawn."""

import numpy as np
from hypothesis import strategies as st

from causal_theory.errors import InvalidArgumentError
from causal_theory.validation import check_integer

MOST_DRAWN = 256
"""Most parents, or entries, that Hypothesis decides one by one: it gives up on examples of some thousands."""

LONGEST = 100_000
"""Longest graph that is drawn."""

MOST_ENTRIES = 2**22
"""Most entries of an array that is drawn, so that a wrong number does not fill the memory."""


def check_range(
    low_name: str, low: object, high_name: str, high: object, minimum: int, maximum: int
) -> tuple[int, int]:
    """Return two bounds that are integers in order."""
    smallest = check_integer(low_name, low, minimum)
    return smallest, check_integer(high_name, high, smallest, maximum)


def check_lengths(low: object, high: object) -> tuple[int, int]:
    """Return bounds of T."""
    return check_range("min_length", low, "max_length", high, 2, LONGEST)


def check_sizes(low: object, high: object) -> tuple[int, int]:
    """Return bounds of the number of symbols whose square matrices are not too large."""
    return check_range("min_size", low, "max_size", high, 2, int(MOST_ENTRIES**0.5))


def check_entries(size_name: str, size: int, parents_name: str, parents: int) -> None:
    """Refuse a transition tensor that is too large."""
    # The number of axes is bounded first, so that no power is computed that has millions of digits.
    if parents >= MOST_ENTRIES.bit_length() or size ** (parents + 1) > MOST_ENTRIES:
        raise InvalidArgumentError(
            f"{size_name} ** ({parents_name} + 1), the entries of a transition tensor, must be at most {MOST_ENTRIES}, "
            f"got {size_name} = {size} and {parents_name} = {parents}"
        )


def seeded(draw: st.DrawFn) -> np.random.Generator:
    """Return a generator with a drawn seed, for what is too large to be drawn piece by piece."""
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
