"""Lists of edges: those of networkx, one ``parent child {attributes}`` a line, and tables with two columns."""

import ast
import re

from causal_theory.graphs.named import PARENT_ORDER, NamedGraph

PARENTS = ("parent", "source", "from", "cause", "tail")
CHILDREN = ("child", "target", "to", "effect", "head")
"""Headings of the columns of edges, in pairs."""

UNDIRECTED = {
    "type": ("undirected", "bidirected", "mutual", "--", "---", "<->", "o-o"),
    "directed": ("false", "no", "0", "0.0"),
}
"""What columns of edges say of edges without a direction, as Gephi writes them for example."""

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")

Row = tuple[int, list[str]]
"""The line of a row in its file, and its cells."""


def parse(named: NamedGraph, text: str) -> None:
    """Add the edges of a list that networkx has written; names have no blanks."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = _COMMENT.sub("", line).split(maxsplit=2)
        if not words:
            continue
        if len(words) < 2:
            raise named.error(f'must be "parent child", got {line.strip()!r}; is the file complete?', number)
        named.add_edge(words[0], words[1], number, _place(named, words[2], number) if len(words) > 2 else None)
    if not named.edges:
        raise named.error("there must be one edge at least, got none")


def _place(named: NamedGraph, data: str, line: int) -> object:
    """Return what the attributes of an edge say of the place of its parent."""
    try:
        said = ast.literal_eval(data)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        said = None
    if not isinstance(said, dict | int | float):
        raise named.error(
            f'must be "parent child" with attributes like {{}} behind, got {data[:30]!r} as attributes; names with '
            "blanks need another format, such as CSV or GraphML",
            line,
        )
    return said.get(PARENT_ORDER) if isinstance(said, dict) else None


def find_columns(header: list[str]) -> tuple[int, int] | None:
    """Return which columns hold parents and children, by their headings.

    Examples
    --------
    >>> find_columns(["", "Target", "Source", "weight"]), find_columns(["a", "b"])
    ((2, 1), None)
    """
    names = [name.strip().lower() for name in header]
    for parent, child in zip(PARENTS, CHILDREN, strict=True):
        if names.count(parent) == 1 == names.count(child):
            return names.index(parent), names.index(child)
    return None


def parse_table(named: NamedGraph, rows: list[Row], header: list[str] | None) -> None:
    """Add the edges of a table whose columns are named by a header, or are parent and child."""
    parent, child = (header and find_columns(header)) or (0, 1)
    names = [name.strip().lower() for name in header or ()]
    place = names.index(PARENT_ORDER) if PARENT_ORDER in names else None
    width = len(header) if header else 2
    for line, cells in rows:
        if len(cells) != width:
            raise named.error(f"rows must have {width} cells, got {len(cells)}: {', '.join(cells)!r}", line)
        if not cells[parent] or not cells[child]:
            raise named.error(f"rows must have a parent and a child, got {', '.join(cells)!r}", line)
        for heading, words in UNDIRECTED.items():
            if heading in names and cells[names.index(heading)].lower() in words:
                raise named.error(
                    f"edges must have a direction, got {cells[parent]!r} and {cells[child]!r} with the {heading} "
                    f"{cells[names.index(heading)]!r}; decide about undirected edges first",
                    line,
                )
        named.add_edge(cells[parent], cells[child], line, (cells[place] or None) if place is not None else None)
    if not named.edges:
        raise named.error("there must be one edge at least, got none")
