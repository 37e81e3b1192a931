"""``causal-theory assumptions``: which assumptions of the theory a prior satisfies."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from causal_theory.cli import options
from causal_theory.cli.output import print_json
from causal_theory.priors import check_assumptions

__all__ = ["EXAMPLES", "command"]

EXAMPLES = 'Example: causal-theory assumptions --prior orbit --transition "[[0.2,0.8],[0.8,0.2]]"'


def command(
    prior: options.PriorKind = options.PriorName.DIRICHLET,
    transition: options.Transition = None,
    symbols: options.Symbols = 10,
    concentration: options.Concentration = 1.0,
    floor: options.Floor = 0.0,
    draws: Annotated[int, typer.Option(help="Matrices drawn for the witness of a Dirichlet prior.")] = 1000,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Check the four assumptions on the prior, each with a witness."""
    law = options.build_prior(prior, transition, symbols, concentration, floor)
    report = check_assumptions(law, draws=draws, rng=seed)
    if json:
        print_json(
            {
                "all_hold": report.all_hold,
                "assumptions": [
                    {
                        "name": check.name,
                        "statement": check.statement,
                        "holds": check.holds,
                        "value": check.value,
                        "witness": check.witness,
                    }
                    for check in report
                ],
            }
        )
        return
    table = Table(title=escape(f"assumptions of the theory: {law!r}"))
    for heading in ("assumption", "holds", "statement", "witness"):
        table.add_column(heading)
    for check in report:
        answer = "[green]yes[/green]" if check.holds else "[red]no[/red]"
        table.add_row(check.name, answer, escape(check.statement), escape(check.witness))
    Console().print(table)
