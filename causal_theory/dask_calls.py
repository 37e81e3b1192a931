"""Calls on the workers of a Dask client, every one of which ends; Dask is never imported here, only recognised."""

import asyncio
import sys
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

from causal_theory.errors import InvalidArgumentError

__all__ = ["DaskCalls", "dask_calls"]


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
    """

    def __init__(self, client: Any, executor: Any = None) -> None:
        self._client, self._executor = client, executor
        self._options = ({} if executor is None else executor._kwargs) | {"pure": False}

    def submit(self, function: Any, /, *arguments: Any) -> Future[Any]:
        """Call a function on some worker."""
        self.check_open()
        if self._executor is not None and self._executor._shutdown:
            raise RuntimeError("executor of a Dask client was shut down")
        call = self._client.submit(function, *arguments, **self._options)
        answer: Future[Any] = Future()
        answer.add_done_callback(partial(self._withdraw, call))
        self._client.loop.add_callback(_pass_on, call, answer)
        return answer

    def workers(self) -> int:
        """Ask the scheduler how many workers there are.

        A cluster object of this process that has lost them all is told once more how many it should have: it removes a
        worker for good that is being restarted just when it looks, 15 seconds after a death (distributed 2026.8).
        """
        count = len(self._client.nthreads())
        cluster = self._client.cluster
        wanted = getattr(cluster, "worker_spec", None)
        if not count and wanted:
            cluster.scale(len(wanted))
        return count

    def check_open(self) -> None:
        """Refuse a client that was closed, whose calls never end, or that belongs to code which must not wait here."""
        if self._client.status in ("closing", "closed"):
            raise InvalidArgumentError("executor must belong to a Dask client that is open, got one that is closed")
        if self._client.asynchronous:
            raise InvalidArgumentError(
                "executor must belong to a Dask client that is not asynchronous, got one that is"
            )

    def _withdraw(self, call: Any, answer: Future[Any]) -> None:
        if answer.cancelled():
            with suppress(RuntimeError):  # the loop is closed, and with it the client
                self._client.loop.add_callback(call.cancel)


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


def dask_calls(executor: object) -> DaskCalls | None:
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
        calls = DaskCalls(executor)
    elif isinstance(executor, sys.modules["distributed.cfexecutor"].ClientExecutor):
        calls = DaskCalls(executor._client, executor)
    else:
        return None
    calls.check_open()
    return calls
