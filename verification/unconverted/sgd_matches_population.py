"""Claim 12: stochastic training is what the exact gradients say, plus noise of the size it should have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causal_theory import (
    GradientAgreement,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    Stage1,
    edge_scores,
    gradient_agreement,
    train_sgd,
)
from causal_theory.dynamics import convergence_times, run_stage1
from causal_theory.priors import Prior
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import FAMILIES, STAR, family_graph, random_matrix, trace_one_matrix
from verification.evidence import (
    Cell,
    Curve,
    Evidence,
    Part,
    Plot,
    Reading,
    Regime,
    Table,
    combine_verdicts,
    summarise_assumptions,
    verdict_of,
)
from verification.profiles import Profile
from verification.text import interval, show

SYMBOLS = 3
EPSILON = 0.1
BETA0 = 0.1
MISS = 1e-4
"""Chance that a correct gradient fails one of the two tests of its z-scores."""

SPREAD = 3.0
"""The mean square of correlated z-scores varies more than that of independent ones: accepted are 1/3 to 3."""

SHARE = 0.3
"""Share of the time that the slowest child takes: rows have moved visibly, and no run has ended yet."""

BAND = (-0.6, -0.4)
"""Accepted exponents of the distance against the number of sequences."""

Array = NDArray[np.float64]


class TurnedSign(ReducedTransformer):
    """The reduced transformer with the sign of one row of the gradient turned: what the control is run on."""

    def gradient_at(self, parameters: Array, tokens: NDArray[np.int64], targets: Array) -> tuple[Array, Array]:
        """Return the losses, and the gradient with row 2 of A1 turned around."""
        losses, gradient = super().gradient_at(parameters, tokens, targets)
        gradient[2 * self.length : 3 * self.length] *= -1.0
        return losses, gradient


@dataclass(frozen=True)
class Agreement:
    """One task at one point."""

    name: str
    found: GradientAgreement

    @property
    def largest_allowed(self) -> float:
        """Bound on the largest of as many standard normal numbers, whatever their correlation."""
        return float(stats.norm.isf(MISS / (2.0 * len(self.found.z))))

    @property
    def agrees(self) -> bool:
        """Whether the z-scores could be standard normal."""
        square = self.found.chi_square
        return self.found.largest <= self.largest_allowed and 1.0 / SPREAD <= square <= SPREAD


@dataclass(frozen=True)
class Distance:
    """How far the descent with samples ends from the exact one, over several runs."""

    batch_size: int
    steps: int
    values: tuple[float, ...]

    @property
    def sequences(self) -> int:
        """Sequences seen by one run."""
        return self.batch_size * self.steps

    @property
    def mean(self) -> float:
        """Root mean square over runs."""
        return float(np.sqrt(np.mean(np.square(self.values))))


def _agreements(
    profile: Profile, context: Context, kind: type[ReducedTransformer]
) -> tuple[list[Agreement], list[Prior]]:
    found: list[Agreement] = []
    priors: list[Prior] = []
    names = (*FAMILIES, STAR)
    for k, name in enumerate(context.track(names, "sampled gradients")):
        rng = context.rng("agreement", name)
        graph = family_graph(name, profile.training_length, rng)
        choices: list[Prior] = [
            OrbitPrior(trace_one_matrix(SYMBOLS, rng)),
            PointPrior(random_matrix("generic", SYMBOLS, rng)),
        ]
        prior = choices[k % 2]
        priors.append(prior)
        length = graph.length
        model = kind(rng.normal(size=(length, length)), rng.normal(size=(SYMBOLS, SYMBOLS)), EPSILON)
        if isinstance(prior, OrbitPrior):
            # In the span of I and 11^T one matrix stands for all relabelings.
            model = kind(model.A1, 1.5 * np.eye(SYMBOLS), EPSILON)
        task = InContextTask(graph, prior)
        found.append(Agreement(name, gradient_agreement(task, model, profile.agreement_sequences, rng)))
    return found, priors


def _distances(profile: Profile, context: Context, kind: type[ReducedTransformer]) -> list[Distance]:
    """Train A1 alone from zero, for the same time in every setting, and compare with exact gradients."""
    rng = context.rng("trajectory")
    graph = family_graph("binary tree", profile.training_length, rng)
    task = InContextTask(graph, OrbitPrior(trace_one_matrix(SYMBOLS, rng)))
    length = graph.length
    time = SHARE * convergence_times(edge_scores(task, epsilon=EPSILON), graph).slowest_child
    found = []
    settings = [(size, steps) for size in profile.trajectory_batches for steps in profile.trajectory_steps]
    for size, steps in context.track(settings, "trajectories"):
        rate = time * length / (steps * BETA0)
        stage1 = Stage1(steps=steps, learning_rate=rate, beta0=BETA0, method="exact")
        exact = run_stage1(task, stage1, epsilon=EPSILON).A1
        start = kind(np.zeros((length, length)), BETA0 * np.eye(SYMBOLS), EPSILON)
        values = []
        for repeat in range(profile.trajectory_repeats):
            run = train_sgd(
                task,
                start,
                steps=steps + 1,
                first_steps=steps,
                recipe="two_stage",
                batch_size=size,
                learning_rate=rate,
                rng=context.rng("run", size, steps, repeat),
                test_size=2,
                snapshots=1,
                progress=False,
            )
            trained = run.model.parameters[: length**2].reshape(length, length)
            values.append(float(np.sqrt(np.mean((trained - exact)[np.tril_indices(length)] ** 2))))
        found.append(Distance(size, steps, tuple(values)))
    return found


def _evidence(profile: Profile, context: Context, kind: type[ReducedTransformer]) -> Evidence:
    agreements, priors = _agreements(profile, context, kind)
    distances = _distances(profile, context, kind)
    logs = np.log([[one.sequences, one.mean] for one in distances])
    slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    worst = max(agreements, key=lambda one: one.found.largest / one.largest_allowed)
    squares = [one.found.chi_square for one in agreements]
    parts = (
        Part(
            name="gradients",
            verdict=verdict_of(all(one.agrees for one in agreements)),
            predicted=Reading("z-scores standard normal", 1.0),
            measured=Reading(
                f"largest |z| {show(worst.found.largest)} of {len(worst.found.z)} (bound "
                f"{show(worst.largest_allowed)}); mean squares {interval(squares)}",
                worst.found.largest,
            ),
            error=Reading(f"a correct gradient fails with a chance of {MISS:g} per task", MISS),
            method="monte carlo (standard error)",
        ),
        Part(
            name="trajectories",
            verdict=verdict_of(BAND[0] <= slope <= BAND[1]),
            predicted=Reading("distance falls like (batch size x steps)^(-1/2)", -0.5),
            measured=Reading(f"exponent {show(slope)} over {len(distances)} settings", slope),
            error=Reading(f"band {BAND[0]:g} to {BAND[1]:g}", BAND[1] - BAND[0]),
            method="monte carlo (standard error)",
        ),
    )
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("sampled gradients have the exact mean; noise averages out like 1/sqrt(n)", -0.5),
        measured=Reading(f"{parts[0].measured.text}; {parts[1].measured.text}", slope),
        error=Reading(parts[0].error.text, MISS),
        method="monte carlo (standard error)",
        assumptions=(
            *summarise_assumptions("orbit priors of trace 1", [p for p in priors if isinstance(p, OrbitPrior)]),
            *summarise_assumptions("point priors", [p for p in priors if isinstance(p, PointPrior)]),
        ),
        regime=Regime(None, "an identity of expectations; no length enters"),
        parts=parts,
        details=(_agreement_table(agreements), _distance_table(distances)),
        plots=(_plot(distances),),
        notes=(
            "Sampled gradients come from the sampler and the kernel of training, exact ones from a sum over all "
            "sequences: two programs without common code.",
            "Entries of a gradient are correlated, so the mean square of their z-scores varies more than that of "
            "independent ones; the bound on the largest is a union bound and does not care.",
            f"Trajectories of A1 from zero at A2 = {BETA0} I, all over the same time of the flow and each against the "
            "exact descent with the same number of steps, so that nothing but noise is left.",
        ),
    )


def _agreement_table(agreements: Sequence[Agreement]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            len(one.found.z),
            one.found.samples,
            show(one.found.largest),
            show(one.largest_allowed),
            show(one.found.chi_square),
            "yes" if one.agrees else "no",
        )
        for one in agreements
    ]
    columns = ("graph", "entries", "sequences", "largest |z|", "bound", "mean square", "agrees")
    return Table("Sampled against exact gradients of both matrices at random parameters", columns, tuple(rows))


def _distance_table(distances: Sequence[Distance]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.batch_size, one.steps, one.sequences, show(one.mean), show(one.mean * np.sqrt(one.sequences)))
        for one in distances
    ]
    columns = ("batch size", "steps", "sequences n", "distance", "distance x sqrt(n)")
    return Table("Root mean square distance of the logits of A1 from the exact descent", columns, tuple(rows))


def _plot(distances: Sequence[Distance]) -> Plot:
    curves = []
    for steps in dict.fromkeys(one.steps for one in distances):
        own = [one for one in distances if one.steps == steps]
        curves.append(
            Curve(f"{steps} steps", tuple(float(one.sequences) for one in own), tuple(one.mean for one in own))
        )
    ends = sorted({float(one.sequences) for one in distances})
    first = distances[0].mean * np.sqrt(distances[0].sequences)
    curves.append(Curve("slope -1/2", (ends[0], ends[-1]), (first / np.sqrt(ends[0]), first / np.sqrt(ends[-1]))))
    return Plot(
        name="sgd_matches_population",
        title="Distance of stochastic from exact descent",
        xlabel="sequences (batch size x steps)",
        ylabel="distance of logits",
        curves=tuple(curves),
        description="Double logarithmic axes; points lie on a line of slope -1/2.",
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Compare sampled with exact gradients, and stochastic with exact descent."""
    return _evidence(profile, context, ReducedTransformer)


def control(profile: Profile, context: Context) -> Evidence:
    """Turn the sign of one row of the gradient: z-scores must be far too large, and the distance must not fall."""
    return _evidence(profile, context, TurnedSign)


CLAIM = Claim(
    name="sgd_matches_population",
    number=12,
    title="Stochastic training follows the exact gradients",
    statement=(
        r"Batch gradients of the reduced transformer have the exact population gradient as their mean: their z-scores "
        r"are standard normal. Stochastic descent on $A_1$ stays within $O((\text{batch size} \times "
        r"\text{steps})^{-1/2})$ of the exact descent over the same time."
    ),
    source="The law of large numbers; a check of sampler, training kernel and exact engines against each other",
    predicted="z-scores standard normal; exponent -1/2",
    assumptions=(),
    run=run,
    control_statement="The sign of one row of the gradient of A1 is turned in the training kernel.",
    control=control,
)
