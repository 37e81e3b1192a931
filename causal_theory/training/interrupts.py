"""Ctrl-C between two steps, not within one."""

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["DeferredInterrupt"]


class DeferredInterrupt:
    """Holds back the first Ctrl-C; a second one interrupts at once.

    Compiled code turns an interrupt into another error, and a step that is cut in two leaves a state that belongs to no
    step. Outside the main thread, and where interrupts are ignored or handled by somebody else, nothing is changed.

    Examples
    --------
    >>> with DeferredInterrupt() as interrupt:
    ...     interrupt.pending
    False
    """

    def __init__(self) -> None:
        self.pending = False
        self._installed = False

    def __enter__(self) -> "DeferredInterrupt":
        """Take over Python's own handler."""
        own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if own and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._note)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pending:
            raise KeyboardInterrupt
        self.pending = True
