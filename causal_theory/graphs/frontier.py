"""The frontier of a graph: the tokens to remember when all are visited from left to right.

Before position i the frontier holds the earlier positions whose tokens are still needed: as parents of i or of a later
position, or because they are asked for at the end. A sum over all sequences is then a product of transfers between the
``S^m`` combinations of tokens on a frontier of m positions. A chain has a frontier of one position, an order-k chain
one of k, whatever its length.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class FrontierStep:
    """One position and the frontier around it.

    Attributes
    ----------
    position : int
        The position whose token is added.
    parents : tuple of int
        Places of its parents in the frontier before it.
    before : tuple of int
        Positions of the frontier before it, ascending.
    keep : tuple of int
        Places, in the frontier before it extended by the position itself, of what stays.
    """

    position: int
    parents: tuple[int, ...]
    before: tuple[int, ...]
    keep: tuple[int, ...]

    @property
    def kind(self) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
        """The data of a transfer apart from the law of the token: steps of one kind share their tables."""
        return self.parents, len(self.before), self.keep


@dataclass(frozen=True)
class Frontier:
    """A pass over the positions of a graph.

    Attributes
    ----------
    steps : tuple of FrontierStep
        One for each visited position, ascending.
    last : tuple of int
        The frontier at the end: the positions that were asked for, ascending.
    """

    steps: tuple[FrontierStep, ...]
    last: tuple[int, ...]

    @cached_property
    def width(self) -> int:
        """Largest number of positions that are held at a time, the new one included."""
        return max(len(step.before) + 1 for step in self.steps)


def find_frontier(parents: Sequence[Sequence[int]], kept: Collection[int], *, ancestors_only: bool = False) -> Frontier:
    """Return the pass that ends with the tokens at ``kept``.

    Parameters
    ----------
    parents : sequence of sequences of int
        Parents of each position.
    kept : collection of int
        Positions that are asked for at the end.
    ancestors_only : bool
        Visit these positions and their ancestors only: enough for their joint law.

    Examples
    --------
    >>> from causal_theory import CausalGraph
    >>> find_frontier(CausalGraph.ngram(50, 3).parents, (48, 49)).width
    4
    >>> [step.position for step in find_frontier(CausalGraph.star(6).parents, (3,), ancestors_only=True).steps]
    [0, 3]
    """
    visited = set(range(len(parents)))
    if ancestors_only:
        visited = set(kept)
        for i in reversed(range(len(parents))):
            if i in visited:
                visited.update(parents[i])
    last_use = {i: i for i in visited}
    for i in visited:
        for parent in parents[i]:
            last_use[parent] = max(last_use[parent], i)
    for i in kept:
        last_use[i] = len(parents)
    steps: list[FrontierStep] = []
    held: tuple[int, ...] = ()
    for i in sorted(visited):
        extended = (*held, i)
        keep = tuple(place for place, position in enumerate(extended) if last_use[position] > i)
        steps.append(FrontierStep(i, tuple(held.index(parent) for parent in parents[i]), held, keep))
        held = tuple(extended[place] for place in keep)
    return Frontier(tuple(steps), held)
