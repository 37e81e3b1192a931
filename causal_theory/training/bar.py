"""A progress bar with the loss and what to compare it with; only on a terminal."""

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["TrainingBar"]

INTERVAL_SECONDS = 0.2


class TrainingBar:
    """Shows steps, loss, floor and counts baseline on standard error."""

    def __init__(self, steps: int, done: int, baselines: Mapping[str, float], *, wanted: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn(f"floor {baselines['floor']:.4f}  counts {baselines['counts']:.4f}", style="dim"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (wanted and console.is_terminal),
        )
        self._task = self._progress.add_task("training", total=steps, completed=done, loss=float("nan"))
        self._last = 0.0

    def __enter__(self) -> "TrainingBar":
        """Start to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the bar."""
        self._progress.stop()

    def update(self, done: int, loss: float) -> None:
        """Show the state, a few times a second."""
        now = time.monotonic()
        if now - self._last > INTERVAL_SECONDS:
            self._last = now
            self._progress.update(self._task, completed=done, loss=loss)
