"""Graphs in node-link JSON, as networkx and D3 have it: nodes with an ``id``, and ``links`` or ``edges``."""

from typing import Any

from causal_theory.graphs.named import PARENT_ORDER, NamedGraph


def parse(named: NamedGraph, content: dict[str, Any]) -> None:
    """Add the nodes and edges of a JSON object with the keys ``nodes`` and ``links`` or ``edges``."""
    keys = [key for key in ("edges", "links") if key in content]
    if len(keys) != 1:
        raise named.error(f'there must be "edges" or "links", got {" and ".join(keys) or "none of them"}')
    if content.get("directed") is not True:
        raise named.error(
            f'"directed" must be true, got {_brief(content["directed"]) if "directed" in content else "no such key"}, '
            'which stands for an undirected graph; add "directed": true if links lead from parent to child'
        )
    for i, node in enumerate(_entries(named, content, "nodes")):
        if "id" not in node:
            raise named.error(f'nodes[{i}] must have an "id", got {_brief(node)}')
        name = _name(node["id"])
        if name in named.nodes:
            raise named.error(f"nodes must differ, got {name!r} again in nodes[{i}]")
        named.add_node(name, attributes=node)
    for i, edge in enumerate(_entries(named, content, keys[0])):
        parent, child = _end(edge.get("source")), _end(edge.get("target"))
        for name in (parent, child):
            if name not in named.nodes:
                raise named.error(
                    f'{keys[0]}[{i}] must lead from one of the nodes to another, got {name!r}; add it to "nodes"'
                )
        named.add_edge(parent, child, place=edge.get(PARENT_ORDER))


def _entries(named: NamedGraph, content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise named.error(f'"{key}" must be a list of objects, got {_brief(entries)}')
    return entries


def _end(value: Any) -> str:
    """Return the name of an end of an edge, for which D3 puts the whole node once it has drawn it."""
    return _name(value["id"] if isinstance(value, dict) and "id" in value else value)


def _name(value: Any) -> str:
    return str(tuple(value)) if isinstance(value, list) else str(value)


def _brief(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
