"""Let kernels with threads of their own run one at a time where they must, and refuse forked processes that cannot.

numba runs them on OpenMP, TBB or, where it has neither, on a work queue of its own. That queue serves one caller at a
time and ends the interpreter when a second one comes, so there kernels called from several Python threads take turns.

A forked process has the memory of its parent, but not its threads. The work queue starts again there, and so does TBB
if it was idle and the thread that had started it does the fork; GNU OpenMP does not, and ends the process without an
exception, for which a pool waits for ever. Such a process gets an exception instead.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from numba import get_num_threads, threading_layer

from causal_theory.errors import ForkedProcessError

try:
    from numba.core.compiler_lock import global_compiler_lock as _compiling
except ImportError:  # a later numba
    _compiling = threading.RLock()

__all__ = ["launched_layer", "taking_turns"]


class _Process:
    """The state of this process: which of its threads runs kernels, and whether it was forked."""

    def __init__(self):
        self.fork_survives = True
        """Whether the fork that is under way leaves the new process able to use threads."""
        self.begin(orphaned=False)

    def begin(self, orphaned: bool) -> None:
        """Begin anew; ``orphaned`` says that the threads were left behind in the process this one was forked from."""
        self.orphaned = orphaned
        self.free = False  # whether kernels may run unasked
        self.turn = threading.RLock()
        self.count = threading.Lock()
        self.running = 0  # kernels under way, where that is counted
        self.launcher = threading.main_thread().ident  # the thread that has started the threads of kernels


_process = _Process()


def launched_layer() -> str | None:
    """Name numba's threading layer: ``omp``, ``tbb`` or ``workqueue``; nothing before it was launched."""
    try:
        return threading_layer()
    except ValueError:
        return None


def taking_turns(kernel: Callable) -> Callable:
    """Let a kernel with threads of its own run only when and where it can."""

    @wraps(kernel.py_func)
    def run(*arguments):
        if _process.free:
            return kernel(*arguments)
        with _admitted():
            return kernel(*arguments)

    run.dispatcher = kernel
    run.py_func = kernel.py_func
    return run


@contextmanager
def _admitted() -> Iterator[None]:
    if _process.orphaned:
        raise ForkedProcessError(
            "a kernel that uses threads cannot run in a process forked from one that had started those threads: "
            'start processes with "spawn" or "forkserver", as with multiprocessing.get_context("spawn")'
        )
    layer = launched_layer()
    if layer is None:
        get_num_threads()  # launches it
        _process.launcher = threading.get_ident()
        layer = launched_layer()
    if layer == "workqueue":
        with _process.turn:
            yield
    elif layer == "tbb":
        with _process.count:
            _process.running += 1
        try:
            yield
        finally:
            with _process.count:
                _process.running -= 1
    else:
        _process.free = True
        yield


def _survives_fork() -> bool:
    """Whether a process forked by this thread, now, can run kernels with threads."""
    layer = launched_layer()
    if layer == "tbb":
        return _process.running == 0 and _process.launcher == threading.get_ident()
    if layer == "omp":
        return getattr(sys.modules.get("numba.np.ufunc.omppool"), "openmp_vendor", "GNU") != "GNU"
    return True


def _before_fork() -> None:
    """Wait for a kernel that another thread compiles: its lock would stay locked in the new process."""
    _compiling.acquire()
    _process.fork_survives = _survives_fork()


def _after_fork_in_child() -> None:
    _process.begin(orphaned=_process.orphaned or not _process.fork_survives)
    _compiling.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_compiling.release, after_in_child=_after_fork_in_child)
