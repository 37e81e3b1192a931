"""Colours for colour-blind readers and for print without colour.

Maps whose lightness tells small from large, and line styles that differ in colour, dashes and markers at once.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.validation import check_real

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

SEQUENTIAL = "cividis"

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")
"""Okabe and Ito: blue, vermilion, green, purple, black, orange."""

MARKERS = ("o", "s", "^", "D", "v", "x")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))

ANCHORS = ("#001257", "#063483", "#3b5798", "#7c7c7c", "#b1a058", "#dac852", "#f9f28e")
"""CIE L* 10, 24, 38, 52, 66, 80, 94: indigo, a neutral grey in the middle, yellow."""


@cache
def diverging() -> "Colormap":
    """Return the map for data of both signs: dark blue below zero, grey at zero, light yellow above.

    The usual maps with a pale middle give both signs the same grey. Here lightness grows all the way and at one rate:
    a number and its negative are equally far from the grey of zero, one of them darker, the other lighter. Blue and
    yellow stay apart without red or green receptors.
    """
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("indigo_grey_yellow", ANCHORS, N=255)


def colour_scale(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return map and limits for finite data, as keywords of matplotlib.

    Data of both signs get the diverging map, with zero in its middle. Where all data are equal the scale is one unit
    long.
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if low < 0.0 < high:
        span = max(-low, high)
        return {"cmap": diverging(), "vmin": -span, "vmax": span}
    return {"cmap": SEQUENTIAL, "vmin": low, "vmax": high if high > low else low + 1.0}


def number_scale(values: NDArray[np.float64], limits: tuple[float, float] | None) -> dict[str, Any]:
    """Return map and limits for finite data, or for those limits where they are given.

    Raises
    ------
    InvalidArgumentError
        If the limits are not in order.
    """
    if limits is None:
        return colour_scale(values)
    ends = np.array(check_real("limits", limits), dtype=np.float64)
    if ends.shape != (2,) or not np.isfinite(ends).all() or ends[0] >= ends[1]:
        raise InvalidArgumentError(f"limits must be two finite numbers, the smaller one first, got {limits!r}")
    return colour_scale(ends)


def extended(values: NDArray[np.float64], scale: dict[str, Any]) -> str:
    """Return at which ends of the colour bar values lie beyond it."""
    below, above = (values < scale["vmin"]).any(), (values > scale["vmax"]).any()
    return "both" if below and above else "min" if below else "max" if above else "neither"
