"""The instances of the library, whose matrices, graphs and epsilons ``instances.toml`` lists."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from causal_theory import CausalGraph
from causal_theory.graphs.by_name import graph_by_name

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Instance:
    """A task to certify, under a name that says the family, S, T and the matrix."""

    name: str
    family: str
    graph: CausalGraph
    transition: Rows
    epsilon: str


def _rows(text: str) -> Rows:
    numerators, _, denominator = text.partition(" over ")
    return tuple(tuple(f"{entry}/{denominator}" for entry in row.split()) for row in numerators.split(";"))


def _instances() -> Iterator[Instance]:
    content = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for group in content["groups"]:
        epsilon = group.get("epsilon", "1/100")
        loud = f"-eps{epsilon}" if "epsilon" in group else ""
        for matrix, length, family in product(group["matrices"], group["lengths"], group["families"]):
            name, forests = family.replace(" ", "-"), content["forests"].get(str(length), ())
            graphs = {f"{name}-{k}": CausalGraph.from_parents(parents) for k, parents in enumerate(forests, 1)}
            if family != "random forest":
                graphs = {name: graph_by_name(name, length)}
            for label, graph in graphs.items():
                transition = _rows(content["matrices"][matrix])
                yield Instance(f"{label}-{length}-{matrix}{loud}", family, graph, transition, epsilon)


INSTANCES = tuple(_instances())
