"""Compile kernels ahead: all that are not on disk yet, in several processes at once."""

import os
import selectors
import subprocess
import sys
from contextlib import ExitStack, suppress
from itertools import count
from tempfile import TemporaryFile

from causal_theory.errors import OutputError
from causal_theory.progress import ProgressBar
from causal_theory.validation import check_integer

__all__ = ["warm_up"]

MOST_PROCESSES = 5
"""The kernel that takes longest takes a fifth of the time of all."""

POLL_SECONDS = 0.25


def warm_up(*, processes: int | None = None, progress: bool = True) -> int:
    """Compile every kernel that is not on disk yet, so that no later process has to.

    Works in processes of its own, which import nothing of the program that calls it: a script needs no
    ``if __name__ == "__main__":`` for it. Where it is interrupted, what has been compiled is kept.

    Parameters
    ----------
    processes : int, optional
        How many at once; as many as processors that can be used, and at most five.
    progress : bool
        Whether to show a bar, where standard error is a terminal.

    Returns
    -------
    int
        How many kernels were missing and are on disk now.

    Raises
    ------
    OutputError
        If they cannot be kept on disk, or a process that compiles ends early.

    Examples
    --------
    >>> from causal_theory import warm_up
    >>> warm_up() >= 0, warm_up()
    (True, 0)
    """
    from causal_theory.kernels.inventory import missing_kernels, why_not_kept
    from causal_theory.sweeps.executors import usable_processors

    wanted = usable_processors() if processes is None else check_integer("processes", processes, 1)
    missing = missing_kernels()
    if not missing:
        return 0
    if (reason := why_not_kept()) is not None:
        raise OutputError(
            f"compiled kernels must be kept on disk, got: {reason}; set NUMBA_CACHE_DIR to a folder that can be written"
        )
    try:
        with ProgressBar("compiling, once", len(missing), wanted=progress) as bar, _Team() as team:
            for _ in range(min(wanted, MOST_PROCESSES, len(missing))):
                team.start()
            while team.work(POLL_SECONDS):
                bar.update(len(missing) - len(missing_kernels()))
    except OSError as error:
        raise OutputError(f"processes that compile must be able to start, got: {error}") from error
    return len(missing) - len(missing_kernels())


class _Team:
    """Processes that solve the problems of `causal_theory.warming.problems`, each the next one when it is ready."""

    def __init__(self) -> None:
        self._numbers = count()
        self._stack = ExitStack()

    def __enter__(self) -> "_Team":
        self._said = self._stack.enter_context(TemporaryFile())
        self._ready = self._stack.enter_context(selectors.DefaultSelector())
        return self

    def __exit__(self, *_: object) -> None:
        """End them; after an error or Ctrl-C in the middle of their work."""
        self._stack.close()

    def start(self) -> None:
        """Start a process that finds the package where this one does."""
        # No line of it draws, and it says for itself that code cannot be kept.
        from causal_theory.kernels.cache import SAID

        environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "TTY_COMPATIBLE": "0", SAID: ""}
        program = f"import sys; sys.path[:] = {sys.path!r}; from causal_theory.warming.worker import work; work()"
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,  # nothing is left to be written when a process has died
            env=environment,
            process_group=0,  # Ctrl-C reaches this process only, which ends the others
        )
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        assert process.stdout is not None
        self._ready.register(process.stdout, selectors.EVENT_READ, process)

    def work(self, seconds: float) -> bool:
        """Hand out work for some time; returns whether any is left.

        Raises
        ------
        OutputError
            If a process says so, or ends.
        """
        for key, _ in self._ready.select(seconds):
            answer = key.data.stdout.readline().decode(errors="replace").strip()
            if answer == "ready":
                with suppress(BrokenPipeError):  # it has died, and is noticed at the end of what it says
                    key.data.stdin.write(b"%d\n" % next(self._numbers))
            elif answer == "nothing left":
                self._ready.unregister(key.fileobj)
            else:
                raise OutputError(answer or self._death(key.data))
        return bool(self._ready.get_map())

    def _death(self, process: "subprocess.Popen[bytes]") -> str:
        status = process.wait()
        self._said.seek(0)
        last = self._said.read().decode(errors="replace").strip().rpartition("\n")[2]
        return f"a process that compiles must not end early, got exit status {status}{last and f': {last}'}"
