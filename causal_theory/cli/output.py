"""The outputs of commands: the terminal, JSON on standard output, and files that appear whole or not at all."""

import csv as csv_format
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from causal_theory.errors import OutputError
from causal_theory.estimate import Estimate
from causal_theory.files import Writer, check_target, write_files

FIGURE_FORMATS = (".png", ".svg", ".pdf")
FIGURE_SIZE = (4.6, 3.8)

OUTPUT = "Output"
Csv = Annotated[Path | None, typer.Option(help="Write the table as CSV.", rich_help_panel=OUTPUT)]
Npz = Annotated[Path | None, typer.Option(help="Write all arrays as a NumPy archive.", rich_help_panel=OUTPUT)]
Plot = Annotated[Path | None, typer.Option(help="Draw a figure: .png, .svg or .pdf.", rich_help_panel=OUTPUT)]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON to standard output, and nothing else.", rich_help_panel=OUTPUT)
]


@dataclass(frozen=True)
class Outputs:
    """The files that a command was asked for: checked before any work, written together after it.

    Parameters
    ----------
    csv, npz, plot, parquet : Path, optional
        Files to create or to replace; Parquet is written by whoever has the table.

    Raises
    ------
    OutputError
        If two of them are one file, a folder is missing or closed, a path is something else than a plain file, a
        figure has an unknown format, or matplotlib or pyarrow is missing.
    """

    csv: Csv = None
    npz: Npz = None
    plot: Plot = None
    parquet: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        wanted = {name: path for name, path in vars(self).items() if path is not None}
        targets = [check_target(name, path) for name, path in wanted.items()]
        if len(set(targets)) < len(targets):
            raise OutputError(f"output files must differ, got {', '.join(map(str, wanted.values()))}")
        if self.plot is not None:
            if self.plot.suffix.lower() not in FIGURE_FORMATS:
                raise OutputError(f"plot must end in one of {', '.join(FIGURE_FORMATS)}, got {str(self.plot)!r}")
            from causal_theory.plotting.size import require_matplotlib

            try:
                require_matplotlib()
            except ImportError as error:
                raise OutputError(f"plot must not be given without matplotlib: {error}") from error
        if self.parquet is not None and find_spec("pyarrow") is None:
            raise OutputError("parquet must not be given without pyarrow: pip install 'causal-theory[sweep]'")

    def write(self, *, csv: Writer, npz: Mapping[str, NDArray[Any]], plot: Writer) -> None:
        """Write the files that were asked for; when one fails, none appears."""
        arrays: dict[str, Any] = dict(npz)
        contents: list[tuple[Path | None, Writer]] = [
            (self.csv, csv),
            (self.npz, lambda file: np.savez(file, **arrays)),
            (self.plot, plot),
        ]
        write_files("output", [(path, writer) for path, writer in contents if path is not None])

    def write_plot(self, plot: Writer) -> None:
        """Write the figure alone, if one was asked for."""
        write_files("output", [] if self.plot is None else [(self.plot, plot)])

    @property
    def figure_format(self) -> str:
        """The format of the figure, as its file name says."""
        return "png" if self.plot is None else self.plot.suffix[1:].lower()

    def say_written(self, console: Console) -> None:
        """Name the files that were written."""
        for path in (self.csv, self.parquet, self.npz, self.plot):
            if path is not None:
                console.print(f"wrote {path}", highlight=False, soft_wrap=True, markup=False)


def matrix_csv(matrix: NDArray[Any]) -> Writer:
    """Return a writer of a matrix, one row a line, numbers in full precision."""
    style = "%d" if np.issubdtype(matrix.dtype, np.integer) else "%.17g"
    return lambda file: np.savetxt(file, matrix, delimiter=",", fmt=style)


def table_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Writer:
    """Return a writer of a table with headings."""
    text = io.StringIO()
    writer = csv_format.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return lambda file: _write_bytes(file, text.getvalue().encode("utf-8"))


def _write_bytes(file: IO[bytes], content: bytes) -> None:
    file.write(content)


def figure(
    draw: Callable[..., object],
    outputs: Outputs,
    size: Callable[[], tuple[float, float]] = lambda: FIGURE_SIZE,
    grid: tuple[int, int] = (1, 1),
) -> Writer:
    """Return a writer of what ``draw`` draws on fresh axes, in the format of the file name.

    ``draw`` gets one axes for each cell of ``grid`` (rows, columns), row by row.
    """

    def write(file: IO[bytes]) -> None:
        from causal_theory.plotting.canvas import detached_axes

        axes = detached_axes(size(), grid)
        draw(*axes)
        whole: Any = axes[0].get_figure(root=True)
        whole.savefig(file, format=outputs.figure_format, dpi=150)

    return write


def print_json(content: Mapping[str, Any]) -> None:
    """Print JSON to standard output; arrays become lists, NaN and infinity become null."""
    print(json.dumps(_plain(content), allow_nan=False))


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
    console: Console, matrix: NDArray[np.float64], title: str, marked: Mapping[int, Iterable[int]]
) -> Table | None:
    """Return the lower triangle with two digits for its largest entry, or None when the terminal is too narrow.

    NaN is left blank; the entries ``marked[i]`` of row i are bold.
    """
    length = len(matrix)
    seen = np.abs(matrix[np.tril_indices(length)])
    unit = _unit(float(np.nanmax(seen, initial=0.0)))
    cells = [[_cell(matrix[i, j] / unit) for j in range(i + 1)] for i in range(length)]
    labels = [str(j) for j in range(length)]
    widths = [max(len(labels[j]), *(len(row[j]) for row in cells[j:])) for j in range(length)]
    if max(3, len(labels[-1])) + sum(widths) + length > console.width:
        return None
    table = Table(title=f"{title}, in units of {unit:g}", box=None, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("i\\j", justify="right", style="dim")
    for j in range(length):
        table.add_column(labels[j], justify="right", no_wrap=True, min_width=widths[j])
    for i, row in enumerate(cells):
        for j in marked.get(i, ()):
            row[j] = f"[bold green]{row[j]}[/bold green]"
        table.add_row(labels[i], *row)
    return table


def _unit(largest: float) -> float:
    """Return the power of ten in which ``largest`` rounds to two digits."""
    if not largest > 0.0:
        return 1.0
    power = math.floor(math.log10(largest)) - 1
    return 10.0 ** (power + (round(largest / 10.0**power) >= 100))


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{round(value)}"
