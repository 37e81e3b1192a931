"""Show priors, those of a user's own by what they say of themselves, and checks of their assumptions."""

from collections.abc import Iterable

from causal_theory.notebook.arrays import array_block
from causal_theory.notebook.html import Cell, facts, paragraph, table
from causal_theory.notebook.shown import parts_of
from causal_theory.priors import AssumptionCheck, AssumptionReport, Prior
from causal_theory.priors.matrix import MatrixPrior


@parts_of.register
def _(prior: Prior) -> list[str]:
    moved = {"rows normalised": f"entries moved by up to {prior.moved:.2g}"} if prior.moved else {}
    return [facts(repr(prior), {"symbols S": prior.vocab_size} | prior.facts() | moved)]


@parts_of.register
def _(prior: MatrixPrior) -> list[str]:
    moved = f", rows normalised (entries moved by up to {prior.moved:.2g})" if prior.moved else ""
    if prior.row_sums is not None:
        moved = f", rows divided by their sums, {prior.row_sums[0]:.6g} to {prior.row_sums[1]:.6g}"
    caption = f"{type(prior).__name__}: {prior.description}{moved}"
    if not prior.given_as_mapping:
        return [array_block(caption, prior.transition)]
    blocks = (
        array_block(f"{parents} {'parent' if parents == 1 else 'parents'}", tensor.reshape(-1, prior.vocab_size))
        for parents, tensor in prior.transitions.items()
    )
    return [facts(caption, {"symbols S": prior.vocab_size}), *blocks]


@parts_of.register
def _(check: AssumptionCheck) -> list[str]:
    return [_table("Assumption on the prior", [check])]


@parts_of.register
def _(report: AssumptionReport) -> list[str]:
    failed, unknown = (sum(check.holds is verdict for check in report) for verdict in (False, None))
    verdict = ", ".join(f"{n} of 4 {word}" for n, word in ((failed, "fail"), (unknown, "open")) if n) or "all hold"
    check = report.parents_win
    decides = (
        [] if check is None else [paragraph(f"{check.name}: {check.verdict}; {check.statement} ({check.witness})")]
    )
    return [_table(f"Assumptions on the prior: {verdict}", report), *decides]


def _table(caption: str, checks: Iterable[AssumptionCheck]) -> str:
    rows = [
        [check.name.replace("_", " "), Cell(check.verdict, strong=check.holds is False), check.statement, check.witness]
        for check in checks
    ]
    return table(caption, ["assumption", "verdict", "statement", "what decides"], rows)
