"""One file per claim; a new file that defines ``CLAIM`` is found by itself."""

import importlib
import pkgutil
from functools import cache

from verification.claim import Claim

__all__ = ["all_claims"]


@cache
def all_claims() -> tuple[Claim, ...]:
    """Return the claims of this folder in the order of their numbers.

    Raises
    ------
    ValueError
        If two claims have the same number, or a claim is not named like its file.

    Examples
    --------
    >>> all_claims()[0].name
    'first_order_gradient'
    """
    found = {
        module.name: importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    }
    misnamed = [name for name, module in found.items() if module.CLAIM.name != name]
    if misnamed:
        raise ValueError(f"a claim must be named like its file, got {misnamed}")
    claims: list[Claim] = sorted((module.CLAIM for module in found.values()), key=lambda claim: claim.number)
    numbers = [claim.number for claim in claims]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"every claim needs a number of its own, got {numbers}")
    return tuple(claims)
