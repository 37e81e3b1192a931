"""The readable report of a run: ``report.md``, made from the record alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from causal_theory.files import write_text
from verification.figures import Figure
from verification.text import show

__all__ = ["ASSUMPTIONS", "REACHED", "cell_text", "write_report"]

FILE_NAME = "report.md"

ASSUMPTIONS = {
    "lower_bound": "1 lower bound",
    "non_degeneracy": "2 non-degeneracy",
    "symmetry": "3 symmetry",
    "constant_mean": "4 constant mean",
}

REACHED = {True: "reached", False: "not reached", None: "not asymptotic"}

Node = dict[str, Any]


def write_report(folder: Path, record: Node, figures: Sequence[Figure]) -> Path:
    """Write the report next to the record it describes."""
    lines = [*_head(record), *_summary(record["claims"]), *_families(folder, figures)]
    for claim in record["claims"]:
        lines += _claim(claim, folder, [figure for figure in figures if figure.claim == claim["name"]])
    lines += _run_details(record)
    path = folder / FILE_NAME
    write_text(path, "\n".join(lines) + "\n")
    return path


def _head(record: Node) -> Iterator[str]:
    passed = sum(claim["passed"] for claim in record["claims"])
    yield "# Verification report"
    yield ""
    if not record["complete"]:
        yield f"**Incomplete: the run was interrupted.** Not finished: {', '.join(record['unfinished'])}."
        yield ""
    yield (
        f"**{passed} of {len(record['requested'])} claims hold and have a negative control that fails**: profile "
        f"{record['profile']['name']}, seed {record['seed']}, {record['seconds']:.0f} s."
    )
    yield ""


def _summary(claims: Sequence[Node]) -> Iterator[str]:
    rows = []
    for claim in claims:
        label = f"{claim['number']}. [{claim['title']}](#{claim['name']})"
        seconds = f"{claim['seconds'] + claim['control_seconds']:.1f}"
        evidence = claim["evidence"]
        if evidence is None:
            rows.append((label, "**error**", "", "", "", "", "", "", seconds))
            continue
        rows.append(
            (
                label,
                f"**{evidence['verdict']}**",
                evidence["predicted"]["text"],
                evidence["measured"]["text"],
                evidence["error"]["text"],
                evidence["method"],
                REACHED[evidence["regime"]["reached"]],
                claim["control"]["verdict"] if claim["control"] else "error",
                seconds,
            )
        )
    columns = ("claim", "verdict", "predicted", "measured", "error", "method", "regime", "control", "seconds")
    yield from _table(columns, rows)


def _families(folder: Path, figures: Sequence[Figure]) -> Iterator[str]:
    general = [figure for figure in figures if figure.claim is None]
    if general:
        yield "## Graphs, scores and informations"
        yield ""
        yield (
            "One row per graph family: the true graph, the edge scores at T = 20, their limit, and the chi-square "
            "informations over S. Squares mark the true edges. The row of the query is left out."
        )
        yield ""
    for figure in general:
        yield from _figure(folder, figure)


def _figure(folder: Path, figure: Figure) -> Iterator[str]:
    path = figure.path.relative_to(folder)
    yield f"![{figure.title}. {figure.description}]({path.as_posix()})"
    yield ""
    yield f"*{figure.title}* ([SVG]({path.with_suffix('.svg').as_posix()}))"
    yield ""


def _claim(claim: Node, folder: Path, figures: Sequence[Figure]) -> Iterator[str]:
    yield f'<a id="{claim["name"]}"></a>'
    yield ""
    yield f"## {claim['number']}. {claim['title']}"
    yield ""
    yield claim["statement"]
    yield ""
    yield f"*Source:* {claim['source']}."
    yield ""
    needed = ", ".join(ASSUMPTIONS[name] for name in claim["assumptions"]) or "none"
    yield f"*Predicted:* {claim['predicted']}. *Assumptions it needs:* {needed}."
    yield ""
    yield f"*Reproduce:* `{claim['command']}`"
    yield ""
    yield from (f"- **Does not pass**: {shortcoming}" for shortcoming in claim["shortcomings"])
    if claim["error"]:
        yield from ("", "```", claim["error"].rstrip(), "```")
    if claim["shortcomings"]:
        yield ""
    if claim["evidence"]:
        yield from _evidence(claim["evidence"])
    for figure in figures:
        yield from _figure(folder, figure)
    yield f"### Negative control of claim {claim['number']}"
    yield ""
    yield claim["control_statement"]
    yield ""
    if claim["control"]:
        yield from _findings(claim["control"])


def _evidence(evidence: Node) -> Iterator[str]:
    """Lay out findings, assumptions and notes."""
    yield from _findings(evidence)
    yield from _titled(
        "Assumptions on the priors that were used",
        ("priors", "assumption", "satisfied by", "witness"),
        [
            (one["priors"], ASSUMPTIONS[one["name"]], f"{one['satisfied']} of {one['checked']}", one["witness"])
            for one in evidence["assumptions"]
        ],
    )
    yield from (f"- {_plain(note)}" for note in evidence["notes"])
    if evidence["notes"]:
        yield ""


def _findings(evidence: Node) -> Iterator[str]:
    """Lay out verdict, numbers, parts and tables; all that is shown of a control."""
    yield f"- Verdict: **{evidence['verdict']}**"
    yield f"- Predicted: {_plain(evidence['predicted']['text'])}"
    yield f"- Measured: {_plain(evidence['measured']['text'])}"
    yield f"- Error: {_plain(evidence['error']['text'])}; method: {evidence['method']}"
    yield f"- Asymptotic regime: {REACHED[evidence['regime']['reached']]} ({evidence['regime']['text']})"
    yield ""
    if evidence["parts"]:
        rows = [
            (
                part["name"],
                f"**{part['verdict']}**",
                *(part[field]["text"] for field in ("predicted", "measured", "error")),
                part["method"],
            )
            for part in evidence["parts"]
        ]
        yield from _titled("Parts", ("part", "verdict", "predicted", "measured", "error", "method"), rows)
    for table in evidence["details"]:
        yield from _titled(
            table["title"], table["columns"], [[cell_text(cell) for cell in row] for row in table["rows"]]
        )


def cell_text(cell: object) -> str:
    """Return the text of a cell: numbers to four digits, nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return show(cell, 4)
    return str(cell)


def _titled(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"{_plain(title)}:"
    yield ""
    yield from _table(columns, rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"

    yield line(columns)
    yield line(["---"] * len(columns))
    yield from (line(row) for row in rows)
    yield ""


def _plain(text: str) -> str:
    """Keep Markdown from reading formulas in plain text as markup or as HTML."""
    return text.replace("_", "\\_").replace("<", "&lt;") if "](" not in text else text


def _run_details(record: Node) -> Iterator[str]:
    machine = record["machine"]
    yield "## Run"
    yield ""
    yield f"- Started {record['started']}, {record['jobs']} worker process(es), {record['seconds']:.1f} s"
    yield f"- Seed {record['seed']}"
    yield "- Budgets: " + ", ".join(f"{name} = {value}" for name, value in record["profile"].items()).replace("_", " ")
    yield "- Versions: " + ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    yield f"- Machine: {machine['processor']}, {machine['processors']} processors, {machine['system']}"
    yield f"- Commit: {record['commit'] or 'not a checkout'}"
    yield "- Machine-readable: [verification.json](verification.json)"
