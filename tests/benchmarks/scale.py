"""``python -m tests.benchmarks.scale``: seconds and bytes of a unit, alone and with two workers.

The numbers of the page on scale, which predicts from them what many workers would do.
"""

import argparse
import pickle
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

import causal_theory as ct
from causal_theory.population import work_items as score_items
from causal_theory.population.lanes import reciprocal_lanes
from causal_theory.population.transform import PIECE_PER_SYMBOL
from causal_theory.sweeps import driver, evaluation, sweep
from causal_theory.sweeps.executors import ProcessPool
from tests.sweeps.studies_for_tests import trivial

UNITS = 4000
EDGE_GRID = {"length": [64], "concentration": [0.5]}
EDGE_SETTINGS = {"vocab_size": 10}
EDGE_REPEATS = 400
SCORES = ((1000, 10), (4000, 4))


@contextmanager
def parcels_of(most: int) -> Iterator[None]:
    """Send at most so many units together, and so many from the start."""
    with mock.patch.object(driver, "MOST_IN_PARCEL", most), mock.patch.object(driver, "PARCEL_SECONDS", 1e9):
        yield


def driver_seconds(most: int, executor, count: int, folder: Path) -> float:
    """Return the processor seconds of the driver's process for each unit of a study that does nothing."""
    with parcels_of(most):
        before = time.process_time()
        result = sweep(trivial, {"number": range(count)}, store=folder / "a.sqlite", executor=executor, progress=False)
        seconds = time.process_time() - before
    assert result.done == count
    for path in folder.glob("a.sqlite*"):
        path.unlink()
    return seconds / count


def split_cost(executor, folder: Path) -> tuple[float, float]:
    """Return the seconds of the driver for a parcel and for a unit in it."""
    driver_seconds(100, executor, 200, folder)
    many, one = (driver_seconds(most, executor, UNITS // share, folder) for most, share in ((100, 1), (1, 4)))
    parcel = (one - many) / (1.0 - 1.0 / 100.0)
    return parcel, one - parcel


class Recorder:
    """An executor that calls at once and notes the size of what would travel."""

    def __init__(self) -> None:
        self.sent, self.returned, self.units = 0, 0, 0

    def submit(self, function, /, *arguments):
        """Call, between two pickles."""
        self.sent += len(pickle.dumps((function, arguments)))
        result = function(*arguments)
        self.returned += len(pickle.dumps(result))
        self.units += len(result.outcomes) if isinstance(result, evaluation.Report) else 1
        future: Future = Future()
        future.set_result(result)
        return future


def sweep_costs(folder: Path, table: Table) -> None:
    """Measure what a sweep costs beside its studies, and what two processes make of one that is not trivial."""
    with ProcessPool(2) as pool:
        parcel, unit = split_cost(pool, folder)
    table.add_row("sweep, processes: driver, each parcel", f"{parcel * 1e6:.0f} us")
    table.add_row("sweep, processes: driver, each unit", f"{unit * 1e6:.0f} us")
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        pass
    else:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            parcel, unit = split_cost(client.get_executor(), folder)
        table.add_row("sweep, Dask: driver and scheduler, each parcel", f"{parcel * 1e6:.0f} us")
        table.add_row("sweep, Dask: driver and scheduler, each unit", f"{unit * 1e6:.0f} us")
    settings = {"settings": EDGE_SETTINGS, "repeats": EDGE_REPEATS, "progress": False}
    recorder = Recorder()
    path = folder / "bytes.sqlite"
    sweep("edge_recovery", EDGE_GRID, store=path, executor=recorder, **settings)
    table.add_row("edge recovery: bytes to a worker, each unit", f"{recorder.sent / recorder.units:.0f}")
    table.add_row("edge recovery: bytes back, each unit", f"{recorder.returned / recorder.units:.0f}")
    table.add_row("edge recovery: bytes of the store, each unit", f"{path.stat().st_size / recorder.units:.0f}")
    walls = {}
    for processes in (1, 2):
        path = folder / f"wall-{processes}.sqlite"
        with ProcessPool(processes) as pool:
            sweep("edge_recovery", EDGE_GRID, store=path, executor=pool, **settings | {"repeats": 40})
            start = time.perf_counter()
            result = sweep("edge_recovery", EDGE_GRID, store=path, executor=pool, threads_per_process=1, **settings)
            walls[processes] = (time.perf_counter() - start) / result.done
    table.add_row("edge recovery, T = 64, S = 10: one process, each unit", f"{walls[1] * 1e3:.2f} ms")
    table.add_row("edge recovery, two processes, each unit", f"{walls[2] * 1e3:.2f} ms")
    table.add_row("edge recovery, two processes against one", f"{walls[1] / walls[2]:.2f} times")


def score_costs(length: int, size: int, table: Table) -> None:
    """Measure the units of one matrix of edge scores, one by one, and two processes on all of them."""
    rng = np.random.default_rng(length)
    transition = rng.dirichlet(np.ones(size), size)
    task = ct.InContextTask(ct.CausalGraph.chain(length), ct.PointPrior(transition))
    epsilon = 1.0 / length
    lanes = reciprocal_lanes(epsilon, length, size, None)
    law = task.root_distribution(transition)
    seconds, sent, returned, count = 0.0, 0, 0, 0
    for _, block in score_items.make_items(task.graph, PIECE_PER_SYMBOL * size, transition, law, lanes):
        for item in block:
            start = time.perf_counter()
            result = score_items.item_sums(item)
            seconds += time.perf_counter() - start
            sent += len(pickle.dumps(item))
            returned += len(pickle.dumps(result))
            count += 1
    name = f"edge scores, T = {length}, S = {size}"
    table.add_row(f"{name}: items of work", f"{count}")
    table.add_row(f"{name}: seconds of all items, one by one", f"{seconds:.2f}")
    table.add_row(f"{name}: bytes to workers", f"{sent / 1e6:.2f} MB")
    table.add_row(f"{name}: bytes back", f"{returned / 1e6:.1f} MB")
    start = time.perf_counter()
    ct.edge_scores(task, epsilon=epsilon)
    table.add_row(f"{name}: threads of this process", f"{time.perf_counter() - start:.2f} s")
    with ProcessPool(2) as pool:
        ct.edge_scores_on(pool, ct.InContextTask(ct.CausalGraph.chain(200), ct.PointPrior(transition)), epsilon=epsilon)
        start = time.perf_counter()
        ct.edge_scores_on(pool, task, epsilon=epsilon)
        table.add_row(f"{name}: two processes", f"{time.perf_counter() - start:.2f} s")


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__).parse_args()
    table = Table("what", "measured")
    with tempfile.TemporaryDirectory() as folder:
        sweep_costs(Path(folder), table)
    for length, size in SCORES:
        score_costs(length, size, table)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
