"""Graphs in GraphML and GML, read by networkx."""

import re
from typing import Any
from xml.etree import ElementTree

from causal_theory.graphs.convert import import_networkx, named_from_networkx
from causal_theory.graphs.named import NamedGraph

_AUTOMATIC = re.compile(r"n?\d+")
_UNLABELLED = re.compile(r"has no 'label' attribute")


def parse_graphml(named: NamedGraph, text: str) -> None:
    """Add the nodes and edges of a text in GraphML."""
    networkx = import_networkx()
    _check_graphml(named, text)
    try:
        graph = networkx.parse_graphml(text)
    except Exception as error:
        raise named.error(f"networkx must be able to read it, got {_one_line(error)}") from error
    named_from_networkx(_by_name(graph, networkx), named)


def parse_gml(named: NamedGraph, text: str) -> None:
    """Add the nodes and edges of a text in GML."""
    networkx = import_networkx()
    try:
        try:
            graph = networkx.parse_gml(text)
        except networkx.NetworkXError as error:
            if not _UNLABELLED.search(str(error)):
                raise
            graph = networkx.parse_gml(text, label="id")
    except Exception as error:
        found = re.search(r"\((\d+), \d+\)", str(error))
        line = int(found.group(1)) if found else None
        raise named.error(f"networkx must be able to read it, got {_one_line(error)}", line) from error
    named_from_networkx(_by_name(graph, networkx), named)


def _check_graphml(named: NamedGraph, text: str) -> None:
    """Refuse what networkx reads as something else: several graphs, and edges of nodes that are not declared."""
    try:
        root = ElementTree.fromstring(text.encode("utf-8") if text.lstrip().startswith("<?xml") else text)
    except ElementTree.ParseError as error:
        raise named.error(f"must be valid XML: {error.msg}; is the file complete?", error.position[0]) from error
    kinds: dict[str, list[Any]] = {"graph": [], "node": [], "edge": []}
    for element in root.iter():
        kinds.setdefault(str(element.tag).rpartition("}")[2], []).append(element)
    if len(kinds["graph"]) != 1:
        raise named.error(f"there must be one graph, got {len(kinds['graph'])}")
    declared = {node.get("id") for node in kinds["node"]}
    for edge in kinds["edge"]:
        for end in ("source", "target"):
            if edge.get(end) not in declared:
                raise named.error(
                    f"edges must lead from one of the nodes to another, got {edge.get(end)!r} as {end}; "
                    "declare the node"
                )


def _by_name(graph: Any, networkx: Any) -> Any:
    """Return the graph with the names that igraph keeps beside numbers or n0, n1, ..., if all nodes have one."""
    names = dict(graph.nodes(data="name"))
    automatic = all(_AUTOMATIC.fullmatch(str(node)) for node in graph)
    texts = {name for name in names.values() if isinstance(name, str)}
    if not automatic or len(texts) < len(names):
        return graph
    return networkx.relabel_nodes(graph, names)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
