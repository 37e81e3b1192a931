"""Edge scores in rational arithmetic: polynomials in z carried along the forest, then the moments of 1/(n/T + eps)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm, prod
from typing import Any

from causal_theory.certificates.polynomials import coefficients, integer
from causal_theory.certificates.rationals import Matrix, integer_matrix

Vector = list[Any]
"""One packed polynomial for each symbol."""


class _Field:
    """The law of the tokens, tilted by z wherever a token equals ``symbol``, in integers.

    Inside messages go from children to parents, outside messages back. Probabilities are multiplied by the common
    denominator of the matrix once for every child, and by that of the law of roots once for every root: ``scale`` in
    all. Every number is a packed polynomial.
    """

    def __init__(self, parents: Sequence[int], transition: Matrix, law: Sequence[Fraction], symbol: int) -> None:
        rows, step = integer_matrix(transition)
        (starts,), start = integer_matrix([law])
        self.parents, self.symbol = parents, symbol
        self.matrix = [[integer(entry) for entry in row] for row in rows]
        self.columns = list(zip(*self.matrix, strict=True))
        self.law = [integer(entry) for entry in starts]
        self.scale = prod(start if parent < 0 else step for parent in parents)
        # No sum of coefficients exceeds the mass of all sequences, once for every symbol of a clamped position.
        self.width = (self.scale * len(law)).bit_length() // 8 + 1
        self.weight = [integer(1 << 8 * self.width) if s == symbol else integer(1) for s in range(len(law))]
        self.children: list[list[int]] = [[] for _ in parents]
        self.root = list(range(len(parents)))
        for child, parent in enumerate(parents):
            if parent >= 0:
                self.children[parent].append(child)
                self.root[child] = self.root[parent]
        self.inside: dict[int, Vector] = {}
        self.messages: dict[int, Vector] = {}
        for node in range(len(parents) - 1, -1, -1):
            self.inside[node] = self._inside(node, self.messages)
            if parents[node] >= 0:
                self.messages[node] = _apply(self.matrix, self.inside[node])
        self.totals = {r: self._total(self.inside[r]) for r in range(len(parents)) if parents[r] < 0}
        self.everything = prod(self.totals.values())
        self.marginals = self._marginals(range(len(parents)), self.inside, self.messages)

    def _inside(self, node: int, messages: Mapping[int, Vector]) -> Vector:
        """Return the tilt of a node times what its children say."""
        heard = [messages[child] for child in self.children[node]]
        return [prod((message[x] for message in heard), start=weight) for x, weight in enumerate(self.weight)]

    def _total(self, inside: Vector) -> Any:
        return sum(p * m for p, m in zip(self.law, inside, strict=True))

    def _marginals(
        self,
        nodes: Sequence[int],
        inside: Mapping[int, Vector],
        messages: Mapping[int, Vector],
    ) -> dict[int, Vector]:
        """Return for each node, and each of its symbols, the polynomial of its tree; parents come before children."""
        outside: dict[int, Vector] = {}
        for node in nodes:
            parent = self.parents[node]
            if parent < 0:
                outside[node] = self.law
                continue
            siblings = [messages[other] for other in self.children[parent] if other != node]
            known = [
                prod((message[x] for message in siblings), start=outside[parent][x] * weight)
                for x, weight in enumerate(self.weight)
            ]
            outside[node] = _apply(self.columns, known)
        return {node: [o * m for o, m in zip(outside[node], inside[node], strict=True)] for node in nodes}

    def clamped(self, node: int) -> Iterator[tuple[int, Vector]]:
        """Yield each position up to ``node`` with its polynomials by its symbol, where ``node`` has the symbol.

        Only what ``node`` tells its ancestors differs from the free field: its descendants come later.
        """
        tree = [k for k in range(node + 1) if self.root[k] == self.root[node]]
        inside, messages = dict(self.inside), dict(self.messages)
        inside[node] = [m if s == self.symbol else 0 for s, m in enumerate(self.inside[node])]
        below = node
        while self.parents[below] >= 0:
            messages[below] = _apply(self.matrix, inside[below])
            below = self.parents[below]
            inside[below] = self._inside(below, messages)
        mine = self._total(inside[self.root[node]])
        joint = self._marginals(tree, inside, messages)
        rest = self.everything // self.totals[self.root[node]]
        for other in range(node + 1):
            if self.root[other] == self.root[node]:
                yield other, [found * rest for found in joint[other]]
            else:
                outer = mine * (rest // self.totals[self.root[other]])
                yield other, [outer * found for found in self.marginals[other]]


def _apply(matrix: Sequence[Sequence[Any]], vector: Vector) -> Vector:
    return [sum(p * m for p, m in zip(row, vector, strict=True)) for row in matrix]


class _Moments:
    """The functional ``F -> sum_n F_n / ((n + shift)/T + eps)`` in integers over one common denominator."""

    def __init__(self, length: int, epsilon: Fraction, width: int) -> None:
        values = [1 / (Fraction(n, length) + epsilon) for n in range(length + 1)]
        self.denominator = lcm(*(value.denominator for value in values))
        self.weights = [int(value * self.denominator) for value in values]
        self.width = width

    def __call__(self, packed: Any, shift: int) -> int:
        return sum(f * w for f, w in zip(coefficients(packed, self.width), self.weights[shift:], strict=False))


def exact_scores(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction], epsilon: Fraction
) -> list[list[Fraction]]:
    """Return the edge scores of a forest as fractions, rows of growing length.

    ``parents`` are those of the T - 1 context positions, ``law`` is that of a root, the query is uniform.
    """
    length, size = len(parents) + 1, len(law)
    context, symbols = range(length - 1), range(size)
    sums = [[Fraction(0)] * (i + 1) for i in range(length)]
    for b in symbols:
        field = _Field(parents, transition, law, b)
        moments = _Moments(length, epsilon, field.width)
        unit = Fraction(1, field.scale * moments.denominator)
        hit = [transition[a][b] * unit for a in symbols]
        rests = {root: field.everything // total for root, total in field.totals.items()}
        for j in context:
            # [s_j = q] alone: the part with eps, and the query as the position.
            alone = [moments(rests[field.root[j]] * poly, int(a == b)) for a, poly in enumerate(field.marginals[j])]
            background = epsilon * sum(hit[a] * alone[a] for a in symbols)
            sums[-1][j] += background + hit[b] * alone[b]
            for i in range(j, length - 1):
                sums[i][j] += background
        for i in context:
            for j, polys in field.clamped(i):
                sums[i][j] += sum(hit[a] * moments(poly, int(a == b)) for a, poly in enumerate(polys))
        whole = [moments(field.everything, shift) for shift in (0, 1)]
        sums[-1][-1] += sum(hit[a] * (int(a == b) + epsilon) * whole[int(a == b)] for a in symbols)
    # sum_b y_b ([s_i = b] + eps)/(c_b + eps) - 1, times [s_j = q]; every key meets the query with a chance of 1/S.
    scores = [[(entry - 1) / size for entry in row] for row in sums]
    scores[-1][-1] = sums[-1][-1] / size - 1
    return scores
