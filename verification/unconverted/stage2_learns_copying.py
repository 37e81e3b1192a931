"""Claim 8: stage 2 moves along one line, towards copying, when the prior does not know the names of the symbols."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    Stage2,
    limit_edge_scores,
    parent_attention_gradient,
    parent_attention_loss,
    population_gradient,
)
from causal_theory.chains import chi2_matrix
from causal_theory.dynamics import run_stage2
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import FAMILIES, GAMMA, STAR, family_graph, trace_one_matrix
from verification.evidence import (
    METHODS,
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

EPSILON, BETA0, LEARNING_RATE = 0.01, 0.01, 5.0
TOLERANCE = 1e-10

EXPLICIT = ((3, 10), (3, 50), (4, 10))
"""Numbers of symbols S and lengths T at which every step averages over all S! relabelings."""

EXPLICIT_STEPS, ENUMERATED_STEPS, DIRICHLET_STEPS = 8, 5, 2
ENUMERATED_LENGTH, DIRICHLET_LENGTH = 6, 6

LENGTHS = (50, 100)
"""Of the runs on which the diagonal must grow and the loss fall."""

FIRST_LENGTHS = (10, 20, 50)
LONG = 50
"""Length from which the diagonal must grow for every matrix with the constant ``GAMMA``."""

WEAK = 2.0
"""First steps are taken under matrices with ``||B||_F`` of at most this many ``GAMMA``, the hardest ones."""

SHORT, STAR_PART = "first step under weak dependence, short sequences", "first step under weak dependence, star"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A path of ``A2``.

    Attributes
    ----------
    label : str
        Setting.
    matrices : ndarray, shape (steps + 1, S, S)
        The matrix before every step and at the end.
    spread : float
        Largest difference between the gradients of two relabelings at the first step.
    """

    label: str
    matrices: Array
    spread: float = 0.0

    @property
    def deviation(self) -> float:
        """Largest distance of an entry from the line ``beta0 11^T/S + alpha (I - 11^T/S)``."""
        size = self.matrices.shape[1]
        alpha = copying(self.matrices)
        line = BETA0 / size + alpha[:, None, None] * (np.eye(size) - 1.0 / size)
        return float(np.abs(self.matrices - line).max())


def copying(matrices: Array) -> Array:
    """Return the mean of the diagonal minus the mean of the rest, for each matrix: alpha, if it is on the line."""
    size = matrices.shape[1]
    diagonal = np.trace(matrices, axis1=1, axis2=2)
    rest = (matrices.sum(axis=(1, 2)) - diagonal) / (size * (size - 1))
    difference: Array = diagonal / size - rest
    return difference


def relabeled(matrix: Array) -> list[Array]:
    """Return all S! relabelings."""
    return [matrix[np.ix_(order, order)] for order in permutations(range(len(matrix)))]


def explicit_path(label: str, graph: CausalGraph, matrices: Sequence[Array], steps: int) -> Path:
    """Descend along the plain mean of the gradients under point priors."""
    size = len(matrices[0])
    tasks = [InContextTask(graph, PointPrior(matrix)) for matrix in matrices]
    path = [BETA0 * np.eye(size)]
    spread = 0.0
    for step in range(steps):
        gradients = [parent_attention_gradient(task, path[-1], epsilon=EPSILON).value for task in tasks]
        spread = spread if step else float(np.ptp(gradients, axis=0).max())
        path.append(path[-1] - LEARNING_RATE * np.mean(gradients, axis=0))
    return Path(label, np.array(path), spread)


def _enumerated_path(label: str, graph: CausalGraph, matrices: Sequence[Array], A1: Array) -> Path:
    """Do the same in the model with both layers, for any first layer, summing over all sequences."""
    tasks = [InContextTask(graph, PointPrior(matrix)) for matrix in matrices]
    path = [BETA0 * np.eye(len(matrices[0]))]
    spread = 0.0
    for step in range(ENUMERATED_STEPS):
        gradients = [
            population_gradient(task, A1, path[-1], epsilon=EPSILON, method="enumerate").A2.value for task in tasks
        ]
        spread = spread if step else float(np.ptp(gradients, axis=0).max())
        path.append(path[-1] - LEARNING_RATE * np.mean(gradients, axis=0))
    return Path(label, np.array(path), spread)


