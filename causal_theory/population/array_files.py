"""Result arrays on disk: filled as memory maps of temporary files, which take their names when they are complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.files import check_target, new_files, refusing

Array = NDArray[np.float64]


def array_paths(out: str | PathLike[str]) -> tuple[Path, Path]:
    """Return the files for value and error, when they can be created or replaced: ``x.npy`` and ``x.error.npy``."""
    try:
        path = Path(os.fspath(out))
    except TypeError as error:
        raise InvalidArgumentError(f"out must be a path that ends in .npy, got {out!r}") from error
    if path.suffix != ".npy":
        raise InvalidArgumentError(f"out must be a path that ends in .npy, got {str(path)!r}")
    return Path(check_target("out", path)), Path(check_target("out", path.with_suffix(".error.npy")))


@contextmanager
def new_arrays(paths: tuple[Path, ...], shape: tuple[int, ...]) -> Iterator[list[Array]]:
    """Give an array of zeros for each path; the files appear under their names only when the block ends well."""
    with new_files("out", paths) as temporary:
        with refusing("out", paths[0]):
            arrays = [_map(name, shape) for name in temporary]
        yield list(arrays)
        with refusing("out", paths[0]):
            for array in arrays:
                array.flush()


def _map(name: str, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.float64]]":
    """Map a file whose space is reserved: writing into a hole of a full disk would kill the process."""
    array = open_memmap(name, mode="w+", dtype=np.float64, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with open(name, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(name))
    return array
