"""The command line ``causal-theory``: one file per command."""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from causal_theory._version import __version__
from causal_theory.cli import assumptions, information, sample, scores
from causal_theory.errors import CausalTheoryError

__all__ = ["app", "main"]

BAD_USAGE = 2

app = typer.Typer(
    name="causal-theory",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Exact numerics for the theory of how transformers learn causal structure.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"causal-theory {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    pass


app.command("scores", epilog=scores.EXAMPLES)(scores.command)
app.command("information", epilog=information.EXAMPLES)(information.command)
app.command("sample", epilog=sample.EXAMPLES)(sample.command)
app.command("assumptions", epilog=assumptions.EXAMPLES)(assumptions.command)


def main() -> None:
    """Run the command line; mistakes of the user end in one line on standard error and exit status 2."""
    try:
        app()
    except (CausalTheoryError, ImportError) as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"[red]error[/red]: {escape(str(error))}")
        sys.exit(BAD_USAGE)
    except MemoryError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]error[/red]: not enough memory: {escape(str(error))}")
        sys.exit(BAD_USAGE)
