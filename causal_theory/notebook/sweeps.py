"""Show what a sweep did, and its results."""

from causal_theory.notebook.html import facts, table
from causal_theory.notebook.shown import parts_of
from causal_theory.sweeps import SweepResult, SweepTable
from causal_theory.sweeps.export import is_scalar
from causal_theory.wording import number


@parts_of.register
def _(result: SweepResult) -> list[str]:
    rows: dict[str, object] = {
        "store": result.path,
        "evaluated": result.done,
        "skipped, stored before": result.skipped,
        "failed": result.failed,
        "seconds": number(result.seconds, 3),
    }
    return [facts(f"Sweep of {result.study}", rows)]


@parts_of.register
def _(results: SweepTable) -> list[str]:
    shown = [name for name, column in results.columns.items() if is_scalar(column)]
    rows = zip(range(len(results)), *(results.columns[name].tolist() for name in shown), strict=True)
    return [table(f"Sweep of {results.study}: {len(results)} rows{results.notes}", ["", *shown], list(rows))]
