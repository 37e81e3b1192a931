"""Where the results of sweeps are kept: one SQLite file that one sweep writes and anybody reads meanwhile."""

import hashlib
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import StoreError
from causal_theory.sweeps.evaluation import Report
from causal_theory.sweeps.lock import lock_store
from causal_theory.sweeps.presence import Presence
from causal_theory.sweeps.schema import connect_reader, connect_writer, told_contents, told_errors
from causal_theory.sweeps.study import Scalar, Study
from causal_theory.sweeps.unit import Unit, canonical_json

__all__ = ["Store", "StoredUnit", "StudyStatus", "WritableStore"]

COLUMNS = (
    "key, study, settings, repeat, entropy, status, result, error, package, code, numpy, numba, python, seconds, "
    "host, finished"
)

CONTRADICTION = """
SELECT key FROM part.units AS other JOIN main.units AS own USING (key)
WHERE other.status = 'done' AND own.status = 'done' AND other.code = own.code AND (
    other.result != own.result
    OR (SELECT count(*) FROM part.arrays WHERE key = other.key)
        != (SELECT count(*) FROM main.arrays WHERE key = own.key)
    OR EXISTS (
        SELECT position, name, npy FROM part.arrays WHERE key = other.key
        EXCEPT SELECT position, name, npy FROM main.arrays WHERE key = own.key
    )
) LIMIT 1
"""
COPY = (
    """
    CREATE TEMP TABLE chosen AS
    SELECT other.key FROM part.units AS other LEFT JOIN main.units AS own USING (key)
    WHERE own.key IS NULL OR (
        (other.status = 'done', other.finished) > (own.status = 'done', own.finished)
        AND NOT (other.status = 'done' AND own.status = 'done' AND other.code = own.code)
    )
    """,
    "INSERT OR REPLACE INTO main.studies SELECT * FROM part.studies",
    "DELETE FROM main.arrays WHERE key IN (SELECT key FROM temp.chosen)",
    "INSERT OR REPLACE INTO main.units SELECT * FROM part.units WHERE key IN (SELECT key FROM temp.chosen)",
    "INSERT INTO main.arrays SELECT * FROM part.arrays WHERE key IN (SELECT key FROM temp.chosen)",
)
"""A result is taken rather than a failure, and otherwise what was computed last."""


@dataclass(frozen=True, eq=False)
class StoredUnit:
    """One row of a store.

    Attributes
    ----------
    key, study, settings, repeat, entropy
        As in :class:`causal_theory.sweeps.Unit`.
    status : {"done", "failed"}
        Whether there is a result.
    result : dict
        Numbers, texts and arrays; empty after a failure.
    error : str
        Traceback of a failure.
    package, code, numpy, numba, python : str
        See :class:`causal_theory.sweeps.CodeVersion`.
    seconds : float
        How long it took.
    host, finished : str
        Where, and when, in UTC.
    """

    key: str
    study: str
    settings: dict[str, Scalar]
    repeat: int
    entropy: int
    status: str
    result: dict[str, Scalar | NDArray[Any]]
    error: str
    package: str
    code: str
    numpy: str
    numba: str
    python: str
    seconds: float
    host: str
    finished: str

    @property
    def version(self) -> str:
        """Version of the package, and the first digits of the digest of the code."""
        return f"{self.package} {self.code[:8]}"


@dataclass(frozen=True)
class StudyStatus:
    """What a store holds of one study.

    Attributes
    ----------
    study : str
        Its name.
    done, failed : int
        Units with a result, and without.
    seconds : float
        Time that they took together.
    versions : tuple of str
        Of the package, each with the first digits of the digest of the code; several when it was changed in between.
    finished : str
        When the last unit was, in UTC.
    """

    study: str
    done: int
    failed: int
    seconds: float
    versions: tuple[str, ...]
    finished: str


