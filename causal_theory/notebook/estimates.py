"""Show estimates and gradients."""

import numpy as np

from causal_theory.estimate import Estimate, Gradient
from causal_theory.notebook.arrays import array_block
from causal_theory.notebook.html import facts
from causal_theory.notebook.shown import parts_of
from causal_theory.wording import number

MEANINGS: dict[str, str] = {
    "exact": "a bound on roundoff",
    "quadrature": "truncation and roundoff",
    "monte_carlo": "one standard error",
    "mixed": "a bound and one standard error",
}


@parts_of.register
def _(estimate: Estimate) -> list[str]:
    return [_table("Estimate", estimate)]


@parts_of.register
def _(gradient: Gradient) -> list[str]:
    return [
        _table("Gradient: the loss, in nats", gradient.loss),
        _table("Derivative by A1", gradient.A1),
        _table("Derivative by A2", gradient.A2),
    ]


def _table(caption: str, estimate: Estimate) -> str:
    meaning, method = MEANINGS.get(estimate.method, ""), estimate.method.replace("monte_carlo", "Monte Carlo")
    if estimate.value.ndim == 0:
        value, error = number(float(estimate.value), 12), number(float(estimate.error), 2)
        return facts(caption, {"value": value, "error": f"{error} ({meaning})", "method": method})
    least = "at most " if np.isfinite(estimate.largest_error) else ""
    note = f", {method}, error {least}{number(estimate.largest_error, 2)} ({meaning})"
    return array_block(caption, estimate.value, note)
