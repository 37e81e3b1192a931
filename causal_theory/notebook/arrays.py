"""Arrays: small ones as tables, larger ones in a few words and a drawing."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.notebook.html import Cell, facts, figure, table
from causal_theory.notebook.svg import block_size, heat_map, sparkline
from causal_theory.wording import TIMES, number, same_decimals, shape_text

Array = NDArray[np.float64]

LARGEST_TABLE = 10
"""Arrays with at most so many rows and columns are shown in full."""


def array_block(caption: object, value: Array, note: str = "") -> str:
    """Return a table of a small vector or matrix; for others their shape, range and largest entry, and a drawing."""
    if 1 <= value.ndim <= 2 and value.size > 0 and max(value.shape) <= LARGEST_TABLE:
        return heat_table(f"{caption}{note}", value)
    return facts(f"{caption}{note}", _summary(value)) + _drawing(value)


def heat_table(caption: object, value: Array) -> str:
    """Return a vector or matrix as a table with tinted cells: blue above zero, orange below."""
    matrix = np.atleast_2d(value)
    finite = np.where(np.isfinite(matrix), matrix, 0.0)
    largest = float(np.abs(finite).max(initial=0.0))
    tints = finite / largest if largest > 0.0 else finite
    texts = same_decimals(matrix.ravel().tolist())
    names = [str(i) for i in range(len(matrix))] if value.ndim > 1 else ["value"]
    width = matrix.shape[1]
    cells = [Cell(text, tint, right=True) for text, tint in zip(texts, tints.ravel().tolist(), strict=True)]
    rows = [[name, *cells[i * width : (i + 1) * width]] for i, name in enumerate(names)]
    return table(caption, ["", *map(str, range(width))], rows)


def _summary(value: Array) -> dict[str, object]:
    found: dict[str, object] = {"shape": shape_text(value.shape)}
    finite = np.isfinite(value)
    if finite.any():
        seen = value[finite]
        found["range"] = f"{number(seen.min())} to {number(seen.max())}"
        where = np.unravel_index(int(np.abs(np.where(finite, value, 0.0)).argmax()), value.shape)
        place = ", ".join(str(int(k)) for k in where)
        found["largest absolute value"] = f"{number(value[where])} at [{place}]"
    if not finite.all():
        found["not finite"] = f"{int((~finite).sum())} of {value.size} entries"
    return found


def _drawing(value: Array) -> str:
    if value.size == 0 or value.ndim not in (1, 2):
        return ""
    if value.ndim == 1:
        drawn = sparkline(value, f"Line through {len(value)} values from {number(value[0])} to {number(value[-1])}")
        return figure(drawn, "The entries in their order.") if drawn else ""
    step = block_size(value.shape)
    each = f"; a square is the largest of {step} {TIMES} {step} entries" if step > 1 else ""
    title = f"Heat map of {value.shape[0]} rows and {value.shape[1]} columns"
    return figure(heat_map(value, title), f"Row 0 is at the top. Blue: above zero, orange: below{each}.")
