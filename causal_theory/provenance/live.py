"""Compare live modules with their sources: functions, constants, compiled copies, names taken from other modules."""

import importlib.util
import marshal
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from causal_theory.provenance.loaded import Source, codes_in
from causal_theory.provenance.source import Binding, read_facts

WRAPPED = ("__wrapped__", "py_func", "func")
"""Where decorators, compilers and cached properties keep the function."""
MOST_WRAPPERS = 100
HEADER = 16
"""Bytes before the code in a compiled copy."""
PLAIN = (bool, int, float, complex, str, bytes, type(None), tuple, frozenset)


def compare_with_live(module: ModuleType, file: Path, content: bytes, patched: frozenset[str]) -> str | None:
    """Return in words what a module holds that its source does not, None when nothing was found.

    Parameters
    ----------
    module : ModuleType
        The module.
    file : Path
        Its file.
    content : bytes
        What the file holds.
    patched : frozenset of str
        Names that programs assign to from outside, which say nothing about the file.
    """
    spec = getattr(module, "__spec__", None)
    loader = getattr(module, "__loader__", None) if spec is None else spec.loader
    if type(loader) not in (SourceFileLoader, type(None)) or file.suffix != ".py":
        return None  # what other loaders make of a source is theirs
    try:
        code = compile(content, str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return "which is no Python now"
    compiled = None if spec is None or spec.cached is None else Path(spec.cached)
    different = _different_function(module, code) or _different_constant(module, content, patched)
    if different:
        if compiled is not None and _is_current(compiled, file) and _differs(compiled, code):
            return f"of which Python loaded an older copy, {str(compiled)!r}: remove that"
        return f"which was edited after it was loaded: {different} is another"
    if compiled is not None and _is_written(compiled) and not _is_current(compiled, file) and _differs(compiled, code):
        return "which was edited after it was loaded"
    return None


def _different_function(module: ModuleType, code: CodeType) -> str | None:
    """Return the name of a function whose code is none of those that the source has under this name."""
    known: dict[str, list[CodeType]] = {}
    for one in codes_in(code):
        known.setdefault(one.co_qualname, []).append(one)
    for function in _functions(module, vars(module), set()):
        named = known.get(function.__code__.co_qualname, [])
        # What the source has no more is left over from before a reload.
        if named and not any(_same_code(function.__code__, one) for one in named):
            return function.__code__.co_qualname
    return None


def _functions(module: ModuleType, space: Mapping[str, Any], seen: set[int]) -> Iterator[FunctionType]:
    """Yield the functions that a module defines, those of its classes too, without what wraps them."""
    for value in list(space.values()):
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, type):
            if value.__module__ == module.__name__:
                yield from _functions(module, vars(value), seen)
            continue
        parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
        for part in parts:
            function = plain_function(part)
            if function is not None and function.__module__ == module.__name__:
                yield function


def plain_function(value: object) -> FunctionType | None:
    """Return the function that a decorated one, a method or a compiled one was made of."""
    for _ in range(MOST_WRAPPERS):
        inner = _wrapped(value)
        if inner is None:
            break
        value = inner
    return value if isinstance(value, FunctionType) else None


def _wrapped(value: object) -> object | None:
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    if isinstance(value, type):
        return None
    try:
        # Not by getattr: an object may answer to every name.
        space = vars(value)
    except Exception:  # no variables, or an object that stands for another one which is not there
        return None
    return next((space[name] for name in WRAPPED if name in space), None)


def _same_code(one: CodeType, other: CodeType) -> bool:
    names = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount")
    more = ("co_kwonlyargcount", "co_posonlyargcount")
    return all(getattr(one, name) == getattr(other, name) for name in names + more) and _same(
        one.co_consts, other.co_consts
    )


def _same(one: Any, other: Any) -> bool:
    """Return whether two constants are the same, of the same types and signs."""
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType):
        return _same_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, frozenset):
        return bool(one == other)
    return repr(one) == repr(other)


def _different_constant(module: ModuleType, content: bytes, patched: frozenset[str]) -> str | None:
    for name, value in read_facts(content, "").constants.items():
        if name in vars(module) and name not in patched and not name.startswith("__"):
            live = vars(module)[name]
            if isinstance(live, PLAIN) and not _same(live, value):
                return name
    return None


