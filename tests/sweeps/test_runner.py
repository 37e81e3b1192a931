"""Sweeps: what is evaluated, what is skipped, what fails, and what is said about it."""

import os
import signal
import threading
from concurrent.futures import Future

import numpy as np
import pytest

from causal_theory.errors import InvalidArgumentError, StoreError, TooLargeError
from causal_theory.provenance import CodeVersion, code_version
from causal_theory.sweeps import Store, SweepInterrupted, expand_grid, find_study, read_store, sweep
from causal_theory.sweeps import driver as driver_module
from causal_theory.sweeps import evaluation as evaluation_module
from causal_theory.sweeps import runner as runner_module
from causal_theory.sweeps.evaluation import Parcel, evaluate
from causal_theory.sweeps.outcome import MOST_ARRAY_BYTES, failure
from causal_theory.sweeps.store_writer import WritableStore
from causal_theory.training.interrupts import Terminated
from tests.helpers import wait_until
from tests.sweeps import studies_for_tests as studies
from tests.sweeps.helpers import Clock, digest, numbers
from tests.sweeps.test_studies import SMALL


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.sqlite"


def run(study, values, path, **options):
    return sweep(study, {"number": values}, store=path, **{"processes": 0} | options)


def counts(result):
    return result.done, result.skipped, result.failed


def test_settings_of_the_caller_reach_no_study(path):
    with np.errstate(all="raise"):
        result = run(studies.underflows, [2, 3], path)
    assert counts(result) == (2, 0, 0)
    assert result.table()["product"].tolist() == [0.0, 0.0]


class TestResume:
    def test_evaluates_what_is_missing(self, path):
        assert counts(run(studies.cheap, range(3), path)) == (3, 0, 0)
        assert counts(run(studies.cheap, range(5), path)) == (2, 3, 0)
        assert counts(run(studies.cheap, range(5), path, repeats=2)) == (5, 5, 0)
        assert counts(run(studies.cheap, range(5), path, repeats=2, rng=1)) == (10, 0, 0)
        assert counts(run(studies.cheap, range(5), path, settings={"scale": 2})) == (5, 0, 0)

    def test_leads_to_the_same_results(self, path, tmp_path):
        run(studies.cheap, [4, 1], path, settings={"scale": 0.5})
        run(studies.cheap, range(6), path, settings={"scale": 0.5})
        run(studies.cheap, range(6), tmp_path / "whole.sqlite", settings={"scale": 0.5})
        assert digest(path) == digest(tmp_path / "whole.sqlite")

    def test_of_a_finished_sweep_starts_nothing(self, path, monkeypatch):
        run(studies.cheap, range(3), path)
        monkeypatch.setattr(runner_module, "ProcessPool", None)
        assert counts(run(studies.cheap, range(3), path, processes=2)) == (0, 3, 0)

    def test_tries_failures_again(self, path, tmp_path):
        settings = {"marker": str(tmp_path / "marker")}
        failed = run(studies.raises_once, range(3), path, settings=settings)
        assert counts(failed) == (0, 0, 3)
        assert not failed.ok
        (tmp_path / "marker").touch()
        again = run(studies.raises_once, range(3), path, settings=settings)
        assert counts(again) == (3, 0, 0)
        assert again.ok
        assert len(again.table().failures) == 0


class TestCodeVersion:
    def other(self, monkeypatch):
        """Another version runs from here on."""
        version = code_version(studies.cheap)
        changed = CodeVersion("99", "f" * 64, version.numpy, version.numba, version.python)
        monkeypatch.setattr("causal_theory.sweeps.evaluation.code_version", lambda *used: changed)

    def test_another_one_evaluates_again(self, path, monkeypatch):
        run(studies.cheap, range(3), path)
        with monkeypatch.context() as context:
            self.other(context)
            assert counts(run(studies.cheap, range(2), path)) == (2, 0, 0)
        with Store(path) as store:
            assert [unit.package for unit in store.units()][:2] == ["99", "99"]
            assert len(store.status()[0].versions) == 2
            assert store.status()[0].versions == read_store(path).versions
        assert "3 rows, 2 versions of the code, columns" in repr(read_store(path))
        assert counts(run(studies.cheap, range(3), path)) == (2, 1, 0)

    def test_another_one_is_reused_on_request(self, path, monkeypatch):
        run(studies.cheap, range(3), path)
        self.other(monkeypatch)
        assert counts(run(studies.cheap, range(3), path, reuse_other_versions=True)) == (0, 3, 0)

    def test_of_a_study_without_a_file_is_refused(self):
        space: dict[str, object] = {}
        exec(compile("def study(*, number: int): return {}", "<stdin>", "exec"), space)
        with pytest.raises(InvalidArgumentError, match="study must be defined in a file"):
            code_version(space["study"])

    def test_of_a_worker_must_be_that_of_the_driver(self, path):
        class Elsewhere:
            def submit(self, function, parcel):
                report = function(parcel)
                future = Future()
                version = CodeVersion("0.1", "0" * 64, "2", "0", "3")
                future.set_result(
                    type(report)(report.outcomes, (version,) * len(report.outcomes), "far", report.finished)
                )
                return future

        with pytest.raises(InvalidArgumentError, match=r"executor must run the code of this process, .* got 0\.1 with"):
            run(studies.cheap, range(3), path, executor=Elsewhere(), processes=None)
        assert numbers(path) == []


