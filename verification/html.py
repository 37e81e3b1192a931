"""The report as one page: ``report.html``, from the record and the figures, with nothing outside itself."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from causal_theory.files import write_text
from verification.evidence import OUTSIDE
from verification.figures import Figure
from verification.report import ASSUMPTIONS, REACHED, cell_text

__all__ = ["rich_text", "write_html_report"]

FILE_NAME = "report.html"
PIECES = re.compile(r"(\$[^$]+\$|\*\*[^*]+\*\*|`[^`]+`)")

Node = dict[str, Any]


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


def write_html_report(folder: Path, record: Node, figures: Sequence[Figure]) -> Path:
    """Write the page next to the record it describes."""
    by_claim: dict[str | None, list[Node]] = {None: []}
    by_claim.update({claim["name"]: [] for claim in record["claims"]})
    for figure in figures:
        shown = {"title": figure.title, "description": figure.description, "data": _data(figure.path)}
        by_claim.setdefault(figure.claim, []).append(shown)
    passed = sum(claim["passed"] for claim in record["claims"])
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(record=record | {"passed_count": passed}, figures=by_claim, reached=REACHED)
    )
    path = folder / FILE_NAME
    write_text(path, page + "\n")
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("verification"),
        autoescape=select_autoescape(enabled_extensions=("j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "rich": rich_text,
        "assumption": ASSUMPTIONS.__getitem__,
        "cells": lambda rows: [[cell_text(cell) for cell in row] for row in rows],
        "part_rows": _part_rows,
        "assumption_rows": _assumption_rows,
        "assumptions_met": _assumptions_met,
        "limits": _limits,
        "snippet": _snippet,
    }
    return environment


def _data(path: Path) -> str:
    """Return a figure as part of the page; an image of its own, so that names inside figures cannot clash."""
    content = path.with_suffix(".svg").read_bytes()
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii")


def _part_rows(parts: Sequence[Node]) -> list[list[str]]:
    return [
        [
            part["name"],
            part["verdict"],
            *(part[field]["text"] for field in ("predicted", "measured", "error")),
            part["method"],
        ]
        for part in parts
    ]


def _assumption_rows(assumptions: Sequence[Node]) -> list[list[str]]:
    return [
        [one["priors"], ASSUMPTIONS[one["name"]], f"{one['satisfied']} of {one['checked']}", one["witness"]]
        for one in assumptions
    ]


def _assumptions_met(claim: Node) -> str:
    """Return whether the assumptions that a claim needs hold on the priors it used."""
    needed = [one for one in claim["evidence"]["assumptions"] if one["name"] in claim["assumptions"]]
    if not needed:
        return "needs none"
    satisfied, checked = sum(one["satisfied"] for one in needed), sum(one["checked"] for one in needed)
    return "yes" if satisfied == checked else f"{satisfied} of {checked}"


def _limits(claims: Sequence[Node]) -> list[tuple[Node, str, str]]:
    """Return what was measured outside the assumptions, and the regimes that were not reached, claim by claim."""
    found = []
    for claim in claims:
        if claim["evidence"] is None:
            continue
        found += [
            (claim, part["name"], part["measured"]["text"])
            for part in claim["evidence"]["parts"]
            if part["verdict"] == OUTSIDE
        ]
        regime = claim["evidence"]["regime"]
        if regime["reached"] is False:
            found.append((claim, "regime not reached", regime["text"]))
    return found


def _snippet(claim: Node) -> str:
    """Return Python that runs just this claim."""
    found = re.search(r"--profile (\S+) --seed (\d+)", claim["command"])
    profile, seed = found.groups() if found else ("quick", "0")
    return (
        "from verification.context import Context\n"
        "from verification.profiles import PROFILES\n"
        "from verification.registry import discover, select\n"
        "\n"
        f'[claim] = select(discover(), ["{claim["name"]}"])\n'
        f'evidence = claim.run(PROFILES["{profile}"], Context({seed}, (claim.name, "run")))\n'
        "print(evidence.verdict, evidence.measured.text)"
    )
