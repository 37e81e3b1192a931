"""Numbers as readers of tables like them."""

import math

__all__ = ["interval", "show"]


def show(value: float, digits: int = 3) -> str:
    """Return a number with the given number of significant digits, in scientific notation when far from one.

    Examples
    --------
    >>> show(0.12345), show(1.5e-13), show(-42.0), show(0.0), show(float("nan"))
    ('0.123', '1.5e-13', '-42', '0', '-')
    """
    if math.isnan(value):
        return "-"
    if value == 0.0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}" if math.isfinite(value) else f"{value}"
    return f"{value:.{digits}g}"


def interval(values: list[float], digits: int = 3) -> str:
    """Return the smallest and the largest of some numbers.

    Examples
    --------
    >>> interval([0.5, 0.25, 1.0])
    '0.25 to 1'
    """
    low, high = show(min(values), digits), show(max(values), digits)
    return low if low == high else f"{low} to {high}"
