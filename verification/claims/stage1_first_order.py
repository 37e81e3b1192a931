"""Claim 7: all of stage 1, not only one step of it, is driven by the scores when beta0 is small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from causal_theory import InContextTask, Stage1, edge_scores, first_order_gradient, population_gradient
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics import run_stage1
from causal_theory.dynamics.stage1.settings import Stage1Method
from causal_theory.models import causal_softmax
from verification.ensembles import FAMILIES, PRIORS, STAR, Array, other_graph, random_task

BETAS = (1e-1, 1e-2, 1e-3)
BAND = (0.9, 1.1)
"""Accepted orders between the two smallest beta0. At the largest the distance of some paths has grown to a size at
which it cannot grow in proportion any more."""

SYMBOLS = 3
EPSILONS = {"orbit": 0.05, "point": 0.2}
"""As in the claim on the gradient: one value on each side of 1/T."""

FLOW_STEP, STEPS = 60.0, 100
"""``learning_rate * beta0``, the same for every beta0, and how many such steps are taken. Most child rows have
converged to one key by then."""

FRACTIONS = (4, 2, 1)
"""Parts of the whole time at which the distances are shown."""

CONTROL_SHARE = 2
"""The control, which breaks in every case, is given one matrix for so many of the claim."""

SAME = 1e-10
"""Largest difference between the paths computed here and those of the package: roundoff, carried along a path."""

ORDERS = {
    quantity: f"the distance of the {quantity} falls with order 1 between beta0 = {BETAS[-2]:g} and {BETAS[-1]:g}"
    for quantity in ("attention", "logits")
}
PACKAGE = "distance of runs of Stage1 from these paths"


@dataclass(frozen=True)
class Comparison:
    """The first-order path of a case beside its exact paths: largest difference of an entry, (beta0, steps + 1).

    In the exact path of the smallest beta0 child rows have the mean attention ``on_parents`` at the first and at the
    last step, and an attention weight changes by up to ``moved``.
    """

    attention: Array
    logits: Array
    on_parents: Array
    moved: float

    def worst(self, quantity: str) -> Array:
        """Largest distance over all steps, for each beta0."""
        return np.asarray(getattr(self, quantity).max(axis=1))

    def order(self, quantity: str) -> float:
        """Order in beta0 between its two smallest values."""
        distances = self.worst(quantity)
        return float(np.log(distances[-2] / distances[-1]) / np.log(BETAS[-2] / BETAS[-1]))

    def fitted(self, quantity: str) -> float:
        """Order fitted to all values of beta0."""
        return float(np.polyfit(np.log(BETAS), np.log(self.worst(quantity)), 1)[0])


def first_order_path(scores: Array, flow_step: float, steps: int) -> Array:
    """Return the logits of every step, (steps + 1, T, T), when fixed scores drive them."""
    logits = np.zeros((steps + 1, *scores.shape))
    for step in range(steps):
        logits[step + 1] = logits[step] - flow_step * first_order_gradient(scores, logits[step], 1.0)
    return logits


def exact_path(task: InContextTask, epsilon: float, beta0: float, flow_step: float, steps: int) -> Array:
    """Return the logits of every step, (steps + 1, T, T), with the enumerated gradient at ``beta0``."""
    logits = np.zeros((steps + 1, task.length, task.length))
    A2 = beta0 * np.eye(task.vocab_size)
    for step in range(steps):
        gradient = population_gradient(task, logits[step], A2, epsilon=epsilon, method="enumerate").A1.value
        logits[step + 1] = logits[step] - flow_step / beta0 * gradient
    return logits


def _attention(logits: Array) -> Array:
    return np.array([causal_softmax(matrix) for matrix in logits])


def _compare(task: InContextTask, predicted: Array, paths: Sequence[Array]) -> Comparison:
    weights = _attention(predicted)
    attentions = [_attention(path) for path in paths]
    parents, children = np.transpose(task.graph.edges)
    ends = attentions[-1][[0, -1]]
    return Comparison(
        attention=np.array([np.abs(one - weights).max(axis=(1, 2)) for one in attentions]),
        logits=np.array([np.abs(path - predicted).max(axis=(1, 2)) for path in paths]),
        on_parents=ends[:, children, parents].mean(axis=1),
        moved=float(np.abs(ends[1] - ends[0]).max()),
    )


def package_deviation(task: InContextTask, epsilon: float, paths: dict[Stage1Method, Array]) -> float:
    """Compare with ``Stage1``: final logits, and the attention on parents at every recorded step, of each method."""
    parents, children = np.transpose(task.graph.edges)
    deviations, rate = [], FLOW_STEP / BETAS[-1]
    for method, path in paths.items():
        settings = Stage1(steps=STEPS, learning_rate=rate, beta0=BETAS[-1], method=method, records=STEPS)
        found = run_stage1(task, settings, epsilon=epsilon)
        weights = _attention(path[found.steps])[:, children, parents]
        deviations.append(np.abs(found.A1 - path[found.steps[-1]]).max())
        deviations.append(np.abs(found.attention_on_parents[:, children] - weights).max())
    return float(max(deviations))


def _show_case(check: Check, one: Comparison, at: dict[str, Any]) -> None:
    """Show how far the attention moves, and how far the paths are apart."""
    start, end = one.on_parents
    cells = {**at, "mean attention on parents": start, "at the end": end, "largest change of a weight": one.moved}
    cells |= {f"beta0 = {beta0:g}": far for beta0, far in zip(BETAS, one.worst("attention"), strict=True)}
    cells |= {"order at the small end": one.order("attention"), "order fitted to all": one.fitted("attention")}
    check.row("Largest distance of the attention over all steps", cells)


def _show_times(check: Check, found: Sequence[Comparison]) -> None:
    """Show the orders, and how the constant of the linear law grows with time."""
    for quantity in ORDERS:
        orders = [one.order(quantity) for one in found]
        part = f"{quantity}: median and spread of the orders"
        check.measure(part, np.median(orders), error=np.ptp(orders), kind="spread")
        distances = np.array([getattr(one, quantity)[-1] for one in found]) / BETAS[-1]
        for fraction in FRACTIONS:
            reached = distances[:, : STEPS // fraction + 1].max(axis=1)
            cells = {"distance of": quantity, "to time": FLOW_STEP * STEPS / fraction, "median": np.median(reached)}
            title = f"Distance over beta0 at beta0 = {BETAS[-1]:g}, the constant of the linear law"
            check.row(title, {**cells, "smallest": reached.min(), "largest": reached.max()})


def _plot(check: Check, found: Sequence[Comparison]) -> None:
    """Draw the distances against beta0."""
    attention, logits = (np.array([one.worst(quantity) for one in found]) for quantity in ORDERS)
    curves = {
        "logits, largest": (BETAS, logits.max(axis=0)),
        "attention, largest": (BETAS, attention.max(axis=0)),
        "attention, median": (BETAS, np.median(attention, axis=0)),
        "slope 1, to compare with": (BETAS, 0.3 * attention.min() * np.array(BETAS) / BETAS[-1]),
    }
    check.figure(
        "Distance of the exact path of stage 1 from the first-order one", curves, x="beta0",
        y="largest difference over all steps",
        description="Distance against beta0 on double logarithmic axes, beside a line of slope 1.",
    )  # fmt: skip


@claim(
    7,
    source="Nichani, Damian, Lee (ICML 2024), first stage of the analysis of Algorithm 1, along the whole trajectory",
    control="The first-order path is driven by the scores of a random forest without a common edge.",
    breaks=tuple(ORDERS.values()),
)
def stage1_first_order(
    check: Check, length: int = budget(tiny=5, quick=7, full=8), matrices: int = budget(quick=2, full=8)
) -> None:
    r"""The whole of stage 1 follows the scores.

    Stage 1 starts at $A_1 = 0$ with $A_2 = \beta_0 I$ and trains $A_1$. At equal flow time (the same number of steps at
    the same $\eta \beta_0$) its exact path and the path that the fixed edge scores $G$ drive, $A_{1,i} \mathrel{+}=
    \frac{\eta\beta_0}{T}\,(\mathrm{diag}(a_i) - a_i a_i^T)\,G_i$, differ by $O(\beta_0)$ at every step, in the
    attention and in the logits, even when the attention has moved all the way from uniform to one key.
    """
    matrices = max(1, matrices // CONTROL_SHARE) if check.control else matrices
    jobs = [(name, kind, k) for name in (*FAMILIES, STAR) for kind in EPSILONS for k in range(matrices)]
    found = []
    for number, (name, kind, k) in enumerate(check.track(jobs, "enumerated paths")):
        task = random_task(name, length, kind, SYMBOLS, check.rng("task", name, kind, k))
        epsilon, group = EPSILONS[kind], f"{name}, {kind} priors"
        graph = other_graph(task.graph, check.rng("other", number)) if check.control else task.graph
        scores = edge_scores(InContextTask(graph, task.prior), epsilon=epsilon).value
        predicted = first_order_path(scores, FLOW_STEP, STEPS)
        paths = [exact_path(task, epsilon, beta0, FLOW_STEP, STEPS) for beta0 in BETAS]
        one = _compare(task, predicted, paths)
        for quantity, part in ORDERS.items():
            check.within(part, one.order(quantity), *BAND, by=group, matrix=k + 1)
        if not check.control and k == 0:
            deviation = package_deviation(task, epsilon, {"exact": paths[-1], "first_order": predicted})
            check.within(PACKAGE, deviation, high=SAME, by=group)
        check.assumptions(PRIORS[kind], [task.prior])
        found.append(one)
        _show_case(check, one, {"tasks": group, "matrix": k + 1, "T": length, "S": SYMBOLS})
    _show_times(check, found)
    _plot(check, found)
    check.note(f"""The distance is the largest difference of an entry, over all steps; of attention weights, which lie
    between 0 and 1, and of logits. Every exact step is a sum over all S^T sequences. Rows of the query and of roots are
    included.

    Equal flow time: learning_rate * beta0 and the number of steps are the same for every beta0, so that the
    discretisation is the same and only higher orders in beta0 remain. At beta0 = {BETAS[0]:g} some attention weight is
    off by an amount that is not small, and the order fitted to all three values strays further from 1.

    The constant of the linear law grows with time, and is largest where two keys of a row nearly tie and the path takes
    long to decide: last table. The statement is about beta0 -> 0 at fixed T and a fixed time.

    None of the four assumptions is needed. Under a point prior rows may converge to another key than the parent, on
    both paths.""")
