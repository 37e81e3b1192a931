"""Claim 11: trained under one prior, the model predicts under others, the better the longer the sequence."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from causal_theory import (
    CausalGraph,
    InContextTask,
    OrbitPrior,
    PointPrior,
    Stage1,
    edge_scores,
    excess_loss,
    prediction_error,
)
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics import best_multiple, convergence_times, run_stage1
from verification.ensembles import GAMMA, KINDS, Array, trace_one_matrix

SYMBOLS = 3
TESTED = ("generic", "sparse", "near-permutation")
"""Kinds of matrices that the trained model is tested on, each blended with the share GAMMA of uniform noise."""

SLOWEST = -0.5
"""Largest accepted exponent of the normalised excess against T over the two longest sequences."""

SAMPLED = (20, 50, 100)
"""Lengths at which stage 1 is run and predictions are sampled."""

ENOUGH = 5.0
"""Standard errors by which the sampled error must fall from the shortest to the longest sequence."""

BETA0 = 0.01

FALLS = "the normalised excess falls with every T"
LAST = "exponent of the normalised excess over the two longest sequences"
WORST = f"the mean of max_b |f_b - pi_qb| falls from T = {SAMPLED[0]} to {SAMPLED[-1]}"


def _chain(length: int, prior: OrbitPrior | PointPrior) -> InContextTask:
    return InContextTask(CausalGraph.chain(length), prior)


def _transfer(check: Check, layers: Mapping[int, Array], prior: PointPrior, at: dict[str, Any]) -> Array:
    """Judge models, of which the second layer was trained at each length, under a matrix that they do not know."""
    lengths = list(layers)
    plain, normalised = (
        [excess_loss(_chain(t, prior), A2, epsilon=1.0 / t, normalised=flag) for t, A2 in layers.items()]
        for flag in (False, True)
    )
    values, kind = np.array([float(one) for one in normalised]), at["by"]
    exponents = np.log(values[1:] / values[:-1]) / np.log(np.divide(lengths[1:], lengths[:-1]))
    check.positive(FALLS, values[:-1] - values[1:], unit="nats", T=np.array(lengths[1:]), **at)
    check.within(LAST, exponents[-1], high=SLOWEST, **at)
    for k, length in enumerate(lengths):
        cells = {"matrix": f"{kind} {at['matrix']}", "T": length, "normalised excess": normalised[k]}
        cells |= {"plain excess": plain[k], "exponent from the T before": exponents[k - 1] if k else None}
        check.row("The trained model on a chain under other matrices, nats, eps = 1/T", cells)
    return values


def _second_layer(prior: OrbitPrior, length: int) -> Array:
    return best_multiple(_chain(length, prior), epsilon=1.0 / length)[0] * np.eye(SYMBOLS)


def _first_layer(prior: OrbitPrior, length: int) -> tuple[Array, float]:
    """Return the first attention matrix at the end of stage 1 on a chain, and its lowest attention on a parent."""
    task = _chain(length, prior)
    scores = edge_scores(task, epsilon=1.0 / length)
    step = 1.0 / float(np.abs(scores.value[:-1]).max())
    steps = int(1.2 * convergence_times(scores, task.graph).slowest_child / step) + 100
    settings = Stage1(steps=steps, learning_rate=step * length / BETA0, beta0=BETA0, records=2)
    run = run_stage1(task, settings, epsilon=1.0 / length)
    return run.A1, float(np.nanmin(run.attention_on_parents[-1]))


def _sample(check: Check, training: OrbitPrior, tests: Mapping[str, PointPrior], samples: int) -> None:
    """Sample errors of the model with the first layer that stage 1 found."""
    means: dict[str, list[Any]] = {kind: [] for kind in tests}
    for length in check.track(SAMPLED, "sampled predictions"):
        A1, attention = _first_layer(training, length)
        A2 = _second_layer(training, length)
        for kind, prior in tests.items():
            rng = check.rng("sampled", length, kind)
            found = prediction_error(_chain(length, prior), A1, A2, samples=samples, rng=rng)
            means[kind].append(found.mean)
            cells: dict[str, Any] = {"matrix": kind, "T": length, "lowest attention": attention}
            for column, value, ends in (
                ("mean", found.mean, found.mean_interval),
                ("95 % quantile", found.quantile, found.quantile_interval),
            ):
                cells |= {column: value, f"{column}, from": ends[0], f"{column}, to": ends[1]}
            cells |= {"largest seen": found.largest, "share beyond it, at most": found.unseen}
            check.row("max_b |f_b - pi_qb| over sampled sequences, first layer of stage 1; 95 % intervals", cells)
    for kind, own in means.items():
        drop, error = float(own[0]) - float(own[-1]), float(np.hypot(own[0].error, own[-1].error))
        check.positive(WORST, drop, error=error, kind="standard error", bars=ENOUGH, matrix=kind)


def _test_prior(kind: str, rng: np.random.Generator) -> PointPrior:
    """Return a random matrix with entries of at least ``GAMMA / S``."""
    return PointPrior((1.0 - GAMMA) * KINDS[kind](SYMBOLS, rng) + GAMMA / SYMBOLS)


@claim(
    11,
    source="Nichani, Damian, Lee (ICML 2024), main theorem, generalisation to other transition matrices",
    control="A matrix without mixing: 1 - 1e-6 on the diagonal, entries of 3e-7 elsewhere.",
    breaks=(FALLS, LAST),
    assumptions=("lower_bound", "non_degeneracy"),
)
def out_of_distribution(
    check: Check,
    lengths: tuple[int, ...] = budget(quick=(40, 160, 640, 2560), full=(40, 160, 640, 2560, 10_240)),
    matrices: int = budget(tiny=1, quick=3, full=12),
    samples: int = budget(tiny=1000, quick=2000, full=20_000),
) -> None:
    r"""The trained model works under other priors.

    Trained on a chain under one orbit prior, both stages give a model whose normalised excess loss under **other**
    transition matrices with $\min \pi \ge \gamma/S$ falls with every length, and whose worst error $\max_b |f_b -
    \pi_{qb}|$ falls as well.
    """
    if check.control:
        tests = {"without mixing": [PointPrior((1.0 - 1e-6) * np.eye(SYMBOLS) + 1e-6 / SYMBOLS)]}
    else:
        tests = {kind: [_test_prior(kind, check.rng("test", kind, k)) for k in range(matrices)] for kind in TESTED}
    training = OrbitPrior(trace_one_matrix(SYMBOLS, check.rng("training")))
    layers = {length: _second_layer(training, length) for length in check.track(lengths, "training")}
    curves: dict[str, tuple[tuple[int, ...], Array]] = {}
    for kind in check.track(list(tests), "other matrices"):
        for k, prior in enumerate(tests[kind]):
            values = _transfer(check, layers, prior, {"by": kind, "matrix": k + 1})
            curves.setdefault(kind, (lengths, values))
    if not check.control:
        _sample(check, training, {kind: own[0] for kind, own in tests.items()}, samples)
    check.figure(
        "A trained model under matrices it was not trained on",
        curves,
        x="length T",
        y="normalised excess (nats)",
        description="One line per kind of matrix, first of each kind; double logarithmic axes.",
    )
    check.assumptions("training: orbit prior of trace 1", [training])
    check.assumptions("tests: point priors", [prior for own in tests.values() for prior in own])
    check.note("""The model knows the training prior through one number per length only, the multiple of I in A2: that
    is why it carries over. Sparse matrices and near permutations would need a larger multiple: they pay several times
    the price of counting, and less so as the multiple grows with T.

    The tests need neither symmetry nor a constant mean, only entries bounded from below: point priors, which violate
    assumptions 3 and 4, are fine here, although stage 1 could not have been trained on them.

    The excess is exact for a first layer that attends to the parents. The sampled errors use the matrix that stage 1
    found, with attention of 1 - 1/T.""")
