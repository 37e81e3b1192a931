"""Hold back Ctrl-C and SIGTERM until a step is finished."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from typing_extensions import override


class Terminated(SystemExit):
    """SIGTERM, as batch systems send it before they kill; the exit status is 143, as shells have it.

    Parameters
    ----------
    message : str
        What is kept of the work.
    """

    def __init__(self, message: str = "terminated") -> None:
        super().__init__(128 + signal.SIGTERM)
        self.message = message

    @override
    def __str__(self) -> str:
        return self.message


class DeferredInterrupt:
    """Holds back the first Ctrl-C or SIGTERM; a second one interrupts at once.

    Compiled code turns an interrupt into another error, and a step that is cut in two leaves a state that belongs to no
    step. Outside the main thread, and where a signal is ignored or handled by somebody else, nothing is changed. A
    SIGTERM that nobody asked for until the end ends the program there.

    Examples
    --------
    >>> with DeferredInterrupt() as interrupt:
    ...     interrupt.pending
    False
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._holds = True
        self._before: dict[int, Any] = {}

    @property
    def pending(self) -> bool:
        """Whether a signal was held back."""
        return self._received is not None

    def __enter__(self) -> "DeferredInterrupt":
        """Take over the handlers that Python and the system provide."""
        if threading.current_thread() is threading.main_thread():
            for number, provided in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) is provided:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back."""
        for number, before in self._before.items():
            if signal.getsignal(number) == self._note:  # nobody has taken over meanwhile
                signal.signal(number, before)
        if error is None and self._received == signal.SIGTERM:
            self.interrupt()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Hold nothing back where the code of somebody else runs, which may wait for ever."""
        self._holds = False
        try:
            if self.pending:
                self.interrupt()
            yield
        finally:
            self._holds = True

    def interrupt(self) -> None:
        """Raise what the signal that was held back stands for.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C.
        Terminated
            After SIGTERM.
        """
        if self._received == signal.SIGTERM:
            raise Terminated
        raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        second, self._received = self.pending, number
        if second or not self._holds:
            self.interrupt()
