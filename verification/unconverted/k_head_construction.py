"""Claim 20: with one head for each parent the loss reaches the entropy floor, at the price of counting all rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    PointPrior,
    counts_rule_loss,
    loss_floor,
)
from causal_theory.dynamics.learning_curve import best_multiple_of
from verification.claim import Claim
from verification.context import Context
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

Array = NDArray[np.float64]

SETTINGS = ((1, 3), (2, 2), (2, 3), (3, 2))
"""Parents and symbols; the full profile adds three parents with three symbols, whose 27 rows take long sequences."""

CONCENTRATION, FLOOR = 1.0, 0.1
"""Of the kernels. The floor keeps every row in use; a row that is hardly seen would be paid for late."""

SMOOTHING = 1.0
"""Of the counts rule: the concentration of the kernels."""

LARGEST_MULTIPLE = 40.0
"""Beyond it the softmax is one-hot to roundoff."""

BAND = (-1.25, -0.8)
"""Accepted exponents of the excess against T over the two longest sequences, as for one parent in claim 9."""

PRICED = (0.8, 1.25)
"""Accepted ratios at the longest sequence: to the price of counting, and to the counts rule itself."""

ONE_HEAD = "one head alone"

Pattern = Callable[[int, int], Sequence[Array]]


def copy_all(parents: int, size: int) -> Sequence[Array]:
    """Return I for every head."""
    return [np.stack([np.eye(size)] * parents)]


def copy_one(parents: int, size: int) -> Sequence[Array]:
    """Return I for one head and nothing for the others, once for each head."""
    return [np.eye(size) * (np.arange(parents) == head)[:, np.newaxis, np.newaxis] for head in range(parents)]


def copy_wrong(parents: int, size: int) -> Sequence[Array]:
    """Return for every head the matrix that looks for the next symbol instead of that of the query."""
    return [np.stack([np.roll(np.eye(size), 1, axis=0)] * parents)]


@dataclass(frozen=True)
class Fall:
    """What the construction loses at several lengths, for one kernel.

    Attributes
    ----------
    parents, size : int
        k and S.
    lengths : tuple of int
        Lengths T; ``eps = 1/T``.
    multiples : ndarray
        Where the loss is smallest.
    excess : ndarray
        That loss minus the floor, in nats.
    counts : ndarray
        Loss of the counts rule minus the floor.
    """

    parents: int
    size: int
    lengths: tuple[int, ...]
    multiples: Array
    excess: Array
    counts: Array

    @property
    def name(self) -> str:
        """The setting in words."""
        return f"{self.parents} parent{'s' if self.parents > 1 else ''}, S = {self.size}"

    @property
    def normalised(self) -> Array:
        """Excess of ``(f + eps)/(1 + S eps)``, a probability vector: never negative."""
        return self.excess + np.log1p(self.size / np.array(self.lengths))

    @property
    def price(self) -> Array:
        """What counting ``S^k`` rows costs to leading order."""
        children = np.array(self.lengths, dtype=np.float64) - self.parents
        return float(self.size**self.parents * (self.size - 1)) / (2.0 * children)

    @property
    def slopes(self) -> Array:
        """Exponents of the normalised excess from each length to the next."""
        slopes: Array = np.diff(np.log(self.normalised)) / np.diff(np.log(self.lengths))
        return slopes

    @property
    def exponent(self) -> float:
        """The last of them."""
        return float(self.slopes[-1])

    @property
    def over_price(self) -> float:
        """Normalised excess over the price at the longest sequence."""
        return float(self.normalised[-1] / self.price[-1])

    @property
    def over_counts(self) -> float:
        """Normalised excess over that of the counts rule at the longest sequence."""
        return float(self.normalised[-1] / self.counts[-1])


def follow(
    parents: int,
    size: int,
    kernel: Array,
    lengths: Sequence[int],
    patterns: Sequence[Array],
    slots: Sequence[int] | None = None,
) -> Fall:
    """Compute one curve; at each length the best of the patterns counts, and the counts rule looks at ``slots``."""
    rows = []
    for length in lengths:
        task = InContextTask(CausalGraph.ngram(length, parents), PointPrior({parents: kernel}))
        found = [
            best_multiple_of(task, matrices, epsilon=1.0 / length, upper=LARGEST_MULTIPLE) for matrices in patterns
        ]
        multiple, loss = min(found, key=lambda best: best.loss)
        floor = float(loss_floor(task))
        counts = float(counts_rule_loss(task, smoothing=SMOOTHING, parents=slots))
        rows.append((multiple, loss - floor, counts - floor))
    multiples, excess, counted = np.array(rows).T
    return Fall(parents, size, tuple(lengths), multiples, excess, counted)


def kernel_of(parents: int, size: int, rng: np.random.Generator) -> Array:
    """Draw a kernel."""
    drawn: Array = DirichletPrior(size, CONCENTRATION, floor=FLOOR).sample_kernels(1, (parents,), rng)[parents][0]
    return drawn


def _settings(profile: Profile) -> tuple[tuple[int, int], ...]:
    return tuple(dict.fromkeys((*SETTINGS, (3, profile.three_parent_symbols))))


def _falls(
    settings: Sequence[tuple[int, int]], count: int, lengths: Sequence[int], pattern: Pattern, context: Context
) -> dict[tuple[int, int], list[Fall]]:
    found: dict[tuple[int, int], list[Fall]] = {setting: [] for setting in settings}
    for parents, size, k in context.track([(*one, k) for one in settings for k in range(count)], "kernels"):
        kernel = kernel_of(parents, size, context.rng(parents, size, k))
        found[parents, size].append(follow(parents, size, kernel, lengths, pattern(parents, size)))
    return found


def _part(falls: Sequence[Fall]) -> Part:
    exponents = [fall.exponent for fall in falls]
    priced, counted = [fall.over_price for fall in falls], [fall.over_counts for fall in falls]
    falling = all((np.diff(fall.normalised) < 0.0).all() for fall in falls)
    fine = (
        falling
        and all(BAND[0] <= exponent <= BAND[1] for exponent in exponents)
        and all(PRICED[0] <= ratio <= PRICED[1] for ratio in (*priced, *counted))
    )
    spread = float(np.ptp(exponents))
    return Part(
        name=falls[0].name,
        verdict=verdict_of(fine),
        predicted=Reading("falls at every length, in the end with exponent -1; over price and over counts 1", -1.0),
        measured=Reading(
            f"exponents {interval(exponents)}; over price {interval(priced)}, over counts {interval(counted)}; at T = "
            f"{falls[0].lengths[-1]} {interval([float(fall.normalised[-1]) for fall in falls])} nats",
            max(exponents, key=lambda exponent: abs(exponent + 1.0)),
        ),
        error=Reading(f"spread over kernels {show(spread)}", spread),
        method="exact",
    )


def _one_head_part(fall: Fall) -> Part:
    return Part(
        name=ONE_HEAD,
        verdict=OUTSIDE,
        predicted=Reading("nothing: one head sees one parent"),
        measured=Reading(
            f"{fall.name}: excess stays at {show(float(fall.normalised[-1]))} nats at T = {fall.lengths[-1]}, last "
            f"exponent {show(fall.exponent)}; counting by that parent alone {show(float(fall.counts[-1]))}",
            float(fall.normalised[-1]),
        ),
        error=Reading("roundoff"),
        method="exact",
    )


def _table(falls: Sequence[tuple[str, Fall]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, fall in falls:
        slopes = ["-", *(show(float(slope)) for slope in fall.slopes)]
        for r, length in enumerate(fall.lengths):
            rows.append(
                (
                    name,
                    length,
                    show(float(fall.multiples[r])),
                    show(float(fall.excess[r])),
                    show(float(fall.normalised[r])),
                    show(float(fall.counts[r])),
                    show(float(fall.normalised[r] / fall.price[r])),
                    slopes[r],
                )
            )
    columns = (
        "task",
        "T",
        "best multiple",
        "loss - floor",
        "normalised excess",
        "counts rule - floor",
        "over its price",
        "exponent since the row before",
    )
    return Table("Best loss of the construction on n-gram chains, eps = 1/T, in nats", columns, tuple(rows))


def _plot(falls: Sequence[tuple[str, Fall]]) -> Plot:
    return Plot(
        name="k_head_construction",
        title="Excess of the construction with one head for each parent",
        xlabel="length T",
        ylabel="normalised excess (nats)",
        curves=tuple(Curve(name, tuple(map(float, fall.lengths)), tuple(fall.normalised)) for name, fall in falls),
        description=(
            "One line for each number of parents and symbols, first kernel. All bend into the slope -1, later the more "
            "rows the kernel has; with one head for two parents the line becomes flat."
        ),
    )


def _evidence(found: dict[tuple[int, int], list[Fall]], alone: Sequence[Fall]) -> Evidence:
    parts = [*(_part(falls) for falls in found.values()), *(_one_head_part(fall) for fall in alone)]
    every = [fall for falls in found.values() for fall in falls]
    exponents = [fall.exponent for fall in every]
    spread = max(float(np.ptp([fall.exponent for fall in falls])) for falls in found.values())
    named = [(f"{fall.name}, kernel {k + 1}", fall) for falls in found.values() for k, fall in enumerate(falls)]
    single = [(f"{fall.name}, {ONE_HEAD}", fall) for fall in alone]
    shown = [(falls[0].name, falls[0]) for falls in found.values()]
    sizes = sorted({size for _, size in found})
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("exponent -1 in T, at the price of counting the rows of all parents", -1.0),
        measured=Reading(
            f"exponents {interval(exponents)}; over price {interval([fall.over_price for fall in every])}",
            max(exponents, key=lambda exponent: abs(exponent + 1.0)),
        ),
        error=Reading(f"spread over kernels at most {show(spread)}", spread),
        method="exact",
        assumptions=summarise_assumptions(
            f"Dirichlet kernels with floor {FLOOR:g}",
            [DirichletPrior(size, CONCENTRATION, floor=FLOOR) for size in sizes],
        ),
        regime=Regime(True, f"T = {every[0].lengths[-1]}, many times the rows of each kernel"),
        parts=tuple(parts),
        details=(_table([*named, *single]),),
        plots=(_plot([*shown, *single]),),
        notes=(
            "The excess is that of (f + eps)/(1 + S eps), a probability vector, as in claim 9. Its rate and its price "
            "for one parent are those of the first part here: each of the (S - 1) S^k free entries costs 1/(2T).",
            "The rate sets in where T is many times S^k. Before, the best multiple of I is small: the heads average "
            "over rows that are not the query's, and the loss falls slowly.",
            "From some length on the construction is as good as counting, which knows which rows to count.",
        ),
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Follow the best loss along n-gram chains, with a head for each parent and with one alone."""
    lengths = profile.construction_lengths
    found = _falls(_settings(profile), profile.curve_matrices, lengths, copy_all, context)
    parents, size = 2, 3
    kernel = kernel_of(parents, size, context.rng(parents, size, 0))
    alone = [
        follow(parents, size, kernel, lengths, [matrices], (head,))
        for head, matrices in enumerate(copy_one(parents, size))
    ]
    return _evidence(found, [min(alone, key=lambda fall: float(fall.excess[-1]))])


