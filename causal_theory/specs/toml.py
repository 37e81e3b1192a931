"""Read TOML files of settings, and report errors in them."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from causal_theory.choices import look_in
from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.matrices import is_json
from causal_theory.specs.base import Spec, option_type, options_of
from causal_theory.specs.readers import Reader


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Return what a file is called in messages, and what it holds.

    Raises
    ------
    FileFormatError
        If it cannot be read or is not TOML.
    """
    name = f"config {str(path)!r}"
    try:
        return name, tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FileFormatError(f"{name} must be a file that can be read: {error.strerror or error}") from error
    except ValueError as error:  # also bytes that are not UTF-8
        raise FileFormatError(f"{name} must be a TOML file: {error}") from error


def read_section(name: str, content: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return a section, empty if it is not there."""
    table = content.get(section, {})
    if not isinstance(table, dict):
        raise FileFormatError(f"{name}: {section} must be a section [{section}], got {table!r}")
    return table


def check_keys(what: str, table: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keys that mean nothing."""
    allowed = tuple(known)
    unknown = [key for key in table if key not in allowed]
    if unknown:
        raise FileFormatError(f"{what} must be among {', '.join(allowed)}, got {', '.join(map(repr, unknown))}")


def read_table(name: str, content: Mapping[str, Any], section: str, spec: type[Spec], folder: Path) -> dict[str, Any]:
    """Return the fields of a spec that a section holds, each read as the spec reads it.

    Parameters
    ----------
    name, content : str, mapping
        See `read_toml`.
    section : str
        Which section; it need not be there.
    spec : type
        Whose fields they are.
    folder : Path
        What names of files are relative to, and where modules are looked for first.

    Raises
    ------
    FileFormatError
        If a key is unknown, or a value does not fit.
    """
    known, table = options_of(spec), read_section(name, content, section)
    check_keys(f"{name}: keys of [{section}]", table, known)
    given = dict(table)
    for key, value in table.items():
        option = known[key]
        if option.is_file and isinstance(value, str) and not is_json(value):
            given[key] = str(folder / value)
        elif option_type(spec, key) is float and isinstance(value, int) and not isinstance(value, bool):
            given[key] = _float(value)
        elif option.registry is not None and isinstance(value, str) and ":" in value:
            look_in(folder)
    return read_keys(f"{name}: [{section}]", given, dict.fromkeys(given, spec.read))


def read_keys(where: str, table: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the values of those keys that have a reader, whose errors name the file.

    Raises
    ------
    FileFormatError
        If a value does not fit.
    """
    found = {}
    for key, read in readers.items():
        if key in table:
            try:
                found[key] = read(key, table[key])
            except InvalidArgumentError as error:
                raise FileFormatError(f"{where} {error}") from error
    return found


def _float(value: int) -> float | int:
    try:
        return float(value)
    except OverflowError:  # the reader tells
        return value
