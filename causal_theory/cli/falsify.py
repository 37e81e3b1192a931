"""``causal-theory falsify``: search for a counterexample, and certify it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from causal_theory.certificates import write_certificate
from causal_theory.cli import options
from causal_theory.cli.output import OUTPUT, Json, list_table, print_json
from causal_theory.errors import OutputError
from causal_theory.falsification import STATEMENTS, Counterexample, SearchResult, SearchSpace, find_counterexample
from causal_theory.falsification.instance import Instance, number_text
from causal_theory.falsification.result import margin_text, value_text
from causal_theory.falsification.space import SEARCHED
from causal_theory.files import check_target
from causal_theory.graphs.families import FAMILIES
from causal_theory.tasks import RootLaw

EXAMPLES = (
    "causal-theory falsify --lower-bound 0.1 --out cert.json",
    "causal-theory falsify --family chain --family star --lengths 10 20 --symbols 3 4 --constant-mean "
    "--non-degeneracy 0.5 --budget 5000",
)

FOUND = 1
"""Exit status when a counterexample was found."""

FIRST = next(iter(STATEMENTS))
SEARCH, KEEP = "Where to look", "Assumptions to keep"


def command(
    statement: Annotated[str, typer.Option(metavar="NAME", help=f"What to falsify: {', '.join(STATEMENTS)}.")] = FIRST,
    family: Annotated[
        list[str] | None,
        typer.Option(
            metavar=f"NAME|{FAMILIES.pattern}",
            help=f"Graph family, may be repeated; earlier ones count as simpler (default {', '.join(SEARCHED)}).",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    lengths: Annotated[
        tuple[int, int], typer.Option(help="Least and largest T, the query included.", rich_help_panel=SEARCH)
    ] = (3, 10),
    symbols: Annotated[
        tuple[int, int], typer.Option(help="Least and largest number of symbols S.", rich_help_panel=SEARCH)
    ] = (2, 3),
    epsilon: Annotated[
        list[str] | None,
        typer.Option(
            help="The constant inside the logarithm, like 0.01 or 1/100; may be repeated (default 1/100).",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    epsilon_times_length: Annotated[
        list[str] | None,
        typer.Option(help="A number c for epsilon = c/T; may be repeated.", rich_help_panel=SEARCH),
    ] = None,
    root_law: Annotated[RootLaw, typer.Option(help="Law of a root.", rich_help_panel=SEARCH)] = "stationary",
    lower_bound: Annotated[
        str | None, typer.Option(metavar="GAMMA", help="Keep min pi >= GAMMA/S.", rich_help_panel=KEEP)
    ] = None,
    non_degeneracy: Annotated[
        str | None, typer.Option(metavar="GAMMA", help="Keep ||B||_F >= GAMMA.", rich_help_panel=KEEP)
    ] = None,
    constant_mean: Annotated[
        bool, typer.Option("--constant-mean", help="Keep E\\[pi] = 11^T/S, a trace of 1.", rich_help_panel=KEEP)
    ] = False,
    mixing: Annotated[
        str | None, typer.Option(metavar="DECAY", help="Keep ||B||_2 <= DECAY.", rich_help_panel=KEEP)
    ] = None,
    budget: Annotated[int, typer.Option(help="Most evaluations of the margin.")] = 2000,
    seed: options.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write the certificate of the counterexample.", rich_help_panel=OUTPUT)
    ] = None,
    json: Json = False,
) -> None:
    """Search for the smallest instance on which a statement fails, and prove it in rational arithmetic.

    The law of the matrix is the orbit of one matrix under relabeling, so that symmetry holds. Exit status: 0 when none
    was found within the budget, 1 when a counterexample was found, 2 for bad usage.
    """
    _check_out(out)
    space = SearchSpace(
        families=family or SEARCHED,
        lengths=lengths,
        symbols=symbols,
        epsilons=epsilon or ([] if epsilon_times_length else ["1/100"]),
        epsilons_times_length=epsilon_times_length or [],
        root_law=root_law,
        lower_bound=lower_bound,
        non_degeneracy=non_degeneracy,
        constant_mean=constant_mean,
        mixing=mixing,
    )
    result = find_counterexample(statement, space, budget, options.generator(seed))
    if out is not None and result.counterexample is not None:
        write_certificate(result.counterexample.certificate, out)
    if json:
        print_json(_describe(result, space, seed))
    else:
        _show(result, space, out)
    if result.found:
        raise typer.Exit(FOUND)


def _check_out(out: Path | None) -> None:
    """Refuse what cannot be written before the search."""
    if out is None:
        return
    try:
        check_target("out", out)
    except OutputError as error:
        raise OutputError(f"out must be a file in a folder that exists and can be written, got {str(out)!r}") from error


def _show(result: SearchResult, space: SearchSpace, out: Path | None) -> None:
    console = Console()
    found = result.counterexample
    lines = {
        "statement": result.statement.sentence,
        "assumptions kept": ", ".join(("symmetry", *space.kept)),
        "evaluations": f"{result.evaluations} of {result.budget}, {result.rejected} outside the assumptions",
        "smallest margin seen": f"{result.smallest_margin:.6g}",
    }
    if found is None:
        console.print(list_table("no counterexample found, which proves nothing", lines))
        return
    console.print(list_table("counterexample", lines | _lines(found)))
    console.print(
        f"again: from causal_theory import CausalGraph, certify_edge_scores; {found.instance.code}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    if out is not None:
        console.print(f"wrote {out}", highlight=False, soft_wrap=True, markup=False)


def _lines(found: Counterexample) -> dict[str, str]:
    instance = found.instance
    graph = {"graph": f"{found.family}, T = {instance.graph.length}", "parents": str(instance.parents)}
    rows = {
        f"row {a} of the matrix": "  ".join(number_text(entry) for entry in row)
        for a, row in enumerate(instance.transition)
    }
    margin = {"epsilon": number_text(instance.epsilon), "certified margin": margin_text(found.margin)}
    checks = {
        check.name: f"{'holds' if check.holds else 'FAILS'}: {check.quantity} = {value_text(check.value)}, "
        f"{'kept' if check.kept else 'wanted'} {check.required}"
        for check in found.assumptions
    }
    return graph | rows | margin | {"symmetry": "holds: the prior is an orbit"} | checks


def _describe(result: SearchResult, space: SearchSpace, seed: int) -> dict[str, Any]:
    found = result.counterexample
    return {
        "statement": result.statement.name,
        "sentence": result.statement.sentence,
        "kept": ["symmetry", *space.kept],
        "seed": seed,
        "budget": result.budget,
        "evaluations": result.evaluations,
        "rejected": result.rejected,
        "smallest_margin": result.smallest_margin,
        "closest": None if result.closest is None else _instance(result.closest),
        "found": result.found,
        "counterexample": None if found is None else _counterexample(found),
    }


def _counterexample(found: Counterexample) -> dict[str, Any]:
    checks: Sequence[dict[str, Any]] = [
        {
            "name": check.name,
            "holds": check.holds,
            "kept": check.kept,
            "quantity": check.quantity,
            "required": check.required,
            "value": float(check.value),
        }
        for check in found.assumptions
    ]
    return _instance(found.instance) | {
        "family": found.family,
        "margin": str(found.margin),
        "margin_decimal": float(found.margin),
        "assumptions": checks,
        "python": found.instance.code,
    }


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "parents": instance.parents,
        "transition": [[number_text(entry) for entry in row] for row in instance.transition],
        "epsilon": number_text(instance.epsilon),
        "root_law": instance.root_law,
    }
