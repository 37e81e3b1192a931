"""Claim 1: to first order in beta0 the gradient of A1 is one fixed matrix of scores, whatever A1 is."""

import numpy as np

from causal_theory import InContextTask, edge_scores, population_gradient
from causal_theory import first_order_gradient as predict
from causal_theory.claims import Check, budget, claim
from verification.ensembles import FAMILIES, PRIORS, STAR, other_graph, random_task

BETAS = (1e-1, 1e-2, 1e-3)
BAND = (0.9, 1.1)
"""Accepted orders: an error of exactly order 1 shows as 1 up to the terms of higher order at the largest beta0."""

SYMBOLS = 3
EPSILONS = {"orbit": 0.05, "point": 0.2}
"""At the lengths that can be enumerated 1/T is about 0.1: one value on each side of it."""

ORDER = "the relative error of the first-order formula is of order 1 in beta0"


@claim(
    1,
    source="Nichani, Damian, Lee (ICML 2024), first stage of the analysis of Algorithm 1",
    control="The scores G of a different graph, a random forest without a common edge.",
    breaks=(ORDER,),
)
def first_order_gradient(
    check: Check, length: int = budget(tiny=6, quick=9, full=12), draws: int = budget(tiny=1, quick=3, full=10)
) -> None:
    r"""One fixed matrix drives the first layer.

    For $A_2 = \beta_0 I$ and **every** $A_1$ the population gradient is $-\partial L/\partial A_{1,i} =
    \frac{\beta_0}{T}\,(\mathrm{diag}(a_i) - a_i a_i^T)\,G_i + O(\beta_0^2)$ with $a_i = \mathrm{softmax}(A_{1,i,\le
    i})$ and edge scores $G$ that do not depend on $A_1$: the relative error of the first-order formula is of order 1 in
    $\beta_0$.
    """
    everything, orders = [], []
    for name, kind in check.track([(n, k) for n in (*FAMILIES, STAR) for k in EPSILONS], "enumerated gradients"):
        epsilon, label = EPSILONS[kind], f"{name}, {kind} prior"
        task = random_task(name, length, kind, SYMBOLS, check.rng("task", name, kind))
        check.assumptions(PRIORS[kind], [task.prior])
        rng = check.rng("parameters", label)
        asked = other_graph(task.graph, rng) if check.control else task.graph
        scores = edge_scores(InContextTask(asked, task.prior), epsilon=epsilon).value
        for k in range(draws):
            A1, errors = rng.normal(size=(length, length)), []
            for beta0 in BETAS:
                A2 = beta0 * np.eye(SYMBOLS)
                exact = population_gradient(task, A1, A2, epsilon=epsilon, method="enumerate").A1.value
                errors.append(float(np.abs(predict(scores, A1, beta0) - exact).max() / np.abs(exact).max()))
            orders.append(check.exponent(ORDER, BETAS, errors, *BAND, by=label, draw=k))
            everything.append(errors)
        own = np.max(everything[-draws:], axis=0)
        largest = {f"beta0 = {beta0:g}": error for beta0, error in zip(BETAS, own, strict=True)}
        check.row(
            f"Largest relative error, T = {length}, S = {SYMBOLS}", {"task": label, "epsilon": epsilon, **largest}
        )
    check.measure("median and spread of the orders", float(np.median(orders)), error=np.ptp(orders), kind="spread")
    found = np.array(everything)
    check.figure(
        "Error of the first-order gradient of A1",
        {
            "largest": (BETAS, found.max(axis=0)),
            "median": (BETAS, np.median(found, axis=0)),
            "slope 1, to compare with": (BETAS, 0.3 * found.min() * np.array(BETAS) / BETAS[-1]),
        },
        x="beta0",
        y="relative error",
        description="Relative error against beta0 on double logarithmic axes, beside a line of slope 1.",
    )
    check.note("""The exact gradient is a sum over all S^T sequences; the scores come from an integral transform,
    another algorithm altogether. Entries of A1 are standard normal. The statement needs none of the four assumptions:
    the point priors show it.""")
