"""Units under suspicion: evaluated in a process of their own, so that the worker lives when they kill it."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any

from causal_theory.provenance import CodeVersion
from causal_theory.sweeps.evaluation import Parcel, Report, evaluate, host, version_of
from causal_theory.sweeps.outcome import Outcome, failure

CHILD = "from causal_theory.sweeps.apart import _answer; _answer()"


def death(key: str, deaths: int) -> Outcome:
    """Return the failure of a unit whose processes died."""
    return failure(key, 0.0, f"the process that evaluated it died, {deaths} times")


def evaluate_apart(parcel: Parcel, died: int, tries: int) -> Report:
    """Evaluate all units of a parcel in another process, which is started anew when it dies.

    A unit at which it dies for the last time fails, and no other does: of the units that were under way in a worker
    nobody knows which one killed it, but in this process there is one at a time. Where it cannot be started the units
    are evaluated in this one.

    Parameters
    ----------
    parcel : Parcel
        Units that were under way when a worker died.
    died : int
        How often that happened.
    tries : int
        A unit fails after so many deaths.
    """
    versions: list[CodeVersion] = []
    outcomes: list[Outcome] = []
    rest, deaths = parcel.units, died
    while rest:
        reports = _in_child(replace(parcel, units=rest))
        if reports is None:
            reports = [evaluate(replace(parcel, units=(unit,))) for unit in rest]
        for report in reports:
            # The process may have read newer files than this one has: the driver is told.
            outcomes, versions, deaths = [*outcomes, *report.outcomes], [*versions, *report.versions], died
        rest = rest[len(reports) :]
        if rest:
            deaths += 1
            if deaths >= tries:
                outcomes.append(death(rest[0].key, deaths))
                versions.append(version_of(parcel.study, rest[0].modules))
                rest, deaths = rest[1:], died
    return Report(tuple(outcomes), tuple(versions), host(), time.time())


def _in_child(parcel: Parcel) -> list[Report] | None:
    """Return a report of each unit up to the one at which the process died; None if it did not get to the first."""
    command = [sys.executable, "-c", CHILD]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    reports: list[Report] | None = None
    with (
        suppress(EOFError, OSError, pickle.PickleError),
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        try:
            _send(child.stdin, parcel)
            _receive(child.stdout)
            reports = []
            while len(reports) < len(parcel.units):
                reports.append(_receive(child.stdout))
        finally:
            child.kill()
    return reports


def _answer() -> None:
    """Evaluate the units that the other process sends, and send a report after each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # where studies print to
    parcel = _receive(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _send(reports, "ready")
    for unit in parcel.units:
        _send(reports, evaluate(replace(parcel, units=(unit,))))


def _end_with_parent() -> None:
    """End this process, whatever it is computing, when the one that started it is gone."""
    sys.stdin.buffer.read()
    os._exit(1)


def _send(pipe: IO[bytes] | None, message: object) -> None:
    if pipe is not None:
        pickle.dump(message, pipe)
        pipe.flush()


def _receive(pipe: IO[bytes] | None) -> Any:
    if pipe is None:
        raise EOFError
    return pickle.load(pipe)
