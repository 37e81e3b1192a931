"""Tables in CSV and TSV: edges in two columns, or an adjacency matrix with or without labels."""

import csv
import io
import math

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs.formats import edges
from causal_theory.graphs.formats.edges import Row
from causal_theory.graphs.matrices import named_from_adjacency
from causal_theory.graphs.named import NamedGraph

_WORDS = {"true": 1.0, "false": 0.0, "": math.nan}


def read(named: NamedGraph, text: str, ending: str, convention: str | None) -> NamedGraph:
    """Return the graph of a table, whichever of these it is."""
    rows = _rows(named, text, "\t" if ending == ".tsv" else _delimiter(text))
    if not rows:
        raise named.error("there must be one row at least, got an empty table")
    found = _matrix(named, rows)
    if found is not None:
        matrix, labels = found
        return named_from_adjacency(matrix, convention, labels, named)
    header = rows[0][1] if edges.find_columns(rows[0][1]) else None
    if convention is not None:
        raise named.error("convention must not be given for edges, which lead from parent to child")
    if header is None and len(rows[0][1]) != 2:
        raise named.error(
            'must be edges in columns with a header like "source,target", edges in two columns, or a square '
            f"adjacency matrix, got {len(rows[0][1])} columns and {len(rows)} rows",
            rows[0][0],
        )
    edges.parse_table(named, rows if header is None else rows[1:], header)
    return named


def _delimiter(text: str) -> str:
    """Return what separates the cells of the first row."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return max(",", ";", "\t", key=first.count)


def _rows(named: NamedGraph, text: str, delimiter: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    rows: list[Row] = []
    comments: list[Row] = []
    try:
        for cells in reader:
            plain = [cell.strip() for cell in cells]
            if any(plain):
                (comments if plain[0].startswith("#") else rows).append((reader.line_num, plain))
    except csv.Error as error:
        raise named.error(f"must be a table: {error}; is the file complete?", reader.line_num) from error
    for line, cells in comments:
        if rows and len(cells) == len(rows[0][1]):
            raise named.error(
                f"rows that begin with # are comments, got one with {len(cells)} cells like the others, "
                f"{', '.join(cells)!r}; remove it, or begin its name with something else",
                line,
            )
    return rows


def _matrix(named: NamedGraph, rows: list[Row]) -> tuple[NDArray[np.float64], list[str] | None] | None:
    """Return an adjacency matrix and its labels, None for a table that does not look like one."""
    header = rows[0][1]
    if edges.find_columns(header) or (len(header) == 2 and not _is_square(rows)):
        return None
    if header[0] and all(_number(cell) is not None for cell in header):
        return _of_numbers(named, rows)
    below = rows[1:]
    with_index = (bool(below) and _number(below[0][1][0]) is None) or not header[0]
    labels = header[1:] if with_index and (not below or len(below[0][1]) == len(header)) else header
    if not below or _number(below[0][1][-1]) is None:
        return None
    if with_index and header[0] and len(header) == 3 and {cells[0] for _, cells in below} != set(labels):
        return None  # edges with a weight
    matrix = _entries(named, below, int(with_index), len(labels))
    if not with_index:
        return matrix, labels
    names = [cells[0] for _, cells in below]
    if sorted(names) != sorted(labels):
        odd = sorted(set(names) ^ set(labels))[:4]
        raise named.error(f"rows and columns must have the same labels, got {odd} in one of them only", rows[0][0])
    where = {name: i for i, name in enumerate(names)}
    return matrix[[where[name] for name in labels]], labels


def _of_numbers(named: NamedGraph, rows: list[Row]) -> tuple[NDArray[np.float64], list[str] | None] | None:
    """Return a matrix without labels, or with numbers as labels of its columns; None for edges of positions."""
    header, size = rows[0][1], len(rows)
    if size == len(header) + 1 == len(set(header)) + 1:
        return _entries(named, rows[1:], 0, len(header)), header
    return (_entries(named, rows, 0, len(header)), None) if len(header) > 2 or size == 2 else None


def _is_square(rows: list[Row]) -> bool:
    """Return whether two columns are a matrix: two rows of zeros and ones, which are no edges of positions."""
    cells = [cell for _, row in rows for cell in row]
    if len(rows) == 3:  # labels above
        return all(_number(cell) is None for cell in rows[0][1]) and all(
            _number(cell) in (0.0, 1.0) for cell in cells[2:]
        )
    return len(rows) == 2 and all(_number(cell) in (0.0, 1.0) for cell in cells)


def _entries(named: NamedGraph, rows: list[Row], first: int, size: int) -> NDArray[np.float64]:
    if len(rows) != size:
        raise named.error(
            f"adjacency must be a square matrix, got {size} columns and {len(rows)} rows; is the file complete?",
            rows[-1][0],
        )
    matrix = np.empty((size, size))
    for i, (line, cells) in enumerate(rows):
        if len(cells) != size + first:
            raise named.error(f"rows must have {size + first} cells, got {len(cells)}", line)
        for j, cell in enumerate(cells[first:]):
            value = _number(cell)
            if value is None:
                raise named.error(f"adjacency must hold zeros and ones only, got {cell!r}", line)
            matrix[i, j] = value
    return matrix


def _number(cell: str) -> float | None:
    if cell.lower() in _WORDS:
        return _WORDS[cell.lower()]
    try:
        return float(cell)
    except ValueError:
        return None
