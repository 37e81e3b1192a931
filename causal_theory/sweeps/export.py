"""Write tables as CSV or Parquet."""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import OutputError
from causal_theory.files import write_bytes
from causal_theory.wording import needed

Columns = Mapping[str, NDArray[Any]]


def is_scalar(column: NDArray[Any]) -> bool:
    """Return whether no entry of a column is an array."""
    return column.ndim == 1 and not any(isinstance(value, np.ndarray) for value in column)


def write_csv(columns: Columns, path: Path) -> None:
    """Write the columns that hold no arrays, one row a line; ``None`` is an empty field.

    What is no character, as half of a surrogate pair, is written by its number.
    """
    flat = {name: column.tolist() for name, column in columns.items() if is_scalar(column)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(flat)
    writer.writerows(zip(*flat.values(), strict=True))
    write_bytes("output", path, text.getvalue().encode(errors="backslashreplace"))


def write_parquet(columns: Columns, path: Path) -> None:
    """Write all columns, arrays as lists of lists, what has no type in common as texts.

    Raises
    ------
    OutputError
        If pyarrow is missing, the file cannot be written, or a column cannot be told in Parquet; it is named.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise OutputError(
            f"output must not be Parquet without pyarrow, got {str(path)!r}: {needed('it', 'pyarrow', 'sweep')}"
        ) from error
    content = {name: _arrow(name, column) for name, column in columns.items()}
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(content), buffer)
    write_bytes("output", path, buffer.getvalue())


def _arrow(name: str, column: NDArray[Any]) -> Any:
    """Return a column as an array of Arrow from which every value can be read back."""
    import pyarrow

    values = [_plain(value) for value in column] if column.dtype == object or column.ndim > 1 else column
    try:
        found = pyarrow.array(values)
    except (pyarrow.ArrowException, ArithmeticError, ValueError, TypeError):
        found = None
    # Arrow turns True beside 0.5 into 1.0.
    if found is not None and (values is column or _same(found.to_pylist(), values)):
        return found
    try:
        return pyarrow.array([_text(value) for value in values], pyarrow.string())
    except TypeError as error:
        raise OutputError(
            f"column {name} must hold numbers, truth values, texts or arrays of them to be written as Parquet, got "
            f"{error}"
        ) from error


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _same(one: Any, other: Any) -> bool:
    """Return whether values are equal to the last digit; a truth value is no number, an integer may be a float."""
    if isinstance(one, list) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or bool(one == other)


def _text(value: Any) -> str | None:
    """Return a value as Python writes it, lists as JSON; ``None`` stays what it is."""
    if value is None or isinstance(value, str):
        return None if value is None else value.encode(errors="backslashreplace").decode()
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, list):
        return json.dumps(value, default=_refuse)
    return _refuse(value)


def _refuse(value: object) -> str:
    raise TypeError(f"{value!r} of type {type(value).__name__}")