def control(profile: Profile, context: Context) -> Evidence:
    """Use one head of several, and heads that look for the wrong token."""
    several = [setting for setting in SETTINGS if setting[0] > 1]
    lengths = profile.construction_lengths[:3]
    one = _falls(several[:2], 1, lengths, copy_one, context)
    wrong = _falls(several[2:], 1, lengths, copy_wrong, context)
    return _evidence(one | wrong, [])


CLAIM = Claim(
    name="k_head_construction",
    number=20,
    title="One head for each parent reaches the floor",
    statement=(
        r"On $n$-gram chains with $k = 1, 2, 3$ parents, the model whose first layer has one head on each parent and "
        r"whose second layer has $A_2^h = \beta I$ for every head, at its best $\beta$ and $\varepsilon = 1/T$, has an "
        r"excess over the entropy floor that falls at every length, in the end like $1/T$ at the price of counting "
        r"$S^k$ rows, $\frac{S^k (S - 1)}{2T}$ nats; the counts rule for all parents pays the same. One head alone "
        r"stays at the loss of counting by one parent."
    ),
    source="The construction for several parents of Nichani, Damian, Lee (ICML 2024), with exact losses",
    predicted="exponent -1 in T at the price of counting",
    assumptions=(),
    run=run,
    control_statement="Two parents with one head; three parents with heads that look for another token than the query.",
    control=control,
    declared_outside=(ONE_HEAD,),
)
