"""``causal-theory train``: stochastic training on fresh sequences, and the published experiments."""

import os
import signal
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.output import Outputs, figure, print_json
from causal_theory.cli.train_config import SECTIONS, Choices, ModelName, Plan, make_plan, read_config, read_heads
from causal_theory.cli.train_report import TrainReport
from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.training import PRESETS, TrainingRun, train_with_settings
from causal_theory.training.checkpoint import check_folder
from causal_theory.training.interrupts import Terminated
from causal_theory.validation import check_integer

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "causal-theory train --length 12 --symbols 8 --concentration 0.1 --steps 400 --batch-size 512 --optimizer adamw "
    "--learning-rate 0.01 --plot train.png",
    "causal-theory train --preset paper-many-graphs --checkpoint graphs.npz --json",
    "causal-theory train --config run.toml --steps 2000 --checkpoint run.npz --resume",
)

MODEL, SETTINGS, OPTIMIZER, MEASUREMENTS, CHECKPOINT = "Model", "Training", "Optimizer", "Measurements", "Checkpoint"
DIVERGED = 1
"""Exit status when a run diverged."""
INTERRUPTED = 128 + signal.SIGINT
"""Exit status after Ctrl-C, as shells have it."""
EVERY = 1000


class OptimizerOption(StrEnum):
    """The optimizers."""

    SGD = "sgd"
    ADAMW = "adamw"


class ScheduleOption(StrEnum):
    """The schedules of the learning rate."""

    CONSTANT = "constant"
    COSINE = "cosine"


class RecipeOption(StrEnum):
    """What is trained when."""

    JOINT = "joint"
    TWO_STAGE = "two-stage"


class ResidualOption(StrEnum):
    """Where the residual connections of the standard transformer are."""

    JOINT = "joint"
    EACH = "each"


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
Model = Annotated[
    ModelName | None,
    typer.Option(
        "--model",
        help="All parameters of the full model, two matrices, or one with learned embeddings, value matrices and "
        "networks, which needs the extra torch (default disentangled).",
        rich_help_panel=MODEL,
    ),
]
Heads = Annotated[
    str | None,
    typer.Option(
        help='Heads of each layer of the disentangled or the standard transformer (default "1,1").',
        rich_help_panel=MODEL,
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        help="Standard deviation of their attention matrices at the start (default 0: they are 0).",
        rich_help_panel=MODEL,
    ),
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        help="The constant inside the logarithm of the loss of the reduced transformer (default 1/T).",
        rich_help_panel=MODEL,
    ),
]
Beta0 = Annotated[
    float | None,
    typer.Option(
        help="Scale of its second matrix at the start, A1 = 0 and A2 = beta0 I (default 0.01).", rich_help_panel=MODEL
    ),
]
ResidualKind = Annotated[
    ResidualOption | None,
    typer.Option(
        "--residual",
        help="The standard transformer: one residual connection around attention and network together, or one around "
        "each (default joint, as published).",
        rich_help_panel=MODEL,
    ),
]
Steps = Annotated[int | None, typer.Option(help="Steps.", rich_help_panel=SETTINGS)]
BatchSize = Annotated[int | None, typer.Option(help="Fresh sequences per step.", rich_help_panel=SETTINGS)]
LearningRate = Annotated[float | None, typer.Option(help="Step size at the start.", rich_help_panel=SETTINGS)]
Schedule = Annotated[
    ScheduleOption | None,
    typer.Option(help="Constant, or falling to zero like a cosine (default constant).", rich_help_panel=SETTINGS),
]
RecipeKind = Annotated[
    RecipeOption | None,
    typer.Option(
        "--recipe",
        help="All matrices together, or, for the reduced transformer, the first alone and then the second (default "
        "joint).",
        rich_help_panel=SETTINGS,
    ),
]
FirstSteps = Annotated[
    int | None, typer.Option(help="Steps of the first of two stages (default half).", rich_help_panel=SETTINGS)
]
OptimizerKind = Annotated[
    OptimizerOption | None,
    typer.Option("--optimizer", help="Plain gradient steps, or AdamW (default sgd).", rich_help_panel=OPTIMIZER),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(help="Parameters shrink by rate times this in every step (default 0).", rich_help_panel=OPTIMIZER),
]
Beta1 = Annotated[float | None, typer.Option(help="AdamW: memory of the mean (0.9).", rich_help_panel=OPTIMIZER)]
Beta2 = Annotated[float | None, typer.Option(help="AdamW: memory of the square (0.999).", rich_help_panel=OPTIMIZER)]
AdamEpsilon = Annotated[
    float | None, typer.Option(help="AdamW: added to the root of the square (1e-8).", rich_help_panel=OPTIMIZER)
]
TestSize = Annotated[int | None, typer.Option(help="Held-out sequences (default 4096).", rich_help_panel=MEASUREMENTS)]
Records = Annotated[
    int | None,
    typer.Option(help="Windows of steps over which the loss is averaged (default 256).", rich_help_panel=MEASUREMENTS),
]
Snapshots = Annotated[
    int | None,
    typer.Option(
        help="Measurements on the held-out sequences after the one at the start (default 32).",
        rich_help_panel=MEASUREMENTS,
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        help="Keep the state of the run in this file; of several graphs each has its own, with its number in the name.",
        rich_help_panel=CHECKPOINT,
    ),
]
Every = Annotated[
    int | None,
    typer.Option(help=f"Steps from one checkpoint to the next (default {EVERY}).", rich_help_panel=CHECKPOINT),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on from the checkpoint, if there is one, to the result of a run without the interruption.",
        rich_help_panel=CHECKPOINT,
    ),
]
Reuse = Annotated[
    bool,
    typer.Option(
        "--reuse-other-versions",
        help="Resume from a checkpoint that another version of the code wrote, too.",
        rich_help_panel=CHECKPOINT,
    ),
]


