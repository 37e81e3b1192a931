"""The outputs of commands: the terminal, JSON on standard output, and files that appear whole or not at all."""

import csv as csv_format
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.estimate import Estimate
from causal_theory.files import Writer, check_target, write_files
from causal_theory.provenance import versions
from causal_theory.wording import needed

FIGURE_SIZE = (4.6, 3.8)
SCREEN = 150
"""Dots per inch of a figure for the screen."""

FILES = ("csv", "npz", "plot", "parquet", "overview")
FIGURES = ("plot", "overview")

OUTPUT = "Output"
Csv = Annotated[Path | None, typer.Option(help="Write the table as CSV.", rich_help_panel=OUTPUT)]
Npz = Annotated[Path | None, typer.Option(help="Write all arrays as a NumPy archive.", rich_help_panel=OUTPUT)]
Plot = Annotated[Path | None, typer.Option(help="Draw a figure: .png, .svg, .pdf or .eps.", rich_help_panel=OUTPUT)]
PlotWidth = Annotated[
    str | None,
    typer.Option(
        metavar="column|page|INCHES",
        help="Width of the figure: 3.3 inches, 6.9 inches, or any number (default column on paper, natural on screen).",
        rich_help_panel=OUTPUT,
    ),
]
PlotStyle = Annotated[
    Literal["paper", "screen"], typer.Option(help="Sizes of text and lines in the figure.", rich_help_panel=OUTPUT)
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON to standard output, and nothing else.", rich_help_panel=OUTPUT)
]


@dataclass(frozen=True)
class Outputs:
    """The files that a command was asked for: checked before any work, written together after it.

    Parameters
    ----------
    csv, npz, plot, parquet, overview : Path, optional
        Files to create or to replace; Parquet is written by whoever has the table.
    plot_width : str, optional
        Width of figures, see :func:`causal_theory.plotting.figure_style`.
    plot_style : {"paper", "screen"}
        Their style.

    Raises
    ------
    OutputError
        If two of them are one file, a folder is missing or closed, a path is something else than a plain file, a
        figure has an unknown format, or matplotlib or pyarrow is missing.
    InvalidArgumentError
        If the width is none, or there is a width or a style and no figure.
    """

    csv: Csv = None
    npz: Npz = None
    plot: Plot = None
    plot_width: PlotWidth = None
    plot_style: PlotStyle = "screen"
    parquet: Path | None = None
    overview: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        wanted = {name: path for name in FILES if (path := getattr(self, name)) is not None}
        targets = [check_target(name, path) for name, path in wanted.items()]
        if len(set(targets)) < len(targets):
            raise OutputError(f"output files must differ, got {', '.join(map(str, wanted.values()))}")
        figures = {name: path for name, path in wanted.items() if name in FIGURES}
        if figures:
            self._check_figures(figures)
        elif self.plot_width is not None or self.plot_style != "screen":
            given = "plot_style" if self.plot_width is None else "plot_width"
            raise InvalidArgumentError(f"{given} must not be given without --plot, got {getattr(self, given)}")
        if self.parquet is not None and find_spec("pyarrow") is None:
            raise OutputError(f"parquet must not be given without pyarrow: {needed('it', 'pyarrow', 'sweep')}")

    def _check_figures(self, figures: Mapping[str, Path]) -> None:
        from causal_theory.plotting.saving import check_ending
        from causal_theory.plotting.size import check_width, require_matplotlib

        for name, path in figures.items():
            check_ending(name, path)
        if self.plot_width is not None:
            check_width(self.plot_width, "plot_width")
        try:
            require_matplotlib()
        except ImportError as error:
            raise OutputError(f"{next(iter(figures))} must not be given without matplotlib: {error}") from error

    def write(
        self, *, csv: Writer, npz: Mapping[str, NDArray[Any]], plot: Writer, overview: Writer | None = None
    ) -> None:
        """Write the files that were asked for; when one fails, none appears."""
        arrays: dict[str, Any] = dict(npz)
        contents: list[tuple[Path | None, Writer]] = [
            (self.csv, csv),
            (self.npz, lambda file: np.savez(file, **arrays)),
            (self.plot, plot),
        ]
        if overview is not None:
            contents.append((self.overview, overview))
        write_files("output", [(path, writer) for path, writer in contents if path is not None])

    def write_plot(self, plot: Writer) -> None:
        """Write the figure alone, if one was asked for."""
        write_files("output", [] if self.plot is None else [(self.plot, plot)])

    def draw(self, draw: Callable[[], Any], path: Path | None) -> Writer:
        """Return a writer of the figure or axes that ``draw`` returns, in the style that was chosen."""
        ending = "png" if path is None else path.suffix[1:].lower()

        def write(file: IO[bytes]) -> None:
            from causal_theory.plotting.saving import write_figure
            from causal_theory.plotting.style import figure_style

            with figure_style(self.plot_style, width=self.plot_width):
                write_figure(draw(), file, ending, dpi=SCREEN if self.plot_style == "screen" else None)

        return write

    def say_written(self, console: Console) -> None:
        """Name the files that were written."""
        for path in (getattr(self, name) for name in ("csv", "parquet", "npz", "plot", "overview")):
            if path is not None:
                console.print(f"wrote {path}", highlight=False, soft_wrap=True, markup=False)


