"""What several tests of sweeps need: clusters of two workers, and the contents of stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causal_theory.sweeps import Store


@contextmanager
def dask_executor() -> Iterator[tuple[object, object]]:
    """The executor and the cluster of two Dask processes on this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor(), cluster


def digest(path: Path) -> str:
    """Digest of what a store holds."""
    with Store(path) as store:
        return store.digest()


def numbers(path: Path, status: str = "done") -> list[object]:
    """The setting ``number`` of the units with this status."""
    with Store(path) as store:
        return [unit.settings["number"] for unit in store.units() if unit.status == status]
