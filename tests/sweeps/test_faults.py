"""Faults that a sweep of many hours may meet: afterwards nothing is lost, doubled or wrong."""

import json
import multiprocessing
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from causal_theory.errors import StoreError
from causal_theory.sweeps import expand_grid, find_study, read_store, sweep
from causal_theory.sweeps.apart import evaluate_apart
from causal_theory.sweeps.evaluation import Parcel, evaluate
from tests.helpers import wait_until
from tests.sweeps import studies_for_tests as studies
from tests.sweeps.helpers import dask_executor, digest, mortal_cluster, numbers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.sqlite"


def counts(result):
    return result.done, result.skipped, result.failed


class TestKilledProcess:
    def test_in_the_middle_of_a_unit(self, path, tmp_path, pool):
        """The unit is evaluated again, to the result that it has in a process that lives."""
        settings = {"victim": 40, "marker": str(tmp_path / "marker")}
        found = sweep(studies.dies_once, {"number": range(80)}, store=path, settings=settings, executor=pool)
        assert (tmp_path / "marker").exists()
        assert counts(found) == (80, 0, 0)
        sweep(studies.dies_once, {"number": range(80)}, store=tmp_path / "b.sqlite", settings=settings, processes=0)
        assert digest(path) == digest(tmp_path / "b.sqlite")

    def test_every_time(self, path, tmp_path, pool):
        """The unit is a failure after three deaths, and all others have their results."""
        settings = {"victim": 40, "log": str(tmp_path / "log")}
        found = sweep(studies.dies, {"number": range(80)}, store=path, settings=settings, executor=pool)
        assert counts(found) == (79, 0, 1)
        (failed,) = found.table().failures
        assert failed.settings["number"] == 40
        assert failed.error == "the process that evaluated it died, 3 times"
        assert len((tmp_path / "log").read_text().split()) == 3

    def test_by_somebody_else(self, path, tmp_path):
        def kill():
            try:
                wait_until(lambda: len(read_store(path)) >= 20)
                victims.extend(process for process in multiprocessing.active_children() if process not in others)
                victims[0].kill()
            finally:
                (tmp_path / "gate").touch()

        victims, others = [], multiprocessing.active_children()
        settings = {"gate": str(tmp_path / "gate"), "first": 150}
        sweep(studies.waits_at_a_gate, {"number": [-1]}, store=path, settings=settings, processes=0)
        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        found = sweep(studies.waits_at_a_gate, {"number": range(300)}, store=path, settings=settings, processes=2)
        killer.join()
        assert victims[0].exitcode == -9
        assert counts(found) == (300, 0, 0)

    def test_of_dask(self, path, tmp_path):
        """Dask starts a worker in the place of the killed one; when it gives a unit up, that is tried again as well."""
        once = {"victim": 5, "marker": str(tmp_path / "marker")}
        always = {"victim": 5, "log": str(tmp_path / "log")}
        with dask_executor() as (executor, cluster):
            found = sweep(studies.dies_once, {"number": range(20)}, store=path, settings=once, executor=executor)
            assert counts(found) == (20, 0, 0)
            cluster.scheduler.allowed_failures = 0
            dying = sweep(
                studies.dies, {"number": range(20)}, store=tmp_path / "b.sqlite", settings=always, executor=executor
            )
        assert counts(dying) == (19, 0, 1)
        assert dying.table().failures[0].error == "the process that evaluated it died, 3 times"
        assert len((tmp_path / "log").read_text().split()) == 3
        sweep(studies.dies_once, {"number": range(20)}, store=tmp_path / "c.sqlite", settings=once, processes=0)
        assert digest(path) == digest(tmp_path / "c.sqlite")

    @pytest.mark.slow
    @pytest.mark.parametrize(("workers", "threads", "units"), [(2, 2, 6), (1, 4, 60)])
    def test_of_dask_with_several_threads(self, workers, threads, units, path, tmp_path):
        """A worker that dies takes other units along: those have their results, and the sweep has an end."""
        distributed = pytest.importorskip("distributed", reason="needs Dask: pip install distributed")
        settings = {"victims": 6, "log": str(tmp_path / "log")}
        with (
            mortal_cluster(workers, threads) as cluster,
            distributed.Client(cluster) as client,
        ):
            found = sweep(
                studies.dies_often,
                {"number": range(units)},
                store=path,
                settings=settings,
                executor=client.get_executor(),
            )
        assert counts(found) == (units - 2, 0, 2)
        assert sorted(failed.settings["number"] for failed in found.table().failures) == [1, 4]
        assert {failed.error for failed in found.table().failures} == {"the process that evaluated it died, 3 times"}
        assert sorted(numbers(path)) == sorted(set(range(units)) - {1, 4})


