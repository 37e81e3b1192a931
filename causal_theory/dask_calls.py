"""Call functions on the workers of a Dask client so that every call ends; Dask is recognised, never imported."""

import asyncio
import sys
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

from causal_theory.errors import InvalidArgumentError

PATIENT_LOOKS = 5
"""Looks in a row without a worker after which a local cluster is told to start them: restarts take a few seconds."""


class WorkersDiedError(Exception):
    """So many workers died while they had this call that somebody is to find out whether it killed them."""


class DaskCalls:
    """An executor in the place of the one that a client hands out.

    That one has two traps. It takes equal calls of all its users for one call, and gives them the same arrays. And it
    never tells of a call whose result was on a worker that died before it was fetched, when Dask then gives the call up
    (distributed 2026.8).

    Parameters
    ----------
    client : distributed.Client
        Whose workers.
    executor : distributed.cfexecutor.ClientExecutor, optional
        The one in whose place this is: it says which workers to use, and whether it was shut down.
    most_deaths : int, optional
        After so many dead workers a call is given up, where Dask would lose some more to it.
    """

    def __init__(self, client: Any, executor: Any = None, most_deaths: int | None = None) -> None:
        self._client, self._executor, self._most_deaths = client, executor, most_deaths
        self._answers: dict[Any, Future[Any]] = {}
        self._looks_in_vain = 0
        self._options = ({} if executor is None else executor._kwargs) | {"pure": False}

    def submit(self, function: Any, /, *arguments: Any) -> Future[Any]:
        """Call a function on some worker."""
        self.check_open()
        if self._executor is not None and self._executor._shutdown:
            raise RuntimeError("executor of a Dask client was shut down")
        call = self._client.submit(function, *arguments, **self._options)
        answer: Future[Any] = Future()
        self._answers[call.key] = answer
        answer.add_done_callback(partial(self._finish, call))
        self._client.loop.add_callback(_pass_on, call, answer)
        return answer

    def workers(self) -> int:
        """Ask the scheduler how many workers there are, and which of the calls they die of.

        A cluster object of this process that has lost them all is told once more how many it should have: it removes a
        worker for good that is being restarted just when it looks, 15 seconds after a death (distributed 2026.8).
        """
        answers = dict(self._answers) if self._most_deaths else {}
        count: int
        try:
            count, deaths = self._client.run_on_scheduler(_scheduler_view(), list(answers))
        except Exception:  # schedulers may be told not to run what clients send
            count, deaths = len(self._client.nthreads()), {}
        for key, number in deaths.items():
            if self._most_deaths and number >= self._most_deaths:
                with suppress(InvalidStateError):
                    answers[key].set_exception(WorkersDiedError(f"{number} workers died"))
        self._looks_in_vain = 0 if count else self._looks_in_vain + 1
        wanted = getattr(self._client.cluster, "worker_spec", None)
        if self._looks_in_vain >= PATIENT_LOOKS and wanted:
            self._looks_in_vain = 0
            self._client.cluster.scale(len(wanted))
        return count

    def check_open(self) -> None:
        """Refuse a client that was closed, whose calls never end, or that belongs to code which must not wait here."""
        if self._client.status in ("closing", "closed"):
            raise InvalidArgumentError("executor must belong to a Dask client that is open, got one that is closed")
        if self._client.asynchronous:
            raise InvalidArgumentError(
                "executor must belong to a Dask client that is not asynchronous, got one that is"
            )

    def _finish(self, call: Any, answer: Future[Any]) -> None:
        self._answers.pop(call.key, None)
        if answer.cancelled() or isinstance(answer.exception(), WorkersDiedError):
            with suppress(RuntimeError):  # the loop is closed, and with it the client
                self._client.loop.add_callback(call.cancel)


def _scheduler_view() -> Any:
    """Return the function that a scheduler calls, in a form for which it need not have this package."""

    def view(keys: list[Any], dask_scheduler: Any = None) -> tuple[int, dict[Any, int]]:
        known = dask_scheduler.tasks
        return len(dask_scheduler.workers), {key: known[key].suspicious for key in keys if key in known}

    return view


async def _pass_on(call: Any, answer: Future[Any]) -> None:
    """Wait for a call, in the thread of the client, and hand on its result or its error."""
    with suppress(InvalidStateError):  # cancelled in the meantime
        try:
            answer.set_result(await call)
        except asyncio.CancelledError as error:
            # That of asyncio is no Exception, and would pass by those who expect errors of a call.
            answer.set_exception(CancelledError(str(error)))
        except InvalidStateError:
            raise
        except BaseException as error:
            answer.set_exception(error)


def dask_calls(executor: object, most_deaths: int | None = None) -> DaskCalls | None:
    """Return the calls of a Dask client or of its executor, None for any other executor.

    Raises
    ------
    InvalidArgumentError
        If the client is closed or asynchronous.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    if isinstance(executor, distributed.Client):
        calls = DaskCalls(executor, None, most_deaths)
    elif isinstance(executor, sys.modules["distributed.cfexecutor"].ClientExecutor):
        calls = DaskCalls(executor._client, executor, most_deaths)
    else:
        return None
    calls.check_open()
    return calls
