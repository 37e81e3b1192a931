"""Axes to draw on, without forcing a backend on anybody."""

from typing import TYPE_CHECKING, Any, Literal

from causal_theory.wording import needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

ALONE: Literal["compressed"] = "compressed"
"""Layout of a single axes: the usual one cuts labels off where a square matrix does not fill its place."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

LONGEST_LABEL, LABEL_SIZE, LETTER = 16, 7.0, 0.62
"""Most characters of a label at an axis, the size of its letters in points, and their mean width in parts of that."""

LEGEND_DISTANCE = 0.52
"""Inches from the axes down to a legend: room for tick labels and a label of one line."""


def require_matplotlib() -> None:
    """Raise an error that names the extra when matplotlib is missing."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError(needed("a figure", "matplotlib", "plot")) from error
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

    return pyplot.subplots(figsize=size, layout=ALONE)[1]


def detached_axes(size: tuple[float, float], grid: tuple[int, int] = (1, 1)) -> "list[Axes]":
    """Return the axes of a new figure that no window and no backend knows of, for saving to a file.

    ``grid`` is the number of rows and columns; the axes come row by row.
    """
    require_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # Padding in inches: keeps a label from its neighbour's.
    layout = ALONE if grid == (1, 1) else ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    return list(Figure(figsize=size, layout=layout).subplots(*grid, squeeze=False).flat)


def whole_numbers(ax: "Axes", *axes: str, most: int = 10) -> None:
    """Put ticks at integers only, on the named axes ("x", "y"), and at most that many intervals."""
    from matplotlib.ticker import MaxNLocator

    for name in axes:
        getattr(ax, f"{name}axis").set_major_locator(MaxNLocator(nbins=most, integer=True, steps=[1, 2, 5, 10]))


def label_positions(ax: "Axes", labels: "Sequence[str] | None", *axes: str) -> float:
    """Put a label at each position on the named axes ("x", "y"), where there are labels and room for them.

    Returns
    -------
    float
        Inches that the labels of the axis below need more than numbers do.
    """
    longest = max(map(len, labels or ()), default=0)
    deeper = 0.0
    if labels is None or longest > LONGEST_LABEL:
        return deeper
    points = 72.0 / ax.figure.dpi / len(labels)
    for name in axes:
        room = points * float(ax.get_window_extent().size["xy".index(name)])
        if room < LABEL_SIZE + 1.0:
            continue
        style: dict[str, Any] = {"fontsize": LABEL_SIZE, "parse_math": False}
        if name == "x" and longest * LETTER * LABEL_SIZE > room:
            style["rotation"] = 90.0
            deeper = (longest * LETTER - 1.0) * LABEL_SIZE / 72.0
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


def legend_beside(ax: "Axes", *, markerscale: float = 1.0) -> None:
    """Put the legend to the right of the axes, where it hides nothing."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    ax.legend(frameon=False, fontsize=8, markerscale=markerscale, **place)


def legend_below(ax: "Axes", columns: int = 2, deeper: float = 0.0) -> None:
    """Put the legend below the axes, at a distance in inches whatever their size: for axes with something beside.

    It hangs ``deeper`` inches more where the tick labels are no single line.
    """
    from matplotlib.transforms import ScaledTranslation

    lower = ax.transAxes + ScaledTranslation(0.0, -LEGEND_DISTANCE - deeper, ax.figure.dpi_scale_trans)
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": lower}
    ax.legend(frameon=False, fontsize=8, ncols=columns, borderaxespad=0.0, **place)
