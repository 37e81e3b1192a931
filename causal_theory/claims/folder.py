"""Find claims: every Python file of a folder that defines one of its own name; helpers begin with an underscore."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from causal_theory.errors import InvalidArgumentError

if TYPE_CHECKING:
    from causal_theory.claims.claim import Claim

_LOADED: set[str] = set()
"""Names of the files that were imported by themselves."""


def find_claims(folder: str | Path) -> "tuple[Claim, ...]":
    """Load the claims of a folder, ordered by number.

    Files may import helpers beside them. Those of a package are imported as its modules.

    Parameters
    ----------
    folder : path
        With a Python file for each claim.

    Returns
    -------
    tuple of Claim

    Raises
    ------
    InvalidArgumentError
        If it is no folder, holds no claim, a file defines no claim of its own name, or two share a number.
    """
    if not Path(folder).is_dir():
        raise InvalidArgumentError(f"claims must be a folder, got {str(folder)!r}")
    found = sorted(map(load_claim, claim_files(folder)), key=lambda one: one.number)
    if not found:
        raise InvalidArgumentError(f"claims must be a folder with a Python file for each claim, got {str(folder)!r}")
    for one, other in pairwise(found):
        if one.number == other.number:
            raise InvalidArgumentError(
                f"claims must have different numbers, {one.name} and {other.name} are {one.number}"
            )
    return tuple(found)


def claim_files(folder: str | Path) -> list[Path]:
    """Return the files of a folder that are to define claims."""
    return sorted(Path(folder).glob("[!_]*.py"))


def load_claim(file: str | Path) -> "Claim":
    """Load the claim that a file defines under its own name.

    Raises
    ------
    InvalidArgumentError
        If it defines none, or cannot be imported.
    """
    from causal_theory.claims.claim import Claim

    path = Path(file).resolve()
    if not path.is_file():
        raise InvalidArgumentError(f"file must be a Python file, got {str(file)!r}")
    alone = not (path.parent / "__init__.py").is_file()
    if alone and path.stem in sys.modules and path.stem not in _LOADED:
        raise InvalidArgumentError(f"name of a claim must differ from that of a module in use, got {path.stem!r}")
    try:
        found = getattr(_import(path), path.stem, None)
    except Exception as error:
        lines = [f", line {at.lineno}" for at in traceback.extract_tb(error.__traceback__) if at.filename == str(path)]
        what = f"{type(error).__name__}: {error}{(lines or [''])[-1]}"
        raise InvalidArgumentError(f"{path.name} must be a file that can be imported, got {what}") from error
    if not isinstance(found, Claim):
        raise InvalidArgumentError(
            f"{path.name} must define a claim, a function {path.stem!r} under @claim, got {found!r}"
        )
    return found


def select_claims(available: "Sequence[Claim]", names: Iterable[str]) -> "tuple[Claim, ...]":
    """Return the claims with the given names in the order of their numbers; all when no name is given.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown; the message lists those there are.
    """
    known, wanted = [one.name for one in available], list(names)
    for name in wanted:
        if name not in known:
            raise InvalidArgumentError(f"claim must be one of {', '.join(known)}, got {name!r}")
    return tuple(one for one in available if not wanted or one.name in wanted)


def _import(path: Path) -> ModuleType:
    """Import a file: as a module of its package, or by itself, with the files beside it in reach."""
    names, top = [path.stem], path.parent
    while (top / "__init__.py").is_file():
        names.insert(0, top.name)
        top = top.parent
    if str(top) not in sys.path:
        sys.path.append(str(top))
    if len(names) > 1:
        return importlib.import_module(".".join(names))
    # A file of this name may have been loaded from another folder, or have changed since.
    _LOADED.add(path.stem)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
