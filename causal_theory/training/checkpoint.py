"""Write and read checkpoints: NumPy archives without pickled objects.

Besides the arrays of the state the archive holds ``settings``, a JSON text with ``run``, all that the run was asked
for, and ``versions``, the code that computed it, one entry after another where it was changed in between; and
``digest``, the SHA-256 of all other entries: a file that was cut or changed is not taken for one that was not.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import FileFormatError
from causal_theory.files import check_target, write_bytes

FORMAT = "causal_theory training 2"
OLD_FORMAT = "causal_theory training 1"
Arrays = dict[str, NDArray[np.generic]]


def check_folder(path: Path) -> None:
    """Refuse a checkpoint that could not be written, before any work is done."""
    check_target("checkpoint", path)


def write_checkpoint(path: Path, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a checkpoint as a whole.

    Raises
    ------
    OutputError
        If the file cannot be written; what was there before is kept.
    """
    content: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    content["settings"] = np.frombuffer(json.dumps(settings, sort_keys=True).encode(), dtype=np.uint8)
    content["digest"] = _digest(content, FORMAT)
    buffer = io.BytesIO()
    np.savez(buffer, **content)  # before NumPy 2.2, allow_pickle=False would be one more array
    write_bytes("checkpoint", path, buffer.getbuffer())


def read_checkpoint(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read the arrays and the settings of a checkpoint.

    Raises
    ------
    FileFormatError
        If the file is no checkpoint, was cut, was changed, or is of an older format.
    """
    content = _load(path)
    if "digest" not in content or "settings" not in content:
        raise FileFormatError(f"checkpoint must be a file written by train_sgd, got {str(path)!r} without its entries")
    digest = content.pop("digest")
    if np.array_equal(digest, _digest(content, OLD_FORMAT)):
        raise FileFormatError(
            f"checkpoint must be of format 2, got {str(path)!r} of format 1, which does not say from which parameters "
            "and with which code its run began; start the run anew, or go on with the release that wrote it"
        )
    if not np.array_equal(digest, _digest(content, FORMAT)):
        raise FileFormatError(f"checkpoint must be as it was written, got {str(path)!r} with another digest")
    settings = json.loads(content.pop("settings").tobytes().decode())
    return content, settings


def _load(path: Path) -> Arrays:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise FileFormatError(f"checkpoint must be a NumPy archive, got {str(path)!r}")
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise FileFormatError(f"checkpoint must be a file that can be read, got {str(path)!r}: {error}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise FileFormatError(f"checkpoint must be a whole NumPy archive, got {str(path)!r}: {error}") from error


def _digest(content: Mapping[str, NDArray[Any]], file_format: str) -> NDArray[np.uint8]:
    total = hashlib.sha256(file_format.encode())
    for name in sorted(content):
        value = np.ascontiguousarray(content[name])
        total.update(f"{name} {value.dtype.str} {value.shape}".encode())
        total.update(value.tobytes())
    return np.frombuffer(total.digest(), dtype=np.uint8)
