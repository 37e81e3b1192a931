"""Colour maps whose lightness tells small from large, in print without colour and for colour-blind readers."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = ["SEQUENTIAL", "diverging"]

SEQUENTIAL = "cividis"

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
