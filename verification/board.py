"""What a run shows while it works and when it is done."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from verification.claim import Claim
from verification.evidence import FAILS, HOLDS, Evidence
from verification.runner import Outcome

__all__ = ["Board", "summary_table"]

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
        before = os.environ.get(QUIET_BARS)
        os.environ[QUIET_BARS] = "0"
        try:
            with self._progress:
                yield self
        finally:
            if before is None:
                os.environ.pop(QUIET_BARS, None)
            else:
                os.environ[QUIET_BARS] = before

    def step(self, name: str, text: str, done: int, total: int) -> None:
        """Show what a claim is doing."""
        if name not in self._running:
            self._running[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._running[name], description=f"{name}: {text}", completed=done, total=total)

    def finish(self, outcome: Outcome) -> None:
        """Replace the bar of a claim by a line."""
        name = outcome.claim.name
        if name in self._running:
            self._progress.remove_task(self._running.pop(name))
        self._progress.advance(self._claims)
        mark = "[green]passed[/green]" if outcome.passed else "[red]not passed[/red]"
        seconds = outcome.seconds + outcome.control_seconds
        self._console.print(f"{mark}  {outcome.claim.number} {name} ({seconds:.1f} s)", highlight=False)


def summary_table(outcomes: Sequence[Outcome], unfinished: Sequence[Claim] = ()) -> Table:
    """Return the table with one line per claim."""
    table = Table(title="Claims", show_lines=True)
    for heading in ("claim", "verdict", "predicted", "measured", "error", "method"):
        table.add_column(heading, overflow="fold")
    table.add_column("control")
    table.add_column("seconds", justify="right")
    for outcome in sorted(outcomes, key=lambda outcome: outcome.claim.number):
        label = f"{outcome.claim.number} {outcome.claim.name}"
        seconds = f"{outcome.seconds + outcome.control_seconds:.1f}"
        if outcome.evidence is None:
            table.add_row(label, "[red]error[/red]", *map(escape, outcome.shortcomings), "", "", "", "", seconds)
            continue
        evidence = outcome.evidence
        table.add_row(
            label,
            _coloured(evidence, HOLDS),
            escape(evidence.predicted.text),
            escape(evidence.measured.text),
            escape(evidence.error.text),
            evidence.method,
            "[red]error[/red]" if outcome.control is None else _coloured(outcome.control, FAILS),
            seconds,
        )
    for claim in unfinished:
        table.add_row(f"{claim.number} {claim.name}", "[yellow]not finished[/yellow]", *[""] * 6)
    return table


def _coloured(evidence: Evidence, wanted: str) -> str:
    colour = "green" if evidence.verdict == wanted else "red"
    return f"[{colour}]{evidence.verdict}[/{colour}]"
