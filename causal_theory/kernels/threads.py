"""Share the work of a kernel out among threads.

A kernel that can be shared takes ``(start, stop, ...)``: the units of work that it is to do, each of them independent
of all others, so that no number depends on who does which. It releases the interpreter lock, hence threads of Python
are enough. The calling thread works too, and never waits for a thread that has not begun: calls from several threads
cannot wait for each other. A forked process starts threads of its own when it needs them.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from queue import SimpleQueue

from causal_theory.at_import import PROCESSORS

SMALLEST_SHARES = 8
"""So many of the smallest shares for each thread would be all the work: for no longer do the others wait at the end."""

_local = threading.local()


def get_num_threads() -> int:
    """Return how many threads a kernel called from this thread may use.

    All processors that this process may use, or ``NUMBA_NUM_THREADS``, unless `thread_limit` says otherwise.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    threads: int | None = getattr(_local, "threads", None)
    return _most_threads() if threads is None else threads


def _most_threads() -> int:
    with suppress(KeyError, ValueError):
        return max(1, int(os.environ["NUMBA_NUM_THREADS"]))
    return len(PROCESSORS) or os.cpu_count() or 1


@contextmanager
def thread_limit(threads: int | None) -> Iterator[None]:
    """Let the calling thread use at most so many threads for a kernel, and what it used before afterwards.

    ``None`` changes nothing. No number that a kernel returns depends on it.

    Examples
    --------
    >>> with thread_limit(1):
    ...     get_num_threads()
    1
    """
    before = getattr(_local, "threads", None)
    # More than there are processors gains nothing.
    _local.threads = before if threads is None else min(threads, _most_threads())
    try:
        yield
    finally:
        _local.threads = before


def run_shared(kernel: Callable[..., object], count: int, *arguments: object, least: int = 1) -> None:
    """Call ``kernel(start, stop, *arguments)`` for ranges that cover ``range(count)`` once, on all threads.

    Fewer than ``least`` units are not worth a range of their own. Returns when all is done. What a call raises is
    raised here, when nothing is under way any more.
    """
    threads = min(get_num_threads(), count // least)
    if threads < 2:
        kernel(0, count, *arguments)
        return
    work = _Work(kernel, arguments, deque(pairwise(_ends(count, threads, least))))
    _helpers.call(work.help, threads - 1)
    work.run()


def _ends(count: int, threads: int, least: int) -> list[int]:
    """Return where shares end: large ones first, as each costs a call, then small ones, which end at the same time.

    A thread that another process holds up leaves what follows to the others.
    """
    smallest = max(least, -(-count // (SMALLEST_SHARES * threads)))
    ends = [0]
    while count - ends[-1] >= smallest + least:
        ends.append(ends[-1] + max(smallest, (count - ends[-1]) // (2 * threads)))
    return [*ends, count]


class _Work:
    """The ranges of one call, which the calling thread and its helpers take one after the other."""

    def __init__(self, kernel: Callable[..., object], arguments: tuple[object, ...], ranges: deque[tuple[int, int]]):
        self._kernel = kernel
        self._arguments = arguments
        self._ranges = ranges
        self._lock = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()
        self._helpers = 0
        self._closed = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """Work, in the calling thread, until all is done."""
        try:
            self._take_ranges()
        finally:
            self._ranges.clear()  # after an error or Ctrl-C nobody begins another one
            with self._lock:
                self._closed = True
                waiting = self._helpers > 0
            if waiting:
                self._done.acquire()
            # A helper that is busy elsewhere comes to this call later: it must not keep the arrays until then.
            self._arguments = ()
        if self._error is not None:
            raise self._error

    def help(self) -> None:
        """Work, in another thread, as long as there is something left."""
        with self._lock:
            if self._closed:
                return
            self._helpers += 1
        try:
            self._take_ranges()
        except BaseException as error:
            self._error = error
            self._ranges.clear()
        with self._lock:
            self._helpers -= 1
            if self._closed and self._helpers == 0:
                self._done.release()

    def _take_ranges(self) -> None:
        while True:
            try:
                start, stop = self._ranges.popleft()
            except IndexError:
                return
            self._kernel(start, stop, *self._arguments)


class _Helpers:
    """Threads that wait for work; as many as were ever wanted at once by one call."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin without threads, as a new process does."""
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0

    def call(self, function: Callable[[], None], times: int) -> None:
        """Let so many threads call a function."""
        while self._threads < times:
            with self._lock:
                if self._threads < times:
                    threading.Thread(target=_serve, args=(self._calls,), name="kernel", daemon=True).start()
                    self._threads += 1
        for _ in range(times):
            self._calls.put(function)


def leave_first_processor() -> None:
    """Let a new thread run anywhere: it inherits what ``OMP_PROC_BIND`` has bound the thread to that starts it."""
    if PROCESSORS and os.environ.get("OMP_PROC_BIND", "false").lower() != "false":
        with suppress(OSError):
            os.sched_setaffinity(0, PROCESSORS)


def _serve(calls: "SimpleQueue[Callable[[], None]]") -> None:
    leave_first_processor()
    while True:
        calls.get()()


_helpers = _Helpers()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.begin)
