"""Graph files of this package: JSON, and a list of edges that starts with the length."""

import json
from typing import Any

from causal_theory.errors import FileFormatError, GraphError
from causal_theory.graphs.constructors import context_entry
from causal_theory.graphs.graph import CausalGraph

LONGEST = 1_000_000
"""Longest graph that is read from a file, so that a wrong number does not fill the memory."""

KEYS = ("parents", "target_parents", "length", "labels")


def unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the content of a JSON object, and refuse a key that occurs twice."""
    content = dict(items)
    if len(content) != len(items):
        raise ValueError(f"keys must be distinct, got {[key for key, _ in items]}")
    return content


def load_json(file: str, text: str) -> Any:
    """Return the content of a JSON text.

    Raises
    ------
    FileFormatError
        If it is no JSON; the message names the line.
    """
    try:
        return json.loads(text, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise FileFormatError(f"{file}, line {error.lineno}: must be valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{file}: must be valid JSON: {error}") from error


def graph_from_json(file: str, content: dict[str, Any]) -> CausalGraph:
    """Return the graph of a JSON object with the key ``parents``."""
    unknown = sorted(set(content) - set(KEYS))
    if unknown:
        known = '"parents", "target_parents", "length" and "labels"'
        raise FileFormatError(f"{file}: keys must be {known}, got {unknown}")
    parents, targets, labels = content["parents"], content.get("target_parents"), content.get("labels")
    length = content.get("length", len(parents) + 1)
    if isinstance(length, bool) or not isinstance(length, int) or length - len(parents) not in (0, 1):
        raise FileFormatError(
            f'{file}: "length" must be the number of entries of "parents", or one more for the appended query; '
            f"got {length!r} and {len(parents)} entries"
        )
    try:
        if length > len(parents):
            return CausalGraph.from_parents(parents, target_parents=targets, labels=labels)
        return CausalGraph([context_entry(entry) for entry in parents], targets, labels)
    except (GraphError, RecursionError) as error:  # what is nested deeply cannot be shown either
        raise FileFormatError(f"{file}: {error}") from error


def json_from_graph(graph: CausalGraph) -> str:
    """Return the JSON text of a graph."""
    entries = [entry[0] if len(entry) == 1 else list(entry) if entry else -1 for entry in graph.parents]
    content: dict[str, Any] = {"parents": entries}
    if graph.parents[-1]:
        content["length"] = graph.length
    else:
        entries.pop()
    if graph.target_parents != (graph.length - 1,):
        content["target_parents"] = list(graph.target_parents)
    if graph.labels is not None:
        content["labels"] = list(graph.labels)
    return json.dumps(content) + "\n"


def _integers(words: list[str]) -> list[int] | None:
    """Convert words of at most nine digits; anything else is not a position."""
    if all(word.isascii() and word.isdigit() and len(word) <= 9 for word in words):
        return [int(word) for word in words]
    return None


def graph_from_edges(file: str, text: str) -> CausalGraph:
    """Return the graph of a list of edges that starts with the length."""
    parents: list[list[int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{file}, line {number}"
        if not parents:
            length = _integers(words[1:])
            if len(words) != 2 or words[0] != "length" or length is None or not 2 <= length[0] <= LONGEST:
                raise FileFormatError(
                    f'{where}: must be "length T" with T from 2 to {LONGEST}, got {line.strip()!r}; a list of edges '
                    "of networkx, without the length, has a name that ends in .edgelist"
                )
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