def matrix_csv(matrix: NDArray[Any]) -> Writer:
    """Return a writer of a matrix, one row a line, numbers in full precision."""
    style = "%d" if np.issubdtype(matrix.dtype, np.integer) else "%.17g"
    return lambda file: np.savetxt(file, matrix, delimiter=",", fmt=style)


def table_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Writer:
    """Return a writer of a table with headings; the rows are asked for when it writes."""

    def write(file: IO[bytes]) -> None:
        text = io.StringIO()
        writer = csv_format.writer(text, lineterminator="\n")
        writer.writerow(headings)
        writer.writerows(rows)
        file.write(text.getvalue().encode("utf-8"))

    return write


def figure(
    draw: Callable[..., object],
    outputs: Outputs,
    size: Callable[[], tuple[float, float]] = lambda: FIGURE_SIZE,
    grid: tuple[int, int] = (1, 1),
) -> Writer:
    """Return a writer of what ``draw`` draws on fresh axes, in the format of the file name.

    ``draw`` gets one axes for each cell of ``grid`` (rows, columns), row by row.
    """

    def make() -> Any:
        from causal_theory.plotting.canvas import close_ranks, detached_axes

        axes = detached_axes(size(), grid)
        draw(*axes)
        close_ranks(axes)
        return next(ax for ax in axes if ax.axison)

    return outputs.draw(make, outputs.plot)


def print_json(content: Mapping[str, Any]) -> None:
    """Print JSON to standard output, with the versions of the code; arrays become lists, NaN and infinity null."""
    print(json.dumps(_plain({**content, "versions": versions()}), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        value = {"value": value.value, "error": value.error, "method": value.method}
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def list_table(title: str, lines: Mapping[str, str]) -> Table:
    """Return a table of names and what is to be said about each."""
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in lines.items():
        table.add_row(name, value)
    return table


def matrix_table(
    console: Console,
    matrix: NDArray[np.float64],
    title: str,
    marked: Mapping[int, Iterable[int]],
    names: Sequence[str] | None = None,
) -> Table | None:
    """Return the lower triangle with two digits for its largest entry, or None when the terminal is too narrow.

    NaN is left blank; the entries ``marked[i]`` of row i are bold. Names of positions stand at its margins
    where they fit.
    """
    length = len(matrix)
    if 2 * length > console.width:  # a digit and a blank each
        return None
    seen = np.abs(matrix[np.tril_indices(length)])
    unit = _unit(float(np.nanmax(seen, initial=0.0)))
    cells = [[_cell(matrix[i, j] / unit) for j in range(i + 1)] for i in range(length)]
    labels = [str(j) for j in range(length)] if names is None else list(names[:length])
    widths = [max(len(labels[j]), *(len(row[j]) for row in cells[j:])) for j in range(length)]
    if max(3, *map(len, labels)) + sum(widths) + length > console.width:
        return None if names is None else matrix_table(console, matrix, title, marked)
    table = Table(title=f"{title}, in units of {unit:g}", box=None, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("i\\j", justify="right", style="dim")
    for j in range(length):
        table.add_column(escape(labels[j]), justify="right", no_wrap=True, min_width=widths[j])
    for i, row in enumerate(cells):
        for j in marked.get(i, ()):
            row[j] = f"[bold green]{row[j]}[/bold green]"
        table.add_row(escape(labels[i]), *row)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table; a title that is longer stands on lines of its own, where each would have but a word inside."""
    title = str(table.title or "")
    if Measurement.get(console, console.options, table).maximum < len(title):
        console.print(Text(title, style="table.title"))
        table.title = None
    console.print(table)


def _unit(largest: float) -> float:
    """Return the power of ten in which ``largest`` rounds to two digits."""
    if not largest > 0.0:
        return 1.0
    power = math.floor(math.log10(largest)) - 1
    return 10.0 ** (power + (round(largest / 10.0**power) >= 100))


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{round(value)}"
