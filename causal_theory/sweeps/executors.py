"""Executors of units: this process, or processes of this machine that may die without harm."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any

from causal_theory.errors import InvalidArgumentError
from causal_theory.validation import check_integer

Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class WorkerDiedError(Exception):
    """The process that was to return a result is gone."""


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialExecutor:
    """Calls a function at once, in this process.

    Examples
    --------
    >>> SerialExecutor().submit(max, 1, 2).result()
    2
    """

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Call a function and return its result as a future; only an interrupt ends it early.

        Parameters
        ----------
        function : callable
            What to call.
        *arguments : object
            With what.

        Returns
        -------
        concurrent.futures.Future
            Done: it holds the result or the error.
        """
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class ProcessPool:
    """Processes of this machine, each of which is replaced when it dies.

    Unlike :class:`concurrent.futures.ProcessPoolExecutor`, it tells which call the death of a process belongs to, and
    goes on with the others. The processes are new interpreters, not copies of this one, whose threads they would lack.
    They end when this process does, however it ends.

    Parameters
    ----------
    processes : int
        How many.

    Raises
    ------
    InvalidArgumentError
        If they cannot be started.

    Examples
    --------
    >>> with ProcessPool(1) as pool:
    ...     pool.submit(max, 1, 2).result()
    2
    """

    def __init__(self, processes: int) -> None:
        self.processes = check_integer("processes", processes, 1)
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        workers = [_Worker() for _ in range(self.processes)]
        self._workers = workers
        try:
            # A script that starts a sweep whenever it is imported ends here, and not in an endless series of deaths.
            for worker in workers:
                worker.call(_nothing, ())
        except BaseException as error:
            self._kill()
            if not isinstance(error, WorkerDiedError):
                raise
            raise InvalidArgumentError(
                f"processes must be able to start, got {processes} that ended at once; a script must start its sweep "
                'under `if __name__ == "__main__":`, and processes=0 needs none'
            ) from error
        self._threads = [threading.Thread(target=self._serve, args=(worker,), daemon=True) for worker in workers]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "ProcessPool":
        """Use it in a ``with`` statement, which ends the processes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes; calls that have not returned are given up."""
        self._stopped.set()
        for _ in self._threads:
            self._tasks.put(None)
        self._kill()
        for thread in self._threads:
            thread.join()

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Call a function in the next free process; the future fails with WorkerDiedError when that process dies."""
        future: Future[Any] = Future()
        self._tasks.put((future, function, arguments))
        return future

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def _serve(self, worker: "_Worker") -> None:
        """Pass calls to one process, and start another one after its death."""
        while (task := self._tasks.get()) is not None:
            future, function, arguments = task
            if self._stopped.is_set() or not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(worker.call(function, arguments))
            except WorkerDiedError as error:
                # Where no process can be started now the next call fails as this one did, and it is tried again.
                with suppress(OSError):
                    worker.start()
                future.set_exception(error)
            except Exception as error:
                future.set_exception(error)


class _Worker:
    """One process at the other end of a pipe."""

    _process: SpawnProcess
    _pipe: Connection

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._dismissed = False
        self.start()

    def start(self) -> None:
        """Start a process in the place of one that died."""
        with self._starting:
            if self._dismissed:
                return
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs,), daemon=True)
            self._process.start()
            # Theirs alone is open now: when the process dies, reading from ours fails instead of waiting for ever.
            theirs.close()

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return what the function returns over there, or raise what it raises."""
        try:
            self._pipe.send((function, arguments))
            returned, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            self._pipe.close()
            raise WorkerDiedError(f"exit status {self._process.exitcode}") from error
        if returned:
            return value
        raise value

    def kill(self) -> None:
        """End the process for good."""
        with self._starting:
            self._dismissed = True
            self._process.kill()
            self._process.join()


def _work(pipe: Connection) -> None:
    """Answer calls until there is nobody to ask."""
    # Ctrl-C reaches every process of a terminal; the one that asks decides what becomes of the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        except Exception as error:  # the function is not to be found here
            pipe.send((False, error))
            continue
        try:
            answer = True, function(*arguments)
        except Exception as error:
            answer = False, error
        pipe.send(answer)


def _die_with_parent() -> None:
    """End this process, whatever it is computing, when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _nothing() -> None:
    """Show that calls are answered."""
