"""The same results wherever units are evaluated, and processes that end when they should."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps import SerialExecutor, Store, SweepInterrupted, sweep
from causal_theory.sweeps.executors import ProcessPool, WorkerDiedError
from causal_theory.training.interrupts import Terminated
from tests.helpers import PATIENCE, wait_until
from tests.sweeps import studies_for_tests as studies
from tests.sweeps.helpers import dask_executor, digest, hang
from tests.sweeps.killed_driver import is_alive

ROOT = Path(__file__).parents[2]
UNITS = 500


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    path = tmp_path_factory.mktemp("serial") / "results.sqlite"
    assert run(path, processes=0).ok
    return digest(path)


def run(path, **options):
    return sweep(studies.cheap, {"number": range(UNITS // 2), "scale": [1.0, 0.1]}, store=path, **options)


class TestContents:
    """Everything but time and place."""

    def test_of_two_processes(self, serial, tmp_path):
        assert run(tmp_path / "a.sqlite", processes=2).done == UNITS
        assert digest(tmp_path / "a.sqlite") == serial

    def test_of_dask(self, serial, tmp_path):
        with dask_executor() as (executor, _):
            assert run(tmp_path / "a.sqlite", executor=executor).done == UNITS
            failing = sweep(studies.raises, {"number": range(9)}, store=tmp_path / "b.sqlite", executor=executor)
        assert digest(tmp_path / "a.sqlite") == serial
        assert (failing.done, failing.failed) == (6, 3)
        sweep(studies.raises, {"number": range(9)}, store=tmp_path / "c.sqlite", processes=0)
        assert digest(tmp_path / "b.sqlite") == digest(tmp_path / "c.sqlite")

    def test_of_threads_and_of_none(self, serial, tmp_path):
        with ThreadPoolExecutor(3) as threads:
            assert run(tmp_path / "a.sqlite", executor=threads).done == UNITS
        assert run(tmp_path / "b.sqlite", executor=SerialExecutor()).done == UNITS
        assert {digest(tmp_path / f"{name}.sqlite") for name in "ab"} == {serial}


class TestProcesses:
    def test_are_several(self, tmp_path, pool):
        (tmp_path / "met").mkdir()
        settings = {"folder": str(tmp_path / "met")}
        found = sweep(
            studies.meets, {"number": range(60)}, store=tmp_path / "a.sqlite", settings=settings, executor=pool
        )
        assert found.done == 60
        assert len(set(found.table()["process"].tolist())) == 2

    @pytest.mark.parametrize(
        ("options", "kernels"), [({"processes": 0, "threads_per_process": 1}, 1), ({"processes": 1}, None)]
    )
    def test_have_one_thread_for_linear_algebra(self, options, kernels, tmp_path):
        found = sweep(studies.threads, {"number": [1]}, store=tmp_path / "a.sqlite", **options).table()
        assert found["blas"].tolist() == [1]
        assert found["libraries"][0] >= 1
        if kernels is not None:
            assert found["kernels"].tolist() == [kernels]

    def test_give_back_the_threads_of_this_one(self, tmp_path):
        with threadpool_limits(limits=2, user_api="blas"):
            before = studies.threads(number=0)
            sweep(studies.threads, {"number": [1]}, store=tmp_path / "a.sqlite", processes=0, threads_per_process=1)
            assert studies.threads(number=0) == before
        assert before["blas"] == 2


class TestPool:
    def test_raises_what_the_call_raises(self, pool):
        with pytest.raises(ValueError, match="invalid literal"):
            pool.submit(int, "x").result()
        assert pool.submit(int, "3").result() == 3

    def test_says_which_call_killed_its_process(self, pool):
        others = [pool.submit(time.sleep, 0.3) for _ in range(3)]
        with pytest.raises(WorkerDiedError, match="-9"):
            pool.submit(signal.raise_signal, signal.SIGKILL).result()
        assert [other.result() for other in others] == [None] * 3

    def test_ends_without_waiting_for_calls(self, tmp_path):
        with ProcessPool(1) as pool:
            process = pool.submit(os.getpid).result()
            futures = [pool.submit(hang, tmp_path / str(k)) for k in range(3)]
            wait_until((tmp_path / "0").exists)
        assert not is_alive(process)
        assert not any(future.done() and future.exception() is None for future in futures)
        assert [path.name for path in tmp_path.iterdir()] == ["0"]

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="whether a process lives is read from /proc")
    def test_dies_with_its_parent_in_the_middle_of_a_call(self, tmp_path):
        code = (
            "import os, pathlib, sys; from causal_theory.sweeps.executors import ProcessPool; "
            "from tests.sweeps.helpers import hang; pool = ProcessPool(1); "
            "print(pool.submit(os.getpid).result(), flush=True); pool.submit(hang, pathlib.Path(sys.argv[1])).result()"
        )
        words = [sys.executable, "-c", code, str(tmp_path / "begun")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as parent:
            worker = int(parent.stdout.readline())
            wait_until((tmp_path / "begun").exists)
            assert is_alive(worker)
            parent.kill()
        wait_until(lambda: not is_alive(worker))

    def test_that_cannot_start_says_so(self, monkeypatch):
        monkeypatch.setattr("causal_theory.sweeps.executors._work", exit)
        with pytest.raises(
            InvalidArgumentError, match=r"processes must be able to start, got 1 .*__main__.*processes=0"
        ):
            ProcessPool(1)


class Counting:
    """Threads that note how many calls were under way at once, and begin when there are as many as stated."""

    def __init__(self, threads, begin=1):
        self.pool, self.under_way, self.most = ThreadPoolExecutor(threads), 0, 0
        self.lock, self.begin, self.enough = threading.Lock(), begin, threading.Event()

    def submit(self, function, /, *arguments):
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            if self.under_way >= self.begin:
                self.enough.set()
        future = self.pool.submit(self.call, function, *arguments)
        future.add_done_callback(self.forget)
        return future

    def call(self, function, *arguments):
        self.enough.wait(PATIENCE)
        return function(*arguments)

    def forget(self, _):
        with self.lock:
            self.under_way -= 1


class TestForeignExecutors:
    @pytest.mark.parametrize("window", [1, 3, 40])
    def test_hold_no_more_than_the_window(self, window, tmp_path, monkeypatch):
        monkeypatch.setattr("causal_theory.sweeps.driver.MOST_IN_PARCEL", 1)
        executor = Counting(4, begin=min(window, 16))
        sweep(studies.waits, {"number": range(60)}, store=tmp_path / "a.sqlite", executor=executor, window=window)
        executor.pool.shutdown()
        assert executor.enough.is_set()
        assert executor.most <= window

    def test_bad_windows(self, tmp_path):
        with pytest.raises(InvalidArgumentError, match="window must be an integer of at least 1, got 0"):
            sweep(studies.cheap, {"number": [1]}, store=tmp_path / "a.sqlite", executor=Counting(1), window=0)

    def test_that_are_shut_down_are_refused(self, tmp_path):
        threads = ThreadPoolExecutor(1)
        threads.shutdown()
        with pytest.raises(InvalidArgumentError, match="executor must be able to evaluate the study, got RuntimeError"):
            run(tmp_path / "a.sqlite", executor=threads)

    def test_that_break_lose_nothing_that_came_back(self, tmp_path, serial):
        path, settings = tmp_path / "a.sqlite", {"victim": 400, "log": str(tmp_path / "log")}
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
            assert run(tmp_path / "b.sqlite", executor=processes).done == UNITS
            with pytest.raises(InvalidArgumentError, match=r"got BrokenProcessPool: .* can be repeated to go on"):
                sweep(studies.dies, {"number": range(500)}, store=path, settings=settings, executor=processes)
        assert digest(tmp_path / "b.sqlite") == serial
        with Store(path) as store:
            assert len(store.units()) > 100


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, SweepInterrupted), (signal.SIGTERM, Terminated)])
def test_an_executor_that_does_not_even_take_calls_is_interrupted(tmp_path, number, kind):
    class Full:
        """Takes three calls; the next one would wait for ever, and hears a signal meanwhile."""

        calls = 0

        def submit(self, function, /, *arguments):
            self.calls += 1
            if self.calls > 3:
                signal.raise_signal(number)
                raise AssertionError("the signal was held back")
            future = Future()
            future.set_result(function(*arguments))
            return future

    with pytest.raises(kind, match="3 of 9 units are stored"):
        sweep(studies.trivial, {"number": list(range(9))}, store=tmp_path / "results.sqlite", executor=Full())


@pytest.mark.parametrize("error", [SystemExit("gone"), GeneratorExit("gone"), RuntimeError("gone")])
def test_what_came_back_beside_errors_of_any_kind_is_stored(tmp_path, error):
    class Together:
        """Answers nine calls at once, the first two with an error."""

        def __init__(self):
            self.calls = []

        def submit(self, function, /, *arguments):
            self.calls.append((Future(), function, arguments))
            if len(self.calls) == 9:
                for number, (future, called, given) in enumerate(self.calls):
                    if number < 2:
                        future.set_exception(error)
                    else:
                        future.set_result(called(*given))
            return self.calls[-1][0]

    path = tmp_path / "results.sqlite"
    with pytest.raises(BaseException, match="gone"):
        sweep(studies.trivial, {"number": list(range(9))}, store=path, executor=Together())
    with Store(path) as store:
        assert [unit.result["double"] for unit in store.units()] == [4, 6, 8, 10, 12, 14, 16]
