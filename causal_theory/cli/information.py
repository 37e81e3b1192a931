"""``causal-theory information``: mutual informations of all pairs of tokens."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.output import (
    check_outputs,
    matrix_table,
    print_json,
    say_written,
    write_csv,
    write_figure,
    write_npz,
)
from causal_theory.estimate import Estimate
from causal_theory.information import Measure, pairwise_information
from causal_theory.tasks import InContextTask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EXAMPLES", "command"]

EXAMPLES = "Example: causal-theory information --graph pairs --symbols 3 --measure kl --json"


class MeasureName(StrEnum):
    """The divergences."""

    CHI2 = "chi2"
    KL = "kl"
    TV = "tv"
    HELLINGER = "hellinger"


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
    measure: Annotated[MeasureName, typer.Option(help="Which information.")] = MeasureName.CHI2,
    draws: options.Draws = 256,
    seed: options.Seed = 0,
    json: options.Json = False,
    csv: options.Csv = None,
    npz: options.Npz = None,
    plot: options.Plot = None,
) -> None:
    """Mutual information of every pair of tokens, given the transition matrix, averaged over the prior."""
    check_outputs(csv, npz, plot=plot)
    task = options.build_task(
        options.build_graph(graph, length, root_probability, graph_file, seed),
        options.build_prior(prior, transition, symbols, concentration, floor),
        root_law,
    )
    name: Measure = measure.value
    values = pairwise_information(task, name, draws=draws, rng=seed)
    write_csv(csv, values.value)
    write_npz(npz, {"information": values.value, "error": values.error})
    write_figure(plot, lambda: _draw(values, task, name))
    if json:
        print_json({"measure": name, "information": values})
        return
    console = Console()
    marked = {i: int(parent) for i, parent in enumerate(task.graph.parent_array)}
    unit = "nats" if name == "kl" else "dimensionless"
    table = matrix_table(console, values.value, f"{name} information, {unit} (true edges in bold)", marked)
    if table is None:
        edges = [values.value[child, parent] for parent, child in task.graph.edges]
        span = f"edges from {min(edges):.4g} to {max(edges):.4g}" if edges else "no edges"
        console.print(f"{name} information of {task.length} tokens, {unit}: {span}; use --csv, --npz or --plot for all")
    else:
        console.print(table)
    console.print(f"{values.method}, error up to {values.error.max():.1e}", highlight=False)
    say_written(console, csv, npz, plot)


def _draw(values: Estimate, task: InContextTask, measure: str) -> "Axes":
    from causal_theory.plotting import plot_information

    return plot_information(values, measure=measure, graph=task.graph)
