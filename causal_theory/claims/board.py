"""Progress of a run on the terminal, and its summary."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from causal_theory.claims.records import ClaimRecord, Record
from causal_theory.claims.runner import environment
from causal_theory.wording import count

QUIET_BARS = "TTY_COMPATIBLE"
"""While this is "0" in the environment, the package draws no progress bars of its own, which would mix with these."""


class Board:
    """Progress bars on a terminal: one for the claims, one for each that is running; lines of text elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._claims = self._progress.add_task("claims", total=total)
        self._running: dict[str, TaskID] = {}

    @contextmanager
    def shown(self) -> Iterator["Board"]:
        """Show the bars while the block runs."""
        with environment(QUIET_BARS, "0"), self._progress:
            yield self

    def step(self, name: str, text: str, done: int, total: int) -> None:
        """Show what a claim is doing."""
        if name not in self._running:
            self._running[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._running[name], description=f"{name}: {text}", completed=done, total=total)

    def finish(self, claim: ClaimRecord) -> None:
        """Replace the bar of a claim by a line."""
        if claim.name in self._running:
            self._progress.remove_task(self._running.pop(claim.name))
        self._progress.advance(self._claims)
        mark = "[green]passed[/green]" if claim.passed else "[red]not passed[/red]"
        seconds = claim.seconds + claim.control_seconds
        self._console.print(f"{mark}  {claim.number} {claim.name} ({seconds:.1f} s)", highlight=False)


def summary_table(record: Record) -> Table:
    """Return the table with one line per claim, narrow enough for 80 columns; the report has the rest."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("claim", "verdict", "control", "measured", "seconds"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("measured", "seconds") else "left")
    for claim in record.claims:
        colour, verdict, control, measured = "green" if claim.passed else "red", "error", "", ""
        if claim.run is not None:
            verdict, measured = str(claim.run.verdict), f"{sum(part.total.count for part in claim.run.judged):,}"
            control = str(claim.opposed.verdict) if claim.opposed else "error"
        seconds = f"{claim.seconds + claim.control_seconds:.1f}"
        table.add_row(f"{claim.number} {claim.name}", f"[{colour}]{verdict}[/{colour}]", control, measured, seconds)
    for name in record.unfinished or ():
        table.add_row(name, "[yellow]none[/yellow]", "", "", "")
    return table


def summary_sentence(record: Record) -> str:
    """Say in one sentence what came of a run."""
    bad, total = [claim.name for claim in record.claims if not claim.passed], len(record.claims)
    if bad:
        return f"{len(bad)} of {count(total, 'claim')} {'does' if len(bad) == 1 else 'do'} not pass: {', '.join(bad)}."
    whole = f"All {total} claims hold, and each" if total > 1 else "The claim holds, and its"
    return f"{whole} control fails, as it must." if total else "No claim was finished."
