"""Tables as files, which appear whole or not at all."""

import csv
import io
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import OutputError

__all__ = ["is_scalar", "write_csv", "write_parquet"]

Columns = Mapping[str, NDArray[Any]]


def is_scalar(column: NDArray[Any]) -> bool:
    """Return whether no entry of a column is an array."""
    return column.ndim == 1 and not any(isinstance(value, np.ndarray) for value in column)


def write_csv(columns: Columns, path: Path) -> None:
    """Write the columns that hold no arrays, one row a line; ``None`` is an empty field."""
    flat = {name: column.tolist() for name, column in columns.items() if is_scalar(column)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(flat)
    writer.writerows(zip(*flat.values(), strict=True))
    _write(path, text.getvalue().encode())


def write_parquet(columns: Columns, path: Path) -> None:
    """Write all columns, arrays as lists of lists."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise OutputError(f"output must not be Parquet without pyarrow, the extra sweep, got {str(path)!r}") from error
    content = {
        name: pyarrow.array([value.tolist() if isinstance(value, np.ndarray) else value for value in column])
        if column.dtype == object or column.ndim > 1
        else pyarrow.array(column)
        for name, column in columns.items()
    }
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(content), buffer)
    _write(path, buffer.getvalue())


def _write(path: Path, content: bytes) -> None:
    """Write a file through a temporary one in the same folder."""
    temporary = None
    target = Path(os.path.realpath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"output must be a file that can be written, got {str(path)!r}: {reason}") from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or those of a new one."""
    with suppress(OSError):
        return target.stat().st_mode & 0o777
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
