"""The readable report of a run: ``report.md``, made from the record alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from causal_theory.graphs.files import write_text_atomically

__all__ = ["write_report"]


def write_report(folder: Path, content: dict[str, Any], figures: Sequence[Path]) -> Path:
    """Write the report next to the record it describes."""
    lines = [*_head(content), *_summary(content)]
    for claim in content["claims"]:
        lines += _claim(claim)
    lines += _figures(folder, figures)
    lines += _details(content)
    path = folder / "report.md"
    write_text_atomically(path, "\n".join(lines) + "\n")
    return path


def _head(content: dict[str, Any]) -> Iterator[str]:
    passed = sum(claim["passed"] for claim in content["claims"])
    yield "# Verification report"
    yield ""
    if not content["complete"]:
        yield "**Incomplete: the run was interrupted. Below is what had finished.**"
        yield ""
    yield (
        f"{passed} of {len(content['claims'])} claims hold and have a negative control that fails "
        f"(profile {content['profile']}, seed {content['seed']}, {content['seconds']:.0f} s)."
    )
    yield ""


def _summary(content: dict[str, Any]) -> Iterator[str]:
    columns = ("claim", "verdict", "predicted", "measured", "error", "method", "control", "seconds")
    rows = [
        (
            f"{claim['number']}. [{claim['name']}](#{_anchor(claim)})",
            claim["evidence"]["verdict"],
            claim["evidence"]["predicted"],
            claim["evidence"]["measured"],
            f"{claim['evidence']['error']:.1e}",
            claim["evidence"]["method"],
            claim["control"]["verdict"],
            f"{claim['seconds']:.1f}",
        )
        for claim in content["claims"]
    ]
    yield from _table(columns, rows)


def _anchor(claim: dict[str, Any]) -> str:
    return f"{claim['number']}-{claim['name']}"


def _claim(claim: dict[str, Any]) -> Iterator[str]:
    evidence, control = claim["evidence"], claim["control"]
    yield f"## {claim['number']} {claim['name']}"
    yield ""
    yield claim["statement"]
    yield ""
    yield f"*Source: {claim['source']}.*"
    yield ""
    yield f"- Verdict: **{evidence['verdict']}**"
    yield f"- Predicted: {evidence['predicted']}"
    yield f"- Measured: {evidence['measured']} (error {evidence['error']:.1e}, {evidence['method']})"
    yield f"- Assumptions on the prior: {evidence['assumptions']}"
    yield f"- Asymptotic regime: {evidence['regime']}"
    yield from (f"- {note}" for note in evidence["notes"])
    yield f"- Reproduce: `python -m verification --claim {claim['name']}`"
    yield ""
    yield from _tables(evidence["tables"])
    yield f"**Negative control**: {claim['control_statement']}. Verdict: {control['verdict']}; {control['measured']}."
    yield ""
    yield from _tables(control["tables"])


def _tables(tables: list[dict[str, Any]]) -> Iterator[str]:
    for table in tables:
        yield f"{table['title']}:"
        yield ""
        yield from _table(table["columns"], table["rows"])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    yield line(columns)
    yield line(["---"] * len(columns))
    yield from (line(row) for row in rows)
    yield ""


def _figures(folder: Path, figures: Sequence[Path]) -> Iterator[str]:
    if not figures:
        return
    yield "## Figures"
    yield ""
    for figure in figures:
        name = figure.stem.replace("_", " ")
        yield f"![{name}]({figure.relative_to(folder).as_posix()})"
        yield ""


def _details(content: dict[str, Any]) -> Iterator[str]:
    machine = content["machine"]
    yield "## Run"
    yield ""
    yield f"- Started {content['started']}, {content['jobs']} job(s), seed {content['seed']}"
    yield "- Versions: " + ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    yield f"- Machine: {machine['processor']}, {machine['processors']} processors, {machine['system']}"
    yield f"- Commit: {content['commit'] or 'not a checkout'}"
