"""Options that several commands share, and the objects they describe."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.graphs import CausalGraph
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
    "Plot",
    "PriorKind",
    "RootLaws",
    "RootProbability",
    "Seed",
    "Symbols",
    "Transition",
    "build_graph",
    "build_prior",
    "build_task",
]

GRAPH, PRIOR, OUTPUT = "Graph", "Prior", "Output"


class GraphName(StrEnum):
    """The graph families."""

    CHAIN = "chain"
    PAIRS = "pairs"
    STAR = "star"
    BINARY_TREE = "binary-tree"
    RANDOM_FOREST = "random-forest"


class PriorName(StrEnum):
    """The priors."""

    POINT = "point"
    ORBIT = "orbit"
    DIRICHLET = "dirichlet"


class RootName(StrEnum):
    """The laws of a root."""

    STATIONARY = "stationary"
    UNIFORM = "uniform"


Graph = Annotated[GraphName, typer.Option("--graph", help="Graph family.", rich_help_panel=GRAPH)]
GraphFile = Annotated[
    Path | None,
    typer.Option(
        help='Read the graph from a file instead: JSON {"parents": [-1, 0, ...]}, or edges, one a line.',
        rich_help_panel=GRAPH,
    ),
]
Length = Annotated[int, typer.Option(help="Tokens T, the query included.", rich_help_panel=GRAPH)]
RootProbability = Annotated[
    float, typer.Option(help="Chance that a position of a random forest is a root.", rich_help_panel=GRAPH)
]
PriorKind = Annotated[PriorName, typer.Option("--prior", help="Law of the transition matrix.", rich_help_panel=PRIOR)]
Transition = Annotated[
    str | None,
    typer.Option(
        help='Matrix for point and orbit priors: JSON like "[[0.9,0.1],[0.2,0.8]]", or a .json, .csv or .npy file.',
        rich_help_panel=PRIOR,
    ),
]
Symbols = Annotated[int, typer.Option(help="Symbols S of a Dirichlet prior.", rich_help_panel=PRIOR)]
Concentration = Annotated[
    float, typer.Option(help="Concentration of a Dirichlet prior, per entry.", rich_help_panel=PRIOR)
]
Floor = Annotated[
    float, typer.Option(help="Weight of the uniform law blended into a Dirichlet prior.", rich_help_panel=PRIOR)
]
RootLaws = Annotated[RootName, typer.Option("--root-law", help="Law of a root.", rich_help_panel=PRIOR)]
Epsilon = Annotated[float, typer.Option(help="The constant inside the logarithm of the loss.")]
Draws = Annotated[int, typer.Option(help="Matrices drawn from a Dirichlet prior with more than two symbols.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.", rich_help_panel=OUTPUT)]
Csv = Annotated[Path | None, typer.Option(help="Write the matrix as CSV.", rich_help_panel=OUTPUT)]
Npz = Annotated[Path | None, typer.Option(help="Write all arrays as a NumPy archive.", rich_help_panel=OUTPUT)]
Plot = Annotated[Path | None, typer.Option(help="Draw a figure: .png, .svg or .pdf.", rich_help_panel=OUTPUT)]


def build_graph(
    name: GraphName, length: int, root_probability: float, graph_file: Path | None, seed: int
) -> CausalGraph:
    """Return the graph that the options describe."""
    if graph_file is not None:
        return read_graph(graph_file)
    if name is GraphName.RANDOM_FOREST:
        return CausalGraph.random_forest(length, root_probability, seed)
    makers = {
        GraphName.CHAIN: CausalGraph.chain,
        GraphName.PAIRS: CausalGraph.pairs,
        GraphName.STAR: CausalGraph.star,
        GraphName.BINARY_TREE: CausalGraph.binary_tree,
    }
    return makers[name](length)


def build_prior(kind: PriorName, transition: str | None, symbols: int, concentration: float, floor: float) -> Prior:
    """Return the prior that the options describe."""
    if kind is PriorName.DIRICHLET:
        if transition is not None:
            raise InvalidArgumentError("transition is for point and orbit priors, got it with --prior dirichlet")
        return DirichletPrior(symbols, concentration, floor=floor)
    if transition is None:
        raise InvalidArgumentError(f"transition must be given for --prior {kind}: a matrix or a file, got nothing")
    matrix = _read_matrix(transition)
    return PointPrior(matrix) if kind is PriorName.POINT else OrbitPrior(matrix)


def build_task(graph: CausalGraph, prior: Prior, root_law: RootName) -> InContextTask:
    """Return the task that the options describe."""
    law: RootLaw = "stationary" if root_law is RootName.STATIONARY else "uniform"
    return InContextTask(graph, prior, law)


def _read_matrix(text: str) -> Any:
    """Return the matrix in a JSON text or in a file."""
    if text.lstrip().startswith("["):
        return _from_json(text, "transition")
    path = Path(text)
    try:
        if path.suffix == ".npy":
            import numpy as np

            return np.load(path, allow_pickle=False)
        content = path.read_text(encoding="utf-8")
    except (OSError, ValueError, EOFError) as error:
        raise TransitionError(f"transition must be JSON or a readable file, got {text!r}: {error}") from error
    if path.suffix == ".csv":
        return _from_csv(content, text)
    return _from_json(content, f"transition file {text!r}")


def _from_json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise TransitionError(f"{what} must be a matrix in JSON, got {text.strip()[:60]!r}: {error}") from error


def _from_csv(text: str, name: str) -> list[list[float]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append([float(cell) for cell in line.split(",")])
        except ValueError as error:
            raise TransitionError(
                f"transition file {name!r} must hold numbers separated by commas, got {line!r} in line {number}"
            ) from error
    if len({len(row) for row in rows}) != 1:
        raise TransitionError(f"transition file {name!r} must have rows of one length")
    return rows
