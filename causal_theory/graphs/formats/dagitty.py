"""Graphs as DAGitty writes them: ``dag { A [exposure] B A -> B }``.

Isolated nodes count. Roles of DAGitty (exposure, outcome, latent, adjusted) do not; ``[role=query]`` marks the query.
"""

from causal_theory.graphs.formats.scanner import QUOTED, Scanner, unquoted
from causal_theory.graphs.named import ROLE, NamedGraph

_NAME = rf"{QUOTED}|[\w.%]+"
_ARROW = r"<->|<-@|@->|@-@|@--|--@|<-|->|--"


def parse(named: NamedGraph, text: str) -> None:
    """Add the nodes and edges of a text of DAGitty."""
    scanner = Scanner(named, text)
    kind = scanner.need(r"\w+", '"dag {"')
    if kind.lower() != "dag":
        raise named.error(f'must be a directed acyclic graph, "dag {{ ... }}", got the type {kind!r}', scanner.line)
    scanner.take(_NAME)
    scanner.need(r"\{", '"{"')
    while scanner.take(r"\}") is None:
        if scanner.take("[;,]") is None:
            _statement(scanner, named)
    if not scanner.at_end():
        scanner.fail("one graph only")


def _statement(scanner: Scanner, named: NamedGraph) -> None:
    """Read a setting of the graph as a whole, a node, or a chain of edges."""
    if scanner.take(rf"(?:{_NAME})\s*="):
        scanner.need(rf"{QUOTED}|[^\s;\]}}]+", "a value")
        return
    nodes = _nodes(scanner, named)
    _attributes(scanner, named, nodes)
    while (arrow := scanner.take(_ARROW)) is not None:
        line = scanner.line
        others = _nodes(scanner, named)
        _attributes(scanner, named, [])
        if arrow not in ("->", "<-"):
            kind = {"<->": "bidirected", "--": "undirected"}.get(arrow, "partly directed")
            remedy = "name the common cause as a node" if arrow == "<->" else 'write "->" or leave it out'
            ends = f"{', '.join(nodes)} {arrow} {', '.join(others)}"
            raise named.error(f"edges must lead from parent to child, got the {kind} edge {ends}; {remedy}", line)
        for left in nodes:
            for right in others:
                named.add_edge(*((left, right) if arrow == "->" else (right, left)), line)
        nodes = others


def _nodes(scanner: Scanner, named: NamedGraph) -> list[str]:
    """Read a node, or several in braces."""
    if scanner.take(r"\{") is None:
        names = [scanner.need(_NAME, 'a node, an edge or "}"')]
    else:
        names = []
        while scanner.take(r"\}") is None:
            names.append(scanner.need(_NAME, 'a node or "}"'))
            scanner.take("[;,]")
    plain = [unquoted(name) for name in names]
    for name in plain:
        named.add_node(name, scanner.line)
    return plain


def _attributes(scanner: Scanner, named: NamedGraph, nodes: list[str]) -> None:
    """Read what stands in brackets; only a mark of the query counts."""
    while scanner.take(r"\["):
        while scanner.take(r"\]") is None:
            key = scanner.need(_NAME, 'an attribute or "]"')
            value = unquoted(scanner.need(rf"{QUOTED}|[^\s,\]]+", "a value")) if scanner.take("=") else ""
            scanner.take("[;,]")
            if key == ROLE:
                for name in nodes:
                    named.add_node(name, attributes={ROLE: value})
