"""The loop of a sweep: hands units out in small parcels, collects what comes back, and stores it."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress

from causal_theory.errors import InvalidArgumentError, StoreError
from causal_theory.provenance import CodeVersion
from causal_theory.sweeps.bar import SweepBar
from causal_theory.sweeps.evaluation import Parcel, Report, evaluate
from causal_theory.sweeps.executors import ProcessPool, SerialExecutor, Submitter, WorkerDiedError
from causal_theory.sweeps.outcome import failure
from causal_theory.sweeps.store import WritableStore
from causal_theory.sweeps.study import Study
from causal_theory.sweeps.unit import Unit
from causal_theory.training.interrupts import DeferredInterrupt

__all__ = ["WINDOW", "Driver"]

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
"""A unit whose process died is tried again by itself, then with nothing else running, then it is a failure."""


class Driver:
    """Evaluates units on an executor and stores what they return.

    Parameters
    ----------
    study : Study
        What to evaluate.
    version : CodeVersion
        The code of this process; workers that run other code are refused.
    store : WritableStore
        Where results go.
    bar : SweepBar
        What shows how far it is.
    """

    def __init__(
        self,
        study: Study,
        version: CodeVersion,
        store: WritableStore,
        bar: SweepBar,
    ) -> None:
        self.done = 0
        self.failed = 0
        self._study, self._version, self._store, self._bar = study, version, store, bar
        self._size = 1
        self._waiting: deque[Unit] = deque()
        self._suspects: deque[Unit] = deque()
        self._deaths: dict[str, int] = {}
        self._flying: dict[Future[Report], Parcel] = {}
        self._alone: Future[Report] | None = None
        self._arrived: queue.SimpleQueue[Future[Report]] = queue.SimpleQueue()
        self._unsaved: list[tuple[Report, dict[str, Unit]]] = []
        self._oldest = 0.0

    def run(self, units: Iterable[Unit], executor: Submitter, threads: int | None, window: int = WINDOW) -> None:
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

        Raises
        ------
        StoreError
            If results cannot be written.
        InvalidArgumentError
            If the executor cannot evaluate the study, or breaks.
        KeyboardInterrupt
            After Ctrl-C. As after every error but the first, what has come back is stored.
        Terminated
            After SIGTERM.
        """
        self._waiting.extend(units)
        self._executor, self._threads = executor, threads
        self._serial = isinstance(executor, SerialExecutor)
        self._most = 1 if self._serial else window
        if isinstance(executor, ProcessPool):
            self._most = 2 * executor.processes
        self._window = min(FIRST_IN_FLIGHT, self._most)
        try:
            with DeferredInterrupt() as interrupt:
                while self._waiting or self._suspects or self._flying:
                    if interrupt.pending:
                        interrupt.interrupt()
                    self._hand_out()
                    self._collect()
                    if self._unsaved and (self._serial or time.monotonic() - self._oldest > COMMIT_SECONDS):
                        self._save()
        except StoreError:
            raise
        except BaseException:
            while not self._arrived.empty():
                with suppress(InvalidArgumentError):
                    self._take(self._arrived.get_nowait())
            self._save()
            raise
        finally:
            for future in self._flying:
                future.cancel()
        self._save()

    def _hand_out(self) -> None:
        """Send parcels until enough are under way."""
        while len(self._flying) < self._window and self._alone not in self._flying:
            if self._suspects:
                alone = self._deaths[self._suspects[0].key] == TRIES - 1
                if alone and self._flying:
                    return
                future = self._send([self._suspects.popleft()])
                self._alone = future if alone else None
            elif self._waiting:
                count = min(self._size, len(self._waiting))
                self._send([self._waiting.popleft() for _ in range(count)])
            else:
                return

    def _send(self, units: list[Unit]) -> Future[Report]:
        parcel = Parcel(self._study, tuple(units), MOST_PARCEL_SECONDS, self._threads)
        try:
            future = self._executor.submit(evaluate, parcel)
        except (BrokenExecutor, RuntimeError) as error:
            raise _unusable(error) from error
        self._flying[future] = parcel
        future.add_done_callback(self._arrived.put)
        return future

    def _collect(self) -> None:
        """Wait a moment for something to come back, and take all there is."""
        try:
            self._take(self._arrived.get(timeout=POLL_SECONDS))
        except queue.Empty:
            # Units take longer than this: then the cost of sending does not matter, but idle processes do.
            self._window = min(2 * self._window, self._most)
        while not self._arrived.empty():
            self._take(self._arrived.get_nowait())

    def _take(self, future: Future[Report]) -> None:
        parcel = self._flying.pop(future)
        try:
            report = future.result()
        except Exception as error:
            if not isinstance(error, WorkerDiedError) and not _is_killed_worker(error):
                raise _unusable(error) from error
            self._repeat(parcel.units)
        else:
            self._keep(parcel.units, report)

    def _keep(self, units: Sequence[Unit], report: Report) -> None:
        """Note the outcomes, and learn from them how much to send."""
        if report.version.code != self._version.code:
            raise InvalidArgumentError(
                f"executor must run the code of this process, {self._version.package} with the digest "
                f"{self._version.code[:12]}, got {report.version.package} with {report.version.code[:12]} on "
                f"{report.host}; start its workers anew"
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
        """Try each unit of a parcel again whose process died, unless that was the last time."""
        for unit in units:
            deaths = self._deaths[unit.key] = self._deaths.get(unit.key, 0) + 1
            if deaths < TRIES:
                self._suspects.append(unit)
            else:
                outcome = failure(unit.key, 0.0, f"the process that evaluated it died, {TRIES} times")
                self._note(Report((outcome,), self._version, "", time.time()), [unit])

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
        self._bar.update(self.done + self.failed, self.failed)


def _is_killed_worker(error: BaseException) -> bool:
    """Return whether Dask gave a call up because the processes that ran it died; Dask need not be installed."""
    return any(
        kind.__name__ == "KilledWorker" and kind.__module__.startswith("distributed") for kind in type(error).mro()
    )


def _unusable(error: BaseException) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"executor must be able to evaluate the study, got {type(error).__name__}: {error}; what came back before is "
        "stored, and the sweep can be repeated to go on"
    )
