"""``make bench``: the exact engines, median of several runs after a warm-up, next to the target of each row."""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import causal_theory as ct
from causal_theory.dynamics import convergence_times
from causal_theory.dynamics.stage1.first_order import run_first_order
from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
from causal_theory.sweeps import sweep
from causal_theory.sweeps.executors import ProcessPool
from causal_theory.training.sampler import BatchSampler, draw_keys
from tests.sweeps.studies_for_tests import trivial

SEED = 0
EPSILON = 0.01


@dataclass(frozen=True)
class Row:
    """One measurement in one unit."""

    name: str
    size: str
    median: float
    best: float
    target: float
    unit: str

    @property
    def met(self) -> bool:
        return self.median <= self.target


def measure(function: Callable[[], object], budget: float) -> list[float]:
    """Seconds of repeated calls: at least 3, at most 50, within the budget once 3 are done."""
    function()
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < budget and len(seconds) < 50):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


def point_task(length: int, size: int, graph: str = "chain") -> ct.InContextTask:
    rng = np.random.default_rng([SEED, length, size])
    forest = {
        "chain": lambda: ct.CausalGraph.chain(length),
        "random": lambda: ct.CausalGraph.random_forest(length, 0.3, rng),
    }[graph]()
    return ct.InContextTask(forest, ct.PointPrior(rng.dirichlet(np.ones(size), size)))


def scores_rows(budget: float) -> list[Row]:
    rows = []
    sizes = [(20, 10, 0.6), (100, 10, 20), (200, 10, 100), (1000, 10, 4000), (5000, 4, 20_000), (20, 50, 80)]
    for length, size, target in sizes:
        for graph in ("chain", "random"):
            task = point_task(length, size, graph)
            seconds = measure(lambda task=task: ct.edge_scores(task, epsilon=EPSILON), budget)
            rows.append(_row(f"edge scores, {graph}", f"T={length} S={size}", seconds, target, "ms", 1e3))
    return rows


def information_rows(budget: float) -> list[Row]:
    rows = []
    for length, size, target in [(20, 10, 1), (200, 10, 30)]:
        task = point_task(length, size)
        for measure_name in ("chi2", "kl", "tv", "hellinger"):
            seconds = measure(lambda task=task, name=measure_name: ct.pairwise_information(task, name), budget)
            rows.append(_row(f"information, {measure_name}", f"T={length} S={size}", seconds, target, "ms", 1e3))
    return rows


def enumeration_rows(budget: float) -> list[Row]:
    rows = []
    for length, size, target in [(9, 3, 60), (12, 3, 70), (20, 2, 150)]:
        task = point_task(length, size, "random")
        rng = np.random.default_rng([SEED, length])
        first, second = rng.normal(size=(length, length)), rng.normal(size=(size, size))

        def gradient_and_loss(task=task, first=first, second=second) -> None:
            ct.population_gradient(task, first, second, epsilon=EPSILON, method="enumerate")

        seconds = measure(gradient_and_loss, budget)
        rows.append(
            _row("loss and both gradients", f"T={length} S={size}", seconds, target, "ns/sequence", 1e9 / size**length)
        )
    return rows


def dynamics_rows(budget: float) -> list[Row]:
    """Stage 2 at a generic matrix, stage 1 with steps too small to end early, a learning curve, times of the flow."""
    short, middle, long = point_task(20, 10), point_task(200, 10), point_task(1000, 10)
    A2 = np.random.default_rng(SEED).normal(size=(10, 10))
    scores = ct.edge_scores(middle, epsilon=EPSILON).value
    settings = ct.Stage1(steps=10_000, learning_rate=1.0)
    prior = ct.OrbitPrior(np.random.default_rng(SEED).dirichlet(np.full(3, 0.5), 3))
    lengths = [20, 40, 80, 160, 320, 640, 1280, 2560]
    works: list[tuple[str, str, Callable[[], object], float, str, float]] = [
        (
            "stage 2, loss and gradient",
            "T=20 S=10",
            lambda: parent_attention_loss_and_gradient(short, A2, epsilon=0.05),
            50,
            "ms",
            1e3,
        ),
        ("stage 2, loss", "T=1000 S=10", lambda: ct.parent_attention_loss(long, A2, epsilon=1e-3), 5, "s", 1.0),
        ("stage 1, 10,000 steps", "T=200 S=10", lambda: run_first_order(middle, settings, scores), 2, "s", 1.0),
        ("stage 1, times of the flow", "T=200 S=10", lambda: convergence_times(scores, middle.graph), 2, "s", 1.0),
        (
            "learning curve, chain",
            "T=20..2560 S=3",
            lambda: ct.learning_curve(lambda length: ct.InContextTask(ct.CausalGraph.chain(length), prior), lengths),
            60,
            "s",
            1.0,
        ),
    ]
    return [
        _row(name, size, measure(work, budget), target, unit, scale) for name, size, work, target, unit, scale in works
    ]


