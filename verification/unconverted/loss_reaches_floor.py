"""Claim 9: the best loss of stage 2 approaches the entropy floor where the effective length grows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import InContextTask, LearningCurve, OrbitPrior, learning_curve, stationary_distribution
from causal_theory.chains import mixing_decay
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import STAR, family_graph, trace_one_matrix
from verification.evidence import (
    OUTSIDE,
    Cell,
    Curve,
    Evidence,
    Part,
    Plot,
    Reading,
    Regime,
    Table,
    combine_verdicts,
    summarise_assumptions,
    verdict_of,
)
from verification.profiles import Profile
from verification.text import interval, show

SYMBOLS = 3
GROWING = ("chain", "pairs", "binary tree")
"""Families whose effective length grows with T."""

BAND = (-1.25, -0.8)
"""Accepted exponents of the excess against T over the two longest sequences."""

GROWS = 1.2
"""A length that grows by less than this factor from one sequence to the next explains nothing."""

PRICED = (0.8, 1.25)
"""Accepted ratios of the excess to the price of counting at the longest sequence."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """A learning curve and what it is plotted against.

    Attributes
    ----------
    curve : LearningCurve
        Best losses over the one-parameter path with ``eps = 1/T``.
    mixing : ndarray
        Mixing effective length at each T.
    price : ndarray
        What counting costs to leading order: ``(S - 1)/(2 m)`` times the mean of ``1/mu_q``, m children.
    """

    curve: LearningCurve
    mixing: Array
    price: Array

    @property
    def exponent(self) -> float:
        """Slope of the log of the normalised excess against log T over the two longest sequences."""
        return self._slope(self.curve.lengths)

    @property
    def effective_exponent(self) -> float | None:
        """The same against the log of the effective length; None when that does not grow."""
        return self._slope(self.mixing) if self.mixing[-1] > GROWS * self.mixing[-2] else None

    @property
    def ratio(self) -> float:
        """Normalised excess over the price of counting at the longest sequence."""
        return float(self.curve.normalised_excess[-1] / self.price[-1])

    def _slope(self, lengths: NDArray[np.floating | np.integer]) -> float:
        x, y = np.log(lengths[-2:]), np.log(self.curve.normalised_excess[-2:])
        return float((y[1] - y[0]) / (x[1] - x[0]))


def _study(name: str, lengths: tuple[int, ...], transition: Array, context: Context) -> Study:
    graphs = {length: family_graph(name, length, context.rng("graph", name, length)) for length in lengths}
    prior = OrbitPrior(transition)
    curve = learning_curve(lambda length: InContextTask(graphs[length], prior), lengths, fit_last=2)
    decay = mixing_decay(transition)
    children = np.array([len(graph.edges) for graph in graphs.values()])
    rarity = float(np.mean(1.0 / stationary_distribution(transition)))
    return Study(
        curve,
        np.array([graph.mixing_effective_length(decay) for graph in graphs.values()]),
        (len(transition) - 1) / (2.0 * children) * rarity,
    )


def _studies(
    names: tuple[str, ...], lengths: tuple[int, ...], matrices: list[Array], context: Context
) -> dict[str, list[Study]]:
    found: dict[str, list[Study]] = {name: [] for name in names}
    for name, k in context.track([(name, k) for name in names for k in range(len(matrices))], "learning curves"):
        found[name].append(_study(name, lengths, matrices[k], context))
    return found


def _growing_part(name: str, studies: list[Study]) -> Part:
    exponents, ratios = [study.exponent for study in studies], [study.ratio for study in studies]
    effective = [found for study in studies if (found := study.effective_exponent) is not None]
    fine = (
        all(BAND[0] <= exponent <= BAND[1] for exponent in exponents)
        and all(PRICED[0] <= ratio <= PRICED[1] for ratio in ratios)
        and all(exponent <= BAND[1] for exponent in effective)
    )
    farthest, spread = max(exponents, key=lambda exponent: abs(exponent + 1.0)), float(np.ptp(exponents))
    against = f", in the mixing length {interval(effective)}" if effective else ""
    return Part(
        name=name,
        verdict=verdict_of(fine),
        predicted=Reading("exponent -1 in T, at least as fast in the mixing length; excess over price 1", -1.0),
        measured=Reading(f"exponents in T {interval(exponents)}{against}; over price {interval(ratios)}", farthest),
        error=Reading(f"spread over matrices {show(spread)}", spread),
        method="exact",
    )


def _star_part(studies: list[Study]) -> Part:
    excess = [float(study.curve.normalised_excess[-1]) for study in studies]
    slopes = [study.exponent for study in studies]
    steepest = max(slopes, key=abs)
    return Part(
        name=STAR,
        verdict=OUTSIDE,
        predicted=Reading("no rate: the effective length stays bounded"),
        measured=Reading(f"excess stays at {interval(excess)} nats; exponents in T {interval(slopes)}", steepest),
        error=Reading(f"spread over matrices {show(float(np.ptp(slopes)))}", float(np.ptp(slopes))),
        method="exact",
    )


def _curve_table(found: dict[str, list[Study]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, studies in found.items():
        for k, study in enumerate(studies):
            curve = study.curve
            for r, length in enumerate(curve.lengths.tolist()):
                rows.append(
                    (
                        f"{name}, matrix {k + 1}",
                        length,
                        show(float(study.mixing[r])),
                        show(float(curve.multiples[r])),
                        show(float(curve.excess[r])),
                        show(float(curve.normalised_excess[r])),
                        show(float(curve.normalised_excess[r] / study.price[r])) if name != STAR else "-",
                    )
                )
    columns = (
        "task",
        "T",
        "mixing length",
        "best multiple of I",
        "loss - floor",
        "normalised excess",
        "over its price",
    )
    return Table(f"Best loss over the one-parameter path, S = {SYMBOLS}, eps = 1/T, in nats", columns, tuple(rows))


def _plots(found: dict[str, list[Study]]) -> tuple[Plot, ...]:
    def plot(name: str, xlabel: str, x_of: str) -> Plot:
        return Plot(
            name=name,
            title="Normalised excess of the best loss over the entropy floor",
            xlabel=xlabel,
            ylabel="normalised excess (nats)",
            curves=tuple(
                Curve(
                    family,
                    tuple(studies[0].mixing if x_of == "mixing" else studies[0].curve.lengths),
                    tuple(studies[0].curve.normalised_excess),
                )
                for family, studies in found.items()
            ),
            description="First matrix; double logarithmic axes. All families but the star fall with slope -1.",
        )

    return (
        plot("loss_reaches_floor_t", "length T", "T"),
        plot("loss_reaches_floor_mixing", "mixing effective length", "mixing"),
    )


def _headline(found: dict[str, list[Study]]) -> str:
    """Return the exponents of all families in one line; the star has no rate, but a least excess."""
    rates = [f"{name} {interval([one.exponent for one in found[name]])}" for name in found if name != STAR]
    least = [float(one.curve.normalised_excess[-1]) for one in found.get(STAR, [])]
    return "; ".join(rates + ([f"star stays above {show(min(least))} nats"] if least else []))


def _evidence(
    found: dict[str, list[Study]], parts: list[Part], matrices: list[Array], lengths: tuple[int, ...]
) -> Evidence:
    promised = [part for part in parts if part.name != STAR or part.verdict != OUTSIDE]
    farthest = max((part.measured.number or 0.0 for part in promised), key=lambda number: abs(number + 1.0))
    spread = max(part.error.number or 0.0 for part in promised)
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("exponent -1 in T where the effective length grows; none for the star", -1.0),
        measured=Reading(_headline(found), farthest),
        error=Reading(f"spread over matrices at most {show(spread)}", spread),
        method="exact",
        assumptions=summarise_assumptions("orbit priors of trace 1", [OrbitPrior(matrix) for matrix in matrices]),
        regime=Regime(True, f"reached by T = {lengths[-1]} on all families but the star"),
        parts=tuple(parts),
        details=(_curve_table(found),),
        plots=_plots(found),
        notes=(
            "The plain excess, loss minus floor, is no good measure of learning at eps = 1/T. The attended frequencies "
            "plus eps sum to 1 + S eps, which gains log(1 + S eps), about S/T nats; counting m children costs about "
            "(S - 1)/(2 m) mean(1/mu_q) nats, on a chain S (S - 1)/(2 T) at least. For three symbols the two cancel to "
            "leading order; for two the loss lies below the floor. The normalised excess is that of (f + eps)/(1 + S "
            "eps), a probability vector; it cannot be negative, and exponents are fitted to it.",
            "What the excess tends to is the price of counting, which knows the number of children and the rarest "
            "symbols but not how fast tokens mix: on binary trees under a slowly mixing matrix it falls faster than "
            "one over the mixing length. A growing effective length makes counting possible; it does not set the rate.",
            "The best multiple of I keeps growing, by a constant for each doubling of T: the weight of keys that do "
            "not match has to vanish faster than their number grows.",
            "The star's children all have one parent: they say nothing about the rows of pi that this parent does not "
            "show, however many they are.",
        ),
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Fit how fast the best loss approaches the entropy floor."""
    matrices = [trace_one_matrix(SYMBOLS, context.rng("matrix", k)) for k in range(profile.curve_matrices)]
    lengths = profile.curve_lengths
    found = _studies((*GROWING, STAR), lengths, matrices, context)
    parts = [*(_growing_part(name, found[name]) for name in GROWING), _star_part(found[STAR])]
    return _evidence(found, parts, matrices, lengths)