def _is_current(compiled: Path, file: Path) -> bool:
    """Return whether a compiled copy was made of a file as it is, by Python's own rule."""
    try:
        header = compiled.read_bytes()[:HEADER]
        if int.from_bytes(header[4:8], "little"):  # names its source by a hash
            return header[8:HEADER] == importlib.util.source_hash(file.read_bytes())
        stat = file.stat()
    except OSError:
        return False
    when, size = int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF
    return header[8:HEADER] == when.to_bytes(4, "little") + size.to_bytes(4, "little")


def _is_written(compiled: Path) -> bool:
    """Return whether Python would have written a compiled copy of what it loaded."""
    return not sys.dont_write_bytecode and os.access(compiled.parent, os.W_OK)


def _differs(compiled: Path, code: CodeType) -> bool:
    """Return whether a compiled copy holds other code."""
    try:
        content = compiled.read_bytes()
        if content[:4] != importlib.util.MAGIC_NUMBER:
            return False
        return not _same(marshal.loads(content[HEADER:]), code)
    except (OSError, EOFError, ValueError, TypeError):
        return False


def stale_binding(source: Source, sources: Mapping[str, Source], patched: frozenset[str]) -> str | None:
    """Return in words what a module holds of another one that was loaded anew since, None when there is nothing.

    Parameters
    ----------
    source : Source
        Of the module, loaded.
    sources : mapping
        Of the user's modules, by name.
    patched : frozenset of str
        Names that programs assign to from outside: who imported one before holds an older value by design.
    """
    space = vars(source.module)
    for binding in (*source.facts.bindings, *_star_bindings(source)):
        module = sys.modules.get(binding.module)
        origin = sources.get(binding.module)
        if module is None or origin is None or binding.bound not in space:
            continue
        if binding.attribute in origin.facts.rebound | patched:
            continue
        if space[binding.bound] is sys.modules.get(f"{source.name}.{binding.bound}"):
            continue  # loading a module of a package binds its name there, whatever the name stood for
        if _holds_other(binding, space[binding.bound], module):
            what = binding.module if binding.attribute is None else f"{binding.module}.{binding.attribute}"
            return f"whose {binding.bound} is an older {what}"
        if binding.is_used_at_once and origin.is_reload and origin.order > source.order:
            return f"which was loaded before {binding.module} was loaded anew"
    return None


def _star_bindings(source: Source) -> Iterator[Binding]:
    """Yield the names that ``from module import *`` bound, each from the module whose object is there."""
    facts, held = source.facts, vars(source.module)
    found: dict[str, list[Binding]] = {}
    for origin in facts.stars:
        space = vars(sys.modules[origin]) if isinstance(sys.modules.get(origin), ModuleType) else {}
        names = space.get("__all__") or [name for name in space if not name.startswith("_")]
        for name in names:
            if name not in facts.bound | facts.rebound:
                found.setdefault(name, []).append(Binding(name, origin, name, name in facts.used))
    for name, bindings in found.items():
        current = (
            one for one in bindings if name in held and not _holds_other(one, held[name], sys.modules[one.module])
        )
        yield next(current, bindings[-1])


def _holds_other(binding: Binding, held: object, module: ModuleType) -> bool:
    if binding.attribute is None:
        return isinstance(held, ModuleType) and held is not module
    missing = object()
    wanted = vars(module).get(binding.attribute, missing)
    if wanted is missing:
        # A module of the package, or made by a function of it.
        wanted = sys.modules.get(f"{binding.module}.{binding.attribute}", held)
    return not _is_same_object(held, wanted)


def _is_same_object(one: object, other: object) -> bool:
    if one is other:
        return True
    if isinstance(one, PLAIN) or isinstance(other, PLAIN):
        return _same(one, other)
    functions = plain_function(one), plain_function(other)
    if functions[0] is not None and functions[1] is not None:
        return is_same_function(*functions)  # type: ignore[arg-type]
    return False


def is_same_function(one: FunctionType, other: FunctionType) -> bool:
    """Return whether two functions do the same: equal code and defaults, on the variables of one module."""
    defaults = ((one.__defaults__, other.__defaults__), (one.__kwdefaults__, other.__kwdefaults__))
    return (
        one.__globals__ is other.__globals__
        and _same_code(one.__code__, other.__code__)
        and all(repr(mine) == repr(theirs) for mine, theirs in defaults)
    )
