"""The joint law of some tokens, by whichever exact route is cheaper."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.graphs.frontier import Frontier, find_frontier
from causal_theory.tasks import InContextTask, root_law_at
from causal_theory.token_laws.elimination import eliminated_law

Array = NDArray[np.float64]

TRANSFER_ENTRIES = 2**20
"""Up to this many states the transfer is taken without looking for a better order."""


def joint_law(task: InContextTask, transitions: Mapping[int, Array], positions: Sequence[int]) -> Array:
    """Return the joint law of the tokens at some positions under given transition tensors.

    Parameters
    ----------
    task : InContextTask
        Any task.
    transitions : mapping of int to ndarray
        The transition tensor for each number of parents.
    positions : sequence of int
        Distinct positions; T stands for the token that the target is the law of.

    Returns
    -------
    ndarray, shape (S,) * len(positions)
        One axis for each position, in the given order.

    Raises
    ------
    TooLargeError
        If neither the frontier nor any elimination order that was found is narrow enough.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior
    >>> either = np.zeros((2, 2, 2))
    >>> either[0, 0, 0] = either[1, 1, 0] = either[0, 1, 1] = either[1, 0, 1] = 1.0  # exclusive or
    >>> task = InContextTask(CausalGraph.ngram(40, 2), PointPrior({2: either}))
    >>> joint_law(task, {2: either}, (40, 39))  # independent of either parent alone
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    wanted = tuple(positions)
    frontier = _frontier(task.graph, wanted)
    if task.vocab_size**frontier.width <= TRANSFER_ENTRIES:
        return _in_order(transferred_law(task, transitions, frontier), wanted)
    parents = parents_with_target(task.graph)
    roots = {i: _root_law(task, transitions, i) for i, entry in enumerate(parents) if not entry}
    return eliminated_law(parents, transitions, roots, wanted, task.vocab_size)


def parents_with_target(graph: CausalGraph) -> tuple[tuple[int, ...], ...]:
    """Return the parents of all positions, then those of the target."""
    return (*graph.parents, graph.target_parents)


@lru_cache(maxsize=4096)
def _frontier(graph: CausalGraph, positions: tuple[int, ...]) -> Frontier:
    return find_frontier(parents_with_target(graph), positions, ancestors_only=True)


def _root_law(task: InContextTask, transitions: Mapping[int, Array], position: int) -> Array:
    if task.root_law == "stationary" and position < task.length - 1:
        return root_law_at(task, transitions[1])
    return np.full(task.vocab_size, 1.0 / task.vocab_size)


def transferred_law(task: InContextTask, transitions: Mapping[int, Array], frontier: Frontier) -> Array:
    """Return the joint law of the tokens at the end of a frontier, one axis for each position, ascending."""
    size = task.vocab_size
    root = _root_law(task, transitions, 0)
    law: Array = np.ones(())
    for step in frontier.steps:
        held = len(step.before)
        is_last = step.position == task.length - 1
        row = transitions[len(step.parents)] if step.parents else np.full(size, 1.0 / size) if is_last else root
        # Axes are the places of the frontier, the new token last.
        operands: Any = (law, list(range(held)), row, [*step.parents, held], [*step.keep])
        law = np.asarray(np.einsum(*operands))
    return law


def _in_order(law: Array, positions: tuple[int, ...]) -> Array:
    """Reorder the axes of a law whose positions ascend."""
    return law.transpose([sorted(positions).index(position) for position in positions])
