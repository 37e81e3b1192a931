"""A number over two parameters, with its errors and proofs: ready to be drawn as a phase diagram."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.floats import default_floats
from causal_theory.recovery import ERROR_BARS
from causal_theory.tables import Tabular

Array = NDArray[np.float64]


def without_unit(label: str) -> str:
    """Return a label without its unit."""
    return label.partition(" (")[0]


@dataclass(frozen=True, eq=False)
class RecoveryMap(Tabular, Shown):
    """A number for each pair of two parameters of a task, with its error, and whether it is proved.

    Attributes
    ----------
    x, y : ndarray, shape (n,) and (m,)
        Values of the parameters.
    values, errors : ndarray, shape (m, n)
        The number in each cell and its error bar: ``values[k, l]`` belongs to ``y[k]`` and ``x[l]``.
    certified : ndarray of bool, shape (m, n)
        Cells whose number was computed in rational arithmetic, so that its sign is proved.
    xlabel, ylabel, label : str
        What the parameters and the number are, with units.
    boundary : float
        The number from which on the prediction is seen.
    limits : tuple of float, or None
        The ends of a scale that is known beforehand.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory.falsification import trace_map
    >>> from causal_theory.plotting import plot_phase_diagram
    >>> found = trace_map("chain", [5, 10], ["1/2", 1, "3/2", 2])
    >>> ax = plot_phase_diagram(**found.arguments)
    """

    x: Array
    y: Array
    values: Array
    errors: Array
    certified: NDArray[np.bool_]
    xlabel: str
    ylabel: str
    label: str
    boundary: float
    limits: tuple[float, float] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of :func:`causal_theory.plotting.plot_phase_diagram`, by name."""
        names = ("x", "y", "values", "errors", "xlabel", "ylabel", "label", "boundary", "limits")
        found = {name: getattr(self, name) for name in names}
        return found | {"certified": self.certified if self.certified.any() else None}

    @property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns of the table, one row for each cell."""
        x, y = np.meshgrid(self.x, self.y)
        cells = {"value": self.values, "error": self.errors, "certified": self.certified, "recovered": self.recovered}
        return {name: column.ravel() for name, column in {"x": x, "y": y, **cells}.items()}

    @property
    @default_floats
    def recovered(self) -> NDArray[np.bool_]:
        """Cells whose number is above the boundary, by two error bars where it is not proved (m, n)."""
        bars = np.where(self.certified, 0.0, ERROR_BARS * self.errors)
        found: NDArray[np.bool_] = self.values - bars > self.boundary
        return found

    @default_floats
    def __repr__(self) -> str:
        """Return one line: the parameters, and how many cells are above the boundary and how many proved."""
        return (
            f"RecoveryMap({without_unit(self.label)} over {without_unit(self.xlabel)} and {without_unit(self.ylabel)}: "
            f"{int(self.recovered.sum())} of {self.values.size} cells above {self.boundary:g}, "
            f"{int(self.certified.sum())} certified)"
        )
