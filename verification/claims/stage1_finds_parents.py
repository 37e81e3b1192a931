"""Claim 6: stage 1 turns every child row to its parent, and how long the rows of roots stay as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, PointPrior, Stage1, edge_scores
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics import FlowTimes, convergence_times, run_stage1
from causal_theory.priors import Prior
from verification.ensembles import FAMILIES, family_graph, trace_one_matrix

SYMBOLS = 3
BETA0 = 0.01
LEAVE = 0.1
"""Distance from uniform attention beyond which a root row counts as having left it."""

DRIFT = 0.01
"""The constant inside the logarithm that does not shrink with the length."""

STEP = 1.0
"""Step of the discrete descent, in units of one over the largest score."""

SLACK = 0.05
"""Accepted relative distance between the discrete descent and its flow in the time of the slowest child."""

MOST_STEPS = 60_000
"""Slower settings are left to the flow alone."""

LONG = 100
"""Length from which only the first prior is descended step by step."""

TIME_ERROR = 1e-13

TIMED = 3
"""Priors under which root rows are timed."""

ROOTED = ("pairs", "random forest")
"""Families whose number of roots grows."""

FLOW = "the flow brings every child row to its parent"
DESCENT = "the descent ends with attention of at least 1 - 1/T on every parent"
TIMES = "descent and flow need the same time for the slowest child, up to a relative 0.05"
EARLY = "root rows keep uniform attention until the slowest child arrives: time of the fastest root / slowest child"


@dataclass(frozen=True)
class Course:
    """Stage 1 in one setting: times of the flow, and the smallest lead of a parent's score.

    ``attention`` is the smallest on a parent at the end of the discrete descent, None when it was left to the flow, and
    ``mismatch`` the relative distance of its slowest child from that of the flow. Of the ``roots`` after position 0
    ``left`` leave uniform attention before the slowest child arrives, the ``last`` at this position; -1 when none.
    """

    times: FlowTimes
    margin: float
    attention: float | None
    mismatch: float
    left: int
    last: int
    roots: int


def _course(graph: CausalGraph, prior: Prior, epsilon: float, *, discrete: bool) -> Course:
    task = InContextTask(graph, prior)
    scores = edge_scores(task, epsilon=epsilon)
    times = convergence_times(scores, graph, leave=LEAVE)
    roots = np.array([i for i in graph.roots if 0 < i < graph.length - 1], dtype=np.int64)
    gone = roots[times.roots[roots] < times.slowest_child]
    attention, mismatch = None, 0.0
    step = STEP / float(np.abs(scores.value[:-1]).max())
    needed = times.slowest_child / step
    if discrete and (needed <= MOST_STEPS or not times.converges):
        steps = int(1.2 * needed) + 100 if times.converges else MOST_STEPS // 10
        settings = Stage1(steps=steps, learning_rate=step * graph.length / BETA0, beta0=BETA0, leave=LEAVE, records=2)
        run = run_stage1(task, settings, epsilon=epsilon)
        attention = float(run.attention_on_parents[-1, np.flatnonzero(graph.parent_array >= 0)].min())
        mismatch = abs(run.slowest_child - needed) / needed if run.status == "converged" and times.converges else 0.0
    margin = EdgeReport(scores, graph).smallest_margin
    return Course(times, margin, attention, mismatch, len(gone), int(gone.max(initial=-1)), len(roots))


def _children(check: Check, priors: Sequence[Prior], lengths: Sequence[int]) -> None:
    """Follow child rows of all families at all lengths under all priors, with the same constant 0.01."""
    for name, length in check.track([(n, t) for n in FAMILIES for t in lengths], "stage 1"):
        graph = family_graph(name, length, check.rng("graph", name, length))
        descended = len(priors) if length < LONG else 1
        found = [_course(graph, prior, DRIFT, discrete=k < descended) for k, prior in enumerate(priors)]
        goal = 1.0 - 1.0 / length
        for k, one in enumerate(found):
            at: dict[str, Any] = {"by": name, "T": length, "prior": k}
            check.equal(FLOW, int(one.times.converges), 1, **at)
            if one.attention is not None:
                check.within(DESCENT, one.attention, low=goal, **at)
            check.within(TIMES, one.mismatch, high=SLACK, **at)
        attentions = [one.attention for one in found if one.attention is not None]
        margins, slowest = [one.margin for one in found], [one.times.slowest_child for one in found]
        cells: dict[str, Any] = {"graph": name, "T": length, "goal": goal}
        cells |= {"lowest attention": min(attentions, default=None), "descended": len(attentions)}
        cells |= {"priors": len(priors), "smallest margin": min(margins), "largest margin": max(margins)}
        cells |= {"slowest child, shortest": min(slowest), "slowest child, longest": max(slowest)}
        title = f"Child rows, S = {SYMBOLS}, eps = {DRIFT}; times in units of T / (learning rate beta0)"
        check.row(title, {**cells, "longest / T": max(slowest) / length})


def _roots(check: Check, priors: Sequence[Prior], lengths: tuple[int, ...]) -> None:
    """Time root rows, with a constant that shrinks with the length and with one that does not."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for name in check.track(ROOTED, "root rows"):
        for length in lengths:
            graph = family_graph(name, length, check.rng("graph", name, length))
            for label, epsilon in (("eps = 1/T", 1.0 / length), (f"eps = {DRIFT}", DRIFT)):
                found = [_course(graph, prior, epsilon, discrete=False) for prior in priors]
                # The median is infinite when most settings have no root row that ever leaves.
                ratio = float(np.median([one.times.window_ratio for one in found]))
                check.measure(EARLY, ratio, by=f"{name}, {label}", T=length)
                cells: dict[str, Any] = {"graph": name, "constant": label, "T": length, "median ratio": ratio}
                cells["last row to leave"] = max(one.last for one in found)
                cells["share that left"] = max((one.left / one.roots for one in found if one.roots), default=None)
                title = f"Root rows further than {LEAVE} from uniform attention when the slowest child arrives"
                check.row(f"{title}: ratio, and the largest over matrices", cells)
                if np.isfinite(ratio):
                    curves.setdefault(f"{name}, {label}", []).append((length, ratio))
    lines: dict[str, Any] = {label: tuple(zip(*points, strict=True)) for label, points in curves.items()}
    check.figure(
        "Fastest root over slowest child",
        {**lines, "the window opens": ((lengths[0], lengths[-1]), (1.0, 1.0))},
        x="length T",
        y="time of the fastest root / slowest child",
        description="Where a line is below 1, a root row leaves before all children have arrived. With eps = 1/T the "
        "ratio settles as T grows.",
    )


