"""Claim 13: the full model, trained from zero on samples, writes the graph into its first layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, DirichletPrior, InContextTask, TrainingRun, TrainingSettings
from causal_theory.training import PRESETS, Preset, parent_attention, train_with_settings
from verification.claim import Claim
from verification.context import Context
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

NAMES = ("paper-chain", "paper-pairs", "paper-random")
SHORT = TrainingSettings(steps=3000, batch_size=128, learning_rate=5.0)
"""The reduced budget: the same gradient descent at five times the rate, on small batches."""

ENOUGH = 0.7
"""Mean attention on the parent from which the graph counts as written into the first layer."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """One trained model, judged against a graph.

    Attributes
    ----------
    name : str
        Which preset.
    run : TrainingRun
        The run.
    attention : ndarray
        Attention on the parents, child rows only.
    found : int
        Child rows whose largest attention is on the parent.
    """

    name: str
    run: TrainingRun
    attention: Array
    found: int

    @property
    def learned(self) -> bool:
        """Whether the graph is found, and the loss lies between the floor and counting tokens."""
        low, high = self.run.baselines["floor"], self.run.baselines["unigram"]
        return float(self.attention.mean()) >= ENOUGH and low < float(self.run.test_loss) < high


def _judge(name: str, run: TrainingRun, graph: CausalGraph) -> Trained:
    parents = graph.parent_array
    children = np.flatnonzero(parents >= 0)
    last = run.attention[-1, 0]
    best = np.array([int(np.argmax(last[i, : i + 1])) for i in children])
    return Trained(name, run, parent_attention(last, graph)[children], int((best == parents[children]).sum()))


def _settings(profile: Profile, preset: Preset) -> TrainingSettings:
    return preset.settings if profile.published_training else replace(SHORT, steps=profile.short_training_steps)


def _part(one: Trained) -> Part:
    run = one.run
    floor, counts, unigram = (run.baselines[name] for name in ("floor", "counts", "unigram"))
    return Part(
        name=one.name,
        verdict=verdict_of(one.learned),
        predicted=Reading(f"mean attention on parents >= {ENOUGH:g}; loss between floor and counting tokens", ENOUGH),
        measured=Reading(
            f"mean {show(float(one.attention.mean()))}, lowest {show(float(one.attention.min()))}, parent first in "
            f"{one.found} of {len(one.attention)} rows; loss {show(float(run.test_loss), 4)} (floor {show(floor, 4)}, "
            f"counts {show(counts, 4)}, tokens {show(unigram, 4)})",
            float(one.attention.mean()),
        ),
        error=Reading(f"loss: one standard error {show(float(run.test_loss.error), 2)}", float(run.test_loss.error)),
        method="monte carlo (standard error)",
    )


def _table(found: Sequence[Trained]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        run = one.run
        rows.append(
            (
                one.name,
                run.settings.optimizer,
                int(run.snapshot_steps[-1]),
                show(float(one.attention.mean())),
                show(float(one.attention.min())),
                show(float(run.test_loss), 4),
                *(show(run.baselines[name], 4) for name in ("floor", "counts", "unigram", "uniform")),
                show(float(run.test_loss) - run.baselines["counts"], 2),
            )
        )
    columns = (
        "task",
        "optimiser",
        "steps",
        "mean attention",
        "lowest",
        "test loss",
        "floor",
        "counts",
        "tokens",
        "uniform",
        "loss - counts",
    )
    return Table("Trained models, losses in nats on the same held-out sequences", columns, tuple(rows))


def _plot(found: Sequence[Trained]) -> Plot:
    curves = []
    for one in found:
        steps = one.run.snapshot_steps[1:]
        gaps = one.run.test_losses[1:] - one.run.baselines["floor"]
        curves.append(Curve(one.name, tuple(map(float, steps)), tuple(map(float, gaps))))
    return Plot(
        name="trained_attention_is_the_graph",
        title="Excess of the trained model over the entropy floor",
        xlabel="step",
        ylabel="test loss - floor (nats)",
        curves=tuple(curves),
        description="Held-out loss minus its entropy floor during training; double logarithmic axes.",
    )


def _evidence(found: Sequence[Trained], priors: Sequence[DirichletPrior]) -> Evidence:
    parts = [_part(one) for one in found]
    means = [float(one.attention.mean()) for one in found]
    above = [float(one.run.test_loss) - one.run.baselines["counts"] for one in found]
    error = max(float(one.run.test_loss.error) for one in found)
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading(f"mean attention on parents >= {ENOUGH:g}", ENOUGH),
        measured=Reading(
            f"mean attention {interval(means)}; loss above that of counting along the edges by {interval(above)} nats",
            min(means),
        ),
        error=Reading(f"loss: one standard error at most {show(error, 2)}", error),
        method="monte carlo (standard error)",
        assumptions=summarise_assumptions("Dirichlet prior 0.1", priors),
        regime=Regime(
            None, f"T = 20, S = 10, {found[0].run.settings.steps} steps of {found[0].run.settings.optimizer}"
        ),
        parts=tuple(parts),
        details=(_table(found),),
        plots=(_plot(found),),
        notes=(
            "All matrices are trained together, from zero. The prior violates the lower bound and non-degeneracy: the "
            "published experiments lie outside the theorem, and work.",
            "The baseline counts what followed the query along the edges and skips roots, with the concentration of "
            "the prior as its constant. The published code takes roots for children of the last token, which puts its "
            "baseline too high: by 0.01 nats on the chain and on its random graph, by up to 0.05 where half of the "
            "positions are roots.",
            "The quick profile trains for a fiftieth of the published steps, at five times the rate and on an eighth "
            "of the batch; the full one with the published settings.",
        ),
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Train on the published tasks and look at the first layer."""
    found, priors = [], []
    for name in context.track(NAMES, "training"):
        preset, rng = PRESETS[name], context.rng(name)
        task = preset.tasks(rng)[0]
        settings = _settings(profile, preset)
        trained = train_with_settings(task, preset.model(), settings, rng=rng, progress=False)
        found.append(_judge(name, trained, task.graph))
        priors.append(DirichletPrior(preset.vocab_size, preset.concentration))
    return _evidence(found, priors)


def control(profile: Profile, context: Context) -> Evidence:
    """Train on sequences without edges, and look for the edges of a chain."""
    preset, rng = PRESETS["paper-chain"], context.rng("no edges")
    prior = DirichletPrior(preset.vocab_size, preset.concentration)
    task = InContextTask(CausalGraph.from_parents([-1] * (preset.length - 1)), prior)
    settings = replace(SHORT, steps=profile.short_training_steps // 2)
    trained = train_with_settings(task, preset.model(), settings, rng=rng, progress=False)
    return _evidence([_judge("no edges", trained, CausalGraph.chain(preset.length))], [prior])


CLAIM = Claim(
    name="trained_attention_is_the_graph",
    number=13,
    title="Training on samples finds the graph",
    statement=(
        r"The disentangled transformer with heads (1, 1), trained from zero on fresh sequences of the chain, of pairs "
        r"and of a random forest ($T = 20$, $S = 10$, Dirichlet prior 0.1), attends to the parents in its first layer, "
        r"and its loss lies between the entropy floor and that of counting tokens."
    ),
    source="Nichani, Damian, Lee (ICML 2024), experiments on the full model",
    predicted=f"mean attention on the parent of at least {ENOUGH:g} on each task",
    assumptions=(),
    run=run,
    control_statement="Sequences whose tokens are all roots, judged by the edges of a chain.",
    control=control,
)
