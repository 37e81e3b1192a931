"""Axes to draw on, without forcing a backend on anybody."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_or_new", "detached_axes", "require_matplotlib", "whole_numbers"]


def require_matplotlib() -> None:
    """Raise an error that names the extra when matplotlib is missing."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError('figures need matplotlib: pip install "causal-theory[plot]"') from error
    del mpl


def axes_or_new(ax: "Axes | None", size: tuple[float, float]) -> "Axes":
    """Return ``ax``, or the axes of a new figure of the given size in inches.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the extra.
    """
    if ax is not None:
        return ax
    require_matplotlib()
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def detached_axes(size: tuple[float, float], grid: tuple[int, int] = (1, 1)) -> "list[Axes]":
    """Return the axes of a new figure that no window and no backend knows of, for saving to a file.

    ``grid`` is the number of rows and columns; the axes come row by row.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    return list(Figure(figsize=size, layout="constrained").subplots(*grid, squeeze=False).flat)


def whole_numbers(ax: "Axes", *axes: str, most: int = 10) -> None:
    """Put ticks at integers only, on the named axes ("x", "y"), and at most that many intervals."""
    from matplotlib.ticker import MaxNLocator

    for name in axes:
        getattr(ax, f"{name}axis").set_major_locator(MaxNLocator(nbins=most, integer=True))
