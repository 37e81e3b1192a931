"""Claim 8: stage 2 moves along one line, towards copying, when the prior does not know the names of the symbols."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

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
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics import run_stage2
from verification.ensembles import FAMILIES, GAMMA, STAR, Array, family_graph, trace_one_matrix

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

LINE = "distance of A2 from the line"
PACKAGE = "distance of runs of Stage2 under the orbit prior from the means over all relabelings"
GROWS = f"alpha grows in every step, T >= {LONG}"
FALLS = f"the loss falls in every step, T >= {LONG}"
FIRST = f"first step under weak dependence, T = {LONG}: the slope of alpha"
SHORT = "first step under weak dependence, short sequences: the slope of alpha"
STAR_FIRST = "first step under weak dependence, star: the slope of alpha"


@dataclass(frozen=True)
class Path:
    """Matrices A2, (steps + 1, S, S), and the largest difference between gradients of relabelings at the first step."""

    matrices: Array
    spread: float = 0.0

    @property
    def deviation(self) -> float:
        """Largest distance of an entry from the line ``beta0 11^T/S + alpha (I - 11^T/S)``."""
        size = self.matrices.shape[1]
        line = BETA0 / size + copying(self.matrices)[:, None, None] * (np.eye(size) - 1.0 / size)
        return float(np.abs(self.matrices - line).max())


def copying(matrices: Array) -> Array:
    """Return the mean of the diagonal minus the mean of the rest, for each matrix: alpha, if it is on the line."""
    size = matrices.shape[1]
    diagonal = np.trace(matrices, axis1=1, axis2=2)
    rest = (matrices.sum(axis=(1, 2)) - diagonal) / (size * (size - 1))
    return np.asarray(diagonal / size - rest)


def relabeled(matrix: Array) -> list[Array]:
    """Return all S! relabelings."""
    return [matrix[np.ix_(order, order)] for order in permutations(range(len(matrix)))]


def explicit_path(graph: CausalGraph, matrices: Sequence[Array], steps: int, A1: Array | None = None) -> Path:
    """Descend along the plain mean of the gradients under point priors, with attention to the parents or any A1."""
    tasks = [InContextTask(graph, PointPrior(matrix)) for matrix in matrices]
    path, spread = [BETA0 * np.eye(len(matrices[0]))], 0.0
    for step in range(steps):
        gradients = [_gradient(task, A1, path[-1]) for task in tasks]
        spread = spread if step else float(np.ptp(gradients, axis=0).max())
        path.append(path[-1] - LEARNING_RATE * np.mean(gradients, axis=0))
    return Path(np.array(path), spread)


def _gradient(task: InContextTask, A1: Array | None, A2: Array) -> Array:
    """Return the gradient of A2; with an A1 in the model with both layers, summing over all sequences."""
    if A1 is None:
        return parent_attention_gradient(task, A2, epsilon=EPSILON).value
    return population_gradient(task, A1, A2, epsilon=EPSILON, method="enumerate").A2.value


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


def _average(check: Check) -> None:
    """Average every gradient over the relabelings, one by one, and compare with ``Stage2`` under the orbit prior."""
    settings = Stage2(steps=EXPLICIT_STEPS, learning_rate=LEARNING_RATE)
    group = "point priors" if check.control else "mean over all relabelings"
    label = "point priors" if check.control else f"orbit priors of trace 1, gamma = {GAMMA}"
    jobs = [(size, length, name) for size, length in EXPLICIT for name in FAMILIES]
    for size, length, name in check.track(jobs, "gradients averaged over relabelings"):
        rng = check.rng("explicit", name, size, length)
        graph, matrix = family_graph(name, length, rng), trace_one_matrix(size, rng)
        prior = PointPrior(matrix) if check.control else OrbitPrior(matrix)
        check.assumptions(label, [prior])
        path = explicit_path(graph, [matrix] if check.control else relabeled(matrix), EXPLICIT_STEPS)
        at: dict[str, Any] = {"graph": name, "S": size, "T": length}
        check.within(LINE, path.deviation, high=TOLERANCE, by=group, **at)
        first, last = copying(path.matrices[[0, -1]])
        cells = at | {"off the line": path.deviation, "alpha at the start": first, "alpha at the end": last}
        if not check.control:
            run = run_stage2(InContextTask(graph, prior), settings, epsilon=EPSILON, beta0=BETA0)
            difference = float(np.abs(run.trajectory - path.matrices).max())
            check.within(PACKAGE, difference, high=TOLERANCE, **at)
            cells |= {"spread of one step's gradients": path.spread, "difference from Stage2": difference}
        check.row(f"Every gradient the {group}, {EXPLICIT_STEPS} steps", cells)


def _enumerate(check: Check) -> None:
    """Average gradients in the model with both layers, whose first layer is random."""
    for name in FAMILIES:
        rng = check.rng("enumerated", name)
        graph, matrix = family_graph(name, ENUMERATED_LENGTH, rng), trace_one_matrix(3, rng)
        A1 = rng.normal(size=(ENUMERATED_LENGTH, ENUMERATED_LENGTH))
        path = explicit_path(graph, relabeled(matrix), ENUMERATED_STEPS, A1)
        check.within(LINE, path.deviation, high=TOLERANCE, by="any first layer, by enumeration", graph=name)


def _integrate(check: Check, names: Sequence[str]) -> None:
    """Two symbols, where the average over the Dirichlet prior is a quadrature that nothing symmetrises."""
    prior, settings = DirichletPrior(2, 1.0), Stage2(steps=DIRICHLET_STEPS, learning_rate=LEARNING_RATE)
    for name in check.track(names, "Dirichlet prior, two symbols"):
        task = InContextTask(family_graph(name, DIRICHLET_LENGTH, check.rng("dirichlet", name)), prior)
        path = Path(run_stage2(task, settings, epsilon=EPSILON, beta0=BETA0).trajectory)
        check.within(LINE, path.deviation, high=TOLERANCE, by="Dirichlet prior, two symbols", graph=name)
        check.measure(f"alpha after {DIRICHLET_STEPS} steps, Dirichlet prior", copying(path.matrices)[-1], graph=name)
    check.assumptions("Dirichlet prior, two symbols", [prior])


def judge_growth(check: Check, alpha: Array, losses: Array, error: float, **at: Any) -> dict[str, float]:
    """Record the growth of alpha and the fall of the loss in every step, and return both ranges as cells."""
    growth, fall = np.diff(alpha), -np.diff(losses)
    at["step"] = np.arange(1, len(alpha))
    check.positive(GROWS, growth, **at)
    check.positive(FALLS, fall, error=error, bars=2, unit="nats", **at)
    cells = {"alpha at the end": alpha[-1], "smallest growth in a step": growth.min()}
    return cells | {"loss gained (nats)": losses[0] - losses[-1], "smallest fall (nats)": fall.min()}


def _grow(check: Check, matrices: int, steps: int) -> None:
    """Run stage 2 under orbit priors, every second of any trace with five symbols, the others of trace 1 with three."""
    jobs = [(name, length, k) for name in FAMILIES for length in LENGTHS for k in range(matrices)]
    settings = Stage2(steps=steps, learning_rate=LEARNING_RATE)
    curves = {}
    for name, length, k in check.track(jobs, "stage 2"):
        rng = check.rng("growth", name, length, k)
        graph = family_graph(name, length, rng)
        prior = OrbitPrior(any_trace_matrix(5, rng) if k % 2 else trace_one_matrix(3, rng))
        check.assumptions("orbit priors of the long runs", [prior])
        task = InContextTask(graph, prior)
        run = run_stage2(task, settings, epsilon=EPSILON, beta0=BETA0)
        error = float(parent_attention_loss(task, run.A2, epsilon=EPSILON).error)
        alpha, at = copying(run.trajectory), {"T": length, "matrix": k + 1}
        cells = judge_growth(check, alpha, run.losses, error, by=name, **at)
        check.row(f"Stage 2 under orbit priors, {steps} steps from alpha = {BETA0:g}", {"graph": name, **at, **cells})
        if (length, k) == (LENGTHS[-1], 0):
            curves[name] = (np.arange(1, len(alpha)), alpha[1:])
    check.figure(
        f"The one parameter of stage 2, T = {LENGTHS[-1]}, orbit priors of trace 1",
        curves,
        x="step",
        y="alpha: diagonal minus the rest of A2",
        description="Alpha against the number of steps, double logarithmic axes, one matrix per family.",
    )


def _first_steps(check: Check, priors: Sequence[OrbitPrior]) -> None:
    """Take one step under many matrices, and compare with what the limit scores of the edges predict."""
    for name, length in check.track([(n, t) for n in (*FAMILIES, STAR) for t in FIRST_LENGTHS], "first steps"):
        graph = family_graph(name, length, check.rng("first graph", name, length))
        slopes, predicted = [], []
        for prior in priors:
            task = InContextTask(graph, prior)
            gradient = parent_attention_gradient(task, BETA0 * np.eye(3), epsilon=EPSILON).value
            slopes.append(gradient[0, 1] - gradient[0, 0])
            on_edges = (limit_edge_scores(task, epsilon=EPSILON).value * graph.adjacency).sum()
            predicted.append(on_edges / (length * (task.vocab_size - 1)))
        part = STAR_FIRST if name == STAR else FIRST if length >= LONG else SHORT
        check.positive(part, slopes, by=f"{name}, T = {length}", matrix=np.arange(1, len(slopes) + 1))
        shrinking, ratio = sum(slope <= 0.0 for slope in slopes), float(np.median(np.divide(slopes, predicted)))
        cells = {"graph": name, "T": length, "matrices": len(slopes), "alpha shrinks": shrinking}
        title = f"First step, orbit priors of trace 1, S = 3, ||B||_F from {GAMMA} to {WEAK * GAMMA}"
        check.row(title, {**cells, "median growth over the predicted one": ratio})
    check.assumptions("orbit priors of weak dependence", priors)


@claim(
    8,
    source="Nichani, Damian, Lee (ICML 2024), second stage of the analysis of Algorithm 1",
    control=(
        "The same descent under a point prior, one matrix in place of all its relabelings: the law knows the names of "
        "the symbols."
    ),
    breaks=(LINE,),
    outside=(SHORT, STAR_FIRST),
    assumptions=("lower_bound", "non_degeneracy", "symmetry"),
)
def stage2_learns_copying(
    check: Check,
    matrices: int = budget(quick=2, full=8),
    steps: int = budget(tiny=5, quick=20, full=40),
    first_steps: int = budget(tiny=15, quick=60, full=1000),
) -> None:
    r"""Stage 2 learns to copy, along one line.

    When the prior is invariant under relabelings, gradient descent on all of $A_2$ from $\beta_0 I$ stays on the line
    $A_2 = \frac{\beta_0}{S} 11^T + \alpha\,(I - 11^T/S)$, at every length and for any first layer. With a first layer
    that attends to the parents, at a small enough learning rate, $\alpha$ grows and the loss falls at every step, for
    chain, pairs, binary tree and random forests, once the sequence is long enough for the dependence between parent and
    child to outweigh the bias of a finite sequence.
    """
    _average(check)
    if check.control:
        return
    _enumerate(check)
    _integrate(check, FAMILIES[: max(1, matrices // 2)])
    _grow(check, matrices, steps)
    _first_steps(check, [OrbitPrior(weak_matrix(3, check.rng("weak", k))) for k in range(first_steps)])
    check.note("""Under an orbit prior the package replaces the mean over relabelings by the mean of the diagonal and of
    the rest, which puts A2 on the line by construction. The explicit means are therefore the test: plain averages of
    gradients under point priors, each of which leaves the line.

    Every column of the gradient sums to zero, because a softmax does not see a constant: the sum of all entries of A2
    stays beta0 S, and alpha alone moves. The first layer attends to the parents, roots and query have uniform keys; in
    the part on any first layer entries of A1 are standard normal and the model is complete.

    The information that drove stage 1 also starts stage 2: near alpha = 0 a step raises alpha by the learning rate
    times sum_i G_limit[i, p(i)] / (T (S - 1)), up to terms that vanish as the effective length grows: the ratio in the
    last table tends to 1. Those terms can win where dependence is weak (||B||_F near gamma) and the sequence short, or
    the graph a star, at any T: then alpha falls at first.

    The learning rate is small enough here. The best alpha is finite at finite T: a step beyond it would not be followed
    by growth.""")
