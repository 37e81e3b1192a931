"""Claim 6: stage 1 turns every child row to its parent, and how long the rows of roots stay as they were."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, PointPrior, Stage1, edge_scores
from causal_theory.dynamics import FlowTimes, convergence_times, run_stage1
from causal_theory.priors import Prior
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import FAMILIES, family_graph, trace_one_matrix
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

TIMED = 3
"""Priors under which root rows are timed."""

ROOTED = ("pairs", "random forest")
"""Families whose number of roots grows."""

EARLY = "root rows of the first positions"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """Stage 1 in one setting.

    Attributes
    ----------
    goal : float
        ``1 - 1/T``.
    times : FlowTimes
        When rows of the flow are at their marks.
    margin : float
        Smallest lead of a parent's score.
    attention : float or None
        Smallest attention on a parent at the end of the discrete descent; None when it was left to the flow.
    mismatch : float
        Relative distance of its slowest child from that of the flow.
    left, last : int
        Root rows of the context that have left uniform attention before the slowest child arrives, and the last such
        position; -1 when none.
    roots : int
        Root rows of the context that can leave: those after position 0.
    """

    goal: float
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
    report = EdgeReport(scores, graph)
    roots = np.array([i for i in graph.roots if 0 < i < graph.length - 1], dtype=np.int64)
    gone = roots[times.roots[roots] < times.slowest_child]
    attention, mismatch = None, 0.0
    step = STEP / float(np.abs(scores.value[:-1]).max())
    needed = times.slowest_child / step
    if discrete and (needed <= MOST_STEPS or not times.converges):
        steps = int(1.2 * needed) + 100 if times.converges else MOST_STEPS // 10
        settings = Stage1(steps=steps, learning_rate=step * graph.length / BETA0, beta0=BETA0, leave=LEAVE, records=2)
        run = run_stage1(task, settings, epsilon=epsilon)
        children = np.flatnonzero(graph.parent_array >= 0)
        attention = float(run.attention_on_parents[-1, children].min())
        mismatch = abs(run.slowest_child - needed) / needed if run.status == "converged" and times.converges else 0.0
    return Course(
        goal=1.0 - 1.0 / graph.length,
        times=times,
        margin=report.smallest_margin,
        attention=attention,
        mismatch=mismatch,
        left=len(gone),
        last=int(gone.max(initial=-1)),
        roots=len(roots),
    )


Courses = dict[tuple[str, int], list[Course]]


def _courses(context: Context, priors: Sequence[Prior], lengths: Sequence[int]) -> Courses:
    """All families at all lengths under all priors, with the same constant 0.01."""
    found: Courses = {}
    for name, length in context.track([(n, t) for n in FAMILIES for t in lengths], "stage 1"):
        graph = family_graph(name, length, context.rng("graph", name, length))
        descended = len(priors) if length < LONG else 1
        found[name, length] = [_course(graph, prior, DRIFT, discrete=k < descended) for k, prior in enumerate(priors)]
    return found


def _children_part(name: str, found: Sequence[Course]) -> Part:
    """Judge one family: every child row must arrive, in the flow and in the discrete descent."""
    converging = [course for course in found if course.times.converges]
    descended = [course for course in found if course.attention is not None]
    arrived = [course for course in descended if (course.attention or 0.0) >= course.goal]
    apart = max(course.mismatch for course in found)
    lowest = min((course.attention or 0.0) for course in descended)
    return Part(
        name=name,
        verdict=verdict_of(len(converging) == len(found) and len(arrived) == len(descended) and apart <= SLACK),
        predicted=Reading("attention on the parent >= 1 - 1/T on every child row"),
        measured=Reading(
            f"the flow arrives in {len(converging)} of {len(found)} settings, the descent in {len(arrived)} of "
            f"{len(descended)}; lowest attention {show(lowest, 4)}",
            lowest,
        ),
        error=Reading(f"slowest child: descent and flow differ by up to {apart:.1%}", apart),
        method="exact",
    )


def _children_table(found: Courses, priors: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (name, length), courses in found.items():
        slowest = [course.times.slowest_child for course in courses]
        attentions = [course.attention for course in courses if course.attention is not None]
        rows.append(
            (
                name,
                length,
                show(1.0 - 1.0 / length, 4),
                show(min(attentions), 4) if attentions else "-",
                f"{len(attentions)} of {priors}",
                interval([course.margin for course in courses]),
                interval(slowest),
                show(max(slowest) / length),
            )
        )
    columns = ("graph", "T", "goal", "lowest attention", "descended", "margins", "slowest child", "slowest / T")
    return Table(
        f"Child rows at the end of stage 1, S = {SYMBOLS}, eps = {DRIFT}; times in units of T / (learning rate beta0)",
        columns,
        tuple(rows),
    )


@dataclass(frozen=True)
class Roots:
    """Root rows of one family under two choices of the constant inside the logarithm, per length."""

    name: str
    lengths: tuple[int, ...]
    shrinking: tuple[tuple[Course, ...], ...]
    fixed: tuple[tuple[Course, ...], ...]


def _roots(context: Context, priors: Sequence[Prior], lengths: tuple[int, ...]) -> list[Roots]:
    found = []
    for name in context.track(ROOTED, "root rows"):
        graphs = [family_graph(name, length, context.rng("graph", name, length)) for length in lengths]
        both = [
            tuple(
                tuple(_course(graph, prior, DRIFT if fixed else 1.0 / graph.length, discrete=False) for prior in priors)
                for graph in graphs
            )
            for fixed in (False, True)
        ]
        found.append(Roots(name, lengths, both[0], both[1]))
    return found


def _ratio(courses: Sequence[Course]) -> float:
    """Median window; infinite when most settings have no root row that ever leaves."""
    return float(np.median([course.times.window_ratio for course in courses]))


def _roots_table(found: Sequence[Roots]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for roots in found:
        for k, length in enumerate(roots.lengths):
            cells: list[Cell] = [roots.name, length]
            for courses in (roots.shrinking[k], roots.fixed[k]):
                share = max(course.left / course.roots for course in courses if course.roots)
                cells += [show(_ratio(courses), 2), max(course.last for course in courses), f"{share:.1%}"]
            rows.append(tuple(cells))
    heads = ("window ratio", "last row to leave", "share that left")
    return Table(
        f"Root rows: fastest root / slowest child (median), and rows further than {LEAVE} from uniform attention when "
        "the slowest child arrives (largest over matrices)",
        ("graph", "T", *(f"{head}, eps = 1/T" for head in heads), *(f"{head}, eps = {DRIFT}" for head in heads)),
        tuple(rows),
    )


def _early_part(found: Sequence[Roots]) -> Part:
    ratios = [ratio for roots in found for courses in roots.shrinking if np.isfinite(ratio := _ratio(courses))]
    last = max(course.last for roots in found for courses in roots.shrinking for course in courses)
    return Part(
        name=EARLY,
        verdict=OUTSIDE,
        predicted=Reading("uniform attention until the slowest child arrives, for long sequences: ratio > 1"),
        measured=Reading(
            f"eps = 1/T: median ratio {interval(ratios)}; rows up to position {last} leave before",
            max(ratios, default=None),
        ),
        error=Reading("1e-8, relative, of each time", 1e-8),
        method="exact",
    )


def _plots(found: Sequence[Roots]) -> tuple[Plot, ...]:
    curves = []
    for roots in found:
        for label, sets in (("eps = 1/T", roots.shrinking), (f"eps = {DRIFT}", roots.fixed)):
            points = [(t, _ratio(own)) for t, own in zip(roots.lengths, sets, strict=True) if np.isfinite(_ratio(own))]
            x, y = (tuple(point[k] for point in points) for k in (0, 1))
            curves.append(Curve(f"{roots.name}, {label}", x, y))
    curves.append(Curve("the window opens", (found[0].lengths[0], found[0].lengths[-1]), (1.0, 1.0)))
    return (
        Plot(
            name="stage1_window",
            title="Fastest root over slowest child",
            xlabel="length T",
            ylabel="time of the fastest root / slowest child",
            curves=tuple(curves),
            description="Where a line is below 1, a root row leaves before all children have arrived. With eps = 1/T "
            "the ratio settles as T grows.",
        ),
    )


def _regime(found: Sequence[Roots], lengths: tuple[int, ...]) -> Regime:
    shrinking, fixed = (
        max(course.last for roots in found for courses in getattr(roots, kind) for course in courses)
        for kind in ("shrinking", "fixed")
    )
    return Regime(
        False,
        f"children: at every T; roots: with eps = 1/T only rows up to position {shrinking} leave before the children "
        f"have arrived, whatever T from {lengths[0]} to {lengths[-1]}, so that their share falls like 1/T; with "
        f"eps = {DRIFT} rows up to position {fixed}",
    )


def _evidence(
    context: Context, priors: Sequence[Prior], label: str, lengths: tuple[int, ...], roots: Sequence[Roots]
) -> Evidence:
    found = _courses(context, priors, lengths)
    courses = [course for own in found.values() for course in own]
    parts = [
        _children_part(name, [course for (own, _), cell in found.items() if own == name for course in cell])
        for name in FAMILIES
    ]
    converging = sum(course.times.converges for course in courses)
    lowest, apart = min(part.measured.number or 0.0 for part in parts), max(course.mismatch for course in courses)
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("attention on the parent reaches 1 - 1/T on every child row"),
        measured=Reading(
            f"{converging} of {len(courses)} settings converge; lowest attention at the end {show(lowest, 4)} (goal at "
            f"T = {lengths[0]}: {show(1.0 - 1.0 / lengths[0], 4)})",
            lowest,
        ),
        error=Reading(f"slowest child: descent and flow differ by up to {apart:.1%}", apart),
        method="exact",
        assumptions=summarise_assumptions(label, priors),
        regime=_regime(roots, roots[0].lengths) if roots else Regime(None, f"T from {lengths[0]} to {lengths[-1]}"),
        parts=(*parts, _early_part(roots)) if roots else tuple(parts),
        details=(_children_table(found, len(priors)), *([_roots_table(roots)] if roots else [])),
        plots=_plots(roots) if roots else (),
        notes=(
            "A row of the flow starts at equal logits and keeps them in the order of its scores, so it converges to "
            "its parent exactly when the parent has the strictly largest score: stage 1 succeeds if and only if claim "
            "5 does. How long it takes is another matter: against a single rival the last stretch to 1 - 1/T takes a "
            "time of about T over twice the margin; against many it takes T over the margin, and leaving uniform "
            "attention as long again, so that the slowest child needs about twice T over its margin.",
            "The root statement is asymptotic, and not uniform over positions. A short root row sees few keys, whose "
            "scores differ by order 1/T when eps = 1/T: it leaves uniform attention after a time of order T, and the "
            "slowest child needs as long. More length does not help these rows; a longer row divides its drift by its "
            "number of keys and stays. When eps does not shrink, the scores of a root row differ by order eps as well, "
            "and once eps T is large more rows leave.",
            "The steps of the descent are one over the largest score: its times agree with the flow's, which two "
            "independent programs compute.",
        ),
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Run stage 1 under orbit priors of trace 1 and time its rows."""
    priors = [OrbitPrior(trace_one_matrix(SYMBOLS, context.rng("matrix", k))) for k in range(profile.stage1_matrices)]
    roots = _roots(context, priors[:TIMED], profile.window_lengths)
    return _evidence(context, priors, "orbit priors of trace 1", profile.stage1_lengths, roots)


