"""Colours for colour-blind readers and for print without colour.

Maps whose lightness tells small from large, and line styles that differ in colour, dashes and markers at once.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = ["COLOURS", "DASHES", "MARKERS", "SEQUENTIAL", "diverging"]

SEQUENTIAL = "cividis"

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")
"""Okabe and Ito: blue, vermilion, green, purple, black, orange."""

MARKERS = ("o", "s", "^", "D", "v", "x")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))

ANCHORS = ("#120a4a", "#1f3f8f", "#4e74a8", "#a3a3a3", "#cdb45f", "#ecd24b", "#fff3a0")
"""From indigo through neutral grey to pale yellow; each is lighter than the one before it."""


@cache
def diverging() -> "Colormap":
    """Return the map for data of both signs: dark blue below zero, grey at zero, light yellow above.

    The usual maps with a pale middle give both signs the same grey. Here lightness grows all the way, and blue and
    yellow stay apart without red or green receptors.
    """
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("indigo_grey_yellow", ANCHORS, N=255)
