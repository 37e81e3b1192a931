"""Graphs whose nodes have names: find the query, sort the nodes so that parents come first, keep orders of parents."""

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from causal_theory.errors import FileFormatError, GraphError
from causal_theory.graphs.labels import QUERY, fresh_label

PARENT_ORDER = "parent_order"
"""Attribute of an edge: the place of its parent among the parents of its child, from 0."""

TARGET_ORDER = "target_order"
"""Attribute of a node: its place among the parents of the target, from 0."""

ROLE, LAST = "role", "last"

_PLAIN_NUMBER = re.compile("0|[1-9][0-9]{0,17}")

Edge = tuple[str, str]


def as_integer(value: object) -> int | None:
    """Return an integer, also one in text, as several formats keep it; ``None`` for anything else."""
    if isinstance(value, str):
        return int(value) if _PLAIN_NUMBER.fullmatch(value) else None
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


class Sorted(NamedTuple):
    """The parts of a causal graph."""

    parents: list[tuple[int, ...]]
    target_parents: Any
    labels: list[str] | None


@dataclass
class NamedGraph:
    """Nodes by name, in the order of their source, and edges from parent to child.

    Nodes named 0..T-1 are positions, which keep their places. Other names are labels; their nodes are sorted.

    Attributes
    ----------
    source, format : str
        The file and its format, for messages; empty for an object in memory.
    nodes : dict from name to line
        Every node, and the line where it is named first; None where there is none.
    edges : dict from (parent, child) to line
        Every edge.
    places : dict from (parent, child) to object
        What an edge says of the place of its parent among those of its child.
    queries : list of str
        Nodes that are marked as the query.
    targets : dict from name to object
        What a node says of its place among the parents of the target.
    """

    source: str = ""
    format: str = ""
    nodes: dict[str, int | None] = field(default_factory=dict)
    edges: dict[Edge, int | None] = field(default_factory=dict)
    places: dict[Edge, object] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    targets: dict[str, object] = field(default_factory=dict)

    def error(self, message: str, line: int | None = None) -> GraphError | FileFormatError:
        """Return an error that names the file and the line, where there are any."""
        if not self.source:
            return GraphError(message)
        where = "" if line is None else f", line {line}"
        return FileFormatError(f"{self.source}{where} ({self.format}): {message}")

    def add_node(self, name: str, line: int | None = None, attributes: Mapping[str, object] | None = None) -> None:
        """Add a node, or what is said of a node that is there."""
        self.nodes.setdefault(name, line)
        said = attributes or {}
        if said.get(ROLE) == QUERY and name not in self.queries:
            self.queries.append(name)
        if said.get(TARGET_ORDER) is not None:
            self.targets[name] = said[TARGET_ORDER]

    def add_edge(self, parent: str, child: str, line: int | None = None, place: object = None) -> None:
        """Add an edge, and its nodes where they are new."""
        if (parent, child) in self.edges:
            raise self.error(f"edges must be distinct, got {parent!r} to {child!r} again; remove one of them", line)
        self.add_node(parent, line)
        self.add_node(child, line)
        self.edges[parent, child] = line
        if place is not None:
            self.places[parent, child] = place

    @property
    def are_positions(self) -> bool:
        """Whether the nodes are named 0..T-1."""
        numbers = {as_integer(name) for name in self.nodes}
        return None not in numbers and numbers == set(range(len(self.nodes)))

    def sort(self, query: object = None, target_parents: Any = None) -> Sorted:
        """Return parents, parents of the target and labels by position.

        Parameters
        ----------
        query : object, optional
            The name of the query, or ``"last"`` for the last of unlabelled positions. By default the marked node;
            without a mark a query is appended, unless the parents of the target are known.
        target_parents : iterable of int or str, optional
            Positions or labels; by default what the nodes say, else the query.

        Returns
        -------
        Sorted
            Without labels where the nodes are positions.
        """
        if not self.nodes:
            raise self.error("there must be one node at least, got none")
        labelled = not self.are_positions
        chosen = self._query(query, labelled)
        if target_parents is None and self.targets:
            target_parents = self.target_names()
        order = self._order(chosen) if labelled else self._positions(chosen)
        position = {name: i for i, name in enumerate(order)}
        parents = self._parents(position)
        if chosen is None and target_parents is None:
            parents.append(())
            order.append(fresh_label(position))
        if isinstance(target_parents, Iterable) and not isinstance(target_parents, str):
            target_parents = [position.get(one, one) if isinstance(one, str) else one for one in target_parents]
        return Sorted(parents, target_parents, order if labelled else None)

    def _query(self, query: object, labelled: bool) -> str | None:
        if len(self.queries) > 1:
            line = self.nodes[self.queries[1]]
            raise self.error(
                f"one node at most must be marked as the query, got {self.queries}; remove the other marks", line
            )
        marked = self.queries[0] if self.queries else None
        if query is None:
            return self._childless(marked)
        name = str(query)
        if name == LAST and name not in self.nodes:
            if labelled:
                raise self.error(
                    "query must be the label of a node, as 'last' is for positions without labels; "
                    f"got 'last' and the nodes {self._shown()}"
                )
            name = str(len(self.nodes) - 1)
        if name not in self.nodes:
            raise self.error(f"query must be one of the nodes {self._shown()}, got {name!r}")
        if marked not in (None, name):
            raise self.error(f"query must be the node that is marked, {marked!r}, or not be given, got {name!r}")
        return self._childless(name)

    def _childless(self, name: str | None) -> str | None:
        for (parent, child), line in self.edges.items():
            if parent == name:
                raise self.error(f"the query must have no children, got the edge {name!r} to {child!r}", line)
        return name

    def _shown(self, most: int = 6) -> str:
        names = [repr(name) for name in self.nodes]
        return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")

    def _positions(self, query: str | None) -> list[str]:
        """Return the nodes by number, when every parent has a smaller one than its child."""
        last = str(len(self.nodes) - 1)
        if query not in (None, last):
            raise self.error(f"the query must be the last position, {last}, got {query}", self.nodes[str(query)])
        for (parent, child), line in self.edges.items():
            if int(parent) >= int(child):
                earlier = f" (0 to {int(child) - 1})" if int(child) else ", of which there are none"
                raise self.error(
                    f"parents of position {child} must be earlier positions{earlier}, got {parent}; nodes named 0 to "
                    f"{last} are positions: number them so that parents come first, or name them to have them sorted",
                    line,
                )
        return sorted(self.nodes, key=int)

    def _order(self, query: str | None) -> list[str]:
        """Return the nodes with parents first: the first in the source whose parents are all there comes next."""
        index = {name: i for i, name in enumerate(self.nodes)}
        names = list(index)
        children: list[list[int]] = [[] for _ in index]
        missing = [0] * len(index)
        for parent, child in self.edges:
            children[index[parent]].append(index[child])
            missing[index[child]] += 1
        ready = [i for i, count in enumerate(missing) if not count]
        order: list[str] = []
        while ready:
            found = heapq.heappop(ready)
            order.append(names[found])
            for later in children[found]:
                missing[later] -= 1
                if not missing[later]:
                    heapq.heappush(ready, later)
        if len(order) < len(names):
            raise self._cycle({names[i] for i, count in enumerate(missing) if count})
        return order if query is None else [*(name for name in order if name != query), query]

    def _cycle(self, left: set[str]) -> GraphError | FileFormatError:
        """Return an error that names a cycle among nodes, each of which has a parent among them."""
        parent_of = {child: parent for parent, child in self.edges if parent in left}
        name = next(name for name in self.nodes if name in left)
        path: dict[str, None] = {}
        while name not in path:
            path[name] = None
            name = parent_of[name]
        around = list(path)[list(path).index(name) :][::-1]
        index = {name: i for i, name in enumerate(self.nodes)}
        first = min(range(len(around)), key=lambda i: index[around[i]])
        cycle = [*around[first:], *around[: first + 1]]
        shown = " -> ".join(cycle if len(cycle) < 8 else [*cycle[:6], "...", cycle[-1]])
        line = max((self.edges[edge] or 0 for edge in pairwise(cycle)), default=0)
        return self.error(f"edges must have no cycle, got {shown}; remove or turn one of these edges", line or None)

    def _parents(self, position: Mapping[str, int]) -> list[tuple[int, ...]]:
        entries: list[list[str]] = [[] for _ in position]
        for parent, child in self.edges:
            entries[position[child]].append(parent)
        for entry in entries:
            entry.sort(key=position.__getitem__)
        if self.places:
            entries = [self._in_stored_order(child, entries[i]) for child, i in position.items()]
        return [tuple(position[parent] for parent in entry) for entry in entries]

    def _in_stored_order(self, child: str, parents: list[str]) -> list[str]:
        """Return the parents of a node by the places on their edges, which must be 0, 1, ... in some order."""
        taken: dict[int, str] = {}
        for parent in parents:
            said = self.places.get((parent, child))
            place, line = as_integer(said), self.edges[parent, child]
            if place is None or not 0 <= place < len(parents):
                raise self.error(
                    f"{PARENT_ORDER} must be {_places(len(parents))} on {self._edge(parent, child)}, as position "
                    f"{self._name(child)} has {len(parents)} parent{'s' * (len(parents) > 1)}, got {said!r}",
                    line,
                )
            if place in taken:
                raise self.error(
                    f"{PARENT_ORDER} must differ among the edges into a position, got {place} on "
                    f"{self._edge(taken[place], child)} and on {self._edge(parent, child)}",
                    line,
                )
            taken[place] = parent
        return [taken[place] for place in range(len(parents))]

    def target_names(self) -> list[str]:
        """Return the parents of the target by the places on their nodes."""
        taken: dict[int, str] = {}
        for name, said in self.targets.items():
            place = as_integer(said)
            if place is None or not 0 <= place < len(self.targets):
                several = len(self.targets)
                raise self.error(
                    f"{TARGET_ORDER} must be {_places(several)} on node {self._name(name)}, as {several} "
                    f"node{' has' if several == 1 else 's have'} one, got {said!r}"
                )
            if place in taken:
                raise self.error(
                    f"{TARGET_ORDER} must differ among nodes, got {place} on nodes {self._name(taken[place])} and "
                    f"{self._name(name)}"
                )
            taken[place] = name
        return [taken[place] for place in range(len(self.targets))]

    def _edge(self, parent: str, child: str) -> str:
        return f"edge ({self._name(parent)}, {self._name(child)})"

    def _name(self, name: str) -> str:
        return name if as_integer(name) is not None and self.are_positions else repr(name)


def _places(count: int) -> str:
    return "0" if count == 1 else f"an integer from 0 to {count - 1}"
