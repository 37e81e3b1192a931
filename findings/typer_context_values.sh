#!/usr/bin/env bash
# Before typer 0.29, ctx.params holds words where the function of a command is called with members of an Enum.
#
# Guess of a reader: typer.Context.params, "the parsed parameters" of click, are what the function is called with, since
# click itself calls it with them; an option declared as an Enum is a member there as well, in every version.
# What happens: until typer 0.28 the context holds the plain word ('two-stage', a str), and only the argument of the
# function is converted. From 0.29 on both are the member.
# Why users care: a program that reads the context, to tell options that were given from defaults, works with the typer
# of its lock file and mistakes options for others elsewhere: `is` and isinstance fail without an error. So did
# `causal-theory train` with every typer before 0.29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >program.py <<'PYTHON'
from enum import Enum
from importlib.metadata import version

import typer


class Recipe(Enum):
    TWO_STAGE = "two-stage"


app = typer.Typer()


@app.command()
def train(ctx: typer.Context, recipe: Recipe) -> None:
    in_context, argument = type(ctx.params["recipe"]).__name__, type(recipe).__name__
    print(f"typer {version('typer')}: {in_context} in the context, {argument} as argument")


app(["two-stage"], standalone_mode=False)
PYTHON
python3 -m venv environment
for release in 0.28.0 0.29.2; do
    environment/bin/python -m pip install --quiet --disable-pip-version-check "typer==$release" 2>pip.log ||
        { cat pip.log; exit 1; }
    environment/bin/python program.py | tee -a output
done
diff output - <<'END'
typer 0.28.0: str in the context, Recipe as argument
typer 0.29.2: Recipe in the context, Recipe as argument
END
