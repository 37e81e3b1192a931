"""Write figures: fonts embedded, and the same bytes whenever the same figure is written."""

import io
import os
import re
from typing import IO, TYPE_CHECKING, Any

from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.files import check_target, write_files
from causal_theory.plotting.size import require_matplotlib
from causal_theory.plotting.style import EMBEDDED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf", ".eps")

DATES: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata that would differ from one call to the next, by format. EPS cannot be told to leave it out."""

EPS_DATE = re.compile(rb"^%%CreationDate: .*\n", re.MULTILINE)


def save_figure(figure: "Figure | Axes", path: str | os.PathLike[str], *, dpi: float | None = None) -> None:
    """Write a figure to a file for a paper.

    Fonts are embedded: as TrueType (Type 42) in PDF and EPS, as outlines in SVG. No date and no random name is
    written, so that the same figure gives the same bytes with one version of matplotlib. The file appears whole or not
    at all. What else the style sets holds if you call this inside :func:`figure_style`.

    Parameters
    ----------
    figure : matplotlib Figure or Axes
        What to write; of axes, the whole figure that they are in.
    path : path
        Ends in .png, .svg, .pdf or .eps.
    dpi : float, optional
        Dots per inch of PNG, by default those of the settings of matplotlib: 300 in the style for paper.

    Raises
    ------
    InvalidArgumentError
        If there is no figure.
    OutputError
        If the ending is another, or the file cannot be written; what was there before is kept.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> import os, tempfile
    >>> from causal_theory import CausalGraph
    >>> from causal_theory.plotting import figure_style, plot_graph, save_figure
    >>> with tempfile.TemporaryDirectory() as folder, figure_style("paper"):
    ...     save_figure(plot_graph(CausalGraph.chain(6)), f"{folder}/graph.pdf")
    ...     os.listdir(folder)
    ['graph.pdf']
    """
    if not hasattr(figure, "get_figure"):
        raise InvalidArgumentError(f"figure must be a figure or axes of matplotlib, got {type(figure).__name__}")
    ending = check_ending("path", path)
    check_target("path", path)
    write_files("path", [(path, lambda file: write_figure(figure, file, ending, dpi=dpi))])


def check_ending(argument: str, path: str | os.PathLike[str]) -> str:
    """Return the format of a figure by the ending of its path.

    Raises
    ------
    OutputError
        If it is none of the formats.
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in FORMATS:
        raise OutputError(f"{argument} must end in one of {', '.join(FORMATS)}, got {os.fspath(path)!r}")
    return ending[1:]


def write_figure(figure: "Figure | Axes", file: IO[bytes], ending: str, *, dpi: float | None = None) -> None:
    """Write a figure in a format, the same bytes every time."""
    require_matplotlib()
    import matplotlib as mpl

    whole: Any = figure.get_figure(root=True) or figure
    if whole.get_layout_engine() is not None:
        # A layout begins where the last one ended, and would find other digits the second time.
        for ax in whole.axes:
            if ax.get_subplotspec() is not None:
                ax.set_subplotspec(ax.get_subplotspec())
    content = io.BytesIO()
    embedded: Any = EMBEDDED
    with mpl.rc_context(embedded):
        resolution = {} if dpi is None else {"dpi": dpi}
        whole.savefig(content, format=ending, metadata=DATES.get(ending), **resolution)
    written = content.getvalue()
    file.write(EPS_DATE.sub(b"", written, count=1) if ending == "eps" else written)
