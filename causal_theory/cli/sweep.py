"""``causal-theory sweep``: a study on a grid of settings, from a file, with a store that keeps every result."""

import signal
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from causal_theory.cli.output import Json, Outputs, Plot, PlotStyle, PlotWidth, figure, list_table, print_json
from causal_theory.cli.sweep_config import SweepConfig, read_sweep_config
from causal_theory.errors import InvalidArgumentError
from causal_theory.foreign import WORKER_TIMEOUT
from causal_theory.sweeps import MOST_UNITS, FailedUnit, Study, SweepInterrupted, SweepResult, find_study, sweep
from causal_theory.sweeps.cluster import cluster_executor
from causal_theory.sweeps.driver import WINDOW
from causal_theory.sweeps.figure import REPEAT, complete_choice, lay_out
from causal_theory.sweeps.studies import PROVIDED
from causal_theory.training.interrupts import Terminated
from causal_theory.validation import check_integer

EXAMPLES = (
    "causal-theory sweep --list",
    "causal-theory sweep --config sweep.toml --plot sweep.png",
    "causal-theory sweep --config sweep.toml --resume --scheduler tcp://localhost:8786",
)

RUN = "Run"
FAILED = 1
"""Exit status when a unit failed."""
INTERRUPTED = 128 + signal.SIGINT
"""Exit status after Ctrl-C, as shells have it."""
TERMINATED = 128 + signal.SIGTERM
"""After SIGTERM, which batch systems send."""
SHOWN_ERRORS = 5

Config = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file with study, store, seed and repeats, and the sections grid, settings and figure.",
    ),
]
ShowList = Annotated[bool, typer.Option("--list", help="Show the studies with their parameters, and stop.")]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="Keep results here instead of where the file says.", rich_help_panel=RUN)
]
Repeats = Annotated[
    int | None,
    typer.Option(help="Units of each combination instead of those that the file says.", rich_help_panel=RUN),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with a store that exists: what it holds is not computed again.", rich_help_panel=RUN
    ),
]
Reuse = Annotated[
    bool,
    typer.Option(
        "--reuse-other-versions",
        help="Keep results that another version of the code computed, too.",
        rich_help_panel=RUN,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Compute on the workers of this Dask scheduler, tcp://host:8786.", rich_help_panel=RUN
    ),
]
WorkerTimeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="Give up when the scheduler has been without workers for so long.", rich_help_panel=RUN
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(help="Processes on this machine (default one for each processor); 0: none.", rich_help_panel=RUN),
]
Limit = Annotated[int, typer.Option(help="Most units, against mistyped ranges.", rich_help_panel=RUN)]


def command(
    config: Config = None,
    show_list: ShowList = False,
    store: StorePath = None,
    repeats: Repeats = None,
    resume: Resume = False,
    reuse_other_versions: Reuse = False,
    scheduler: Scheduler = None,
    worker_timeout: WorkerTimeout = WORKER_TIMEOUT,
    processes: Processes = None,
    limit: Limit = MOST_UNITS,
    json: Json = False,
    plot: Plot = None,
    plot_width: PlotWidth = None,
    plot_style: PlotStyle = "screen",
) -> None:
    """Run a study on a grid of settings, and keep every result.

    Each combination of values in the grid is computed, as often as repeats says, with random numbers of its own. Every
    second the results go to the store: after Ctrl-C, a crash or a power failure --resume goes on from there, to the
    same results.

    Exit status: 0 when every unit has a result, 1 when some failed, 2 for bad usage, 130 after Ctrl-C, 143 after
    SIGTERM.
    """
    if show_list:
        _show_studies(json)
        return
    if config is None:
        raise InvalidArgumentError("config must be given, a TOML file, or --list, got neither")
    outputs = Outputs(plot=plot, plot_width=plot_width, plot_style=plot_style)
    plan = read_sweep_config(config)
    if repeats is not None:
        plan = replace(plan, repeats=check_integer("repeats", repeats, 1))
    path = plan.store if store is None else store
    if path.exists() and not resume:
        raise InvalidArgumentError(
            f"store must be a new file without --resume, got {str(path)!r}, which exists; --resume goes on with it"
        )
    if scheduler is not None and processes is not None:
        raise InvalidArgumentError(f"processes must not be given together with --scheduler, got {processes}")
    if plot is not None:
        complete_choice(plan.figure, plan.study.name, _swept(plan))
    try:
        with ExitStack() as stack:
            executor, threads = (None, 0) if scheduler is None else stack.enter_context(cluster_executor(scheduler))
            result = sweep(
                plan.study,
                plan.grid,
                store=path,
                settings=plan.settings,
                repeats=plan.repeats,
                rng=plan.seed,
                executor=executor,
                window=max(WINDOW, 2 * threads),
                worker_timeout=worker_timeout,
                processes=processes,
                limit=limit,
                reuse_other_versions=reuse_other_versions,
            )
    except (SweepInterrupted, Terminated) as interrupt:
        _errors().print(f"{interrupt}: add --resume to the command", markup=False)
        raise typer.Exit(TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED) from None
    _report(result, plan, outputs, json=json)
    if not result.ok:
        raise typer.Exit(FAILED)


