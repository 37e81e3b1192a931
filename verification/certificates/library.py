"""Reading and writing the library: one JSON file for each certificate, and an index."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from causal_theory import Certificate
from causal_theory.certificates import read_certificate, write_certificate
from causal_theory.files import write_text
from verification.certificates.conditions import CONDITIONS, check_conditions

__all__ = ["FOLDER", "Entry", "read_library", "write_library"]

FOLDER = Path(__file__).parent
INDEX = "index.json"


@dataclass(frozen=True)
class Entry:
    """One certificate of the library, and what the index says about it.

    Attributes
    ----------
    name : str
        Also the name of the file.
    family : str
        The graph family.
    violates : tuple of str
        Conditions that the instance does not satisfy.
    holds : bool
        Whether the parent wins in every child row.
    folder : Path
        Where the file is.
    """

    name: str
    family: str
    violates: tuple[str, ...]
    holds: bool
    folder: Path = FOLDER

    @cached_property
    def certificate(self) -> Certificate:
        """The certificate as it is in the file; whether it is true is for ``verify_certificate`` to say."""
        return read_certificate(self.folder / f"{self.name}.json")

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


def read_library(folder: Path = FOLDER) -> tuple[Entry, ...]:
    """Return the entries in the order of the index; certificates are read when they are looked at.

    Parameters
    ----------
    folder : path
        Where the files are; by default beside this module.

    Returns
    -------
    tuple of Entry

    Examples
    --------
    >>> entries = read_library()
    >>> len(entries) >= 50, sum(not entry.holds for entry in entries) >= 10
    (True, True)
    """
    content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return tuple(
        Entry(one["name"], one["family"], tuple(one["violates"]), one["holds"], folder) for one in content["entries"]
    )


def write_library(made: Iterable[tuple[str, str, Certificate]], folder: Path = FOLDER) -> tuple[Entry, ...]:
    """Write certificates with their names and families, and the index; files of other names are removed.

    Parameters
    ----------
    made : iterable of (str, str, Certificate)
        Name, graph family, certificate.
    folder : path
        Where to write.

    Returns
    -------
    tuple of Entry
    """
    entries = []
    for name, family, certificate in made:
        checks = check_conditions(certificate.graph, certificate.transition, certificate.epsilon)
        violates = tuple(check.name for check in checks if not check.holds)
        write_certificate(certificate, folder / f"{name}.json")
        entries.append(Entry(name, family, violates, certificate.holds, folder))
    index = {
        "conditions": list(CONDITIONS),
        "entries": [
            {"name": one.name, "family": one.family, "violates": list(one.violates), "holds": one.holds}
            for one in entries
        ],
    }
    write_text(folder / INDEX, json.dumps(index, indent=1) + "\n")
    known = {INDEX, *(f"{one.name}.json" for one in entries)}
    for path in folder.glob("*.json"):
        if path.name not in known:
            path.unlink()
    return tuple(entries)
