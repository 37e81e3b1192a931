"""``causal-theory dynamics``: both stages of Algorithm 1 with exact gradients."""

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console

from causal_theory.cli import options
from causal_theory.cli.dynamics_report import DynamicsReport
from causal_theory.cli.output import Json, Outputs, figure, print_json
from causal_theory.cli.splice import spliced
from causal_theory.dynamics import Stage1, Stage2, train_population
from causal_theory.specs import TaskSpec
from causal_theory.validation import check_epsilon, check_positive

EXAMPLES = (
    "causal-theory dynamics --plot dynamics.png",
    'causal-theory dynamics --graph binary-tree --prior orbit --transition "[[0.2,0.8],[0.8,0.2]]" --json',
    "causal-theory dynamics --graph random-forest --symbols 3 --draws 64 --method flow --csv losses.csv",
)

FIGURE_SIZE = (12.0, 7.6)
DIVERGED = 1
"""Exit status when a stage diverged."""

Epsilon = Annotated[
    float | None, typer.Option(help="The constant inside the logarithm of the loss (default 1/T, T the tokens).")
]
Draws = Annotated[
    int,
    typer.Option(
        help="Matrices drawn once from a prior without an exact average, and from a Dirichlet prior on two symbols; "
        "every step and every baseline is an "
        "average over all of them, and takes time in proportion."
    ),
]
Smoothing = Annotated[float, typer.Option(help="Constant added to the counts of the counts and unigram rules.")]
FIRST: dict[str, Any] = {"natural_rate": 0.1, "learning_rate": None}
SECOND: dict[str, Any] = {"steps": 30, "natural_rate": 4.0, "learning_rate": None}
"""Defaults of the two stages."""


@spliced
def command(
    *,
    spec: TaskSpec,
    stage1: Annotated[dict[str, Any], Stage1, FIRST],
    stage2: Annotated[dict[str, Any], Stage2, SECOND],
    epsilon: Epsilon = None,
    smoothing: Smoothing = 1.0,
    draws: Draws = 16,
    seed: options.Seed = 0,
    outputs: Outputs,
    json: Json = False,
) -> None:
    """Train both attention matrices with exact gradients, one after the other.

    CSV holds the loss of stage 2 at every step beside the baselines, JSON and NPZ all trajectories.

    The figure shows rows of the first matrix, the losses and the second matrix. A stage that diverges exits with 1.
    """
    rng = options.generator(seed)
    task = spec.build(rng)
    options.say_divided(task.prior)
    task.require_query("dynamics")
    constant = 1.0 / task.length if epsilon is None else check_epsilon(epsilon)
    check_positive("smoothing", smoothing)
    used = replace(task, prior=task.prior.fixed(draws, rng))
    asked1, asked2 = Stage1(**_over(stage1, FIRST)), Stage2(**_over(stage2, SECOND))
    second = asked2.resolved(used)
    first = asked1.resolved(used, epsilon=constant)
    run = train_population(used, epsilon=constant, stage1=first, stage2=second, rng=rng)
    report = DynamicsReport(used, run, first, second, epsilon=constant, smoothing=smoothing)
    outputs.write(csv=report.csv(), npz=report.arrays(), plot=figure(report.draw, outputs, lambda: FIGURE_SIZE, (2, 2)))
    if json:
        settings = {
            "task": options.describe(task),
            "draws": None if used.prior is task.prior else draws,
            "seed": seed,
            "epsilon": constant,
            "smoothing": smoothing,
            "natural_rate1": asked1.natural_rate,
            "natural_rate2": asked2.natural_rate,
        }
        print_json(settings | report.content())
    else:
        console = Console()
        report.show(console)
        outputs.say_written(console)
    if report.diverged:
        raise typer.Exit(DIVERGED)


def _over(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a stage; a plain rate that was given replaces the natural one."""
    plain = {"natural_rate": None} if "learning_rate" in given else {}
    return defaults | plain | given
