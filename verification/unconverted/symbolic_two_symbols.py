"""Claim 15: two symbols in closed form, and exactly when the parent wins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from causal_theory import (
    CausalGraph,
    Estimate,
    InContextTask,
    OrbitPrior,
    certify_edge_scores,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.symbolic import TwoSymbols, first_order_residual, parent_wins, softmax_jacobian_residual
from verification.claim import Claim
from verification.context import Context
from verification.evidence import (
    Evidence,
    Part,
    Reading,
    Regime,
    Table,
    combine_verdicts,
    summarise_assumptions,
    verdict_of,
)
from verification.profiles import Profile
from verification.text import show

Array = NDArray[np.float64]

IDENTITIES, KERNELS, EXACT, GRADIENT = "closed forms", "numerical engines", "when the parent wins", "first order"

GRID = tuple(Fraction(k, 8) for k in (1, 2, 4, 6, 8))
"""Values of a and b: lambda = 1 - a - b from -1 to 3/4, zero included. They are floats without rounding."""

EPSILONS = (Fraction(0), Fraction(1, 64), Fraction(1, 4))

HALF_UNIT = 2.0**-53
"""Rounding of a closed form to the nearest float, relative."""

SIZES, LENGTHS = (2, 3, 4), (2, 3)

GRAPHS = {
    "chain": CausalGraph.chain(8),
    "binary tree": CausalGraph.binary_tree(12),
    "star": CausalGraph.star(6),
    "pairs": CausalGraph.pairs(7),
}
"""Distances from 1 to 6, along chains and across branches, and tokens of other trees."""


@dataclass(frozen=True)
class WrongPower(TwoSymbols):
    """The closed forms with one lambda too few in the score."""

    @property
    def limit_score(self) -> sp.Expr:
        """The score with lambda to the power k instead of k + 1."""
        return self.constant * self.eigenvalue**self.k


def matrices() -> Iterator[tuple[Fraction, Fraction, tuple[tuple[Fraction, ...], ...]]]:
    """Yield a, b and the matrix for each pair of the grid."""
    for a, b in product(GRID, GRID):
        yield a, b, ((1 - a, a), (b, 1 - b))


@cache
def _value(form: TwoSymbols, name: str, a: Fraction, b: Fraction, epsilon: Fraction, distance: float) -> Fraction:
    """Return a closed form at a point, as a fraction; tokens of different trees have none."""
    if np.isinf(distance):
        return Fraction(0)
    point = {form.a: a, form.b: b, form.epsilon: epsilon, form.k: int(distance)}
    found = sp.Rational(getattr(form, name).subs({symbol: sp.Rational(value) for symbol, value in point.items()}))
    return Fraction(int(found.p), int(found.q))


def _part(name: str, agree: int, cases: int, measured: str, error: str) -> Part:
    return Part(
        name=name,
        verdict=verdict_of(agree == cases),
        predicted=Reading(f"{cases} of {cases}", float(cases)),
        measured=Reading(f"{agree} of {cases}; {measured}", float(agree)),
        error=Reading(error),
        method="exact",
    )


def identities(form: TwoSymbols) -> tuple[Part, Table]:
    """Simplify the difference of both sides of every identity."""
    found = form.residuals()
    zero = sum(residual == 0 for residual in found.values())
    rows = tuple((name, str(residual)[:80]) for name, residual in found.items())
    return (
        _part(IDENTITIES, zero, len(found), "differences that are zero for all a, b, k, eps", "none: symbolic"),
        Table("Difference of both sides, simplified", ("identity", "difference"), rows),
    )


def _bars(found: Estimate, expected: Array, kept: NDArray[np.bool_]) -> float:
    """Return the largest distance from a closed form in error bars; infinity where there is no bar to a distance."""
    off = np.abs(found.value - expected)[kept]
    bar = found.error[kept] + HALF_UNIT * np.abs(expected)[kept]
    return float(np.divide(off, bar, out=np.where(off > 0.0, np.inf, 0.0), where=bar > 0.0).max())


def kernels(form: TwoSymbols, context: Context) -> tuple[Part, Table]:
    """Compare limit scores and informations in floating point with the closed forms."""
    worst: dict[tuple[str, str], float] = {}
    agree = cases = 0
    for a, b, rows in context.track(list(matrices()), "grid"):
        prior = OrbitPrior(np.array(rows, dtype=np.float64))
        for name, graph in GRAPHS.items():
            task, pairs = InContextTask(graph, prior), graph.length - 1
            inside = np.tril(np.ones((graph.length, graph.length), dtype=bool))
            inside[-1] = False
            checks = [("limit score", "limit_score", eps, inside) for eps in EPSILONS]
            checks.append(("information", "information", Fraction(0), np.tril(inside, -1)))
            for label, quantity, eps, kept in checks:
                score = quantity == "limit_score"
                found = limit_edge_scores(task, epsilon=float(eps)) if score else pairwise_information(task)
                expected = np.zeros_like(found.value)
                for i, j in product(range(pairs), range(pairs)):
                    expected[i, j] = float(_value(form, quantity, a, b, eps, graph.distances[i, j]))
                bars = _bars(found, expected, kept)
                worst[label, name] = max(worst.get((label, name), 0.0), bars)
                agree, cases = agree + (bars <= 1.0), cases + 1
    table = Table(
        "Largest distance from the closed form over the grid, in error bars",
        ("quantity", *GRAPHS),
        tuple((label, *(show(worst[label, name]) for name in GRAPHS)) for label in ("limit score", "information")),
    )
    return _part(KERNELS, agree, cases, "within one error bar", f"largest: {show(max(worst.values()))} bars"), table


def _verdict(scores: Sequence[Sequence[Fraction]], graph: CausalGraph, child: int) -> bool:
    """Whether the parent has the strictly largest exact limit score of a row."""
    row, parent = scores[child], graph.parent_array[child]
    return all(row[parent] > entry for j, entry in enumerate(row) if j != parent)


def exact_rows(form: TwoSymbols, context: Context) -> tuple[Part, Table]:
    """Compare exact limit scores with the closed form, and who wins with the rule."""
    counts: dict[str, list[int]] = {}
    agree = cases = 0
    for a, b, rows in context.track(list(matrices()), "exact limit scores"):
        eigenvalue = 1 - a - b
        sign = "-1" if eigenvalue == -1 else "> 0" if eigenvalue > 0 else "0" if eigenvalue == 0 else "-1 to 0"
        for graph in GRAPHS.values():
            scores = certify_edge_scores(graph, rows, 1).limit_scores
            assert scores is not None  # Roots are stationary.
            for child in np.flatnonzero(graph.parent_array >= 0).tolist():
                apart = graph.distances[child, : child + 1]
                same = all(
                    _value(form, "limit_score", a, b, Fraction(0), distance) == entry
                    for distance, entry in zip(apart.tolist(), scores[child], strict=True)
                )
                others = tuple(int(d) for d in apart if 1 < d < np.inf)
                won = _verdict(scores, graph, child)
                agree += same and won == parent_wins(sp.Rational(eigenvalue), others)
                cases += 1
                tally = counts.setdefault(sign, [0, 0])
                tally[0], tally[1] = tally[0] + won, tally[1] + 1
    table = Table(
        "Child rows whose parent has the strictly largest exact limit score",
        ("lambda", "parent wins", "rows"),
        tuple((sign, *counts[sign]) for sign in sorted(counts)),
    )
    return _part(EXACT, agree, cases, "rows as the rule and the closed form say, to the last digit", "none"), table


def gradient(context: Context) -> Part:
    """Check the Jacobian of the softmax, and the first-order gradient for all short sequences."""
    residuals = [softmax_jacobian_residual(size) for size in SIZES]
    cases = [
        (length, query, tokens)
        for length in LENGTHS
        for query in range(length)
        for tokens in product((0, 1), repeat=length)
    ]
    residuals += [first_order_residual(*case) for case in context.track(cases, "first-order identities")]
    zero = sum(residual.is_zero_matrix is True for residual in residuals)
    measured = f"Jacobians of {len(SIZES)} sizes, and every row of every sequence up to T = {LENGTHS[-1]}"
    return _part(GRADIENT, zero, len(residuals), measured, "none: symbolic")


def _evidence(form: TwoSymbols, context: Context) -> Evidence:
    known, differences = identities(form)
    engines, bars = kernels(form, context)
    rule, winners = exact_rows(form, context)
    parts = (known, engines, rule, gradient(context))
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("identities hold, engines agree, the parent wins exactly when lambda < 0"),
        measured=Reading("; ".join(f"{part.name}: {part.measured.text.partition(';')[0]}" for part in parts)),
        error=Reading(f"symbolic and rational, but for the engines: {engines.error.text}"),
        method="exact",
        assumptions=summarise_assumptions(
            "orbits of two symbols", [OrbitPrior(np.array(rows, dtype=np.float64)) for _, _, rows in matrices()]
        ),
        regime=Regime(None, "closed forms of the limit of long sequences"),
        parts=parts,
        details=(differences, bars, winners),
        notes=(
            "With two symbols a trace of 1 means lambda = 0 and independent tokens: no orbit meets all four "
            "assumptions. The closed forms show what then decides, the sign of lambda.",
            "At lambda = -1 the chain alternates: keys at odd distances tie with the parent.",
        ),
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Check the closed forms as identities, against the engines, and against exact scores."""
    return _evidence(TwoSymbols(), context)


def control(profile: Profile, context: Context) -> Evidence:
    """Put one lambda too few into the limit score."""
    return _evidence(WrongPower(), context)


CLAIM = Claim(
    name="symbolic_two_symbols",
    number=15,
    title="Two symbols in closed form",
    statement=(
        r"For $\pi = \begin{pmatrix}1-a & a\\ b & 1-b\end{pmatrix}$ with $\lambda = 1 - a - b$, tokens of one tree at "
        r"distance $k$ have the chi-square information $\lambda^{2k}$ and the limit score $C \lambda^{k+1}$, with $C = "
        r"\frac12 \mu_0 \mu_1 \left(\frac{1}{\mu_0 + \varepsilon} + \frac{1}{\mu_1 + \varepsilon}\right) > 0$ and "
        r"$k = 0$ on the diagonal. Hence the parent wins in every row if $-1 < \lambda < 0$, and in none if $\lambda "
        r"\ge 0$."
    ),
    source="the limit scores of the theory, with the powers of a matrix of two symbols",
    predicted="differences of both sides are zero; engines within one error bar; winners as the rule says",
    assumptions=(),
    run=run,
    control_statement=r"The limit score is taken as $C \lambda^k$, with one $\lambda$ too few.",
    control=control,
)
