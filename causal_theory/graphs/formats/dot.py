"""Graphs in DOT, the language of Graphviz.

Nodes of clusters count like others, ports of a node do not, and an edge from or to a group ``{a b}`` is one for each of
its nodes. Attributes that count are ``role`` and ``target_order`` of nodes and ``parent_order`` of edges.
"""

from itertools import pairwise

from causal_theory.graphs.formats.scanner import QUOTED, Scanner, unquoted
from causal_theory.graphs.named import PARENT_ORDER, ROLE, NamedGraph

_ID = rf"{QUOTED}|-?(?:\.\d+|\d+(?:\.\d*)?)|[^\W\d]\w*"
_COMMENTS = r"//[^\n]*|/\*.*?\*/|^#[^\n]*"


def parse(named: NamedGraph, text: str) -> None:
    """Add the nodes and edges of a text in DOT."""
    scanner = Scanner(named, text, _COMMENTS)
    strict = scanner.take(r"(?i:strict)\b") is not None
    kind = scanner.need(r"(?i:di)?(?i:graph)\b", '"digraph {"')
    if kind.lower() == "graph":
        raise named.error(
            'edges must have a direction, got an undirected graph; write "digraph" and "->"', scanner.line
        )
    scanner.take(rf"(?!\{{)(?:{_ID})")
    scanner.need(r"\{", '"{"')
    _Statements(scanner, named, strict).read()
    if not scanner.at_end():
        scanner.fail("one graph only")


class _Statements:
    def __init__(self, scanner: Scanner, named: NamedGraph, strict: bool) -> None:
        self.scanner, self.named, self.strict = scanner, named, strict

    def read(self) -> list[str]:
        """Read statements up to the closing brace; return the nodes in them."""
        nodes: list[str] = []
        while self.scanner.take(r"\}") is None:
            if self.scanner.take("[;,]") is None:
                nodes += self._statement()
        return list(dict.fromkeys(nodes))

    def _statement(self) -> list[str]:
        scanner, line = self.scanner, self._line()
        if scanner.take(r"(?i:graph|node|edge)\b(?=\s*\[)"):
            self._check_defaults(self._attributes(), line)
            return []
        if scanner.take(rf"(?:{_ID})\s*=(?!=)"):
            self._value()
            return []
        chain = [self._end()]
        while (arrow := scanner.take("->|--")) is not None:
            if arrow == "--":
                raise self.named.error('edges must have a direction, got "--"; write "->"', scanner.line)
            chain.append(self._end())
        said = self._attributes()
        if len(chain) == 1:
            for name in chain[0]:
                self.named.add_node(name, line, said)
            return chain[0]
        self._check_direction(said, line)
        for parents, children in pairwise(chain):
            for parent in parents:
                for child in children:
                    if not (self.strict and (parent, child) in self.named.edges):
                        self.named.add_edge(parent, child, line, said.get(PARENT_ORDER))
        return [name for names in chain for name in names]

    def _line(self) -> int:
        self.scanner.take("")
        return self.scanner.line

    def _end(self) -> list[str]:
        """Read one end of an edge: a node, with or without a port, or a group of nodes."""
        scanner = self.scanner
        if scanner.take(r"(?i:subgraph)\b"):
            scanner.take(rf"(?!\{{)(?:{_ID})")
            scanner.need(r"\{", '"{"')
            return self.read()
        if scanner.take(r"\{"):
            return self.read()
        line = self._line()
        name = self._name('a node, an edge or "}"')
        while scanner.take(":"):
            self._name("a port")
        self.named.add_node(name, line)
        return [name]

    def _name(self, what: str) -> str:
        if self.scanner.take("<"):
            return self._html()
        name = unquoted(self.scanner.need(_ID, what))
        while self.scanner.take(r"\+"):
            name += unquoted(self.scanner.need(QUOTED, "a text in quotes"))
        return name

    def _value(self) -> str:
        return self._name("a value")

    def _html(self) -> str:
        """Read a text in angle brackets, which may hold others."""
        scanner, start, depth = self.scanner, self.scanner.place, 1
        while depth:
            piece = scanner.need("[^<>]*[<>]", '">"')
            depth += 1 if piece[-1] == "<" else -1
        return scanner.text[start : scanner.place - 1]

    def _attributes(self) -> dict[str, object]:
        said: dict[str, object] = {}
        while self.scanner.take(r"\["):
            while self.scanner.take(r"\]") is None:
                name = self._name('an attribute or "]"')
                said[name] = self._value() if self.scanner.take("=") else "true"
                self.scanner.take("[;,]")
        return said

    def _check_defaults(self, said: dict[str, object], line: int) -> None:
        if ROLE in said:
            raise self.named.error("role must be given at a node, not as a default", line)
        self._check_direction(said, line)

    def _check_direction(self, said: dict[str, object], line: int) -> None:
        if said.get("dir", "forward") != "forward":
            raise self.named.error(
                f"edges must lead from parent to child, got dir={said['dir']}; turn the edge and leave dir out", line
            )
