"""``causal-theory dynamics``: both stages of Algorithm 1 with exact gradients."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.dynamics_report import DynamicsReport
from causal_theory.cli.output import Outputs, figure, print_json
from causal_theory.dynamics import Stage1, Stage2, train_population
from causal_theory.population.scores import edge_scores
from causal_theory.priors import DirichletPrior
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.tasks import InContextTask
from causal_theory.validation import check_epsilon, check_integer, check_number, check_positive

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "causal-theory dynamics --plot dynamics.png",
    'causal-theory dynamics --graph binary-tree --prior orbit --transition "[[0.2,0.8],[0.8,0.2]]" --json',
    "causal-theory dynamics --graph random-forest --symbols 3 --draws 64 --method flow --csv losses.csv",
)

FIRST, SECOND = "Stage 1", "Stage 2"
FIGURE_SIZE = (12.0, 7.6)
DIVERGED = 1
"""Exit status when a stage diverged."""


class MethodName(StrEnum):
    """How stage 1 is run."""

    FIRST_ORDER = "first-order"
    FLOW = "flow"
    EXACT = "exact"


class PathName(StrEnum):
    """What stage 2 trains."""

    FULL = "full"
    ONE_PARAMETER = "one-parameter"


METHODS: dict[MethodName, Literal["first_order", "flow", "exact"]] = {
    MethodName.FIRST_ORDER: "first_order",
    MethodName.FLOW: "flow",
    MethodName.EXACT: "exact",
}
PATHS: dict[PathName, Literal["full", "one_parameter"]] = {
    PathName.FULL: "full",
    PathName.ONE_PARAMETER: "one_parameter",
}

Epsilon = Annotated[
    float | None, typer.Option(help="The constant inside the logarithm of the loss (default 1/T, T the tokens).")
]
Draws = Annotated[
    int,
    typer.Option(
        help="Matrices drawn once from a Dirichlet prior, also on two symbols; every step and every baseline is an "
        "average over all of them and their relabelings, and takes time in proportion."
    ),
]
Smoothing = Annotated[float, typer.Option(help="Constant added to the counts of the counts and unigram rules.")]
Beta0 = Annotated[float, typer.Option(help="Scale of the second matrix in stage 1.", rich_help_panel=FIRST)]
Steps1 = Annotated[
    int,
    typer.Option(
        help="Most steps; stage 1 ends when every child row gives its parent 1 - 1/T, at the default rate after about "
        "20 T steps.",
        rich_help_panel=FIRST,
    ),
]
LearningRate1 = Annotated[
    float,
    typer.Option(
        help="Step size in units of T / (beta0 max|G|), G the edge scores of the context: at rate r no logit moves by "
        "more than r/2 a step.",
        rich_help_panel=FIRST,
    ),
]
Method = Annotated[
    MethodName,
    typer.Option(
        help="Steps to first order in beta0, their continuous limit, or steps with the gradient at beta0 (a sum over "
        "all sequences, for small tasks).",
        rich_help_panel=FIRST,
    ),
]
Leave = Annotated[
    float,
    typer.Option(help="Distance from uniform at which a root row counts as having left it.", rich_help_panel=FIRST),
]
Steps2 = Annotated[int, typer.Option(help="Steps.", rich_help_panel=SECOND)]
LearningRate2 = Annotated[
    float,
    typer.Option(
        help="Step size in units of S, the symbols: at rate r the diagonal of A2 = b I moves by -r dL/db.",
        rich_help_panel=SECOND,
    ),
]
Path = Annotated[
    PathName, typer.Option(help="Train all of A2, or its multiple of I - 11^T/S alone.", rich_help_panel=SECOND)
]


def command(
    graph: options.Graph = None,
    graph_file: options.GraphFile = None,
    length: options.Length = None,
    root_probability: options.RootProbability = None,
    prior: options.PriorKind = options.PriorName.DIRICHLET,
    transition: options.Transition = None,
    symbols: options.Symbols = None,
    concentration: options.Concentration = None,
    floor: options.Floor = None,
    root_law: options.RootLaws = None,
    beta0: Beta0 = 0.01,
    steps1: Steps1 = 10_000,
    learning_rate1: LearningRate1 = 0.1,
    method: Method = MethodName.FIRST_ORDER,
    leave: Leave = 0.1,
    steps2: Steps2 = 30,
    learning_rate2: LearningRate2 = 4.0,
    path: Path = PathName.FULL,
    epsilon: Epsilon = None,
    smoothing: Smoothing = 1.0,
    draws: Draws = 16,
    seed: options.Seed = 0,
    json: options.Json = False,
    csv: options.Csv = None,
    npz: options.Npz = None,
    plot: options.Plot = None,
) -> None:
    """Train both attention matrices with exact gradients, one after the other.

    CSV holds the loss of stage 2 at every step beside the baselines, JSON and NPZ all trajectories.

    The figure shows rows of the first matrix, the losses and the second matrix. A stage that diverges exits with 1.
    """
    outputs = Outputs(csv, npz, plot)
    rng = options.generator(seed)
    task = options.build_task(
        options.build_graph(graph, length, root_probability, graph_file, rng),
        options.build_prior(prior, transition, symbols, concentration, floor),
        root_law,
    )
    task.require_query("dynamics")
    constant = 1.0 / task.length if epsilon is None else check_epsilon(epsilon)
    check_positive("smoothing", smoothing)
    used = replace(task, prior=DrawnPrior(task.prior, draws, rng)) if isinstance(task.prior, DirichletPrior) else task
    first = Stage1(
        steps=check_integer("steps1", steps1, 1),
        learning_rate=check_number("learning-rate1", learning_rate1),
        beta0=beta0,
        method=METHODS[method],
        leave=leave,
    )
    second = Stage2(
        steps=check_integer("steps2", steps2, 1),
        learning_rate=check_number("learning-rate2", learning_rate2) * task.vocab_size,
        path=PATHS[path],
    )
    first = replace(first, learning_rate=learning_rate1 * _unit(used, constant, beta0))
    run = train_population(used, epsilon=constant, stage1=first, stage2=second, rng=rng)
    report = DynamicsReport(used, run, first, second, epsilon=constant, smoothing=smoothing)
    outputs.write(csv=report.csv(), npz=report.arrays(), plot=figure(report.draw, outputs, lambda: FIGURE_SIZE, (2, 2)))
    if json:
        settings = {
            "task": options.describe(task),
            "draws": draws if used is not task else None,
            "seed": seed,
            "epsilon": constant,
            "smoothing": smoothing,
            "learning_rate1": learning_rate1,
            "learning_rate2": learning_rate2,
        }
        print_json(settings | report.content())
    else:
        console = Console()
        report.show(console)
        outputs.say_written(console)
    if report.diverged:
        raise typer.Exit(DIVERGED)


def _unit(task: InContextTask, epsilon: float, beta0: float) -> float:
    """Return the learning rate T / (beta0 max|G|) of stage 1 that its option is relative to.

    Only rows of the context with several keys count: the row of the query decides no edge, and can hold the largest
    score by far. Without such rows nothing sets a scale, and 1 takes its place.
    """
    scores = np.abs(edge_scores(task, epsilon=epsilon).value[1:-1, :-1])
    largest = float(scores.max(initial=0.0))
    return task.length / (beta0 * (largest if largest > 0.0 else 1.0))
