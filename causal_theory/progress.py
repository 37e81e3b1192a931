"""A progress bar that appears only when work takes longer than a second."""

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["track"]

PATIENCE_SECONDS = 1.0

Item = TypeVar("Item")


def track(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Yield the items; from the first second on show a bar on the terminal of standard error, if there is one.

    Examples
    --------
    >>> [k * k for k in track([1, 2, 3], "squares")]
    [1, 4, 9]
    """
    started = time.monotonic()
    progress: Progress | None = None
    task = None
    try:
        for done, item in enumerate(items):
            if progress is None and time.monotonic() - started > PATIENCE_SECONDS:
                console = Console(stderr=True)
                progress = Progress(
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                    console=console,
                    transient=True,
                    disable=not console.is_terminal,
                )
                progress.start()
                task = progress.add_task(description, total=len(items))
            if progress is not None and task is not None:
                progress.update(task, completed=done)
            yield item
    finally:
        if progress is not None:
            progress.stop()
