"""Files of settings: how they are read, and how what is wrong with them is told."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.validation import shown

__all__ = ["Parser", "check_keys", "integer", "number", "parse", "read_section", "read_toml", "text"]

Parser = Callable[[object], Any]
"""Returns a value in the form that is wanted, or raises ValueError with words for what is wanted."""


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


def parse(where: str, table: Mapping[str, object], parsers: Mapping[str, Parser]) -> dict[str, Any]:
    """Return the values of a table in the form that is wanted; its keys are known."""
    parsed = {}
    for key, value in table.items():
        try:
            parsed[key] = parsers[key](value)
        except InvalidArgumentError as error:
            raise FileFormatError(f"{where} {error}") from error
        except ValueError as error:
            raise FileFormatError(f"{where} {key} must be {error}, got {shown(value)}") from error
    return parsed


def integer(value: object) -> int:
    """Return an integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("an integer")
    return value


def number(value: object) -> float:
    """Return a number as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("a number that a float can hold") from error


def text(value: object) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError("a text")
    return value
