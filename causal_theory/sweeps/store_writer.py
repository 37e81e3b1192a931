"""A store that one sweep writes: units, all or none of a parcel, and the units of other stores."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from typing_extensions import override

from causal_theory.errors import StoreError
from causal_theory.sweeps.evaluation import Report
from causal_theory.sweeps.lock import lock_store
from causal_theory.sweeps.schema import connect_writer, store_errors
from causal_theory.sweeps.store import UNIT_COLUMNS, Store
from causal_theory.sweeps.study import Study
from causal_theory.sweeps.unit import Unit, canonical_json

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

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It is an error when what was stored is not to be found there.
        try:
            if error is None:
                self._check_stored()
        finally:
            self.close()

    def _check_stored(self) -> None:
        """Look at the store as anybody else would who opens it now."""
        ((stored,),) = self._rows("SELECT count(*) FROM units")
        address = f"{self._presence.place.as_uri()}?mode=rw"
        with store_errors(self.path), closing(sqlite3.connect(address, uri=True)) as seen:
            ((found,),) = seen.execute("SELECT count(*) FROM units").fetchall()
        if found != stored:
            raise StoreError(
                f"store must hold the {stored} units that were stored, got {str(self.path)!r} with {found}; something "
                "else has written to it or removed what is beside it"
            )
        self._presence.check()

    @override
    def _connect(self) -> sqlite3.Connection:
        with store_errors(self.path):
            if not self.path.absolute().parent.is_dir():
                raise StoreError(f"store must be in a folder that exists, got {str(self.path)!r}")
        self._lock = lock_store(self.path)
        try:
            return connect_writer(self.path)
        except BaseException:
            self._lock.release()
            raise

    @override
    def close(self) -> None:
        # Another sweep may have the store now; what was not committed is lost.
        try:
            with store_errors(self.path):
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
        with store_errors(path):
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
        with store_errors(self.path):
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


def _statements(report: Report, units: Mapping[str, Unit]) -> Iterator[tuple[str, tuple[object, ...]]]:
    finished = datetime.fromtimestamp(report.finished, UTC).isoformat(timespec="milliseconds")
    marks = ", ".join("?" * len(UNIT_COLUMNS.split(",")))
    for outcome, version in zip(report.outcomes, report.versions, strict=True):
        unit, key = units[outcome.key], outcome.key
        yield "DELETE FROM arrays WHERE key = ?", (key,)
        yield (
            f"INSERT OR REPLACE INTO units ({UNIT_COLUMNS}) VALUES ({marks})",
            (
                *(key, unit.study, canonical_json(unit.settings), unit.repeat, str(unit.entropy)),
                *(outcome.status, outcome.result, outcome.error, *astuple(version)),
                *(outcome.seconds, report.host, finished),
            ),
        )
        for position, (name, npy) in enumerate(outcome.arrays.items()):
            yield "INSERT INTO arrays VALUES (?, ?, ?, ?)", (key, position, name, npy)
