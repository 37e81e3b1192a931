"""The command line ``causal-theory``: one file per command."""

import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand
from typing_extensions import override

from causal_theory._version import __version__
from causal_theory.cli.citation import PAPER, SOFTWARE
from causal_theory.cli.streams import guarded_output
from causal_theory.errors import CausalTheoryError

__all__ = ["app", "main"]

BAD_USAGE = 2

COMMANDS = {
    "scores": "Edge scores: the first-order gradient of the first attention matrix, and the graph it writes.",
    "information": "Mutual information of every pair of tokens, given the transition matrix, averaged over the prior.",
    "dynamics": "Train both attention matrices with exact gradients, one after the other.",
    "train": "Train a transformer on fresh sequences, as the published experiments do.",
    "sample": "Draw sequences, each with its own transition matrix; the query comes last.",
    "assumptions": "Check the four assumptions on the prior, each with a witness. The figure shows the mean matrix.",
    "falsify": "Search for the smallest instance on which a statement fails, and prove it in rational arithmetic.",
    "sweep": "Run a study on a grid of settings, and keep every result.",
    "sweep-status": "Show what the store of a sweep holds, also while the sweep runs.",
    "verify": "Check every claim of a folder, each with a negative control that must fail.",
    "warm-up": "Compile every kernel that is not on disk yet, so that no later process has to.",
}
"""What the list of commands says of each: the first line of its help."""

MARKUP: Literal["rich"] = "rich"

app = typer.Typer(
    name="causal-theory",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Exact numerics for the theory of how transformers learn causal structure.",
    epilog="causal-theory COMMAND --help lists the options of a command, with examples.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"causal-theory {__version__}")
        raise typer.Exit


def _show_citation(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PAPER}\n\n{SOFTWARE}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
    ),
    cite: bool = typer.Option(
        False, "--cite", callback=_show_citation, is_eager=True, help="Print how to cite, in BibTeX, and stop."
    ),
) -> None:
    pass


class _Deferred(TyperCommand):
    """A command whose module, with all that it computes with, is loaded when it is called."""

    @override
    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return _load(str(self.name)).make_context(info_name, args, parent, **extra)


def _load(name: str) -> Any:
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    # Blank lines keep the examples apart; backslashes keep the brackets of matrices from being taken for markup.
    epilog = "\n\n".join(escape(line) for line in ("Examples:", *module.EXAMPLES))
    alone = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
    alone.command(name, epilog=epilog)(module.command)
    return typer.main.get_command(alone)


for _name, _summary in COMMANDS.items():
    app.command(_name, cls=_Deferred, help=_summary)(lambda: None)


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
