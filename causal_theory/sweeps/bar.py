"""A progress bar with the rate and the time left; only on a terminal."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

__all__ = ["SweepBar"]


class RateColumn(TextColumn):
    """Units in a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the rate of late."""
        return Text("" if task.speed is None else f"{task.speed:.3g}/s", style="dim")


class SweepBar:
    """Shows on standard error how many units are stored, how many failed, the rate and the time left."""

    def __init__(self, study: str, units: int, *, wanted: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn(study),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}", style="red"),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (wanted and console.is_terminal),
        )
        self._task = self._progress.add_task(study, total=units, failed="")

    def __enter__(self) -> "SweepBar":
        """Start to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the bar."""
        self._progress.stop()

    def update(self, stored: int, failed: int) -> None:
        """Show how far it is."""
        self._progress.update(self._task, completed=stored, failed=f"{failed} failed" if failed else "")
