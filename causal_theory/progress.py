"""A progress bar on the terminal of standard error, if there is one: steps done, a note, the rate and the time left."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from typing_extensions import override

PATIENCE_SECONDS = 1.0

Item = TypeVar("Item")


class ProgressBar:
    """A bar that is drawn while the block of a ``with`` statement runs.

    Parameters
    ----------
    name : str
        Shown before the bar.
    total : int
        Of steps.
    done : int
        Steps that were done before.
    wanted : bool
        Whether to draw at all.
    patience : float
        Seconds before the bar appears.
    """

    def __init__(self, name: str, total: int, *, done: int = 0, wanted: bool = True, patience: float = 0.0) -> None:
        self._name, self._total, self._done = name, total, done
        self._wanted, self._appears = wanted, time.monotonic() + patience
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        """Draw the bar, unless there is time."""
        self._show(self._done, "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the bar."""
        if self._progress is not None:
            self._progress.stop()

    def update(self, done: int, note: str = "") -> None:
        """Show that so many steps are done, and a note."""
        self._show(done, note)

    def _show(self, done: int, note: str) -> None:
        if self._progress is None and self._wanted and time.monotonic() >= self._appears:
            self._start()
        if self._progress is not None:
            for task in self._progress.task_ids:
                self._progress.update(task, completed=done, note=note)

    def _start(self) -> None:
        console = Console(stderr=True)
        self._wanted = console.is_terminal
        if self._wanted:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                RateColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._progress.add_task(self._name, total=self._total, completed=self._done, note="")
            self._progress.start()


class RateColumn(TextColumn):
    """Steps in a second."""

    def __init__(self) -> None:
        super().__init__("")

    @override
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.3g}/s", style="dim")


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Yield the items; from the first second on show a bar.

    Examples
    --------
    >>> [k * k for k in track([1, 2, 3], "squares")]
    [1, 4, 9]
    """
    with ProgressBar(description, len(items), patience=PATIENCE_SECONDS) as bar:
        for done, item in enumerate(items):
            bar.update(done)
            yield item
