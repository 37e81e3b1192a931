"""The command line of the main job."""

from pathlib import Path
from typing import Annotated

import typer

from causal_theory.errors import OutputError
from verification.profiles import PROFILES
from verification.registry import discover, select

__all__ = ["BAD_USAGE", "app", "main"]

BAD_USAGE = 2

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def command(
    profile: Annotated[str, typer.Option(help=f"Amount of work: {' or '.join(PROFILES)}.")] = "quick",
    claim: Annotated[list[str] | None, typer.Option(help="Run only this claim; may be repeated.")] = None,
    list_claims: Annotated[bool, typer.Option("--list", help="List the claims and stop.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the record, the report and the figures.")] = Path("results"),
    seed: Annotated[int, typer.Option(min=0, help="Each claim derives its own randomness from it.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes; they share the processors.")] = 1,
) -> None:
    """Check every claim of the theory, each with a negative control that must fail.

    Exit status: 0 when every claim holds and every control fails, 1 when not, 2 for bad usage, 130 after Ctrl-C.
    """
    available = discover()
    try:
        chosen = select(available, claim or [])
        if profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    except ValueError as error:
        raise _refuse(str(error)) from error
    if list_claims:
        for one in available:
            typer.echo(f"{one.number:3d}  {one.name:24s}  {one.title}")
        return
    try:
        from verification.job import INTERRUPTED, run_job
    except ImportError as error:
        raise _refuse(f'the main job needs pip install "causal-theory[verify]": {error}') from error
    try:
        status = run_job(chosen, PROFILES[profile], out, seed=seed, jobs=jobs, families=not claim)
    except OutputError as error:
        raise _refuse(str(error)) from error
    except KeyboardInterrupt:  # before the first claim, or after the last
        typer.echo("interrupted", err=True)
        status = INTERRUPTED
    raise typer.Exit(status)


def _refuse(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(BAD_USAGE)


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m verification")
