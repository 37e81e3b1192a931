"""Geometry of a map made of cells: the scale of an axis, borders half way between values, lines along borders."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causal_theory.plotting.size import CHARACTER, LINE
from causal_theory.plotting.ticks import whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 4
"""So few values have a tick each, whatever the room."""

Array = NDArray[np.float64]


def is_geometric(values: Array) -> bool:
    """Return whether three or more positive values are spaced more evenly in their logarithms than as they are."""
    if len(values) < 3 or values[0] <= 0.0:
        return False
    spread = [np.std(steps) / np.mean(steps) for steps in (np.diff(np.log(values)), np.diff(values))]
    return bool(spread[0] < spread[1])


def cell_borders(values: Array, *, geometric: bool) -> Array:
    """Return the borders of cells around increasing values, one more than there are values.

    A border lies half way between neighbours, in the logarithm if ``geometric``; the outermost cells reach as far
    outwards as inwards.
    """
    places = np.log(values) if geometric else values
    if len(places) == 1:
        return np.array([places[0] - 0.5, places[0] + 0.5])
    middles = (places[1:] + places[:-1]) / 2.0
    borders = np.concatenate([[2.0 * places[0] - middles[0]], middles, [2.0 * places[-1] - middles[-1]]])
    return np.exp(borders) if geometric else borders


def set_cell_axis(ax: "Axes", name: str, values: Array) -> Array:
    """Give one axis ("x" or "y") its scale, limits and ticks, and return the borders of its cells.

    A few values have a tick each; where there is no room for that, ticks are where matplotlib would put them.
    """
    from matplotlib.ticker import NullLocator

    geometric = is_geometric(values)
    borders = cell_borders(values, geometric=geometric)
    axis = getattr(ax, f"{name}axis")
    getattr(ax, f"set_{name}scale")("log" if geometric else "linear")
    getattr(ax, f"set_{name}lim")(borders[0], borders[-1])
    labels = [f"{value:.0f}" if value == np.round(value) else f"{value:.3g}" for value in values]
    if _room(ax, name, labels) or len(values) < FEW:
        axis.set_ticks(values, labels)
        axis.set_minor_locator(NullLocator())
    elif not geometric and (values == np.round(values)).all():
        whole_numbers(ax, name)
    return borders


def _room(ax: "Axes", name: str, labels: list[str]) -> bool:
    """Return whether the labels fit beside each other, or above each other, before any layout is made."""
    from matplotlib import rcParams

    box = ax.get_window_extent()
    em = rcParams["font.size"] * ax.figure.dpi / 72.0
    if name == "y":
        return bool(LINE * em * len(labels) <= box.height)
    return bool(CHARACTER * em * sum(len(label) + 1 for label in labels) <= box.width)


def threshold_segments(values: Array, level: float, x: Array, y: Array) -> NDArray[np.float64]:
    """Return the borders between cells of at least ``level`` and cells below it, shape (n, 2, 2); NaN has no side.

    ``values`` has shape (m, n), ``x`` and ``y`` are the n + 1 and m + 1 borders of the cells.
    """
    above = values >= level
    known = ~np.isnan(values)
    upright = np.argwhere((above[:, 1:] != above[:, :-1]) & known[:, 1:] & known[:, :-1])
    flat = np.argwhere((above[1:] != above[:-1]) & known[1:] & known[:-1])
    segments = [((x[j + 1], y[i]), (x[j + 1], y[i + 1])) for i, j in upright]
    segments += [((x[j], y[i + 1]), (x[j + 1], y[i + 1])) for i, j in flat]
    return np.array(segments, dtype=np.float64).reshape(-1, 2, 2)
