"""Styles of figures: how large their text is, how wide they are, and whether their fonts are embedded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

from causal_theory.plotting.size import WIDTHS, check_width, require_matplotlib, style_width
from causal_theory.validation import check_choice

Style = Literal["paper", "screen"]
STYLES: tuple[Style, ...] = get_args(Style)

EMBEDDED: dict[str, Any] = {
    # TrueType whole, where matplotlib would embed Type 3, which publishers refuse and readers cannot search.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    # An SVG carries no fonts: text as outlines looks the same wherever it is opened.
    "svg.fonttype": "path",
    "svg.hashsalt": "causal_theory",
}

PAPER: dict[str, Any] = {
    **EMBEDDED,
    "font.size": 6.5,
    "axes.labelsize": 6.5,
    "axes.titlesize": 6.5,
    "figure.titlesize": 7.0,
    "legend.fontsize": 5.5,
    "xtick.labelsize": 5.5,
    "ytick.labelsize": 5.5,
    "axes.labelpad": 2.0,
    "axes.linewidth": 0.5,
    "axes.titlepad": 4.5,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.03,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "legend.handlelength": 1.6,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "savefig.dpi": 300,
    **{f"{axis}tick.{kind}.pad": 2.0 for axis in "xy" for kind in ("major", "minor")},
    **{f"{axis}tick.{kind}.width": 0.5 for axis in "xy" for kind in ("major", "minor")},
    **{f"{axis}tick.{kind}.size": size for axis in "xy" for kind, size in (("major", 2.0), ("minor", 1.2))},
}


@contextmanager
def figure_style(style: Style = "paper", *, width: float | str | None = None) -> Iterator[None]:
    """Draw figures in a style, within a ``with`` statement.

    Every function of this package obeys it, and so does what else is drawn with matplotlib inside. In the style for
    paper text has 5 to 7 points at its printed size, lines and marks are as fine, and fonts are embedded: as TrueType
    in PDF, PS and EPS, as outlines in SVG. Three panels fit into one column.

    Parameters
    ----------
    style : {"paper", "screen"}
        The style; "screen" leaves the settings of matplotlib as they are.
    width : {"column", "page"} or float, optional
        Width of new figures: 3.3 inches, 6.9 inches, or any number of them; heights follow. By default a column on
        paper, and on the screen the size that is natural to each figure. Axes of your own stay as they are.

    Yields
    ------
    None
        Draw and save inside: some settings are read when axes are made, others when the file is written.

    Raises
    ------
    InvalidArgumentError
        If the style is unknown or the width is none.
    ImportError
        If matplotlib is not installed.

    See Also
    --------
    save_figure : Write a file with embedded fonts whatever the style.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from causal_theory import CausalGraph
    >>> from causal_theory.plotting import figure_style, plot_graph
    >>> with figure_style("paper", width="column"):
    ...     ax = plot_graph(CausalGraph.binary_tree(20))
    >>> float(ax.figure.get_size_inches()[0])
    3.3
    """
    check_choice("style", style, STYLES)
    inches = check_width(width) if width is not None else WIDTHS["column"] if style == "paper" else None
    require_matplotlib()
    import matplotlib as mpl

    settings: Any = dict(PAPER) if style == "paper" else {}
    if inches is not None:
        settings["figure.figsize"] = (inches, 0.62 * inches)
    token = style_width.set(inches)
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        style_width.reset(token)
