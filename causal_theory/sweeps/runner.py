"""Run a study on a grid, and keep every result."""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from causal_theory.choices import look_in
from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.foreign import WORKER_TIMEOUT, Submitter, check_executor
from causal_theory.progress import ProgressBar
from causal_theory.provenance import check_unedited, is_same_code
from causal_theory.sweeps.driver import WINDOW, Driver
from causal_theory.sweeps.evaluation import version_of
from causal_theory.sweeps.executors import ProcessPool, SerialExecutor, usable_processors
from causal_theory.sweeps.grid import MOST_UNITS, Grid, expand_grid
from causal_theory.sweeps.store_writer import WritableStore
from causal_theory.sweeps.study import Study, StudyFunction, find_study
from causal_theory.sweeps.table import SweepTable, read_store
from causal_theory.training.interrupts import Terminated
from causal_theory.validation import LARGEST_SEED, check_integer, check_positive


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; the message says what is stored and how to go on."""


@dataclass(frozen=True)
class SweepResult(Shown):
    """The numbers of units that a sweep evaluated, skipped and failed, with the keys of all.

    Attributes
    ----------
    study : str
        Name of the study.
    path : Path
        The store.
    done : int
        Units that were evaluated and have a result.
    skipped : int
        Units that had one before.
    failed : int
        Units that have none: the study raised an error, or its process died. The next sweep tries them again.
    seconds : float
        How long it took.
    keys : tuple of str
        The units, in the order of the grid.
    """

    study: str
    path: Path
    done: int
    skipped: int
    failed: int
    seconds: float
    keys: tuple[str, ...] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether every unit of the grid has a result."""
        return self.failed == 0

    def table(self) -> SweepTable:
        """Return the results of this grid, in its order; what else is in the store is left out.

        Returns
        -------
        SweepTable
            One row for each unit that has a result.
        """
        return read_store(self.path, study=self.study, keys=self.keys)