def control(profile: Profile, context: Context) -> Evidence:
    """Ask the same of point priors with a large trace: rows must converge to the diagonal instead."""
    noise = context.rng("matrix").dirichlet(np.ones(SYMBOLS), SYMBOLS)
    priors = [PointPrior(0.8 * np.eye(SYMBOLS) + 0.2 * noise)]
    return _evidence(context, priors, "point prior of large trace", profile.stage1_lengths[:2], ())


CLAIM = Claim(
    name="stage1_finds_parents",
    number=6,
    title="Stage 1 attends to the parents",
    statement=(
        r"Gradient descent on $A_1$ from zero, driven by the edge scores of an orbit prior of trace 1, brings every "
        r"child row to attention of at least $1 - 1/T$ on its parent, for chain, pairs, binary tree and random "
        r"forests. Root rows keep nearly uniform attention until then, **except** the short rows at the first "
        r"positions."
    ),
    source="Nichani, Damian, Lee (ICML 2024), Algorithm 1, stage 1 of the main theorem",
    predicted="all child rows converge; the window between the slowest child and the fastest root is measured",
    assumptions=("lower_bound", "non_degeneracy", "symmetry", "constant_mean"),
    run=run,
    control_statement=(
        "A point prior with a large trace, which violates assumption (4): the diagonal has the largest score, and rows "
        "must converge to it instead of the parent."
    ),
    control=control,
    declared_outside=(EARLY,),
)
