"""``python -m verification``: run the claims, print a table, write the report."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from causal_theory.errors import CausalTheoryError
from verification.claim import FAILS, HOLDS, Claim
from verification.claims import all_claims
from verification.figures import draw_figures
from verification.profiles import PROFILES
from verification.report import write_report
from verification.results import check_output_folder, record, run_details, write_record
from verification.runner import Outcome, run_claims

PASSED, NOT_PASSED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(
    profile: Annotated[str, typer.Option(help="Amount of work: quick (about a minute) or full.")] = "quick",
    claim: Annotated[list[str] | None, typer.Option(help="Run only this claim; may be repeated.")] = None,
    list_claims: Annotated[bool, typer.Option("--list", help="List the claims and stop.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the record, the report and the figures.")] = Path("results"),
    seed: Annotated[int, typer.Option(min=0, help="Seed; each claim derives its own randomness from it.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes, which share the processors.")] = 1,
) -> None:
    """Check every claim of the theory, each with a negative control that must fail.

    Exit status: 0 when every claim holds and every control fails, 1 when not, 2 for bad usage, 130 when interrupted.
    """
    console = Console()
    if not console.is_terminal:
        # A log has no width of its own; leave every claim on one line.
        console = Console(width=180)
    if list_claims:
        for one in all_claims():
            console.print(f"{one.number:3d}  [bold]{one.name}[/bold]\n     {one.statement}", soft_wrap=True)
        raise typer.Exit(PASSED)
    try:
        if profile not in PROFILES:
            raise CausalTheoryError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
        chosen = _choose(claim)
        check_output_folder(out)
    except CausalTheoryError as error:
        Console(stderr=True).print(f"[red]error[/red]: {escape(str(error))}", soft_wrap=True, highlight=False)
        raise typer.Exit(BAD_USAGE) from error
    raise typer.Exit(_run(console, chosen, profile, out, seed, jobs))


def _choose(names: list[str] | None) -> list[Claim]:
    known = {claim.name: claim for claim in all_claims()}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise CausalTheoryError(f"claim must be one of {', '.join(known)}, got {unknown[0]!r}")
    return [claim for claim in known.values() if not names or claim.name in names]


def _run(console: Console, claims: list[Claim], profile: str, out: Path, seed: int, jobs: int) -> int:
    started = time.perf_counter()
    details = run_details(PROFILES[profile], seed, jobs)
    outcomes: list[Outcome] = []
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("claims", total=len(claims))

        def on_finish(outcome: Outcome) -> None:
            outcomes.append(outcome)
            progress.advance(bar)

        complete = run_claims(
            claims,
            PROFILES[profile],
            seed=seed,
            jobs=jobs,
            on_start=lambda claim: progress.update(bar, description=claim.name),
            on_finish=on_finish,
        )
    figures = draw_figures(out, seed) if complete else []
    content = record(outcomes, details, complete=complete, seconds=time.perf_counter() - started)
    write_record(out, content)
    report = write_report(out, content, figures)
    console.print(_table(outcomes))
    console.print(f"report: {report}")
    if not complete:
        console.print(f"[yellow]interrupted[/yellow] after {len(outcomes)} of {len(claims)} claims")
        return INTERRUPTED
    return PASSED if content["passed"] else NOT_PASSED


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="claims")
    for heading in ("claim", "verdict", "predicted", "measured", "error", "control", "seconds"):
        table.add_column(heading, justify="right" if heading in {"error", "seconds"} else "left")
    for outcome in sorted(outcomes, key=lambda outcome: outcome.claim.number):
        evidence = outcome.evidence
        table.add_row(
            f"{outcome.claim.number} {outcome.claim.name}",
            _coloured(evidence.verdict, evidence.verdict == HOLDS),
            evidence.predicted,
            evidence.measured,
            f"{evidence.error:.1e}",
            _coloured(outcome.control.verdict, outcome.control.verdict == FAILS),
            f"{outcome.seconds:.1f}",
        )
    return table


def _coloured(text: str, good: bool) -> str:
    return f"[green]{text}[/green]" if good else f"[red]{text}[/red]"


if __name__ == "__main__":
    typer.run(main)