def control(profile: Profile, context: Context) -> Evidence:
    """Ask the star for the rate of the others."""
    matrices = [trace_one_matrix(SYMBOLS, context.rng("matrix", 0))]
    lengths = profile.curve_lengths[:3]
    found = _studies((STAR,), lengths, matrices, context)
    part = _growing_part(STAR, found[STAR])
    return _evidence(found, [part], matrices, lengths)


CLAIM = Claim(
    name="loss_reaches_floor",
    number=9,
    title="The loss reaches the entropy floor",
    statement=(
        r"With the first layer on the parents, $A_2 = \alpha I$ at its best $\alpha$ and $\varepsilon = 1/T$, the "
        r"excess of the loss over the entropy floor $L^* = E\,\frac1S \sum_a H(\pi_{a\cdot})$ falls like $1/T$ for "
        r"chain, pairs and binary tree, whose effective length grows; for the star it does not fall. Long sequences "
        r"pay the price of counting, $\frac{S-1}{2m}\,\mathrm{mean}_q(1/\mu_q)$ nats for $m$ children."
    ),
    source="Nichani, Damian, Lee (ICML 2024), main theorem: the loss after both stages",
    predicted="exponent -1 in T at the price of counting; no decay for the star",
    assumptions=("lower_bound", "non_degeneracy", "symmetry"),
    run=run,
    control_statement="The same demand on the star, whose effective length stays bounded.",
    control=control,
    declared_outside=(STAR,),
)
