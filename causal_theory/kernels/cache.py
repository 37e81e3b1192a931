"""Compiled kernels on disk: one file per kernel, argument types, sources and machine.

The name of a file says what it was compiled from, the file holds nothing else, and it is complete or not there: it is
written beside its place and then renamed. So there is no index that could point to the code of another signature or of
an older source, nothing that two processes could write half each, and no lock. numba's own files have such an index.
A file that was cut or altered does not fit its checksum and is compiled again.

Folders are those of numba: ``NUMBA_CACHE_DIR``, else beside the kernels, else the user's cache; the first that can be
written is written to. Those before it are read all the same, since an image may hold compiled kernels. Where none can
be written, kernels are compiled for this process only, and a warning says so once.
"""

import hashlib
import os
import pickle
import time
import warnings
from contextlib import suppress
from functools import cached_property
from glob import escape
from inspect import getfile
from pathlib import Path
from uuid import uuid4

import numba
from numba import config

from causal_theory.kernels.stamps import environment_digest, name_of, signature_digest, source_digest

try:
    from numba.core import caching
    from numba.core.compiler import CompileResult
    from numba.core.serialize import dumps

    _KNOWN = all(hasattr(CompileResult, name) for name in ("_reduce", "_rebuild", "codegen"))
    _FindFolder = caching.CompileResultCacheImpl
    _ChosenFolder = getattr(caching, "UserProvidedCacheLocator", None) or caching._UserProvidedCacheLocator
except (ImportError, AttributeError):  # a later numba
    _KNOWN = False

SAID = "CAUSAL_THEORY_NO_CACHE_SAID"
"""Set in the environment once a process has said that it cannot keep kernels: those that it starts need not repeat."""

_DAY = 86400.0


def keep_on_disk(kernel):
    """Let a kernel load its code from disk and save it there; returns the kernel."""
    if _KNOWN and hasattr(kernel, "_cache"):
        kernel._cache = KernelCache(kernel)
    else:
        _say(f"numba {numba.__version__} does not offer what causal_theory needs for it")
    return kernel


def _say(reason):
    """Warn once, in this process and those that it starts from now on."""
    if os.environ.get(SAID) == "1":
        return
    os.environ[SAID] = "1"
    warnings.warn(
        f"compiled kernels cannot be kept on disk, so every process compiles them again ({reason}); "
        "set NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=2,
    )


class KernelCache:
    """The code of one kernel on disk, in the shape in which numba asks for it.

    numba calls this under its lock for compiling, so that one thread is here at a time.
    """

    def __init__(self, kernel):
        self._kernel = kernel

    @cached_property
    def _folder(self):
        """The folder to write to, or the reason why there is none."""
        try:
            return Path(_FindFolder(self._kernel.py_func).locator.get_cache_path())
        except RuntimeError as error:
            return str(error)

    @property
    def cache_path(self):
        """The folder that numba's statistics name."""
        return str(self._folder) if isinstance(self._folder, Path) else None

    @cached_property
    def _readable(self):
        """Folders to look in: those of numba, down to the one to write to."""
        function = self._kernel.py_func
        source = getfile(function)
        folders = [Path(_ChosenFolder(function, source).get_cache_path())] if config.CACHE_DIR else []
        folders.append(Path(source).parent / "__pycache__")
        if self._folder in folders:
            return folders[: folders.index(self._folder) + 1]
        return [*folders, self._folder] if isinstance(self._folder, Path) else folders

    def _entry(self, signature, target_context):
        """Name the file of the code, and the key with which it must begin."""
        machine, source = self._digests(target_context)
        types = signature_digest(signature)
        key = hashlib.sha256(f"{name_of(self._kernel)} {machine} {source} {types}".encode()).digest()
        return f"{self._family(machine, source)}{types[:16]}.kernel", key

    def _digests(self, target_context):
        """Digest the machine and the sources."""
        target_context.refresh()
        return environment_digest(target_context.codegen().magic_tuple()), source_digest(self._kernel)

    def _family(self, machine, source):
        """Begin the name of all files of this kernel for this machine and these sources."""
        function = self._kernel.py_func
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        return f"{name.replace('<', '').replace('>', '')}-{machine[:8]}-{source[:16]}-"

    @property
    def title(self):
        """Name the kernel to a reader."""
        function = self._kernel.py_func
        words = f"{function.__module__.rpartition('.')[2]}: {function.__name__.strip('_')}"
        return words.replace("_", " ")

    @property
    def no_folder(self):
        """Say why code cannot be kept, or None."""
        return None if isinstance(self._folder, Path) else self._folder

    @cached_property
    def _own(self):
        """Match the files of this kernel, with code for any types."""
        return f"{escape(self._family(*self._digests(self._kernel.targetctx)))}*.kernel"

    def is_kept(self):
        """Say whether code for this machine and these sources is on disk, for some types."""
        return any(next(folder.glob(self._own), None) for folder in self._readable)

    def load_overload(self, signature, target_context):
        """Return the code for a signature, or nothing."""
        name, key = self._entry(signature, target_context)
        for folder in self._readable:
            payload = _read(folder / name, key)
            if payload is not None:
                return CompileResult._rebuild(target_context, *pickle.loads(payload))
        return None

    def save_overload(self, signature, result):
        """Keep the code for a signature, and remove what older sources of this kernel have left."""
        if getattr(result.library, "has_dynamic_globals", True):
            return  # addresses of this process are part of the code
        if not isinstance(self._folder, Path):
            _say(self._folder)
            return
        name, key = self._entry(signature, result.target_context)
        try:
            _write(self._folder / name, key, dumps(result._reduce()))
        except OSError as error:
            _say(error)
            return
        self._prune(name)

    def _prune(self, name):
        family, source, _ = name.rsplit("-", 2)
        for path in self._folder.glob(f"{escape(family)}-*"):
            with suppress(OSError):  # another process was faster
                left = path.suffix == ".tmp" and time.time() - path.stat().st_mtime > _DAY
                old = path.suffix == ".kernel" and not path.name.startswith(f"{family}-{source}-")
                if left or old:
                    path.unlink()

    def enable(self):
        """Do nothing: it is on."""

    def disable(self):
        """Do nothing."""

    def flush(self):
        """Do nothing: what is there fits its source."""


def _read(path, key):
    """Return what a file holds; nothing if it is not there, cut, altered or somebody else's."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    payload = content[64:]
    return payload if content[:64] == key + hashlib.sha256(payload).digest() else None


def _write(path, key, payload):
    """Write a file as a whole.

    Not by :mod:`causal_theory.files`: nothing waits for the disk here, since code that was lost fails its checksum and
    is compiled again, and a failure is no error but a warning.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(key + hashlib.sha256(payload).digest() + payload)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
