"""Show the stages of training with exact gradients, learning curves and generalisation."""

import numpy as np

from causal_theory.dynamics import (
    FlowTimes,
    Generalisation,
    LearningCurve,
    PopulationRun,
    Stage1,
    Stage1Run,
    Stage2,
    Stage2Run,
)
from causal_theory.notebook.arrays import array_block
from causal_theory.notebook.html import Cell, facts, figure, paragraph, settings_table, table
from causal_theory.notebook.shown import markup, parts_of
from causal_theory.notebook.svg import sparkline
from causal_theory.population.prediction_error import PredictionError
from causal_theory.wording import count, number, same_decimals


@parts_of.register
def _(settings: Stage1) -> list[str]:
    return [settings_table("Settings of stage 1", settings)]


@parts_of.register
def _(settings: Stage2) -> list[str]:
    return [settings_table("Settings of stage 2", settings)]


@parts_of.register
def _(run: Stage1Run) -> list[str]:
    whole = facts(f"Stage 1: {run.ending}", run.facts())
    children = np.isfinite(run.attention_on_parents).any(axis=0)
    progress = run.attention_on_parents[:, children].mean(axis=1) if children.any() else np.zeros(0)
    drawn = sparkline(progress, "Attention on the parents, mean over positions, against recorded steps")
    if not drawn:
        return [whole]
    words = f"Mean attention on the parents from {number(progress[0])} to {number(progress[-1])}"
    return [whole, figure(drawn, f"{words}, over {count(int(run.steps[-1]), 'step')}.")]


@parts_of.register
def _(run: Stage2Run) -> list[str]:
    parts = [facts(f"Stage 2: {run.ending}", run.facts())]
    drawn = sparkline(run.losses, "Loss against steps")
    if drawn:
        words = f"Loss from {number(run.losses[0])} to {number(run.losses[-1])} nats"
        parts.append(figure(drawn, f"{words}, over {count(len(run.losses) - 1, 'step')}."))
    return [*parts, array_block("Second attention matrix A2: key symbols in rows, query symbols in columns", run.A2)]


@parts_of.register
def _(run: PopulationRun) -> list[str]:
    return [markup(run.stage1), markup(run.stage2)]


@parts_of.register
def _(times: FlowTimes) -> list[str]:
    return [facts("Times of the flow of stage 1, in units of learning_rate beta0 / T", times.facts())]


@parts_of.register
def _(curve: LearningCurve) -> list[str]:
    columns = [
        same_decimals(column.tolist())
        for column in (
            curve.epsilons,
            curve.losses,
            curve.floors,
            curve.excess,
            curve.normalised_excess,
            curve.multiples,
        )
    ]
    header = ["T", "epsilon", "best loss", "floor", "excess", "normalised excess", "A2 = b I at b ="]
    for i in np.flatnonzero(curve.at_end):
        columns[-1][i] += " (end of the range)"
    rows = [
        [length, *(Cell(column[i], right=True) for column in columns)]
        for i, length in enumerate(curve.lengths.tolist())
    ]
    exponent = f"Exponent of the normalised excess against T: {curve.exponent_text.replace('+-', '±')}"
    return [table("Learning curve, losses in nats", header, rows), paragraph(exponent)]


@parts_of.register
def _(found: Generalisation) -> list[str]:
    rows: dict[str, object] = {
        "loss, attending to the parents": found.loss.text(),
        "entropy floor": found.floor.text(),
        "excess": found.excess.text(),
        "loss of the matrices as they are": found.actual_loss.text(),
    }
    return [facts("Generalisation, losses in nats", rows), markup(found.error)]


@parts_of.register
def _(error: PredictionError) -> list[str]:
    def between(interval: tuple[float, float]) -> str:
        return f"{error.confidence:g} confidence: {number(interval[0])} to {number(interval[1])}"

    rows: dict[str, object] = {
        "mean": f"{number(float(error.mean))} ({between(error.mean_interval)})",
        f"{error.level:g} quantile": f"{number(error.quantile)} ({between(error.quantile_interval)})",
        "largest": number(error.largest),
        "beyond the largest": f"at most {number(error.unseen, 2)} of sequences ({error.confidence:g} confidence)",
    }
    return [facts(f"Error of prediction, largest over symbols, {error.samples} sequences", rows)]