def several_parents_rows(budget: float) -> list[Row]:
    """The construction with one head for each parent, and informations of pairs and sets, on order-k chains."""
    rows = []

    def trigram(length: int, size: int) -> ct.InContextTask:
        kernel = ct.DirichletPrior(size, 1.0).sample_transitions(1, (2,), SEED)[2][0]
        return ct.InContextTask(ct.CausalGraph.ngram(length, 2), ct.PointPrior({2: kernel}))

    for length, size, target in [(200, 3, 2.0), (100, 5, 20.0)]:
        task, copy = trigram(length, size), np.stack([3.0 * np.eye(size)] * 2)
        for name, function in (
            ("two heads, loss", ct.parent_attention_loss),
            ("two heads, gradient", ct.parent_attention_gradient),
        ):
            seconds = measure(lambda f=function, t=task, a=copy: f(t, a, epsilon=1 / t.length), budget)
            rows.append(_row(name, f"k=2 T={length} S={size}", seconds, target, "s", 1.0))
    long = trigram(200, 3)
    seconds = measure(lambda: ct.pairwise_information(long), budget)
    rows.append(_row("information of pairs", "k=2 T=200 S=3", seconds, 100, "ms", 1e3))
    seconds = measure(lambda: ct.subset_informations(long, 200, 2), budget)
    rows.append(_row("information of 19,900 sets", "k=2 T=200 S=3", seconds, 2, "s", 1.0))
    return rows


def training_rows(budget: float) -> list[Row]:
    """The published setting: a step of training with its fresh sequences, and its parts."""
    task = ct.InContextTask(ct.CausalGraph.chain(20), ct.DirichletPrior(10, 0.1))
    model = ct.DisentangledTransformer(20, 10, scale=0.1, rng=SEED)
    sampler = BatchSampler(task, 1024, draw_keys(np.random.default_rng(SEED)))
    tokens, targets = sampler.draw(0)

    def steps() -> None:
        ct.train_sgd(
            task,
            model,
            steps=100,
            batch_size=1024,
            learning_rate=1.0,
            rng=SEED,
            snapshots=1,
            test_size=2,
            progress=False,
        )

    size = "T=20 S=10 n=1024"
    return [
        _row("training step", size, measure(steps, budget), 8, "ms", 1e3 / 100),
        _row("fresh sequences", size, measure(lambda: sampler.draw(0), budget), 4, "ms", 1e3),
        _row("batch gradient", size, measure(lambda: model.batch_gradient(tokens, targets), budget), 4, "ms", 1e3),
    ]


def start_rows(budget: float) -> list[Row]:
    """Seconds that a user waits before anything is computed, in fresh processes."""
    code = "import sys; from causal_theory.cli import main; sys.argv[0] = 'causal-theory'; main()"
    works = [
        ("import causal_theory", ("-c", "import causal_theory"), 100),
        ("causal-theory --help", ("-c", code, "--help"), 500),
    ]
    return [
        _row(name, "", measure(lambda words=words: _run_python(*words), budget), target, "ms", 1e3)
        for name, words, target in works
    ]


def sweep_rows(budget: float) -> list[Row]:
    """Cost of a unit of a sweep beside its study: units that do nothing, on two processes that are there."""
    units = 2000
    with ProcessPool(2) as pool, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.sqlite")

        def run() -> None:
            path.unlink(missing_ok=True)
            sweep(trivial, {"number": range(units)}, store=path, executor=pool, progress=False)

        seconds = measure(run, budget)
    return [_row("unit of a sweep", "2 processes", seconds, 1, "ms", 1e3 / units)]


def memory_rows() -> list[Row]:
    """Peak resident memory of a fresh process that computes the scores at T=1000, S=10."""
    code = (
        "import resource, numpy as np, causal_theory as ct\n"
        "pi = np.random.default_rng(0).dirichlet(np.ones(10), 10)\n"
        "task = ct.InContextTask(ct.CausalGraph.chain(1000), ct.PointPrior(pi))\n"
        "ct.edge_scores(task, epsilon=0.01)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    gigabytes = int(_run_python("-c", code)) * (1024 if platform.system() == "Linux" else 1) / 2**30
    return [Row("edge scores, peak memory", "T=1000 S=10", gigabytes, gigabytes, 2.0, "GiB")]


def _run_python(*words: str) -> str:
    return subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True).stdout


def _row(name: str, size: str, seconds: list[float], target: float, unit: str, scale: float) -> Row:
    return Row(name, size, statistics.median(seconds) * scale, min(seconds) * scale, target, unit)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="also write the rows to a file")
    parser.add_argument("--budget", type=float, default=3.0, help="seconds of repetitions per row (default 3)")
    options = parser.parse_args()
    # A new process starts with the peak of the one that started it: before that has done anything.
    memory = memory_rows()
    rows = [
        *scores_rows(options.budget),
        *information_rows(options.budget),
        *enumeration_rows(options.budget),
        *dynamics_rows(options.budget),
        *several_parents_rows(options.budget),
        *training_rows(options.budget),
        *start_rows(options.budget),
        *sweep_rows(options.budget),
        *memory,
    ]
    table = Table(title=f"causal_theory {ct.__version__} on {platform.processor() or platform.machine()}")
    for heading in ("what", "size", "median", "best", "target", "unit", ""):
        table.add_column(heading, justify="left" if heading in {"what", "size", "unit", ""} else "right")
    for row in rows:
        mark = "" if row.met else "slower than its target"
        table.add_row(row.name, row.size, f"{row.median:.3g}", f"{row.best:.3g}", f"{row.target:g}", row.unit, mark)
    Console().print(table)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(row) for row in rows], file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
