"""The version of the code that computes a result: a digest of the loaded sources, and the versions of the rest.

The sources of this package are all covered, loaded or not. Of the user's modules those are that the computation
imports, directly or through others.
"""

import inspect
import os
import platform
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from causal_theory._version import __version__
from causal_theory.at_import import FILES, stamps
from causal_theory.errors import InvalidArgumentError
from causal_theory.provenance.live import compare_with_live, is_same_function, plain_function, stale_binding
from causal_theory.provenance.loaded import MAIN, Source, SourceRegistry, digest_of, edited
from causal_theory.provenance.source import PACKAGE, find_file, is_own, may_be_own, module_file

ROOT = __name__.partition(".")[0]


@dataclass(frozen=True)
class CodeVersion:
    """The versions of the code that computed a result.

    Attributes
    ----------
    package : str
        Version of ``causal_theory``.
    code : str
        SHA-256 of all its source files, and of those of the user's own modules that the computation imports, directly
        or through others. Installed packages are not covered, unless they are installed in place, nor are files of
        data that are read.
    numpy, numba, python : str
        Versions.
    """

    package: str
    code: str
    numpy: str
    numba: str
    python: str


def code_version(*used: Any) -> CodeVersion:
    """Return the version of the code that functions and classes run in this process.

    Parameters
    ----------
    *used : callable or str
        What the computation uses of the user's: a study, the class of a model, a module by its name, loaded or not.
        This package is covered in any case.

    Returns
    -------
    CodeVersion
        Of the sources as they were loaded. A file that is edited later does not change it; a module that is loaded
        anew does.

    Raises
    ------
    InvalidArgumentError
        If one of ``used`` is in no source file, as when it was typed into an interpreter, or something else is loaded
        than the files hold, and it cannot be told what.

    Examples
    --------
    >>> from causal_theory.sweeps import find_study
    >>> len(code_version(find_study("edge_recovery").function).code)
    64
    """
    with _LOCK:
        digest = _PACKAGE.digest()
        own = _own_sources(used)
    if own:
        listed = "".join(f"{name} {own[name].digest}\n" for name in sorted(own))
        digest = sha256(f"{digest}\n{listed}".encode()).hexdigest()
    return CodeVersion(__version__, digest, np.__version__, _numba_version(), platform.python_version())


def versions() -> dict[str, str]:
    """Return the versions of what computes, by name: of this package, NumPy, numba and Python.

    Examples
    --------
    >>> list(versions())
    ['causal_theory', 'numpy', 'numba', 'python']
    """
    numbers = (__version__, np.__version__, _numba_version(), platform.python_version())
    return dict(zip((ROOT, "numpy", "numba", "python"), numbers, strict=True))


@cache
def _numba_version() -> str:
    return metadata.version("numba")


def check_unedited(*used: Any) -> None:
    """Refuse to begin a computation whose source files were edited after they were loaded.

    Parameters
    ----------
    *used : callable
        As for :func:`code_version`.

    Raises
    ------
    InvalidArgumentError
        If they were; the message names the file.
    """
    with _LOCK:
        _PACKAGE.check()
        for source in _own_sources(used).values():
            try:
                content = source.file.read_bytes()
            except OSError as error:
                raise edited(source.file, f"which cannot be read ({error.strerror or error})") from error
            if content != source.content:
                raise edited(source.file, "which was edited after it was loaded")


def note_loaded_modules() -> None:
    """Remember the sources of the user's modules that are loaded by now, before anybody edits them."""
    with _LOCK:
        _REGISTRY.begin()
        for name, module in list(sys.modules.items()):
            file = module_file(module) if may_be_own(module) else None
            if file is not None and is_own(name, file) and file.is_file():
                _REGISTRY.get(name, file)


def _own_sources(used: tuple[Any, ...]) -> dict[str, Source]:
    """Return the sources of the user's modules that are used, by name, when they are what is live."""
    homes = [home for one in used if (home := _home(one)) is not None]
    if not homes:
        return {}
    known = _SETTLED.get(tuple(homes))
    if known is None or not all(source.is_current() for source in known.values()):
        _REGISTRY.begin()
        sources = _follow(homes)
        patched = frozenset[str]().union(*(source.facts.patched for source in sources.values()))
        for source in sources.values():
            if source.module is None:
                continue
            if not source.is_checked:
                different = compare_with_live(source.module, source.file, source.content, patched)
                if different:
                    raise edited(source.file, different)
                source.is_checked = True
            stale = stale_binding(source, sources, patched)
            if stale:
                raise edited(source.file, stale)
        known = _SETTLED[tuple(homes)] = sources
    for one in used:
        if not isinstance(one, str):
            _check_function(one, known)
    return known


def _home(one: Any) -> str | None:
    """Return the name of the module that something of the user's is defined in, None for this package."""
    if isinstance(one, str):
        return _home_of_module(one)
    name = str(one.__module__)
    module = sys.modules.get(name)
    file = None if module is None else module_file(module)
    function = inspect.unwrap(one) if callable(one) else one
    if isinstance(function, FunctionType) and not _REGISTRY.is_known(name):
        file = file if Path(function.__code__.co_filename).is_file() else None
    if file is None:
        where = function.__code__.co_filename if isinstance(function, FunctionType) else name
        what = "study" if isinstance(function, FunctionType) else "class"
        raise InvalidArgumentError(
            f"{what} must be defined in a file, from which it can be told whether it was changed, got {one.__name__} "
            f"in {where!r}"
        )
    own = name in MAIN or is_own(name, file)
    return (MAIN[0] if name in MAIN else name) if own else None


