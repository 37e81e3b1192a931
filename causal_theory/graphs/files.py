"""Graph files: JSON, and a plain list of edges.

JSON::

    {"parents": [-1, 0, 1, [0, 2]], "target_parents": [4]}

with one entry per context position: -1 for a root, one parent, or a list of parents. The query is appended as a
root. ``target_parents`` is optional. For a graph whose last position is not a root, ``"length": T`` is given too and
``parents`` holds all T entries.

List of edges::

    # comments and empty lines are skipped
    length 5
    0 1
    1 2

First the length T, then one line ``parent child`` per edge. The target depends on the last position.
"""

import json
import os
from pathlib import Path
from typing import Any

from causal_theory.errors import FileFormatError, GraphError
from causal_theory.files import write_text
from causal_theory.graphs.constructors import context_entry
from causal_theory.graphs.graph import CausalGraph

LONGEST = 1_000_000
"""Longest graph that is read from a file, so that a wrong number does not fill the memory."""


def read_graph(path: str | os.PathLike[str]) -> CausalGraph:
    r"""Read a graph from a JSON file or a list of edges, whichever the file holds.

    Parameters
    ----------
    path : path
        A UTF-8 text file. It is taken for JSON when its first character, blanks aside, is ``{`` or ``[``.

    Returns
    -------
    CausalGraph
        The graph of the file.

    Raises
    ------
    FileFormatError
        If the file cannot be read or is malformed. The message names the file, the line where there is one, and
        the requirement.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "graph.txt"
    ...     _ = path.write_text("length 4  # the query is position 3\n0 1\n1 2\n")
    ...     read_graph(path) == CausalGraph.chain(4)
    True
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileFormatError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, or an impossible file name
        raise FileFormatError(f"{str(file)!r}: must be a UTF-8 text file: {error}") from error
    if text.lstrip()[:1] in ("{", "["):
        return _parse_json(file, text)
    return _parse_edges(file, text)


def write_graph(path: str | os.PathLike[str], graph: CausalGraph) -> None:
    """Write a graph as JSON that :func:`read_graph` reads back as an equal graph.

    The file appears complete or not at all: the text goes to a temporary file in the same folder, which then takes
    the final name.

    Parameters
    ----------
    path : path
        The file to create or to replace.
    graph : CausalGraph
        The graph.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_graph(Path(folder) / "graph.json", CausalGraph.pairs(5))
    ...     print((Path(folder) / "graph.json").read_text(), end="")
    {"parents": [-1, 0, -1, 2]}
    """
    entries = [entry[0] if len(entry) == 1 else list(entry) if entry else -1 for entry in graph.parents]
    content: dict[str, Any] = {"parents": entries}
    if graph.parents[-1]:
        content["length"] = graph.length
    else:
        entries.pop()
    if graph.target_parents != (graph.length - 1,):
        content["target_parents"] = list(graph.target_parents)
    write_text(path, json.dumps(content) + "\n")


def unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the content of a JSON object, and refuse a key that occurs twice."""
    content = dict(items)
    if len(content) != len(items):
        raise ValueError(f"keys must be distinct, got {[key for key, _ in items]}")
    return content


def _parse_json(file: Path, text: str) -> CausalGraph:
    try:
        content = json.loads(text, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise FileFormatError(f"{file}, line {error.lineno}: must be valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{file}: must be valid JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("parents"), list):
        raise FileFormatError(f'{file}: must be an object with a list "parents"')
    unknown = sorted(set(content) - {"parents", "target_parents", "length"})
    if unknown:
        raise FileFormatError(f'{file}: keys must be "parents", "target_parents" and "length", got {unknown}')
    parents, targets = content["parents"], content.get("target_parents")
    length = content.get("length", len(parents) + 1)
    if isinstance(length, bool) or not isinstance(length, int) or length - len(parents) not in (0, 1):
        raise FileFormatError(
            f'{file}: "length" must be the number of entries of "parents", or one more for the appended query; '
            f"got {length!r} and {len(parents)} entries"
        )
    try:
        if length > len(parents):
            return CausalGraph.from_parents(parents, target_parents=targets)
        return CausalGraph([context_entry(entry) for entry in parents], targets)
    except (GraphError, RecursionError) as error:  # what is nested deeply cannot be shown either
        raise FileFormatError(f"{file}: {error}") from error


def _integers(words: list[str]) -> list[int] | None:
    """Convert words of at most nine digits; anything else is not a position."""
    if all(word.isascii() and word.isdigit() and len(word) <= 9 for word in words):
        return [int(word) for word in words]
    return None


def _parse_edges(file: Path, text: str) -> CausalGraph:
    parents: list[list[int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{file}, line {number}"
        if not parents:
            length = _integers(words[1:])
            if len(words) != 2 or words[0] != "length" or length is None or not 2 <= length[0] <= LONGEST:
                raise FileFormatError(f'{where}: must be "length T" with T from 2 to {LONGEST}, got {line.strip()!r}')
            parents = [[] for _ in range(length[0])]
            continue
        edge = _integers(words)
        if edge is None or len(edge) != 2 or not edge[0] < edge[1] < len(parents):
            raise FileFormatError(
                f'{where}: must be "parent child" with 0 <= parent < child < {len(parents)}, got {line.strip()!r}'
            )
        if edge[0] in parents[edge[1]]:
            raise FileFormatError(f"{where}: edges must be distinct, got {line.strip()!r} again")
        parents[edge[1]].append(edge[0])
    if not parents:
        raise FileFormatError(f'{file}: must start with a line "length T", got an empty file')
    return CausalGraph(parents)
