"""Show priors, those of a user's own by what they say of themselves, and checks of their assumptions."""

from collections.abc import Iterable

from causal_theory.notebook.arrays import array_block
from causal_theory.notebook.html import Cell, facts, table
from causal_theory.notebook.shown import parts_of
from causal_theory.priors import AssumptionCheck, AssumptionReport, Prior
from causal_theory.priors.base import MatrixPrior

__all__: list[str] = []


@parts_of.register
def _(prior: Prior) -> list[str]:
    moved = {"rows normalised": f"entries moved by up to {prior.moved:.2g}"} if prior.moved else {}
    return [facts(repr(prior), {"symbols S": prior.vocab_size} | prior.facts() | moved)]


@parts_of.register
def _(prior: MatrixPrior) -> list[str]:
    moved = f", rows normalised (entries moved by up to {prior.moved:.2g})" if prior.moved else ""
    caption = f"{type(prior).__name__}: {prior.description}{moved}"
    if not prior.given_as_mapping:
        return [array_block(caption, prior.transition)]
    blocks = (
        array_block(f"{parents} {'parent' if parents == 1 else 'parents'}", kernel.reshape(-1, prior.vocab_size))
        for parents, kernel in prior.kernels.items()
    )
    return [facts(caption, {"symbols S": prior.vocab_size}), *blocks]


@parts_of.register
def _(check: AssumptionCheck) -> list[str]:
    return [_table("Assumption on the prior", [check])]


@parts_of.register
def _(report: AssumptionReport) -> list[str]:
    failed = sum(not check.holds for check in report)
    verdict = f"{failed} of 4 fail" if failed else "all hold"
    return [_table(f"Assumptions on the prior: {verdict}", report)]


def _table(caption: str, checks: Iterable[AssumptionCheck]) -> str:
    rows = [
        [check.name.replace("_", " "), Cell(check.verdict, strong=not check.holds), check.statement, check.witness]
        for check in checks
    ]
    return table(caption, ["assumption", "verdict", "statement", "what decides"], rows)
