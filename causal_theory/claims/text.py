"""Numbers and requirements as readers of tables like them."""

import math

from causal_theory.claims.records import Cell, Number, Part


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


def interval_text(low: float, high: float) -> str:
    """Return the smallest and the largest of some numbers.

    Examples
    --------
    >>> interval_text(0.25, 1.0), interval_text(0.5, 0.5)
    ('0.25 to 1', '0.5')
    """
    first, last = show(low), show(high)
    return first if first == last else f"{first} to {last}"


def cell_text(cell: Cell) -> str:
    """Return the text of a cell: floats to four digits, with their error; nothing for None.

    Examples
    --------
    >>> cell_text(Number(0.123456, 1e-9, "bound")), cell_text(3), cell_text(None)
    ('0.1235 ± 1e-9', '3', '')
    """
    if isinstance(cell, Number):
        if cell.exact is not None and len(cell.exact) <= 12:
            return cell.exact
        error = "" if cell.error is None else f" ± {show(cell.error, 2)}"
        return f"{show(cell.value, 4)}{error}"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else show(cell, 4) if isinstance(cell, float) else str(cell)


def requirement(part: Part) -> str:
    """Return where the numbers of a part should lie; ends of intervals as in the comparison closest to failing."""
    one = part.total.closest
    bars = f" by {part.bars:g} times the error" if part.bars and part.total.largest_error is not None else ""
    if part.verb == "measure":
        return "nothing"
    if part.verb == "positive":
        return f"> 0{bars}"
    if part.verb == "equal":
        return "equal" if not one.allowed else f"equal up to {show(one.allowed)}{bars.replace(' by', ',')}"
    low, high = (None if end is None else show(end) for end in (one.low, one.high))
    if low is None or high is None:
        return f">= {low}" if high is None else f"<= {high}"
    return low if low == high else f"{low} to {high}"


def closest_text(part: Part, *, labels: bool = True) -> str:
    """Return the number closest to failing, with what tells it from the others."""
    one = part.total.closest
    value = cell_text(one.value)
    if part.verb == "equal" and one.excess is not None:
        value = f"off by {show(one.excess)}" if one.excess else value
    texts = {name.replace("_", " "): cell_text(label) for name, label in one.at.items()}
    at = ", ".join(f"{name} {text}" for name, text in texts.items() if text)
    return f"{value} ({at})" if at and labels else value
