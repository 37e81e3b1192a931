"""Result arrays on disk: filled as memory maps of temporary files, which take their names when they are complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError, OutputError

__all__ = ["array_paths", "new_arrays"]

Array = NDArray[np.float64]


def array_paths(out: str | PathLike[str]) -> tuple[Path, Path]:
    """Return the files for value and error, when they can be created or replaced: ``x.npy`` and ``x.error.npy``."""
    try:
        path = Path(os.fspath(out))
    except TypeError as error:
        raise InvalidArgumentError(f"out must be a path that ends in .npy, got {out!r}") from error
    if path.suffix != ".npy":
        raise InvalidArgumentError(f"out must be a path that ends in .npy, got {str(path)!r}")
    paths = (path.resolve(), path.with_suffix(".error.npy").resolve())
    for target in paths:
        folder = target.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"out must be in a folder that exists and can be written, got {str(path)!r}")
        if target.exists() and not target.is_file():
            raise OutputError(f"out must be a plain file, got {str(target)!r}")
    return paths


@contextmanager
def new_arrays(paths: tuple[Path, ...], shape: tuple[int, ...]) -> Iterator[list[Array]]:
    """Give an array of zeros for each path; the files appear under their names only when the block ends well."""
    temporary: list[str] = []
    try:
        with _refusing(paths[0]):
            arrays = []
            for path in paths:
                handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
                temporary.append(name)
                os.close(handle)
                arrays.append(_map(name, shape))
        yield list(arrays)
        with _refusing(paths[0]):
            for array, path, name in zip(arrays, paths, temporary, strict=True):
                array.flush()
                os.chmod(name, _mode(path))
            for path, name in reversed(list(zip(paths, temporary, strict=True))):
                os.replace(name, path)  # the value comes first in the list and last here: it stands for all
    finally:
        for name in temporary:
            with suppress(FileNotFoundError):
                os.unlink(name)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what the system says about a file into an error that names the argument."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"out must be a file that can be written, got {str(path)!r}: {reason}") from error


def _map(name: str, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.float64]]":
    """Map a file whose space is reserved: writing into a hole of a full disk would kill the process."""
    array = open_memmap(name, mode="w+", dtype=np.float64, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with open(name, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(name))
    return array


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, or those of a new one."""
    with suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
