"""Read graphs from files of any usual format, and write them.

JSON of this package::

    {"parents": [-1, 0, 1, [0, 2]], "target_parents": [4], "labels": ["rain", "wet", "slippery", "fall"]}

with one entry per context position: -1 for a root, one parent, or a list of parents. The query is appended as a
root. ``target_parents`` and ``labels`` are optional. For a graph whose last position is not a root, ``"length": T`` is
given too and ``parents`` holds all T entries.

List of edges of this package::

    # comments and empty lines are skipped
    length 5
    0 1
    1 2

First the length T, then one line ``parent child`` per edge. The target depends on the last position.
"""

import os
from pathlib import Path

from causal_theory.errors import FileFormatError, GraphError
from causal_theory.files import write_text
from causal_theory.graphs.formats import bif, native, registry
from causal_theory.graphs.formats.bif import ConditionalTable
from causal_theory.graphs.graph import CausalGraph
from causal_theory.graphs.matrices import Convention
from causal_theory.graphs.named import LAST, NamedGraph


def read_graph(
    path: str | os.PathLike[str], *, query: str | None = None, convention: Convention | None = None
) -> CausalGraph:
    r"""Read a graph from a file of any usual format, which its ending and its content tell.

    JSON and lists of edges of this package, edges and adjacency matrices in CSV and TSV, matrices in NPY, lists of
    edges of networkx (``.edgelist``), node-link JSON, GraphML, GML, DOT, DAGitty and BIF.

    Nodes that are named 0..n-1 are positions. Other nodes are sorted so that parents come first, in the order of the
    file where it can be kept, and their names become the labels. The node that carries ``role="query"`` is the query;
    without one a query is appended.

    Parameters
    ----------
    path : path
        A UTF-8 text file, or an array of NumPy.
    query : str, optional
        The label of the query, a node without children, in a file that does not mark it; ``"last"`` for the last of
        unlabelled positions.
    convention : {"to-from", "from-to", "causal-learn"}, optional
        The orientation of an adjacency matrix: see :meth:`causal_theory.CausalGraph.from_adjacency`.

    Returns
    -------
    CausalGraph
        The graph of the file.

    Raises
    ------
    FileFormatError
        If the file cannot be read or is malformed, or holds no directed acyclic graph. The message names the file, its
        format, the line where there is one, and what to do.
    ImportError
        If networkx is missing, which reads GraphML and GML.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "graph.txt"
    ...     _ = path.write_text("length 4  # the query is position 3\n0 1\n1 2\n")
    ...     read_graph(path) == CausalGraph.chain(4)
    True
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "graph.dot"
    ...     _ = path.write_text("digraph { wet -> slippery; rain -> wet }")
    ...     read_graph(path).labels
    ('rain', 'wet', 'slippery', 'query')
    """
    found = registry.read(Path(path), convention)
    if isinstance(found, NamedGraph):
        try:
            return CausalGraph(*found.sort(query))
        except FileFormatError:
            raise
        except GraphError as error:
            raise found.error(str(error)) from error
    if query not in (None, LAST, found.name(found.length - 1)):
        raise FileFormatError(
            f"{path}: the query must be {found.name(found.length - 1)}, the last position of the file, got {query!r}"
        )
    return found


def read_tables(path: str | os.PathLike[str]) -> dict[str, ConditionalTable]:
    r"""Read the laws of the variables of a Bayesian network from a file in BIF.

    Every number is that of the file, to the last digit.

    Parameters
    ----------
    path : path
        A UTF-8 text file.

    Returns
    -------
    dict from str to ConditionalTable
        For each variable, in the order of the file: ``parents``, ``states`` and ``values``, an array with one axis for
        each parent and a last one for the variable, as transition tensors have it.

    Raises
    ------
    FileFormatError
        If the file cannot be read or is malformed: the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> text = "network weather { } variable rain { type discrete [ 2 ] { no, yes }; }"
    >>> text += "variable wet { type discrete [ 2 ] { no, yes }; } probability ( rain ) { table 0.8, 0.2; }"
    >>> text += "probability ( wet | rain ) { (no) 0.9, 0.1; (yes) 0.25, 0.75; }"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "weather.bif"
    ...     _ = path.write_text(text)
    ...     tables = read_tables(path)
    >>> tables["wet"].parents, tables["wet"].values.tolist()
    (('rain',), [[0.9, 0.1], [0.25, 0.75]])
    """
    file = Path(path)
    return bif.parse_tables(NamedGraph(str(file), "BIF"), registry.decode(file, registry.load(file)))


def write_graph(path: str | os.PathLike[str], graph: CausalGraph) -> None:
    """Write a graph as JSON that :func:`~causal_theory.read_graph` reads back as an equal graph with the same labels.

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
    write_text(path, native.json_from_graph(graph))
