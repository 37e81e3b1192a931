"""Polynomials with natural coefficients, each packed into one integer.

The value of a polynomial at ``2^(8 w)`` holds its coefficients as digits of ``w`` bytes, so that sums and products of
polynomials are sums and products of integers, as long as no coefficient reaches ``2^(8 w)``. Integers are those of
sympy: python-flint's when it is installed, which multiplies long ones five times as fast, Python's own otherwise.
"""

from typing import Any


def integer(value: int) -> Any:
    """Return an integer of the kind that sympy computes with."""
    from sympy import ZZ

    return ZZ(value)


def coefficients(packed: Any, width: int) -> list[int]:
    """Return the coefficients of a polynomial packed with ``width`` bytes each, lowest degree first.

    Examples
    --------
    >>> z = 1 << 8
    >>> coefficients((1 + 2 * z) * (3 + z), 1)
    [3, 7, 2]
    """
    value = int(packed)
    data = value.to_bytes(-(-value.bit_length() // 8), "little")
    return [int.from_bytes(data[start : start + width], "little") for start in range(0, len(data), width)]
