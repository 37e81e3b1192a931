"""Read and write the record of a run; its schema is that of the dataclasses."""

import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causal_theory.claims.records import FORMAT, Record
from causal_theory.errors import FileFormatError
from causal_theory.files import write_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE_NAME = "verification.json"


@cache
def _adapter() -> "TypeAdapter[Record]":
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def schema() -> dict[str, Any]:
    """Return the JSON schema of ``verification.json``."""
    return _adapter().json_schema()


def write_record(folder: Path, record: Record) -> Path:
    """Write ``verification.json``, all or nothing, and return its path.

    JSON has no NaN and no infinities: they are written as the words that a reader of numbers takes for them.
    """
    path = folder / FILE_NAME
    content = _spelled(_adapter().dump_python(record, mode="json"))
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_record(path: str | Path) -> Record:
    """Read ``verification.json``.

    Raises
    ------
    FileFormatError
        If it cannot be read or is no record of this format; the message names the first field that is wrong.
    """
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(Path(path).read_bytes())
    except OSError as error:
        raise FileFormatError(f"path must be a record that can be read, got {str(path)!r}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise FileFormatError(
            f"path must be a record of format {FORMAT}, got {str(path)!r}: {where}: {first['msg']}"
        ) from error


def _spelled(node: Any) -> Any:
    """Return plain data with a word for each number that JSON does not have."""
    if isinstance(node, dict):
        return {key: _spelled(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_spelled(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return "NaN" if math.isnan(node) else "Infinity" if node > 0 else "-Infinity"
    return node
