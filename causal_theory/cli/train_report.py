"""What ``causal-theory train`` says about its runs: tables, CSV, arrays, JSON and the figure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from causal_theory.cli import options
from causal_theory.cli.output import Writer, list_table, table_csv
from causal_theory.cli.train_config import Plan
from causal_theory.models import DisentangledTransformer, ReducedTransformer, StandardTransformer, TrainableModel
from causal_theory.population.scores import edge_scores
from causal_theory.recovery import EdgeReport
from causal_theory.tasks import InContextTask
from causal_theory.training import TrainingRun
from causal_theory.training.baselines import short_baseline_name
from causal_theory.training.run import best_attention

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TrainReport", "rank_correlation"]

Array = NDArray[np.float64]

LOW = 0.25
"""Attention below which an edge counts as not learned, as published."""

MEASUREMENTS = ("test_size", "records", "snapshots")
"""Settings that do not change what is learned, and that nothing was published about."""

LEAST_ROWS = 3
"""Rows from which a rank correlation says anything."""

PANEL = (4.5, 3.8)
"""Inches of one panel."""


def rank_correlation(x: Array, y: Array) -> tuple[float | None, float | None]:
    """Return Spearman's rank correlation and its p-value over entries where both are finite, None where undefined."""
    seen = np.isfinite(x) & np.isfinite(y)
    x, y = x[seen], y[seen]
    if len(x) < LEAST_ROWS or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None, None
    from scipy.stats import spearmanr  # takes long to load

    found = spearmanr(x, y)
    return float(found.statistic), float(found.pvalue)


def matrices(model: TrainableModel) -> dict[str, Array]:
    """Return the matrices of a model by name."""
    if isinstance(model, ReducedTransformer):
        return {"A1": model.A1, "A2": model.A2}
    if isinstance(model, StandardTransformer):
        parts = {
            f"layer{k + 1}_{name}": part
            for k, layer in enumerate(model.layers)
            for name, part in layer._asdict().items()
        }
        embeddings = {"token_embedding": model.token_embedding, "position_embedding": model.position_embedding}
        return embeddings | parts | {"output": model.output}
    assert isinstance(model, DisentangledTransformer)
    layers = {f"layer{k + 1}": heads for k, heads in enumerate(model.layers)}
    return layers | {"output": model.output}


