"""``causal-theory assumptions``: which assumptions of the theory a prior satisfies."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from causal_theory.cli import options
from causal_theory.cli.output import Json, Outputs, figure, print_json, table_csv
from causal_theory.cli.splice import spliced
from causal_theory.priors import Prior, check_assumptions
from causal_theory.priors.verdicts import AssumptionReport
from causal_theory.specs import PriorSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES = (
    "causal-theory assumptions --symbols 10 --concentration 0.1",
    'causal-theory assumptions --prior orbit --transition "[[0.2,0.8],[0.8,0.2]]" --json',
)

FIELDS = ("name", "holds", "value", "statement", "witness")


@spliced
def command(
    *,
    spec: PriorSpec,
    draws: Annotated[int, typer.Option(help="Matrices drawn for the witness of a Dirichlet prior.")] = 1000,
    seed: options.Seed = 0,
    outputs: Outputs,
    json: Json = False,
) -> None:
    """Check the four assumptions on the prior, each with a witness. The figure shows the mean matrix."""
    rng = options.generator(seed)
    law = spec.build_prior(rng)
    options.say_divided(law)
    report = check_assumptions(law, draws=draws, rng=rng)
    rows = [[getattr(check, field) for field in FIELDS] for check in report]
    outputs.write(
        csv=table_csv(FIELDS, rows),
        npz={field: np.array([row[k] for row in rows]) for k, field in enumerate(FIELDS)} | {"mean": law.mean},
        plot=figure(lambda ax: _draw(law, ax), outputs),
    )
    if json:
        checks = [dict(zip(FIELDS, row, strict=True)) for row in rows]
        decides = None if report.parents_win is None else {name: getattr(report.parents_win, name) for name in FIELDS}
        content = {"all_hold": report.all_hold, "assumptions": checks, "parents_win": decides}
        print_json({"prior": law.to_dict(), **content})
        return
    console = Console()
    console.print(_table(law, report))
    if report.parents_win is not None:
        check = report.parents_win
        said = {True: "the parents win", False: "the parents do not win", None: "it is open who wins"}[check.holds]
        console.print(
            f"In the limit, at epsilon = 0 with stationary roots, {said}: {check.statement} decides ({check.witness}).",
            highlight=False,
            markup=False,
        )
    outputs.say_written(console)


def _draw(law: Prior, ax: "Axes") -> None:
    from causal_theory.plotting import plot_matrix

    limits = (0.0, float(law.mean.max()))
    plot_matrix(law.mean, ax=ax, title="mean transition matrix", label="probability", limits=limits)
    ax.set_xlabel("child symbol b")
    ax.set_ylabel("parent symbol a")


def _table(law: Prior, report: AssumptionReport) -> Table:
    table = Table(title=escape(f"assumptions of the theory: {law!r}"))
    for heading in ("assumption", "holds", "statement", "witness"):
        table.add_column(heading)
    for check in report:
        answer = "[green]yes[/green]" if check.holds else "[red]no[/red]"
        table.add_row(check.name, answer, escape(check.statement), escape(check.witness))
    return table
