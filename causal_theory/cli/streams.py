"""Standard output that cannot be written: a full disk is one line, a reader that has gone is silence."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from causal_theory.errors import OutputError

READER_GONE = 128 + getattr(signal, "SIGPIPE", 13)
"""Exit status when a pipe was closed: that of programs which the signal ends."""


class _Guarded:
    """A text stream whose failures are told by exceptions that no library takes for its own.

    typer and rich end the program with status 1 when a pipe is closed, which is the status of a counterexample; and
    what is left in a buffer fails after the last line of the program.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._failure: OSError | None = None

    def write(self, text: str) -> int:
        return int(self._watch(lambda: self._stream.write(text)))

    def flush(self) -> None:
        self._watch(self._stream.flush)

    def _watch(self, action: Callable[[], Any]) -> Any:
        """Fail at the first error, and ever after: a library may have caught it."""
        if self._failure is None:
            try:
                return action()
            except OSError as error:
                self._failure = error
                self._forget()
        if isinstance(self._failure, BrokenPipeError):
            raise SystemExit(READER_GONE) from self._failure
        reason = self._failure.strerror or self._failure
        raise OutputError(f"standard output must be open for writing, got: {reason}") from self._failure

    def _forget(self) -> None:
        # What the buffer still holds would be tried again when the interpreter ends.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != self._stream.fileno():  # as it is where this was closed
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Write what was printed before the program ends, and tell what cannot be written.

    Raises
    ------
    OutputError
        If standard output cannot be written.
    SystemExit
        If nobody reads it any more.
    """
    stream = sys.stdout
    if stream is None:  # closed before the program began: there is nobody to tell
        yield
        return
    # File names may hold bytes that are no text, and terminals may lack characters: both are shown as escapes.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    guarded = _Guarded(stream)
    sys.stdout = guarded
    try:
        yield
    finally:
        try:
            guarded.flush()
        finally:
            sys.stdout = stream
