"""Compile all kernels ahead: ``causal-theory warm-up``."""

import time
from typing import Annotated

import typer

INTERRUPTED = 130

EXAMPLES = ("causal-theory warm-up", "NUMBA_CACHE_DIR=/scratch/kernels causal-theory warm-up --processes 1")


def command(
    processes: Annotated[int | None, typer.Option(min=1, help="How many at once (default one a processor).")] = None,
) -> None:
    """Compile every kernel that is not on disk yet, so that no later process has to.

    Exit status: 0 when all are on disk, 2 when they cannot be kept there, 130 after Ctrl-C; what has been compiled by
    then is kept.
    """
    from causal_theory.warming import warm_up

    started = time.monotonic()
    try:
        compiled = warm_up(processes=processes)
    except KeyboardInterrupt:
        typer.echo("interrupted; what has been compiled is kept", err=True)
        raise typer.Exit(INTERRUPTED) from None
    seconds = time.monotonic() - started
    typer.echo(f"compiled {compiled} kernels in {seconds:.0f} s" if compiled else "nothing to compile")
