"""Helpers of the tests of sweeps: clusters of two workers, a clock, calls that hang, and contents of stores."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from causal_theory.sweeps import Store
from tests.helpers import PATIENCE


@contextmanager
def dask_executor() -> Iterator[tuple[object, object]]:
    """The executor and the cluster of two Dask processes on this machine."""
    from dask import config
    from distributed import Client

    patience = f"{PATIENCE:.0f}s"
    with (
        config.set({f"distributed.comm.timeouts.{what}": patience for what in ("connect", "tcp")}),
        mortal_cluster(2, 1) as cluster,
        Client(cluster, timeout=patience) as client,
    ):
        yield client.get_executor(), cluster


@contextmanager
def mortal_cluster(workers: int, threads: int) -> Iterator[object]:
    """A cluster of Dask processes that may die: one that is just being started anew cannot be joined when it closes."""
    from distributed import LocalCluster

    cluster = LocalCluster(n_workers=workers, threads_per_worker=threads, processes=True, dashboard_address=":0")
    try:
        yield cluster
    finally:
        with suppress(AssertionError):  # "can only join a started process", of distributed 2026.8
            cluster.close()


class Clock:
    """In the place of the module ``time``: time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def time(self) -> float:
        return self.now

    monotonic = perf_counter = time


def hang(path: Path) -> None:
    """Create a file and return much later than any test waits."""
    path.touch()
    time.sleep(2 * PATIENCE)


def digest(path: Path) -> str:
    """Digest of what a store holds."""
    with Store(path) as store:
        return store.digest()


def numbers(path: Path, status: str = "done") -> list[object]:
    """The setting ``number`` of the units with this status."""
    with Store(path) as store:
        return [unit.settings["number"] for unit in store.units() if unit.status == status]
