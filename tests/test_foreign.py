"""Executors that others made: nothing of theirs is changed, and nothing of theirs hides an error or Ctrl-C."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from causal_theory import edge_scores_on
from causal_theory.errors import InvalidArgumentError
from causal_theory.foreign import Caller
from causal_theory.population import lanes as lanes_module
from causal_theory.population import transform as transform_module
from causal_theory.population.work_items import Workers
from causal_theory.sweeps import read_store, sweep
from tests.foreign_executors import FUTURES, Calling, Meeting, Sharing, read_only
from tests.sweeps import studies_for_tests as studies
from tests.sweeps.helpers import digest
from tests.test_units import point_task, same

ROOT = Path(__file__).parents[1]
ROUNDS = 25
UNITS = 6


@pytest.fixture
def cut(monkeypatch):
    """Cut a short sequence into a few units."""
    monkeypatch.setattr(lanes_module, "BLOCK_ENTRIES", 4000)
    monkeypatch.setattr(lanes_module, "SERIAL_WORK", 0)
    lanes_module.reciprocal_lanes.cache_clear()
    yield
    lanes_module.reciprocal_lanes.cache_clear()


def scores(executor=None, **options):
    return edge_scores_on(executor, point_task(), epsilon=0.02, **options)


def at_once(count, call):
    """Results of several threads that call the same function together."""
    start = threading.Barrier(count)

    def called(number):
        start.wait()
        return call(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(called, range(count)))


@pytest.mark.usefixtures("cut")
class TestResultsThatOthersHold:
    def test_are_not_changed(self):
        """The worst case: everybody is given the same arrays, whatever they do to be told apart."""
        local, executor = scores(), Sharing(2)
        for _ in range(3):
            same(scores(executor), local)
        for found in at_once(3, lambda _: scores(executor)):
            same(found, local)
        assert len(executor.given) == UNITS
        assert executor.unchanged()
        executor.pool.shutdown()

    def test_of_a_sweep_are_not_changed(self, tmp_path):
        executor = Sharing(2)
        for name in "ab":
            sweep(studies.cheap, {"number": range(30)}, store=tmp_path / f"{name}.sqlite", executor=executor)
        sweep(studies.cheap, {"number": range(30)}, store=tmp_path / "c.sqlite", processes=0)
        assert len({digest(tmp_path / f"{name}.sqlite") for name in "abc"}) == 1
        assert executor.unchanged()
        executor.pool.shutdown()

    def test_first_sum_of_own_threads_is_reused(self, monkeypatch):
        """Nobody else holds it, and a new array would cost a pass through memory."""
        made = []
        whole = transform_module.item_sums

        def noted(unit):
            made.append(whole(unit))
            return made[-1]

        monkeypatch.setattr(transform_module, "item_sums", noted)
        units = list(transform_module.make_items(point_task().graph, 12, *rest_of_plan()))
        sums = [pairs for _, pairs, _ in transform_module._block_sums(units, Workers(None, 8, 1.0))]
        assert all(any(one is first for first, _ in made) for one in sums)

    def test_no_two_units_are_the_same_call(self):
        sent = []

        class Noting(Calling):
            def submit(self, function, /, *arguments):
                sent.append(pickle.dumps(arguments))
                return super().submit(function, *arguments)

        for _ in range(2):
            scores(Noting())
        assert len(set(sent)) == len(sent) == 2 * UNITS

    @pytest.mark.slow
    @pytest.mark.parametrize("processes", [True, False])
    @pytest.mark.parametrize("pure", [True, False])
    def test_of_dask(self, processes, pure):
        """Two callers at once and one caller twice, fifty times, as Dask gives its executor and taken for another."""
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        local = scores()
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=2, processes=processes, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            executor = client.get_executor(pure=pure)
            for number in range(ROUNDS):
                # The other one is not recognised as that of a Dask client.
                used = executor if number % 2 else Meeting(executor, UNITS, 2)
                for found in at_once(2, lambda _, used=used: scores(used)):
                    same(found, local)
                for _ in range(2):
                    same(scores(executor), local)
            same(scores(client), local)

    @pytest.mark.slow
    @pytest.mark.parametrize("processes", [True, False])
    def test_of_two_sweeps_on_one_dask_cluster(self, processes, tmp_path):
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        grid = {"number": range(40), "scale": [1.0, 0.1]}
        sweep(studies.cheap, grid, store=tmp_path / "alone.sqlite", processes=0)
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=2, processes=processes, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):

            def one(number):
                path = tmp_path / f"{number}.sqlite"
                executor = client.get_executor()
                return sweep(
                    studies.cheap, grid, store=path, executor=Meeting(executor, 0, 1) if number else executor
                ).done

            assert at_once(3, one) == [80, 80, 80]
        assert {digest(tmp_path / f"{name}.sqlite") for name in (0, 1, 2)} == {digest(tmp_path / "alone.sqlite")}


def rest_of_plan():
    """The other arguments of make_items for the task of these tests."""
    task = point_task()
    transition = task.prior.transition
    lanes = lanes_module.reciprocal_lanes(0.02, task.length, task.vocab_size, None)
    return transition, task.root_distribution(transition), lanes


WRONG = {
    "a list of the result, as of all engines": (lambda result: [result], r"got a list of 1 \(tuple\); of ipyparallel"),
    "a list of several": (lambda result: [result, result], r"a list of 2 \(tuple, tuple\).*client\.executor\(\)"),
    "a list in its place": (list, r"got a list of 2 \(an array of shape .*client\.executor\(\)"),
    "None": (lambda result: None, "got None"),
    "a number": (lambda result: 1.5, "got an object of type float"),
    "one array": (lambda result: result[0], r"got an array of shape \(\d+, \d+\) and type float64"),
    "one array more": (lambda result: (*result, result[0]), r"got a tuple of 3 \("),
    "other numbers": (lambda result: tuple(one.astype(np.float32) for one in result), "type float32"),
    "complex numbers": (lambda result: tuple(one + 0j for one in result), "type complex128"),
    "other shapes": (lambda result: (result[0][:-1], result[1]), r"a tuple of 2 \(an array of shape"),
    "exchanged": (lambda result: result[::-1], "a tuple of 2"),
    "lists of numbers": (lambda result: (result[0].tolist(), result[1].tolist()), r"a tuple of 2 \(list, list\)"),
}


@pytest.mark.usefixtures("cut")
class TestScoresOnExecutorsAsTheyAre:
    @pytest.mark.parametrize("change", WRONG)
    def test_wrong_results_are_refused(self, change, tmp_path):
        change, message = WRONG[change]
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            scores(Calling(change=change), out=tmp_path / "x.npy")
        assert str(caught.value).startswith("executor must return a pair of float64 arrays of shapes (")
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("kind", ["plain", *FUTURES])
    def test_right_results_of_any_future(self, kind):
        same(scores(Calling(kind)), scores())

    def test_arrays_that_cannot_be_written(self, tmp_path):
        def mapped(result):
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
            np.save(path, result[0])
            return np.load(path, mmap_mode="r"), result[1]

        same(scores(Calling(change=read_only)), scores())
        same(scores(Calling(change=mapped)), scores())

    @pytest.mark.parametrize("kind", ["plain", *FUTURES])
    def test_the_error_comes_through_whatever_cancelling_does(self, kind, tmp_path):
        """Calls that never end are under way when another cannot be started."""
        error = OSError("no route to host")
        executor = Calling(kind, fail_at=3, error=error, undone_from=1)
        with pytest.raises(OSError, match="no route to host") as caught:
            scores(executor, in_flight=8, out=tmp_path / "x.npy")
        assert caught.value is error
        if kind == "plain":
            assert all(future.cancelled() for future in executor.futures[1:])
        if kind == "raising":
            assert all(future.asked for future in executor.futures[1:])
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "error", [TimeoutError("of the call"), CancelledError(), RuntimeError("broken"), SystemExit(3)]
    )
    def test_the_error_of_a_call_comes_through(self, error):
        class Failing:
            def submit(self, function, /, *arguments):
                future = Future()
                future.set_exception(error)
                return future

        with pytest.raises(type(error)) as caught:
            scores(Failing())
        assert caught.value is error

    def test_waiting_is_no_error_of_the_call(self, monkeypatch):
        """A result may come long after the first look at it."""
        looked = threading.Event()
        monkeypatch.setattr("causal_theory.foreign.POLL_SECONDS", 0.001)
        checked = Caller.check

        def check(self):
            looked.set()
            checked(self)

        def late(unit):
            assert looked.wait(60.0)
            return transform_module.item_sums(unit)

        class Late(ThreadPoolExecutor):
            def submit(self, function, /, *arguments):
                return super().submit(late, *arguments)

        monkeypatch.setattr(Caller, "check", check)
        with Late(2) as pool:
            found = scores(pool)
        same(found, scores())

    @pytest.mark.parametrize(
        ("answer", "message"),
        [(None, "got None"), ((1, 2), r"got a tuple of 2"), (7, "got an object of type int")],
    )
    def test_submit_must_return_futures(self, answer, message):
        class Returning:
            def submit(self, function, /, *arguments):
                return answer

        with pytest.raises(InvalidArgumentError, match=f"executor must return futures from submit, {message}"):
            scores(Returning())

    def test_submit_that_takes_no_argument(self):
        class Narrow:
            def submit(self, function):
                return Future()

        with pytest.raises(TypeError, match="positional argument"):
            scores(Narrow())

    def test_a_class_is_no_executor(self, tmp_path):
        with pytest.raises(InvalidArgumentError, match="executor must have a method submit, got <class"):
            scores(ThreadPoolExecutor)
        with pytest.raises(InvalidArgumentError, match="executor must have a method submit, got <class"):
            sweep(studies.cheap, {"number": [1]}, store=tmp_path / "a.sqlite", executor=ThreadPoolExecutor)

    @pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), "soon"])
    def test_bad_timeouts(self, timeout, tmp_path):
        with pytest.raises(InvalidArgumentError, match="worker_timeout must be a finite number greater than 0, got"):
            scores(Calling(), worker_timeout=timeout)
        with pytest.raises(InvalidArgumentError, match="worker_timeout must be a finite number greater than 0, got"):
            sweep(studies.cheap, {"number": [1]}, store=tmp_path / "a.sqlite", processes=0, worker_timeout=timeout)
        assert not list(tmp_path.iterdir())


class TestSweepsOnExecutorsAsTheyAre:
    def run(self, executor, path, units=30, **options):
        return sweep(studies.cheap, {"number": range(units)}, store=path, executor=executor, **options)

    @pytest.mark.parametrize("kind", ["plain", *FUTURES])
    def test_any_future(self, kind, tmp_path):
        assert self.run(Calling(kind), tmp_path / "a.sqlite").done == 30
        sweep(studies.cheap, {"number": range(30)}, store=tmp_path / "b.sqlite", processes=0)
        assert digest(tmp_path / "a.sqlite") == digest(tmp_path / "b.sqlite")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda report: [report], r"got a list of 1 \(Report\); of ipyparallel use client\.executor\(\)"),
            (lambda report: None, "got None"),
            (lambda report: report.outcomes, r"got a tuple of 1 \(Outcome\)"),
            (lambda report: type(report)((), (), "", 0.0), "got an object of type Report"),
        ],
    )
    def test_wrong_results_are_refused(self, change, message, tmp_path):
        with pytest.raises(InvalidArgumentError, match=message) as caught:
            self.run(Calling(change=change), tmp_path / "a.sqlite")
        assert str(caught.value).startswith("executor must return a report of the units of a parcel")
        assert len(read_store(tmp_path / "a.sqlite")) == 0

    def test_results_of_other_units_are_refused(self, tmp_path):
        class Mixing(Calling):
            reports = ()

            def submit(self, function, /, *arguments):
                future = super().submit(function, *arguments)
                self.reports = (*self.reports, future.result())
                mixed = Future()
                mixed.set_result(self.reports[0])
                return mixed

        with pytest.raises(InvalidArgumentError, match="executor must return a report of the units of a parcel"):
            self.run(Mixing(), tmp_path / "a.sqlite")

    @pytest.mark.parametrize("error", [OSError("no route"), TypeError("submit() takes 2"), RuntimeError("shut down")])
    @pytest.mark.parametrize("kind", ["plain", *FUTURES])
    def test_failing_midway_keeps_what_came_back(self, kind, error, tmp_path):
        executor = Calling(kind, fail_at=5, error=error)
        with pytest.raises(InvalidArgumentError, match=f"executor must .* got {type(error).__name__}") as caught:
            self.run(executor, tmp_path / "a.sqlite")
        assert caught.value.__cause__ is error
        done = self.run(Calling(), tmp_path / "a.sqlite")
        assert done.done + done.skipped == 30
        if kind != "bare":  # whose results come by another thread, perhaps later
            assert done.skipped == 5

    def test_a_future_that_tells_twice(self, tmp_path):
        class Twice(Future):
            def add_done_callback(self, tell):
                super().add_done_callback(tell)
                super().add_done_callback(tell)

        class Telling(Calling):
            def submit(self, function, /, *arguments):
                future = Twice()
                future.set_result(function(*arguments))
                return future

        assert self.run(Telling(), tmp_path / "a.sqlite").done == 30

    def test_errors_are_one_line(self, tmp_path):
        executor = Calling(fail_at=0, error=OSError("lost\n  the connection\n"))
        with pytest.raises(InvalidArgumentError, match="got OSError: lost the connection; what"):
            self.run(executor, tmp_path / "a.sqlite")


SILENT = """
import sys, threading
from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores_on
from causal_theory.population import lanes
from causal_theory.sweeps import sweep
from tests.foreign_executors import Silent
from tests.sweeps import studies_for_tests as studies

