"""Strategies that draw forests and graphs with several parents."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs import CausalGraph
from causal_theory.testing.bounds import MOST_DRAWN, MOST_ENTRIES, check_lengths, seeded
from causal_theory.validation import check_integer


@st.composite
def _forest(draw: st.DrawFn, smallest: int, largest: int) -> CausalGraph:
    length = draw(st.integers(smallest, largest), label="T")
    if length > MOST_DRAWN:
        share = draw(st.sampled_from([0.0, 0.01, 0.3, 0.9]), label="share of roots")
        return CausalGraph.random_forest(length, share, seeded(draw))
    return CausalGraph.from_parents([draw(st.integers(-1, i - 1)) for i in range(length - 1)])


def forests(*, min_length: int = 2, max_length: int = 8) -> st.SearchStrategy[CausalGraph]:
    """Draw forests in which each position is a root or follows any earlier one.

    Parameters
    ----------
    min_length, max_length : int
        Bounds of T, the query included; at least 2. Examples shrink towards short graphs without edges.

    Returns
    -------
    SearchStrategy of CausalGraph
        Every forest of these lengths has a positive probability; the query is appended as a root.

    Raises
    ------
    InvalidArgumentError
        If ``2 <= min_length <= max_length <= 100000`` does not hold.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(forests(max_length=5))
    ... def check(graph):
    ...     assert graph.is_forest and graph.has_query and 2 <= graph.length <= 5
    >>> check()
    """
    return _forest(*check_lengths(min_length, max_length))


@st.composite
def _causal_graph(draw: st.DrawFn, lengths: tuple[int, int], most: int) -> CausalGraph:
    length = draw(st.integers(*lengths), label="T")
    if length * min(most, length) > MOST_DRAWN:
        rng = seeded(draw)

        def any_of(positions: int, fewest: int) -> NDArray[np.int64]:
            number = rng.integers(fewest, min(most, positions), endpoint=True)
            return rng.choice(positions, number, replace=False, shuffle=True)

        return CausalGraph([any_of(i, 0) if i else () for i in range(length)], any_of(length, 1))

    def some(positions: int, fewest: int) -> tuple[int, ...]:
        places = st.integers(0, positions - 1)
        return tuple(draw(st.lists(places, unique=True, min_size=fewest, max_size=min(most, positions))))

    return CausalGraph([some(i, 0) if i else () for i in range(length)], some(length, 1))


def causal_graphs(*, min_length: int = 2, max_length: int = 6, max_parents: int = 2) -> st.SearchStrategy[CausalGraph]:
    """Draw graphs in which positions and the target have any parents, in any order.

    Parameters
    ----------
    min_length, max_length : int
        Bounds of T, at least 2. Examples shrink towards short graphs without edges.
    max_parents : int
        Largest number of parents of a position and of the target, at least 1.

    Returns
    -------
    SearchStrategy of CausalGraph
        Every such graph has a positive probability; the last position may have parents, and the target has one or more.

    Raises
    ------
    InvalidArgumentError
        If a bound is too small, a length above 100000, or ``max_length * max_parents`` above 2**22.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(causal_graphs(max_length=4))
    ... def check(graph):
    ...     assert max(graph.in_degrees) <= 2
    >>> check()
    """
    lengths = check_lengths(min_length, max_length)
    most = check_integer("max_parents", max_parents, 1)
    if lengths[1] * min(most, lengths[1]) > MOST_ENTRIES:
        raise InvalidArgumentError(
            f"max_length * max_parents must be at most {MOST_ENTRIES}, got {lengths[1]} * {min(most, lengths[1])}"
        )
    return _causal_graph(lengths, most)
