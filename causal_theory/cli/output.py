"""Where results go: the terminal, JSON on standard output, and files that appear whole or not at all."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from causal_theory.errors import OutputError
from causal_theory.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["check_outputs", "matrix_table", "print_json", "say_written", "write_csv", "write_figure", "write_npz"]

FIGURE_FORMATS = (".png", ".svg", ".pdf")


def check_outputs(*paths: Path | None, plot: Path | None = None) -> None:
    """Refuse output files that cannot be written, before any work is done.

    Raises
    ------
    OutputError
        If a folder is missing or closed, a path is a folder, or a figure has an unknown format.
    ImportError
        If a figure is asked for and matplotlib is missing.
    """
    wanted = [path for path in (*paths, plot) if path is not None]
    if len({path.resolve() for path in wanted}) < len(wanted):
        raise OutputError(f"output files must differ, got {', '.join(map(str, wanted))}")
    for path in wanted:
        if path.is_dir():
            raise OutputError(f"output must be a file, got the folder {str(path)!r}")
        folder = path.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise OutputError(f"output must be in a folder that exists and can be written, got {str(path)!r}")
    if plot is not None:
        if plot.suffix.lower() not in FIGURE_FORMATS:
            raise OutputError(f"plot must end in one of {', '.join(FIGURE_FORMATS)}, got {str(plot)!r}")
        from causal_theory.plotting.canvas import require_matplotlib

        require_matplotlib()


def _write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let ``write`` fill a temporary file next to ``path``, then rename it."""
    mask = os.umask(0)
    os.umask(mask)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"output must be a file that can be written, got {str(path)!r}: {error.strerror}") from error


def write_csv(path: Path | None, matrix: NDArray[Any]) -> None:
    """Write a matrix, one row a line, numbers in full precision."""
    if path is not None:
        style = "%d" if np.issubdtype(matrix.dtype, np.integer) else "%.17g"
        _write_whole(path, lambda file: np.savetxt(file, matrix, delimiter=",", fmt=style))


def write_npz(path: Path | None, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays."""
    if path is not None:
        content: dict[str, Any] = dict(arrays)
        _write_whole(path, lambda file: np.savez(file, **content))


def write_figure(path: Path | None, draw: Callable[[], "Axes"]) -> None:
    """Draw and save a figure in the format of the file name."""
    if path is not None:
        figure: Any = draw().get_figure(root=True)
        _write_whole(path, lambda file: figure.savefig(file, format=path.suffix[1:].lower(), dpi=150))


def say_written(console: Console, *paths: Path | None) -> None:
    """Name the files that were written."""
    for path in paths:
        if path is not None:
            console.print(f"wrote {path}", highlight=False, soft_wrap=True)


def print_json(content: Mapping[str, Any]) -> None:
    """Print JSON to standard output; arrays become lists, NaN becomes null."""
    print(json.dumps(_plain(content)))


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        value = {"value": value.value, "error": value.error, "method": value.method}
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def matrix_table(console: Console, matrix: NDArray[np.float64], title: str, marked: Mapping[int, int]) -> Table | None:
    """Return the lower triangle in thousandths, marked entries in bold, or None when the terminal is too narrow."""
    length = len(matrix)
    cells = [[f"{1000.0 * matrix[i, j]:.0f}" for j in range(i + 1)] for i in range(length)]
    width = 2 + max(len(cell) for row in cells for cell in row)
    if width * (length + 1) + 2 > console.width:
        return None
    table = Table(title=f"{title}, in thousandths", box=None, padding=(0, 0, 0, 2), pad_edge=False)
    table.add_column("i\\j", justify="right", style="dim")
    for j in range(length):
        table.add_column(str(j), justify="right", no_wrap=True)
    for i, row in enumerate(cells):
        if marked.get(i, -1) >= 0:
            row[marked[i]] = f"[bold green]{row[marked[i]]}[/bold green]"
        table.add_row(str(i), *row)
    return table