class TestApart:
    """Units under suspicion are evaluated apart from others."""

    def parcel(self, function, settings, units):
        study = find_study(function)
        grid = expand_grid(study, {"number": units}, settings=settings, repeats=1, entropy=0, limit=100)
        return Parcel(study, tuple(grid), 1e9, None)

    @pytest.mark.parametrize("died", [1, 2])
    def test_one_culprit_for_each_death(self, died, tmp_path):
        log = tmp_path / "log"
        parcel = self.parcel(studies.dies_often, {"victims": 6, "log": str(log)}, range(7))
        report = evaluate_apart(parcel, died, 3)
        assert [outcome.key for outcome in report.outcomes] == [unit.key for unit in parcel.units]
        assert [k for k, outcome in enumerate(report.outcomes) if outcome.status == "failed"] == [1, 4]
        assert log.read_text().split() == ["1"] * (3 - died) + ["4"] * (3 - died)
        assert report.versions == evaluate(parcel_of_one(parcel)).versions * len(report.outcomes)

    def test_results_are_those_of_any_other_process(self):
        parcel = self.parcel(studies.cheap, {"scale": 0.1}, range(5))
        apart, here = evaluate_apart(parcel, 1, 3), evaluate(parcel)
        assert [(one.key, one.status, one.result, one.arrays) for one in apart.outcomes] == [
            (one.key, one.status, one.result, one.arrays) for one in here.outcomes
        ]

    def test_where_no_process_can_be_started(self, monkeypatch):
        """The units are evaluated here: they may be innocent, and the death of this process would be their last."""
        monkeypatch.setattr(sys, "executable", "/there/is/no/such/file")
        report = evaluate_apart(self.parcel(studies.cheap, {}, range(3)), 1, 3)
        assert [outcome.status for outcome in report.outcomes] == ["done"] * 3

    def test_what_a_study_prints_is_no_answer(self, monkeypatch, capfd):
        parcel = self.parcel(studies.prints, {}, range(3))
        report = evaluate_apart(parcel, 1, 3)
        assert [outcome.status for outcome in report.outcomes] == ["done"] * 3
        assert capfd.readouterr().err.split() == ["0", "1", "2"]


def parcel_of_one(parcel):
    return replace(parcel, units=parcel.units[:1])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the processes of a process are read from /proc")
def test_driver_killed_ten_times(path, tmp_path):
    units = 4000
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweeps.killed_driver", path, str(units), "20"],
        cwd=ROOT,
        env=os.environ | {"PAUSE": "0.003", "GATES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kills) == 10
    assert all(kill["was_running"] for kill in kills), kills
    # What a reader had seen was there after the kill, every driver got on, and the last one had still something to do.
    assert all(kill["before"] <= kill["after"] for kill in kills), kills
    assert all(one["after"] < other["before"] for one, other in pairwise(kills)), kills
    assert 0 < kills[0]["before"] <= kills[-1]["after"] < units
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert Counter(numbers(path)) == Counter(range(units))
    sweep(studies.pauses, {"number": range(units)}, store=tmp_path / "b.sqlite", processes=0, rng=5)
    assert digest(path) == digest(tmp_path / "b.sqlite")


class TestFullDisk:
    def test_keeps_what_was_stored(self, path, tmp_path):
        """No file may grow beyond two megabytes, which SQLite is told as on a full disk."""
        limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, hard))
        try:
            self.fails(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        self.goes_on(path, tmp_path)

    def test_that_is_one(self, tmp_path):
        """A small file system of its own, where this user may mount one; then it is made larger."""
        folder = tmp_path / "small"
        folder.mkdir()
        if shutil.which("mount") is None or not mounted("-t", "tmpfs", "-o", "size=4m", "tmpfs", folder):
            pytest.skip("no file system can be mounted here")
        try:
            self.fails(folder / "results.sqlite")
            assert mounted("-o", "remount,size=100m", folder)
            self.goes_on(folder / "results.sqlite", tmp_path)
        finally:
            subprocess.run(["umount", folder], check=True)

    def fails(self, path):
        sweep(studies.large, {"number": [1, 2]}, store=path, settings={"size": 100_000}, processes=0)
        with pytest.raises(
            StoreError, match=r"got .*results.sqlite.*; what was stored before remains.*repeated to go on"
        ):
            sweep(studies.large, {"number": range(200)}, store=path, settings={"size": 100_000}, processes=0)

    def goes_on(self, path, tmp_path):
        kept = numbers(path)
        assert set(kept) >= {1, 2}
        assert len(kept) < 200
        found = sweep(studies.large, {"number": range(200)}, store=path, settings={"size": 100_000}, processes=0)
        assert counts(found) == (200 - len(kept), len(kept), 0)
        whole = tmp_path / "whole.sqlite"
        sweep(studies.large, {"number": range(200)}, store=whole, settings={"size": 100_000}, processes=0)
        assert digest(path) == digest(whole)


def mounted(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], check=False, capture_output=True).returncode == 0
