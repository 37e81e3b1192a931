"""Show searches for counterexamples, critical lengths and maps of recovery."""

import numpy as np

from causal_theory.falsification import Counterexample, CriticalLength, RecoveryMap, SearchResult
from causal_theory.falsification.instance import number_text
from causal_theory.falsification.result import margin_text, value_text
from causal_theory.notebook.html import Cell, facts, figure, paragraph, table
from causal_theory.notebook.shown import parts_of
from causal_theory.notebook.svg import sparkline
from causal_theory.wording import same_decimals, with_error


@parts_of.register
def _(found: Counterexample) -> list[str]:
    instance = found.instance
    size = len(instance.transition)
    summary: dict[str, object] = {
        "graph": f"{found.family}, T = {instance.graph.length}, parents {instance.parents}",
        "epsilon": number_text(instance.epsilon),
        "certified margin": margin_text(found.margin),
        "again": instance.code,
    }
    rows = [[a, *(Cell(number_text(p), right=True) for p in row)] for a, row in enumerate(instance.transition)]
    checks = [
        [
            check.name.replace("_", " "),
            Cell("holds" if check.holds else "fails", strong=not check.holds),
            f"{check.quantity} {check.required}",
            value_text(check.value),
        ]
        for check in found.assumptions
    ]
    return [
        facts("Counterexample", summary),
        table("Transition matrix", ["parent", *map(str, range(size))], rows),
        table("Assumptions on its orbit", ["assumption", "verdict", "requirement", "value"], checks),
    ]


@parts_of.register
def _(result: SearchResult) -> list[str]:
    summary: dict[str, object] = {
        "statement": result.statement.sentence,
        "evaluations": f"{result.evaluations} of {result.budget}, {result.rejected} outside the assumptions",
        "smallest margin": f"{result.smallest_margin:.4g}",
    }
    head = facts(f"Search for a counterexample: {'found' if result.found else 'none found'}", summary)
    if result.counterexample is None:
        return [head, paragraph("Nothing found within a budget is no proof.", small=True)]
    return [head, *parts_of(result.counterexample)]


@parts_of.register
def _(found: CriticalLength) -> list[str]:
    summary: dict[str, object] = {
        "all parents win from T =": "at no length looked at" if found.first is None else found.first,
        "and at every longer one from T =": "not at the largest length" if found.stays is None else found.stays,
        "lengths looked at": f"{len(found.lengths)}, T = {found.lengths[0]} to {found.lengths[-1]}",
        "method": found.method.replace("_", " "),
    }
    if found.undecided:
        summary["undecided, within two error bars"] = ", ".join(map(str, found.undecided))
    title = "Smallest margin against the length; dashed: zero"
    drawn = sparkline(found.margins, title, lines=(0.0,))
    rows = [
        [length, Cell("yes" if won else "no" if sure else "undecided"), with_error(margin, error, 4)]
        for length, won, sure, margin, error in zip(
            found.lengths.tolist(), found.recovered, found.decided, found.margins, found.errors, strict=True
        )
    ]
    by_length = table("By length", ["T", "all parents win", "smallest margin"], rows)
    return [facts("Critical length", summary), figure(drawn, title) if drawn else "", by_length]


@parts_of.register
def _(found: RecoveryMap) -> list[str]:
    texts = iter(same_decimals(found.values.ravel().tolist()))
    largest = float(np.abs(found.values - found.boundary).max()) or 1.0
    rows = [
        [
            f"{y:g}",
            *(
                Cell(next(texts), tint=(value - found.boundary) / largest, strong=bool(proved), right=True)
                for value, proved in zip(values, certified, strict=True)
            ),
        ]
        for y, values, certified in zip(found.y, found.values, found.certified, strict=True)
    ]
    header = [f"{found.ylabel} / {found.xlabel}", *(f"{x:g}" for x in found.x)]
    note = f"Boundary at {found.boundary:g}; errors up to {found.errors.max():.2g}; in bold: certified."
    return [table(found.label, header, rows), paragraph(note, small=True)]
