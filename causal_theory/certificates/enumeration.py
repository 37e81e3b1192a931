"""The scores by definition: a sum over all sequences in rational arithmetic, for short ones."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from causal_theory.certificates.rationals import Matrix


def _sequences(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]
) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Yield every context of positive probability with its probability."""
    open_ends: list[tuple[tuple[int, ...], Fraction]] = [((), Fraction(1))]
    while open_ends:
        tokens, chance = open_ends.pop()
        if len(tokens) == len(parents):
            yield tokens, chance
            continue
        parent = parents[len(tokens)]
        row = law if parent < 0 else transition[tokens[parent]]
        open_ends += [((*tokens, symbol), chance * p) for symbol, p in enumerate(row) if p]


def enumerated_scores(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction], epsilon: Fraction
) -> list[list[Fraction]]:
    """Return the edge scores of a forest as fractions, rows of growing length, as :func:`exact_scores` does."""
    length, size = len(parents) + 1, len(law)
    sums = [[Fraction(0)] * (i + 1) for i in range(length)]
    for context, chance in _sequences(parents, transition, law):
        for query in range(size):
            tokens = (*context, query)
            frequency = [Fraction(tokens.count(b), length) for b in range(size)]
            ratio = [transition[query][b] / (frequency[b] + epsilon) for b in range(size)]
            mean = sum(r * c for r, c in zip(ratio, frequency, strict=True))
            pull = [chance * (r - mean) for r in ratio]
            for j, key in enumerate(tokens):
                if key == query:
                    for i in range(j, length):
                        sums[i][j] += pull[tokens[i]]
    return [[entry / size for entry in row] for row in sums]


def enumerated_pairs(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]
) -> dict[tuple[int, int], list[list[Fraction]]]:
    """Return the joint law of each pair of context tokens j <= i, symbols of j in rows."""
    context, size = len(parents), len(law)
    found = {(j, i): [[Fraction(0)] * size for _ in range(size)] for j in range(context) for i in range(j, context)}
    for tokens, chance in _sequences(parents, transition, law):
        for (j, i), joint in found.items():
            joint[tokens[j]][tokens[i]] += chance
    return found
