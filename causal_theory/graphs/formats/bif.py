"""Bayesian networks in BIF: the graph, and the tables to the last digit.

A ``table`` of a child with parents has the child slowest; a row ``(a, b)`` holds the law of the child given states of
the parents; ``default`` is the law for all states that have no row. Numbers may be separated by commas or blanks.
"""

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs.formats.scanner import QUOTED, Scanner, unquoted
from causal_theory.graphs.named import NamedGraph

SLACK = 1e-4
"""How far the sum of a law may be off one: files are written with few digits."""


class ConditionalTable(NamedTuple):
    """The law of a variable given its parents.

    Attributes
    ----------
    parents : tuple of str
        In the order of the file.
    states : tuple of str
        Those of the variable itself.
    values : ndarray
        One axis for each parent, in their order, and a last one for the variable: a transition tensor.
    """

    parents: tuple[str, ...]
    states: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass
class _Block:
    """The law of a variable as a file has it, with the line of each part."""

    parents: list[str]
    line: int
    table: tuple[list[float], int] | None = None
    default: tuple[list[float], int] | None = None
    rows: dict[tuple[str, ...], tuple[list[float], int]] = field(default_factory=dict)


def parse(named: NamedGraph, text: str) -> None:
    """Add the variables of a network, and an edge from every parent, in the order of the tables."""
    states, blocks = _read(named, text)
    for child in states:
        for place, parent in enumerate(blocks[child].parents):
            named.add_edge(parent, child, blocks[child].line, place)


def parse_tables(named: NamedGraph, text: str) -> dict[str, ConditionalTable]:
    """Return the law of every variable."""
    states, blocks = _read(named, text)
    return {name: _table(named, name, states, blocks[name]) for name in states}


def _read(named: NamedGraph, text: str) -> tuple[dict[str, tuple[str, ...]], dict[str, _Block]]:
    scanner = Scanner(named, text)
    states: dict[str, tuple[str, ...]] = {}
    blocks: dict[str, _Block] = {}
    scanner.need(r"network\b", '"network"')
    scanner.until("{", '"{"')
    scanner.until("}", '"}"')
    while not scanner.at_end():
        word = scanner.need(r"(?:variable|probability)\b", '"variable" or "probability"')
        line = scanner.line
        if word == "variable":
            name = unquoted(scanner.until("{", '"{"').strip())
            if name in states:
                raise named.error(f"variables must differ, got {name!r} again", line)
            named.add_node(name, line)
            states[name] = _variable(scanner)
        else:
            child, block = _probability(scanner)
            if child in blocks:
                raise named.error(f"there must be one probability for each variable, got {child!r} again", line)
            blocks[child] = block
    for child, block in blocks.items():
        for name in (child, *block.parents):
            if name not in states:
                raise named.error(f"variables must be declared, got {name!r}; add its block", block.line)
    for name, declared in named.nodes.items():
        if name not in blocks:
            raise named.error(f"variable {name!r} must have a probability, got none; is the file complete?", declared)
    return states, blocks


def _variable(scanner: Scanner) -> tuple[str, ...]:
    """Read the block of a variable and return its states."""
    states: tuple[str, ...] = ()
    while scanner.take(r"\}") is None:
        if scanner.take(r"property\b"):
            scanner.until(";", '";"')
            continue
        scanner.need(r"type\b", '"type" or "}"')
        scanner.need(r"discrete\b", '"discrete"')
        scanner.need(r"\[", '"["')
        count = int(scanner.need(r"\d+", "a number of states"))
        scanner.need(r"\]", '"]"')
        scanner.need(r"\{", '"{"')
        line = scanner.line
        states = tuple(_names(scanner.until("}", '"}"')))
        scanner.take(";")
        if len(states) != count or len(set(states)) != count:
            raise scanner.named.error(f"there must be {count} different states, got {', '.join(states)}", line)
    return states or scanner.fail('a variable with "type discrete"')


def _probability(scanner: Scanner) -> tuple[str, _Block]:
    scanner.need(r"\(", '"("')
    line = scanner.line
    head, bar, rest = scanner.until(")", '")"').partition("|")
    child, parents = unquoted(head.strip()), _names(rest) if bar else []
    if len(set(parents)) != len(parents):
        raise scanner.named.error(f"parents of {child!r} must differ, got {', '.join(parents)}", line)
    block = _Block(parents, line)
    scanner.need(r"\{", '"{"')
    while scanner.take(r"\}") is None:
        if scanner.take(r"property\b"):
            scanner.until(";", '";"')
        elif scanner.take(r"table\b"):
            block.table = _numbers(scanner)
        elif scanner.take(r"default\b"):
            block.default = _numbers(scanner)
        else:
            scanner.need(r"\(", '"table", "default", "(" or "}"')
            row = tuple(_names(scanner.until(")", '")"')))
            if row in block.rows:
                raise scanner.named.error(f"rows of {child!r} must differ, got ({', '.join(row)}) again", scanner.line)
            block.rows[row] = _numbers(scanner)
    return child, block


def _numbers(scanner: Scanner) -> tuple[list[float], int]:
    line = scanner.line
    words = re.split(r"[\s,]+", scanner.until(";", '";" behind numbers').strip(" \t\r\n,"))
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = [math.nan]
    if not all(math.isfinite(number) and number >= 0.0 for number in numbers):
        raise scanner.named.error(f"probabilities must be numbers of at least 0, got {' '.join(words)[:40]!r}", line)
    return numbers, line


def _names(text: str) -> list[str]:
    """Return names that are separated by commas."""
    pieces = re.findall(rf"\s*({QUOTED}|[^,]*)\s*(?:,|$)", text)
    names = [unquoted(piece.strip()) for piece in pieces]
    return names[:-1] if names and not names[-1] else names


def _table(named: NamedGraph, name: str, states: dict[str, tuple[str, ...]], block: _Block) -> ConditionalTable:
    size, shape = len(states[name]), tuple(len(states[parent]) for parent in block.parents)
    values = np.full((*shape, size), np.nan)
    if block.default is not None:
        values[...] = _law(named, name, block.default, size)
    if block.table is not None:
        numbers = _law(named, name, block.table, size * math.prod(shape))
        values[...] = np.moveaxis(numbers.reshape(size, *shape), 0, -1)
    places = [{state: i for i, state in enumerate(states[parent])} for parent in block.parents]
    for row, said in block.rows.items():
        if len(row) != len(shape) or any(state not in place for state, place in zip(row, places, strict=False)):
            raise named.error(f"rows of {name!r} must name a state of each parent, got ({', '.join(row)})", said[1])
        values[tuple(place[state] for state, place in zip(row, places, strict=True))] = _law(named, name, said, size)
    missing = np.argwhere(np.isnan(values))
    if len(missing):
        row = tuple(states[parent][i] for parent, i in zip(block.parents, missing[0].tolist(), strict=False))
        raise named.error(
            f"the law of {name!r} must be given for all states, got none for ({', '.join(row)})", block.line
        )
    wrong = np.argwhere(np.abs(values.sum(axis=-1) - 1.0) > SLACK)
    if len(wrong):
        total = float(values[tuple(wrong[0])].sum())
        raise named.error(f"laws of {name!r} must sum to 1, got {total:.6g} for one of them", block.line)
    return ConditionalTable(tuple(block.parents), states[name], values)


def _law(named: NamedGraph, name: str, said: tuple[list[float], int], count: int) -> NDArray[np.float64]:
    numbers, line = said
    if len(numbers) != count:
        raise named.error(f"there must be {count} probabilities here for {name!r}, got {len(numbers)}", line)
    return np.array(numbers)
