"""Stores: what goes in comes out, what is no store is refused, and there is one writer at a time."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from causal_theory.errors import StoreError
from causal_theory.sweeps import Store, read_store, sweep
from causal_theory.sweeps.outcome import success
from causal_theory.sweeps.store_writer import WritableStore
from tests.sweeps import studies_for_tests as studies

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.sqlite"


def run(study, numbers, path, **options):
    return sweep(study, {"number": numbers}, store=path, processes=0, **options)


class TestUnits:
    def test_come_back_as_the_study_returned_them(self, path):
        run(studies.cheap, range(4), path, settings={"scale": 0.1, "flag": True})
        with Store(path) as store:
            units = store.units()
        assert [unit.settings["number"] for unit in units] == [0, 1, 2, 3]
        for unit in units:
            generator = np.random.default_rng(
                np.random.SeedSequence(0, spawn_key=np.frombuffer(bytes.fromhex(unit.key), ">u4").tolist())
            )
            expected = studies.cheap(rng=generator, **unit.settings)
            assert unit.result.keys() == expected.keys()
            for name, value in expected.items():
                np.testing.assert_array_equal(unit.result[name], value)
                assert type(unit.result[name]) is type(value)
            assert (unit.status, unit.error, unit.repeat, unit.entropy) == ("done", "", 0, 0)
            assert unit.seconds > 0.0
            assert unit.numpy == np.__version__

    def test_are_in_the_order_of_their_settings(self, path):
        run(studies.cheap, [10, 9, 100], path, repeats=2)
        run(studies.cheap, [9], path, settings={"scale": 0.5})
        with Store(path) as store:
            order = [(unit.settings["number"], unit.settings["scale"], unit.repeat) for unit in store.units()]
        assert order == [
            (9, 0.5, 0),
            (9, 1.0, 0),
            (9, 1.0, 1),
            (10, 1.0, 0),
            (10, 1.0, 1),
            (100, 1.0, 0),
            (100, 1.0, 1),
        ]

    @pytest.mark.parametrize(
        "value", [0.1, 1e-320, -0.0, 2.0**-1074, np.pi, 1e308, np.inf, -np.inf, 3, 2**80, "ä", True]
    )
    def test_keep_every_number(self, value):
        back = json.loads(success("key", 0.0, {"value": value}, {}).result)["value"]
        assert repr(back) == repr(value)

    def test_have_the_same_bytes_for_the_same_array(self):
        wide = np.arange(6.0).reshape(2, 3)
        bytes_of = [success("key", 0.0, {"a": array}, {}).arrays["a"] for array in (wide, np.asfortranarray(wide))]
        assert bytes_of[0] == bytes_of[1]


class TestStudies:
    def test_share_a_store(self, path):
        run(studies.cheap, range(2), path)
        run(studies.raises, range(4), path)
        with Store(path) as store:
            status = {entry.study: (entry.done, entry.failed) for entry in store.status()}
            (version,) = store.status()[0].versions
            assert store.parameters() == {"cheap": ["number", "scale", "label", "flag"], "raises": ["number", "worst"]}
            code = store.units("cheap")[0].code
        assert status == {"cheap": (2, 0), "raises": (2, 2)}
        assert version.endswith(code[:8])

    def test_of_one_name_are_told_apart(self, path, monkeypatch):
        run(studies.cheap, range(2), path)
        monkeypatch.setattr(studies.trivial, "__name__", "cheap")
        message = "store must hold one study of the name cheap, got .* with .*:cheap instead of .*:trivial"
        with pytest.raises(StoreError, match=message):
            run(studies.trivial, range(2), path)


class TestContents:
    def test_tell_nothing_of_time_and_place(self, path, tmp_path, monkeypatch):
        run(studies.cheap, range(5), path)
        monkeypatch.setattr("causal_theory.sweeps.evaluation.host", lambda: "elsewhere")
        run(studies.cheap, [3, 4, 0, 1, 2], tmp_path / "other.sqlite")
        with Store(path) as first, Store(tmp_path / "other.sqlite") as second:
            assert first.contents() == second.contents()
            assert first.digest() == second.digest()
            assert first.units()[0].host != second.units()[0].host

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE units SET result = replace(result, '0', '1')",
            "UPDATE arrays SET npy = zeroblob(8)",
            "DELETE FROM arrays",
            "UPDATE units SET status = 'failed'",
            "UPDATE units SET repeat = 1",
        ],
    )
    def test_tell_of_every_change(self, path, change):
        run(studies.cheap, range(1), path)
        with Store(path) as store:
            before = store.digest()
        connection = sqlite3.connect(path)
        connection.execute(change)
        connection.commit()
        connection.close()
        with Store(path) as store:
            assert store.digest() != before


class TestOtherFiles:
    """Refused before any work, and left as they are."""

    def refused(self, path, message):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(StoreError, match=message):
            run(studies.trivial, range(2), path)
        with pytest.raises(StoreError, match="store must"):
            Store(path)
        if before is not None:
            assert path.read_bytes() == before

    def test_text(self, path):
        path.write_text("length,margin\n" * 100, encoding="utf-8")
        self.refused(path, "store must be a file written by a sweep, got .*results.sqlite")

    def test_another_database(self, path):
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE other (a)")
        connection.close()
        self.refused(path, "store must be a file written by a sweep, got the other database")

    def test_another_format(self, path):
        run(studies.trivial, range(2), path)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA user_version = 7")
        connection.close()
        self.refused(path, "store must have format 1, got .* of format 7")

    def test_a_folder(self, tmp_path):
        self.refused(tmp_path, "store must be a plain file, got")

    def test_a_missing_folder(self, tmp_path):
        self.refused(tmp_path / "missing" / "a.sqlite", "store must be in a folder that exists, got")

    def test_no_file_is_not_made_by_reading(self, path):
        with pytest.raises(StoreError, match="store must be a file that exists, got"):
            read_store(path)
        assert not path.exists()

    def test_an_empty_file_becomes_a_store(self, path):
        path.touch()
        with pytest.raises(StoreError, match="which is empty"):
            read_store(path)
        assert run(studies.trivial, range(2), path).done == 2


class TestWriters:
    def test_are_one_at_a_time(self, path):
        with WritableStore(path), pytest.raises(StoreError, match="store must be used by one sweep at a time, got "):
            run(studies.trivial, range(2), path)
        assert run(studies.trivial, range(2), path).done == 2

    def test_by_another_name_are_the_same(self, path):
        link = path.with_name("link.sqlite")
        link.symlink_to(path)
        with WritableStore(path), pytest.raises(StoreError, match="one sweep at a time"):
            run(studies.trivial, range(2), link)

    def test_in_another_process_are_refused_until_it_dies(self, path):
        code = (
            "import sys; from causal_theory.sweeps.store_writer import WritableStore; "
            "store = WritableStore(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
        )
        words = [sys.executable, "-c", code, path]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as holder:
            assert holder.stdout.readline() == b"open\n"
            with pytest.raises(StoreError, match="one sweep at a time"):
                run(studies.trivial, range(2), path)
            holder.kill()
        assert run(studies.trivial, range(2), path).done == 2

    def test_do_not_disturb_readers(self, path):
        run(studies.trivial, range(2), path)
        with WritableStore(path) as writer, Store(path) as reader:
            writer._connection.execute("BEGIN IMMEDIATE")
            writer._connection.execute("DELETE FROM units")
            assert len(reader.units()) == 2
            assert len(read_store(path)) == 2
            writer._connection.execute("ROLLBACK")

    def test_leave_one_file_and_the_lock(self, path):
        run(studies.trivial, range(2), path)
        assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


VANISHED = {
    "remove": "which was removed or moved",
    "move": "which was removed or moved",
    "replace": "which was replaced by another file",
    "empty": "which was replaced by another file",
    "cut": "which was cut from [0-9]+ bytes to 0",
    "remove folder": "which was removed or moved",
    "move folder": "which was removed or moved",
    "remove -wal": "and 'a.sqlite-wal' beside it, which was removed or moved",
    "remove -shm": "and 'a.sqlite-shm' beside it, which was removed or moved",
    "remove .lock": "and 'a.sqlite.lock' beside it, which was removed or moved",
}


class TestVanishedStores:
    """Whatever happens to the files while they are used: results that nobody will find are no results."""

    @pytest.fixture
    def path(self, tmp_path):
        folder = tmp_path / "inner"
        folder.mkdir()
        return folder / "a.sqlite"

    @pytest.mark.parametrize("how", VANISHED)
    @pytest.mark.parametrize("last", [2, 5])
    def test_end_the_sweep(self, path, how, last):
        """In the middle, and in the last unit."""
        with pytest.raises(StoreError, match=f"store must stay where it is .*{VANISHED[how]}") as caught:
            run(studies.tampers, range(last + 1), path, settings={"store": str(path), "how": how})
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("how", VANISHED)
    def test_are_noticed_after_the_last_result(self, path, how, monkeypatch):
        add = WritableStore.add

        def then_tamper(self, reports):
            add(self, reports)
            studies.tampers(number=2, store=str(path), how=how)

        monkeypatch.setattr(WritableStore, "add", then_tamper)
        with pytest.raises(StoreError, match=VANISHED[how]):
            run(studies.trivial, [1], path)

    def test_are_noticed_when_what_was_stored_is_not_there(self, path, monkeypatch):
        """The file is the same, but somebody else has written to it."""
        rows = WritableStore._rows

        def emptied(self, statement, given=()):
            found = rows(self, statement, given)
            if "count" in statement:
                with closing(sqlite3.connect(path)) as other:
                    other.execute("DELETE FROM units")
                    other.commit()
            return found

        monkeypatch.setattr(WritableStore, "_rows", emptied)
        with pytest.raises(StoreError, match=r"store must hold the 2 units that were stored, got .* with 0"):
            run(studies.trivial, range(2), path)

    @pytest.mark.parametrize("how", ["overwrite", "cut -wal"])
    def test_are_noticed_when_they_are_overwritten_or_mended(self, path, how):
        """SQLite may still have everything in its log, and write it anew: then nothing is lost."""
        lost = False
        try:
            run(studies.tampers, range(6), path, settings={"store": str(path), "how": how})
        except StoreError:
            lost = True
        assert lost or read_store(path)["number"].tolist() == list(range(6))

    def test_are_noticed_by_readers(self, path):
        run(studies.trivial, range(3), path)
        with Store(path) as store:
            path.rename(f"{path}.other")
            for read in (store.units, store.status, store.parameters, store.digest):
                with pytest.raises(StoreError, match=r"store must stay where it is .* was removed or moved"):
                    read()

    def test_are_noticed_by_readers_of_a_table(self, path, monkeypatch):
        run(studies.trivial, range(3), path)
        units = Store.units
        monkeypatch.setattr(Store, "units", lambda self, name: path.unlink() or units(self, name))
        with pytest.raises(StoreError, match="was removed or moved"):
            read_store(path)

    def test_are_none_when_the_study_goes_elsewhere(self, path, monkeypatch):
        monkeypatch.chdir(path.parent)
        settings = {"store": str(path), "how": "change directory"}
        found = run(studies.tampers, range(4), Path(path.name), settings=settings)
        assert found.ok
        assert len(read_store(path)) == 4

    def test_in_a_folder_that_is_gone_are_told(self, tmp_path, monkeypatch):
        folder = tmp_path / "gone"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()
        with pytest.raises(StoreError, match="store must be"):
            run(studies.trivial, [1], Path("a.sqlite"))
        with pytest.raises(StoreError, match="store must be"):
            read_store("a.sqlite")


@pytest.mark.parametrize(
    "change",
    ["UPDATE units SET result = '{'", "UPDATE arrays SET npy = zeroblob(8)", "UPDATE units SET settings = 'x'"],
)
def test_contents_that_no_sweep_wrote_are_told(path, change):
    run(studies.cheap, range(1), path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(StoreError, match=r"store must hold what a sweep wrote, got .*results\.sqlite"):
        read_store(path)


def test_is_read_where_nothing_can_be_written(path, monkeypatch):
    """The superuser may write everywhere, so that the folder only says that it cannot be written to."""
    run(studies.trivial, range(2), path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert len(read_store(path)) == 2
    assert not Path(f"{path}-shm").exists()
