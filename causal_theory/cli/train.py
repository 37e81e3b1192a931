"""``causal-theory train``: stochastic training on fresh sequences, and the published experiments."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from causal_theory.cli.output import Json, Outputs, figure, print_json
from causal_theory.cli.splice import spliced
from causal_theory.cli.train_config import Choices, Plan, make_plan, read_config
from causal_theory.cli.train_report import TrainReport
from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.specs import ModelSpec, TaskSpec
from causal_theory.training import PRESETS, TrainingRun, TrainingSettings, train_with_settings
from causal_theory.training.checkpoint import check_folder
from causal_theory.training.interrupts import Terminated
from causal_theory.validation import check_integer

EXAMPLES = (
    "causal-theory train --length 12 --symbols 8 --concentration 0.1 --steps 400 --batch-size 512 --optimizer adamw "
    "--learning-rate 0.01 --plot train.png",
    "causal-theory train --preset paper-many-graphs --checkpoint graphs.npz --json",
    "causal-theory train --config run.toml --steps 2000 --checkpoint run.npz --resume",
)

CHECKPOINT = "Checkpoint"
DIVERGED = 1
"""Exit status when a run diverged."""
INTERRUPTED = 128 + signal.SIGINT
"""Exit status after Ctrl-C, as shells have it."""
EVERY = 1000


Preset = Annotated[
    str | None,
    typer.Option(
        help=f"A published experiment: {', '.join(PRESETS)}. It fixes the task; options of the model and of training "
        "override it.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file with the sections task, model and training, and preset and seed before them; keys are the "
        "options with _ for -, --model is kind. Options override it.",
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of a random graph, then of all draws (default 0).")]


@dataclass(frozen=True)
class Checkpoints:
    """The files that keep the state of runs, and whether the runs go on from there."""

    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Keep the state of the run in this file; of several graphs each has its own, with its number in the "
            "name.",
            rich_help_panel=CHECKPOINT,
        ),
    ] = None
    every: Annotated[
        int | None,
        typer.Option(help=f"Steps from one checkpoint to the next (default {EVERY}).", rich_help_panel=CHECKPOINT),
    ] = None
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the checkpoint, if there is one, to the result of a run without the interruption.",
            rich_help_panel=CHECKPOINT,
        ),
    ] = False
    reuse_other_versions: Annotated[
        bool,
        typer.Option(
            "--reuse-other-versions",
            help="Resume from a checkpoint that another version of the code wrote, too.",
            rich_help_panel=CHECKPOINT,
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuse options that would have no effect."""
        if self.every is not None:
            check_integer("every", self.every, 1)
        for name in ("every", "resume"):
            if self.checkpoint is None and getattr(self, name):
                raise InvalidArgumentError(f"{name} must not be given without --checkpoint, got it alone")
        if self.reuse_other_versions and not self.resume:
            raise InvalidArgumentError("reuse_other_versions must not be given without --resume, got it alone")

    def paths(self, count: int, outputs: Outputs) -> list[Path | None]:
        """Return the checkpoint of each run: of several, the number of the graph is added to the name.

        Raises
        ------
        InvalidArgumentError, OutputError
            If one could not be kept, or a file would be lost.
        """
        path = self.checkpoint
        if path is None:
            return [None] * count
        found = [path] if count == 1 else [path.with_name(f"{path.stem}-{k:02d}{path.suffix}") for k in range(count)]
        targets = {os.path.realpath(output) for output in vars(outputs).values() if output is not None}
        for one in found:
            check_folder(one)
            if os.path.realpath(one) in targets:
                raise OutputError(f"checkpoint must be another file than the outputs, got {str(one)!r}")
            if one.exists() and not self.resume:
                raise InvalidArgumentError(
                    f"checkpoint must be a new file without --resume, got {str(one)!r}, which exists"
                )
        return list(found)


@spliced
def command(
    *,
    preset: Preset = None,
    config: Config = None,
    task: TaskSpec,
    model: ModelSpec,
    training: Annotated[dict[str, Any], TrainingSettings],
    kept: Checkpoints,
    seed: Seed = None,
    outputs: Outputs,
    json: Json = False,
) -> None:
    """Train a transformer on fresh sequences, as the published experiments do.

    Steps, batch size and learning rate must be given, unless a preset or a file does.

    CSV holds the loss of training beside the baselines, JSON and NPZ all that was measured, NPZ the parameters too.

    The figure shows the graph, the learned attention, matrices of layers, the loss and attention on the parents.

    Ctrl-C exits with 130 and SIGTERM with 143, and both tell how to resume; a run that diverges exits with 1.
    """
    plan = make_plan(Choices(preset, seed, task, model, training), Choices() if config is None else read_config(config))
    paths = kept.paths(len(plan.tasks), outputs)
    runs: list[TrainingRun] = []
    try:
        _train(plan, runs, paths, kept)
        report = TrainReport(plan, runs, paths)
    except (KeyboardInterrupt, Terminated, SystemError) as error:
        status = _interrupted_status(error)
        if status is None:
            raise
        _say_interrupted(paths, len(runs))
        raise typer.Exit(status) from None
    outputs.write(
        csv=report.csv(),
        npz=report.arrays(),
        plot=figure(report.figure.draw, outputs, lambda: report.figure.size, report.figure.grid),
    )
    if json:
        print_json(report.content())
    else:
        console = Console()
        report.show(console)
        outputs.say_written(console)
    if report.diverged:
        raise typer.Exit(DIVERGED)


def _train(plan: Plan, runs: list[TrainingRun], paths: Sequence[Path | None], kept: Checkpoints) -> None:
    """Append one run for each task."""
    console = Console(stderr=True)
    for task, path in zip(plan.tasks, paths, strict=True):
        if len(plan.tasks) > 1 and console.is_terminal:
            console.print(f"graph {len(runs)} of {len(plan.tasks)}", highlight=False)
        model = plan.model.build(task, plan.rng)
        runs.append(
            train_with_settings(
                task,
                model,
                plan.settings,
                rng=plan.rng,
                checkpoint=path,
                every=EVERY if kept.every is None else kept.every,
                resume=kept.resume,
                reuse_other_versions=kept.reuse_other_versions,
                label=f"seed {plan.seed}",
            )
        )


def _interrupted_status(error: BaseException | None) -> int | None:
    """Return the exit status when a signal is behind an error: compiled code turns it into errors of its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(error, Terminated):
            return 128 + signal.SIGTERM
        error = error.__cause__ or error.__context__
    return None


def _say_interrupted(paths: Sequence[Path | None], done: int) -> None:
    """Say on standard error what is left of an interrupted command."""
    path = paths[min(done, len(paths) - 1)]
    where = f" in graph {done} of {len(paths)}" if 1 < len(paths) != done else ""
    if path is None:
        rest = "nothing is kept; with --checkpoint PATH a run can be resumed"
    elif path.exists():
        rest = f"the checkpoint is {path}; repeat the command with --resume to go on"
    else:
        rest = f"there is no checkpoint {path} yet"
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"interrupted{where}: {rest}", markup=False)