class Telling(Silent):
    def result(self, timeout=None):
        print("waiting", flush=True)
        super().result()

lanes.BLOCK_ENTRIES, lanes.SERIAL_WORK = 4000, 0
executor = Telling()
try:
    if sys.argv[1] == "scores":
        task = InContextTask(CausalGraph.chain(80), PointPrior([[0.2, 0.8], [0.4, 0.6]]))
        edge_scores_on(executor, task, epsilon=0.02, out=sys.argv[2] + "/x.npy")
    else:
        sweep(studies.cheap, {"number": [1]}, store=sys.argv[2] + "/a.sqlite", executor=executor)
except KeyboardInterrupt:
    print(threading.main_thread() in executor.waited_in)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("what", ["scores", "sweep"])
def test_ctrl_c_reaches_those_who_wait_for_an_executor_that_never_answers(what, tmp_path):
    """Whose future swallows interrupts and whose cancellation hangs: the program ends, without a result."""
    with subprocess.Popen(
        [sys.executable, "-c", SILENT, what, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout.readline() == "waiting\n"
            child.send_signal(signal.SIGINT)
            rest, _ = child.communicate(timeout=120.0)
        finally:
            child.kill()
    assert child.returncode == 0
    assert rest.splitlines()[-1] == "False"
    assert not (tmp_path / "x.npy").exists()


def test_the_driver_asks_for_workers_while_it_waits(tmp_path, monkeypatch):
    """Every executor is asked whether waiting makes sense, and the answer ends the sweep with what came back stored."""
    checks = []

    def check(self):
        checks.append(self)
        if len(checks) == 2:
            raise InvalidArgumentError("executor must have workers")

    monkeypatch.setattr(Caller, "check", check)
    with pytest.raises(InvalidArgumentError, match="executor must have workers"):
        sweep(studies.cheap, {"number": range(9)}, store=tmp_path / "a.sqlite", executor=Calling(undone_from=4))
    assert len(read_store(tmp_path / "a.sqlite")) == 4
