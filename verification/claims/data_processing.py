"""Claim 3: informations fall along paths, and the limit scores are bounded by them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import (
    CausalGraph,
    Estimate,
    InContextTask,
    PointPrior,
    check_assumptions,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.information import MEASURES
from verification.claim import FAILS, HOLDS, Claim, Context, Evidence, Table, assumptions_of
from verification.matrices import random_matrix
from verification.profiles import Profile

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slack:
    """The smallest slack of a family of inequalities, and how many were broken beyond the error bars."""

    smallest: float = np.inf
    broken: int = 0
    checked: int = 0

    def add(self, slack: Array, error: Array) -> "Slack":
        """Include inequalities ``slack >= 0`` with their error bars."""
        if not slack.size:
            return self
        return Slack(
            min(self.smallest, float(slack.min())),
            self.broken + int((slack < -error).sum()),
            self.checked + slack.size,
        )


def _steps(graph: CausalGraph) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (i, j) of one tree, i > j, whose path leaves i through its parent and does not end there."""
    parent = graph.parent_array
    tree = graph.tree_index
    together = np.tril(tree[:, None] == tree[None, :], k=-1)
    later, earlier = np.nonzero(together & (parent[:, None] != np.arange(graph.length)[None, :]))
    kept = parent[later] >= 0
    return later[kept], earlier[kept]


def _upward(graph: CausalGraph) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (i, j) of one tree, i > j, whose path leaves j through its parent: j is no ancestor of i."""
    parent = graph.parent_array
    later, earlier = _steps(graph)
    ancestor = np.zeros((graph.length, graph.length), dtype=bool)
    for i in range(graph.length):
        if parent[i] >= 0:
            ancestor[i] = ancestor[parent[i]]
            ancestor[i, parent[i]] = True
    kept = (parent[earlier] >= 0) & ~ancestor[later, earlier]
    return later[kept], earlier[kept]


def _information_slack(information: Estimate, graph: CausalGraph, slack: Slack) -> Slack:
    """``I(i, j) <= I(k, j), I(i, k)`` for k the next node on the path from either end; the rest follows by chaining."""
    value, error = information.value, information.error
    parent = graph.parent_array
    i, j = _steps(graph)
    for a, b in ((parent[i], j), (i, parent[i])):
        slack = slack.add(value[a, b] - value[i, j], error[a, b] + error[i, j])
    i, j = _upward(graph)
    for a, b in ((i, parent[j]), (parent[j], j)):
        slack = slack.add(value[a, b] - value[i, j], error[a, b] + error[i, j])
    return slack


def _score_slack(task: InContextTask, graph: CausalGraph, chi2: Estimate, slack: Slack) -> Slack:
    """``S limit_ij <= sqrt(I_ij I_ip) <= I_ip`` for j < i other than the parent p of i."""
    size = task.vocab_size
    limit = limit_edge_scores(task)
    parent = graph.parent_array
    i, j = np.nonzero(np.tril(np.ones((graph.length, graph.length), dtype=bool), k=-1))
    # At the parent itself both bounds are equalities: claim 2.
    kept = (parent[i] >= 0) & (parent[i] != j)
    i, j = i[kept], j[kept]
    own, edge = chi2.value[i, j], chi2.value[i, parent[i]]
    mean = np.sqrt(own * edge)
    relative = float((chi2.error / np.maximum(chi2.value, 1e-300)).max())
    slack = slack.add(mean - size * limit.value[i, j], size * limit.error[i, j] + 2.0 * relative * mean)
    return slack.add(edge - mean, 2.0 * relative * (edge + mean))


def _evidence(profile: Profile, context: Context, *, shuffled: bool) -> Evidence:
    slacks = {measure: Slack() for measure in MEASURES}
    score = Slack()
    reports = []
    for k in range(profile.information_forests):
        rng = context.rng(k)
        length, size = int(rng.integers(4, 16)), int(rng.integers(2, 6))
        graph = CausalGraph.random_forest(length, 0.2, rng)
        task = InContextTask(graph, PointPrior(random_matrix(size, rng)))
        claimed = CausalGraph.random_forest(length, 0.2, rng) if shuffled else graph
        informations = {measure: pairwise_information(task, measure) for measure in MEASURES}
        for measure in MEASURES:
            slacks[measure] = _information_slack(informations[measure], claimed, slacks[measure])
        score = _score_slack(task, claimed, informations["chi2"], score)
        if k < 20:
            reports.append(check_assumptions(task.prior))
    everything: dict[str, Slack] = {str(name): slack for name, slack in slacks.items()}
    everything["score bound"] = score
    broken = sum(slack.broken for slack in everything.values())
    checked = sum(slack.checked for slack in everything.values())
    smallest = min(slack.smallest for slack in everything.values())
    rows = tuple(
        (name, str(slack.checked), f"{slack.smallest:.2e}", str(slack.broken)) for name, slack in everything.items()
    )
    return Evidence(
        verdict=HOLDS if not broken else FAILS,
        predicted="slack >= 0 everywhere",
        measured=f"smallest {smallest:.1e}, {broken} of {checked} broken",
        error=0.0 if smallest >= 0.0 else abs(smallest),
        method="exact",
        assumptions=assumptions_of(*reports),
        regime="needs none: finite-length inequalities, and bounds on the limit itself",
        tables=(
            Table(
                f"inequalities on {profile.information_forests} random forests, a third of them nearly deterministic",
                ("quantity", "checked", "smallest slack", "broken beyond the error bars"),
                rows,
            ),
        ),
        notes=(
            "A slack below zero within the error bars of its two sides is equality up to roundoff: nearly "
            "deterministic steps lose no information.",
        ),
    )


CLAIM = Claim(
    number=3,
    name="data_processing",
    statement=(
        "For k on the path between i and j, I(i;j) <= I(i;k) and I(i;j) <= I(k;j), for the chi-square, "
        "Kullback-Leibler, total variation and Hellinger informations. For j < i with p the parent of i, "
        "S x limit score_ij <= sqrt(I_ij I_ip) <= I_ip (chi-square)."
    ),
    source="Data-processing inequality; Nichani, Damian, Lee 2024, why the parent wins; Cauchy-Schwarz",
    run=lambda profile, context: _evidence(profile, context, shuffled=False),
    control=lambda profile, context: _evidence(profile, context, shuffled=True),
    control_statement="with the parents of another forest the inequalities break",
)
