"""Read the results of sweeps from their store: one SQLite file that one sweep writes and anybody reads meanwhile."""

import hashlib
import io
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_theory.sweeps.presence import Presence
from causal_theory.sweeps.schema import connect_reader, content_errors, store_errors
from causal_theory.sweeps.study import Scalar

UNIT_COLUMNS = (
    "key, study, settings, repeat, entropy, status, result, error, package, code, numpy, numba, python, seconds, "
    "host, finished"
)


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
    """Numbers of units that a store holds of one study, with their versions.

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
        with store_errors(self.path):
            # Both tables are read from one state of the file, which a sweep may be writing to.
            self._connection.execute("BEGIN")
            try:
                where, given = ("", ()) if study is None else ("WHERE study = ?", (study,))
                arrays: dict[str, dict[str, NDArray[Any]]] = {}
                for key, name, npy in self._connection.execute(
                    f"SELECT key, name, npy FROM arrays JOIN units USING (key) {where} ORDER BY key, position", given
                ):
                    with content_errors(self.path):
                        arrays.setdefault(key, {})[name] = np.load(io.BytesIO(npy), allow_pickle=False)
                rows = self._connection.execute(f"SELECT {UNIT_COLUMNS} FROM units {where}", given).fetchall()
            finally:
                self._connection.execute("COMMIT")
        with content_errors(self.path):
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
        kept = UNIT_COLUMNS.removesuffix(", seconds, host, finished")
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
        with store_errors(self.path):
            rows = self._connection.execute(statement, given).fetchall()
        self._presence.check()
        return rows


def _position(unit: StoredUnit) -> tuple[object, ...]:
    # A parameter may have become a text since: then texts come after numbers.
    values = tuple((isinstance(value, str), value) for value in unit.settings.values())
    return unit.study, values, unit.entropy, unit.repeat


def _read_unit(row: tuple[Any, ...], arrays: Mapping[str, NDArray[Any]], order: Mapping[str, list[str]]) -> StoredUnit:
    key, study, settings, repeat, entropy, status, result, *rest = row
    values = json.loads(settings)
    ordered = {name: values[name] for name in order[study] if name in values}
    return StoredUnit(
        key, study, ordered | values, repeat, int(entropy), status, json.loads(result) | dict(arrays), *rest
    )
