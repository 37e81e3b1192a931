"""Claim 2: on an edge the limit score is the chi-square information of parent and child, divided by S."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, InContextTask, PointPrior, limit_edge_scores, pairwise_information
from causal_theory.chains import chi2_matrix
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import KINDS, random_matrix, random_size
from verification.evidence import Evidence, Reading, Regime, Table, summarise_assumptions, verdict_of
from verification.profiles import Profile
from verification.text import show

TOLERANCE = 1e-12
"""Absolute; informations of these tasks go up to S - 1, at most 5."""

LENGTHS, SIZES = (4, 20), (2, 6)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Deviations ``S * limit score - information`` of the chosen pairs of one forest.

    Attributes
    ----------
    kind : str
        Kind of the transition matrix.
    deviation : ndarray
        From the informations of the pairs.
    from_norm : ndarray
        From ``||B||_F^2``, which is the information of an edge by another route.
    bar : ndarray
        Error bars of the deviations.
    score : ndarray
        ``S * limit score``.
    information : ndarray
        Chi-square informations.
    """

    kind: str
    deviation: Array
    from_norm: Array
    bar: Array
    score: Array
    information: Array


def _forest(rng: np.random.Generator, length: int) -> CausalGraph:
    """Return a random forest with an edge and a pair at distance two, so that both kinds of pairs occur."""
    while True:
        graph = CausalGraph.random_forest(length, float(rng.choice([0.1, 0.3, 0.5])), rng)
        if (graph.distances == 2.0).any():
            return graph


def _compare(kind: str, rng: np.random.Generator, *, on_edges: bool) -> tuple[Comparison, PointPrior]:
    length, size = random_size(rng, LENGTHS, SIZES)
    prior = PointPrior(random_matrix(kind, size, rng))
    graph = _forest(rng, length)
    task = InContextTask(graph, prior)
    limit, information = limit_edge_scores(task), pairwise_information(task, "chi2")
    related = np.tril(np.isfinite(graph.distances), k=-1)
    edge = graph.adjacency == 1.0
    chosen = edge if on_edges else related & ~edge
    score = size * limit.value[chosen]
    found = Comparison(
        kind=kind,
        deviation=score - information.value[chosen],
        from_norm=score - np.linalg.norm(chi2_matrix(prior.transition)) ** 2,
        bar=size * limit.error[chosen] + information.error[chosen],
        score=score,
        information=information.value[chosen],
    )
    return found, prior


def _evidence(profile: Profile, context: Context, *, on_edges: bool) -> Evidence:
    found, priors = [], []
    kinds = tuple(KINDS)
    for k in context.track(range(profile.edge_forests), "random forests"):
        comparison, prior = _compare(kinds[k % len(kinds)], context.rng(k), on_edges=on_edges)
        found.append(comparison)
        priors.append(prior)
    deviations = np.abs(np.concatenate([one.deviation for one in found]))
    worst = float(deviations.max())
    by_norm = max(float(np.abs(one.from_norm).max()) for one in found)
    agrees = worst <= TOLERANCE and by_norm <= TOLERANCE
    bar = float(np.concatenate([one.bar for one in found]).max())
    pairs = "edges" if on_edges else "other pairs of one tree"
    return Evidence(
        verdict=verdict_of(agrees),
        predicted=Reading(f"|S G_limit - I_chi2| <= {TOLERANCE:g}", 0.0),
        measured=Reading(f"at most {show(worst)} over {deviations.size} {pairs}", worst),
        error=Reading(f"roundoff bound {show(bar)}", bar),
        method="exact",
        assumptions=summarise_assumptions("point priors", priors),
        regime=Regime(None, "a statement about the limit itself"),
        details=(_table(found, pairs),),
        notes=(
            "Each point prior is one draw; an average over a prior inherits the identity, because both sides are "
            "averaged. None of the four assumptions is needed, only stationary roots.",
            f"||B||_F^2, a third route to the information of an edge, deviates by at most {show(by_norm)}.",
            "Tolerances are absolute, against informations of up to S - 1.",
        ),
    )


def _table(found: list[Comparison], pairs: str) -> Table:
    rows = []
    for kind in KINDS:
        own = [one for one in found if one.kind == kind]
        if own:
            deviation, score, information = (
                np.concatenate([getattr(one, field) for one in own]) for field in ("deviation", "score", "information")
            )
            rows.append(
                (
                    kind,
                    len(own),
                    deviation.size,
                    show(float(information.min())),
                    show(float(information.max())),
                    show(float(np.abs(deviation).max())),
                    f"{np.mean(np.abs(deviation) > TOLERANCE):.1%}",
                    f"{np.mean(score < -TOLERANCE):.1%}",
                )
            )
    columns = (
        "matrices", "forests", "pairs", "smallest I", "largest I", "largest deviation", "above tolerance", "score < 0",
    )  # fmt: skip
    return Table(f"S times limit score against chi-square information, {pairs}, eps = 0", columns, tuple(rows))


def run(profile: Profile, context: Context) -> Evidence:
    """Compare on the edges of random forests."""
    return _evidence(profile, context, on_edges=True)


def control(profile: Profile, context: Context) -> Evidence:
    """Compare off the edges: the limit score is no information there, and can be negative."""
    return _evidence(profile, context, on_edges=False)


CLAIM = Claim(
    name="edge_score_is_chi2",
    number=2,
    title="On an edge the limit score is an information",
    statement=(
        r"For every forest with stationary roots and every $\pi$, the limit score at $\varepsilon = 0$ of an edge "
        r"$p(i) \to i$ is the chi-square mutual information of the two tokens over the number of symbols: "
        r"$S\,G^\infty_{i,p(i)} = I_{\chi^2}(s_i; s_{p(i)})$. Off the edges it is **not** a mutual information."
    ),
    source=(
        "Nichani, Damian, Lee (ICML 2024), the population gradient and the chi-square mutual information; here as an "
        "identity"
    ),
    predicted=f"equal to {TOLERANCE:g} on every edge of random forests",
    assumptions=(),
    run=run,
    control_statement=(
        "The same comparison on pairs of one tree that are not edges, where the limit score is no information."
    ),
    control=control,
)
