"""Check claims, each with a control that must fail: ``causal-theory verify``."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from causal_theory.errors import FileFormatError, InvalidArgumentError, OutputError
from causal_theory.wording import needed

BAD_USAGE = 2

EXAMPLES = (
    "causal-theory verify --claims my_claims --profile tiny",
    "causal-theory verify --claims my_claims --only my_claim --seed 1",
)


def command(
    claims: Annotated[Path, typer.Option(help="Folder with a Python file for each claim.")],
    profile: Annotated[str, typer.Option(help="Amount of work: tiny, quick or full.")] = "quick",
    only: Annotated[list[str] | None, typer.Option(help="Run only this claim; may be repeated.")] = None,
    list_claims: Annotated[bool, typer.Option("--list", help="List the claims and stop.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the record, the report and the figures.")] = Path("results"),
    seed: Annotated[int, typer.Option(min=0, help="Each claim derives its own randomness from it.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one for each processor if not given.")
    ] = None,
) -> None:
    """Check every claim of a folder, each with a negative control that must fail.

    Exit status: 0 when every claim holds and every control fails where it must, 1 when not, 2 for bad usage, 130 after
    Ctrl-C.
    """
    again = f"causal-theory verify --claims {shlex.quote(str(claims))} --only"
    verify(claims, only or (), profile, out, seed=seed, jobs=jobs, list_only=list_claims, command=again)


def verify(
    folder: Path,
    names: Sequence[str],
    profile: str,
    out: Path,
    *,
    seed: int,
    jobs: int | None,
    list_only: bool,
    command: str,
) -> None:
    """Run claims of a folder and leave with the exit status; ``command`` starts such a run, up to a claim's name."""
    from causal_theory.claims import PROFILES, find_claims, select_claims
    from causal_theory.sweeps.executors import usable_processors

    try:
        available = find_claims(folder)
        chosen = select_claims(available, names)
        if profile not in PROFILES:
            raise InvalidArgumentError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    except InvalidArgumentError as error:
        raise _refuse(str(error)) from error
    if list_only:
        for one in available:
            typer.echo(f"{one.number:3d}  {one.name:24s}  {one.title}")
        return
    try:
        from causal_theory.claims.job import INTERRUPTED, run_job
    except ImportError as error:
        raise _refuse(f"{needed('verify', 'more packages', 'verify')}: {error}") from error
    jobs = jobs or usable_processors()
    try:
        status = run_job(chosen, profile, out, seed=seed, jobs=jobs, command=command, folder=folder)
    except (FileFormatError, OutputError) as error:
        raise _refuse(str(error)) from error
    except KeyboardInterrupt:  # before the first claim, or after the last
        typer.echo("interrupted", err=True)
        status = INTERRUPTED
    raise typer.Exit(status)


def _refuse(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(BAD_USAGE)
