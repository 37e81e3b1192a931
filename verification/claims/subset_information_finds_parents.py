"""Claim 19: averaged over the prior, the modified chi-square of a set of positions is largest at the parents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior
from causal_theory.claims import Check, budget, claim
from causal_theory.claims.records import Number
from causal_theory.information import SubsetMeasure, subset_information, subset_informations
from verification.ensembles import Array

Subset = tuple[int, ...]

TRIGRAM, FOURGRAM, TREE, RANDOM, SIBLINGS = "trigram", "4-gram", "tree and previous", "random graphs", "siblings"

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

AVERAGE = "on average the parents have more than any other set"
GROWS = "the ordinary chi-square never falls when a position is added"
STOPS = {
    TRIGRAM: "trigram, two symbols, concentration 0.1: the parents have more than any other pair",
    RANDOM: "random graphs, concentration 0.1: the parents have more than any other pair",
    SIBLINGS: "siblings, concentration 0.1: the parents have more than any other pair",
}
EXCLUSIVE_OR = "exclusive or: the parents have more than the best pair"


@dataclass(frozen=True)
class Case:
    """A graph with the same number of parents wherever there are some, one of its positions, and a prior."""

    family: str
    graph: CausalGraph
    position: int
    size: int
    concentration: float

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.family}, S = {self.size}, concentration {self.concentration:g}"

    @property
    def parents(self) -> Subset:
        """The true set, ascending."""
        return tuple(sorted(self.graph.parents[self.position]))

    @property
    def prior(self) -> DirichletPrior:
        """The prior."""
        return DirichletPrior(self.size, self.concentration)


@dataclass(frozen=True)
class Found:
    """Modified chi-squares by the number of positions, shapes ``(draws, sets)``, up to one more than parents."""

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

    def leads(self, count: int) -> tuple[list[Subset], Array, Array]:
        """Return all other sets of a size, and mean and standard error of the lead over each, paired by kernels."""
        others = [k for k, subset in enumerate(self.sets[count]) if subset != self.case.parents]
        gaps = self.truth[:, np.newaxis] - self.values[count][:, others]
        errors = gaps.std(axis=0, ddof=1) / np.sqrt(len(gaps))
        return [self.sets[count][k] for k in others], gaps.mean(axis=0), errors

    def lead(self, count: int) -> tuple[Subset, Number, float]:
        """Return the closest of them, the lead over it, and that in standard errors."""
        rivals, means, errors = self.leads(count)
        # A set that is the same under every kernel neither leads nor follows.
        bars = np.divide(means, errors, out=np.zeros_like(means), where=errors > 0.0)
        least = int(np.argmin(bars))
        lead = Number(float(means[least]), float(errors[least]), "standard error")
        return rivals[least], lead, float(bars[least])

    @property
    def first(self) -> int:
        """For how many of the kernels the true set is the largest of its size."""
        return int((self.truth >= self.values[self.count].max(axis=1)).sum())

    @property
    def single(self) -> int:
        """For how many of the kernels one position alone has more."""
        return int((self.truth < self.values[1].max(axis=1)).sum())

    @property
    def ratio(self) -> float:
        """Mean at the parents over the mean of the best single parent."""
        return float(self.truth.mean() / self.values[1][:, list(self.case.parents)].mean(axis=0).max())

    def record(self, check: Check, part: str, counts: Iterable[int]) -> None:
        """Compare the parents with all other sets of some sizes."""
        for count in counts:
            rivals, means, errors = self.leads(count)
            at: dict[str, Any] = {"by": self.case.family, "task": self.case.name, "rival": list(map(str, rivals))}
            check.positive(part, means, error=errors, kind="standard error", bars=SURE, **at)


def without_last_parent(kernel: Array) -> Array:
    """Return a kernel that does not depend on the last parent."""
    return np.repeat(kernel.take([0], axis=-2), kernel.shape[-1], axis=-2)


def graph_of(family: str, rng: np.random.Generator) -> tuple[CausalGraph, int]:
    """Return a graph and the position whose parents are looked for."""
    if family in (TRIGRAM, FOURGRAM):
        return CausalGraph.ngram(LENGTH, 2 if family == TRIGRAM else 3), LENGTH - 1
    if family == TREE:
        return CausalGraph.binary_tree_and_previous(LENGTH), LENGTH - 1
    if family == SIBLINGS:
        return CausalGraph([(), ()] + [(0, 1)] * (RANDOM_LENGTH - 2), (0, 1)), RANDOM_LENGTH - 1
    return CausalGraph.random_dag(RANDOM_LENGTH, 2, rng), RANDOM_LENGTH - 1


def measure(case: Case, draws: int, rng: np.random.Generator, *, blind: bool = False) -> Found:
    """Draw kernels, blind to the last parent or not, and compute the modified chi-square of all sets."""
    count = len(case.parents)
    found: dict[int, list[Array]] = {size: [] for size in range(1, count + 2)}
    for kernel in case.prior.sample_transitions(draws, (count,), rng)[count]:
        task = InContextTask(case.graph, PointPrior({count: without_last_parent(kernel) if blind else kernel}))
        for size, rows in found.items():
            rows.append(subset_informations(task, case.position, size, measure=MODIFIED).informations.value)
    return Found(case, {size: np.array(rows) for size, rows in found.items()})


def _measure(check: Check, cases: Iterable[Case], draws: int, label: str) -> list[Found]:
    # There are several random graphs, so that each takes fewer kernels.
    return [
        measure(case, draws // 2 if case.family == RANDOM else draws, check.rng(label, k), blind=check.control)
        for k, case in enumerate(check.track(list(cases), "kernels of several parents"))
    ]


def _cases(graphs: int, check: Check) -> Iterator[Case]:
    for family, priors in PRIORS.items():
        for k in range(graphs if family == RANDOM else 1):
            graph, position = graph_of(family, check.rng("graph", family, k))
            yield from (Case(family, graph, position, *prior) for prior in priors)


def _outside(graphs: int, check: Check) -> Iterator[Case]:
    yield Case(TRIGRAM, *graph_of(TRIGRAM, check.rng("none")), 2, 0.1)
    for k in range(graphs):
        yield Case(RANDOM, *graph_of(RANDOM, check.rng("graph", RANDOM, k)), 3, 0.1)
    yield Case(SIBLINGS, *graph_of(SIBLINGS, check.rng("none")), 3, 0.1)


def growth(check: Check, kind: SubsetMeasure, tasks: int) -> None:
    """Compare every set of up to three positions with its subsets, on random kernels of all families."""
    for k in check.track(range(tasks), "growing sets"):
        rng = check.rng("growth", k)
        family = tuple(PRIORS)[k % len(PRIORS)]
        graph, position = graph_of(family, rng)
        size, parents = int(rng.integers(2, 4)), len(graph.parents[position])
        kernel = DirichletPrior(size, float(rng.choice([0.1, 1.0]))).sample_transitions(1, (parents,), rng)[parents][0]
        task = InContextTask(graph, PointPrior({parents: kernel}))
        found = [subset_informations(task, position, m, measure=kind) for m in range(1, LARGEST + 1)]
        for small, large in pairwise(found):
            place = {tuple(row): n for n, row in enumerate(small.subsets.tolist())}
            sets = [(n, tuple(row)) for n, row in enumerate(large.subsets.tolist())]
            steps = [(n, place[one]) for n, row in sets for one in combinations(row, len(row) - 1)]
            after, before = np.array(steps).T
            change = large.informations.value[after] - small.informations.value[before]
            error = large.informations.error[after] + small.informations.error[before]
            check.within(GROWS, change, low=0, error=error, by=family, task=k, measure=kind)


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


def _rows(check: Check, title: str, found: Sequence[Found]) -> None:
    for one in found:
        cells: dict[str, Any] = {
            "task": one.case.name,
            "kernels": len(one.truth),
            "mean at the parents": one.truth.mean(),
        }
        for words, count in (("fewer", one.count - 1), ("as many", one.count), ("more", one.count + 1)):
            rival, lead, bars = one.lead(count)
            cells |= {f"closest with {words}": str(rival), f"lead over {words}": lead}
            cells[f"lead over {words} in standard errors"] = bars
        cells |= {"parents first of their size": one.first / len(one.truth)}
        cells |= {"one position has more": one.single / len(one.truth), "over the best single parent": one.ratio}
        check.row(title, {**cells, "1 + 1/S": 1.0 + 1.0 / one.case.size if one.count == 2 else None})


def _where_it_stops(check: Check, found: Sequence[Found], inside: Sequence[Found]) -> None:
    """Record where the parents do not have most, and how little a single kernel tells."""
    for one in found:
        one.record(check, STOPS[one.case.family], (2,))
    sparse = [one.lead(2)[-1] for one in found if one.case.family == RANDOM]
    lost = sum(bars < -SURE for bars in sparse)
    check.share("share of random graphs, concentration 0.1, where another pair has surely more", lost, len(sparse))
    parents, best, most = exclusive_or()
    check.positive(EXCLUSIVE_OR, parents - most, parents=parents, pair=str(best), of_the_pair=most)
    for one in inside:
        check.share("share of kernels whose parents are first of their size", one.first, len(one.truth))
        if one.count == 2:
            check.share("share of kernels where one position has more than both parents", one.single, len(one.truth))


@claim(
    19,
    source="Chen, Sheen, Wang, Yang (2024), arXiv 2409.10559, where it decides which parents are learned",
    control="Kernels do not depend on the last parent; and the modified chi-square is asked to grow with the set.",
    breaks=(AVERAGE, GROWS),
    outside=(*STOPS.values(), EXCLUSIVE_OR),
)
def subset_information_finds_parents(
    check: Check, kernels: int = budget(quick=200, full=4000), graphs: int = budget(quick=3, full=12)
) -> None:
    r"""The modified chi-square of sets finds the parents, on average.

    The modified chi-square $\sum_z P(z)^2 \big(\sum_e P(e \mid z)^2 / P(e) - 1\big)$ of a set of earlier positions,
    averaged over a Dirichlet prior, is largest at the parents among sets of that size: for trigrams, 4-grams, binary
    trees with the previous position, and random graphs with concentration 1. For two parents it is larger than for any
    one and any three positions too. The ordinary chi-square cannot choose: it grows with the set. It stops at two
    symbols with sparse rows, at siblings with sparse rows, and for single kernels.
    """
    draws, count = (kernels // 4, 1) if check.control else (kernels, graphs)
    inside = _measure(check, _cases(count, check), draws, "inside")
    for one in inside:
        one.record(check, AVERAGE, one.values if one.case.family in ANY_SIZE else (one.count,))
    growth(check, MODIFIED if check.control else ORDINARY, count * len(PRIORS))
    _rows(check, "Modified chi-square of sets of positions, averaged over kernels", inside)
    outside = [] if check.control else _measure(check, _outside(graphs, check), draws, "outside")
    if outside:
        _where_it_stops(check, outside, inside)
        _rows(check, "Where it stops", outside)
    priors = {(one.case.size, one.case.concentration): one.case.prior for one in [*inside, *outside]}
    check.assumptions("Dirichlet priors", list(priors.values()))
    shown = [one for one in inside if one.case.family in {TRIGRAM, FOURGRAM} and one.case.size == 3]
    most = {one.case.name: np.array([rows.mean(axis=0).max() for rows in one.values.values()]) for one in shown}
    check.figure(
        "Largest mean modified chi-square of sets of each size",
        {one.case.name: (list(one.values), most[one.case.name] / one.truth.mean()) for one in shown},
        x="positions in the set",
        y="largest mean over that at the parents",
        description="One line for each task; trigrams peak at two positions and 4-grams at three, but the lines are "
        "flat up to there: a subset of the parents has nearly as much.",
    )
    check.note("""The modified chi-square does tell the size of the set, but by little: for tokens that are nearly
    uniform and independent rows, the mean at both parents is 1 + 1/S times that at one of them (last columns). A single
    kernel is a coin toss: for nearly half of them one position has more than both parents.

    The square of the probability of the set favours tokens that are nearly constant. Parents that are roots are
    uniform, and with sparse rows siblings, which follow the same row, are copies of each other: they have more than the
    parents do. Random graphs have such positions, n-grams do not.

    With two symbols and sparse rows a trigram has too few rows to tell: other pairs come out level with the parents, or
    slightly ahead. The exclusive or is linear, so that farther pairs repeat the position.""")
