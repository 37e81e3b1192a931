"""Read a matrix from JSON in a text, or from a JSON, CSV, TSV or NumPy file."""

import json
import re
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from causal_theory.errors import TransitionError
from causal_theory.frames import unlabelled
from causal_theory.matrices.delimited import TAB_SUFFIXES, read_delimited

SHOWN = 60
"""Characters of a malformed text that its message quotes."""

ARRAY = "transition"
"""The array that is taken of an archive of several, unless another one is named behind the file."""


def read_matrix(text: str) -> Any:
    """Return the rows in a JSON text, or the matrix in the file of that name; the prior checks the numbers.

    An archive of several arrays holds one named ``transition``, or the name follows: ``"laws.npz:pi"``.

    Raises
    ------
    TransitionError
        If the file cannot be read, or does not hold rows of numbers of one length.
    """
    if is_json(text):
        return _from_json(text, "transition")
    found = re.fullmatch(r"(.*\.npz):(.+)", text, flags=re.DOTALL)
    path = Path(found[1] if found else text)
    name = f"transition file {_quote(text)}"
    try:
        if path.suffix in (".npy", ".npz"):
            return _from_numpy(path, found[2] if found else None, name)
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TransitionError(
            f"transition must be JSON or a readable file, got {_quote(text)}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise TransitionError(f"{name} must be a UTF-8 text file: {error}") from error
    if path.suffix in (".csv", *TAB_SUFFIXES):
        return _of_one_length(read_delimited(content, name, path.suffix), name)
    return _from_json(content, name)


def given_matrix(name: str, value: Any) -> Any:
    """Return the numbers of what a user gives as a matrix: a path, JSON, a data frame, or an array as it is.

    Raises
    ------
    TransitionError
        If a file cannot be read, or names of rows and columns differ.
    """
    if isinstance(value, Path) or (isinstance(value, str) and (is_json(value) or _is_file_name(value))):
        return read_matrix(str(value))
    return unlabelled(name, value)


def _is_file_name(text: str) -> bool:
    return Path(text).suffix.partition(":")[0] in (".json", ".csv", *TAB_SUFFIXES, ".npy", ".npz")


def is_json(text: str) -> bool:
    """Return whether a text is meant as JSON, not as the name of a file."""
    return text.lstrip()[:1] in ("[", "{")


def _quote(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _from_numpy(path: Path, wanted: str | None, name: str) -> Any:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            names = list(content)
            chosen = wanted or (ARRAY if ARRAY in names else names[0] if len(names) == 1 else None)
            if path.suffix == ".npz" and chosen in names:
                return content[chosen]
    except (ValueError, EOFError, BadZipFile) as error:
        raise TransitionError(f"{name} must be a readable file that holds one array of numbers: {error}") from error
    if path.suffix == ".npz" and wanted is not None:
        raise TransitionError(f"{name} must name one of its arrays, {_quote(', '.join(names))}")
    how = f"; name one of them, as in {path.name}:{names[0]}" if path.suffix == ".npz" and names else ""
    raise TransitionError(
        f"{name} must hold one array of numbers, got an archive of several: {_quote(', '.join(names))}{how}"
    )


def _from_json(text: str, what: str) -> list[list[float]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:  # also integers of more digits than Python reads
        raise TransitionError(f"{what} must be a matrix in JSON, got {_quote(text.strip())}: {error}") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise TransitionError(f"{what} must be a matrix in JSON, a list of rows, got {_quote(text.strip())}")
    for row in rows:
        for cell in row:
            if isinstance(cell, bool) or not isinstance(cell, int | float):
                raise TransitionError(f"{what} must be an array of real numbers, got {json.dumps(cell)[:SHOWN]}")
    return _of_one_length(rows, what)


def _of_one_length(rows: list[list[float]], what: str) -> list[list[float]]:
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise TransitionError(f"{what} must have rows of one length, got the lengths {_quote(str(lengths))}")
    try:
        return [[float(cell) for cell in row] for row in rows]
    except OverflowError as error:
        raise TransitionError(f"{what} must have entries between 0 and 1, got an integer beyond any float") from error
