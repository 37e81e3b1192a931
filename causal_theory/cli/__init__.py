"""The command line ``causal-theory``: one file per command."""

import sys
import traceback
from contextlib import suppress
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from causal_theory._version import __version__
from causal_theory.cli import (
    assumptions,
    dynamics,
    falsify,
    information,
    sample,
    scores,
    sweep,
    sweep_status,
    train,
    verify,
    warm_up,
)
from causal_theory.cli.streams import guarded_output
from causal_theory.errors import CausalTheoryError

__all__ = ["app", "main"]

BAD_USAGE = 2

COMMANDS = {
    "scores": scores,
    "information": information,
    "dynamics": dynamics,
    "train": train,
    "sample": sample,
    "assumptions": assumptions,
    "falsify": falsify,
    "sweep": sweep,
    "sweep-status": sweep_status,
    "verify": verify,
    "warm-up": warm_up,
}

app = typer.Typer(
    name="causal-theory",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Exact numerics for the theory of how transformers learn causal structure.",
    epilog="causal-theory COMMAND --help lists the options of a command, with examples.",
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


for _name, _module in COMMANDS.items():
    # Blank lines keep the examples apart; backslashes keep the brackets of matrices from being taken for markup.
    app.command(_name, epilog="\n\n".join(escape(line) for line in ("Examples:", *_module.EXAMPLES)))(_module.command)


def main() -> None:
    """Run the command line; mistakes of the user and errors in their classes end in one line and exit status 2."""
    try:
        with guarded_output():
            app()
    except CausalTheoryError as error:
        _fail(str(error))
    except Exception as error:
        own = _own_method(error)
        if own is not None:
            said = "".join(traceback.format_exception_only(error))
            _fail(f"{own} raised {said.strip()}; the same call in Python shows where")
        if isinstance(error, OverflowError):
            _fail(f"a number is too large to compute with: {error}")
        if isinstance(error, MemoryError):
            _fail(f"not enough memory: {error}")
        raise


def _own_method(error: Exception) -> str | None:
    """Return the method that raised an error, if it is one of a user's class derived from one of the package."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        kind = type(frame.f_locals.get(code.co_varnames[0])) if code.co_argcount else object
        homes = [frame.f_globals.get("__name__", ""), kind.__module__]
        if not any(map(_is_ours, homes)) and any(_is_ours(base.__module__) for base in kind.__mro__):
            return f"{code.co_name} of {kind.__module__}:{kind.__qualname__}"
    return None


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == __package__.partition(".")[0]


def _fail(message: str) -> NoReturn:
    line = " ".join(message.split())
    with suppress(OSError):  # standard error may be full or closed as well
        Console(stderr=True, soft_wrap=True, highlight=False, emoji=False).print(f"[red]error[/red]: {escape(line)}")
    sys.exit(BAD_USAGE)
