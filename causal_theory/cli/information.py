"""``causal-theory information``: mutual informations of all pairs of tokens."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.output import Json, Outputs, figure, matrix_csv, matrix_table, print_json, print_table
from causal_theory.cli.splice import spliced
from causal_theory.estimate import Estimate
from causal_theory.information import Measure, pairwise_information
from causal_theory.specs import TaskSpec
from causal_theory.tasks import InContextTask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES = (
    'causal-theory information --length 8 --prior point --transition "[[0.9,0.1],[0.2,0.8]]"',
    "causal-theory information --graph pairs --symbols 3 --measure kl --json",
)


@spliced
def command(
    *,
    spec: TaskSpec,
    measure: Annotated[Measure, typer.Option(help="Which information.")] = "chi2",
    draws: options.Draws = 256,
    seed: options.Seed = 0,
    outputs: Outputs,
    json: Json = False,
) -> None:
    """Mutual information of every pair of tokens, given the transition matrix, averaged over the prior."""
    rng = options.generator(seed)
    task = spec.build(rng)
    options.say_divided(task.prior)
    values = pairwise_information(task, measure, draws=draws, rng=rng)
    outputs.write(
        csv=matrix_csv(values.value),
        npz={"information": values.value, "error": values.error, "parents": options.parent_table(task.graph)},
        plot=figure(lambda ax: _draw(values, task, measure, ax), outputs),
    )
    if json:
        print_json({"task": options.describe(task), "seed": seed, "measure": measure, "information": values})
        return
    console = Console()
    _show(console, values, task, measure)
    outputs.say_written(console)


def _draw(values: Estimate, task: InContextTask, measure: str, ax: "Axes") -> None:
    from causal_theory.plotting import plot_information

    plot_information(values, measure=measure, graph=task.graph, ax=ax)


def _show(console: Console, values: Estimate, task: InContextTask, measure: str) -> None:
    unit = "nats" if measure == "kl" else "dimensionless"
    # A token's information with itself would set the scale, and a query is independent of all others.
    length = task.length - task.graph.has_query
    shown = values.value[:length, :length].copy()
    np.fill_diagonal(shown, np.nan)
    marked = dict(enumerate(task.graph.parents))
    options.say_order(console, task.graph)
    table = matrix_table(console, shown, f"{measure} information, {unit}, edges in bold", marked, task.graph.labels)
    if table is not None and len(shown) > 1:
        print_table(console, table)
    edges = [float(values.value[child, parent]) for parent, child in task.graph.edges]
    span = f"edges from {min(edges):.4g} to {max(edges):.4g}" if edges else "no edges"
    more = "; use --csv, --npz or --plot for all pairs" if table is None else ""
    console.print(
        f"{measure} information of {task.length} tokens, {unit}: {span} ({values.method}, "
        f"error up to {values.error.max():.1e}){more}",
        highlight=False,
    )
