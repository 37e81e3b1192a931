"""Draw the runs of ``causal-theory train``: matrices first, then three panels of curves in a row of their own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causal_theory.training import TrainingRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = Callable[["Axes"], None]

SIZE = (4.5, 3.8)
"""Inches of one panel."""

CURVES = 3
"""Panels of the last row."""


class TrainFigure:
    """The figure of one or several runs.

    Parameters
    ----------
    runs : sequence of TrainingRun
        With graphs of one length.
    shown : int
        Number of the run whose matrices and losses are drawn.
    margins : pair of ndarray, or None
        Margins of the edge scores beside the attention on the parents; without them there is no panel of them.
    """

    def __init__(
        self,
        runs: Sequence[TrainingRun],
        shown: int,
        margins: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        self._runs, self._shown, self._margins = list(runs), shown, margins

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns: as few empty places as possible."""
        run = self._runs[self._shown]
        count = 1 + run.attention.shape[1] + len(run.model.views())
        columns = min((4, 3), key=lambda wide: -count % wide + -CURVES % wide)
        return -(-count // columns) + 1, columns

    @property
    def size(self) -> tuple[float, float]:
        """Inches."""
        rows, columns = self.grid
        return SIZE[0] * columns, SIZE[1] * rows

    def draw(self, *axes: "Axes") -> None:
        """Draw everything on the axes of the grid."""
        from causal_theory.plotting import plot_attention_by_position, plot_margins, plot_training

        rows, columns = self.grid
        last = (rows - 1) * columns
        panels = self._matrix_panels()
        for panel, ax in zip(panels, axes, strict=False):
            panel(ax)
        plot_training(self._runs[self._shown], ax=axes[last])
        if len(self._runs) > 1:
            axes[last].set_title(f"loss, graph {self._shown}")
        plot_attention_by_position(self._runs, ax=axes[last + 1])
        if self._margins is not None:
            plot_margins(*self._margins, ax=axes[last + 2])
        used = last + (CURVES if self._margins is not None else CURVES - 1)
        for ax in (*axes[len(panels) : last], *axes[used:]):
            ax.set_axis_off()

    def _matrix_panels(self) -> list[Panel]:
        """Return what draws the graph, the attention of each head and the matrices of the model."""
        from causal_theory.plotting import plot_attention, plot_matrix, plot_view

        run = self._runs[self._shown]
        heads = run.attention[-1]
        adjacency = partial(plot_matrix, run.graph.adjacency, label="edge (0 or 1)", inset=True)
        panels = [self._titled(adjacency, "true graph")]
        for h, attention in enumerate(heads):
            title = "attention of layer 1" + (f", head {h + 1}" if len(heads) > 1 else "")
            panels.append(self._titled(partial(plot_attention, attention, graph=run.graph), title))
        return panels + [self._titled(partial(plot_view, view), view.title) for view in run.model.views()]

    def _titled(self, draw: Callable[..., object], title: str) -> Panel:
        """Return a panel with a title, which names the graph when there are several."""
        several = f", graph {self._shown}" if len(self._runs) > 1 else ""

        def panel(ax: "Axes") -> None:
            draw(ax=ax)
            ax.set_title(title + several)

        return panel
