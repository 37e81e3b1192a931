"""Read a square matrix from a text of rows and columns, as spreadsheets and data frames write it.

Digits are read by ``float``, which rounds once: readers of tables may be off in the last digit. The first row may name
the columns, the first column the rows.
"""

import csv
from collections.abc import Sequence

from causal_theory.errors import TransitionError
from causal_theory.frames import check_names, is_counting

SHOWN = 60
"""Characters of a malformed row that its message quotes."""

TAB_SUFFIXES = (".tsv", ".tab")

Row = tuple[int, list[str]]
"""The number of a line, and its cells."""


def read_delimited(text: str, name: str, suffix: str) -> list[list[float]]:
    r"""Return the numbers of a text, its rows separated by commas, semicolons or tabs.

    Parameters
    ----------
    text : str
        The content of the file.
    name : str
        What it is called in messages.
    suffix : str
        Of the name of the file: ``.tsv`` and ``.tab`` are separated by tabs; for others the first row decides.

    Returns
    -------
    list of list of float
        The rows, as they are.

    Raises
    ------
    TransitionError
        If an entry is no number, or names of rows and columns differ.

    Examples
    --------
    >>> read_delimited("from,rain,sun\nrain,0.9,0.1\nsun,0.2,0.8\n", "weather", ".csv")
    [[0.9, 0.1], [0.2, 0.8]]
    """
    separator = _separator(text, suffix)
    words = "tabs" if separator == "\t" else "semicolons" if separator == ";" else "commas"
    rows = _rows(text, separator)
    if not rows:
        raise TransitionError(f"{name} must hold numbers separated by {words}, got no line")
    columns, body = _split_header(rows)
    labels, body = _split_labels(columns, body)
    if columns is not None and body and len(columns) > len(body[0][1]):
        columns = columns[1:]
    numbers = [[_number(cell) for cell in cells] for _, cells in body]
    for (line, cells), row in zip(body, numbers, strict=True):
        if None in row:
            quoted = separator.join(cells)
            quoted = repr(quoted if len(quoted) <= SHOWN else quoted[:SHOWN] + "...")
            raise TransitionError(
                f"{name} must hold numbers separated by {words}, with decimal points, and names in the first row and "
                f"column at most, got {quoted} in line {line}"
            )
    if columns is not None:
        check_names(name, columns if labels is None else labels, columns)
    return [[entry for entry in row if entry is not None] for row in numbers]


def _separator(text: str, suffix: str) -> str:
    if suffix in TAB_SUFFIXES:
        return "\t"
    first = next((line for line in text.splitlines() if line.strip()), "")
    return next((mark for mark in (";", ",", "\t") if mark in first), ",")


def _rows(text: str, separator: str) -> list[Row]:
    """Return the rows that hold something, with the numbers of their lines."""
    reader = csv.reader(text.splitlines(), delimiter=separator)
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    return [(line, cells) for line, cells in rows if any(cells)]


def _number(cell: str) -> float | None:
    """Return a number, None for a text that is none; Python's own spelling with underscores is none."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _split_header(rows: list[Row]) -> tuple[list[str] | None, list[Row]]:
    """Return the names of the columns, with whatever stands in the corner, and the rows below."""
    first, height, width = rows[0][1], len(rows), len(rows[-1][1])
    texts = [_number(cell) is None for cell in first]
    if not any(texts):
        is_header = height == width + 1 == len(first) + 1 and is_counting(first)
    elif not any(texts[1:]):  # the name of a row, or of the corner
        is_header = height == width and (not first[0] or is_counting(first[1:]))
    else:  # a text among as many rows as columns that begins with a number is a slip
        is_header = height - 1 == width or (height == width and (texts[0] or len(first) < width))
    return (first, rows[1:]) if is_header else (None, rows)


def _split_labels(columns: Sequence[str] | None, body: list[Row]) -> tuple[list[str] | None, list[Row]]:
    """Return the names of the rows, and the rows without them."""
    first = [cells[0] for _, cells in body]
    width = len(body[0][1]) if body else 0
    named = all(len(cells) == width > 1 for _, cells in body) and (
        any(_number(cell) is None for cell in first)
        or (columns is not None and (len(columns) == width - 1 or not columns[0]))
        or (width == len(body) + 1 and is_counting(first))
    )
    return (first, [(line, cells[1:]) for line, cells in body]) if named else (None, body)
