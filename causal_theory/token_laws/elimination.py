"""The joint law of some tokens as a contraction of the transition tensors, in an order found by opt_einsum."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import TooLargeError
from causal_theory.floats import default_floats
from causal_theory.graphs.frontier import find_frontier

Array = NDArray[np.float64]

MAX_ENTRIES = 2**25
"""Largest intermediate array of an elimination: 256 MiB."""

ELIMINATION_REMEDY = "draw sequences with InContextTask.sample and count instead (Monte Carlo)"


@default_floats
def eliminated_law(
    parents: Sequence[Sequence[int]],
    transitions: Mapping[int, Array],
    root_laws: Mapping[int, Array],
    positions: Sequence[int],
    vocab_size: int,
) -> Array:
    """Return the joint law of the tokens at some positions, by variable elimination.

    Parameters
    ----------
    parents : sequence of sequences of int
        Parents of each position.
    transitions : mapping of int to ndarray
        The transition tensor for each number of parents.
    root_laws : mapping of int to ndarray
        The law of each root.
    positions : sequence of int
        Distinct positions.
    vocab_size : int
        S.

    Returns
    -------
    ndarray, shape (S,) * len(positions)
        One axis for each position, in the given order.

    Raises
    ------
    TooLargeError
        If every order that was found has an intermediate array with more than 2^25 entries.

    Examples
    --------
    >>> import numpy as np
    >>> copy = np.eye(2)
    >>> eliminated_law([(), (0,)], {1: copy}, {0: np.array([0.25, 0.75])}, (1, 0), 2)
    array([[0.25, 0.  ],
           [0.  , 0.75]])
    """
    contract, factors, width = _plan(tuple(map(tuple, parents)), tuple(positions), vocab_size)
    if vocab_size**width > MAX_ENTRIES:
        raise TooLargeError(
            f"the graph must allow an elimination with arrays of at most {MAX_ENTRIES} entries, got width {width}: "
            f"{vocab_size}^{width} = {vocab_size**width} entries; {ELIMINATION_REMEDY}"
        )
    operands = [transitions[len(parents[i])] if parents[i] else root_laws[i] for i in factors]
    law: Array = np.asarray(contract(*operands))
    return law


@lru_cache(maxsize=4096)
def _plan(
    parents: tuple[tuple[int, ...], ...], positions: tuple[int, ...], vocab_size: int
) -> tuple[Any, list[int], int]:
    """Return the contraction, the positions whose factors it takes, and the width of its largest array."""
    import opt_einsum

    # What is no ancestor sums to one.
    factors = [step.position for step in find_frontier(parents, positions, ancestors_only=True).steps]
    inputs = ["".join(opt_einsum.get_symbol(v) for v in (*parents[i], i)) for i in factors]
    output = "".join(opt_einsum.get_symbol(i) for i in positions)
    shapes = [(vocab_size,) * len(indices) for indices in inputs]
    contract = opt_einsum.contract_expression(f"{','.join(inputs)}->{output}", *shapes, optimize="auto")
    largest = 0
    for _, _, equation, _, _ in contract.contraction_list:
        operands, result = equation.split("->")
        largest = max(largest, len(result), *map(len, operands.split(",")))
    return contract, factors, max(largest, len(positions))
