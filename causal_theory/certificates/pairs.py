"""Joint laws of two tokens in rational arithmetic, with their limit scores and informations."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache

from causal_theory.certificates.rationals import Matrix

Joint = Callable[[int, int], Matrix]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return tuple(tuple(sum(x * y for x, y in zip(row, column, strict=True)) for column in columns) for row in left)


def _joint(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]
) -> tuple[list[tuple[Fraction, ...]], Joint]:
    """Return the law of every context token, and a function (j, i) -> P(s_j = a, s_i = b) in rows a and columns b."""
    size = len(law)
    identity = tuple(tuple(Fraction(int(a == b)) for b in range(size)) for a in range(size))
    ancestors: list[list[int]] = []
    laws: list[tuple[Fraction, ...]] = []
    for parent in parents:
        ancestors.append([*ancestors[parent], len(ancestors)] if parent >= 0 else [len(ancestors)])
        laws.append(tuple(law) if parent < 0 else _product((laws[parent],), transition)[0])

    @cache
    def power(steps: int) -> Matrix:
        return identity if steps == 0 else _product(power(steps - 1), transition)

    @cache
    def meeting(top: tuple[Fraction, ...], left: int, right: int) -> Matrix:
        """Law of two tokens that many steps below a common ancestor whose law is ``top``."""
        first = tuple(tuple(top[x] * power(left)[x][a] for x in range(size)) for a in range(size))
        return _product(first, power(right))

    def joint(j: int, i: int) -> Matrix:
        common = [x for x, y in zip(ancestors[j], ancestors[i], strict=False) if x == y]
        if not common:
            return tuple(tuple(p * q for q in laws[i]) for p in laws[j])
        depth = len(common)
        return meeting(laws[common[-1]], len(ancestors[j]) - depth, len(ancestors[i]) - depth)

    return laws, joint


def exact_limit_scores(parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]) -> list[list[Fraction]]:
    """Return the limit of the edge scores at eps = 0, rows of growing length; 0/0 of symbols never seen is 0."""
    length, size = len(parents) + 1, len(law)
    _, joint = _joint(parents, transition, law)
    slope = [[transition[a][b] / law[b] if law[b] else Fraction(0) for b in range(size)] for a in range(size)]
    level = sum(slope[a][b] * law[a] * law[b] for a in range(size) for b in range(size))

    @cache
    def score(matrix: Matrix) -> Fraction:
        terms = (s * p for row, other in zip(slope, matrix, strict=True) for s, p in zip(row, other, strict=True))
        return (sum(terms, Fraction(0)) - level) / size

    rows = [[score(joint(j, i)) for j in range(i + 1)] for i in range(length - 1)]
    own = [slope[a][a] - sum(slope[a][b] * law[b] for b in range(size)) for a in range(size)]
    met = sum((p * x for p, x in zip(law, own, strict=True)), Fraction(0)) / size
    rows.append([met] * (length - 1) + [sum(own, Fraction(0)) / size])
    return rows


def exact_information(parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]) -> list[list[Fraction]]:
    """Return the chi-square information of each pair of different tokens, rows of growing length."""
    length, size = len(parents) + 1, len(law)
    laws, joint = _joint(parents, transition, law)

    @cache
    def information(matrix: Matrix, first: tuple[Fraction, ...], second: tuple[Fraction, ...]) -> Fraction:
        return sum(
            (matrix[a][b] ** 2 / (first[a] * second[b]) for a in range(size) for b in range(size) if matrix[a][b]),
            Fraction(-1),
        )

    rows = [[information(joint(j, i), laws[j], laws[i]) for j in range(i)] for i in range(length - 1)]
    rows.append([Fraction(0)] * (length - 1))
    return rows
