"""Read transition matrices: nested sequences or arrays, JSON in a text, or a JSON, CSV or NumPy file."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.validation import check_real, shown

SHOWN = 60
"""Characters of a malformed text that its message quotes."""


def matrix(name: str, value: object) -> tuple[Any, ...]:
    """Return a matrix as nested tuples of floats; the prior checks the numbers.

    Raises
    ------
    TransitionError
        If it is no array of real numbers, nor a text or a file that holds one.
    """
    found: Any = read_matrix(str(value)) if isinstance(value, str | Path) else value
    try:
        array = check_real(name, found)
    except InvalidArgumentError as error:
        raise TransitionError(str(error)) from error
    if array.ndim == 0:
        raise TransitionError(f"{name} must be rows of numbers, or the name of a file, got {shown(value)}")
    rows: tuple[Any, ...] = _tuples(array.astype(np.float64).tolist())
    return rows


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def read_matrix(text: str) -> Any:
    """Return the rows in a JSON text, or the matrix in the file of that name; the prior checks the numbers.

    Raises
    ------
    TransitionError
        If the file cannot be read, or does not hold rows of numbers of one length.
    """
    if is_json(text):
        return _from_json(text, "transition")
    path = Path(text)
    name = f"transition file {_quote(text)}"
    try:
        if path.suffix == ".npy":
            return _from_npy(path, name)
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TransitionError(
            f"transition must be JSON or a readable file, got {_quote(text)}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise TransitionError(f"{name} must be a UTF-8 text file: {error}") from error
    return _from_csv(content, name) if path.suffix == ".csv" else _from_json(content, name)


def is_json(text: str) -> bool:
    """Return whether a text is meant as JSON, not as the name of a file."""
    return text.lstrip()[:1] in ("[", "{")


def _quote(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _from_npy(path: Path, name: str) -> Any:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise TransitionError(f"{name} must be a readable file that holds one array of numbers: {error}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise TransitionError(f"{name} must hold one array of numbers, got an archive of several")
    return array


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


def _from_csv(text: str, name: str) -> list[list[float]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append([float(cell) for cell in line.split(",")])
        except ValueError as error:
            raise TransitionError(
                f"{name} must hold numbers separated by commas, got {_quote(line)} in line {number}"
            ) from error
    if not rows:
        raise TransitionError(f"{name} must hold numbers separated by commas, got no line")
    return _of_one_length(rows, name)


def _of_one_length(rows: list[list[float]], what: str) -> list[list[float]]:
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise TransitionError(f"{what} must have rows of one length, got the lengths {_quote(str(lengths))}")
    try:
        return [[float(cell) for cell in row] for row in rows]
    except OverflowError as error:
        raise TransitionError(f"{what} must have entries between 0 and 1, got an integer beyond any float") from error