def _settings(context: Context) -> list[tuple[str, CausalGraph, Array]]:
    found = []
    for size, length in EXPLICIT:
        for name in FAMILIES:
            rng = context.rng("explicit", name, size, length)
            graph, matrix = family_graph(name, length, rng), trace_one_matrix(size, rng)
            found.append((f"{name}, S = {size}, T = {length}", graph, matrix))
    return found


def _line_part(name: str, paths: Sequence[Path], text: str, method: int = 0) -> Part:
    worst = max(path.deviation for path in paths)
    return Part(
        name=name,
        verdict=verdict_of(worst <= TOLERANCE),
        predicted=Reading(f"A2 on the line to {TOLERANCE:g}", 0.0),
        measured=Reading(f"at most {show(worst)} off it, {len(paths)} paths; {text}", worst),
        error=Reading("roundoff"),
        method=METHODS[method],
    )


def _explicit(context: Context) -> tuple[Part, Part, Table]:
    """Average every gradient over the relabelings, one by one, and compare with ``Stage2`` under the orbit prior."""
    paths, differences, rows = [], [], []
    for label, graph, matrix in context.track(_settings(context), "gradients averaged over relabelings"):
        path = explicit_path(label, graph, relabeled(matrix), EXPLICIT_STEPS)
        settings = Stage2(steps=EXPLICIT_STEPS, learning_rate=LEARNING_RATE)
        run = run_stage2(InContextTask(graph, OrbitPrior(matrix)), settings, epsilon=EPSILON, beta0=BETA0)
        difference = float(np.abs(run.trajectory - path.matrices).max())
        paths.append(path)
        differences.append(difference)
        rows.append((label, show(path.spread), show(path.deviation), show(difference), _moved(path.matrices)))
    spreads = [path.spread for path in paths]
    part = _line_part(
        "mean over all relabelings", paths, f"gradients of single relabelings differ by {interval(spreads, 2)}"
    )
    worst = max(differences)
    package = Part(
        name="runs of Stage2 under the orbit prior",
        verdict=verdict_of(worst <= TOLERANCE),
        predicted=Reading(f"the same paths, to {TOLERANCE:g}", 0.0),
        measured=Reading(f"differ by at most {show(worst)} in {len(paths)} settings", worst),
        error=Reading("roundoff"),
        method=METHODS[0],
    )
    columns = ("task", "spread of one step's gradients", "off the line", "difference from Stage2", "alpha")
    title = f"Every gradient the mean over all S! relabelings, {EXPLICIT_STEPS} steps"
    return part, package, Table(title, columns, tuple(rows))


def _moved(matrices: Array) -> str:
    alpha = copying(matrices[[0, -1]])
    return f"{show(float(alpha[0]))} to {show(float(alpha[1]))}"


def _enumerated(context: Context) -> Part:
    paths = []
    for name in FAMILIES:
        rng = context.rng("enumerated", name)
        graph, matrix = family_graph(name, ENUMERATED_LENGTH, rng), trace_one_matrix(3, rng)
        A1 = rng.normal(size=(ENUMERATED_LENGTH, ENUMERATED_LENGTH))
        paths.append(_enumerated_path(name, graph, relabeled(matrix), A1))
    return _line_part("any first layer, by enumeration", paths, "entries of A1 standard normal")


