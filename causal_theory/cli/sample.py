"""``causal-theory sample``: sequences drawn from a task."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.output import Json, Outputs, figure, matrix_csv, print_json
from causal_theory.cli.splice import spliced
from causal_theory.graphs import CausalGraph
from causal_theory.specs import TaskSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES = (
    "causal-theory sample --graph pairs --length 12 --symbols 3 --size 5",
    "causal-theory sample --graph random-forest --concentration 0.1 --size 1000 --npz data.npz --plot graph.svg",
)

SHOWN = 20
"""Sequences that are printed."""


@spliced
def command(
    *,
    spec: TaskSpec,
    size: Annotated[int, typer.Option(help="Number of sequences.")] = 10,
    seed: options.Seed = 0,
    outputs: Outputs,
    json: Json = False,
) -> None:
    """Draw sequences, each with its own transition matrix; the query comes last.

    CSV holds the tokens, one sequence a line; JSON and NPZ also the targets and transition matrices. The figure shows
    the graph.
    """
    rng = options.generator(seed)
    task = spec.build(rng)
    options.say_divided(task.prior)
    drawn = task.sample(size, rng)
    arrays = drawn._asdict()
    outputs.write(
        csv=matrix_csv(drawn.tokens),
        npz=arrays,
        plot=figure(lambda ax: _draw(task.graph, ax), outputs, lambda: _size(task.graph)),
    )
    if json:
        print_json({"task": options.describe(task), "seed": seed, **arrays})
        return
    console = Console()
    options.say_order(console, task.graph)
    for row in drawn.tokens[:SHOWN]:
        console.print(" ".join(map(str, row)), highlight=False, soft_wrap=True)
    if size > SHOWN:
        console.print(f"... {size - SHOWN} more; use --csv or --npz for all")
    outputs.say_written(console)


def _draw(graph: CausalGraph, ax: "Axes") -> None:
    from causal_theory.plotting import plot_graph

    plot_graph(graph, ax=ax)


def _size(graph: CausalGraph) -> tuple[float, float]:
    from causal_theory.plotting.graphs import natural_size

    return natural_size(graph)
