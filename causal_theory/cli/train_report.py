"""Report the runs of ``causal-theory train``: tables, CSV, arrays and JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from causal_theory.cli import options
from causal_theory.cli.output import list_table, table_csv
from causal_theory.cli.train_config import Plan
from causal_theory.cli.train_figure import TrainFigure
from causal_theory.files import Writer
from causal_theory.graphs import CausalGraph
from causal_theory.training import TrainingRun
from causal_theory.training.baselines import short_baseline_name
from causal_theory.training.outcome import LOW, TrainingOutcome, compare_with_scores, pool, summarise

Array = NDArray[np.float64]

MEASUREMENTS = ("test_size", "records", "snapshots")
"""Settings that do not change what is learned, and that nothing was published about."""


class TrainReport:
    """One or several runs.

    Parameters
    ----------
    plan : Plan
        What was asked for.
    runs : sequence of TrainingRun
        One for each of its tasks.
    checkpoints : sequence of Path or None
        Where each was kept.
    """

    def __init__(self, plan: Plan, runs: Sequence[TrainingRun], checkpoints: Sequence[Path | None]) -> None:
        self.plan = plan
        self.checkpoints = checkpoints
        self.outcomes = [compare_with_scores(task, run, plan.rng) for task, run in zip(plan.tasks, runs, strict=True)]
        self.summary = summarise(self.outcomes)
        model = runs[0].model
        self.offset = model.loss_offset
        self.model = model.describe() | {"start": plan.model.start, "parameters": len(model.parameters)}

    @property
    def diverged(self) -> bool:
        """Whether one of the runs did."""
        return any(outcome.run.status == "diverged" for outcome in self.outcomes)

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Settings that differ from a preset and have an effect on training: values here and there."""
        if self.plan.preset is None:
            return {}
        own, published = (
            {"model" if name == "kind" else name: value for name, value in (model | settings).items()}
            for model, settings in (
                (self.plan.model.to_dict(), self.plan.settings.to_dict()),
                (self.plan.preset.model.complete().to_dict(), self.plan.preset.settings.to_dict()),
            )
        )
        names = [name for name in published if name in own and name not in MEASUREMENTS]
        return {name: (own[name], published[name]) for name in names if own[name] != published[name]}

    @property
    def _published(self) -> dict[str, float]:
        """Numbers that were published about a preset."""
        return {} if self.plan.preset is None else dict(self.plan.preset.published)

    @property
    def _baselines(self) -> list[str]:
        """Names of the baselines, which are the same for all graphs."""
        return list(self.outcomes[0].run.baselines)

    @property
    def _slots(self) -> int:
        """Most parents of a position."""
        return max(len(outcome.attention) for outcome in self.outcomes)

    def content(self) -> dict[str, Any]:
        """Return what JSON says."""
        plan = self.plan
        return {
            "preset": None if plan.preset is None else plan.preset.name,
            "seed": plan.seed,
            "model": self.model,
            "settings": asdict(plan.settings),
            "changed_settings": {name: list(values) for name, values in self.changed.items()},
            "summary": self.summary,
            "published": self._published or None,
            "runs": list(map(self._describe, self.outcomes, self.checkpoints)),
        }

    def _describe(self, outcome: TrainingOutcome, checkpoint: Path | None) -> dict[str, Any]:
        run, (correlation, p_value) = outcome.run, outcome.correlation
        unknown = np.full(outcome.task.length, np.nan)
        return {
            "task": options.describe(outcome.task),
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "versions": run.versions,
            "status": run.status,
            "diverged_at": run.diverged_at if run.diverged_at >= 0 else None,
            "last_step": last_step(run),
            "test_loss": run.test_loss,
            "test_loss_normalised": float(run.test_loss) + self.offset,
            "excess": run.excess,
            "excess_normalised": run.excess + self.offset,
            "baselines": run.baselines,
            "steps": run.steps,
            "losses": run.losses,
            "snapshot_steps": run.snapshot_steps,
            "test_losses": run.test_losses,
            "test_errors": run.test_errors,
            "attention_on_parents": run.attention_on_parents,
            "attention_on_slots": run.attention_on_slots,
            "matched_heads": run.matched_heads,
            "margin": outcome.margin,
            "margin_error": unknown if outcome.scores is None else outcome.scores.margin_error,
            "rank_correlation": correlation,
            "p_value": p_value,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what NPZ holds; the first axis is that of the runs, NaN or -1 stand for what a run did not reach."""
        runs = [outcome.run for outcome in self.outcomes]
        found: dict[str, NDArray[Any]] = {
            "parents": np.array([options.parent_table(run.graph) for run in runs]),
            "diverged_at": np.array([run.diverged_at for run in runs]),
            "margin": np.array([outcome.margin for outcome in self.outcomes]),
            "parameters": np.array([run.model.parameters for run in runs]),
        }
        for name in ("steps", "losses", "snapshot_steps", "test_losses", "test_errors", "attention"):
            found[name] = _stack([getattr(run, name) for run in runs])
        for name in self._baselines:
            found[f"loss_{name}"] = np.array([run.baselines[name] for run in runs])
        matrices = [run.model.matrices() for run in runs]
        return found | {name: np.array([own[name] for own in matrices]) for name in matrices[0]}

    def csv(self) -> Writer:
        """Return a writer of the losses, one window of steps a line."""
        rows = [
            [number, step, loss, *outcome.run.baselines.values()]
            for number, outcome in enumerate(self.outcomes)
            for step, loss in zip(outcome.run.steps.tolist(), outcome.run.losses.tolist(), strict=True)
        ]
        return table_csv(["graph", "step", "loss", *self._baselines], rows)

    @property
    def _shown(self) -> int:
        """The run whose matrices are drawn: of several the one in the middle of the order by mean attention."""
        means = [outcome.weights.mean() if len(outcome.weights) else -1.0 for outcome in self.outcomes]
        return int(np.argsort(means, kind="stable")[len(means) // 2])

    @property
    def figure(self) -> TrainFigure:
        """The figure of the runs; with margins where positions have one parent at most."""
        margins = pool(self.outcomes) if self._slots == 1 else None
        return TrainFigure([outcome.run for outcome in self.outcomes], self._shown, margins)

    def show(self, console: Console) -> None:
        """Print tables, and what went wrong."""
        options.say_order(console, self.outcomes[0].task.graph)
        if len(self.outcomes) > 1:
            console.print(self._graphs())
            console.print(self._comparison())
        else:
            console.print(self._single())
            console.print(self._losses())
        if self.offset:
            console.print(
                f"normalised: predictions sum to {math.exp(self.offset):.4g}; divided by it, the loss is "
                f"{self.offset:.4g} higher",
                highlight=False,
            )
        if self.changed:
            told = ", ".join(f"{name} {own} instead of {other}" for name, (own, other) in self.changed.items())
            console.print(f"not as published: {told}", highlight=False, markup=False)
        for number, outcome in enumerate(self.outcomes):
            if len(outcome.run.versions) > 1:
                which = f"graph {number} was" if len(self.outcomes) > 1 else ""
                told = f"{which} computed by several versions, one after the other: {'; '.join(outcome.run.versions)}"
                console.print(told.strip(), highlight=False, markup=False)
            if outcome.run.diverged_at >= 0:
                which = f"graph {number}" if len(self.outcomes) > 1 else "training"
                console.print(
                    f"[red]{which} diverged at step {outcome.run.diverged_at}[/red]: shown is what came before; a "
                    "smaller --learning-rate may help",
                    highlight=False,
                )

    def _title(self) -> str:
        settings = self.plan.settings
        model = self.outcomes[0].run.model.describe()
        options = {name: value for name, value in model.items() if name not in ("kind", "length", "vocab_size")}
        words = [f"{name} {str(value).strip('[]').replace(', ', ',')}" for name, value in options.items()]
        told = ", ".join([model["kind"], *words])
        return f"training ({told}; {settings.optimizer}, learning rate {settings.learning_rate:g}, {settings.schedule})"

    def _single(self) -> Table:
        (outcome,) = self.outcomes
        summary = self.summary
        lowest = (
            f"{outcome.weights.min():.4f} ({_place(outcome.attention, outcome.run.graph)})" if summary["edges"] else ""
        )
        rows = {
            "status": _status(outcome.run),
            "mean attention on the parents": _number(summary["mean_attention"], "no child rows"),
            **(_by_parent(outcome.run) if self._slots > 1 else {}),
            "lowest attention on a parent": lowest,
            f"edges below {LOW:g}": f"{summary['below']} of {summary['edges']}",
        }
        if self._slots == 1:
            correlation, p_value = outcome.correlation
            rows["smallest margin of the edge scores"] = _number(
                outcome.scores.smallest_margin if outcome.scores and summary["edges"] else None, "none"
            )
            rows["rank correlation of margin and attention"] = (
                "undefined" if correlation is None else f"{correlation:.3f} (p = {p_value:.2g})"
            )
        return list_table(self._title(), rows)

    def _losses(self) -> Table:
        (outcome,) = self.outcomes
        run = outcome.run
        table = Table(title="losses on the held-out sequences (nats)")
        table.add_column("")
        for heading in ("loss", "error", "excess over the floor"):
            table.add_column(heading, justify="right")
        error = f"{float(run.test_loss.error):.1e}"
        table.add_row("trained model", f"{float(run.test_loss):.4f}", error, f"{run.excess:.4f}")
        if self.offset:
            normalised = float(run.test_loss) + self.offset
            table.add_row("the same, normalised", f"{normalised:.4f}", error, f"{run.excess + self.offset:.4f}")
        for name, loss in run.baselines.items():
            excess = "" if name == "floor" else f"{loss - run.baselines['floor']:.4f}"
            table.add_row(short_baseline_name(name), f"{loss:.4f}", "", excess)
        return table

    def _graphs(self) -> Table:
        table = Table(title=self._title())
        for heading in ("graph", "edges", "loss", "excess", "mean", "lowest", f"< {LOW:g}", "rank corr.", "status"):
            table.add_column(heading, justify="left" if heading == "status" else "right")
        for number, outcome in enumerate(self.outcomes):
            weights = outcome.weights
            found = [f"{weights.mean():.3f}", f"{weights.min():.3f}"] if len(weights) else ["", ""]
            table.add_row(
                str(number),
                str(len(weights)),
                f"{float(outcome.run.test_loss) + self.offset:.4f}",
                f"{outcome.run.excess + self.offset:.4f}",
                *found,
                str(int((weights < LOW).sum())),
                "" if outcome.correlation[0] is None else f"{outcome.correlation[0]:.2f}",
                "ok" if outcome.run.status == "finished" else "[red]diverged[/red]",
            )
        return table

    def _comparison(self) -> Table:
        summary = self.summary
        table = Table(title="attention on the parents")
        table.add_column("")
        table.add_column("here", justify="right")
        table.add_column("published", justify="right")
        for label, name, digits in (
            ("mean over all edges", "mean_attention", 4),
            ("mean over graphs", "mean_over_graphs", 4),
            ("standard deviation over graphs", "standard_deviation", 4),
            ("standard error of the mean over graphs", "standard_error", 4),
            ("edges", "edges", 0),
            (f"edges below {LOW:g}", "below", 0),
            ("rank correlation with the margins, mean over graphs", "mean_rank_correlation", 3),
            ("rank correlation with the margins, all edges", "pooled_rank_correlation", 3),
        ):
            cells = ["" if x is None else f"{x:.{digits}f}" for x in (summary[name], self._published.get(name))]
            table.add_row(label, *cells)
        return table


def last_step(run: TrainingRun) -> int:
    """Return the number of steps done."""
    return int(run.steps[-1]) if len(run.steps) else 0


def _place(attention: Array, graph: CausalGraph) -> str:
    """Return in words where attention (k, T) on a parent is lowest."""
    slot, position = np.unravel_index(np.nanargmin(attention), attention.shape)
    return f"position {graph.name(int(position))}" + (f", parent {slot + 1}" if len(attention) > 1 else "")


def _by_parent(run: TrainingRun) -> dict[str, str]:
    """Return mean attention on each of several parents, and which head gives it."""
    means = [f"{np.nanmean(weights):.4f}" for weights in run.matched_attention]
    return {f"parent {k + 1} ({who})": mean for k, (who, mean) in enumerate(zip(run.matched_names, means, strict=True))}


def _stack(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Stack arrays whose first axes may differ; what is missing is NaN, or -1 among integers."""
    longest = max(len(part) for part in parts)
    fill = -1 if np.issubdtype(parts[0].dtype, np.integer) else np.nan
    whole = np.full((len(parts), longest, *parts[0].shape[1:]), fill, dtype=parts[0].dtype)
    for row, part in zip(whole, parts, strict=True):
        row[: len(part)] = part
    return whole


def _status(run: TrainingRun) -> str:
    colour = "red" if run.status == "diverged" else "green"
    return f"[{colour}]{run.status}[/{colour}] after {last_step(run)} steps"


def _number(value: float | None, missing: str) -> str:
    return missing if value is None else f"{value:.4f}"
