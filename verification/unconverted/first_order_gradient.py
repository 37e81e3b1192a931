"""Claim 1: to first order in beta0 the gradient of A1 is one fixed matrix of scores, whatever A1 is."""

import numpy as np
from numpy.typing import NDArray

from causal_theory import (
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    first_order_gradient,
    population_gradient,
)
from causal_theory.priors import Prior
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import FAMILIES, STAR, family_graph, other_graph, random_matrix, trace_one_matrix
from verification.evidence import Cell, Curve, Evidence, Plot, Reading, Regime, Table, summarise_assumptions, verdict_of
from verification.profiles import Profile
from verification.text import interval, show

BETAS = (1e-1, 1e-2, 1e-3)
BAND = (0.9, 1.1)
"""Accepted orders: an error of exactly order 1 shows as 1 up to the terms of higher order at the largest beta0."""

SYMBOLS = 3
EPSILONS = (0.05, 0.2)
"""At the lengths that can be enumerated 1/T is about 0.1: one value on each side of it."""

Array = NDArray[np.float64]
Case = tuple[str, InContextTask, float]


def _cases(profile: Profile, context: Context) -> list[Case]:
    """All graph families with orbit priors of trace 1, which meet all assumptions, and point priors, which do not."""
    cases: list[Case] = []
    for name in (*FAMILIES, STAR):
        for epsilon, kind in zip(EPSILONS, ("orbit", "point"), strict=True):
            rng = context.rng("task", name, kind)
            graph = family_graph(name, profile.enumerated_length, rng)
            prior: Prior
            if kind == "orbit":
                prior = OrbitPrior(trace_one_matrix(SYMBOLS, rng))
            else:
                prior = PointPrior(random_matrix("generic", SYMBOLS, rng))
            cases.append((f"{name}, {kind} prior", InContextTask(graph, prior), epsilon))
    return cases


def _relative_errors(task: InContextTask, scores: Array, epsilon: float, A1: Array) -> list[float]:
    """Largest deviation from the enumerated gradient, relative to its largest entry, for each beta0."""
    errors = []
    for beta0 in BETAS:
        A2 = beta0 * np.eye(task.vocab_size)
        exact = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate").A1.value
        predicted = first_order_gradient(scores, A1, beta0)
        errors.append(float(np.abs(predicted - exact).max() / np.abs(exact).max()))
    return errors


def _compare(profile: Profile, context: Context, *, right_graph: bool) -> Evidence:
    cases = _cases(profile, context)
    orders: list[float] = []
    errors: list[list[float]] = []
    rows: list[tuple[Cell, ...]] = []
    for name, task, epsilon in context.track(cases, "enumerated gradients"):
        rng = context.rng("parameters", name)
        graph = task.graph if right_graph else other_graph(task.graph, rng)
        scores = edge_scores(InContextTask(graph, task.prior), epsilon=epsilon).value
        for _ in range(profile.parameter_draws):
            A1 = rng.normal(size=(task.length, task.length))
            errors.append(_relative_errors(task, scores, epsilon, A1))
            orders.append(float(np.polyfit(np.log(BETAS), np.log(errors[-1]), 1)[0]))
        own = np.array(errors[-profile.parameter_draws :])
        worst = orders[-profile.parameter_draws :]
        rows.append((name, epsilon, *(show(float(error)) for error in own.max(axis=0)), interval(worst, 4)))
    return _evidence(profile, cases, orders, np.array(errors), tuple(rows))


def _evidence(
    profile: Profile, cases: list[Case], orders: list[float], errors: Array, rows: tuple[tuple[Cell, ...], ...]
) -> Evidence:
    priors = [task.prior for _, task, _ in cases]
    size = f"T = {profile.enumerated_length}, S = {SYMBOLS}"
    return Evidence(
        verdict=verdict_of(all(BAND[0] <= order <= BAND[1] for order in orders)),
        predicted=Reading(f"order 1 (band {BAND[0]} to {BAND[1]})", 1.0),
        measured=Reading(f"order {interval(orders, 4)} in {len(orders)} cases", float(np.median(orders))),
        error=Reading(f"spread {show(float(np.ptp(orders)))}", float(np.ptp(orders))),
        method="exact",
        assumptions=(
            *summarise_assumptions("orbit priors of trace 1", [p for p in priors if isinstance(p, OrbitPrior)]),
            *summarise_assumptions("point priors", [p for p in priors if isinstance(p, PointPrior)]),
        ),
        regime=Regime(None, "beta0 -> 0 at fixed T; no length enters"),
        details=(
            Table(
                f"Largest relative error of the first-order gradient over {profile.parameter_draws} random A1, {size}",
                ("task", "epsilon", *(f"beta0 = {beta0:g}" for beta0 in BETAS), "fitted order"),
                rows,
            ),
        ),
        plots=(_plot(errors),),
        notes=(
            "The exact gradient is a sum over all S^T sequences; the scores come from an integral transform, another "
            "algorithm altogether.",
            "Entries of A1 are standard normal. The statement needs none of the four assumptions: the point priors "
            "show it.",
        ),
    )


def _plot(errors: Array) -> Plot:
    curves = (
        Curve("largest", BETAS, tuple(errors.max(axis=0))),
        Curve("median", BETAS, tuple(np.median(errors, axis=0))),
        Curve("slope 1, to compare with", BETAS, tuple(0.3 * errors.min() * np.array(BETAS) / BETAS[-1])),
    )
    return Plot(
        name="first_order_gradient",
        title="Error of the first-order gradient of A1",
        xlabel="beta0",
        ylabel="relative error",
        curves=curves,
        description="Relative error against beta0 on double logarithmic axes, beside a line of slope 1.",
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Compare the enumerated gradient with the first-order formula as beta0 shrinks."""
    return _compare(profile, context, right_graph=True)


def control(profile: Profile, context: Context) -> Evidence:
    """Put the scores of another graph into the formula: the error must not fall."""
    return _compare(profile, context, right_graph=False)


CLAIM = Claim(
    name="first_order_gradient",
    number=1,
    title="One fixed matrix drives the first layer",
    statement=(
        r"For $A_2 = \beta_0 I$ and **every** $A_1$ the population gradient is "
        r"$-\partial L/\partial A_{1,i} = \frac{\beta_0}{T}\,(\mathrm{diag}(a_i) - a_i a_i^T)\,G_i + O(\beta_0^2)$ "
        r"with $a_i = \mathrm{softmax}(A_{1,i,\le i})$ and edge scores $G$ that do not depend on $A_1$: the relative "
        r"error of the first-order formula is of order 1 in $\beta_0$."
    ),
    source=(
        "Nichani, Damian, Lee, How Transformers Learn Causal Structure with Gradient Descent (ICML 2024), first stage "
        "of the analysis of Algorithm 1"
    ),
    predicted="the relative error falls with fitted order 1 over beta0 = 0.1, 0.01, 0.001",
    assumptions=(),
    run=run,
    control_statement="The scores G of a different graph, a random forest without a common edge.",
    control=control,
)
