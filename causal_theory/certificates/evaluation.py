"""The second route to the scores: numbers instead of polynomials, undirected messages instead of a walk from the root.

A linear functional of a polynomial of degree below T is a combination of its values at T points. At each point z the
tilted law of the tokens is an ordinary Markov field on an undirected forest; for every key the law of the pair is
carried outwards along the edges.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm, prod
from operator import mul

from causal_theory.certificates.rationals import Matrix, integer_matrix

Vector = list[int]


def point_weights(moments: Sequence[Fraction]) -> list[Fraction]:
    """Return v with ``sum_k v_k k^n = moments_n`` for every n, by the coefficients of the Lagrange polynomials.

    Examples
    --------
    >>> point_weights([Fraction(1), Fraction(1, 2), Fraction(1, 3)])
    [Fraction(5, 12), Fraction(2, 3), Fraction(-1, 12)]
    """
    points = len(moments)
    weights = []
    for k in range(points):
        basis = [Fraction(1)]
        for other in range(points):
            if other != k:
                shifted = [Fraction(0), *basis]
                basis = [(s - other * c) / (k - other) for s, c in zip(shifted, [*basis, Fraction(0)], strict=True)]
        weights.append(sum((c * m for c, m in zip(basis, moments, strict=True)), Fraction(0)))
    return weights


class _Field:
    """The tilted law at one point, as a Markov field on an undirected forest."""

    def __init__(
        self, parents: Sequence[int], transition: Sequence[Sequence[int]], law: Sequence[int], tilt: Sequence[int]
    ) -> None:
        self.size = len(law)
        self._rows = [list(row) for row in transition]
        self._columns = [list(column) for column in zip(*transition, strict=True)]
        self.neighbours: list[list[int]] = [[] for _ in parents]
        for child, parent in enumerate(parents):
            if parent >= 0:
                self.neighbours[child].append(parent)
                self.neighbours[parent].append(child)
        self.factor = [
            [w * p for w, p in zip(tilt, law, strict=True)] if parent < 0 else list(tilt) for parent in parents
        ]
        self.messages: dict[tuple[int, int], Vector] = {}
        self._beliefs: dict[tuple[int, tuple[int, ...]], Vector] = {}
        for child in range(len(parents) - 1, -1, -1):
            if parents[child] >= 0:
                self._send(child, parents[child])
        for child, parent in enumerate(parents):
            if parent >= 0:
                self._send(parent, child)
        self.tree = [self._total(node) for node in range(len(parents))]

    def _carry(self, vector: Vector, source: int, target: int) -> Vector:
        """Sum over the token at the source, for each at the target; parents come before children."""
        lines = self._columns if source < target else self._rows
        return [sum(map(mul, vector, line)) for line in lines]

    def belief(self, node: int, without: tuple[int, ...]) -> Vector:
        """Return the factor of a node times what its neighbours say, some of them left out."""
        known = self._beliefs.get((node, without))
        if known is None:
            heard = [self.messages[other, node] for other in self.neighbours[node] if other not in without]
            known = [f * prod(message[x] for message in heard) for x, f in enumerate(self.factor[node])]
            self._beliefs[node, without] = known
        return known

    def _send(self, source: int, target: int) -> None:
        self.messages[source, target] = self._carry(self.belief(source, (target,)), source, target)

    def _total(self, node: int) -> int:
        return sum(self.belief(node, ()))

    def pairs(self, key: int) -> Iterator[tuple[int, list[Vector]]]:
        """Yield every position of the tree of ``key`` with its weights, symbols of the key in rows."""
        start = self.belief(key, ())
        yield key, [[start[a] if a == b else 0 for b in range(self.size)] for a in range(self.size)]
        open_ends: list[tuple[int, int, list[Vector]]] = []
        for node in self.neighbours[key]:
            belief = self.belief(key, (node,))
            diagonal = [[belief[a] if a == x else 0 for x in range(self.size)] for a in range(self.size)]
            open_ends.append((key, node, diagonal))
        while open_ends:
            source, node, carried = open_ends.pop()
            arrived = [self._carry(row, source, node) for row in carried]
            belief = self.belief(node, (source,))
            yield node, [list(map(mul, row, belief)) for row in arrived]
            for following in self.neighbours[node]:
                if following != source:
                    onward = self.belief(node, (source, following))
                    open_ends.append((node, following, [list(map(mul, row, onward)) for row in arrived]))


def evaluated_scores(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction], epsilon: Fraction
) -> list[list[Fraction]]:
    """Return the edge scores of a forest as fractions, rows of growing length, as :func:`exact_scores` does."""
    context, size = len(parents), len(law)
    length = context + 1
    weights = [point_weights([1 / (Fraction(n + shift, length) + epsilon) for n in range(length)]) for shift in (0, 1)]
    # Integers over one denominator: every product below has a factor for each edge and each root.
    steps, step = integer_matrix(transition)
    (starts,), start = integer_matrix([law])
    factors = [
        [transition[a][b] * weights[int(a == b)][point] for point in range(length) for a in range(size)]
        for b in range(size)
    ]
    unit = lcm(*(entry.denominator for row in factors for entry in row), epsilon.denominator)
    scale = Fraction(1, prod(start if parent < 0 else step for parent in parents) * unit * epsilon.denominator)
    shift = int(epsilon * epsilon.denominator)
    members = _trees(parents)
    roots = sorted(set(members))
    sums = [[0] * (i + 1) for i in range(length)]
    for b in range(size):
        for point in range(length):
            field = _Field(parents, steps, starts, [point if s == b else 1 for s in range(size)])
            known = [int(entry * unit) for entry in factors[b][point * size : (point + 1) * size]]
            rest = {
                (r, t): prod(field.tree[other] for other in roots if other not in (r, t)) for r in roots for t in roots
            }
            whole = rest[roots[0], roots[0]] * field.tree[roots[0]]
            sums[-1][-1] += whole * sum(f * (int(a == b) * epsilon.denominator + shift) for a, f in enumerate(known))
            beliefs = [field.belief(j, ()) for j in range(context)]
            for j in range(context):
                others = rest[members[j], members[j]]
                weighted = sum(f * m for f, m in zip(known, beliefs[j], strict=True))
                background = shift * others * weighted
                sums[-1][j] += background + epsilon.denominator * others * known[b] * beliefs[j][b]
                reached = {
                    i: others * sum(f * row[b] for f, row in zip(known, table, strict=True))
                    for i, table in field.pairs(j)
                }
                for i in range(j, context):
                    apart = rest[members[j], members[i]] * beliefs[i][b] * weighted if i not in reached else reached[i]
                    sums[i][j] += background + epsilon.denominator * apart
    scores = [[(entry * scale - 1) / size for entry in row] for row in sums]
    scores[-1][-1] = (sums[-1][-1] * scale - size) / size
    return scores


def _trees(parents: Sequence[int]) -> list[int]:
    """Return the root of the tree of every position."""
    roots: list[int] = []
    for child, parent in enumerate(parents):
        roots.append(child if parent < 0 else roots[parent])
    return roots


def evaluated_pairs(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]
) -> dict[tuple[int, int], list[list[Fraction]]]:
    """Return the joint law of each pair of context tokens j <= i, symbols of j in rows."""
    steps, _ = integer_matrix(transition)
    (starts,), _ = integer_matrix([law])
    size = len(law)
    field = _Field(parents, steps, starts, [1] * size)
    members = _trees(parents)
    alone = [[Fraction(value, field.tree[members[j]]) for value in field.belief(j, ())] for j in range(len(parents))]
    found = {}
    for j in range(len(parents)):
        tables = dict(field.pairs(j))
        for i in range(j, len(parents)):
            found[j, i] = (
                [[Fraction(value, field.tree[members[j]]) for value in row] for row in tables[i]]
                if i in tables
                else [[p * q for q in alone[i]] for p in alone[j]]
            )
    return found
