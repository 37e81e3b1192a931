"""Options that several commands share, and what JSON and NPZ output say about a task."""

from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from causal_theory.graphs import CausalGraph
from causal_theory.priors import Prior
from causal_theory.tasks import InContextTask

Epsilon = Annotated[float, typer.Option(help="The constant inside the logarithm of the loss.")]
Draws = Annotated[int, typer.Option(help="Matrices drawn from a prior that has no exact average.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of a random graph, then of all draws.")]


def generator(seed: int) -> np.random.Generator:
    """Return the one source of randomness of a command; the graph is drawn first, so all commands share it."""
    return np.random.default_rng(seed)


def say_divided(prior: Prior) -> None:
    """Say on standard error when the rows of the matrix were divided by their sums, as --normalise asks for."""
    sums = getattr(prior, "row_sums", None)
    if sums is not None:
        said = f"rows of the transition matrix were divided by their sums, from {sums[0]:.9g} to {sums[1]:.9g}"
        Console(stderr=True, soft_wrap=True, highlight=False).print(said)


def describe(task: InContextTask) -> dict[str, Any]:
    """Return what JSON output says about a task: with it the numbers can be computed again.

    The positions that the target follows are given where they are not the last one alone, labels where there are any.
    """
    graph = task.graph
    parents = [list(entry) if len(entry) > 1 else entry[0] if entry else -1 for entry in graph.parents]
    targets = {} if graph.target_parents == (graph.length - 1,) else {"target_parents": list(graph.target_parents)}
    labels = {} if graph.labels is None else {"labels": list(graph.labels)}
    return {"parents": parents, **targets, **labels, "prior": task.prior.to_dict(), "root_law": task.root_law}


def say_order(console: Console, graph: CausalGraph) -> None:
    """Print the labels of a graph in the order of its positions."""
    if graph.labels is not None:
        console.print("order of positions:", ", ".join(graph.labels), highlight=False, markup=False, soft_wrap=True)


def parent_table(graph: CausalGraph) -> NDArray[np.int64]:
    """Return what NPZ output says about a graph.

    One row for each of T positions with its parents, -1 for those it lacks: (T, k) where positions have up to k >= 2
    parents, (T,) for a forest.
    """
    table = np.full((graph.length, max(1, *map(len, graph.parents))), -1, dtype=np.int64)
    for row, entry in zip(table, graph.parents, strict=True):
        row[: len(entry)] = entry
    return table[:, 0] if graph.is_forest else table
