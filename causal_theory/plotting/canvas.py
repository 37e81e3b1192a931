"""Axes to draw on, without forcing a backend on anybody."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

from causal_theory.plotting.size import CHARACTER, LETTER, fitted, font_points, require_matplotlib, scaled, style_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALONE: Literal["compressed"] = "compressed"
"""Layout of a single axes: the usual one cuts labels off where a square matrix does not fill its place."""

PANEL = 3.4
"""Inches that a panel of a grid takes beside a font of 10 points."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

BESIDE = 1.15
"""A text beside axes may be longer than they are by this factor before it leaves their place in the figure."""

BAR_DISTANCE, BAR_WIDTH = 0.1, 0.15
"""Inches from axes to their colour bar, and its width, beside a font of 10 points."""

LONGEST_LABEL, LABEL_SIZE = 16, 7.0
"""Most characters of a label at an axis, and the size of its letters in points, beside a font of 10."""

LEGEND_DISTANCE = 0.52
"""Inches from the axes down to a legend, beside a font of 10 points: room for tick labels and a label of one line."""


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

    return pyplot.subplots(figsize=fitted(size), layout=ALONE)[1]


def detached_axes(size: tuple[float, float], grid: tuple[int, int] = (1, 1)) -> "list[Axes]":
    """Return the axes of a new figure that no window and no backend knows of, for saving to a file.

    ``grid`` is the number of rows and columns; the axes come row by row. Where the style asks for a width, there are as
    many columns as it has room for.
    """
    require_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels, width = grid[0] * grid[1], style_width.get()
    if width is not None and panels > 1:
        columns = max(1, min(grid[1], int(width / scaled(PANEL))))
        rows = -(-panels // columns)
        size = (width, size[1] / grid[0] * rows * (width / columns) / (size[0] / grid[1]))
        grid = (rows, columns)
    else:
        size = fitted(size)
    # Padding in inches: keeps a label from its neighbour's.
    layout = ALONE if grid == (1, 1) else ConstrainedLayoutEngine(w_pad=scaled(0.08), h_pad=scaled(0.06))
    axes = list(Figure(figsize=size, layout=layout).subplots(*grid, squeeze=False).flat)
    for ax in axes[panels:]:
        ax.remove()
    return axes[:panels]


def close_ranks(axes: "Sequence[Axes]") -> None:
    """Remove axes that stayed empty from a grid that was made narrower, and let the others move up."""
    used = [ax for ax in axes if ax.axison]
    whole: Any = axes[0].get_figure(root=True)
    spec: Any = axes[0].get_subplotspec()
    grid = spec.get_gridspec()
    rows = -(-len(used) // grid.ncols)
    if style_width.get() is None or rows == grid.nrows:
        return
    for ax in set(axes) - set(used):
        ax.remove()
    smaller = whole.add_gridspec(rows, grid.ncols)
    for k, ax in enumerate(used):
        ax.set_subplotspec(smaller[divmod(k, grid.ncols)])
    whole.set_figheight(whole.get_figheight() * rows / grid.nrows)


def label_positions(ax: "Axes", labels: "Sequence[str] | None", *axes: str) -> float:
    """Put a label at each position on the named axes ("x", "y"), where there are labels and room for them.

    Returns
    -------
    float
        Inches that the labels of the axis below need more than numbers do.
    """
    longest = max(map(len, labels or ()), default=0)
    deeper, size = 0.0, scaled(LABEL_SIZE)
    if labels is None or longest > LONGEST_LABEL:
        return deeper
    points = 72.0 / ax.figure.dpi / len(labels)
    for name in axes:
        room = points * float(ax.get_window_extent().size["xy".index(name)])
        if room < size + 1.0:
            continue
        style: dict[str, Any] = {"fontsize": size, "parse_math": False}
        if name == "x" and longest * CHARACTER * size > room:
            style["rotation"] = 90.0
            deeper = (longest * CHARACTER - 1.0) * size / 72.0
        getattr(ax, f"{name}axis").set_ticks(range(len(labels)), labels=list(labels), **style)
    return max(deeper, 0.0)


def logarithmic(ax: "Axes") -> None:
    """Make both axes logarithmic, with labels such as 10⁻³ in plain characters.

    The usual ones are formulas: to lay them out takes half of the time of a figure.
    """
    from matplotlib.ticker import LogFormatterSciNotation

    class Plain(LogFormatterSciNotation):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return _plain(super().__call__(x, pos))

    for scale, axis in ((ax.set_xscale, ax.xaxis), (ax.set_yscale, ax.yaxis)):
        scale("log")
        axis.set_major_formatter(Plain())
        axis.set_minor_formatter(Plain(labelOnlyBase=False))


def _plain(formula: str) -> str:
    r"""Return a power in plain characters.

    Examples
    --------
    >>> _plain(r"$\mathdefault{2\times10^{-3}}$"), _plain("")
    ('2×10⁻³', '')
    """
    text = formula.removeprefix(r"$\mathdefault{").removesuffix("}$").replace(r"\times", "\N{MULTIPLICATION SIGN}")
    base, _, exponent = text.partition("^{")
    return base + exponent.removesuffix("}").translate(_RAISED)


def bar_axes(ax: "Axes") -> "Axes":
    """Return axes for a colour bar to the right of others, as thick as the font asks for, whatever their size."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    edge: Any = ax.transAxes
    beside = ax.figure.dpi_scale_trans + ScaledTranslation(1.0, 0.0, edge)
    place = blended_transform_factory(beside, ax.transAxes)
    return ax.inset_axes((scaled(BAR_DISTANCE), 0.0, scaled(BAR_WIDTH), 1.0), transform=place)


def points_of(ax: "Axes") -> tuple[float, float]:
    """Return width and height of axes in points, before any layout is made."""
    box = ax.get_window_extent()
    return box.width * 72.0 / ax.figure.dpi, box.height * 72.0 / ax.figure.dpi


def label_upwards(ax: "Axes", text: str, share: float = 1.0) -> None:
    """Label the vertical axis, beside that upper part of it, in as many lines as it takes."""
    room = BESIDE * share * points_of(ax)[1]
    ax.set_ylabel(wrapped(text, room, "axes.labelsize"), y=1.0 - share / 2.0)


def label_along(ax: "Axes", text: str) -> None:
    """Label the horizontal axis, in as many lines as it takes."""
    ax.set_xlabel(wrapped(text, 0.8 * place_width(ax), "axes.labelsize"))


def wrapped(text: str, room: float, size: str) -> str:
    """Break a text into lines of so many points, where the font has the size of that setting, such as a label's."""
    letters = max(10, int(room / (LETTER * font_points(size))))
    lines = (fill(line, letters, break_long_words=False) for line in text.split("\n"))
    return "\n".join(lines)


def legend_beside(ax: "Axes", *, markerscale: float = 1.0) -> None:
    """Put the legend to the right of the axes, where it hides nothing."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    ax.legend(frameon=False, markerscale=markerscale, **place)


def legend_below(ax: "Axes", columns: int = 2, deeper: float = 0.0) -> None:
    """Put the legend below the axes, at a distance in inches whatever their size: for axes with something beside.

    It has at most so many columns, and fewer where they would be wider than the place of the axes in the figure, and
    hangs ``deeper`` inches more where the tick labels are no single line.
    """
    from matplotlib.transforms import ScaledTranslation

    columns = max((k for k in range(1, columns + 1) if _legend_width(ax, k) <= place_width(ax)), default=1)
    more = deeper + 1.2 * font_points("axes.labelsize") / 72.0 * ax.get_xlabel().count("\n")
    lower = ax.transAxes + ScaledTranslation(0.0, -scaled(LEGEND_DISTANCE) - more, ax.figure.dpi_scale_trans)
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": lower}
    ax.legend(frameon=False, ncols=columns, borderaxespad=0.0, **place)


def _legend_width(ax: "Axes", columns: int) -> float:
    """Points of a legend of that many columns, about."""
    from matplotlib import rcParams

    settings: Any = rcParams
    lengths = [max(map(len, label.split("\n"))) for label in ax.get_legend_handles_labels()[1]]
    rows = -(-len(lengths) // columns)
    letters = sum(max(lengths[k : k + rows]) for k in range(0, len(lengths), rows)) if lengths else 0
    beside = (float(settings[f"legend.{part}"]) for part in ("handlelength", "handletextpad", "columnspacing"))
    return (LETTER * letters + columns * sum(beside)) * font_points("legend.fontsize")


def place_width(ax: "Axes") -> float:
    """Points of the column of a figure that axes are in, or of the axes themselves where they are in none."""
    spec = ax.get_subplotspec()
    if spec is None:
        return points_of(ax)[0]
    return ax.figure.bbox.width * 72.0 / ax.figure.dpi / spec.get_gridspec().ncols