@dataclass(frozen=True, eq=False)
class Outcome:
    """One run with the edge scores of its task; ``scores`` is None for a task that has none.

    It has them when it is a forest with an independent query.
    """

    task: InContextTask
    run: TrainingRun
    checkpoint: Path | None
    scores: EdgeReport | None

    @property
    def attention(self) -> Array:
        """Attention on each parent (k, T), NaN where a position has fewer."""
        return best_attention(self.run)

    @property
    def weights(self) -> Array:
        """The same, one number for each edge."""
        attention = self.attention
        return attention[~np.isnan(attention)]

    @property
    def margin(self) -> Array:
        """Margin of the edge scores (T,), NaN where unknown."""
        return np.full(self.task.length, np.nan) if self.scores is None else self.scores.margin

    @property
    def correlation(self) -> tuple[float | None, float | None]:
        """Rank correlation of margin and attention with its p-value."""
        return rank_correlation(*self.pairs)

    @property
    def pairs(self) -> tuple[Array, Array]:
        """Margin and attention, flat, one number for each position and parent."""
        attention = self.attention
        return np.broadcast_to(self.margin, attention.shape).ravel(), attention.ravel()


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
        self.outcomes = []
        for task, run, path in zip(plan.tasks, runs, checkpoints, strict=True):
            scores = None
            if task.is_single_parent and task.graph.has_query:
                scores = EdgeReport(edge_scores(task, epsilon=1.0 / task.length, rng=plan.rng), task.graph)
            self.outcomes.append(Outcome(task, run, path, scores))
        model = runs[0].model
        self.reduced = isinstance(model, ReducedTransformer)
        self.shift = math.log1p(model.vocab_size * model.epsilon) if isinstance(model, ReducedTransformer) else 0.0
        self.model = model.describe() | {"start": plan.model.start, "parameters": len(model.parameters)}

    @property
    def diverged(self) -> bool:
        """Whether one of the runs did."""
        return any(outcome.run.status == "diverged" for outcome in self.outcomes)

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """What differs from a preset and has an effect on training: values here and there."""
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

    def summary(self) -> dict[str, Any]:
        """Return attention on the parents over all runs; the spread is that of the means of the graphs."""
        weights = [outcome.weights for outcome in self.outcomes if len(outcome.weights)]
        whole = np.concatenate(weights) if weights else np.zeros(0)
        means = np.array([part.mean() for part in weights])
        spread = float(means.std(ddof=1)) if len(means) > 1 else None
        correlations = [value for value, _ in (outcome.correlation for outcome in self.outcomes) if value is not None]
        pooled, _ = rank_correlation(*self._pooled())
        return {
            "graphs": len(self.outcomes),
            "edges": len(whole),
            "mean_attention": float(whole.mean()) if len(whole) else None,
            "mean_over_graphs": float(means.mean()) if len(means) else None,
            "standard_deviation": spread,
            "standard_error": None if spread is None else spread / math.sqrt(len(means)),
            "below": int((whole < LOW).sum()),
            "below_what": LOW,
            "mean_rank_correlation": float(np.mean(correlations)) if correlations else None,
            "pooled_rank_correlation": pooled,
        }

    def _pooled(self) -> tuple[Array, Array]:
        """Return margins and attention of all rows of all graphs."""
        margins, attention = zip(*(outcome.pairs for outcome in self.outcomes), strict=True)
        return np.concatenate(margins), np.concatenate(attention)

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
            "summary": self.summary(),
            "published": self._published or None,
            "runs": [self._describe(outcome) for outcome in self.outcomes],
        }

    def _describe(self, outcome: Outcome) -> dict[str, Any]:
        run, (correlation, p_value) = outcome.run, outcome.correlation
        unknown = np.full(outcome.task.length, np.nan)
        return {
            "task": options.describe(outcome.task),
            "checkpoint": None if outcome.checkpoint is None else str(outcome.checkpoint),
            "versions": run.versions,
            "status": run.status,
            "diverged_at": run.diverged_at if run.diverged_at >= 0 else None,
            "last_step": last_step(run),
            "test_loss": run.test_loss,
            "test_loss_normalised": float(run.test_loss) + self.shift,
            "excess": run.excess,
            "excess_normalised": run.excess + self.shift,
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
        for name in matrices(runs[0].model):
            found[name] = np.array([matrices(run.model)[name] for run in runs])
        return found

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

    def _matrix_panels(self) -> list[Callable[["Axes"], None]]:
        """Return what draws the graph, the attention of each head and the matrices of each layer."""
        from causal_theory.plotting import plot_attention, plot_layer, plot_matrix, plot_second_matrix

        run = self.outcomes[self._shown].run
        several = f", graph {self._shown}" if len(self.outcomes) > 1 else ""
        heads = len(run.attention[-1])

        def titled(ax: "Axes", draw: Callable[..., object], title: str) -> None:
            draw(ax=ax)
            ax.set_title(title + several)

        def head(number: int, of: int) -> str:
            return f", head {number + 1}" if of > 1 else ""

        adjacency = partial(plot_matrix, run.graph.adjacency, label="edge (0 or 1)", inset=True)
        panels: list[Callable[[Axes], None]] = [partial(titled, draw=adjacency, title="true graph")]
        for h in range(heads):
            attention = partial(plot_attention, run.attention[-1, h], graph=run.graph)
            panels.append(partial(titled, draw=attention, title=f"attention of layer 1{head(h, heads)}"))
        if isinstance(run.model, DisentangledTransformer):
            for k, layer in enumerate(run.model.layers):
                for h, matrix in enumerate(layer):
                    draw = partial(plot_layer, matrix, run.model.length, run.model.vocab_size)
                    panels.append(partial(titled, draw=draw, title=f"matrix of layer {k + 1}{head(h, len(layer))}"))
        elif isinstance(run.model, ReducedTransformer):
            second = partial(plot_second_matrix, run.model.A2)
            panels.append(partial(titled, draw=second, title="second attention matrix"))
        return panels

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the figure: matrices first, then three panels of curves in a row of their own."""
        heads = len(self.outcomes[0].run.attention[-1])
        model = self.outcomes[0].run.model
        count = 1 + heads + (1 if isinstance(model, ReducedTransformer) else 0)
        if isinstance(model, DisentangledTransformer):
            count += sum(model.heads)
        columns = min((4, 3), key=lambda wide: -count % wide + -3 % wide)
        return -(-count // columns) + 1, columns

    @property
    def figure_size(self) -> tuple[float, float]:
        """Inches."""
        rows, columns = self.grid
        return PANEL[0] * columns, PANEL[1] * rows

    def draw(self, *axes: "Axes") -> None:
        """Draw everything on the axes of the grid."""
        from causal_theory.plotting import plot_margins, plot_parent_attention, plot_training

        rows, columns = self.grid
        panels = self._matrix_panels()
        for panel, ax in zip(panels, axes, strict=False):
            panel(ax)
        last = (rows - 1) * columns
        runs = [outcome.run for outcome in self.outcomes]
        plot_training(runs[self._shown], ax=axes[last])
        if len(runs) > 1:
            axes[last].set_title(f"loss, graph {self._shown}")
        plot_parent_attention(runs, ax=axes[last + 1])
        used = last + 2
        if self._slots == 1:
            plot_margins(*self._pooled(), ax=axes[used])
            used += 1
        for ax in (*axes[len(panels) : last], *axes[used:]):
            ax.set_axis_off()

    def show(self, console: Console) -> None:
        """Print tables, and what went wrong."""
        if len(self.outcomes) > 1:
            console.print(self._graphs())
            console.print(self._comparison())
        else:
            console.print(self._single())
            console.print(self._losses())
        if self.reduced:
            console.print(
                f"normalised: f + eps sums to 1 + S eps; divided by it, the loss is {self.shift:.4g} higher",
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
        settings, model = self.plan.settings, self.plan.model
        kind = str(model.kind)
        if model.heads is not None:
            kind += f", heads {','.join(map(str, model.heads))}"
        if model.residual is not None:
            kind += f", residual {model.residual}"
        return f"training ({kind}; {settings.optimizer}, learning rate {settings.learning_rate:g}, {settings.schedule})"

    def _single(self) -> Table:
        (outcome,) = self.outcomes
        summary = self.summary()
        lowest = f"{outcome.weights.min():.4f} ({_place(outcome.attention)})" if summary["edges"] else ""
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
        if self.reduced:
            normalised = float(run.test_loss) + self.shift
            table.add_row("the same, normalised", f"{normalised:.4f}", error, f"{run.excess + self.shift:.4f}")
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
                f"{float(outcome.run.test_loss) + self.shift:.4f}",
                f"{outcome.run.excess + self.shift:.4f}",
                *found,
                str(int((weights < LOW).sum())),
                "" if outcome.correlation[0] is None else f"{outcome.correlation[0]:.2f}",
                "ok" if outcome.run.status == "finished" else "[red]diverged[/red]",
            )
        return table

    def _comparison(self) -> Table:
        summary = self.summary()
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


def _place(attention: Array) -> str:
    """Return in words where attention (k, T) on a parent is lowest."""
    slot, position = np.unravel_index(np.nanargmin(attention), attention.shape)
    return f"position {position}" + (f", parent {slot + 1}" if len(attention) > 1 else "")


def _by_parent(run: TrainingRun) -> dict[str, str]:
    """Return mean attention on each of several parents, and which head gives it."""
    found = {}
    for slot, (head, weights) in enumerate(zip(run.matched_heads, run.matched_attention, strict=True)):
        who = f"head {head + 1}" if head >= 0 else "no head left"
        found[f"parent {slot + 1} ({who})"] = f"{np.nanmean(weights):.4f}"
    return found


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
