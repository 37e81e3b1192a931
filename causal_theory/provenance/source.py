"""Read a source file without running it: the modules it imports, and the names its top level binds."""

import ast
import importlib.util
import os
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = ("site-packages", "dist-packages")
IMPORTERS = ("import_module", "__import__")
BINDERS = ("globals", "locals", "vars", "exec")
PLAIN = (int, float, complex, str, bytes, type(None))


@dataclass(frozen=True)
class Binding:
    """A name that an import binds at the top level of a module, once and for all.

    Attributes
    ----------
    bound : str
        The name.
    module : str
        Full name of the module that it is imported from, or that it is.
    attribute : str or None
        What is taken from that module; None: the module itself.
    is_used_at_once : bool
        Whether the top level goes on to use it, so that what is imported leaves its mark on other names.
    """

    bound: str
    module: str
    attribute: str | None
    is_used_at_once: bool


@dataclass(frozen=True)
class SourceFacts:
    """The imports and names of a module, read without running it.

    Attributes
    ----------
    imports : tuple of str
        Full names of what it imports anywhere; of ``from a import b`` also ``a.b``, which may be no module. An entry
        that ends in ``.*`` stands for all modules in a package.
    bindings : tuple of Binding
        Of imports at the top level.
    stars : tuple of str
        Modules all of whose names are imported.
    bound, used : frozenset of str
        Names that the top level binds otherwise, and that it uses.
    constants : dict
        Numbers, texts and tuples of them by the names that are bound to them, once and for all, also when an import
        fails.
    rebound : frozenset of str
        Names that functions bind anew at the top level.
    patched : frozenset of str
        Attributes of whatever that are assigned to, also by ``setattr``.
    """

    imports: tuple[str, ...]
    bindings: tuple[Binding, ...]
    stars: tuple[str, ...]
    bound: frozenset[str]
    used: frozenset[str]
    constants: dict[str, Any]
    rebound: frozenset[str]
    patched: frozenset[str]


NO_FACTS = SourceFacts((), (), (), frozenset(), frozenset(), {}, frozenset(), frozenset())


@lru_cache(maxsize=4096)
def read_facts(content: bytes, package: str) -> SourceFacts:
    """Return what a file says; nothing of one that is no Python.

    Parameters
    ----------
    content : bytes
        The file.
    package : str
        What relative imports are relative to.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return NO_FACTS
    nodes = list(ast.walk(tree))
    imports = dict.fromkeys(name for node in nodes for name in _imported(node, package))
    top = list(_top_level(tree))
    everywhere = Counter(name for node in top for name in _bound(node))
    plain = list(_top_level(tree, handlers=False))
    bound = Counter(name for node in plain for name in _bound(node))
    # What is bound when an import fails does not make the import another one.
    attempted = {name for node in plain if isinstance(node, ast.Try) for name in _attempted(node)}
    rebound = frozenset(name for node in nodes if isinstance(node, ast.Global) for name in node.names)
    used = {node.id for node in top if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bindings = tuple(
        Binding(name, module, attribute, name in used)
        for node in plain
        for name, module, attribute in _bindings(node, package)
        if (bound if name in attempted else everywhere)[name] == 1 and name not in rebound
    )
    settled = max((node.lineno for node in top if _may_bind_anything(node)), default=0)
    constants = {
        name: value
        for node in tree.body
        for name, value in _constant(node)
        if everywhere[name] == 1 and name not in rebound and node.lineno > settled
    }
    patched = frozenset(name for node in nodes for name in _patched(node))
    stars = tuple(name.removesuffix(".*") for name in imports if name.endswith(".*"))
    return SourceFacts(tuple(imports), bindings, stars, frozenset(bound), frozenset(used), constants, rebound, patched)


def _top_level(tree: ast.Module, *, handlers: bool = True) -> Iterator[ast.AST]:
    """Yield what runs when the module does: not the bodies of functions, but their defaults and decorators."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.append(node.args)
            if not isinstance(node, ast.Lambda):
                todo.extend(node.decorator_list)
        elif handlers or not isinstance(node, ast.ExceptHandler):
            todo.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _attempted(node: ast.Try) -> Iterator[str]:
    """Yield the names of imports that may fail."""
    inner = (one for statement in node.body for one in ast.walk(statement))
    yield from (name for one in inner if isinstance(one, ast.alias) for name in _bound(one))


def _may_bind_anything(node: ast.AST) -> TypeGuard[ast.ImportFrom | ast.Call]:
    """Return whether any name may be bound there: by the import of all of a module, or through a dictionary."""
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in BINDERS
        and not (node.func.id == "vars" and node.args)
    )