def _home_of_module(name: str) -> str | None:
    """Return the name of a module of the user's own, None for others and where there is none."""
    file = find_file(name)[0]
    if file is None and name in sys.modules and getattr(sys.modules[name], "__spec__", None) is None:
        raise InvalidArgumentError(
            f"what is named must be defined in a file, from which it can be told whether it was changed, got {name}"
        )
    if file is None or not (name in MAIN or is_own(name, file)):
        return None
    return MAIN[0] if name in MAIN else name


def _check_function(one: Any, sources: dict[str, Source]) -> None:
    """Refuse a function that its module has replaced by another one since."""
    home = sources.get(MAIN[0] if one.__module__ in MAIN else one.__module__)
    if home is None or home.module is None or "<locals>" in one.__qualname__:
        return
    live = home.module
    for part in one.__qualname__.split("."):
        live = getattr(live, part, None)  # type: ignore[assignment]
    mine, theirs = plain_function(one), plain_function(live)
    if mine is not None and mine.__code__.co_filename == str(home.file) and not home.has_function(mine):
        raise edited(home.file, f"which has no {mine.__code__.co_qualname} any more", "take another one")
    if live is one:
        return
    if mine is None or theirs is None or not is_same_function(mine, theirs):
        raise edited(home.file, f"whose {one.__qualname__} is another one by now", "take it from its module again")


def _follow(homes: list[str]) -> dict[str, Source]:
    """Return the sources of the user's modules that some modules import, directly or through others."""
    found: dict[str, Source] = {}
    todo, asked = list(homes), set[str]()
    while todo:
        name = todo.pop()
        if name in asked:
            continue
        asked.add(name)
        if name.endswith(".*"):
            todo.extend(_submodules(name.removesuffix(".*")))
            continue
        if "." in name:
            todo.append(name.rpartition(".")[0])
        if name.partition(".")[0] == ROOT or _is_installed(name.partition(".")[0]):
            continue
        file, _ = find_file(name)
        if file is None or not (name in MAIN or is_own(name, file)):
            continue
        if not file.is_file() and not _REGISTRY.is_known(name):
            continue
        source = _REGISTRY.get(name, file)
        found[source.name] = source
        if file.suffix == ".py":
            todo.extend(source.facts.imports)
        if name in MAIN and source.package:
            todo.append(source.package)
    return found


def _is_installed(root: str) -> bool:
    """Return whether everything under the first part of a name is installed: a package that is no namespace."""
    if root in MAIN:
        return False
    file, _ = find_file(root)
    return file is not None and not is_own(root, file)


def _submodules(package: str) -> Iterator[str]:
    for folder in find_file(package)[1]:
        for file in sorted(Path(folder).glob("*.py")):
            if file.stem != "__init__":
                yield f"{package}.{file.stem}"


class _Package:
    """The source files of this package, as they were when it was imported."""

    def __init__(self) -> None:
        # Their times now, their contents when somebody asks: importing is to stay quick.
        self._stamps = FILES
        self._digests: dict[str, str] = {}
        self._whole = ""
        self._loaded: set[str] = set()

    def digest(self) -> str:
        """Return the digest of what was imported."""
        if not self._whole:
            self._read()
        for name in [name for name in sys.modules if name.startswith(f"{ROOT}.") and name not in self._loaded]:
            file = os.path.realpath(module_file(sys.modules[name]) or "")
            if file in self._digests:
                self._check_file(file)
            self._loaded.add(name)
        return self._whole

    def _read(self) -> None:
        named = [(module_file(one), one) for name, one in list(sys.modules.items()) if name.startswith(ROOT)]
        modules = {os.path.realpath(file): one for file, one in named if file is not None}
        total = sha256()
        now = dict(stamps())
        for path in sorted(now.keys() | self._stamps.keys()):
            if path not in now:
                raise _edited_package(path)
            content = Path(path).read_bytes()
            if self._stamps.get(path) != now[path] and path in modules:
                different = compare_with_live(modules[path], Path(path), content, frozenset())
                if different:
                    raise _edited_package(path)
            self._digests[path] = digest_of(content)
            total.update(Path(path).relative_to(PACKAGE).as_posix().encode() + b"\0")
            total.update(bytes.fromhex(self._digests[path]))
        self._stamps, self._whole = now, total.hexdigest()

    def check(self) -> None:
        """Refuse files that were edited since."""
        self.digest()
        now = dict(stamps())
        for path in self._digests:
            if now.get(path) != self._stamps[path]:
                self._check_file(path)

    def _check_file(self, path: str) -> None:
        try:
            digest = digest_of(Path(path).read_bytes())
        except OSError as error:
            raise _edited_package(path) from error
        if digest != self._digests[path]:
            raise _edited_package(path)


def _edited_package(path: str) -> InvalidArgumentError:
    return edited(Path(path), "which was edited after it was imported", "restart")


_LOCK = threading.RLock()
_REGISTRY = SourceRegistry()
_SETTLED: dict[tuple[str, ...], dict[str, Source]] = {}
"""The sources of a computation by its modules, as long as nothing of them is loaded, or loaded anew."""
_PACKAGE = _Package()
