"""A progress bar on the terminal of standard error, if there is one: steps done, a note, the rate and the time left."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text
from typing_extensions import override

PATIENCE_SECONDS = 1.0

Item = TypeVar("Item")


_drawn: Progress | None = None
"""What draws on the terminal now: a bar within another one is a line of it, since two that draw would mix."""


class ProgressBar:
    """A bar that is drawn while the block of a ``with`` statement runs.

    Parameters
    ----------
    name : str
        Shown before the bar.
    total : int or None
        Of steps; None where it is unknown.
    done : int
        Steps that were done before.
    wanted : bool
        Whether to draw at all.
    patience : float
        Seconds before the bar appears.
    """

    def __init__(
        self, name: str, total: int | None, *, done: int = 0, wanted: bool = True, patience: float = 0.0
    ) -> None:
        self._name, self._total, self._done = name, total, done
        self._wanted, self._appears = wanted, time.monotonic() + patience
        self._draws = False
        self._progress: Progress | None = None
        self._line = TaskID(0)

    def __enter__(self) -> Self:
        """Draw the bar, unless there is time."""
        self._show(self._done, "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the bar."""
        global _drawn  # noqa: PLW0603 - there is one terminal
        if self._draws:
            _drawn = None
        if self._progress is not None and self._draws:
            self._progress.stop()
        elif self._progress is not None:
            self._progress.remove_task(self._line)

    def update(self, done: int, note: str = "") -> None:
        """Show that so many steps are done, and a note."""
        self._show(done, note)

    def _show(self, done: int, note: str) -> None:
        if self._progress is None and self._wanted and time.monotonic() >= self._appears:
            self._start()
        if self._progress is not None:
            self._progress.update(self._line, completed=done, note=note)

    def _start(self) -> None:
        global _drawn  # noqa: PLW0603 - there is one terminal
        if _drawn is None:
            console = Console(stderr=True)
            self._wanted = self._draws = console.is_terminal
            if not self._wanted:
                return
            _drawn = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                RateColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
        self._progress = _drawn
        self._line = self._progress.add_task(self._name, total=self._total, completed=self._done, note="")
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
