"""Write ``report.html`` from a record alone: one page with nothing outside itself, and its figures as files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from causal_theory.claims.figures import draw_figures
from causal_theory.claims.records import OUTSIDE, Assumption, ClaimRecord, Part, Record, Table, Tally
from causal_theory.claims.text import cell_text, closest_text, interval_text, requirement, show
from causal_theory.files import write_text

FILE_NAME = "report.html"

MOST_ROWS = 1000
"""Of a table on the page; the record has all."""

PIECES = re.compile(r"(\$[^$]+\$|\*\*[^*]+\*\*|`[^`]+`)")

ASSUMPTIONS = {
    "lower_bound": "1 lower bound",
    "non_degeneracy": "2 non-degeneracy",
    "symmetry": "3 symmetry",
    "constant_mean": "4 constant mean",
}


def write_report(folder: str | Path, record: Record, drawn: Mapping[str, Sequence[str]] | None = None) -> Path:
    """Write the page and the folder ``figures``, and return the path of the page.

    The record is one that ``read_record`` returns, so that its file alone gives the same page. By name of a claim
    ``drawn`` holds what ``draw_figures`` returned of figures that are in the folder already.
    """
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    images = {claim.name: (drawn or {}).get(claim.name) or draw_figures(folder, claim) for claim in record.claims}
    page = _environment().get_template("report.html.j2").render(record=record, images=images, most=MOST_ROWS)
    write_text(folder / FILE_NAME, page + "\n")
    return folder / FILE_NAME


def rich_text(text: str) -> Markup:
    r"""Turn Markdown with ``$formulas$``, ``**bold**`` and code into HTML; formulas become MathML, without any script.

    Examples
    --------
    >>> print(rich_text("**every** < & `c`"))
    <strong>every</strong> &lt; &amp; <code>c</code>
    >>> print(rich_text("$x$"))
    <math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi></mrow></math>
    """
    return Markup().join(_piece(piece) for piece in PIECES.split(text))


def _piece(piece: str) -> Markup:
    if piece.startswith("$") and piece.endswith("$") and len(piece) > 2:
        return Markup(convert(piece[1:-1]))
    if piece.startswith("**") and len(piece) > 4:
        return Markup("<strong>{}</strong>").format(piece[2:-2])
    if piece.startswith("`") and len(piece) > 2:
        return Markup("<code>{}</code>").format(piece[1:-1])
    return escape(piece)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("causal_theory.claims"),
        autoescape=select_autoescape(enabled_extensions=("j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "rich": rich_text,
        "assumption": ASSUMPTIONS.__getitem__,
        "assumption_rows": _assumption_rows,
        "assumptions_met": _assumptions_met,
        "closest": closest_text,
        "cells": _cells,
        "group_rows": _group_rows,
        "limits": _limits,
        "part_rows": _part_rows,
    }
    return environment


def _part_rows(parts: Sequence[Part]) -> list[list[str]]:
    return [
        [part.name, part.verdict, requirement(part), closest_text(part), *_tally(part.total), part.kind, part.unit]
        for part in parts
    ]


def _group_rows(part: Part) -> list[list[str]]:
    return [[name, *_tally(tally)] for name, tally in part.groups.items()]


def _tally(tally: Tally) -> list[str]:
    return [
        str(tally.count),
        str(tally.failures),
        str(tally.borderline),
        interval_text(tally.smallest, tally.largest),
        "" if tally.largest_error is None else show(tally.largest_error),
    ]


def _cells(table: Table) -> list[list[str]]:
    """Return the head and the rows of a table, cut where a page would become unwieldy."""
    head = [f"{name} ({table.units[name]})" if name in table.units else name for name in table.columns]
    return [head, *([cell_text(cell) for cell in row] for row in table.rows[:MOST_ROWS])]


def _assumption_rows(assumptions: Sequence[Assumption]) -> list[list[str]]:
    return [
        [one.priors, ASSUMPTIONS[one.name], f"{one.satisfied} of {one.checked}", show(one.value), one.witness]
        for one in assumptions
    ]


def _assumptions_met(claim: ClaimRecord) -> str:
    """Return whether the assumptions that a claim needs hold on the priors it used."""
    used = claim.run.assumptions if claim.run else ()
    needed = [one for one in used if one.name in claim.assumptions]
    if not needed:
        return "needs none"
    satisfied, checked = sum(one.satisfied for one in needed), sum(one.checked for one in needed)
    return "yes" if satisfied == checked else f"{satisfied} of {checked}"


def _limits(claims: Sequence[ClaimRecord]) -> list[tuple[ClaimRecord, Part]]:
    """Return what was measured outside the assumptions, claim by claim."""
    return [(claim, part) for claim in claims if claim.run for part in claim.run.parts if part.verdict == OUTSIDE]
