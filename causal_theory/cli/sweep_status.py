"""``causal-theory sweep-status``: what a store holds, its table as a file, and figures of it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from causal_theory.cli.output import OUTPUT, Csv, Json, Outputs, Plot, PlotStyle, PlotWidth, figure, print_json
from causal_theory.cli.splice import spliced
from causal_theory.cli.sweep import show_failures
from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps import Store, SweepTable, read_store
from causal_theory.sweeps.figure import FigureChoice, lay_out

EXAMPLES = (
    "causal-theory sweep-status sweep.sqlite",
    "causal-theory sweep-status sweep.sqlite --csv sweep.csv --parquet sweep.parquet",
    "causal-theory sweep-status sweep.sqlite --plot sweep.png --value smallest_margin --x length --lines vocab_size",
)

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="What causal-theory sweep wrote, or writes now.")]
StudyName = Annotated[str | None, typer.Option(help="The study, where the store holds several.")]
Parquet = Annotated[
    Path | None,
    typer.Option(help="Write the table as Parquet, arrays included.", rich_help_panel=OUTPUT),
]


@spliced
def command(
    *,
    store: StorePath,
    study: StudyName = None,
    json: Json = False,
    csv: Csv = None,
    parquet: Parquet = None,
    plot: Plot = None,
    plot_width: PlotWidth = None,
    plot_style: PlotStyle = "screen",
    choice: FigureChoice,
) -> None:
    """Show what the store of a sweep holds, also while the sweep runs.

    CSV and Parquet have one row for each unit that has a result, CSV without arrays. Without --x the figure chooses the
    parameters with the most values.
    """
    outputs = Outputs(csv=csv, plot=plot, plot_width=plot_width, plot_style=plot_style, parquet=parquet)
    if plot is None:
        for name, given in choice.given().items():
            raise InvalidArgumentError(f"{name} must not be given without --plot, got {given}")
    with Store(store) as opened:
        status = opened.status()
    wanted = csv or parquet or plot or study or len(status) == 1
    table = read_store(store, study=study) if wanted else None
    note = ""
    if table is not None:
        note = _write(table, outputs, choice)
    if json:
        print_json({"store": str(store), "studies": [_describe(one) for one in status]})
        return
    console = Console()
    shown = Table(title=str(store))
    for heading in ("study", "done", "failed", "seconds", "version", "last (UTC)"):
        # A narrow terminal folds the versions, of which there may be many.
        plain = heading in ("study", "version", "last (UTC)")
        shown.add_column(heading, justify="left" if plain else "right", no_wrap=heading != "version")
    for one in status:
        counts = (str(one.done), str(one.failed), f"{one.seconds:.1f}")
        shown.add_row(one.study, *counts, ", ".join(one.versions), one.finished[:16].replace("T", " "))
    console.print(shown)
    if table is not None:
        show_failures(table.failures, console)
    if note:
        console.print(note, highlight=False)
    outputs.say_written(console)


def _write(table: SweepTable, outputs: Outputs, choice: FigureChoice) -> str:
    """Write the files that were asked for, the figure first: it is what can still be refused."""
    note = ""
    if outputs.plot is not None:
        draw, size, grid, note = lay_out(table, choice)
        outputs.write_plot(figure(draw, outputs, lambda: size, grid))
    if outputs.csv is not None:
        table.export_csv(outputs.csv)
    if outputs.parquet is not None:
        table.export_parquet(outputs.parquet)
    return note


def _describe(one: Any) -> dict[str, Any]:
    return {
        "study": one.study,
        "done": one.done,
        "failed": one.failed,
        "seconds": one.seconds,
        "versions": list(one.versions),
        "finished": one.finished,
    }