def sweep(
    study: str | StudyFunction | Study,
    grid: Grid,
    *,
    store: str | Path,
    settings: Mapping[str, object] | None = None,
    repeats: int = 1,
    rng: int = 0,
    executor: Submitter | None = None,
    processes: int | None = None,
    threads_per_process: int | None = None,
    window: int = WINDOW,
    worker_timeout: float = WORKER_TIMEOUT,
    limit: int = MOST_UNITS,
    reuse_other_versions: bool = False,
    progress: bool = True,
) -> SweepResult:
    r"""Evaluate a study on a grid of settings; what the store has already is not evaluated again.

    Every unit, one choice of settings and one repeat, has a generator of its own that follows from ``rng`` and the unit
    alone. Results therefore depend neither on how the work is done nor on the rest of the grid: a sweep that was
    interrupted goes on when it is repeated, and a grid can be extended later.

    Parameters
    ----------
    study : str or callable
        A provided study or a function of a module, see :func:`find_study`.
    grid : mapping or sequence of mappings
        For each of some parameters the values it takes: all combinations are evaluated. Or the choices one by one.
    store : str or Path
        An SQLite file, made if there is none, beside which two more may be while it is used, and a lock. On a file
        system of this machine: SQLite's write-ahead log does not work over a network.
    settings : mapping, optional
        Values of parameters that are the same everywhere.
    repeats : int, default 1
        Units of each choice, with independent random numbers.
    rng : int, default 0
        The seed of the sweep.
    executor : optional
        Anything with the method ``submit`` of ``concurrent.futures.Executor``, as that of
        ``distributed.Client.get_executor()``. By default processes of this machine, which are replaced when they die.
    processes : int, optional
        How many; all processors by default. 0: evaluate in this process.
    threads_per_process : int, optional
        Most threads of a compiled kernel; by default each process has its share of the processors, and those of
        another executor are left alone. Linear algebra always has one.
    window : int, default 1024
        Parcels of units, of a quarter of a second or one unit, that an ``executor`` holds at most: no fewer than it has
        workers, and better twice as many.
    worker_timeout : float, default 60
        Seconds after which a Dask cluster without workers is given up; more where they wait in a queue before they
        start. Other executors do not say how many workers they have: they are waited for until Ctrl-C.
    limit : int, default 100000
        Most units.
    reuse_other_versions : bool, default False
        Whether to keep results of other versions of the code. By default a unit is evaluated again when any source file
        of the package, or of a module of your own that the study imports or a setting of the unit names
        (``prior="module:Class"``), is not what it was.
    progress : bool, default True
        Whether to show a bar, on a terminal.

    Returns
    -------
    SweepResult
        ``ok`` is false if any unit failed.

    Raises
    ------
    InvalidArgumentError
        If the study, the grid or the executor cannot be used, or a source file was edited after it was loaded. What
        came back before is stored.
    TooLargeError
        If there are more units than ``limit``.
    StoreError
        If the store is another sweep's at the moment, is another kind of file, or cannot be written.
    SweepInterrupted
        After Ctrl-C. A second one does not wait for the unit that is evaluated in this process.
    SystemExit
        After SIGTERM, with status 143; results are kept as after Ctrl-C.

    Notes
    -----
    A unit that raises an error fails, and the sweep goes on. A unit whose process dies is tried again by itself, then
    with nothing else running; after the third death it fails. On a Dask cluster a worker with several threads takes
    other units along when it dies: those that were under way at two deaths are tried again with nothing else running,
    in a process beside the worker that dies in its place. Results are on the disk about a second after a unit is
    finished.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "edges.sqlite"
    ...     grid = {"length": [8, 12], "concentration": [0.5, 1.0]}
    ...     first = sweep("edge_recovery", grid, store=path, repeats=2, processes=0)
    ...     again = sweep("edge_recovery", grid, store=path, repeats=3, processes=0)
    ...     table = again.table()
    >>> (first.done, first.skipped), (again.done, again.skipped), again.ok
    ((8, 0), (4, 8), True)
    >>> table["length"]
    array([ 8,  8,  8,  8,  8,  8, 12, 12, 12, 12, 12, 12])
    """
    started = time.monotonic()
    found = find_study(study)
    entropy = check_integer("rng", rng, 0, LARGEST_SEED)
    units = expand_grid(found, grid, settings=settings, repeats=repeats, entropy=entropy, limit=limit)
    threads = None if threads_per_process is None else check_integer("threads_per_process", threads_per_process, 1)
    if executor is None:
        count = usable_processors() if processes is None else check_integer("processes", processes, 0)
    else:
        check_executor(executor)
        if processes is not None:
            raise InvalidArgumentError(f"processes must not be given together with executor, got {processes}")
    window = check_integer("window", window, 1)
    worker_timeout = check_positive("worker_timeout", worker_timeout)
    named = {unit.modules for unit in units}
    if any(named):  # as when they are imported
        look_in(os.getcwd())
    check_unedited(found.function, *sorted(set().union(*named)))
    versions = {modules: version_of(found, modules) for modules in named}
    path = Path(store)
    with ExitStack() as stack:
        kept = stack.enter_context(WritableStore(path))
        kept.register(found)
        known = kept.finished(found.name)
        missing = [
            unit
            for unit in units
            if unit.key not in known
            or not is_same_code(known[unit.key], versions[unit.modules].code, reuse_other_versions=reuse_other_versions)
        ]
        bar = stack.enter_context(ProgressBar(found.name, len(missing), wanted=progress))
        driver = Driver(found, versions, kept, bar)
        try:
            if executor is None:
                executor, share = _own_executor(min(count, len(missing)), stack)
                threads = threads or share
            driver.run(missing, executor, threads, window, worker_timeout)
        except (KeyboardInterrupt, Terminated) as interrupt:
            kind = Terminated if isinstance(interrupt, Terminated) else SweepInterrupted
            raise kind(
                f"interrupted: {len(units) - len(missing) + driver.done} of {len(units)} units are stored in {path}; "
                "repeat the sweep to go on"
            ) from interrupt
    return SweepResult(
        study=found.name,
        path=path,
        done=driver.done,
        skipped=len(units) - len(missing),
        failed=driver.failed,
        seconds=time.monotonic() - started,
        keys=tuple(unit.key for unit in units),
    )


def _own_executor(processes: int, stack: ExitStack) -> tuple[Submitter, int | None]:
    """Return what evaluates units here, and how many threads each process may have."""
    if processes == 0:
        return SerialExecutor(), None
    return stack.enter_context(ProcessPool(processes)), max(1, usable_processors() // processes)
