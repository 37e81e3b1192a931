"""Read and write the library: one JSON file with all certificates, and what is said about each."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from causal_theory import Certificate
from causal_theory.certificates.files import certificate_from_dict, certificate_to_dict
from causal_theory.errors import FileFormatError
from causal_theory.files import write_text
from verification.certificates.conditions import CONDITIONS, check_conditions

__all__ = ["LIBRARY", "Entry", "read_library", "write_library"]

LIBRARY = Path(__file__).with_name("library.json")


@dataclass(frozen=True)
class Entry:
    """One certificate of the library, and what the library says about it.

    Attributes
    ----------
    name : str
        Family, length and matrix.
    family : str
        The graph family.
    violates : tuple of str
        Conditions that the instance does not satisfy.
    holds : bool
        Whether the parent wins in every child row.
    content : dict
        The certificate, as ``certificate_to_dict`` returns it.
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
        one = self.certificate
        checks = check_conditions(one.graph, one.transition, one.epsilon)
        return tuple(check.name for check in checks if not check.holds)

    @property
    def witness(self) -> str:
        """What decides about the violated conditions."""
        one = self.certificate
        checks = check_conditions(one.graph, one.transition, one.epsilon)
        return "; ".join(check.witness for check in checks if check.name in self.violates)


def read_library(path: Path = LIBRARY) -> tuple[Entry, ...]:
    """Return the entries in the order of the file; certificates are read when they are looked at.

    Parameters
    ----------
    path : path
        The file; by default the one beside this module.

    Returns
    -------
    tuple of Entry

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
    """Write certificates with their names and families, a line each.

    Parameters
    ----------
    made : iterable of (str, str, Certificate)
        Name, graph family, certificate.
    path : path
        Where to write.

    Returns
    -------
    tuple of Entry
    """
    entries = []
    for name, family, certificate in made:
        checks = check_conditions(certificate.graph, certificate.transition, certificate.epsilon)
        violates = tuple(check.name for check in checks if not check.holds)
        entries.append(Entry(name, family, violates, certificate.holds, certificate_to_dict(certificate)))
    lines = (
        json.dumps(
            {
                "name": one.name,
                "family": one.family,
                "violates": one.violates,
                "holds": one.holds,
                "certificate": one.content,
            }
        )
        for one in entries
    )
    head = f'{{\n"conditions": {json.dumps(CONDITIONS)},\n"entries": [\n'
    write_text(path, head + ",\n".join(lines) + "\n]\n}\n")
    return tuple(entries)
