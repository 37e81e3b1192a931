"""Which code computed a result: a digest of the sources, and the versions of what they run on."""

import hashlib
import inspect
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from causal_theory._version import __version__
from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps.study import StudyFunction

__all__ = ["CodeVersion", "code_version"]

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class CodeVersion:
    """What a result was computed with.

    Attributes
    ----------
    package : str
        Version of ``causal_theory``.
    code : str
        SHA-256 of all its source files; of the file of the study too where it lies elsewhere. What that file imports
        from outside the package is not followed.
    numpy, numba, python : str
        Versions.
    """

    package: str
    code: str
    numpy: str
    numba: str
    python: str


def code_version(function: StudyFunction) -> CodeVersion:
    """Return the version of the code that a study runs in this process.

    Parameters
    ----------
    function : callable
        The study.

    Returns
    -------
    CodeVersion
        Of the sources as they were when they were first asked for.

    Raises
    ------
    InvalidArgumentError
        If the study is in no source file, as when it was typed into an interpreter.

    Examples
    --------
    >>> from causal_theory.sweeps import find_study
    >>> len(code_version(find_study("edge_recovery").function).code)
    64
    """
    source = Path(inspect.unwrap(function).__code__.co_filename).resolve()
    digest = _package_digest()
    if PACKAGE not in source.parents:
        digest = hashlib.sha256((digest + _file_digest(function.__name__, source)).encode()).hexdigest()
    return CodeVersion(__version__, digest, np.__version__, metadata.version("numba"), platform.python_version())


@cache
def _package_digest() -> str:
    """Return the digest of all source files; cached, since a process goes on with what it has imported."""
    total = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        total.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@cache
def _file_digest(name: str, source: Path) -> str:
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidArgumentError(
            f"study must be defined in a file, from which it can be told whether it was changed, got {name} in "
            f"{str(source)!r}"
        ) from error
