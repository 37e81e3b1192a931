"""Claim 3: information never grows along a path of the graph, and limit scores are bounded by it."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, InContextTask, PointPrior, limit_edge_scores, pairwise_information
from causal_theory.claims import Check, budget, claim
from causal_theory.information import MEASURES
from verification.ensembles import KINDS, Array, random_size

LENGTHS, SIZES = (4, 12), (2, 4)
ROOT_PROBABILITIES = (0.0, 0.1, 0.3)

FADES = {measure: f"{measure}: I(i, j) <= min(I(i, k), I(k, j))" for measure in MEASURES}
BY_ROOT, BY_EDGE = "S limit_ij <= sqrt(I_ij I_i,p(i))", "sqrt(I_ij I_i,p(i)) <= I_i,p(i)"

CONTROL_SHARE = 4
"""The control, which breaks on almost every forest, is given one forest for so many of the claim."""


def _triples(graph: CausalGraph) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return all (i, k, j) with k strictly inside the path between i and j."""
    distance = graph.distances
    # Sums of infinities are infinite and equal to infinity, hence the second condition.
    inside = (distance[:, :, None] + distance[None, :, :] == distance[:, None, :]) & np.isfinite(distance)[:, None, :]
    i, k, j = np.nonzero(inside)
    apart = (i < j) & (i != k) & (k != j)
    return i[apart], k[apart], j[apart]


def _check_scores(check: Check, task: InContextTask, graph: CausalGraph, kind: str) -> None:
    """Check the bounds on ``S * limit`` for every child and every earlier token of its tree but the parent."""
    information, limit = pairwise_information(task, "chi2"), limit_edge_scores(task)
    parents, size = graph.parent_array, task.vocab_size
    i, j = np.nonzero(np.tril(np.isfinite(graph.distances), k=-1))
    other = parents[i] != j
    pair = (i[other], j[other])
    edge = (i[other], parents[i[other]])
    value, upper = information.value, information.value + information.error
    root, high = np.sqrt(value[pair] * value[edge]), np.sqrt(upper[pair] * upper[edge])
    bar = high - root + size * limit.error[pair]
    check.within(BY_ROOT, root - size * limit.value[pair], low=0, error=bar, by=kind)
    bar = high - root + information.error[edge] + np.spacing(root)
    check.within(BY_EDGE, value[edge] - root, low=0, error=bar, by=kind)


@claim(
    3,
    source=(
        "Data-processing inequality for f-divergences (Csiszar 1967); Nichani, Damian, Lee (ICML 2024) use it for "
        "chi-square; the bound on the scores is Cauchy-Schwarz"
    ),
    control=(
        "Paths and parents are taken from another random forest than the one the tokens follow. Beside it, a token "
        "with two parents (exclusive or), where paths do not separate."
    ),
    breaks=(*FADES.values(), BY_ROOT, BY_EDGE),
)
def data_processing(check: Check, forests: int = budget(tiny=40, quick=2000, full=20_000)) -> None:
    r"""Information fades along paths and bounds the limit scores.

    On every forest, for every $\pi$ and each of the chi-square, Kullback-Leibler, total variation and squared Hellinger
    informations, a token $k$ between $i$ and $j$ knows more of either than they of each other: $I(i, j) \le \min(I(i,
    k), I(k, j))$. With stationary roots, for every child $i$ and every earlier $j < i$: $S\,G^\infty_{ij} \le
    \sqrt{I_{ij}\, I_{i,p(i)}} \le I_{i,p(i)}$ with chi-square informations, so that no earlier token has a larger limit
    score than the parent.
    """
    kinds = tuple(KINDS)
    for n in check.track(range(-(-forests // CONTROL_SHARE) if check.control else forests), "random forests"):
        rng, kind = check.rng(n), kinds[n % len(kinds)]
        length, size = random_size(rng, LENGTHS, SIZES)
        graph, other = (CausalGraph.random_forest(length, float(rng.choice(ROOT_PROBABILITIES)), rng) for _ in range(2))
        prior = PointPrior(KINDS[kind](size, rng))
        check.assumptions("point priors", [prior])
        stationary = n // len(kinds) % 2 == 0
        task = InContextTask(graph, prior, "stationary" if stationary else "uniform")
        judged = other if check.control else graph
        i, k, j = _triples(judged)
        for measure, part in FADES.items():
            found = pairwise_information(task, measure)
            for near in ((i, k), (k, j)):
                slack, bar = found.value[near] - found.value[i, j], found.error[near] + found.error[i, j]
                check.within(part, slack, low=0, error=bar, by=kind, forest=n)
        if stationary:
            _check_scores(check, task, judged, kind)
    if check.control:
        two_parents(check)
    check.note("""A slack is compared with the sum of the roundoff bounds of its two sides, never with a tolerance.
    Slack at roundoff level is real: along a nearly deterministic path information hardly fades.

    Each forest has its own matrix; half have stationary roots, half uniform ones (those enter the inequalities of
    information only, the limit scores need stationary roots).

    Pairs of a child and its own parent are left out of the score bounds: there they are equalities (claim
    `edge_score_is_chi2`).""")


def _divergences(joint: Array) -> tuple[float, ...]:
    """Return the four informations of a strictly positive joint law of two tokens, by their definitions."""
    law = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    return (
        float(((joint - law) ** 2 / law).sum()),
        float((joint * np.log(joint / law)).sum()),
        float(0.5 * np.abs(joint - law).sum()),
        float(0.5 * ((np.sqrt(joint) - np.sqrt(law)) ** 2).sum()),
    )


def two_parents(check: Check, copy: float = 0.9, noise: float = 0.05) -> None:
    """Record informations of three tokens, the third of which has both others as parents.

    The first is uniform on two symbols, the second a noisy copy, the third their noisy exclusive or. A path of the
    skeleton leads from the first to the second by way of the third, yet they share more information with each other.
    """
    joint = np.zeros((2, 2, 2))
    for a, b, c in product(range(2), repeat=3):
        joint[a, b, c] = 0.5 * (copy if a == b else 1.0 - copy) * (1.0 - noise if c == a ^ b else noise)
    ends, first, second = (_divergences(joint.sum(axis=axis)) for axis in (2, 1, 0))
    for m, measure in enumerate(MEASURES):
        found = {"I(0, 1)": ends[m], "I(0, 2)": first[m], "I(2, 1)": second[m]}
        violated = ends[m] > min(first[m], second[m])
        check.row("Two parents: s2 = s0 xor s1", {"measure": measure, **found, "violated": violated})
