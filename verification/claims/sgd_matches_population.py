"""Claim 12: stochastic training is what the exact gradients say, plus noise of the size it should have."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causal_theory import (
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    Stage1,
    edge_scores,
    gradient_agreement,
    train_sgd,
)
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics import convergence_times, run_stage1
from verification.ensembles import FAMILIES, KINDS, PRIORS, STAR, Array, family_graph, trace_one_matrix

SYMBOLS = 3
EPSILON = 0.1
BETA0 = 0.1
MISS = 1e-4
"""Chance that a correct gradient fails the bound on its largest z-score."""

SPREAD = 3.0
"""The mean square of correlated z-scores varies more than that of independent ones: accepted are 1/3 to 3."""

SHARE = 0.3
"""Share of the time that the slowest child takes: rows have moved visibly, and no run has ended yet."""

BAND = (-0.6, -0.4)
"""Accepted exponents of the distance against the number of sequences."""

LARGEST = "largest |z| of a sampled gradient"
SQUARE = "mean square of the z-scores of a sampled gradient"
DISTANCE = "distance of stochastic from exact descent against batch size x steps: exponent"


class TurnedSign(ReducedTransformer):
    """The reduced transformer with the sign of one row of the gradient turned: what the control is run on."""

    def gradient_at(self, parameters: Array, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        """Return the losses, and the gradient with row 2 of A1 turned around."""
        losses, gradient = super().gradient_at(parameters, tokens, targets)
        gradient[2 * self.length : 3 * self.length] *= -1.0
        return losses, gradient


def _gradients(check: Check, model: type[ReducedTransformer], length: int, sequences: int) -> None:
    """Compare sampled with exact gradients at random parameters, under orbit and point priors in turn."""
    for k, name in enumerate(check.track((*FAMILIES, STAR), "sampled gradients")):
        rng = check.rng("agreement", name)
        graph = family_graph(name, length, rng)
        orbit, point = OrbitPrior(trace_one_matrix(SYMBOLS, rng)), PointPrior(KINDS["generic"](SYMBOLS, rng))
        A1, A2 = rng.normal(size=(length, length)), rng.normal(size=(SYMBOLS, SYMBOLS))
        # In the span of I and 11^T one matrix stands for all relabelings of an orbit.
        prior, A2 = (point, A2) if k % 2 else (orbit, 1.5 * np.eye(SYMBOLS))
        check.assumptions(PRIORS["point" if k % 2 else "orbit"], [prior])
        found = gradient_agreement(InContextTask(graph, prior), model(A1, A2, EPSILON), sequences, rng)
        # Bounds the largest of as many standard normal numbers, whatever their correlation.
        allowed = float(stats.norm.isf(MISS / (2.0 * len(found.z))))
        check.within(LARGEST, found.largest, high=allowed, graph=name)
        check.within(SQUARE, found.chi_square, 1.0 / SPREAD, SPREAD, graph=name)
        cells = {"graph": name, "entries": len(found.z), "sequences": found.samples, "largest |z|": found.largest}
        title = "Sampled against exact gradients of both matrices at random parameters"
        check.row(title, {**cells, "bound": allowed, "mean square": found.chi_square})


def _trajectories(
    check: Check, model: type[ReducedTransformer], length: int, settings: Sequence[tuple[int, int]], repeats: int
) -> None:
    """Train A1 alone from zero, for the same time in every setting, and compare with exact gradients."""
    rng = check.rng("trajectory")
    graph = family_graph("binary tree", length, rng)
    task = InContextTask(graph, OrbitPrior(trace_one_matrix(SYMBOLS, rng)))
    time = SHARE * convergence_times(edge_scores(task, epsilon=EPSILON), graph).slowest_child
    start = model(np.zeros((length, length)), BETA0 * np.eye(SYMBOLS), EPSILON)
    points: list[tuple[int, float]] = []
    curves: dict[str, list[tuple[int, float]]] = {}
    for size, steps in check.track(settings, "trajectories"):
        rate = time * length / (steps * BETA0)
        stage1 = Stage1(steps=steps, learning_rate=rate, beta0=BETA0, method="exact")
        exact = run_stage1(task, stage1, epsilon=EPSILON).A1
        values = []
        for repeat in range(repeats):
            run = train_sgd(
                task, start, steps=steps + 1, first_steps=steps, recipe="two_stage", batch_size=size,
                learning_rate=rate, rng=check.rng("run", size, steps, repeat), test_size=2, snapshots=1, progress=False,
            )  # fmt: skip
            trained = run.model.parameters[: length**2].reshape(length, length)
            values.append(float(np.sqrt(np.mean((trained - exact)[np.tril_indices(length)] ** 2))))
        n, distance = size * steps, float(np.sqrt(np.mean(np.square(values))))
        points.append((n, distance))
        curves.setdefault(f"{steps} steps", []).append(points[-1])
        cells = {"batch size": size, "steps": steps, "sequences n": n, "distance": distance}
        title = f"Root mean square distance of the logits of A1 from the exact descent, {repeats} runs"
        check.row(title, {**cells, "distance x sqrt(n)": distance * np.sqrt(n)})
    sequences, distances = np.array(points).T
    check.exponent(DISTANCE, sequences, distances, *BAND, settings=len(points))
    ends = np.array([sequences.min(), sequences.max()])
    lines: dict[str, Any] = {label: np.array(own).T for label, own in curves.items()}
    check.figure(
        "Distance of stochastic from exact descent",
        {**lines, "slope -1/2": (ends, distances[0] * np.sqrt(sequences[0]) / np.sqrt(ends))},
        x="sequences (batch size x steps)",
        y="distance of logits",
        description="Double logarithmic axes; points lie on a line of slope -1/2.",
    )


@claim(
    12,
    source="The law of large numbers; a check of sampler, training kernel and exact engines against each other",
    control="The sign of one row of the gradient of A1 is turned in the training kernel.",
    breaks=(LARGEST, SQUARE, DISTANCE),
)
def sgd_matches_population(
    check: Check,
    length: int = budget(tiny=5, quick=7, full=8),
    sequences: int = budget(tiny=20_000, quick=100_000, full=2_000_000),
    batches: tuple[int, ...] = budget(tiny=(32, 512), quick=(32, 128, 512, 2048), full=(32, 128, 512, 2048, 8192)),
    steps: tuple[int, ...] = budget(tiny=(10, 40), quick=(10, 40), full=(10, 40, 160)),
    repeats: int = budget(tiny=4, quick=6, full=20),
) -> None:
    r"""Stochastic training follows the exact gradients.

    Batch gradients of the reduced transformer have the exact population gradient as their mean: their z-scores are
    standard normal. Stochastic descent on $A_1$ stays within $O((\text{batch size} \times \text{steps})^{-1/2})$ of the
    exact descent over the same time.
    """
    model = TurnedSign if check.control else ReducedTransformer
    _gradients(check, model, length, sequences)
    _trajectories(check, model, length, list(product(batches, steps)), repeats)
    check.note(f"""Sampled gradients come from the sampler and the kernel of training, exact ones from a sum over all
    sequences: two programs without common code.

    Entries of a gradient are correlated, so the mean square of their z-scores varies more than that of independent
    ones; the bound on the largest is a union bound and does not care: a correct gradient fails it with a chance of
    {MISS:g} per task.

    Trajectories of A1 from zero at A2 = {BETA0} I, all over the same time of the flow and each against the exact
    descent with the same number of steps, so that nothing but noise is left.""")
