"""The loop of a sweep: hand units out in small parcels, collect their results, and store them."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from causal_theory.dask_calls import WorkersDiedError
from causal_theory.errors import InvalidArgumentError, StoreError
from causal_theory.foreign import WORKER_TIMEOUT, Caller, Submitter, wrong_result
from causal_theory.progress import ProgressBar
from causal_theory.provenance import CodeVersion
from causal_theory.sweeps.apart import death, evaluate_apart
from causal_theory.sweeps.evaluation import Parcel, Report, evaluate
from causal_theory.sweeps.executors import ProcessPool, SerialExecutor, WorkerDiedError
from causal_theory.sweeps.store_writer import WritableStore
from causal_theory.sweeps.study import Study
from causal_theory.sweeps.unit import Unit
from causal_theory.training.interrupts import DeferredInterrupt

PARCEL_SECONDS = 0.25
"""Work in a parcel: much more than it takes to send, and little to lose when a process dies."""
MOST_PARCEL_SECONDS = 1.0
"""When a parcel takes longer than expected, its rest comes back."""
MOST_IN_PARCEL = 100
COMMIT_SECONDS = 0.8
POLL_SECONDS = 0.2
FIRST_IN_FLIGHT = 16
WINDOW = 1024
"""Parcels given to an executor of unknown size: few until it is known how long a unit takes, then plenty for all."""
TRIES = 3
"""A unit whose process died is tried again by itself, then with nothing else running, then it is a failure. On another
executor than our own both further tries have nothing else running: its workers may have several threads, and one that
dies takes innocent units along."""

MOST_DEATHS = 2
"""Workers that Dask may lose to a call before its units are suspects: one may be lost for reasons of its own."""

DEATHS = {("distributed", "KilledWorker"), ("parsl", "WorkerLost"), ("parsl", "ManagerLost")}
"""How executors say it, by package and name of the error: none of them need be installed."""


class Driver:
    """Evaluates units on an executor and stores what they return.

    Parameters
    ----------
    study : Study
        What to evaluate.
    versions : mapping of tuple to CodeVersion
        The code of this process by the modules that a unit names; workers that run other code are refused.
    store : WritableStore
        Where results go.
    bar : ProgressBar
        What shows how far it is.
    """

    def __init__(
        self,
        study: Study,
        versions: Mapping[tuple[str, ...], CodeVersion],
        store: WritableStore,
        bar: ProgressBar,
    ) -> None:
        self.done = 0
        self.failed = 0
        self._study, self._versions, self._store, self._bar = study, versions, store, bar
        self._size = 1
        self._waiting: deque[Unit] = deque()
        self._suspects: deque[Unit] = deque()
        self._deaths: dict[str, int] = {}
        self._flying: dict[str, tuple[Future[Any], Parcel]] = {}
        self._alone = ""
        self._arrived: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._unsaved: list[tuple[Report, dict[str, Unit]]] = []
        self._oldest = 0.0

    def run(
        self,
        units: Iterable[Unit],
        executor: Submitter,
        threads: int | None,
        window: int = WINDOW,
        worker_timeout: float = WORKER_TIMEOUT,
    ) -> None:
        """Evaluate the units.

        Parameters
        ----------
        units : iterable of Unit
            What to evaluate.
        executor : Submitter
            What calls functions.
        threads : int or None
            Most threads of a kernel.
        window : int
            Most parcels that the executor is given before results come back.
        worker_timeout : float
            Seconds after which a cluster without workers is given up.

        Raises
        ------
        StoreError
            If results cannot be written.
        InvalidArgumentError
            If the executor cannot evaluate the study, breaks, or has no workers.
        KeyboardInterrupt
            After Ctrl-C. As after every error but the first, what has come back is stored.
        Terminated
            After SIGTERM.
        """
        self._waiting.extend(units)
        self._threads = threads
        self._serial = isinstance(executor, SerialExecutor)
        self._most = 1 if self._serial else window
        self._own = isinstance(executor, ProcessPool)
        if isinstance(executor, ProcessPool):
            self._most = 2 * executor.processes
        self._window = min(FIRST_IN_FLIGHT, self._most)
        interrupt = DeferredInterrupt()
        # Units run in the calls to our own executors, or nothing that could wait.
        self._calling = nullcontext if self._serial or self._own else interrupt.at_once
        heed = partial(_heed, interrupt)
        self._caller = Caller(executor, worker_timeout, heed, MOST_DEATHS)
        try:
            with interrupt:
                while self._waiting or self._suspects or self._flying:
                    heed()
                    self._hand_out()
                    self._collect()
                    if self._unsaved and (self._serial or time.monotonic() - self._oldest > COMMIT_SECONDS):
                        self._save()
        except StoreError:
            raise
        except BaseException:
            try:
                while not self._arrived.empty():
                    try:
                        self._take(self._arrived.get_nowait())
                    except KeyboardInterrupt:
                        raise
                    except BaseException:  # that of another call, SystemExit too; the first one is told
                        continue
            finally:
                self._save()
            raise
        finally:
            self._caller.cancel(future for future, _ in self._flying.values())
        self._save()

    def _hand_out(self) -> None:
        """Send parcels until enough are under way."""
        while len(self._flying) < self._window and self._alone not in self._flying:
            if self._suspects:
                died = self._deaths[self._suspects[0].key]
                alone = not self._own or died == TRIES - 1
                if alone and self._flying:
                    return
                units = [self._suspects.popleft()]
                # One process for all suspects: it takes seconds to start, and dies at the unit that kills it.
                while self._suspects and not self._own and died == 1 == self._deaths[self._suspects[0].key]:
                    units.append(self._suspects.popleft())
                number = self._send(units, died)
                self._alone = number if alone else ""
            elif self._waiting:
                count = min(self._size, len(self._waiting))
                self._send([self._waiting.popleft() for _ in range(count)])
            else:
                return

    def _send(self, units: list[Unit], died: int = 0) -> str:
        parcel = Parcel(self._study, tuple(units), MOST_PARCEL_SECONDS, self._threads)
        try:
            with self._calling():
                if died and not self._own:
                    future = self._caller.submit(evaluate_apart, parcel, died, TRIES)
                else:
                    future = self._caller.submit(evaluate, parcel)
            self._flying[parcel.number] = future, parcel
            self._caller.when_done(future, partial(self._arrived.put, parcel.number))
        except InvalidArgumentError:
            raise
        except Exception as error:
            raise _unusable(error) from error
        return parcel.number

    def _collect(self) -> None:
        """Wait a moment for something to come back, and take all there is."""
        number = None
        with suppress(queue.Empty):
            number = self._arrived.get(timeout=POLL_SECONDS)
        if number is None:
            self._caller.check()
            # Units take longer than this: then the cost of sending does not matter, but idle processes do.
            self._window = min(2 * self._window, self._most)
        else:
            self._take(number)
        while not self._arrived.empty():
            self._take(self._arrived.get_nowait())

    def _take(self, number: str) -> None:
        if number not in self._flying:  # some futures tell twice that they are done
            return
        future, parcel = self._flying[number]
        try:
            report = self._caller.result(future)
        except Exception as error:
            if not isinstance(error, WorkerDiedError | WorkersDiedError) and not _is_death(error):
                raise _unusable(error) from error
            del self._flying[number]
            self._repeat(parcel.units)
        else:
            del self._flying[number]
            self._keep(parcel.units, report)

    def _keep(self, units: Sequence[Unit], report: Report) -> None:
        """Note the outcomes, and learn from them how much to send."""
        if not _answers(report, units):
            raise wrong_result("a report of the units of a parcel", report)
        for unit, there in zip(units, report.versions, strict=False):
            here = self._versions[unit.modules]
            if there.code != here.code:
                raise InvalidArgumentError(
                    f"executor must run the code of this process, {here.package} with the digest {here.code[:12]}, "
                    f"got {there.package} with {there.code[:12]} on {report.host}; start its workers anew"
                )
        count = len(report.outcomes)
        self._waiting.extendleft(reversed(units[count:]))
        seconds = sum(outcome.seconds for outcome in report.outcomes)
        wanted = int(PARCEL_SECONDS * count / max(seconds, 1e-9))
        self._size = max(1, min(wanted, 2 * self._size, MOST_IN_PARCEL))
        self._window = min(self._window + 1, self._most)
        self._note(report, units)

    def _note(self, report: Report, units: Sequence[Unit]) -> None:
        if not self._unsaved:
            self._oldest = time.monotonic()
        self._unsaved.append((report, {unit.key: unit for unit in units}))

    def _repeat(self, units: Sequence[Unit]) -> None:
        """Try the units of a parcel again whose process died, unless that was the last time."""
        for unit in units:
            deaths = self._deaths[unit.key] = self._deaths.get(unit.key, 0) + 1
            if deaths < TRIES:
                self._suspects.append(unit)
            else:
                version = self._versions[unit.modules]
                self._note(Report((death(unit.key, deaths),), (version,), "", time.time()), [unit])

    def _save(self) -> None:
        """Store what has come back, and only then count it."""
        if not self._unsaved:
            return
        self._store.add(self._unsaved)
        # Nothing is forgotten when Ctrl-C ends the line above.
        unsaved, self._unsaved = self._unsaved, []
        for report, _ in unsaved:
            failed = sum(outcome.status == "failed" for outcome in report.outcomes)
            self.failed += failed
            self.done += len(report.outcomes) - failed
        self._bar.update(self.done + self.failed, f"[red]{self.failed} failed[/red]" if self.failed else "")


def _heed(interrupt: DeferredInterrupt) -> None:
    if interrupt.pending:
        interrupt.interrupt()


def _answers(report: object, units: Sequence[Unit]) -> bool:
    """Return whether an executor has returned what a parcel was sent for: outcomes of its first units, at least one."""
    if not isinstance(report, Report) or not 0 < len(report.outcomes) == len(report.versions):
        return False
    return [outcome.key for outcome in report.outcomes] == [unit.key for unit in units[: len(report.outcomes)]]


def _is_death(error: BaseException) -> bool:
    """Return whether an executor gave a call up because the process that ran it died, and has started another."""
    return any((kind.__module__.partition(".")[0], kind.__name__) in DEATHS for kind in type(error).mro())


def _unusable(error: BaseException) -> InvalidArgumentError:
    said = " ".join(str(error).split())
    return InvalidArgumentError(
        f"executor must be able to evaluate the study, got {type(error).__name__}: {said}; what came back before is "
        "stored, and the sweep can be repeated to go on"
    )
