"""The outcome of a unit: its result in the form that is stored, or the text of its error."""

import io
import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps.study import RESERVED

MOST_ARRAY_BYTES = 2**20
"""Bytes that the arrays of one unit may have together: a store is for results, not for data."""

LONGEST_ERROR = 20_000
"""Characters of an error that are kept, the last ones."""

Status = Literal["done", "failed"]


@dataclass(frozen=True)
class Outcome:
    """The result of a unit, or why there is none.

    Attributes
    ----------
    key : str
        Key of the unit.
    status : {"done", "failed"}
        Whether there is a result.
    result : str
        Numbers and texts as JSON, floats so that they read back exactly; NaN and infinity are written as such.
    arrays : mapping
        Arrays as the bytes of ``.npy`` files, which are the same for the same array.
    error : str
        The traceback of a failure, from the study on.
    seconds : float
        How long it took.
    """

    key: str
    status: Status
    seconds: float
    result: str = "{}"
    arrays: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""


def success(key: str, seconds: float, found: object, parameters: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a unit whose study returned ``found``.

    Raises
    ------
    InvalidArgumentError
        If it is no mapping from names to numbers, texts and arrays, a name is that of a parameter, or the arrays are
        larger than ``MOST_ARRAY_BYTES`` together.

    Examples
    --------
    >>> success("key", 0.1, {"margin": 0.1, "scores": np.eye(2)}, {"length": 4}).result
    '{"margin":0.1}'
    """
    if not isinstance(found, Mapping):
        raise InvalidArgumentError(f"result of a study must be a mapping, got {found!r}")
    scalars: dict[str, object] = {}
    arrays: dict[str, bytes] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not name.isprintable() or name in parameters or name in RESERVED:
            raise InvalidArgumentError(
                f"names in the result of a study must be printable texts, and neither those of parameters nor "
                f"{', '.join(sorted(RESERVED))}, got {name!r}"
            )
        if isinstance(value, np.ndarray) and value.ndim:
            arrays[name] = _npy(name, value)
        else:
            scalars[name] = _scalar(name, value)
    size = sum(map(len, arrays.values()))
    if size > MOST_ARRAY_BYTES:
        raise InvalidArgumentError(f"arrays of a result must have at most {MOST_ARRAY_BYTES} bytes, got {size}")
    return Outcome(key, "done", seconds, json.dumps(scalars, separators=(",", ":")), arrays)


def failure(key: str, seconds: float, error: str) -> Outcome:
    """Return the outcome of a unit that has no result."""
    # A message may quote bytes that are no text, as names of files can be.
    text = error[-LONGEST_ERROR:].encode(errors="backslashreplace").decode()
    return Outcome(key, "failed", seconds, error=text)


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error without the frame that caught it."""
    trace = error.__traceback__
    # The frames above are those of the sweep: they differ between executors, and tell nothing about the study.
    return "".join(traceback.format_exception(type(error), error, None if trace is None else trace.tb_next))


def _npy(name: str, value: np.ndarray) -> bytes:
    if value.dtype.kind not in "biuf":
        raise InvalidArgumentError(f"{name} must be an array of real numbers or truth values, got type {value.dtype}")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(value), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _scalar(name: str, value: object) -> object:
    plain = value.item() if isinstance(value, np.generic | np.ndarray) else value
    if not isinstance(plain, int | float | str):
        raise InvalidArgumentError(f"{name} must be a number, a text, True, False or an array, got {value!r}")
    return plain
