"""The command ``python -m verification``: check the claims of this repository."""

from pathlib import Path
from typing import Annotated

import typer

from causal_theory.cli.verify import verify

CLAIMS = Path(__file__).with_name("claims")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def command(
    profile: Annotated[str, typer.Option(help="Amount of work: tiny, quick or full.")] = "quick",
    claim: Annotated[list[str] | None, typer.Option(help="Run only this claim; may be repeated.")] = None,
    list_claims: Annotated[bool, typer.Option("--list", help="List the claims and stop.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the record, the report and the figures.")] = Path("results"),
    seed: Annotated[int, typer.Option(min=0, help="Each claim derives its own randomness from it.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one for each processor if not given.")
    ] = None,
) -> None:
    """Check every claim of the theory, each with a negative control that must fail.

    Exit status: 0 when every claim holds and every control fails where it must, 1 when not, 2 for bad usage, 130 after
    Ctrl-C.
    """
    again = "python -m verification --claim"
    verify(CLAIMS, claim or (), profile, out, seed=seed, jobs=jobs, list_only=list_claims, command=again)
