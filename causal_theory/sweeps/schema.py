"""The SQLite file of a store: its tables, connections to it, and its errors in words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causal_theory.errors import StoreError

APPLICATION_ID = 0x43545357  # "CTSW"
FORMAT = 1
PATIENCE_SECONDS = 30.0

TABLES = """
CREATE TABLE studies (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    parameters TEXT NOT NULL
);
CREATE TABLE units (
    key TEXT PRIMARY KEY NOT NULL,
    study TEXT NOT NULL REFERENCES studies (name),
    settings TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    entropy TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    result TEXT NOT NULL,
    error TEXT NOT NULL,
    package TEXT NOT NULL,
    code TEXT NOT NULL,
    numpy TEXT NOT NULL,
    numba TEXT NOT NULL,
    python TEXT NOT NULL,
    seconds REAL NOT NULL,
    host TEXT NOT NULL,
    finished TEXT NOT NULL
);
CREATE TABLE arrays (
    key TEXT NOT NULL REFERENCES units (key),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    npy BLOB NOT NULL,
    UNIQUE (key, position)
);
"""


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into ones that name the file and say what is left."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"store must be a file that can be reached, got {str(path)!r}: {error}") from error
    except sqlite3.DatabaseError as error:
        kept = "what was stored before remains; when the cause is removed the sweep can be repeated to go on"
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise StoreError(f"store must be a file written by a sweep, got {str(path)!r}: {error}") from error
        raise StoreError(
            f"store must be a file that can be read and written, got {str(path)!r}: {error}; {kept}"
        ) from (error)


@contextmanager
def content_errors(path: Path) -> Iterator[None]:
    """Turn errors in what a store holds into one that names the file."""
    try:
        yield
    except (ValueError, LookupError, EOFError) as error:
        raise StoreError(f"store must hold what a sweep wrote, got {str(path)!r}: {error}") from error


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a store for reading, while a sweep may be writing to it.

    Raises
    ------
    StoreError
        If there is none, or it has another format.
    """
    with store_errors(path):
        if not path.is_file():
            raise StoreError(f"store must be a file that exists, got {str(path)!r}")
    # On a read-only medium the files of the write-ahead log cannot be made, and nobody can be writing.
    frozen = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    with store_errors(path):
        address = f"{path.resolve().as_uri()}?{'immutable=1' if frozen else 'mode=ro'}"
        connection = sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)
        with _closed_on_error(connection):
            if _is_new(connection, path):
                raise StoreError(f"store must be a file written by a sweep, got {str(path)!r}, which is empty")
    return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open a store for writing, and make it if there is none.

    Raises
    ------
    StoreError
        If the file is no store, has another format, or cannot be written.
    """
    with store_errors(path):
        if path.exists() and not path.is_file():
            raise StoreError(f"store must be a plain file, got {str(path)!r}")
        connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
        with _closed_on_error(connection):
            new = _is_new(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            # A transaction is on the disk when it is committed, also if the machine then loses its power.
            connection.execute("PRAGMA synchronous = FULL")
            if new:
                connection.executescript(
                    f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
                )
    return connection


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether a database holds nothing yet; refuse one that holds something else."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return True
    if application != APPLICATION_ID:
        raise StoreError(f"store must be a file written by a sweep, got the other database {str(path)!r}")
    if version != FORMAT:
        raise StoreError(f"store must have format {FORMAT}, got {str(path)!r} of format {version}")
    return False
