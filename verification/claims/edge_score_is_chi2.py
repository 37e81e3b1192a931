"""Claim 2: on an edge the limit score is the chi-square information of parent and child, divided by S."""

import numpy as np

from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores, limit_edge_scores, pairwise_information
from causal_theory.chains import chi2_matrix
from causal_theory.claims import Check, budget, claim
from causal_theory.information import MEASURES
from causal_theory.priors import OrbitPrior
from verification.ensembles import FAMILIES, KINDS, STAR, family_graph, random_size, trace_one_matrix

TOLERANCE = 1e-12
"""Absolute; informations of these tasks go up to S - 1, at most 5."""

LENGTHS, SIZES = (4, 20), (2, 6)
SHOWN_LENGTH, SHOWN_SIZE, EPSILON = 20, 5, 0.01

IDENTITY = "S times the limit score of an edge is its information"
BY_NORM = "S times the limit score of an edge is the squared norm of B"
SIGN = "the limit score of an edge is not negative"


def _forest(rng: np.random.Generator, length: int) -> CausalGraph:
    """Return a random forest with an edge and a pair at distance two, so that both kinds of pairs occur."""
    while True:
        graph = CausalGraph.random_forest(length, float(rng.choice([0.1, 0.3, 0.5])), rng)
        if (graph.distances == 2.0).any():
            return graph


@claim(
    2,
    source="Nichani, Damian, Lee (ICML 2024), population gradient and chi-square mutual information, as an identity",
    control="The same comparison on pairs of one tree that are not edges, where the limit score is no information.",
    breaks=(IDENTITY, BY_NORM, SIGN),
)
def edge_score_is_chi2(check: Check, forests: int = budget(tiny=10, quick=200, full=2000)) -> None:
    r"""On an edge the limit score is an information.

    For every forest with stationary roots and every $\pi$, the limit score at $\varepsilon = 0$ of an edge $p(i) \to i$
    is the chi-square mutual information of the two tokens over the number of symbols: $S\,G^\infty_{i,p(i)} =
    I_{\chi^2}(s_i; s_{p(i)})$. Off the edges it is **not** a mutual information.
    """
    kinds = tuple(KINDS)
    for k in check.track(range(forests), "random forests"):
        rng, kind = check.rng(k), kinds[k % len(kinds)]
        length, size = random_size(rng, LENGTHS, SIZES)
        prior = PointPrior(KINDS[kind](size, rng))
        graph = _forest(rng, length)
        task = InContextTask(graph, prior)
        limit, information = limit_edge_scores(task), pairwise_information(task, "chi2")
        edge = graph.adjacency == 1.0
        chosen = np.tril(np.isfinite(graph.distances), k=-1) & ~edge if check.control else edge
        score, own = size * limit.value[chosen], information.value[chosen]
        bar = size * limit.error[chosen] + information.error[chosen]
        norm = np.linalg.norm(chi2_matrix(prior.transition)) ** 2
        options = {"error": bar, "kind": "bound", "bars": 0, "tolerance": TOLERANCE, "by": kind, "forest": k}
        check.equal(IDENTITY, score, own, **options)
        check.equal(BY_NORM, score, norm, **options)
        check.measure("informations of these pairs", own, by=kind)
        check.within(SIGN, score, low=0, tolerance=TOLERANCE, by=kind, forest=k)
        check.assumptions("point priors", [prior])
    check.note("""Each point prior is one draw; an average over a prior inherits the identity, because both sides are
    averaged. None of the four assumptions is needed, only stationary roots. Tolerances are absolute, against
    informations of up to S - 1.""")
    if not check.control:
        _show(check)


def _show(check: Check) -> None:
    """Draw graph, scores and informations of every family; without the row of the query, which is out of scale."""
    rng = check.rng("shown")
    prior = OrbitPrior(trace_one_matrix(SHOWN_SIZE, rng))
    for name in (*FAMILIES, STAR):
        task = InContextTask(family_graph(name, SHOWN_LENGTH, rng), prior)
        scores, limit = edge_scores(task, epsilon=EPSILON).value.copy(), limit_edge_scores(task).value.copy()
        scores[-1] = limit[-1] = 0.0
        informations = {f"{one} information": np.tril(pairwise_information(task, one).value, -1) for one in MEASURES}
        check.matrices(
            f"{name}: T = {SHOWN_LENGTH}, S = {SHOWN_SIZE}, orbit prior of trace 1",
            {f"scores, eps = {EPSILON}": scores, "limit scores, eps = 0": limit, **informations},
            graph=task.graph,
            description="Edge scores, their limit, and the four informations of all pairs. Squares mark the edges.",
        )
