"""Shared parts of figures of curves against the step: horizontal lines with names, markers, notes and marks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.plotting.colours import COLOURS, DASHES
from causal_theory.plotting.size import scaled
from causal_theory.validation import check_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKED_POINTS = 9
LEVEL_COLOURS = (*COLOURS[1:], COLOURS[0])
LEADER = {"arrowstyle": "-", "color": "#555555", "shrinkA": 0.0, "shrinkB": 0.0, "relpos": (0.0, 0.5)}


def check_levels(levels: Mapping[str, float]) -> dict[str, float]:
    """Return named losses as floats when all of them are finite."""
    checked = {name: float(check_real(f"baseline {name!r}", value)) for name, value in levels.items()}
    for name, value in checked.items():
        if not np.isfinite(value):
            raise InvalidArgumentError(f"baseline {name!r} must be a finite number, got {value}")
    return checked


def draw_levels(ax: "Axes", levels: Mapping[str, float]) -> None:
    """Draw horizontal lines, with names and values to the right of the axes, pushed apart where they are close."""
    for k, value in enumerate(levels.values()):
        ax.axhline(value, color=LEVEL_COLOURS[k % 6], linestyle=DASHES[1:][k % 5], linewidth=scaled(1.4), zorder=1)
    low, high = ax.get_ylim()
    gap = 0.065 * (high - low)
    places: list[float] = []
    for value in sorted(levels.values()):
        places.append(max(value, places[-1] + gap) if places else value)
    above = high
    for k in reversed(range(len(places))):
        places[k] = min(places[k], above)
        above = places[k] - gap
    for (name, value), place in zip(sorted(levels.items(), key=lambda item: item[1]), places, strict=True):
        ax.annotate(
            f"{name} {value:.4g}",
            xy=(1.0, value),
            xytext=(1.04, place),
            xycoords=ax.get_yaxis_transform(),
            textcoords=ax.get_yaxis_transform(),
            va="center",
            fontsize="small",
            arrowprops=LEADER | {"linewidth": scaled(0.7)},
            annotation_clip=False,
        )


def mark_divergence(ax: "Axes", diverged_at: int) -> None:
    """Draw an upright line at the step that diverged, if one did."""
    if diverged_at >= 0:
        label = f"diverged at step {diverged_at}"
        ax.axvline(diverged_at, color="black", linestyle="-.", linewidth=scaled(1.2), label=label, zorder=1)


def marks(points: int) -> int:
    """Return the number of points from one marker to the next."""
    return max(1, points // MARKED_POINTS)


def mark_size(positions: int) -> float:
    """Return the size in points of marks over that many positions, smaller where they would run into each other."""
    return scaled(6.0 if positions <= 40 else 4.0 if positions <= 150 else 2.8)


def note(ax: "Axes", text: str) -> None:
    """Say something in the legend, where no curve is in the way."""
    ax.plot([], [], " ", label=text)
