"""Axes to draw on, without forcing a backend on anybody."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_or_new", "whole_numbers"]


def axes_or_new(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    """Return ``ax``, or the axes of a new figure of the given size in inches.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the extra.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('figures need matplotlib: pip install "causal-theory[plot]"') from error
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def whole_numbers(ax: "Axes", *axes: str) -> None:
    """Put ticks at integers only, on the named axes ("x", "y")."""
    from matplotlib.ticker import MaxNLocator

    for name in axes:
        getattr(ax, f"{name}axis").set_major_locator(MaxNLocator(integer=True))
