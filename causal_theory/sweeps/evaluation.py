"""Evaluate units in a worker, one after another, each on its own generator."""

import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from causal_theory.floats import default_floats
from causal_theory.kernels.threads import thread_limit
from causal_theory.provenance import CodeVersion, code_version
from causal_theory.sweeps.outcome import Outcome, failure, success, traceback_text
from causal_theory.sweeps.study import Study
from causal_theory.sweeps.unit import Unit
from causal_theory.training.interrupts import Terminated


@dataclass(frozen=True)
class Parcel:
    """Units that travel to a worker together.

    Attributes
    ----------
    study : Study
        What to evaluate.
    units : tuple of Unit
        At least one.
    seconds : float
        No unit is begun when so much time has passed.
    threads : int or None
        Most threads of a kernel; ``None`` leaves the number as it is.
    number : str
        Another one for every parcel. Dask takes a call with the same arguments for the same call, and would answer a
        second try with the failure of the first.
    """

    study: Study
    units: tuple[Unit, ...]
    seconds: float
    threads: int | None
    number: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Report:
    """The outcomes of a parcel, as a worker sends them back.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Of the first of the units that it was given; the others it had no time for.
    versions : tuple of CodeVersion
        What each was computed with.
    host : str
        Where.
    finished : float
        When, in seconds since 1970.
    """

    outcomes: tuple[Outcome, ...]
    versions: tuple[CodeVersion, ...]
    host: str
    finished: float


def evaluate(parcel: Parcel) -> Report:
    """Evaluate the units of a parcel until the time is up, at least one.

    Linear algebra has one thread, since the order of its sums depends on their number.
    """
    started = time.monotonic()
    outcomes = []
    with one_blas_thread(), thread_limit(parcel.threads):
        for unit in parcel.units:
            outcomes.append(_evaluate(parcel.study, unit))
            if time.monotonic() - started > parcel.seconds:
                break
    # Only now has the study loaded all that it uses.
    versions = {modules: version_of(parcel.study, modules) for modules in {unit.modules for unit in parcel.units}}
    used = tuple(versions[unit.modules] for unit in parcel.units[: len(outcomes)])
    return Report(tuple(outcomes), used, host(), time.time())


def version_of(study: Study, modules: tuple[str, ...]) -> CodeVersion:
    """Return the version of the code of a study, and of the modules that the settings of a unit name."""
    return code_version(study.function, *modules)


@default_floats
def _evaluate(study: Study, unit: Unit) -> Outcome:
    started = time.perf_counter()
    source = {"rng": unit.generator()} if study.takes_rng else {}
    try:
        found = study.function(**unit.settings, **source)
        return success(unit.key, time.perf_counter() - started, found, unit.settings)
    except Terminated:
        raise
    except (Exception, SystemExit) as error:
        return failure(unit.key, time.perf_counter() - started, traceback_text(error))


class _BlasLimit:
    """One thread for linear algebra while anybody in this process needs that; afterwards what there was before.

    The number of threads belongs to the process: of several threads that evaluate units the first one lowers it and the
    last one restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limit = None

    def __enter__(self) -> None:
        import scipy.linalg  # noqa: F401 (brings a library of its own for linear algebra, limited only once it is loaded)
        from threadpoolctl import threadpool_limits

        with self._lock:
            if self._users == 0:
                self._limit = threadpool_limits(limits=1, user_api="blas")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._limit is not None:
                self._limit.restore_original_limits()


_BLAS = _BlasLimit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep linear algebra to one thread."""
    with _BLAS:
        yield


@cache
def host() -> str:
    """Return the name of this machine."""
    return platform.node()
