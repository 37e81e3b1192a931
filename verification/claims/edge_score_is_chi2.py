"""Claim 2: on the edges the limit of the scores is the chi-square information over S; off the edges it is not."""

import numpy as np

from causal_theory import (
    CausalGraph,
    InContextTask,
    PointPrior,
    check_assumptions,
    limit_edge_scores,
    pairwise_information,
)
from verification.claim import FAILS, HOLDS, Claim, Context, Evidence, Table, assumptions_of
from verification.matrices import random_matrix
from verification.profiles import Profile

TOLERANCE = 1e-12


def _evidence(profile: Profile, context: Context, *, edges: bool) -> Evidence:
    worst, counted, rows, reports = 0.0, 0, [], []
    for k in range(profile.forests):
        rng = context.rng(k)
        size = int(rng.integers(2, 7))
        length = int(rng.integers(4, 30))
        graph = CausalGraph.random_forest(length, 0.3, rng)
        task = InContextTask(graph, PointPrior(random_matrix(size, rng)))
        scaled = size * limit_edge_scores(task).value
        chi2 = pairwise_information(task, "chi2").value
        chosen = graph.adjacency > 0
        if not edges:
            together = graph.tree_index[:, None] == graph.tree_index[None, :]
            chosen = np.tril(together, k=-1) & ~chosen
        if not chosen.any():
            continue
        gap = float((np.abs(scaled - chi2)[chosen] / np.maximum(1.0, chi2[chosen])).max())
        counted += int(chosen.sum())
        worst = max(worst, gap)
        if k < 8:
            reports.append(check_assumptions(task.prior))
            rows.append((f"T={length} S={size}", str(int(chosen.sum())), f"{chi2[chosen].max():.4g}", f"{gap:.1e}"))
    where = "edges" if edges else "pairs of one tree that are not edges"
    return Evidence(
        verdict=HOLDS if counted and worst <= TOLERANCE else FAILS,
        predicted=f"difference 0 (accepted {TOLERANCE:g})",
        measured=f"{worst:.1e} over {counted} {where}",
        error=TOLERANCE,
        method="exact",
        assumptions=assumptions_of(*reports),
        regime="needs none: the limit itself",
        tables=(
            Table(
                f"S x limit score against the chi-square information on {where} (first forests)",
                ("task", "pairs", "largest information", "largest difference"),
                tuple(rows),
            ),
        ),
    )


CLAIM = Claim(
    number=2,
    name="edge_score_is_chi2",
    statement=(
        "With eps = 0 and stationary roots the limit score of every edge, times S, equals the chi-square mutual "
        "information of the edge. Off the edges it is not an information, and can be negative."
    ),
    source="Nichani, Damian, Lee 2024, population gradient in the limit of long sequences",
    run=lambda profile, context: _evidence(profile, context, edges=True),
    control=lambda profile, context: _evidence(profile, context, edges=False),
    control_statement="off the edges the same equality breaks",
)
