"""Conditions of the theorem on an instance, decided in rational arithmetic with the constant gamma of the claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from causal_theory import CausalGraph
from causal_theory.certificates.rationals import Matrix, stationary_law

GAMMA = Fraction(1, 10)
"""The constant of the lower bound and of non-degeneracy, the same as in the other claims."""

LARGEST_EPSILON = Fraction(1, 10)
SHORTEST = 8
FEWEST_TOKENS = Fraction(3, 2)
"""Tokens per leaf of the tree with the most leaves: about 2 on a binary tree, 1 on a star, T on a chain."""

CONDITIONS = ("constant_mean", "non_degeneracy", "lower_bound", "mixing", "effective_length", "small_epsilon", "length")
"""Assumptions on the prior first; that of symmetry holds for every orbit."""


@dataclass(frozen=True)
class Condition:
    """One of ``CONDITIONS``, whether an instance satisfies it, and the number that decides, as a fraction."""

    name: str
    holds: bool
    witness: str


def check_conditions(graph: CausalGraph, transition: Matrix, epsilon: Fraction) -> tuple[Condition, ...]:
    r"""Check ``CONDITIONS`` in turn on the orbit of a matrix (S, S), a forest and epsilon, without any rounding.

    ``mixing`` asks that the second singular value of B is below ``1 - gamma/S``. The lower bound implies it: the joint
    law of a parent and its child is at least ``gamma/S`` times the product of their laws, and the rest of it cannot be
    more than fully correlated.

    Examples
    --------
    >>> from causal_theory import CausalGraph
    >>> half = Fraction(1, 2)
    >>> found = check_conditions(CausalGraph.chain(9), ((half, half), (half, half)), Fraction(1, 100))
    >>> [(one.name, one.witness) for one in found if not one.holds]
    [('non_degeneracy', '||B||^2 = 0')]
    """
    size, law = len(transition), stationary_law(transition)
    trace = sum((transition[a][a] for a in range(size)), Fraction(0))
    smallest = size * min(entry for row in transition for entry in row)
    seen = [a for a in range(size) if law[a]]
    norm = sum((law[a] * transition[a][b] ** 2 / law[b] for a in seen for b in seen), Fraction(-1))
    shown = str(norm) if len(str(norm)) <= 16 else f"about {float(norm):.3g}"
    bound = 1 - GAMMA / size
    mixes = _below(transition, law, seen, bound)
    tokens = Fraction(graph.length, _most_leaves(graph))
    return (
        Condition("constant_mean", trace == 1, f"trace = {trace}"),
        Condition("non_degeneracy", norm >= GAMMA**2, f"||B||^2 = {shown}"),
        Condition("lower_bound", smallest >= GAMMA, f"S min pi = {smallest}"),
        Condition("mixing", mixes, f"lambda {'<' if mixes else '>='} {bound}"),
        Condition("effective_length", tokens >= FEWEST_TOKENS, f"T / leaves = {tokens}"),
        Condition("small_epsilon", epsilon <= LARGEST_EPSILON, f"epsilon = {epsilon}"),
        Condition("length", graph.length >= SHORTEST, f"T = {graph.length}"),
    )


def _below(transition: Matrix, law: Sequence[Fraction], seen: Sequence[int], bound: Fraction) -> bool:
    """Whether every singular value of B is below the bound.

    With ``D = diag(mu)`` that is so exactly if ``bound^2 D - (pi^T D pi - mu mu^T)``, which is congruent to
    ``bound^2 I - B^T B`` and rational, is positive definite: if elimination meets positive pivots only.
    """
    rows = [
        [
            bound**2 * law[b] * (b == c)
            + law[b] * law[c]
            - sum(law[a] * transition[a][b] * transition[a][c] for a in seen)
            for c in seen
        ]
        for b in seen
    ]
    for k, row in enumerate(rows):
        if row[k] <= 0:
            return False
        for below in rows[k + 1 :]:
            share = below[k] / row[k]
            below[:] = [entry - share * over for entry, over in zip(below, row, strict=True)]
    return True


def _most_leaves(graph: CausalGraph) -> int:
    """Return the number of leaves of the tree of the context that has most; a lone root is one."""
    parents = [entry[0] if entry else -1 for entry in graph.parents[:-1]]
    inner = set(parents)
    root = list(range(len(parents)))
    leaves = [0] * len(parents)
    for i, parent in enumerate(parents):
        root[i] = i if parent < 0 else root[parent]
        leaves[root[i]] += i not in inner
    return max(leaves)
