"""The sources of the modules that this process has loaded, as they were when each was first seen.

A module keeps no copy of its source. Its file is read when it is first seen here.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from causal_theory.errors import InvalidArgumentError
from causal_theory.provenance.source import SourceFacts, find_file, read_facts

MAIN = ("__main__", "__mp_main__")
"""The script that was started, here and in processes that were started by it."""
REMEDY = "reload the module or restart"


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file."""
    return sha256(content).hexdigest()


def edited(file: Path, what: str, remedy: str = REMEDY) -> InvalidArgumentError:
    """Return the error of a process that runs something else than its files hold."""
    return InvalidArgumentError(f"code must be what its files hold, got {str(file)!r}, {what}; {remedy}")


@dataclass(eq=False)
class Source:
    """The source of a module of the user's own.

    Attributes
    ----------
    name : str
        Of the module, ``__main__`` for the script that was started.
    file : Path
        Where it is.
    content : bytes
        What was loaded, or what would be.
    module : ModuleType or None
        The module, when it is loaded.
    load : object
        Another one for every time it is loaded.
    order : int
        Of sources that were first seen at different times, the later one has the larger number.
    is_reload : bool
        Whether another source was loaded before under this name.
    is_checked : bool
        Whether it was found to be what is live.
    """

    name: str
    file: Path
    content: bytes
    module: ModuleType | None
    load: object
    order: int
    is_reload: bool = False
    is_checked: bool = False

    def __post_init__(self) -> None:
        """Note when the file was written."""
        self.stamp = _stamp(self.file)

    @property
    def package(self) -> str:
        """The package that relative imports in it start from."""
        spec = getattr(self.module, "__spec__", None)
        if spec is not None and self.name in MAIN:
            return str(spec.parent)
        if self.name in MAIN:
            return str(getattr(self.module, "__package__", None) or "")
        return self.name if self.file.stem == "__init__" else self.name.rpartition(".")[0]

    @property
    def facts(self) -> SourceFacts:
        """Its imports and the names that it binds."""
        return read_facts(self.content, self.package)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return digest_of(self.content)

    @cached_property
    def _functions(self) -> frozenset[str]:
        code = compile(self.content, str(self.file), "exec", dont_inherit=True)
        return frozenset(one.co_qualname for one in codes_in(code))

    def has_function(self, function: FunctionType) -> bool:
        """Return whether the source has a function of this name, as far as that can be told."""
        try:
            return self.file.suffix != ".py" or function.__code__.co_qualname in self._functions
        except (SyntaxError, ValueError):
            return True

    def is_current(self) -> bool:
        """Return whether it is what is loaded, or what would be loaded."""
        if self.module is None:
            if self.name in sys.modules or _stamp(self.file) != self.stamp:
                return False
            return find_file(self.name)[0] == self.file
        return load_of(self.name) is self.load


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of all functions and classes in a piece of code, inner ones too."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


def load_of(name: str) -> object:
    """Return another object for every time a module is loaded, None when it is not."""
    module = sys.modules.get(name)
    return None if module is None else getattr(module, "__spec__", None) or module


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


class SourceRegistry:
    """The sources of modules as they were when each was first seen loaded."""

    def __init__(self) -> None:
        self._seen: dict[str, Source] = {}
        self._order = 0

    def begin(self) -> None:
        """Take what is first seen from now on for later than what was seen before."""
        self._order += 1

    def is_known(self, name: str) -> bool:
        """Return whether the source is known that a module was loaded from, whatever became of its file."""
        name = MAIN[0] if name in MAIN else name
        return name in self._seen and self._seen[name].load is load_of(name)

    def get(self, name: str, file: Path) -> Source:
        """Return the source of a module, loaded or not.

        Raises
        ------
        InvalidArgumentError
            If its file cannot be read.
        """
        name = MAIN[0] if name in MAIN else name
        module, load = sys.modules.get(name), load_of(name)
        before = self._seen.get(name)
        if before is not None and module is not None and before.load is load:
            return before
        try:
            content = file.read_bytes()
        except OSError as error:
            raise edited(file, f"which cannot be read ({error.strerror or error})") from error
        found = Source(name, file, content, module, load, self._order)
        if module is not None:
            found.is_reload = before is not None and before.content != content
            self._seen[name] = found
        return found