class TestFailures:
    def test_do_not_stop_the_sweep(self, path):
        found = run(studies.raises, range(7), path)
        assert counts(found) == (4, 0, 3)
        assert not found.ok
        table = found.table()
        assert table["number"].tolist() == [1, 2, 4, 5]
        assert [one.settings["number"] for one in table.failures] == [0, 3, 6]
        error = table.failures[1].error
        assert error.startswith("Traceback (most recent call last):\n  File ")
        assert "studies_for_tests.py" in error.splitlines()[1]
        assert error.endswith("RuntimeError: number 3 is a multiple of 3\n")

    @pytest.mark.parametrize(
        ("study", "message"),
        [
            (studies.returns_number, "result of a study must be a mapping, got 1.0"),
            (studies.returns_list, "numbers must be a number, a text, True, False or an array, got [1]"),
            (studies.returns_parameter, "must be printable texts, and neither those of parameters nor repeat, seed"),
            (studies.returns_complex, "numbers must be an array of real numbers or truth values, got type complex128"),
            (studies.exits, "SystemExit: 1"),
        ],
    )
    def test_of_what_cannot_be_stored_say_why(self, study, message, path):
        (failed,) = run(study, [1], path).table().failures
        assert message in failed.error

    def test_of_large_arrays(self, path):
        """The header of the array counts: 128 bytes."""
        sizes = [MOST_ARRAY_BYTES - 128, MOST_ARRAY_BYTES - 127]
        found = sweep(studies.large, {"size": sizes}, settings={"number": 1}, store=path, processes=0)
        assert found.table()["data"].shape == (1, sizes[0])
        assert "arrays of a result must have at most 1048576 bytes, got 1048577" in found.table().failures[0].error

    def test_keep_the_end_of_a_long_text(self):
        outcome = failure("key", 0.0, "x" * 50_000 + "end")
        assert len(outcome.error) == 20_000
        assert outcome.error.endswith("xend")

    def test_may_quote_what_is_no_text(self, path, monkeypatch):
        code_version(studies.raises)  # as it is in its file
        monkeypatch.setattr(studies, "MESSAGE", "file \udcff")
        assert "file \\udcff 0 is" in run(studies.raises, [0], path).table().failures[0].error


class TestResult:
    def test_table_has_the_order_of_the_grid(self, path):
        run(studies.cheap, range(10), path)
        table = run(studies.cheap, [5, 2, 7], path, repeats=2).table()
        assert table["number"].tolist() == [5, 5, 2, 2, 7, 7]
        assert table["repeat"].tolist() == [0, 1] * 3
        assert table["draws"].shape == (6, 3)
        np.testing.assert_allclose(table["draws"].sum(axis=1), table["total"], rtol=1e-13)

    def test_is_told_in_a_notebook(self, path):
        found = run(studies.cheap, range(3), path)
        assert "Sweep of cheap" in found._repr_html_()
        assert "keys" not in repr(found)


class TestBatches:
    @pytest.mark.parametrize("processes", [0, 1])
    def test_are_committed_before_the_sweep_is_over(self, path, processes, tmp_path):
        """Half of the units wait until a reader has seen others."""
        gate = tmp_path / "gate"

        def look():
            try:
                wait_until(lambda: len(read_store(path)) > 0)
                seen.append(len(read_store(path)))
            finally:
                gate.touch()

        seen = []
        with WritableStore(path) as store:
            store.register(find_study(studies.waits_at_a_gate))
        reader = threading.Thread(target=look, daemon=True)
        reader.start()
        settings = {"gate": str(gate), "first": 30}
        found = run(studies.waits_at_a_gate, range(60), path, processes=processes, settings=settings)
        reader.join()
        assert counts(found) == (60, 0, 0)
        assert 0 < seen[0] <= 30

    def test_that_cannot_be_stored_end_the_sweep(self, path, monkeypatch):
        calls = []
        add = WritableStore.add

        def failing(self, reports):
            calls.append(1)
            if len(calls) > 1:
                raise StoreError("store must be a file that can be written")
            add(self, reports)

        monkeypatch.setattr(WritableStore, "add", failing)
        with pytest.raises(StoreError):
            run(studies.waits, range(120), path)
        monkeypatch.undo()
        assert len(calls) == 2
        stored = len(numbers(path))
        assert 0 < stored < 120
        assert counts(run(studies.waits, range(120), path)) == (120 - stored, stored, 0)


