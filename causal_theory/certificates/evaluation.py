"""The second route to the scores: numbers instead of polynomials, undirected messages instead of a walk from the root.

A linear functional of a polynomial of degree below T is a combination of its values at T points. At each point z the
tilted law of the tokens is an ordinary Markov field on an undirected forest; for every key the law of the pair, or the
sum over the key's symbols that a score is made of, is carried outwards along the edges.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from math import factorial, lcm, prod
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
    return [
        sum((c * moment for c, moment in zip(basis, moments, strict=True)), Fraction(0)) / own
        for basis, own in _lagrange(len(moments))
    ]


@lru_cache(maxsize=32)
def _lagrange(points: int) -> list[tuple[Vector, int]]:
    """Return the polynomials that vanish at all of ``0 .. points - 1`` but one, and their values there."""
    product = [1]
    for k in range(points):
        product = [low - k * high for low, high in zip([0, *product], [*product, 0], strict=True)]
    found = []
    for k in range(points):
        # Without the factor x - k: coefficients from the highest on.
        quotient = [0]
        for low in reversed(product[1:]):
            quotient.append(low + k * quotient[-1])
        own = factorial(k) * factorial(points - 1 - k) * (-1) ** (points - 1 - k)
        found.append((quotient[:0:-1], own))
    return found


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

    def carried(
        self, key: int, weights: Sequence[Sequence[int]], furthest: Mapping[tuple[int, int], int]
    ) -> Iterator[tuple[int, list[Vector]]]:
        """Yield ``key`` and all later positions of its tree with sums over its symbols, a row for each row of weights.

        Weights of one symbol each give the law of the pair, up to a factor. A few earlier positions come as well.
        """
        belief = self.belief(key, ())
        yield key, [list(map(mul, row, belief)) for row in weights]
        open_ends: list[tuple[int, int, list[Vector]]] = []
        for node in self.neighbours[key]:
            if furthest[key, node] < key:
                continue
            belief = self.belief(key, (node,))
            open_ends.append((key, node, [list(map(mul, row, belief)) for row in weights]))
        while open_ends:
            source, node, rows = open_ends.pop()
            arrived = [self._carry(row, source, node) for row in rows]
            belief = self.belief(node, (source,))
            yield node, [list(map(mul, row, belief)) for row in arrived]
            for following in self.neighbours[node]:
                if following != source and furthest[node, following] > key:
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
    members, furthest = _trees(parents), _furthest(parents)
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
                reached = {i: others * row[b] for i, (row,) in field.carried(j, [known], furthest)}
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


def _furthest(parents: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return the last position on the far side of every edge, by its ends in the direction of the walk."""
    found: dict[tuple[int, int], int] = {}
    last = list(range(len(parents)))
    for child in range(len(parents) - 1, -1, -1):
        if parents[child] >= 0:
            found[parents[child], child] = last[child]
            last[parents[child]] = max(last[parents[child]], last[child])
    for child, parent in enumerate(parents):
        if parent >= 0:
            others = [last[one] for one in range(len(parents)) if parents[one] == parent and one != child]
            above = found.get((parent, parents[parent]), parent)
            found[child, parent] = max([parent, above, *others])
    return found


def evaluated_pairs(
    parents: Sequence[int], transition: Matrix, law: Sequence[Fraction]
) -> dict[tuple[int, int], list[list[Fraction]]]:
    """Return the joint law of each pair of context tokens j <= i, symbols of j in rows."""
    steps, _ = integer_matrix(transition)
    (starts,), _ = integer_matrix([law])
    size = len(law)
    field = _Field(parents, steps, starts, [1] * size)
    members, furthest = _trees(parents), _furthest(parents)
    symbols = [[int(a == b) for b in range(size)] for a in range(size)]
    alone = [[Fraction(value, field.tree[members[j]]) for value in field.belief(j, ())] for j in range(len(parents))]
    found = {}
    for j in range(len(parents)):
        tables = dict(field.carried(j, symbols, furthest))
        for i in range(j, len(parents)):
            found[j, i] = (
                [[Fraction(value, field.tree[members[j]]) for value in row] for row in tables[i]]
                if i in tables
                else [[p * q for q in alone[i]] for p in alone[j]]
            )
    return found