@claim(
    6,
    source="Nichani, Damian, Lee (ICML 2024), Algorithm 1, stage 1 of the main theorem",
    control=(
        "A point prior with a large trace, which violates assumption (4): the diagonal has the largest score, and rows "
        "must converge to it instead of the parent."
    ),
    breaks=(FLOW, DESCENT),
    cost=3,
    outside=(EARLY,),
    assumptions=("lower_bound", "non_degeneracy", "symmetry", "constant_mean"),
)
def stage1_finds_parents(
    check: Check,
    matrices: int = budget(tiny=1, quick=3, full=12),
    lengths: tuple[int, ...] = budget(tiny=(20, 50), quick=(20, 50, 100, 200), full=(20, 50, 100, 200)),
    timed_lengths: tuple[int, ...] = budget(
        tiny=(20, 50), quick=(20, 50, 100, 200, 400), full=(20, 50, 100, 200, 400, 800, 1600)
    ),
) -> None:
    r"""Stage 1 attends to the parents.

    Gradient descent on $A_1$ from zero, driven by the edge scores of an orbit prior of trace 1, brings every child row
    to attention of at least $1 - 1/T$ on its parent, for chain, pairs, binary tree and random forests. Root rows keep
    nearly uniform attention until then, **except** the short rows at the first positions.
    """
    if check.control:
        noise = check.rng("matrix").dirichlet(np.ones(SYMBOLS), SYMBOLS)
        prior = PointPrior(0.8 * np.eye(SYMBOLS) + 0.2 * noise)
        _children(check, [prior], lengths[:2])
        check.assumptions("point prior of large trace", [prior])
        return
    priors = [OrbitPrior(trace_one_matrix(SYMBOLS, check.rng("matrix", k))) for k in range(matrices)]
    check.measure("relative error of each time of the flow", TIME_ERROR)
    _roots(check, priors[:TIMED], timed_lengths)
    _children(check, priors, lengths)
    check.assumptions("orbit priors of trace 1", priors)
    check.note("""A row of the flow starts at equal logits and keeps them in the order of its scores, so it converges to
    its parent exactly when the parent has the strictly largest score: stage 1 succeeds if and only if claim 5 does. How
    long it takes is another matter: against a single rival the last stretch to 1 - 1/T takes a time of about T over
    twice the margin; against many it takes T over the margin, and leaving uniform attention as long again, so that the
    slowest child needs about twice T over its margin.

    The root statement is asymptotic, and not uniform over positions. A short root row sees few keys, whose scores
    differ by order 1/T when eps = 1/T: it leaves uniform attention after a time of order T, and the slowest child needs
    as long. More length does not help these rows; a longer row divides its drift by its number of keys and stays. When
    eps does not shrink, the scores of a root row differ by order eps as well, and once eps T is large more rows leave.

    The steps of the descent are one over the largest score: its times agree with the flow's, which two independent
    programs compute.""")
