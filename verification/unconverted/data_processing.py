"""Claim 3: information never grows along a path of the graph, and limit scores are bounded by it."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, InContextTask, PointPrior, limit_edge_scores, pairwise_information
from causal_theory.information import MEASURES
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import KINDS, random_matrix, random_size
from verification.evidence import Evidence, Reading, Regime, Table, summarise_assumptions, verdict_of
from verification.profiles import Profile
from verification.text import show

LENGTHS, SIZES = (4, 12), (2, 4)
ROOT_PROBABILITIES = (0.0, 0.1, 0.3)

INEQUALITIES = (*MEASURES, "score, square root", "score, information")
LABELS: dict[str, str] = {
    **{str(measure): f"I_{measure}(i, j) <= min(I(i, k), I(k, j))" for measure in MEASURES},
    "score, square root": "S limit_ij <= sqrt(I_ij I_i,p(i))",
    "score, information": "sqrt(I_ij I_i,p(i)) <= I_i,p(i)",
}

CONTROL_SHARE = 4
"""The control, which breaks on almost every forest, is given one forest for so many of the claim."""

Array = NDArray[np.float64]
Triples = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


@dataclass
class Tally:
    """Slack of one inequality over many instances: upper side minus lower side.

    Attributes
    ----------
    count, within, beyond : int
        Instances; those with negative slack within their error bar; those beyond it.
    smallest : float
        Smallest slack.
    bars : float
        Smallest slack in units of its error bar.
    """

    count: int = 0
    within: int = 0
    beyond: int = 0
    smallest: float = field(default=float("inf"))
    bars: float = field(default=float("inf"))

    def add(self, slack: Array, bar: Array) -> None:
        """Count instances; a slack is judged against the error bars of both sides and nothing else."""
        if slack.size == 0:
            return
        self.count += slack.size
        self.within += int(((slack < 0.0) & (slack >= -bar)).sum())
        self.beyond += int((slack < -bar).sum())
        self.smallest = min(self.smallest, float(slack.min()))
        with np.errstate(divide="ignore"):
            relative = np.divide(slack, bar, out=np.where(slack == 0.0, 0.0, np.inf), where=bar > 0.0)
        self.bars = min(self.bars, float(relative.min()))

    def join(self, other: "Tally") -> "Tally":
        """Return the tally of both."""
        return Tally(
            self.count + other.count,
            self.within + other.within,
            self.beyond + other.beyond,
            min(self.smallest, other.smallest),
            min(self.bars, other.bars),
        )


Tallies = dict[tuple[str, str], Tally]


def _triples(graph: CausalGraph) -> Triples:
    """All (i, k, j) with k strictly inside the path between i and j."""
    distance = graph.distances
    # Sums of infinities are infinite and equal to infinity, hence the second condition.
    inside = (distance[:, :, None] + distance[None, :, :] == distance[:, None, :]) & np.isfinite(distance)[:, None, :]
    i, k, j = np.nonzero(inside)
    apart = (i < j) & (i != k) & (k != j)
    return i[apart], k[apart], j[apart]


def _check_informations(task: InContextTask, triples: Triples, kind: str, tallies: Tallies) -> None:
    i, k, j = triples
    for measure in MEASURES:
        found = pairwise_information(task, measure)
        value, error = found.value, found.error
        for near in ((i, k), (k, j)):
            tallies[measure, kind].add(value[near] - value[i, j], error[near] + error[i, j])


def _check_scores(task: InContextTask, graph: CausalGraph, kind: str, tallies: Tallies) -> None:
    """Check the bounds on ``S * limit`` for every child and every earlier token of its tree but the parent."""
    information, limit = pairwise_information(task, "chi2"), limit_edge_scores(task)
    parents = graph.parent_array
    i, j = np.nonzero(np.tril(np.isfinite(graph.distances), k=-1))
    other = parents[i] != j
    i, j = i[other], j[other]
    edge, pair = (i, parents[i]), (i, j)
    size = task.vocab_size
    root = np.sqrt(information.value[pair] * information.value[edge])
    high = np.sqrt(
        (information.value[pair] + information.error[pair]) * (information.value[edge] + information.error[edge])
    )
    tallies["score, square root", kind].add(root - size * limit.value[pair], high - root + size * limit.error[pair])
    tallies["score, information", kind].add(
        information.value[edge] - root, high - root + information.error[edge] + np.spacing(root)
    )


def _survey(forests: int, context: Context, *, shuffled: bool) -> tuple[Tallies, list[PointPrior]]:
    """Go through random forests; ``shuffled`` takes paths and parents from another forest than the tokens follow."""
    tallies = {key: Tally() for key in product(INEQUALITIES, KINDS)}
    priors = []
    kinds = tuple(KINDS)
    for n in context.track(range(forests), "random forests"):
        rng = context.rng(n)
        kind = kinds[n % len(kinds)]
        length, size = random_size(rng, LENGTHS, SIZES)
        graph, other = (CausalGraph.random_forest(length, float(rng.choice(ROOT_PROBABILITIES)), rng) for _ in range(2))
        priors.append(PointPrior(random_matrix(kind, size, rng)))
        stationary = n // len(kinds) % 2 == 0
        task = InContextTask(graph, priors[-1], "stationary" if stationary else "uniform")
        judged = other if shuffled else graph
        _check_informations(task, _triples(judged), kind, tallies)
        if stationary:
            _check_scores(task, judged, kind, tallies)
    return tallies, priors


def _total(tallies: Tallies, inequality: str | None = None, kind: str | None = None) -> Tally:
    total = Tally()
    for (one, matrix), tally in tallies.items():
        if inequality in {None, one} and kind in {None, matrix}:
            total = total.join(tally)
    return total


def _tables(tallies: Tallies) -> tuple[Table, Table]:
    columns = ("instances", "smallest slack", "in error bars", "negative, within its bar", "violated beyond its bar")

    def row(label: str, tally: Tally) -> tuple[str | int, ...]:
        return (label, tally.count, show(tally.smallest), show(tally.bars), tally.within, tally.beyond)

    return (
        Table(
            "Slack of each inequality",
            ("inequality", *columns),
            tuple(row(LABELS[one], _total(tallies, inequality=one)) for one in INEQUALITIES),
        ),
        Table(
            "Slack by kind of transition matrix, all inequalities",
            ("matrices", *columns),
            tuple(row(kind, _total(tallies, kind=kind)) for kind in KINDS),
        ),
    )


def _evidence(tallies: Tallies, priors: list[PointPrior], extra: tuple[Table, ...] = ()) -> Evidence:
    total = _total(tallies)
    return Evidence(
        verdict=verdict_of(total.beyond == 0),
        predicted=Reading("slack >= 0 for every pair and path", 0.0),
        measured=Reading(
            f"{total.beyond} of {total.count} violated; smallest slack {show(total.smallest)}", total.smallest
        ),
        error=Reading(f"smallest slack is {show(total.bars)} of its own error bar", None),
        method="exact",
        assumptions=summarise_assumptions("point priors", priors),
        regime=Regime(None, "holds at every length"),
        details=(*_tables(tallies), *extra),
        notes=(
            "A slack is compared with the sum of the roundoff bounds of its two sides, never with a tolerance. "
            "Slack at roundoff level is real: along a nearly deterministic path information hardly fades.",
            "Each forest has its own matrix; half have stationary roots, half uniform ones (those enter the "
            "inequalities of information only, the limit scores need stationary roots).",
            "Pairs of a child and its own parent are left out of the score bounds: there they are equalities (claim "
            "edge_score_is_chi2).",
        ),
    )


def _divergences(joint: Array) -> tuple[float, ...]:
    """Return the four informations of a strictly positive joint law of two tokens, by their definitions."""
    law = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    return (
        float(((joint - law) ** 2 / law).sum()),
        float((joint * np.log(joint / law)).sum()),
        float(0.5 * np.abs(joint - law).sum()),
        float(0.5 * ((np.sqrt(joint) - np.sqrt(law)) ** 2).sum()),
    )


def two_parents(copy: float = 0.9, noise: float = 0.05) -> Table:
    """Return informations of three tokens, the third of which has both others as parents.

    The first is uniform on two symbols, the second a noisy copy, the third their noisy exclusive or. A path of the
    skeleton leads from the first to the second by way of the third, yet they share more information with each other.
    """
    joint = np.zeros((2, 2, 2))
    for a, b, c in product(range(2), repeat=3):
        joint[a, b, c] = 0.5 * (copy if a == b else 1.0 - copy) * (1.0 - noise if c == a ^ b else noise)
    ends, first, second = (_divergences(joint.sum(axis=axis)) for axis in (2, 1, 0))
    rows = tuple(
        (
            measure,
            show(ends[m]),
            show(first[m]),
            show(second[m]),
            "violated" if ends[m] > min(first[m], second[m]) else "",
        )
        for m, measure in enumerate(MEASURES)
    )
    return Table("Two parents: s2 = s0 xor s1", ("measure", "I(0, 1)", "I(0, 2)", "I(2, 1)", "I(0, 1) <= min"), rows)


def run(profile: Profile, context: Context) -> Evidence:
    """Check all inequalities on random forests."""
    return _evidence(*_survey(profile.inequality_forests, context, shuffled=False))


def control(profile: Profile, context: Context) -> Evidence:
    """Take the paths of another forest than the one that the tokens follow; and give a token two parents."""
    return _evidence(
        *_survey(-(-profile.inequality_forests // CONTROL_SHARE), context, shuffled=True), extra=(two_parents(),)
    )


CLAIM = Claim(
    name="data_processing",
    number=3,
    title="Information fades along paths and bounds the limit scores",
    statement=(
        r"On every forest, for every $\pi$ and each of the chi-square, Kullback-Leibler, total variation and squared "
        r"Hellinger informations, a token $k$ between $i$ and $j$ knows more of either than they of each other: "
        r"$I(i, j) \le \min(I(i, k), I(k, j))$. With stationary roots, for every child $i$ and every earlier "
        r"$j < i$: $S\,G^\infty_{ij} \le \sqrt{I_{ij}\, I_{i,p(i)}} \le I_{i,p(i)}$ with chi-square informations, so "
        r"that no earlier token has a larger limit score than the parent."
    ),
    source=(
        "Data-processing inequality for f-divergences (Csiszar 1967); Nichani, Damian, Lee (ICML 2024) use it for "
        "chi-square; the bound on the scores is Cauchy-Schwarz"
    ),
    predicted="no slack below zero by more than the error bars of its two sides",
    assumptions=(),
    run=run,
    control_statement=(
        "Paths and parents are taken from another random forest than the one the tokens follow. Beside it, a token "
        "with two parents (exclusive or), where paths do not separate."
    ),
    control=control,
)
