"""Stores of parts of a grid, put together: the same as one sweep of all of it."""

import sqlite3

import pytest

from causal_theory.errors import InvalidArgumentError, StoreError
from causal_theory.sweeps import Store, merge_stores, sweep
from tests.sweeps import studies_for_tests as studies
from tests.sweeps.helpers import digest, numbers


def run(study, chosen, path, **options):
    return sweep(study, {"number": chosen}, store=path, processes=0, progress=False, **options)


def change(path, statement):
    """Edit a store by hand."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_parts_are_the_whole(tmp_path):
    whole, first, second = (tmp_path / f"{name}.sqlite" for name in ("whole", "first", "second"))
    run(studies.cheap, range(9), whole, repeats=2)
    run(studies.cheap, range(5), first, repeats=2)
    run(studies.cheap, range(3, 9), second, repeats=2)
    before = digest(first), digest(second)
    merged = tmp_path / "merged.sqlite"
    assert merge_stores([first, second], merged) == 18
    assert digest(merged) == digest(whole)
    assert (digest(first), digest(second)) == before
    assert merge_stores([first, second], merged) == 0
    assert digest(merged) == digest(whole)


def test_a_merged_store_goes_on(tmp_path):
    part, merged = tmp_path / "part.sqlite", tmp_path / "merged.sqlite"
    run(studies.cheap, range(3), part)
    merge_stores([part], merged)
    result = run(studies.cheap, range(5), merged)
    assert (result.skipped, result.done) == (3, 2)


def test_results_beat_failures_in_either_order(tmp_path):
    marker = tmp_path / "marker"
    failed, done = tmp_path / "failed.sqlite", tmp_path / "done.sqlite"
    settings = {"settings": {"marker": str(marker)}}
    assert not run(studies.raises_once, range(3), failed, **settings).ok
    marker.touch()
    assert run(studies.raises_once, range(3), done, **settings).ok
    change(failed, "UPDATE units SET finished = '2100-01-01T00:00:00.000+00:00'")  # failures are later here
    for name, sources in (("one", (failed, done)), ("two", (done, failed))):
        merged = tmp_path / f"{name}.sqlite"
        merge_stores(sources, merged)
        assert digest(merged) == digest(done)
        assert numbers(merged, "failed") == []


def test_the_later_of_two_versions_is_kept(tmp_path):
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    for path in (old, new):
        run(studies.cheap, range(2), path)
    change(old, "UPDATE units SET code = 'other', result = '{}', finished = '2000-01-01T00:00:00.000+00:00'")
    change(old, "UPDATE arrays SET position = 7")  # nothing of it may stay beside the new arrays
    for name, sources in (("one", (old, new)), ("two", (new, old))):
        merge_stores(sources, tmp_path / f"{name}.sqlite")
        assert digest(tmp_path / f"{name}.sqlite") == digest(new)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE units SET result = '{}'",
        "UPDATE arrays SET npy = x'00'",
        "DELETE FROM arrays",
        "INSERT INTO arrays SELECT key, 7, name, npy FROM arrays",
    ],
)
def test_contradictions_are_refused(tmp_path, edit):
    one, two, merged = (tmp_path / f"{name}.sqlite" for name in ("one", "two", "merged"))
    for path in (one, two):
        run(studies.cheap, range(2), path)
    change(two, edit)
    with pytest.raises(StoreError, match="stores must agree on units that the same code computed, got two results"):
        merge_stores([one, two], merged)
    assert digest(merged) == digest(one)


def test_bad_input(tmp_path):
    part, merged = tmp_path / "part.sqlite", tmp_path / "merged.sqlite"
    run(studies.cheap, range(2), part)
    with pytest.raises(InvalidArgumentError, match="sources must name at least one store, got none"):
        merge_stores([], merged)
    with pytest.raises(InvalidArgumentError, match="into must not be one of the sources"):
        merge_stores([part], part)
    other = tmp_path / "other.txt"
    other.write_text("no store at all, but long enough to be read as a header of something else" * 20, encoding="utf-8")
    for path in (other, tmp_path / "missing.sqlite"):
        with pytest.raises(StoreError, match="store must be a file"):
            merge_stores([part, path], merged)
    assert not merged.exists()
    change(part, "UPDATE studies SET source = 'elsewhere:cheap'")
    run(studies.cheap, range(2), merged)
    with pytest.raises(StoreError, match="store must hold one study of the name cheap"):
        merge_stores([part], merged)
    with Store(merged) as store:
        assert len(store.units()) == 2
