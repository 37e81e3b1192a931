"""Compare two runs by their parameters, and name the first difference."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError

SHOWN_NUMBERS = 3
SHOWN_DIGITS = 8
LONGEST = 100
"""Characters of a value in a message; of longer lists the first entry that differs is told."""
ARRAY = "array"


def fingerprint(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array in terms of JSON: type, shape, its first numbers, and the SHA-256 of its bytes.

    Two arrays have the same fingerprint when they agree to the last bit.

    Examples
    --------
    >>> fingerprint(np.eye(2))["first"]
    [1.0, 0.0, 0.0]
    """
    whole = np.ascontiguousarray(array)
    return {
        ARRAY: whole.dtype.str,
        "shape": list(whole.shape),
        "first": whole.ravel()[:SHOWN_NUMBERS].tolist(),
        "sha256": hashlib.sha256(whole.tobytes()).hexdigest(),
    }


def is_same_code(found: str, wanted: str, *, reuse_other_versions: bool) -> bool:
    """Return whether a result of the code with one digest counts as one of the code with another digest.

    Versions of NumPy, numba and Python are kept with every result and do not count: what they change is the last bits.
    """
    return reuse_other_versions or found == wanted


def check_same_run(
    name: str,
    wanted: Mapping[str, Any],
    found: Mapping[str, Any],
    code: tuple[str, str],
    found_code: tuple[str, str],
    *,
    reuse_other_versions: bool,
) -> None:
    """Refuse what belongs to another run.

    Parameters
    ----------
    name : str
        What is refused, for the message.
    wanted, found : mapping
        What was asked for, in terms of JSON, here and there.
    code, found_code : tuple of str
        Version of the package and digest of the code, here and there.
    reuse_other_versions : bool
        Whether another version of the code may go on; nothing else may differ in any case.

    Raises
    ------
    InvalidArgumentError
        If something differs; the message names the first of it, with both values.
    """
    difference = _first_difference("", wanted, found)
    if difference:
        raise InvalidArgumentError(f"{name} must belong to the same run, got {difference}")
    if not is_same_code(found_code[1], code[1], reuse_other_versions=reuse_other_versions):
        there, here = (f"{package} {digest[:SHOWN_DIGITS]}" for package, digest in (found_code, code))
        raise InvalidArgumentError(
            f"{name} must belong to the same version of the code unless reuse_other_versions "
            f"(--reuse-other-versions) is given, got {there} instead of {here}"
        )


def _first_difference(name: str, wanted: Any, found: Any) -> str | None:
    """Return the first entry that differs, in the order of those that are wanted, with both values."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping) and ARRAY not in wanted and ARRAY not in found:
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            inner = _first_difference(f"{name}{key} ", wanted.get(key), found.get(key))
            if inner:
                return inner
        return None
    if _equal(wanted, found):
        return None
    lists = isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found)
    if lists and max(len(repr(wanted)), len(repr(found))) > LONGEST:
        k = next(k for k, pair in enumerate(zip(wanted, found, strict=True)) if not _equal(*pair))
        return _first_difference(f"{name.strip()}[{k}] ", wanted[k], found[k])
    return f"{name.strip()} = {_short(found)} instead of {_short(wanted)}"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        # The first numbers of an array may be NaN.
        return all(one.get(name) == other.get(name) for name in (ARRAY, "shape", "sha256"))
    return bool(one == other)


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and ARRAY in value:
        numbers = ", ".join(f"{number:.4g}" for number in value["first"])
        shape = "x".join(map(str, value["shape"]))
        return f"{shape} numbers ({numbers}, ...; digest {value['sha256'][:SHOWN_DIGITS]})"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