def _patched(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        yield node.attr
    elif isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called == "setattr" and isinstance(node.args[1].value, str):
            yield node.args[1].value


def _constant(node: ast.stmt) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target, value = node.target, node.value
    else:
        return
    if isinstance(target, ast.Name):
        try:
            found = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return
        if isinstance(found, PLAIN) or (isinstance(found, tuple) and all(isinstance(one, PLAIN) for one in found)):
            yield target.id, found


def _origin(node: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module that names are imported from, empty when there is none."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, node.module or ""]).strip(".") if kept else ""


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = _origin(node, package)
        if origin:
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        name = node.args[0].value
        if called in IMPORTERS and isinstance(name, str) and name:
            yield name if not name.startswith(".") else f"{package}.{name.lstrip('.')}"


def _bindings(node: ast.AST, package: str) -> Iterator[tuple[str, str, str | None]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], alias.name if alias.asname else _root(alias.name), None
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.name != "*":
                yield alias.asname or alias.name, _origin(node, package), alias.name


def _root(name: str) -> str:
    return name.partition(".")[0]


def module_file(module: ModuleType) -> Path | None:
    """Return the file that a module was loaded from, if there is one."""
    origin = _origin_of(module)
    return None if origin is None else Path(origin)


def may_be_own(module: ModuleType) -> bool:
    """Return whether a module is neither Python's nor in a usual place of installed ones; quick, for all modules."""
    origin = _origin_of(module)
    return origin is not None and origin.endswith(".py") and not _is_foreign(os.path.dirname(origin))


def _origin_of(module: ModuleType) -> str | None:
    # Not by getattr, at which a module that is loaded when it is needed would load itself.
    space = object.__getattribute__(module, "__dict__") if isinstance(module, ModuleType) else {}
    spec = space.get("__spec__")
    origin = spec.origin if getattr(spec, "has_location", False) else space.get("__file__")
    return origin if isinstance(origin, str) else None


def find_file(name: str) -> tuple[Path | None, list[str]]:
    """Return the file of a module, loaded or not, and the folders of what is in it; nothing is imported.

    Parameters
    ----------
    name : str
        Its full name.
    """
    module = sys.modules.get(name)
    if module is not None:
        return module_file(module), list(getattr(module, "__path__", ()))
    parent, _, leaf = name.rpartition(".")
    return _find_in(find_file(parent)[1], leaf) if parent else _find_top(name)


def _find_top(name: str) -> tuple[Path | None, list[str]]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return None, []
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    return file, list(spec.submodule_search_locations or ())


def _find_in(folders: list[str], leaf: str) -> tuple[Path | None, list[str]]:
    """Return the file of a module in a package, and its own folders: several where it is a namespace."""
    spaces = []
    for folder in folders:
        inner = Path(folder, leaf)
        if (inner / "__init__.py").is_file():
            return inner / "__init__.py", [str(inner)]
        if Path(folder, f"{leaf}.py").is_file():
            return Path(folder, f"{leaf}.py"), []
        if inner.is_dir():
            spaces.append(str(inner))
    return None, spaces


def is_own(name: str, file: Path) -> bool:
    """Return whether a module is the user's own: no part of Python or of this package, and not installed.

    What is installed in place, so that its files can be edited, is the user's own.
    """
    depth = name.count(".") + (file.stem == "__init__")
    folder = file.parent
    return not _is_foreign(str(folder)) and _root(name) not in _installed_names(_ancestor(folder, depth))


def _ancestor(folder: Path, depth: int) -> Path:
    return folder.parents[depth - 1] if 0 < depth <= len(folder.parents) else folder


@cache
def _is_foreign(folder: str) -> bool:
    if folder.startswith(_standard()[0] + os.sep) and not any(part in folder for part in INSTALLED):
        return True
    real = Path(os.path.realpath(folder))
    parts = {real, *real.parents}
    return PACKAGE in parts or any(part in INSTALLED for part in real.parts) or not parts.isdisjoint(_standard_paths())


@cache
def _standard() -> tuple[str, ...]:
    paths = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))


@cache
def _standard_paths() -> frozenset[Path]:
    return frozenset(map(Path, _standard()))


@cache
def _installed_names(root: Path) -> frozenset[str]:
    """Return what was installed into a folder that is no usual place for it, as by ``pip install --target``."""
    names: set[str] = set()
    try:
        records = list(Path(os.path.realpath(root)).glob("*.dist-info/RECORD"))
        for record in records:
            lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
            names.update(line.split(",")[0].split("/")[0].removesuffix(".py") for line in lines)
    except OSError:
        pass
    return frozenset(names)
