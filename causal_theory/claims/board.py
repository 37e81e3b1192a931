"""Progress of a run on the terminal, and its summary."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from causal_theory.claims.records import ClaimRecord, Record
from causal_theory.claims.runner import environment
from causal_theory.claims.text import closest_text

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
    """Return the table with one line per claim."""
    table = Table(title="Claims", show_lines=True)
    for heading in ("claim", "verdict", "comparisons", "closest to failing", "control breaks"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    for claim in record.claims:
        label, seconds = f"{claim.number} {claim.name}", f"{claim.seconds + claim.control_seconds:.1f}"
        colour = "green" if claim.passed else "red"
        if claim.run is None:
            table.add_row(label, f"[{colour}]error[/{colour}]", "", *map(escape, claim.shortcomings or ()), "", seconds)
            continue
        judged, broken = claim.run.judged, claim.opposed.broken if claim.opposed else ("error",)
        table.add_row(
            label,
            f"[{colour}]{claim.run.verdict}[/{colour}]",
            str(sum(part.total.count for part in judged)),
            escape("\n".join(f"{part.name}: {closest_text(part)}" for part in judged)),
            escape("\n".join(broken)),
            seconds,
        )
    for name in record.unfinished or ():
        table.add_row(name, "[yellow]not finished[/yellow]", *[""] * 4)
    return table