class TestInterrupt:
    @pytest.fixture(autouse=True)
    def heard(self):
        """Programs that a shell starts in the background ignore Ctrl-C, and so do the tests in them."""
        provided = ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))
        before = {number: signal.signal(number, handler) for number, handler in provided}
        yield
        for number, handler in before.items():
            signal.signal(number, handler)

    @pytest.mark.parametrize("processes", [0, 1])
    @pytest.mark.parametrize(
        ("number", "error"), [(signal.SIGINT, SweepInterrupted), (signal.SIGTERM, Terminated)], ids=["ctrl-c", "term"]
    )
    def test_keeps_what_is_finished_and_says_how_to_go_on(self, path, processes, tmp_path, number, error):
        gate = tmp_path / "gate"
        settings = {"gate": str(gate), "first": 500}
        with WritableStore(path) as store:
            store.register(find_study(studies.waits_at_a_gate))

        def interrupt():
            try:
                wait_until(lambda: len(read_store(path)) >= 3)
                os.kill(os.getpid(), number)
            finally:
                gate.touch()

        interrupter = threading.Thread(target=interrupt, daemon=True)
        interrupter.start()
        with pytest.raises(error, match=r"interrupted: \d+ of 1000 units are stored in .*repeat the sweep"):
            run(studies.waits_at_a_gate, range(1000), path, processes=processes, settings=settings)
        interrupter.join()
        stored = len(numbers(path))
        assert 3 <= stored < 1000
        assert counts(run(studies.waits_at_a_gate, range(stored + 2), path, settings=settings))[2] == 0

    def test_by_sigterm_twice_ends_a_unit_that_trains(self, path):
        """It is no failure of the unit, which has no result."""
        with pytest.raises(Terminated) as caught:
            run(studies.terminates, range(3), path)
        assert caught.value.code == 143
        with Store(path) as store:
            assert [(unit.settings["number"], unit.status) for unit in store.units()] == [(0, "done")]


class TestParcels:
    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        """Here units take as long as they say."""
        clock = Clock()
        for module in (studies, evaluation_module):
            monkeypatch.setattr(module, "time", clock)

    def test_that_take_too_long_come_back(self):
        study = find_study(studies.waits)
        units = expand_grid(study, {"number": range(50)}, settings={"seconds": 0.25})
        report = evaluate(Parcel(study, tuple(units), 1.0, None))
        assert len(report.outcomes) == 5
        assert [outcome.key for outcome in report.outcomes] == [unit.key for unit in units[: len(report.outcomes)]]

    def test_lose_nothing_when_they_come_back(self, path, monkeypatch):
        monkeypatch.setattr(driver_module, "PARCEL_SECONDS", 10.0)
        monkeypatch.setattr(driver_module, "MOST_PARCEL_SECONDS", 1.0)
        assert counts(run(studies.waits, range(60), path, settings={"seconds": 0.25})) == (60, 0, 0)
        assert numbers(path) == list(range(60))

    def test_grow_while_units_are_quick(self, path, monkeypatch):
        sizes = []

        class Counting:
            def submit(self, function, parcel):
                sizes.append(len(parcel.units))
                future = Future()
                future.set_result(function(parcel))
                return future

        assert counts(run(studies.trivial, range(1000), path, executor=Counting(), processes=None)) == (1000, 0, 0)
        assert sizes[0] == 1
        assert max(sizes) == driver_module.MOST_IN_PARCEL
        assert len(sizes) < 50
        sizes.clear()
        run(studies.waits, range(5), path, executor=Counting(), processes=None, settings={"seconds": 0.2})
        assert max(sizes) == 1


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"rng": -1}, InvalidArgumentError, "rng must be an integer of at least 0, got -1"),
            ({"rng": None}, InvalidArgumentError, "rng must be an integer of at least 0, got None"),
            ({"processes": -1}, InvalidArgumentError, "processes must be an integer of at least 0, got -1"),
            ({"threads_per_process": 0}, InvalidArgumentError, "threads_per_process must be an integer of at least 1"),
            ({"executor": 3, "processes": None}, InvalidArgumentError, "executor must have a method submit, got 3"),
            (
                {"executor": driver_module.SerialExecutor()},
                InvalidArgumentError,
                "processes must not be given together",
            ),
            ({"limit": 2}, TooLargeError, "grid must have at most 2 units"),
        ],
    )
    def test_is_refused_before_the_store_is_made(self, options, error, message, path):
        with pytest.raises(error, match=message):
            run(studies.trivial, range(3), path, **options)
        assert not path.exists()


@pytest.mark.parametrize("study", SMALL, ids=lambda study: study.__name__)
def test_provided_studies_can_be_stored(study, path):
    """Results have names of their own: a table has one column for each."""
    found = sweep(study.__name__, [SMALL[study]], store=path, processes=0)
    assert found.ok, found.table().failures[0].error
    assert len(found.table()) == 1


class TestBar:
    def test_tells_units_failures_and_rate_on_a_terminal(self, path, monkeypatch, capsys):
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
        monkeypatch.setenv("COLUMNS", "120")
        run(studies.raises, range(12), path)
        shown = capsys.readouterr().err
        assert "raises" in shown
        assert "12/12" in shown
        assert "4 failed" in shown

    def test_is_not_shown_elsewhere_or_when_not_wanted(self, path, monkeypatch, capsys):
        run(studies.trivial, range(12), path)
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
        run(studies.trivial, range(12), path, progress=False, rng=1)
        assert capsys.readouterr().err == ""
