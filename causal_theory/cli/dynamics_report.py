"""The report of ``causal-theory dynamics`` on a run: tables, CSV, arrays, JSON and the figure."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from causal_theory.cli import options
from causal_theory.cli.output import list_table, table_csv
from causal_theory.dynamics import PopulationRun, Stage1, Stage1Run, Stage2, Stage2Run
from causal_theory.estimate import Estimate
from causal_theory.files import Writer
from causal_theory.population.baselines import counts_rule_loss, loss_floor, unigram_loss
from causal_theory.population.excess import excess_loss
from causal_theory.population.parent_attention import parent_attention_loss
from causal_theory.tasks import InContextTask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

NAMES = {
    "trained": "trained model",
    "trained_normalised": "the same, normalised",
    "floor": "entropy floor",
    "counts_rule": "counts rule",
    "unigram": "unigram",
    "uniform": "uniform, log S",
}
BASELINES = ("floor", "counts_rule", "unigram", "uniform")


def stage1_summary(run: Stage1Run) -> dict[str, Any]:
    """Return what stage 1 came to; None stands for a step that was not reached, or for rows that do not exist.

    Root rows are those of the context, without position 0; the row of the query is told by itself.
    """
    attention, deviation = run.attention_on_parents[-1], run.root_deviation[-1]
    children, roots = attention[~np.isnan(attention)], deviation[1:-1][~np.isnan(deviation[1:-1])]
    return {
        "status": run.status,
        "diverged_at": _step(run.diverged_at),
        "last_step": int(run.steps[-1]),
        "slowest_child": _step(run.slowest_child),
        "fastest_root": _step(run.fastest_root),
        "window": run.window,
        "smallest_attention_on_parent": float(children.min()) if children.size else None,
        "largest_root_deviation": float(roots.max()) if roots.size else None,
        "query_deviation": float(deviation[-1]),
    }


def stage2_summary(run: Stage2Run) -> dict[str, Any]:
    """Return what stage 2 came to: losses in nats, and the part of A2 in the span of I and 11^T."""
    size = len(run.A2)
    diagonal = float(np.diagonal(run.A2).mean())
    rest = float(run.A2[~np.eye(size, dtype=bool)].mean())
    nearest = (diagonal - rest) * np.eye(size) + rest
    return {
        "status": run.status,
        "diverged_at": _step(run.diverged_at),
        "steps": len(run.losses) - 1,
        "first_loss": float(run.losses[0]),
        "last_loss": float(run.losses[-1]),
        "distance_from_span": float(np.linalg.norm(run.A2 - nearest)),
        "mean_diagonal": diagonal,
        "mean_off_diagonal": rest,
    }


def _step(step: int) -> int | None:
    return step if step >= 0 else None


class DynamicsReport:
    """A run beside its baselines.

    Parameters
    ----------
    task : InContextTask
        What was trained on.
    run : PopulationRun
        Both stages.
    stage1, stage2 : Stage1, Stage2
        Their settings.
    epsilon, smoothing : float
        The constants of the model and of the counting rules.
    """

    def __init__(
        self,
        task: InContextTask,
        run: PopulationRun,
        stage1: Stage1,
        stage2: Stage2,
        *,
        epsilon: float,
        smoothing: float,
    ) -> None:
        self.task = task
        self.run = run
        self.stage1, self.stage2 = stage1, stage2
        self.epsilon = epsilon
        self.shift = math.log1p(task.vocab_size * epsilon)
        trained = parent_attention_loss(task, run.stage2.A2, epsilon=epsilon)
        self.excess = excess_loss(task, run.stage2.A2, epsilon=epsilon)
        self.losses = {
            "trained": trained,
            "trained_normalised": Estimate(trained.value + self.shift, trained.error, trained.method),
            "floor": loss_floor(task),
            "counts_rule": counts_rule_loss(task, smoothing=smoothing),
            "unigram": unigram_loss(task, smoothing=smoothing),
            "uniform": Estimate(np.array(math.log(task.vocab_size)), np.array(0.0), "exact"),
        }

    @property
    def diverged(self) -> bool:
        """Whether one of the stages did."""
        return "diverged" in (self.run.stage1.status, self.run.stage2.status)

    def content(self) -> dict[str, Any]:
        """Return what JSON says about the run."""
        first, second = self.run.stage1, self.run.stage2
        floor = float(self.losses["floor"])
        return {
            "settings": {"stage1": self.stage1.to_dict(), "stage2": self.stage2.to_dict()},
            "stage1": stage1_summary(first)
            | {
                "steps": first.steps,
                "attention_on_parents": first.attention_on_parents,
                "root_deviation": first.root_deviation,
                "A1": first.A1,
            },
            "stage2": stage2_summary(second)
            | {"losses": second.losses, "trajectory": second.trajectory, "A2": second.A2},
            "excess": self.excess,
            "losses": {name: {"loss": loss, "excess": float(loss) - floor} for name, loss in self.losses.items()},
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what NPZ holds."""
        first, second = self.run.stage1, self.run.stage2
        baselines = {f"loss_{name}": np.array([loss.value, loss.error]) for name, loss in self.losses.items()}
        return {
            "parents": self.task.graph.parent_array,
            "steps": first.steps,
            "attention_on_parents": first.attention_on_parents,
            "root_deviation": first.root_deviation,
            "A1": first.A1,
            "losses": second.losses,
            "trajectory": second.trajectory,
            "A2": second.A2,
            **baselines,
        }

    def csv(self) -> Writer:
        """Return a writer of the losses of stage 2, one step a line."""
        baselines = [float(self.losses[name]) for name in BASELINES]
        rows = [
            [step, loss, loss + self.shift, *baselines] for step, loss in enumerate(self.run.stage2.losses.tolist())
        ]
        return table_csv(["step", "loss", "loss_normalised", *BASELINES], rows)

    def draw(self, rows: "Axes", roots: "Axes", losses: "Axes", matrix: "Axes") -> None:
        """Draw both stages on four axes."""
        from causal_theory.plotting import (
            plot_attention_by_step,
            plot_losses,
            plot_root_rows,
            plot_second_matrix,
        )

        baselines = {NAMES[name]: float(self.losses[name]) for name in BASELINES}
        plot_attention_by_step(self.run.stage1, ax=rows)
        plot_root_rows(self.run.stage1, ax=roots)
        plot_losses(self.run.stage2, baselines=baselines, epsilon=self.epsilon, ax=losses)
        plot_second_matrix(self.run.stage2.A2, ax=matrix)

    def show(self, console: Console) -> None:
        """Print both stages and the losses."""
        options.say_order(console, self.task.graph)
        for table in (self._first(), self._second(), self._losses()):
            console.print(table)
        if self.losses["floor"].method == "monte_carlo":
            console.print(
                "all losses are averages over the same matrices; the excess of the trained model has an error of "
                f"{float(self.excess.error):.1e}",
                highlight=False,
            )
        console.print(
            f"normalised: f + eps sums to 1 + S eps; divided by it, the loss is {self.shift:.4g} higher",
            highlight=False,
        )
        for name, diverged_at in (("1", self.run.stage1.diverged_at), ("2", self.run.stage2.diverged_at)):
            if diverged_at >= 0:
                console.print(
                    f"[red]stage {name} diverged at step {diverged_at}[/red]: shown is what came before; a smaller "
                    f"--natural-rate{name} or --learning-rate{name} may help",
                    highlight=False,
                )

    def _first(self) -> Table:
        summary, most = stage1_summary(self.run.stage1), self.stage1.steps
        goal = 1.0 - 1.0 / self.task.length
        late = "not before it diverged" if summary["status"] == "diverged" else f"not within {most} steps"
        single = "only position 0" if summary["largest_root_deviation"] is None else ""
        window = summary["window"]
        return list_table(
            f"stage 1 ({self.stage1.method.replace('_', '-')}, learning rate {self.stage1.learning_rate:.4g})",
            {
                "status": _status(summary["status"], summary["last_step"]),
                f"every child row at 1 - 1/T = {goal:.4g}": _at(summary["slowest_child"], late),
                f"first root row {self.stage1.leave:g} from uniform": single or _at(summary["fastest_root"], late),
                "window between them": "unknown" if window is None else f"{window} steps",
                "smallest attention on a parent": _number(summary["smallest_attention_on_parent"], "no child rows"),
                "largest deviation of a root row": _number(summary["largest_root_deviation"], single),
                "deviation of the row of the query": _number(summary["query_deviation"], ""),
            },
        )

    def _second(self) -> Table:
        summary = stage2_summary(self.run.stage2)
        return list_table(
            f"stage 2 ({self.stage2.path.replace('_', '-')}, learning rate {self.stage2.learning_rate:.4g})",
            {
                "status": _status(summary["status"], summary["steps"]),
                "first loss (nats)": _number(summary["first_loss"], ""),
                "last loss (nats)": _number(summary["last_loss"], ""),
                "mean diagonal of A2": _number(summary["mean_diagonal"], ""),
                "mean of A2 off the diagonal": _number(summary["mean_off_diagonal"], ""),
                "distance of A2 from span{I, 11^T}": f"{summary['distance_from_span']:.2g}",
            },
        )

    def _losses(self) -> Table:
        table = Table(title="losses (nats)")
        table.add_column("")
        for heading in ("loss", "error", "excess over the floor"):
            table.add_column(heading, justify="right")
        floor = float(self.losses["floor"])
        for name, loss in self.losses.items():
            excess = "" if name == "floor" else f"{float(loss) - floor:.4f}"
            table.add_row(NAMES[name], f"{float(loss):.4f}", f"{float(loss.error):.1e}", excess)
        return table


def _status(status: str, step: int) -> str:
    colour = {"converged": "green", "diverged": "red"}.get(status, "default")
    return f"[{colour}]{status}[/{colour}], last step {step}"


def _at(step: int | None, late: str) -> str:
    return late if step is None else f"step {step}"


def _number(value: float | None, missing: str) -> str:
    return missing if value is None else f"{value:.4f}"
