"""``causal-theory sample``: sequences drawn from a task."""

from typing import Annotated

import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.output import check_outputs, print_json, say_written, write_csv, write_figure, write_npz

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Example: causal-theory sample --graph random-forest --symbols 3 --concentration 0.1 --size 1000 --npz data.npz"
)

SHOWN = 20
"""Sequences that are printed."""


def command(
    graph: options.Graph = options.GraphName.CHAIN,
    graph_file: options.GraphFile = None,
    length: options.Length = 20,
    root_probability: options.RootProbability = 0.5,
    prior: options.PriorKind = options.PriorName.DIRICHLET,
    transition: options.Transition = None,
    symbols: options.Symbols = 10,
    concentration: options.Concentration = 1.0,
    floor: options.Floor = 0.0,
    root_law: options.RootLaws = options.RootName.STATIONARY,
    size: Annotated[int, typer.Option(help="Number of sequences.")] = 10,
    seed: options.Seed = 0,
    json: options.Json = False,
    csv: options.Csv = None,
    npz: options.Npz = None,
    plot: options.Plot = None,
) -> None:
    """Draw sequences; each has its own transition matrix, and the query comes last. The figure shows the graph."""
    check_outputs(csv, npz, plot=plot)
    task = options.build_task(
        options.build_graph(graph, length, root_probability, graph_file, seed),
        options.build_prior(prior, transition, symbols, concentration, floor),
        root_law,
    )
    drawn = task.sample(size, seed)
    write_csv(csv, drawn.tokens)
    write_npz(npz, {"tokens": drawn.tokens, "targets": drawn.targets, "transitions": drawn.transitions})
    if plot is not None:
        from causal_theory.plotting import plot_graph

        write_figure(plot, lambda: plot_graph(task.graph))
    if json:
        print_json({"tokens": drawn.tokens, "targets": drawn.targets, "transitions": drawn.transitions})
        return
    console = Console()
    for row in drawn.tokens[:SHOWN]:
        console.print(" ".join(map(str, row)), highlight=False, soft_wrap=True)
    if size > SHOWN:
        console.print(f"... {size - SHOWN} more; use --csv or --npz for all")
    say_written(console, csv, npz, plot)