def _dirichlet(profile: Profile, context: Context) -> Part:
    """Two symbols, where the average over the Dirichlet prior is a quadrature that nothing symmetrises."""
    prior = DirichletPrior(2, 1.0)
    settings = Stage2(steps=DIRICHLET_STEPS, learning_rate=LEARNING_RATE)
    paths = []
    names = FAMILIES[: max(1, profile.training_matrices // 2)]
    for name in context.track(names, "Dirichlet prior, two symbols"):
        task = InContextTask(family_graph(name, DIRICHLET_LENGTH, context.rng("dirichlet", name)), prior)
        run = run_stage2(task, settings, epsilon=EPSILON, beta0=BETA0)
        paths.append(Path(name, run.trajectory))
    return _line_part(
        "Dirichlet prior, two symbols", paths, f"alpha from {BETA0:g} to {interval(_ends(paths), 2)}", method=1
    )


def _ends(paths: Sequence[Path]) -> list[float]:
    return [float(copying(path.matrices[-1:])[0]) for path in paths]


def any_trace_matrix(size: int, rng: np.random.Generator) -> Array:
    """Return a random matrix with the constant ``GAMMA``, of any trace."""
    while True:
        rows = rng.dirichlet(np.full(size, rng.choice([1.0, 0.3])), size=size)
        matrix: Array = (1.0 - GAMMA) * rows + GAMMA / size
        if np.linalg.norm(chi2_matrix(matrix)) >= GAMMA:
            return matrix


def weak_matrix(size: int, rng: np.random.Generator) -> Array:
    """Return a random matrix of trace 1 that barely satisfies non-degeneracy: ``GAMMA <= ||B||_F <= WEAK * GAMMA``."""
    while True:
        matrix = trace_one_matrix(size, rng)
        if np.linalg.norm(chi2_matrix(matrix)) <= WEAK * GAMMA:
            return matrix


@dataclass(frozen=True)
class Growth:
    """A run of stage 2 under an orbit prior.

    Attributes
    ----------
    name : str
        Graph family.
    prior : OrbitPrior
        The prior.
    length : int
        T.
    alpha, losses : ndarray
        Per step.
    error : float
        Error bound of the losses.
    """

    name: str
    prior: OrbitPrior
    length: int
    alpha: Array
    losses: Array
    error: float

    @property
    def growth(self) -> float:
        """Smallest growth of the diagonal in a step."""
        return float(np.diff(self.alpha).min())

    @property
    def fall(self) -> float:
        """Smallest fall of the loss in a step."""
        return float(-np.diff(self.losses).max())


def _grow(profile: Profile, context: Context) -> list[Growth]:
    """Run stage 2 under orbit priors, every second of any trace with five symbols, the others of trace 1 with three."""
    jobs = [(name, length, k) for name in FAMILIES for length in LENGTHS for k in range(profile.training_matrices)]
    settings = Stage2(steps=profile.training_steps, learning_rate=LEARNING_RATE)
    found = []
    for name, length, k in context.track(jobs, "stage 2"):
        rng = context.rng("growth", name, length, k)
        graph = family_graph(name, length, rng)
        prior = OrbitPrior(any_trace_matrix(5, rng) if k % 2 else trace_one_matrix(3, rng))
        task = InContextTask(graph, prior)
        run = run_stage2(task, settings, epsilon=EPSILON, beta0=BETA0)
        error = float(parent_attention_loss(task, run.A2, epsilon=EPSILON).error)
        found.append(Growth(name, prior, length, copying(run.trajectory), run.losses, error))
    return found


def _growth_part(found: Sequence[Growth]) -> Part:
    slowest, flattest = min(one.growth for one in found), min(one.fall for one in found)
    error = max(one.error for one in found)
    return Part(
        name=f"diagonal and loss, T >= {LONG}",
        verdict=verdict_of(slowest > 0.0 and flattest > 2.0 * error),
        predicted=Reading("in every step the diagonal grows and the loss falls"),
        measured=Reading(
            f"growth at least {show(slowest)}, fall at least {show(flattest)} nats in a step of {len(found)} runs",
            slowest,
        ),
        error=Reading(f"bound on a loss {show(error)}", error),
        method=METHODS[0],
    )


def _growth_table(found: Sequence[Growth]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in FAMILIES:
        for length in LENGTHS:
            own = [one for one in found if (one.name, one.length) == (name, length)]
            rows.append(
                (
                    name,
                    length,
                    interval([float(one.alpha[-1]) for one in own]),
                    show(min(one.growth for one in own)),
                    interval([float(one.losses[0] - one.losses[-1]) for one in own]),
                    show(min(one.fall for one in own)),
                )
            )
    columns = ("graph", "T", "alpha at the end", "smallest growth in a step", "loss gained (nats)", "smallest fall")
    title = f"Stage 2 under orbit priors, {len(found[0].losses) - 1} steps from alpha = {BETA0:g}: range over matrices"
    return Table(title, columns, tuple(rows))


@dataclass(frozen=True)
class FirstSteps:
    """Growth of the diagonal in the first step, over the learning rate, under many matrices.

    Attributes
    ----------
    slopes : ndarray
        Growth.
    ratios : ndarray
        Growth over what the limit scores of the edges predict.
    """

    slopes: Array
    ratios: Array

    @property
    def shrinking(self) -> int:
        """Number of matrices under which the diagonal shrinks."""
        return int((self.slopes <= 0.0).sum())


First = dict[tuple[str, int], FirstSteps]


def _first_steps(context: Context, matrices: Sequence[Array]) -> First:
    found = {}
    jobs = [(name, length) for name in (*FAMILIES, STAR) for length in FIRST_LENGTHS]
    for name, length in context.track(jobs, "first steps"):
        graph = family_graph(name, length, context.rng("first graph", name, length))
        slopes, predicted = [], []
        for matrix in matrices:
            task = InContextTask(graph, OrbitPrior(matrix))
            gradient = parent_attention_gradient(task, BETA0 * np.eye(3), epsilon=EPSILON).value
            slopes.append(gradient[0, 1] - gradient[0, 0])
            on_edges = (limit_edge_scores(task, epsilon=EPSILON).value * graph.adjacency).sum()
            predicted.append(on_edges / (length * (task.vocab_size - 1)))
        found[name, length] = FirstSteps(np.array(slopes), np.array(slopes) / np.array(predicted))
    return found


def _first_part(name: str, found: Sequence[FirstSteps], predicted: str, *, promised: bool) -> Part:
    slopes = np.concatenate([one.slopes for one in found])
    count = sum(one.shrinking for one in found)
    return Part(
        name=name,
        verdict=verdict_of(count == 0) if promised else OUTSIDE,
        predicted=Reading(predicted),
        measured=Reading(
            f"shrinks in {count} of {slopes.size} settings; smallest slope {show(float(slopes.min()))}",
            float(slopes.min()),
        ),
        error=Reading("roundoff"),
        method=METHODS[0],
    )


def _first_table(found: First) -> Table:
    def cell(one: FirstSteps) -> str:
        return f"{one.shrinking} of {one.slopes.size} ({show(float(np.median(one.ratios)))})"

    rows = tuple((name, *(cell(found[name, length]) for length in FIRST_LENGTHS)) for name in (*FAMILIES, STAR))
    title = (
        f"First step, orbit priors of trace 1, S = 3, ||B||_F from {GAMMA} to {WEAK * GAMMA}: matrices under which the "
        "diagonal shrinks (median growth over the predicted one)"
    )
    return Table(title, ("graph", *(f"T = {length}" for length in FIRST_LENGTHS)), rows)


def run(profile: Profile, context: Context) -> Evidence:
    """Follow stage 2 by the explicit mean over relabelings, by enumeration, and over long sequences."""
    explicit, package, explicit_table = _explicit(context)
    enumerated = _enumerated(context)
    dirichlet = _dirichlet(profile, context)
    growth = _grow(profile, context)
    weak = [weak_matrix(3, context.rng("weak", k)) for k in range(profile.training_first_steps)]
    first = _first_steps(context, weak)
    grows = _growth_part(growth)
    parts = (
        explicit,
        package,
        enumerated,
        dirichlet,
        grows,
        _first_part(
            f"first step under weak dependence, T = {LONG}",
            [first[name, LONG] for name in FAMILIES],
            "the diagonal grows for every matrix",
            promised=True,
        ),
        _first_part(
            SHORT,
            [first[name, length] for name in FAMILIES for length in FIRST_LENGTHS if length < LONG],
            "nothing: a short sequence can hide weak dependence",
            promised=False,
        ),
        _first_part(
            STAR_PART,
            [first[STAR, length] for length in FIRST_LENGTHS],
            "nothing: effective length is about 1",
            promised=False,
        ),
    )
    line = max(part.measured.number or 0.0 for part in (explicit, enumerated, dirichlet))
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading(f"A2 on the line to {TOLERANCE:g}; alpha grows and the loss falls in every step"),
        measured=Reading(f"at most {show(line)} off the line; {grows.measured.text}", line),
        error=Reading(f"{explicit.error.text}; {grows.error.text}", grows.error.number),
        method=METHODS[1],
        assumptions=(
            *summarise_assumptions(
                f"orbit priors of trace 1, gamma = {GAMMA}", [OrbitPrior(matrix) for *_, matrix in _settings(context)]
            ),
            *summarise_assumptions("orbit priors of the long runs", [one.prior for one in growth]),
            *summarise_assumptions("orbit priors of weak dependence", [OrbitPrior(matrix) for matrix in weak]),
            *summarise_assumptions("Dirichlet prior, two symbols", [DirichletPrior(2, 1.0)]),
        ),
        regime=Regime(True, f"the line at every T; growth for T >= {LONG} and gamma = {GAMMA}"),
        parts=parts,
        details=(explicit_table, _growth_table(growth), _first_table(first)),
        plots=(_plot(growth),),
        notes=(
            "Under an orbit prior the package replaces the mean over relabelings by the mean of the diagonal and of "
            "the rest, which puts A2 on the line by construction. The explicit means are therefore the test: plain "
            "averages of gradients under point priors, each of which leaves the line.",
            "Every column of the gradient sums to zero, because a softmax does not see a constant: the sum of all "
            "entries of A2 stays beta0 S, and alpha alone moves.",
            "The first layer attends to the parents, roots and query have uniform keys; in the part on any first "
            "layer A1 is random and the model complete.",
            "The information that drove stage 1 also starts stage 2: near alpha = 0 a step raises alpha by the "
            "learning rate times sum_i G_limit[i, p(i)] / (T (S - 1)), up to terms that vanish as the effective length "
            "grows. Last table, in brackets: the ratio tends to 1.",
            f"Those terms can win where dependence is weak (||B||_F near gamma = {GAMMA}) and the sequence short, or "
            "the graph a star, at any T: then alpha falls at first.",
            f"A learning rate of {LEARNING_RATE:g} is small enough here. The best alpha is finite at finite T: a step "
            "beyond it would not be followed by growth.",
        ),
    )


def _plot(found: Sequence[Growth]) -> Plot:
    shown = [one for one in found if one.length == LENGTHS[-1]]
    curves = []
    for name in FAMILIES:
        one = next(one for one in shown if one.name == name)
        steps = tuple(range(1, len(one.alpha)))
        curves.append(Curve(name, steps, tuple(one.alpha[1:])))
    return Plot(
        name="stage2_learns_copying",
        title=f"The one parameter of stage 2, T = {LENGTHS[-1]}, orbit priors of trace 1",
        xlabel="step",
        ylabel="alpha: diagonal minus the rest of A2",
        curves=tuple(curves),
        description="Alpha against the number of steps, double logarithmic axes, one matrix per family.",
    )


def control(_profile: Profile, context: Context) -> Evidence:
    """Take one matrix in place of the mean over its relabelings: A2 must leave the line."""
    paths = []
    for label, graph, matrix in context.track(_settings(context), "point priors"):
        paths.append(explicit_path(label, graph, [matrix], EXPLICIT_STEPS))
    deviations = [path.deviation for path in paths]
    part = _line_part("point priors", paths, f"smallest {show(min(deviations))}")
    return Evidence(
        verdict=combine_verdicts([part]),
        predicted=part.predicted,
        measured=part.measured,
        error=part.error,
        method=part.method,
        assumptions=summarise_assumptions("point priors", [PointPrior(matrix) for *_, matrix in _settings(context)]),
        regime=Regime(None, "the line at every T"),
        parts=(part,),
        details=(
            Table(
                f"Point priors, {EXPLICIT_STEPS} steps",
                ("task", "off the line", "alpha"),
                tuple(
                    (path.label, show(deviation), _moved(path.matrices))
                    for path, deviation in zip(paths, deviations, strict=True)
                ),
            ),
        ),
    )


CLAIM = Claim(
    name="stage2_learns_copying",
    number=8,
    title="Stage 2 learns to copy, along one line",
    statement=(
        r"When the prior is invariant under relabelings, gradient descent on all of $A_2$ from $\beta_0 I$ stays on "
        r"the line $A_2 = \frac{\beta_0}{S} 11^T + \alpha\,(I - 11^T/S)$, at every length and for any first layer. "
        r"With a first layer that attends to the parents, at a small enough learning rate, $\alpha$ grows and the loss "
        r"falls at every step, for chain, pairs, binary tree and random forests, once the sequence is long "
        r"enough for the dependence between parent and child to outweigh the bias of a finite sequence."
    ),
    source="Nichani, Damian, Lee (ICML 2024), second stage of the analysis of Algorithm 1",
    predicted="A2 on the line to roundoff; alpha grows and the loss falls in every step",
    assumptions=("lower_bound", "non_degeneracy", "symmetry"),
    run=run,
    control_statement=(
        "The same descent under a point prior, one matrix in place of all its relabelings: the law knows the names of "
        "the symbols."
    ),
    control=control,
    declared_outside=(SHORT, STAR_PART),
)
