"""Write numbers and counts as text, to the digits that mean something."""

import math
from collections.abc import Iterable

TIMES = "\N{MULTIPLICATION SIGN}"

DIGITS = 6
"""Shown when the error leaves more."""


INSTALL = 'pip install ".[{}]" in the folder of the sources of causal_theory'
"""Brings what an extra needs. There is no release on an index: the name of the package would find nothing there."""


def needed(what: str, package: str, extra: str) -> str:
    """Return the message that a package is missing, and how to install the extra that brings it.

    Examples
    --------
    >>> needed("a figure", "matplotlib", "plot")
    'a figure needs matplotlib: pip install ".[plot]" in the folder of the sources of causal_theory'
    """
    return f"{what} needs {package}: {INSTALL.format(extra)}"


def number(value: float, digits: int = 4) -> str:
    """Return a number to some significant digits, in words when it is none.

    Examples
    --------
    >>> number(0.123456), number(float("nan")), number(float("-inf"))
    ('0.1235', 'undefined', '-infinite')
    """
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    return f"{value:.{digits}g}"


def with_error(value: float, error: float, digits: int = DIGITS) -> str:
    """Return a number to the digits that its error leaves; an error beyond the digits shown is left out.

    Examples
    --------
    >>> with_error(0.501234, 0.00042), with_error(1 / 3, 1e-16), with_error(12345.6, 210.0)
    ('0.50123 ± 0.00042', '0.333333', '12346 ± 210')
    """
    value, error = float(value), float(error)
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{number(value, digits)} ± {number(error, 2)}"
    if abs(error) < 10.0**-digits * abs(value) or error == 0.0:
        return number(value, digits)
    decimals = max(1 - math.floor(math.log10(abs(error))), 0)
    if decimals > 9 or abs(value) >= 1e9:
        return f"{value:.3g} ± {error:.2g}"
    shown = f"{error:.{decimals}f}" if decimals else f"{error:.0f}"
    return f"{value:.{decimals}f} ± {shown}"


def count(amount: int, noun: str) -> str:
    """Return an amount with its noun.

    Examples
    --------
    >>> count(1, "edge"), count(2, "edge")
    ('1 edge', '2 edges')
    """
    return f"{amount} {noun}" + ("" if amount == 1 else "s")


def same_decimals(values: Iterable[float]) -> list[str]:
    """Return numbers with the same number of decimals: at most four significant digits for the largest one.

    Examples
    --------
    >>> same_decimals([0.25, -1e-9, 0.0])
    ['0.25', '0.00', '0']
    """
    numbers = [float(value) for value in values]
    largest = max((abs(value) for value in numbers if math.isfinite(value)), default=0.0)
    if largest and not 1e-3 <= largest < 1e5:
        return [number(value) if value else "0" for value in numbers]
    decimals = 3 - math.floor(math.log10(largest)) if largest else 0
    decimals = min(max(decimals, 0), DIGITS)
    texts = [_fixed(value, decimals) for value in numbers]
    while decimals > 0 and all(text.endswith("0") for text in texts if "." in text):
        decimals -= 1
        texts = [_fixed(value, decimals) for value in numbers]
    return texts


def _fixed(value: float, decimals: int) -> str:
    if value == 0.0 or not math.isfinite(value):
        return "0" if value == 0.0 else number(value)
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def shape_text(shape: Iterable[int]) -> str:
    """Return a shape in the form ``"20 × 20"``.

    Examples
    --------
    >>> shape_text((20, 20, 3)), shape_text(())
    ('20 × 20 × 3', 'a number')
    """
    return f" {TIMES} ".join(map(str, shape)) or "a number"
