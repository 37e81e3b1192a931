"""``causal-theory scores``: the edge scores of a task, and the graph they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from causal_theory.cli import options
from causal_theory.cli.output import OUTPUT, Json, Outputs, figure, matrix_csv, matrix_table, print_json, print_table
from causal_theory.cli.splice import spliced
from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.graphs import CausalGraph
from causal_theory.population.enumeration import MAX_SEQUENCES
from causal_theory.population.limit import limit_edge_scores
from causal_theory.population.scores import ScoreMethod, edge_scores
from causal_theory.recovery import EdgeReport
from causal_theory.specs import TaskSpec
from causal_theory.tasks import InContextTask

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

EXAMPLES = (
    'causal-theory scores --graph binary-tree --prior orbit --transition "[[0.2,0.8],[0.8,0.2]]" --plot scores.png',
    "causal-theory scores --graph random-forest --symbols 3 --concentration 0.1 --seed 4 --json",
    "causal-theory scores --graph-file graph.json --limit --epsilon 0 --csv limit.csv",
)

LISTED = 20
"""Positions that are listed; of longer graphs only the wrong ones are."""


@dataclass(frozen=True)
class ScoreOutputs(Outputs):
    """The files of this command."""

    overview: Annotated[
        Path | None,
        typer.Option(
            help="Draw the graph, scores, limit scores, informations and margins in one figure.", rich_help_panel=OUTPUT
        ),
    ] = None


@spliced
def command(
    *,
    spec: TaskSpec,
    epsilon: options.Epsilon = 0.01,
    method: Annotated[ScoreMethod, typer.Option(help="Message passing, or a sum over all sequences.")] = "transform",
    max_sequences: Annotated[int, typer.Option(help="Most sequences that the sum over all of them may visit.")] = (
        MAX_SEQUENCES
    ),
    limit: Annotated[bool, typer.Option("--limit", help="The limit for long sequences instead.")] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Score above which a position has a parent; see recover_graph.")
    ] = None,
    draws: options.Draws = 256,
    seed: options.Seed = 0,
    outputs: ScoreOutputs,
    json: Json = False,
) -> None:
    """Edge scores: the first-order gradient of the first attention matrix, and the graph it writes."""
    if limit and method == "enumerate":
        raise InvalidArgumentError("method must be 'transform' together with --limit, got 'enumerate'")
    rng = options.generator(seed)
    task = spec.build(rng)
    if limit:
        scores = limit_edge_scores(task, epsilon=epsilon, draws=draws, rng=rng)
    else:
        scores = edge_scores(task, epsilon=epsilon, method=method, draws=draws, rng=rng, max_sequences=max_sequences)
    report = EdgeReport(scores, task.graph, threshold)
    outputs.write(
        csv=matrix_csv(scores.value),
        npz={"scores": scores.value, "error": scores.error, "predicted": report.predicted, "true": report.true},
        plot=figure(lambda ax: _draw(scores, task, ax), outputs),
        overview=outputs.draw(
            partial(_overview, task, epsilon, None if limit else scores, draws, rng), outputs.overview
        ),
    )
    if json:
        settings = {"task": options.describe(task), "epsilon": epsilon, "limit": limit, "seed": seed}
        print_json(settings | _content(scores, report))
        return
    console = Console()
    _show(console, scores, report)
    outputs.say_written(console)


def _draw(scores: Estimate, task: InContextTask, ax: "Axes") -> None:
    from causal_theory.plotting import plot_scores

    plot_scores(scores, graph=task.graph, ax=ax)


def _overview(
    task: InContextTask, epsilon: float, scores: Estimate | None, draws: int, rng: "np.random.Generator"
) -> "Figure | SubFigure":
    from matplotlib.figure import Figure

    from causal_theory.plotting import plot_overview
    from causal_theory.plotting.overview import SIZE
    from causal_theory.plotting.size import fitted

    whole = Figure(figsize=fitted(SIZE))  # which no window and no backend knows of
    return plot_overview(task, epsilon=epsilon, scores=scores, draws=draws, rng=rng, figure=whole)


def _content(scores: Estimate, report: EdgeReport) -> dict[str, object]:
    return {
        "scores": scores,
        "predicted": report.predicted,
        "true": report.true,
        "margin": report.margin,
        "margin_error": report.margin_error,
        "precision": report.precision,
        "recall": report.recall,
        "exact_match": report.exact_match,
    }


def _show(console: Console, scores: Estimate, report: EdgeReport) -> None:
    # The row of the query decides nothing, and its own entry would set the scale.
    marked = {child: [parent] for child, parent in enumerate(report.true[:-1].tolist()) if parent >= 0}
    options.say_order(console, report.graph)
    table = matrix_table(
        console, scores.value[:-1, :-1], "edge scores without the query, edges in bold", marked, report.graph.labels
    )
    if table is not None:
        print_table(console, table)
    else:
        console.print("the matrix is too wide for this terminal: use --csv, --npz or --plot")
    positions = list(range(len(report.true)))
    if len(report.true) > LISTED:
        positions = [i for i in positions if report.true[i] != report.predicted[i]][:LISTED]
    if positions:
        console.print(_rows(report, positions))
    console.print(
        f"precision {report.precision:.3f}, recall {report.recall:.3f}, smallest margin {report.smallest_margin:.4g}, "
        f"graph {'recovered' if report.exact_match else 'not recovered'} ({scores.method}, "
        f"error up to {scores.error.max():.1e})",
        highlight=False,
    )


def _rows(report: EdgeReport, positions: Sequence[int]) -> Table:
    whole = len(positions) == len(report.true)
    rows = Table(title="graph" if whole else "positions that are wrong")
    for heading in ("position", "parent", "predicted", "margin", "error"):
        rows.add_column(heading, justify="right")
    for i in positions:
        true, predicted = int(report.true[i]), int(report.predicted[i])
        colour = "green" if true == predicted else "red"
        margin = "" if true < 0 else f"{report.margin[i]:.4g}"
        error = "" if true < 0 else f"{report.margin_error[i]:.1e}"
        found = f"[{colour}]{_name(report.graph, i, predicted)}[/{colour}]"
        rows.add_row(escape(report.graph.name(i)), _name(report.graph, i, true), found, margin, error)
    return rows


def _name(graph: CausalGraph, position: int, parent: int) -> str:
    if parent < 0:
        return "query" if graph.has_query and position == graph.length - 1 else "root"
    return escape(graph.name(parent))
