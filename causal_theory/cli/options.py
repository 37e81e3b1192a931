"""Options that several commands share, and the objects they describe."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from causal_theory.cli.matrices import read_matrix
from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.by_name import graph_by_name
from causal_theory.graphs.files import read_graph
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, Prior
from causal_theory.tasks import InContextTask, RootLaw

__all__ = [
    "Concentration",
    "Csv",
    "Draws",
    "Epsilon",
    "Floor",
    "Graph",
    "GraphFile",
    "Json",
    "Length",
    "Npz",
    "Order",
    "Parents",
    "Plot",
    "PriorKind",
    "PriorName",
    "RootLaws",
    "RootName",
    "RootProbability",
    "Seed",
    "Symbols",
    "Transition",
    "build_graph",
    "build_prior",
    "build_task",
    "describe",
    "describe_prior",
    "generator",
    "parent_table",
]

GRAPH, PRIOR, OUTPUT = "Graph", "Prior", "Output"
LENGTH, ROOT_PROBABILITY, SYMBOLS, CONCENTRATION, FLOOR = 20, 0.5, 10, 1.0, 0.0
ORDER, PARENTS = 2, 2
"""Defaults. The options themselves default to None, so that one that would have no effect is refused."""


class GraphName(StrEnum):
    """The graph families."""

    CHAIN = "chain"
    PAIRS = "pairs"
    STAR = "star"
    BINARY_TREE = "binary-tree"
    RANDOM_FOREST = "random-forest"
    RECURSIVE_FOREST = "recursive-forest"
    NGRAM = "ngram"
    BINARY_TREE_AND_PREVIOUS = "binary-tree-and-previous"
    RANDOM_DAG = "random-dag"


class PriorName(StrEnum):
    """The priors."""

    POINT = "point"
    ORBIT = "orbit"
    DIRICHLET = "dirichlet"


class RootName(StrEnum):
    """The laws of a root."""

    STATIONARY = "stationary"
    UNIFORM = "uniform"


Graph = Annotated[
    GraphName | None, typer.Option("--graph", help="Graph family (default chain).", rich_help_panel=GRAPH)
]
GraphFile = Annotated[
    Path | None,
    typer.Option(
        help='Read the graph from a file instead: JSON {"parents": [-1, 0, ...]}, or "length T" and one '
        '"parent child" a line.',
        rich_help_panel=GRAPH,
    ),
]
Length = Annotated[
    int | None, typer.Option(help=f"Tokens T, the query included (default {LENGTH}).", rich_help_panel=GRAPH)
]
RootProbability = Annotated[
    float | None,
    typer.Option(
        help=f"Chance that a position of a random forest is a root (default {ROOT_PROBABILITY}).",
        rich_help_panel=GRAPH,
    ),
]
Order = Annotated[
    int | None,
    typer.Option(help=f"Positions that each position of an ngram follows (default {ORDER}).", rich_help_panel=GRAPH),
]
Parents = Annotated[
    int | None,
    typer.Option(help=f"Parents of each position of a random DAG (default {PARENTS}).", rich_help_panel=GRAPH),
]
PriorKind = Annotated[
    PriorName,
    typer.Option(
        "--prior",
        help="Law of the transition matrix: one matrix, all relabelings of one, or independent Dirichlet rows.",
        rich_help_panel=PRIOR,
    ),
]
Transition = Annotated[
    str | None,
    typer.Option(
        help='Matrix of a point or orbit prior: JSON like "[[0.9,0.1],[0.2,0.8]]", or a .json, .csv or .npy file.',
        rich_help_panel=PRIOR,
    ),
]
Symbols = Annotated[
    int | None, typer.Option(help=f"Symbols S of a Dirichlet prior (default {SYMBOLS}).", rich_help_panel=PRIOR)
]
Concentration = Annotated[
    float | None,
    typer.Option(
        help=f"Concentration of a Dirichlet prior, per entry (default {CONCENTRATION}).", rich_help_panel=PRIOR
    ),
]
Floor = Annotated[
    float | None,
    typer.Option(
        help=f"Weight of the uniform law blended into a Dirichlet prior (default {FLOOR}).",
        rich_help_panel=PRIOR,
    ),
]
RootLaws = Annotated[
    RootName | None,
    typer.Option(
        "--root-law",
        help="Law of a root (default stationary; uniform for graphs with several parents).",
        rich_help_panel=PRIOR,
    ),
]
Epsilon = Annotated[float, typer.Option(help="The constant inside the logarithm of the loss.")]
Draws = Annotated[int, typer.Option(help="Matrices drawn from a Dirichlet prior with more than two symbols.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of a random graph, then of all draws.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON to standard output, and nothing else.", rich_help_panel=OUTPUT)
]
Csv = Annotated[Path | None, typer.Option(help="Write the table as CSV.", rich_help_panel=OUTPUT)]
Npz = Annotated[Path | None, typer.Option(help="Write all arrays as a NumPy archive.", rich_help_panel=OUTPUT)]
Plot = Annotated[Path | None, typer.Option(help="Draw a figure: .png, .svg or .pdf.", rich_help_panel=OUTPUT)]


def generator(seed: int) -> np.random.Generator:
    """Return the one source of randomness of a command; the graph is drawn first, so all commands share it."""
    return np.random.default_rng(seed)


WITH_FILE = "together with --graph-file"


def _refuse(given: Mapping[str, object], context: str) -> None:
    """Refuse options that would have no effect."""
    for option, value in given.items():
        if value is not None:
            raise InvalidArgumentError(f"{option} must not be given {context}, got {value}")


def build_graph(
    name: GraphName | None,
    length: int | None,
    root_probability: float | None,
    graph_file: Path | None,
    rng: np.random.Generator,
    *,
    order: int | None = None,
    parents: int | None = None,
) -> CausalGraph:
    """Return the graph that the options describe."""
    own: dict[GraphName, dict[str, Any]] = {
        GraphName.RANDOM_FOREST: {"root-probability": root_probability},
        GraphName.NGRAM: {"order": order},
        GraphName.RANDOM_DAG: {"parents": parents},
    }
    if graph_file is not None:
        given = {"graph": name, "length": length}
        _refuse(given | {key: value for values in own.values() for key, value in values.items()}, WITH_FILE)
        return read_graph(graph_file)
    for family, values in own.items():
        if name is not family:
            _refuse(values, f"without --graph {family}")
    return graph_by_name(
        name or GraphName.CHAIN,
        LENGTH if length is None else length,
        root_probability=ROOT_PROBABILITY if root_probability is None else root_probability,
        order=ORDER if order is None else order,
        parents=PARENTS if parents is None else parents,
        rng=rng,
    )


def build_prior(
    kind: PriorName, transition: str | None, symbols: int | None, concentration: float | None, floor: float | None
) -> Prior:
    """Return the prior that the options describe."""
    if kind is PriorName.DIRICHLET:
        if transition is not None:
            raise InvalidArgumentError(
                "transition is for point and orbit priors, got it with --prior dirichlet; "
                "choose --prior point or --prior orbit"
            )
        return DirichletPrior(
            SYMBOLS if symbols is None else symbols,
            CONCENTRATION if concentration is None else concentration,
            floor=FLOOR if floor is None else floor,
        )
    _refuse({"symbols": symbols, "concentration": concentration, "floor": floor}, f"together with --prior {kind}")
    if transition is None:
        raise InvalidArgumentError(f"transition must be given for --prior {kind}: a matrix or a file, got nothing")
    matrix = read_matrix(transition)
    return PointPrior(matrix) if kind is PriorName.POINT else OrbitPrior(matrix)


def build_task(graph: CausalGraph, prior: Prior, root_law: RootName | None) -> InContextTask:
    """Return the task that the options describe."""
    law: RootLaw | None = None if root_law is None else "stationary" if root_law is RootName.STATIONARY else "uniform"
    return InContextTask(graph, prior, law)


def describe(task: InContextTask) -> dict[str, Any]:
    """Return what JSON output says about a task: with it the numbers can be computed again.

    The positions that the target follows are given where they are not the last one alone.
    """
    graph = task.graph
    parents = [list(entry) if len(entry) > 1 else entry[0] if entry else -1 for entry in graph.parents]
    targets = {} if graph.target_parents == (graph.length - 1,) else {"target_parents": list(graph.target_parents)}
    return {"parents": parents, **targets, "prior": describe_prior(task.prior), "root_law": task.root_law}


def parent_table(graph: CausalGraph) -> NDArray[np.int64]:
    """Return what NPZ output says about a graph.

    One row for each of T positions with its parents, -1 for those it lacks: (T, k) where positions have up to k >= 2
    parents, (T,) for a forest.
    """
    table = np.full((graph.length, max(1, *map(len, graph.parents))), -1, dtype=np.int64)
    for row, entry in zip(table, graph.parents, strict=True):
        row[: len(entry)] = entry
    return table[:, 0] if graph.is_forest else table


def describe_prior(prior: Prior) -> dict[str, Any]:
    """Return what JSON output says about a prior."""
    if isinstance(prior, DirichletPrior):
        return {
            "kind": "dirichlet",
            "symbols": prior.vocab_size,
            "concentration": prior.concentration,
            "floor": prior.floor,
        }
    moved = {"moved": prior.moved} if prior.moved else {}
    return {"kind": "orbit" if isinstance(prior, OrbitPrior) else "point", "transition": prior.representative} | moved
