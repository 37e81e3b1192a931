"""Executors that others made: results that never come or are of another kind, calls that cannot be withdrawn.

Whatever of theirs could wait for ever is waited for in a thread that nobody has to join. So Ctrl-C and errors come
through, and the end of the interpreter does.
"""

import queue
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, Protocol

import numpy as np

from causal_theory.dask_calls import dask_calls
from causal_theory.errors import InvalidArgumentError

WORKER_TIMEOUT = 60.0
"""Seconds that a cluster may be without workers: they are started anew within some."""
POLL_SECONDS = 0.2
ASK_SECONDS = 1.0
"""Between two questions how many workers there are."""
CANCEL_SECONDS = 2.0
"""For others to withdraw their calls: most do so at once, and an error or Ctrl-C waits for the rest no longer."""


class Submitter(Protocol):
    """The one method of :class:`concurrent.futures.Executor` that is needed here: it starts a call."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Call a function somewhere, and return the future result."""
        ...


def check_executor(executor: object) -> None:
    """Refuse what cannot be an executor."""
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise InvalidArgumentError(f"executor must have a method submit, got {executor!r}")


def wrong_result(wanted: str, got: object) -> InvalidArgumentError:
    """Return the error that says what an executor returned in the place of a result."""
    return InvalidArgumentError(
        f"executor must return {wanted} as the function does that it is given, got {_kind(got)}; of ipyparallel "
        "use client.executor(), since client[:].executor collects the results of all engines in a list"
    )


class Caller:
    """Calls functions on an executor, and waits for their results.

    Parameters
    ----------
    executor : Submitter
        Somebody's.
    worker_timeout : float
        Seconds after which a cluster without workers is given up. Only Dask says how many it has.
    pulse : callable, optional
        Is called several times a second while there is nothing to do but wait; it may raise.
    most_deaths : int, optional
        After so many dead workers a call to Dask fails with WorkersDiedError; by default when Dask says so.
    """

    def __init__(
        self,
        executor: Submitter,
        worker_timeout: float = WORKER_TIMEOUT,
        pulse: Callable[[], None] | None = None,
        most_deaths: int | None = None,
    ) -> None:
        self._dask = dask_calls(executor, most_deaths)
        self._executor: Submitter = executor if self._dask is None else self._dask
        self._worker_timeout, self._pulse = worker_timeout, pulse
        self._question: queue.SimpleQueue[tuple[bool, Any]] | None = None
        self._asked = 0.0
        self._missing_since: float | None = None

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Call a function; what the executor raises comes through.

        Raises
        ------
        InvalidArgumentError
            If the executor returns no future.
        """
        future = self._executor.submit(function, *arguments)
        if not callable(getattr(future, "result", None)):
            raise InvalidArgumentError(f"executor must return futures from submit, got {_kind(future)}")
        return future

    def when_done(self, future: Future[Any], tell: Callable[[], None]) -> None:
        """Have ``tell`` called once the future is done, from some thread."""
        if callable(getattr(future, "add_done_callback", None)):
            future.add_done_callback(lambda *_: tell())
            return

        def watch() -> None:
            with suppress(BaseException):
                future.result()
            tell()

        Thread(target=watch, daemon=True).start()

    def result(self, future: Future[Any]) -> Any:
        """Wait for a future, and return its result or raise its error."""
        result = self._plain_result(future) if _is_plain(future) else self._foreign_result(future)
        self.has_answered()
        return result

    def _plain_result(self, future: Future[Any]) -> Any:
        """Wait for a future that is known to heed the time."""
        while True:
            try:
                return future.result(POLL_SECONDS)
            except TimeoutError:
                if future.done():  # it is the error of the call, or there is a result since
                    return future.result()
            self.check()

    def _foreign_result(self, future: Future[Any]) -> Any:
        answer = _aside(future.result)
        while True:
            with suppress(queue.Empty):
                returned, result = answer.get(timeout=POLL_SECONDS)
                break
            self.check()
        if returned:
            return result
        try:
            raise result
        finally:
            del result  # it refers to this frame

    def cancel(self, futures: Iterable[Future[Any]]) -> None:
        """Withdraw calls; one that cannot be is left alone, and no error of theirs replaces the one that led here."""

        def withdraw() -> None:
            for future in unwanted:
                with suppress(BaseException):
                    future.cancel()

        unwanted = [future for future in futures if not (_is_plain(future) and future.done())]
        # Neither an answer in time, nor a thread while the interpreter ends.
        with suppress(queue.Empty, RuntimeError):
            if unwanted:
                _aside(withdraw).get(timeout=CANCEL_SECONDS)

    def has_answered(self) -> None:
        """Note that a result has come: there are workers."""
        self._question = self._missing_since = None

    def check(self) -> None:
        """Find out, without waiting, whether it makes sense to wait.

        Raises
        ------
        InvalidArgumentError
            If a cluster has had no workers for too long, or its client was closed.
        """
        if self._pulse is not None:
            self._pulse()
        if self._dask is None:
            return
        self._dask.check_open()
        now = time.monotonic()
        if self._question is None:
            if now - self._asked > ASK_SECONDS:
                self._asked, self._question = now, _aside(self._dask.workers)
        else:
            with suppress(queue.Empty):
                answered, workers = self._question.get_nowait()
                self._question = None
                if answered and workers:
                    self._missing_since = None
                elif self._missing_since is None:
                    self._missing_since = self._asked
        # A scheduler that does not answer has no workers either.
        since = self._asked if self._missing_since is None and self._question else self._missing_since
        if since is not None and now - since > self._worker_timeout:
            raise InvalidArgumentError(
                f"executor must have workers, got a Dask cluster without any for {self._worker_timeout:g} s, the "
                "worker_timeout"
            )


def _is_plain(future: Future[Any]) -> bool:
    """Return whether a future waits as those of the standard library do."""
    return getattr(future.result, "__func__", None) is Future.result


def _aside(function: Callable[[], Any]) -> "queue.SimpleQueue[tuple[bool, Any]]":
    """Call a function in a thread of its own: the queue will hold whether it returned, and what or its error."""
    answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def call() -> None:
        try:
            answer.put((True, function()))
        except BaseException as error:
            answer.put((False, error))

    Thread(target=call, daemon=True).start()
    return answer


def _kind(got: object) -> str:
    """Return the type of an object, and of a few that it holds."""
    if isinstance(got, np.ndarray):
        return f"an array of shape {got.shape} and type {got.dtype}"
    if isinstance(got, list | tuple):
        held = [_kind(one) if isinstance(one, np.ndarray) else type(one).__name__ for one in got[:2]]
        return f"a {type(got).__name__} of {len(got)}" + (f" ({', '.join(held)})" if held else "")
    return "None" if got is None else f"an object of type {type(got).__name__}"
