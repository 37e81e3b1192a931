"""Formats by the ending and the content of a file."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from causal_theory.errors import FileFormatError
from causal_theory.graphs.formats import bif, dagitty, dot, edges, markup, native, node_link, tables
from causal_theory.graphs.graph import CausalGraph
from causal_theory.graphs.matrices import named_from_adjacency
from causal_theory.graphs.named import NamedGraph

PARSERS: dict[str, Callable[[NamedGraph, str], None]] = {
    "BIF": bif.parse,
    "DAGitty": dagitty.parse,
    "DOT": dot.parse,
    "GML": markup.parse_gml,
    "GraphML": markup.parse_graphml,
    "list of edges": edges.parse,
}
"""Formats of text that need nothing else."""

JSON, NPY, TABLE, OWN = "node-link JSON", "NPY", "table", "own"

ENDINGS = {
    ".bif": "BIF",
    ".dagitty": "DAGitty",
    ".dot": "DOT",
    ".gv": "DOT",
    ".gml": "GML",
    ".graphml": "GraphML",
    ".edgelist": "list of edges",
    ".edges": "list of edges",
    ".csv": TABLE,
    ".tsv": TABLE,
    ".npy": NPY,
    ".json": JSON,
}

REFUSED = (".xdsl", ".bifxml", ".xmlbif", ".uai", ".net", ".dne", ".o3prm")
"""Networks whose tables libraries read in different orders."""

CONTENTS = {
    "DAGitty": re.compile(r"(?:dag|pdag|mag|pag)\s*(?:\w+\s*)?\{", re.IGNORECASE),
    "DOT": re.compile(r"(?:strict\s+)?(?:di)?graph\b[^\[]*?\{", re.IGNORECASE),
    "BIF": re.compile(r"network\b[^\n{]*\{"),
    "GraphML": re.compile(r"<"),
    "GML": re.compile(r"(?:Creator\b|Version\b|(?:\w+\s+[^\n]*\n\s*)*graph\s*\[)"),
}
"""Beginnings of texts, behind comments."""

_COMMENTS = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/|#[^\n]*)*", re.DOTALL)


def read(file: Path, convention: str | None = None) -> NamedGraph | CausalGraph:
    """Return what a file holds: a graph of this package, or one whose nodes have yet to be sorted.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    ending = file.suffix.lower()
    if ending in REFUSED:
        raise FileFormatError(f"{file}: must be of another format, got {ending}; write the network as BIF")
    content = load(file)
    if ending == ".npy" or content.startswith(b"\x93NUMPY"):
        return _read_npy(NamedGraph(str(file), NPY), content, convention)
    text = decode(file, content)
    kind = _kind(text, ending)
    named = NamedGraph(str(file), kind)
    if kind == TABLE:
        return tables.read(named, text, ending, convention)
    if convention is not None:
        raise named.error(f"convention must be given for adjacency matrices only, got {convention!r}")
    if kind == OWN:
        return native.graph_from_edges(str(file), text)
    if kind == JSON:
        return _read_json(named, text)
    PARSERS[kind](named, text)
    return named


def load(file: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # an impossible file name
        raise FileFormatError(f"{str(file)!r}: must be a UTF-8 text file: {error}") from error


def decode(file: Path, content: bytes) -> str:
    """Return the text of a file, lines separated by one character.

    Raises
    ------
    FileFormatError
        If it is no UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except ValueError as error:
        raise FileFormatError(f"{str(file)!r}: must be a UTF-8 text file: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _kind(text: str, ending: str) -> str:
    """Return the format of a text: JSON is told by its first character, others by the ending, then by the content."""
    kind = ENDINGS.get(ending)
    if text.lstrip()[:1] in (("{",) if kind == TABLE else ("{", "[")):  # labels of a table may be in brackets
        return JSON
    words = _first_line(text).split()
    if words[:1] == ["length"] and len(words) <= 2 and kind in (None, "list of edges"):
        return OWN
    start = _COMMENTS.match(text)
    place = start.end() if start else 0
    beginning = next((name for name, form in CONTENTS.items() if form.match(text, place)), None)
    if kind == "DOT" and beginning == "DAGitty":
        return beginning
    return kind or beginning or _kind_of_lines(_first_line(text))


def _kind_of_lines(first: str) -> str:
    """Return the format of a text without a beginning of its own, by its first line."""
    words = first.split()
    if any(mark in first.partition("{")[0] for mark in ",;\t"):
        return TABLE
    if len(words) < 2 or words[0] == "length" or all(word.lstrip("-").isdigit() for word in words[:2]):
        return OWN  # a list of positions, which needs the length
    return "list of edges"


def _first_line(text: str) -> str:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return next((line for line in lines if line), "")


def _read_json(named: NamedGraph, text: str) -> NamedGraph | CausalGraph:
    content = native.load_json(named.source, text)
    if isinstance(content, dict) and isinstance(content.get("parents"), list):
        return native.graph_from_json(named.source, content)
    if not isinstance(content, dict) or "nodes" not in content:
        raise FileFormatError(
            f'{named.source}: must be an object with a list "parents", or with "nodes" and "edges" (node-link JSON)'
        )
    node_link.parse(named, content)
    return named


def _read_npy(named: NamedGraph, content: bytes, convention: str | None) -> NamedGraph:
    try:
        matrix = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise named.error(f"must be an array of NumPy: {error}; is the file complete?") from error
    return named_from_adjacency(matrix, convention, named=named)