def _swept(plan: SweepConfig) -> dict[str, list[Any]]:
    """Return the values of every parameter, and of the number of the repeat."""
    fixed = plan.study.complete({name: values[0] for name, values in plan.grid.items()} | plan.settings)
    return {name: plan.grid.get(name, [value]) for name, value in fixed.items()} | {REPEAT: list(range(plan.repeats))}


def _report(result: SweepResult, plan: SweepConfig, outputs: Outputs, *, json: bool) -> None:
    table = result.table()
    note = ""
    if outputs.plot is not None:
        draw, size, grid, note = lay_out(table, plan.figure)
        outputs.write_plot(figure(draw, outputs, lambda: size, grid))
    if json:
        print_json(
            {
                "study": result.study,
                "store": str(result.path),
                "units": len(result.keys),
                "computed": result.done,
                "stored_before": result.skipped,
                "failed": result.failed,
                "seconds": result.seconds,
            }
        )
        return
    console = Console()
    lines = {
        "study": f"{result.study}: {_plain(plan.study.summary)}",
        "store": str(result.path),
        "units": str(len(result.keys)),
        "computed now": f"{result.done} in {result.seconds:.1f} s",
        "stored before": str(result.skipped),
        "failed": str(result.failed),
    }
    console.print(list_table("sweep", lines))
    show_failures(table.failures, console)
    if note:
        console.print(note, highlight=False)
    outputs.say_written(console)


def show_failures(failures: tuple[FailedUnit, ...], console: Console) -> None:
    """Print the errors of failed units, equal ones once, with an example each."""
    if not failures:
        return
    kinds = Counter(_last_line(failure.error) for failure in failures)
    examples = {_last_line(failure.error): failure for failure in reversed(failures)}
    for error, count in kinds.most_common(SHOWN_ERRORS):
        one = examples[error]
        setting = ", ".join(f"{name} = {value}" for name, value in one.settings.items())
        text = f"{count} failed: {error}\n  the first with {setting}, repeat {one.repeat}"
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    if len(kinds) > SHOWN_ERRORS:
        console.print(f"and {len(kinds) - SHOWN_ERRORS} other errors", highlight=False)
    console.print("the next sweep with --resume tries them again", highlight=False)


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[-1] if lines else "no message"


def _show_studies(json: bool) -> None:
    studies = [find_study(function) for function in PROVIDED]
    if json:
        print_json({study.name.replace("_", "-"): _describe(study) for study in studies})
        return
    table = Table(title="studies", show_lines=True)
    table.add_column("study", no_wrap=True)
    table.add_column("parameters, with their defaults")
    for study in studies:
        told = ", ".join(
            f"{one.name}" + ("" if one.default is None else f" = {one.default!r}") for one in study.parameters
        )
        table.add_row(study.name.replace("_", "-"), f"{_plain(study.summary)}\n[dim]{escape(told)}[/dim]")
    Console().print(table)


def _plain(summary: str) -> str:
    """Return a line of a docstring without its markup."""
    return summary.replace("``", "")


def _describe(study: Study) -> dict[str, Any]:
    return {
        "summary": _plain(study.summary),
        "parameters": {one.name: {"kind": one.kind.__name__, "default": one.default} for one in study.parameters},
    }


def _errors() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)
