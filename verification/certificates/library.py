"""Read and write the library: one JSON file with all certificates, and what is said about each."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from causal_theory import Certificate
from causal_theory.certificates.files import certificate_from_dict, certificate_to_dict
from causal_theory.errors import FileFormatError
from causal_theory.files import write_text
from verification.certificates.conditions import CONDITIONS, Condition, check_conditions

LIBRARY = Path(__file__).with_name("library.json")


@dataclass(frozen=True)
class Entry:
    """One certificate of the library, as ``certificate_to_dict`` returns it, and what the library says about it.

    ``name`` tells family, length and matrix, ``violates`` the conditions that the instance does not satisfy, ``holds``
    whether the parent wins in every child row.
    """

    name: str
    family: str
    violates: tuple[str, ...]
    holds: bool
    content: dict[str, Any]

    @cached_property
    def certificate(self) -> Certificate:
        """The certificate as it is in the file; whether it is true is for ``verify_certificate`` to say."""
        try:
            return certificate_from_dict(self.content)
        except FileFormatError as error:
            raise FileFormatError(f"library must hold certificates, {self.name!r} is none: {error}") from error

    @property
    def found(self) -> tuple[str, ...]:
        """The conditions that the instance in the file does not satisfy."""
        return _violated(self.certificate)

    @property
    def witness(self) -> str:
        """The number that decides about the violated conditions."""
        return "; ".join(check.witness for check in _conditions(self.certificate) if check.name in self.violates)


def _conditions(one: Certificate) -> tuple[Condition, ...]:
    return check_conditions(one.graph, one.transition, one.epsilon)


def _violated(one: Certificate) -> tuple[str, ...]:
    return tuple(check.name for check in _conditions(one) if not check.holds)


def read_library(path: Path = LIBRARY) -> tuple[Entry, ...]:
    """Return the entries in the order of the file; certificates are read when they are looked at.

    Examples
    --------
    >>> entries = read_library()
    >>> len(entries) >= 50, sum(not entry.holds for entry in entries) >= 10
    (True, True)
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Entry(one["name"], one["family"], tuple(one["violates"]), one["holds"], one["certificate"])
        for one in content["entries"]
    )


def write_library(made: Iterable[tuple[str, str, Certificate]], path: Path = LIBRARY) -> tuple[Entry, ...]:
    """Write certificates with their names and graph families, a line each, and return their entries."""
    entries = tuple(
        Entry(name, family, _violated(one), one.holds, certificate_to_dict(one)) for name, family, one in made
    )
    names = {"content": "certificate"}
    lines = (json.dumps({names.get(key, key): value for key, value in asdict(one).items()}) for one in entries)
    head = f'{{\n"conditions": {json.dumps(CONDITIONS)},\n"entries": [\n'
    write_text(path, head + ",\n".join(lines) + "\n]\n}\n")
    return entries
