"""Dask clusters: workers that are missing, leave or die end a call or a sweep in one line, or in a retry."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from causal_theory.cli import app
from causal_theory.dask_calls import WorkersDiedError
from causal_theory.errors import InvalidArgumentError
from causal_theory.foreign import Caller
from causal_theory.sweeps import read_store, sweep
from tests.sweeps import studies_for_tests as studies
from tests.sweeps.helpers import mortal_cluster
from tests.test_foreign import cut, scores  # noqa: F401 (cut is a fixture)
from tests.test_units import same


@pytest.mark.usefixtures("cut")
class TestDaskClusters:
    @pytest.fixture
    def dask(self):
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        with (
            distributed.LocalCluster(
                n_workers=0, threads_per_worker=2, processes=False, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client, cluster

    def test_without_workers(self, dask, tmp_path):
        client, _ = dask
        message = "executor must have workers, got a Dask cluster without any for 0.5 s, the worker_timeout"
        for executor in (client.get_executor(), client):
            with pytest.raises(InvalidArgumentError, match=message):
                scores(executor, worker_timeout=0.5, out=tmp_path / "x.npy")
            with pytest.raises(InvalidArgumentError, match=message):
                sweep(
                    studies.cheap,
                    {"number": [1]},
                    store=tmp_path / "a.sqlite",
                    executor=executor,
                    worker_timeout=0.5,
                )
        assert not (tmp_path / "x.npy").exists()
        assert len(read_store(tmp_path / "a.sqlite")) == 0

    def test_whose_workers_come_late(self, dask, monkeypatch):
        """No error while they are awaited; and what comes back starts the time anew."""
        client, cluster = dask
        counted = []

        def workers(calls):
            counted.append(len(client.nthreads()))
            if len(counted) == 1:
                cluster.scale(1)
            return counted[-1]

        monkeypatch.setattr("causal_theory.dask_calls.DaskCalls.workers", workers)
        found = scores(client.get_executor())
        assert counted[0] == 0
        same(found, scores())

    @pytest.mark.parametrize("what", ["scores", "sweep"])
    def test_whose_client_is_closed_midway(self, what, dask, tmp_path):
        client, cluster = dask

        def close():
            while not cluster.scheduler.tasks:
                asked.wait(0.01)
            client.close()

        asked = threading.Event()
        closer = threading.Thread(target=close, daemon=True)
        closer.start()
        if what == "scores":
            with pytest.raises((InvalidArgumentError, CancelledError)):
                scores(client.get_executor())
        else:
            with pytest.raises(InvalidArgumentError, match="executor must"):
                sweep(studies.cheap, {"number": [1]}, store=tmp_path / "a.sqlite", executor=client.get_executor())
        closer.join()

    def test_that_are_shut_down_or_closed(self, dask, tmp_path):
        client, _ = dask
        executor = client.get_executor()
        executor.shutdown()
        with pytest.raises(RuntimeError, match="executor of a Dask client was shut down"):
            scores(executor)
        with pytest.raises(InvalidArgumentError, match="got RuntimeError: executor of a Dask client was shut down"):
            sweep(studies.cheap, {"number": [1]}, store=tmp_path / "a.sqlite", executor=executor)
        client.close()
        for closed in (client, client.get_executor()):
            with pytest.raises(InvalidArgumentError, match="Dask client that is open, got one that is closed"):
                scores(closed)

    def test_asynchronous_clients_are_refused(self):
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        import asyncio

        async def ask():
            async with distributed.Client(
                processes=False, n_workers=0, asynchronous=True, dashboard_address=":0"
            ) as client:
                return scores(client)

        with pytest.raises(InvalidArgumentError, match="not asynchronous"):
            asyncio.run(ask())

    def test_cancelled_calls_are_withdrawn(self, dask):
        client, cluster = dask
        caller = Caller(client.get_executor())
        futures = [caller.submit(studies.trivial, number) for number in range(3)]
        while len(cluster.scheduler.tasks) < 3:
            threading.Event().wait(0.01)
        caller.cancel(futures)
        assert all(future.cancelled() for future in futures)
        while cluster.scheduler.tasks:
            threading.Event().wait(0.01)

    @pytest.mark.slow
    def test_a_result_that_is_lost_before_it_is_fetched(self, tmp_path):
        """The executor of a Dask client never tells: the result is gone, and then the call is given up."""
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        with (
            mortal_cluster(1, 1) as cluster,
            distributed.Client(cluster) as client,
        ):
            cluster.scheduler.allowed_failures = 0
            given_up = []

            def pulse():
                given_up.extend(task for task in cluster.scheduler.tasks.values() if task.state == "erred")
                assert len(given_up) < 50, "Dask has given the call up, and nobody says so"

            caller = Caller(client.get_executor(), pulse=pulse)
            future = caller.submit(studies.returns_poison, str(tmp_path / "marker"))
            with pytest.raises(Exception, match="but all those workers died") as caught:
                caller.result(future)
        assert type(caught.value).__name__ == "KilledWorker"


class Lethal:
    """Threads that stand for workers: one dies of a unit, and takes along whatever else is under way."""

    def __init__(self, victim):
        self.pool, self.lock = ThreadPoolExecutor(4), threading.Lock()
        self.victim, self.retries, self.under_way = victim, [], 0
        self.first = threading.Barrier(4)

    def submit(self, function, /, *arguments):
        with self.lock:
            self.under_way += 1
        return self.pool.submit(self.call, function, arguments)

    def call(self, function, arguments):
        numbers = [unit.settings["number"] for unit in arguments[0].units]
        try:
            if function.__name__ == "evaluate":
                if max(numbers) < 4:
                    self.first.wait()
                    raise WorkersDiedError("2 workers died")
                return function(*arguments)
            with self.lock:
                self.retries.append((numbers, self.under_way))
            if self.victim in numbers:
                raise WorkersDiedError("2 workers died")
            return function(*arguments)
        finally:
            with self.lock:
                self.under_way -= 1


def test_units_that_go_down_with_a_worker_are_retried_alone(tmp_path):
    """All suspects together, and when that worker dies as well, each by itself; only the victim fails."""
    executor = Lethal(victim=2)
    found = sweep(studies.trivial, {"number": range(12)}, store=tmp_path / "a.sqlite", executor=executor)
    executor.pool.shutdown()
    (failed,) = found.table().failures
    assert (found.done, found.failed, failed.settings["number"]) == (11, 1, 2)
    assert failed.error == "the process that evaluated it died, 3 times"
    assert sorted(executor.retries[0][0]) == [0, 1, 2, 3]
    assert sorted(numbers for numbers, _ in executor.retries[1:]) == [[0], [1], [2], [3]]
    assert all(under_way == 1 for _, under_way in executor.retries)


def test_the_command_line_hands_the_timeout_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text('study = "edge-recovery"\n[grid]\nlength = [6]\nconcentration = [1.0]\n')
    command = ["sweep", "--config", "sweep.toml", "--processes", "0", "--store", "a.sqlite", "--worker-timeout"]
    found = CliRunner().invoke(app, [*command, "-3"])
    assert isinstance(found.exception, InvalidArgumentError)
    assert str(found.exception) == "worker_timeout must be a finite number greater than 0, got -3.0"
    assert not Path("a.sqlite").exists()
    assert CliRunner().invoke(app, [*command, "7"]).exit_code == 0
