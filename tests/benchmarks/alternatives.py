"""Time against alternatives: ``python -m tests.benchmarks.alternatives``, needs the extra ``autodiff`` (JAX).

Every alternative must first give the same numbers. ``--published FOLDER`` also times a step of the paper's published
code, from a checkout of it (which needs the package ``simple_pytree``); nothing of it is part of this project.
"""

import argparse
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import jax
import numpy as np
from jax import numpy as jnp
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import causal_theory as ct
from causal_theory.training.sampler import BatchSampler, draw_keys

jax.config.update("jax_enable_x64", True)

SEED = 0
EPSILON = 0.01
BATCH = 1024

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """The same work done here and elsewhere."""

    work: str
    alternative: str
    here: float
    there: float
    unit: str
    difference: str

    @property
    def factor(self) -> float:
        return self.there / self.here


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Median of some calls after a warm-up in which everything is compiled."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def enumerated_gradient(length: int, size: int, repeats: int) -> Comparison:
    """Loss and both gradients of the reduced model at any parameters, over all sequences of a chain."""
    rng = np.random.default_rng([SEED, length])
    transition = rng.dirichlet(np.ones(size), size)
    stationary = ct.stationary_distribution(transition)
    task = ct.InContextTask(ct.CausalGraph.chain(length), ct.PointPrior(transition))
    first, second = rng.normal(size=(length, length)), rng.normal(size=(size, size))
    future = jnp.where(jnp.tri(length) > 0, 0.0, -jnp.inf)
    powers = size ** np.arange(length)
    block = size ** min(length, 9)

    def part(parameters: tuple[jax.Array, jax.Array], start: jax.Array) -> jax.Array:
        A1, A2 = parameters
        tokens = (start + jnp.arange(block))[:, None] // powers % size
        weight = jnp.asarray(stationary)[tokens[:, 0]] / size
        for i in range(1, length - 1):
            weight = weight * jnp.asarray(transition)[tokens[:, i - 1], tokens[:, i]]
        hot = jax.nn.one_hot(tokens, size, dtype=jnp.float64)
        keys = jax.nn.softmax(A1 + future, axis=1) @ hot
        logits = jnp.einsum("nia,an->ni", keys, A2[:, tokens[:, -1]])
        found = jnp.einsum("ni,nib->nb", jax.nn.softmax(logits, axis=1), hot)
        targets = jnp.asarray(transition)[tokens[:, -1]]
        return -(weight[:, None] * targets * jnp.log(found + EPSILON)).sum()

    slope = jax.value_and_grad(part)
    starts = jnp.arange(0, size**length, block)

    @jax.jit
    def whole(parameters: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        """One block of sequences after another: all at once would need memory in proportion to their number."""
        zero = (jnp.zeros(()), (jnp.zeros((length, length)), jnp.zeros((size, size))))
        add = lambda total, start: (jax.tree.map(jnp.add, total, slope(parameters, start)), None)  # noqa: E731
        return jax.lax.scan(add, zero, starts)[0]

    parameters = (jnp.asarray(first), jnp.asarray(second))
    loss, gradients = jax.block_until_ready(whole(parameters))
    mine = ct.population_gradient(task, first, second, epsilon=EPSILON, method="enumerate")
    off = max(
        abs(float(loss) - float(mine.loss)),
        np.abs(np.asarray(gradients[0]) - mine.A1.value).max(),
        np.abs(np.asarray(gradients[1]) - mine.A2.value).max(),
    )
    assert off < 1e-12, off
    here = seconds(lambda: ct.population_gradient(task, first, second, epsilon=EPSILON, method="enumerate"), repeats)
    there = seconds(lambda: jax.block_until_ready(whole(parameters)), repeats)
    scale = 1e9 / size**length
    return Comparison(
        f"loss and both gradients over all sequences, T={length} S={size}",
        f"automatic differentiation, JAX {jax.__version__}, 64 bits",
        here * scale,
        there * scale,
        "ns/sequence",
        f"{off:.0e}",
    )


def sampled_scores(repeats: int) -> Comparison:
    """Edge scores at T=20, S=10: exactly, and by sampling until the smallest margin is known to one percent."""
    task = ct.InContextTask(
        ct.CausalGraph.chain(20), ct.OrbitPrior(np.random.default_rng(SEED).dirichlet([1.0] * 10, 10))
    )
    exact = ct.edge_scores(task, epsilon=EPSILON)
    report = ct.EdgeReport(exact, task.graph)
    size = 100_000
    rng = np.random.default_rng(SEED)

    def draw() -> tuple[Array, Array]:
        """Return mean and standard error of the scores over fresh sequences, in NumPy."""
        tokens, targets, _ = task.sample(size, rng)
        hot = np.eye(10)[tokens]
        frequencies = hot.mean(axis=1)
        ratios = targets / (frequencies + EPSILON)
        left = np.take_along_axis(ratios, tokens, axis=1) - (ratios * frequencies).sum(axis=1)[:, None]
        right = (tokens == tokens[:, -1:]).astype(float)
        mean = left.T @ right / size
        square = (left**2).T @ right / size
        return mean, np.sqrt((square - mean**2) / size)

    mean, error = draw()
    below = np.tril_indices(20, -1)
    off = np.abs((mean - exact.value)[below] / error[below]).max()
    assert off < 6.0, off
    needed = size * (np.median(error[below]) / (0.01 * report.smallest_margin)) ** 2
    there = seconds(draw, 3) * needed / size
    here = seconds(lambda: ct.edge_scores(task, epsilon=EPSILON), 20 * repeats)
    return Comparison(
        "edge scores, T=20 S=10",
        f"{needed:.0e} samples in NumPy, an error of 1 % of the smallest margin",
        here * 1e3,
        there * 1e3,
        "ms",
        f"{off:.1f} standard errors",
    )


def training_task() -> ct.InContextTask:
    """The published setting."""
    return ct.InContextTask(ct.CausalGraph.chain(20), ct.DirichletPrior(10, 0.1))


def step_here(repeats: int) -> float:
    """Seconds of a step of training with its fresh sequences."""
    task, model = training_task(), ct.DisentangledTransformer(20, 10)
    settings = {"batch_size": BATCH, "learning_rate": 1.0, "rng": SEED, "snapshots": 1, "test_size": 2}
    run = lambda: ct.train_sgd(task, model, steps=100, progress=False, **settings)  # noqa: E731
    return seconds(run, repeats) / 100


def training_gradient(repeats: int, bits: int) -> Comparison:
    """Gradient of the disentangled transformer over a batch, all matrices multiplied out."""
    model = ct.DisentangledTransformer(20, 10, scale=0.1, rng=SEED)
    tokens, targets = BatchSampler(training_task(), BATCH, draw_keys(np.random.default_rng(SEED))).draw(0)
    kind = jnp.float64 if bits == 64 else jnp.float32
    shapes = [(30, 30), (60, 60), (120, 10)]
    future = jnp.where(jnp.tri(20) > 0, 0.0, -jnp.inf).astype(kind)
    known = jnp.asarray(targets, kind)

    def loss(parameters: jax.Array, tokens: jax.Array) -> jax.Array:
        parts, start = [], 0
        for rows, columns in shapes:
            parts.append(parameters[start : start + rows * columns].reshape(rows, columns))
            start += rows * columns
        position = jnp.broadcast_to(jnp.eye(20, dtype=kind), (BATCH, 20, 20))
        x = jnp.concatenate([jax.nn.one_hot(tokens, 10, dtype=kind), position], axis=2)
        for matrix in parts[:-1]:
            attention = jax.nn.softmax(jnp.einsum("nia,ab,njb->nij", x, matrix, x) + future, axis=2)
            x = jnp.concatenate([x, attention @ x], axis=2)
        return -(known * jax.nn.log_softmax(x[:, -1] @ parts[-1])).sum(axis=1).mean()

    compiled = jax.jit(jax.value_and_grad(loss))
    parameters, sequences = jnp.asarray(model.parameters, kind), jnp.asarray(tokens)
    value, slopes = jax.block_until_ready(compiled(parameters, sequences))
    losses, gradient = model.batch_gradient(tokens, targets)
    off = np.abs(np.asarray(slopes) - gradient).max() / np.abs(gradient).max()
    assert off < (1e-9 if bits == 64 else 1e-3), off
    assert abs(float(value) - np.mean(losses)) < (1e-9 if bits == 64 else 1e-3)
    return Comparison(
        "gradient of the disentangled transformer, T=20 S=10, 1024 sequences",
        f"automatic differentiation, JAX {jax.__version__}, {bits} bits",
        seconds(lambda: model.batch_gradient(tokens, targets), 10 * repeats) * 1e3,
        seconds(lambda: jax.block_until_ready(compiled(parameters, sequences)), 3 * repeats) * 1e3,
        "ms",
        f"{off:.0e}",
    )


def published_step(folder: str, repeats: int) -> Comparison:
    """A step of training with fresh sequences as the paper's published code takes it: 32 bits, drawn 2^20 at a time."""
    sys.path.insert(0, folder)
    jax.config.update("jax_enable_x64", False)
    try:
        model = importlib.import_module("catformer").CatFormer(seq_len=20, vocab_size=10, heads=[1, 1])
        problem = importlib.import_module("problems").InContextTree(vocab_size=10, dag=jnp.arange(19) - 1, alpha=0.1)

        @jax.jit
        def step(model: object, tokens: jax.Array, targets: jax.Array) -> object:
            def loss(model: Callable[[jax.Array], jax.Array]) -> jax.Array:
                return -(targets * jnp.log(jax.vmap(model)(tokens))).sum(axis=1).mean()

            return jax.tree.map(lambda old, slope: old - slope, model, jax.grad(loss)(model))

        draw = jax.jit(lambda key: jax.vmap(problem.sample)(jax.random.split(key, 64 * BATCH)))
        key = jax.random.PRNGKey(SEED)
        tokens, targets = jax.block_until_ready(draw(key))
        drawing = seconds(lambda: jax.block_until_ready(draw(key)), max(1, repeats // 2)) / 64
        stepping = seconds(lambda: jax.block_until_ready(step(model, tokens[:BATCH], targets[:BATCH])), 3 * repeats)
    finally:
        jax.config.update("jax_enable_x64", True)
        sys.path.remove(folder)
    return Comparison(
        "training step with fresh sequences, T=20 S=10, 1024 sequences",
        f"the paper's published code, JAX {jax.__version__}, 32 bits (drawing {drawing * 1e3:.0f} ms)",
        step_here(repeats) * 1e3,
        (drawing + stepping) * 1e3,
        "ms",
        "",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--published", metavar="FOLDER", help="a checkout of the paper's published code")
    parser.add_argument("--repeats", type=int, default=5, help="more for quieter numbers (default 5)")
    parser.add_argument("--json", metavar="FILE", help="also write the rows to a file")
    options = parser.parse_args()
    rows = [
        enumerated_gradient(9, 3, options.repeats),
        enumerated_gradient(12, 3, options.repeats),
        sampled_scores(options.repeats),
        training_gradient(options.repeats, 64),
        training_gradient(options.repeats, 32),
    ]
    if options.published:
        rows.append(published_step(options.published, options.repeats))
    table = Table(title=f"causal_theory {ct.__version__} beside alternatives, seed {SEED}")
    for heading in ("what", "alternative", "here", "there", "unit", "times as fast", "difference"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row.work,
            row.alternative,
            f"{row.here:.3g}",
            f"{row.there:.3g}",
            row.unit,
            f"{row.factor:.3g}",
            row.difference,
        )
    Console(width=160).print(table)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(row) | {"factor": row.factor} for row in rows], file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
