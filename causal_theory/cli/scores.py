"""``causal-theory scores``: the edge scores of a task, and the graph they show."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from causal_theory.cli import options
from causal_theory.cli.output import OUTPUT, Json, Outputs, figure, matrix_table, print_json, print_table, table_csv
from causal_theory.cli.splice import spliced
from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.files import Writer
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


LONGEST = 12
"""Characters of the name of a position in the table."""


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
    options.say_divided(task.prior)
    if limit:
        scores = limit_edge_scores(task, epsilon=epsilon, draws=draws, rng=rng)
    else:
        scores = edge_scores(task, epsilon=epsilon, method=method, draws=draws, rng=rng, max_sequences=max_sequences)
    report = EdgeReport(scores, task.graph, threshold)
    outputs.write(
        csv=_csv(scores, report),
        npz={"scores": scores.value, "error": scores.error, "true": report.true, **report.columns},
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


def _csv(scores: Estimate, report: EdgeReport) -> Writer:
    """Return a writer of the table, what is undefined left empty, followed by the scores of all keys."""
    columns = [["" if value != value else value for value in column.tolist()] for column in report.columns.values()]  # noqa: PLR0124
    headings = [*report.columns, *(f"score_{j}" for j in range(len(scores.value)))]
    rows = ([*row, *keys.tolist()] for *row, keys in zip(*columns, scores.value, strict=True))
    return table_csv(headings, rows)


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
        "true": report.true,
        **report.columns,
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
    console.print(_rows(report), highlight=False, soft_wrap=True)
    console.print(
        f"precision {report.precision:.3f}, recall {report.recall:.3f}, smallest margin {report.smallest_margin:.4g}, "
        f"graph {'recovered' if report.exact_match else 'not recovered'} ({scores.method}, "
        f"error up to {scores.largest_error:.1e})",
        highlight=False,
    )


def _rows(report: EdgeReport) -> str:
    """Return one line for each position; a table of rich takes seconds for thousands."""
    graph, style = report.graph, "{:>12}{:>13}{:>13}{:>13}{:>11}{:>9}  "
    lines = ["", style.format("position", "parent", "predicted", "best key", "margin", "error").rstrip()]
    columns = (report.true.tolist(), report.predicted.tolist(), report.best_key.tolist())
    margins = zip(report.margin.tolist(), report.margin_error.tolist(), strict=True)
    names = [_short(graph.name(i)) for i in range(graph.length)]
    for i, (true, predicted, best, (margin, error)) in enumerate(zip(*columns, margins, strict=True)):
        without = "query" if graph.has_query and i == graph.length - 1 else "root"
        parents = [without if parent < 0 else names[parent] for parent in (true, predicted)]
        told = ("", "") if true < 0 else (f"{margin:.4g}", f"{error:.1e}")
        verdict = "[green]right[/green]" if true == predicted else "[red]wrong[/red]"
        lines.append(escape(style.format(names[i], *parents, names[best], *told)) + verdict)
    return "\n".join([*lines, ""])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
