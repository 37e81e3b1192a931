"""Ticks at whole numbers that fit their axis at whatever size it is drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from causal_theory.plotting.size import CHARACTER, LINE, font_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import Locator


def whole_numbers(ax: "Axes", *axes: str, most: int = 10) -> None:
    """Put ticks at integers only, on the named axes ("x", "y"): at most that many intervals, fewer on short axes."""
    for name in axes:
        getattr(ax, f"{name}axis").set_major_locator(make_locator(most, font_points(f"{name}tick.labelsize")))


def make_locator(most: int, em: float) -> "Locator":
    """Return what finds the ticks of an axis, at most so many intervals, with labels of so many points."""
    from matplotlib.ticker import MaxNLocator

    class Fitting(MaxNLocator):
        def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
            axis: Any = self.axis
            box = axis.axes.get_window_extent()
            digits = len(f"{max(abs(vmin), abs(vmax)):.0f}") + 1
            room, label = (box.height, LINE) if axis.axis_name == "y" else (box.width, CHARACTER * digits)
            fits = room * 72.0 / axis.axes.figure.dpi / (label * em)
            self.set_params(nbins=max(1, min(most, int(fits))))
            return super().tick_values(vmin, vmax)

        def __reduce__(self) -> tuple[Any, ...]:
            # A class within a function has no name that pickle could find.
            return make_locator, (most, em), self.__dict__

    return Fitting(nbins=most, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
