"""Graphs from adjacency matrices, whose orientation is asked for by name."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs.labels import QUERY
from causal_theory.graphs.named import NamedGraph
from causal_theory.validation import check_choice

Convention = Literal["to-from", "from-to", "causal-learn"]
"""The meaning of ``[i, j] = 1``: j is a parent of i, i is a parent of j, or as causal-learn marks the ends of edges."""

_MARKS = {-1.0: "tail", 1.0: "arrowhead", 2.0: "circle"}


def named_from_adjacency(
    adjacency: Any,
    convention: str | None = None,
    labels: Iterable[object] | None = None,
    named: NamedGraph | None = None,
) -> NamedGraph:
    """Return the graph of a square matrix or a data frame.

    Positions without labels are kept. A matrix cannot mark its query: where the last position has neither parent nor
    child, and no label or the label "query", it is the query.
    """
    named = named or NamedGraph()
    matrix, names = _matrix_and_names(named, adjacency, labels)
    if convention is not None:
        check_choice("convention", convention, get_args(Convention))
    children = _of_marks(named, matrix, names) if convention == "causal-learn" else _of_ones(named, matrix, names)
    if convention == "from-to":
        children = children.T
    if convention is None:
        _check_parents_first(named, children, names)
    for name in names:
        named.add_node(name)
    for i, j in np.argwhere(children).tolist():
        named.add_edge(names[j], names[i])
    marked = named.are_positions or names[-1] == QUERY
    if marked and not children[-1].any() and not children[:, -1].any():
        named.queries.append(names[-1])
    return named


def _matrix_and_names(
    named: NamedGraph, adjacency: Any, labels: Iterable[object] | None
) -> tuple[NDArray[np.float64], list[str]]:
    if hasattr(adjacency, "columns") and hasattr(adjacency, "index"):
        adjacency, own = _of_frame(named, adjacency)
        labels = own if labels is None else labels
    elif hasattr(adjacency, "toarray"):
        adjacency = adjacency.toarray()
    try:
        given = np.asarray(adjacency)
        if np.iscomplexobj(given):
            raise TypeError("got complex numbers")
        matrix = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise named.error(f"adjacency must be a square matrix of zeros and ones: {error}") from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise named.error(f"adjacency must be a square matrix, got shape {matrix.shape}")
    names = [str(label) for label in (range(len(matrix)) if labels is None else labels)]
    if len(names) != len(matrix):
        raise named.error(f"labels must be one for each of {len(matrix)} rows, got {len(names)}")
    if len(set(names)) != len(names):
        double = next(name for i, name in enumerate(names) if name in names[:i])
        raise named.error(f"labels must differ, got {double!r} twice")
    return matrix, names


def _of_frame(named: NamedGraph, frame: Any) -> tuple[NDArray[Any], list[str]]:
    """Return the entries of a data frame with its rows in the order of its columns."""
    columns, rows = [str(name) for name in frame.columns], [str(name) for name in frame.index]
    if sorted(columns) != sorted(rows):
        odd = sorted(set(columns) ^ set(rows))[:4]
        raise named.error(
            f"adjacency must have the same labels in rows and columns, got {odd} in one of them only; the first column "
            "of a CSV file holds those of the rows (index_col=0)"
        )
    where = {name: i for i, name in enumerate(rows)}
    return np.asarray(frame)[[where[name] for name in columns]], columns


def _at(names: list[str], i: int, j: int) -> str:
    return f"({i}, {j})" if names[i] == str(i) and names[j] == str(j) else f"({names[i]!r}, {names[j]!r})"


def _of_ones(named: NamedGraph, matrix: NDArray[np.float64], names: list[str]) -> NDArray[np.bool_]:
    bad = (matrix != 0.0) & (matrix != 1.0)
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        value = float(matrix[i, j])
        remedy = "decide about unknown links first" if np.isnan(value) else "threshold weights first: abs(weights) > t"
        if value in (-1.0, 2.0):
            remedy = 'for marks at the ends of edges name convention="causal-learn"; ' + remedy
        raise named.error(f"adjacency must hold zeros and ones only, got {value} at {_at(names, i, j)}; {remedy}")
    ones: NDArray[np.bool_] = matrix == 1.0
    return ones


def _of_marks(named: NamedGraph, matrix: NDArray[np.float64], names: list[str]) -> NDArray[np.bool_]:
    """Return ``[i, j]``, whether j is a parent of i: causal-learn has a tail (-1) at j and an arrowhead (1) at i."""
    # [i, j] is the mark at i of the edge between i and j.
    children: NDArray[np.bool_] = (matrix == 1.0) & (matrix.T == -1.0)
    allowed = (matrix == 0.0) & (matrix.T == 0.0) | children | children.T
    np.fill_diagonal(allowed, np.diag(matrix) == 0.0)
    if not allowed.all():
        i, j = (int(k) for k in np.argwhere(~allowed)[0])
        ends = [_MARKS.get(float(one), f"{one:g}") for one in (matrix[i, j], matrix[j, i])]
        raise named.error(
            "edges must have a tail (-1) at the parent and an arrowhead (1) at the child, got "
            f"{ends[0]} and {ends[1]} at {_at(names, i, j)} and {_at(names, j, i)}; decide about undirected, "
            "bidirected and circled edges first"
        )
    return children


def _check_parents_first(named: NamedGraph, children: NDArray[np.bool_], names: list[str]) -> None:
    """Refuse a matrix that may be meant either way: with no convention named it is to be as the package's own."""
    late = np.triu(children)
    if late.any():
        i, j = (int(k) for k in np.argwhere(late)[0])
        where = f"position {i}" if names[i] == str(i) else f"{names[i]!r}"
        earlier = f" (0 to {i - 1})" if i else ", of which there are none"
        raise named.error(
            f"parents of {where} must be earlier positions{earlier}, got {names[j]}, as [i, j] = 1 says that j is a "
            'parent of i unless a convention is named: name convention="from-to" if rows are parents, or '
            '"to-from" if they are children, with labels to have the positions sorted'
        )