def command(
    ctx: typer.Context,
    preset: Preset = None,
    config: Config = None,
    graph: options.Graph = None,
    graph_file: options.GraphFile = None,
    length: options.Length = None,
    root_probability: options.RootProbability = None,
    order: options.Order = None,
    parents: options.Parents = None,
    prior: options.PriorKind = options.PriorName.DIRICHLET,
    transition: options.Transition = None,
    symbols: options.Symbols = None,
    concentration: options.Concentration = None,
    floor: options.Floor = None,
    root_law: options.RootLaws = None,
    model: Model = None,
    heads: Heads = None,
    scale: Scale = None,
    epsilon: Epsilon = None,
    beta0: Beta0 = None,
    residual: ResidualKind = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    schedule: Schedule = None,
    recipe: RecipeKind = None,
    first_steps: FirstSteps = None,
    optimizer: OptimizerKind = None,
    weight_decay: WeightDecay = None,
    beta1: Beta1 = None,
    beta2: Beta2 = None,
    adam_epsilon: AdamEpsilon = None,
    test_size: TestSize = None,
    records: Records = None,
    snapshots: Snapshots = None,
    checkpoint: Checkpoint = None,
    every: Every = None,
    resume: Resume = False,
    reuse_other_versions: Reuse = False,
    seed: options.Seed = 0,
    json: options.Json = False,
    csv: options.Csv = None,
    npz: options.Npz = None,
    plot: options.Plot = None,
) -> None:
    """Train a transformer on fresh sequences, as the published experiments do.

    Steps, batch size and learning rate must be given, unless a preset or a file does.

    CSV holds the loss of training beside the baselines, JSON and NPZ all that was measured, NPZ the parameters too.

    The figure shows the graph, the learned attention, matrices of layers, the loss and attention on the parents.

    Ctrl-C exits with 130 and SIGTERM with 143, and both tell how to resume; a run that diverges exits with 1.
    """
    choices = _given(ctx, locals())
    outputs = Outputs(csv, npz, plot)
    plan = make_plan(choices if config is None else choices.over(read_config(config)))
    paths = _checkpoints(checkpoint, len(plan.tasks))
    _check_checkpoints(paths, outputs, every, resume)
    if reuse_other_versions and not resume:
        raise InvalidArgumentError("reuse_other_versions must not be given without --resume, got it alone")
    runs: list[TrainingRun] = []
    try:
        _train(plan, runs, paths, EVERY if every is None else every, resume, reuse_other_versions)
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


def _given(ctx: typer.Context, arguments: Mapping[str, Any]) -> Choices:
    """Return the options that were given; defaults of the command line are not among them.

    The context knows which these are. Their values are those of the arguments: before typer 0.29 the context holds
    words where the arguments are members of enumerations.
    """
    given = {}
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given[name] = arguments[name]
    sections = {section: {key: given[key] for key in keys if key in given} for section, keys in SECTIONS.items()}
    if "model" in given:
        sections["model"]["kind"] = given["model"]
    if "heads" in given:
        sections["model"]["heads"] = read_heads(given["heads"])
    if "residual" in given:
        sections["model"]["residual"] = str(given["residual"])
    training = {
        name: str(value).replace("-", "_") for name, value in sections["training"].items() if isinstance(value, StrEnum)
    }
    sections["training"] |= training
    return Choices(given.get("preset"), given.get("seed"), **sections)


def _checkpoints(path: Path | None, count: int) -> list[Path | None]:
    """Return the checkpoint of each run: of several, the number of the graph is added to the name."""
    if path is None or count == 1:
        return [path] * count
    return [path.with_name(f"{path.stem}-{k:02d}{path.suffix}") for k in range(count)]


def _check_checkpoints(paths: Sequence[Path | None], outputs: Outputs, every: int | None, resume: bool) -> None:
    """Refuse what could not be kept, or would be lost, before any work."""
    if every is not None:
        check_integer("every", every, 1)
    kept = [path for path in paths if path is not None]
    if not kept:
        for option, given in (("every", every is not None), ("resume", resume)):
            if given:
                raise InvalidArgumentError(f"{option} must not be given without --checkpoint, got it alone")
    targets = {os.path.realpath(path) for path in vars(outputs).values() if path is not None}
    for path in kept:
        check_folder(path)
        if os.path.realpath(path) in targets:
            raise OutputError(f"checkpoint must be another file than the outputs, got {str(path)!r}")
        if path.exists() and not resume:
            raise InvalidArgumentError(
                f"checkpoint must be a new file without --resume, got {str(path)!r}, which exists"
            )


def _train(
    plan: Plan, runs: list[TrainingRun], paths: Sequence[Path | None], every: int, resume: bool, reuse: bool
) -> None:
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
                every=every,
                resume=resume,
                reuse_other_versions=reuse,
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
