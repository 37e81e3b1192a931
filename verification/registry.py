"""Finds the claims: every module in ``verification/claims`` that defines ``CLAIM`` is one."""

import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType

from verification import claims
from verification.claim import Claim

__all__ = ["discover", "select"]


def discover(package: ModuleType = claims) -> tuple[Claim, ...]:
    """Import the modules of a package and return their claims, ordered by number.

    Modules whose name starts with an underscore are helpers and are skipped.

    Raises
    ------
    ValueError
        If a module defines no ``CLAIM`` of its own name, or two claims share a number.
    """
    found: list[Claim] = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        claim = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), "CLAIM", None)
        if not isinstance(claim, Claim) or claim.name != info.name:
            raise ValueError(f"module {info.name} must define CLAIM, a Claim named {info.name!r}, got {claim!r}")
        found.append(claim)
    found.sort(key=lambda claim: claim.number)
    numbers = [claim.number for claim in found]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"claims must have different numbers, got {numbers}")
    return tuple(found)


def select(available: Sequence[Claim], names: Sequence[str]) -> tuple[Claim, ...]:
    """Return the claims with the given names in the order of their numbers; all when no name is given.

    Raises
    ------
    ValueError
        If a name is unknown; the message lists those there are.
    """
    known = [claim.name for claim in available]
    for name in names:
        if name not in known:
            raise ValueError(f"claim must be one of {', '.join(known)}, got {name!r}")
    return tuple(claim for claim in available if not names or claim.name in names)
