"""Claim 19: averaged over the prior, the modified chi-square of a set of positions is largest at the parents."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior
from causal_theory.information import SubsetMeasure, subset_information, subset_informations
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
Subset = tuple[int, ...]

TRIGRAM, FOURGRAM, TREE, RANDOM = "trigram", "4-gram", "tree and previous", "random graphs"

PRIORS: dict[str, tuple[tuple[int, float], ...]] = {
    TRIGRAM: ((3, 0.1), (5, 0.1), (2, 1.0), (3, 1.0), (5, 1.0)),
    FOURGRAM: ((2, 0.1), (3, 0.1), (2, 1.0), (3, 1.0)),
    TREE: ((3, 0.1), (2, 1.0), (3, 1.0)),
    RANDOM: ((2, 1.0), (3, 1.0)),
}
"""Symbols and concentrations for each family of graphs: those for which the statement is made."""

ANY_SIZE = (TRIGRAM, TREE)
"""Families whose parents have to beat sets of one position less and more too. With three parents the lead over two of
them is a few percent, which takes more draws than there are here."""

FEW, SPARSE, SIBLINGS, SUMS, SINGLE = (
    f"{TRIGRAM}, two symbols, concentration 0.1",
    f"{RANDOM}, concentration 0.1",
    "siblings, concentration 0.1",
    "exclusive or",
    "one kernel at a time",
)

LENGTH, RANDOM_LENGTH = 9, 8
NOISE = 0.05
"""How often the exclusive or is flipped."""

SURE = 3.0
"""Standard errors by which the mean of a paired difference must lie above zero."""

MODIFIED: SubsetMeasure = "modified_chi2"
ORDINARY: SubsetMeasure = "chi2"
"""The information that the claim is about, and the one that can only grow with the set."""

LARGEST = 3
"""Positions of the largest sets that are compared with their subsets."""

Change = Callable[[Array], Array]


@dataclass(frozen=True)
class Case:
    """A graph, one of its positions, and a prior.

    Attributes
    ----------
    family : str
        What the graph is.
    graph : CausalGraph
        The graph; every position that has parents has the same number of them.
    position : int
        Whose parents are looked for.
    size : int
        Symbols.
    concentration : float
        Of the Dirichlet prior.
    """

    family: str
    graph: CausalGraph
    position: int
    size: int
    concentration: float

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.family.partition(',')[0]}, S = {self.size}, concentration {self.concentration:g}"

    @property
    def parents(self) -> Subset:
        """The true set, ascending."""
        return tuple(sorted(self.graph.parents[self.position]))

    @property
    def prior(self) -> DirichletPrior:
        """The prior."""
        return DirichletPrior(self.size, self.concentration)


@dataclass(frozen=True)
class Lead:
    """By how much the parents lead over the rival that comes closest, on average.

    Attributes
    ----------
    rival : tuple of int
        The other set.
    value, bars : float
        Mean of the difference, and that in standard errors.
    """

    rival: Subset
    value: float
    bars: float


@dataclass(frozen=True)
class Found:
    """Modified chi-squares of all sets up to one position more than there are parents, kernel by kernel.

    Attributes
    ----------
    case : Case
        The task.
    values : dict of int to ndarray, shapes (draws, sets)
        By the number of positions.
    """

    case: Case
    values: dict[int, Array]

    @cached_property
    def sets(self) -> dict[int, list[Subset]]:
        """All sets by number of positions, in lexicographic order."""
        return {count: list(combinations(range(self.case.position), count)) for count in self.values}

    @property
    def count(self) -> int:
        """Number of parents."""
        return len(self.case.parents)

    @cached_property
    def truth(self) -> Array:
        """The value of the true set for each kernel."""
        return self.values[self.count][:, self.sets[self.count].index(self.case.parents)]

    def lead(self, count: int) -> Lead:
        """Return the lead over sets of a number of positions; differences are paired, kernel by kernel."""
        others = [k for k, subset in enumerate(self.sets[count]) if subset != self.case.parents]
        gaps = self.truth[:, np.newaxis] - self.values[count][:, others]
        means, errors = gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / np.sqrt(len(gaps))
        # A set that is the same under every kernel neither leads nor follows.
        bars = np.divide(means, errors, out=np.zeros_like(means), where=errors > 0.0)
        least = int(np.argmin(bars))
        return Lead(self.sets[count][others[least]], float(means[least]), float(bars[least]))

    @property
    def asked(self) -> tuple[int, ...]:
        """Numbers of positions of the rivals that the parents have to beat."""
        return tuple(self.values) if self.case.family in ANY_SIZE else (self.count,)

    @property
    def least(self) -> Lead:
        """The lead over the closest of them."""
        return min((self.lead(count) for count in self.asked), key=lambda lead: lead.bars)

    @property
    def share(self) -> float:
        """For how many of the kernels the true set is the largest of its size."""
        return float((self.truth >= self.values[self.count].max(axis=1)).mean())

    @property
    def single(self) -> float:
        """For how many of the kernels one position alone has more."""
        return float((self.truth < self.values[1].max(axis=1)).mean())

    @property
    def ratio(self) -> float:
        """Mean at the parents over the mean of the best single parent."""
        return float(self.truth.mean() / self.values[1][:, list(self.case.parents)].mean(axis=0).max())

    def relative(self, count: int) -> float:
        """Return the largest mean of the sets of a number of positions, over that of the parents."""
        return float(self.values[count].mean(axis=0).max() / self.truth.mean())


def unchanged(kernel: Array) -> Array:
    """Return the kernel."""
    return kernel


def without_last_parent(kernel: Array) -> Array:
    """Return a kernel that does not depend on the last parent."""
    first = kernel.take([0], axis=-2)
    return np.repeat(first, kernel.shape[-1], axis=-2)


def graph_of(family: str, rng: np.random.Generator) -> tuple[CausalGraph, int]:
    """Return a graph and the position whose parents are looked for."""
    if family == TRIGRAM:
        return CausalGraph.ngram(LENGTH, 2), LENGTH - 1
    if family == FOURGRAM:
        return CausalGraph.ngram(LENGTH, 3), LENGTH - 1
    if family == TREE:
        return CausalGraph.binary_tree_and_previous(LENGTH), LENGTH - 1
    if family == SIBLINGS:
        return CausalGraph([(), ()] + [(0, 1)] * (RANDOM_LENGTH - 2), (0, 1)), RANDOM_LENGTH - 1
    return CausalGraph.random_dag(RANDOM_LENGTH, 2, rng), RANDOM_LENGTH - 1


def measure(case: Case, draws: int, rng: np.random.Generator, change: Change) -> Found:
    """Draw kernels and compute the modified chi-square of all sets."""
    count = len(case.parents)
    kernels = case.prior.sample_kernels(draws, (count,), rng)[count]
    found: dict[int, list[Array]] = {size: [] for size in range(1, count + 2)}
    for kernel in kernels:
        task = InContextTask(case.graph, PointPrior({count: change(kernel)}))
        for size, rows in found.items():
            rows.append(subset_informations(task, case.position, size, measure=MODIFIED).informations.value)
    return Found(case, {size: np.array(rows) for size, rows in found.items()})


def _cases(graphs: int, context: Context) -> Iterator[Case]:
    for family, priors in PRIORS.items():
        for k in range(graphs if family == RANDOM else 1):
            graph, position = graph_of(family, context.rng("graph", family, k))
            yield from (Case(family, graph, position, *prior) for prior in priors)


def _outside(graphs: int, context: Context) -> Iterator[Case]:
    yield Case(TRIGRAM, *graph_of(TRIGRAM, context.rng("none")), 2, 0.1)
    for k in range(graphs):
        yield Case(RANDOM, *graph_of(RANDOM, context.rng("graph", RANDOM, k)), 3, 0.1)
    yield Case(SIBLINGS, *graph_of(SIBLINGS, context.rng("none")), 3, 0.1)


@dataclass(frozen=True)
class Growth:
    """What happens to an information when a position is added to a set.

    Attributes
    ----------
    count, fallen : int
        Pairs of sets; those where it falls by more than the error bars.
    smallest : float
        The smallest change.
    """

    count: int
    fallen: int
    smallest: float


def growth(kind: SubsetMeasure, tasks: int, context: Context) -> Growth:
    """Compare every set of up to three positions with its subsets, on random kernels of all families."""
    count, fallen, smallest = 0, 0, np.inf
    for k in context.track(range(tasks), "growing sets"):
        rng = context.rng("growth", k)
        family = tuple(PRIORS)[k % len(PRIORS)]
        graph, position = graph_of(family, rng)
        size, parents = int(rng.integers(2, 4)), len(graph.parents[position])
        kernel = DirichletPrior(size, float(rng.choice([0.1, 1.0]))).sample_kernels(1, (parents,), rng)[parents][0]
        task = InContextTask(graph, PointPrior({parents: kernel}))
        found = [subset_informations(task, position, m, measure=kind) for m in range(1, LARGEST + 1)]
        for small, large in pairwise(found):
            place = {tuple(row): n for n, row in enumerate(small.subsets.tolist())}
            for n, row in enumerate(large.subsets.tolist()):
                for subset in combinations(row, len(row) - 1):
                    m = place[subset]
                    change = float(large.informations.value[n] - small.informations.value[m])
                    count += 1
                    fallen += change < -float(large.informations.error[n] + small.informations.error[m])
                    smallest = min(smallest, change)
    return Growth(count, fallen, smallest)


def exclusive_or() -> tuple[float, Subset, float]:
    """Return the modified chi-square of the parents under the noisy exclusive or, and the pair that has most."""
    kernel = np.full((2, 2, 2), NOISE)
    for a, b in np.ndindex(2, 2):
        kernel[a, b, a ^ b] = 1.0 - NOISE
    graph, position = graph_of(TRIGRAM, np.random.default_rng(0))
    task = InContextTask(graph, PointPrior({2: kernel}))
    pairs = subset_informations(task, position, 2, measure=MODIFIED)
    truth = subset_information(task, position, graph.parents[position], measure=MODIFIED)
    return float(truth), pairs.best, pairs.of(pairs.best)


def _family_part(family: str, found: Sequence[Found]) -> Part:
    leads = [(one.least, one) for one in found]
    worst, at = min(leads, key=lambda pair: pair[0].bars)
    sizes = f"{min(at.asked)} to {max(at.asked)} positions" if len(at.asked) > 1 else f"{at.asked[0]} positions"
    return Part(
        name=family,
        verdict=verdict_of(worst.bars >= SURE),
        predicted=Reading(f"on average the parents have most among sets of {sizes}"),
        measured=Reading(
            f"{sum(lead.bars >= SURE for lead, _ in leads)} of {len(leads)}; closest {worst.rival}, behind by "
            f"{show(worst.value)} of {show(float(at.truth.mean()))} (S = {at.case.size}, "
            f"concentration {at.case.concentration:g})",
            worst.value,
        ),
        error=Reading(f"that is {show(worst.bars)} standard errors", worst.bars),
        method="monte carlo (standard error)",
    )


def _growth_part(kind: SubsetMeasure, grown: Growth) -> Part:
    return Part(
        name="larger sets know more",
        verdict=verdict_of(grown.fallen == 0),
        predicted=Reading("the ordinary chi-square never falls when a position is added", 0.0),
        measured=Reading(
            f"{kind}: {grown.fallen} of {grown.count} fall; smallest change {show(grown.smallest)}", grown.fallen
        ),
        error=Reading("bounds on roundoff of both sides"),
        method="exact",
    )


def _outside_parts(found: Sequence[Found], inside: Sequence[Found]) -> tuple[Part, ...]:
    def part(name: str, text: str, number: float, error: str, *, exact: bool = False) -> Part:
        return Part(
            name=name,
            verdict=OUTSIDE,
            predicted=Reading("nothing"),
            measured=Reading(text, number),
            error=Reading(error),
            method="exact" if exact else "monte carlo (standard error)",
        )

    few = next(one for one in found if one.case.family == TRIGRAM)
    sparse = [one for one in found if one.case.family == RANDOM]
    siblings = next(one for one in found if one.case.family == SIBLINGS)
    lead, other = few.lead(2), siblings.lead(2)
    lost = sum(one.lead(2).bars < -SURE for one in sparse)
    shares = [one.share for one in inside]
    alone = [one.single for one in inside if one.count == 2]
    parents, best, most = exclusive_or()
    return (
        part(
            FEW,
            f"lead of the parents over {lead.rival} {show(lead.value)}, of {show(float(few.truth.mean()))}",
            lead.value,
            f"{show(lead.bars)} standard errors",
        ),
        part(
            SPARSE,
            f"on {lost} of {len(sparse)} graphs another pair has more on average",
            lost,
            f"by more than {SURE:g} standard errors",
        ),
        part(
            SIBLINGS,
            f"parents behind {other.rival}, two siblings, by {show(-other.value)}",
            other.value,
            f"{show(-other.bars)} standard errors",
        ),
        part(
            SUMS,
            f"parents {show(parents)}, the pair {best} {show(most)}",
            parents - most,
            "roundoff",
            exact=True,
        ),
        part(
            SINGLE,
            f"parents first among their size for {interval(shares)} of kernels; one position has more than both "
            f"parents for {interval(alone)}",
            min(shares),
            f"{len(inside[0].truth)} kernels each",
        ),
    )


def _table(title: str, found: Sequence[Found]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        fewer, same, more = (one.lead(count) for count in (one.count - 1, one.count, one.count + 1))
        rows.append(
            (
                one.case.name,
                len(one.truth),
                show(float(one.truth.mean())),
                *(f"{lead.rival}: {show(lead.value)} ({show(lead.bars)})" for lead in (fewer, same, more)),
                show(one.share),
                show(one.single),
                show(one.ratio),
                show(1.0 + 1.0 / one.case.size) if one.count == 2 else "-",
            )
        )
    columns = (
        "task",
        "kernels",
        "mean at the parents",
        "lead over fewer (standard errors)",
        "over as many",
        "over more",
        "parents first of their size",
        "one position has more",
        "over the best single parent",
        "1 + 1/S",
    )
    return Table(title, columns, tuple(rows))


def _plot(found: Sequence[Found]) -> Plot:
    shown = [one for one in found if one.case.family in {TRIGRAM, FOURGRAM} and one.case.size == 3]
    return Plot(
        name="subset_information_finds_parents",
        title="Largest mean modified chi-square of sets of each size",
        xlabel="positions in the set",
        ylabel="largest mean over that at the parents",
        curves=tuple(
            Curve(one.case.name, tuple(one.values), tuple(one.relative(count) for count in one.values)) for one in shown
        ),
        description=(
            "One line for each task; trigrams peak at two positions and 4-grams at three, but the lines are flat up to "
            "there: a subset of the parents has nearly as much."
        ),
    )


def _evidence(
    inside: Sequence[Found], outside: Sequence[Found], kind: SubsetMeasure, grown: Growth, *, where_it_stops: bool
) -> Evidence:
    families = {family: [one for one in inside if one.case.family == family] for family in PRIORS}
    parts = [*(_family_part(family, found) for family, found in families.items()), _growth_part(kind, grown)]
    if where_it_stops:
        parts += _outside_parts(outside, inside)
    bars = [one.least.bars for one in inside]
    shares = [one.share for one in inside]
    tables = [_table("Modified chi-square of sets of positions, averaged over kernels", inside)]
    if outside:
        tables.append(_table("Where it stops", outside))
    priors = {(one.case.size, one.case.concentration): one.case.prior for one in [*inside, *outside]}
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("the parents have the largest mean; no fall of the ordinary chi-square"),
        measured=Reading(
            f"{sum(bar >= SURE for bar in bars)} of {len(bars)} tasks; kernel by kernel the parents are first of "
            f"their size for {interval(shares)}; {grown.fallen} of {grown.count} fall",
            min(bars),
        ),
        error=Reading(f"closest rival {show(min(bars))} standard errors behind"),
        method="monte carlo (standard error)",
        assumptions=summarise_assumptions("Dirichlet priors", list(priors.values())),
        regime=Regime(None, f"T = {RANDOM_LENGTH} and {LENGTH}"),
        parts=tuple(parts),
        details=tuple(tables),
        plots=(_plot(inside),),
        notes=(
            "The modified chi-square does tell the size of the set, but by little: for tokens that are nearly uniform "
            "and independent rows, the mean at both parents is 1 + 1/S times that at one of them (last columns). A "
            "single kernel is a coin toss: for nearly half of them one position has more than both parents.",
            "The square of the probability of the set favours tokens that are nearly constant. Parents that are roots "
            "are uniform, and with sparse rows siblings, which follow the same row, are copies of each other: they "
            "have more than the parents do. Random graphs have such positions, n-grams do not.",
            "With two symbols and sparse rows a trigram has too few rows to tell: other pairs come out level with the "
            "parents, or slightly ahead. The exclusive or is linear, so that farther pairs repeat the position.",
        ),
    )


def _measure(cases: Sequence[Case], draws: int, context: Context, change: Change, label: str) -> list[Found]:
    # There are several random graphs, so that each takes fewer kernels.
    return [
        measure(case, draws // 2 if case.family == RANDOM else draws, context.rng(label, k), change)
        for k, case in enumerate(context.track(cases, "kernels of several parents"))
    ]


def run(profile: Profile, context: Context) -> Evidence:
    """Compare the parents with all other sets, and find where that stops."""
    draws, graphs = profile.subset_draws, profile.subset_graphs
    inside = _measure(list(_cases(graphs, context)), draws, context, unchanged, "inside")
    outside = _measure(list(_outside(graphs, context)), draws, context, unchanged, "outside")
    grown = growth(ORDINARY, graphs * len(PRIORS), context)
    return _evidence(inside, outside, ORDINARY, grown, where_it_stops=True)


def control(profile: Profile, context: Context) -> Evidence:
    """Let kernels ignore the last parent, and ask of the modified chi-square what the ordinary one does."""
    inside = _measure(list(_cases(1, context)), profile.subset_draws // 4, context, without_last_parent, "inside")
    grown = growth(MODIFIED, len(PRIORS), context)
    return _evidence(inside, (), MODIFIED, grown, where_it_stops=False)


CLAIM = Claim(
    name="subset_information_finds_parents",
    number=19,
    title="The modified chi-square of sets finds the parents, on average",
    statement=(
        r"The modified chi-square $\sum_z P(z)^2 \big(\sum_e P(e \mid z)^2 / P(e) - 1\big)$ of a set of earlier "
        r"positions, averaged over a Dirichlet prior, is largest at the parents among sets of that size: for trigrams, "
        r"4-grams, binary trees with the previous position, and random graphs with concentration 1. For two parents it "
        r"is larger than for any one and any three positions too. The ordinary chi-square cannot choose: it grows with "
        r"the set. It stops at two symbols with sparse rows, at siblings with sparse rows, and for single kernels."
    ),
    source="Chen, Sheen, Wang, Yang (2024), arXiv 2409.10559, where it decides which parents are learned",
    predicted=f"paired differences to all rivals at least {SURE:g} standard errors above zero",
    assumptions=(),
    run=run,
    control_statement=(
        "Kernels do not depend on the last parent; and the modified chi-square is asked to grow with the set."
    ),
    control=control,
    declared_outside=(FEW, SPARSE, SIBLINGS, SUMS, SINGLE),
)