class Store:
    """A store that is read, also while a sweep writes to it.

    Parameters
    ----------
    path : str or Path
        A file that :func:`causal_theory.sweeps.sweep` wrote.

    Raises
    ------
    StoreError
        If it is none, or has another format.

    Examples
    --------
    >>> import tempfile
    >>> from causal_theory.sweeps import sweep
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "edges.sqlite"
    ...     ran = sweep("edge_recovery", {"length": [8, 9]}, settings={"concentration": 1.0}, store=path, processes=0)
    ...     with Store(path) as store:
    ...         [(unit.settings["length"], unit.result["recovered"]) for unit in store.units("edge_recovery")]
    [(8, True), (9, True)]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._connection = self._connect()
        try:
            self._presence = Presence(self.path, self.companions)
        except BaseException:
            self.close()
            raise

    companions: tuple[str, ...] = ()
    """Endings of the files that must stay beside it."""

    def _connect(self) -> sqlite3.Connection:
        return connect_reader(self.path)

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement, which closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def parameters(self) -> dict[str, list[str]]:
        """Return the names of the parameters of each study in the store, in the order of its signature.

        Returns
        -------
        dict of str to list of str
            By the name of the study.
        """
        rows = self._rows("SELECT name, parameters FROM studies ORDER BY name")
        return {name: json.loads(parameters) for name, parameters in rows}

    def status(self) -> tuple[StudyStatus, ...]:
        """Return what there is of each study.

        Returns
        -------
        tuple of StudyStatus
            In the order of the names.
        """
        rows = self._rows(
            "SELECT study, sum(status = 'done'), sum(status = 'failed'), sum(seconds), "
            "group_concat(DISTINCT package || ' ' || substr(code, 1, 8)), max(finished) "
            "FROM units GROUP BY study ORDER BY study"
        )
        return tuple(
            StudyStatus(study, done, failed, seconds, tuple(sorted(versions.split(","))), finished)
            for study, done, failed, seconds, versions, finished in rows
        )

    def units(self, study: str | None = None) -> list[StoredUnit]:
        """Return the units of a study, or of all, in the order of their settings; the order of the work is not told.

        Studies are in the order of their names, their units by the values of the parameters in the order of the
        signature, then by seed and repeat.

        Parameters
        ----------
        study : str, optional
            Name of the study; all by default.

        Returns
        -------
        list of StoredUnit
            Those with a result and those that failed.
        """
        order = self.parameters()
        with told_errors(self.path):
            # Both tables are read from one state of the file, which a sweep may be writing to.
            self._connection.execute("BEGIN")
            try:
                where, given = ("", ()) if study is None else ("WHERE study = ?", (study,))
                arrays: dict[str, dict[str, NDArray[Any]]] = {}
                for key, name, npy in self._connection.execute(
                    f"SELECT key, name, npy FROM arrays JOIN units USING (key) {where} ORDER BY key, position", given
                ):
                    with told_contents(self.path):
                        arrays.setdefault(key, {})[name] = np.load(io.BytesIO(npy), allow_pickle=False)
                rows = self._connection.execute(f"SELECT {COLUMNS} FROM units {where}", given).fetchall()
            finally:
                self._connection.execute("COMMIT")
        with told_contents(self.path):
            units = [_read_unit(row, arrays.get(row[0], {}), order) for row in rows]
        self._presence.check()
        return sorted(units, key=_position)

    def contents(self) -> list[tuple[object, ...]]:
        """Return everything but when, where and how fast the units were computed, in the order of the keys.

        Two stores of the same sweep have the same contents, however it was run.

        Returns
        -------
        list of tuple
            Rows of the units, then of their arrays, then of the studies.
        """
        kept = COLUMNS.removesuffix(", seconds, host, finished")
        units = self._rows(f"SELECT {kept} FROM units ORDER BY key")
        arrays = self._rows("SELECT key, position, name, npy FROM arrays ORDER BY key, position")
        return [*units, *arrays, *self._rows("SELECT name, source, parameters FROM studies ORDER BY name")]

    def digest(self) -> str:
        """Return the SHA-256 of the contents.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        total = hashlib.sha256()
        for row in self.contents():
            total.update(repr(row).encode())
        return total.hexdigest()

    def _rows(self, statement: str, given: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with told_errors(self.path):
            rows = self._connection.execute(statement, given).fetchall()
        self._presence.check()
        return rows


class WritableStore(Store):
    """A store that is written, by one sweep at a time.

    Parameters
    ----------
    path : str or Path
        An existing store, or a new file in a folder that exists.

    Raises
    ------
    StoreError
        If another sweep writes to it, the file is something else, has another format, or cannot be written.
    """

    companions = ("-wal", "-shm", ".lock")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; it is an error when what was stored is not to be found there."""
        try:
            if error is None:
                self._check_stored()
        finally:
            self.close()

    def _check_stored(self) -> None:
        """Look at the store as anybody else would who opens it now."""
        ((stored,),) = self._rows("SELECT count(*) FROM units")
        address = f"{self._presence.place.as_uri()}?mode=rw"
        with told_errors(self.path), closing(sqlite3.connect(address, uri=True)) as seen:
            ((found,),) = seen.execute("SELECT count(*) FROM units").fetchall()
        if found != stored:
            raise StoreError(
                f"store must hold the {stored} units that were stored, got {str(self.path)!r} with {found}; something "
                "else has written to it or removed what is beside it"
            )
        self._presence.check()

    def _connect(self) -> sqlite3.Connection:
        with told_errors(self.path):
            if not self.path.absolute().parent.is_dir():
                raise StoreError(f"store must be in a folder that exists, got {str(self.path)!r}")
        self._lock = lock_store(self.path)
        try:
            return connect_writer(self.path)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Close the file and let another sweep have it; what was not committed is lost."""
        try:
            with told_errors(self.path):
                super().close()
        finally:
            self._lock.release()

    def register(self, study: Study) -> None:
        """Say what the store is going to hold.

        Raises
        ------
        StoreError
            If it holds results of another study of the same name.
        """
        names = json.dumps([parameter.name for parameter in study.parameters])
        self._check_source(study.name, study.source)
        self._write([("INSERT OR REPLACE INTO studies VALUES (?, ?, ?)", (study.name, study.source, names))])

    def _check_source(self, name: str, wanted: str) -> None:
        for (source,) in self._rows("SELECT source FROM studies WHERE name = ?", (name,)):
            if source != wanted:
                raise StoreError(
                    f"store must hold one study of the name {name}, got {str(self.path)!r} with {source} "
                    f"instead of {wanted}"
                )

    def finished(self, study: str) -> dict[str, str]:
        """Return the key of every unit that has a result, with the digest of the code that computed it."""
        return dict(self._rows("SELECT key, code FROM units WHERE study = ? AND status = 'done'", (study,)))

    def add(self, reports: Iterable[tuple[Report, Mapping[str, Unit]]]) -> None:
        """Store the outcomes of units, those of a report with the units by their keys, all or none of them.

        Raises
        ------
        StoreError
            If they cannot be written; what was stored before remains.
        """
        self._write(statement for report, units in reports for statement in _statements(report, units))

    def copy_from(self, path: Path) -> int:
        """Copy the units of another store that this one lacks, or has an older or no result of; return how many.

        Raises
        ------
        StoreError
            If the other store holds another study of the same name, or another result of the same unit by the same
            code; then nothing is copied.
        """
        with told_errors(path):
            self._connection.execute("ATTACH ? AS part", (str(path.resolve()),))
        try:
            for name, source in self._rows("SELECT name, source FROM part.studies"):
                self._check_source(name, source)
            for (key,) in self._rows(CONTRADICTION):
                raise StoreError(
                    f"stores must agree on units that the same code computed, got two results of unit {key[:12]} in "
                    f"{str(path)!r} and {str(self.path)!r}"
                )
            self._write((statement, ()) for statement in COPY)
            ((count,),) = self._rows("SELECT count(*) FROM temp.chosen")
            return int(count)
        finally:
            self._connection.execute("DROP TABLE IF EXISTS temp.chosen")
            self._connection.execute("DETACH part")

    def _write(self, statements: Iterable[tuple[str, tuple[object, ...]]]) -> None:
        """Execute statements in one transaction."""
        self._presence.check()
        with told_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in statements:
                    self._connection.execute(statement, values)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        self._presence.check()


def _position(unit: StoredUnit) -> tuple[object, ...]:
    # A parameter may have become a text since: then texts come after numbers.
    values = tuple((isinstance(value, str), value) for value in unit.settings.values())
    return unit.study, values, unit.entropy, unit.repeat


def _statements(report: Report, units: Mapping[str, Unit]) -> Iterator[tuple[str, tuple[object, ...]]]:
    finished = datetime.fromtimestamp(report.finished, UTC).isoformat(timespec="milliseconds")
    marks = ", ".join("?" * len(COLUMNS.split(",")))
    for outcome in report.outcomes:
        unit, key = units[outcome.key], outcome.key
        yield "DELETE FROM arrays WHERE key = ?", (key,)
        yield (
            f"INSERT OR REPLACE INTO units ({COLUMNS}) VALUES ({marks})",
            (
                *(key, unit.study, canonical_json(unit.settings), unit.repeat, str(unit.entropy)),
                *(outcome.status, outcome.result, outcome.error, *astuple(report.version)),
                *(outcome.seconds, report.host, finished),
            ),
        )
        for position, (name, npy) in enumerate(outcome.arrays.items()):
            yield "INSERT INTO arrays VALUES (?, ?, ?, ?)", (key, position, name, npy)


def _read_unit(row: tuple[Any, ...], arrays: Mapping[str, NDArray[Any]], order: Mapping[str, list[str]]) -> StoredUnit:
    key, study, settings, repeat, entropy, status, result, *rest = row
    values = json.loads(settings)
    ordered = {name: values[name] for name in order[study] if name in values}
    return StoredUnit(
        key, study, ordered | values, repeat, int(entropy), status, json.loads(result) | dict(arrays), *rest
    )
