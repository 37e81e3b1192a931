"""Claim 10: after both stages the model on a chain is an induction head: it counts what followed the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from causal_theory import (
    CausalGraph,
    InContextTask,
    OrbitPrior,
    PopulationRun,
    ReducedTransformer,
    Stage1,
    Stage2,
    stationary_distribution,
    train_population,
)
from causal_theory.dynamics import best_multiple
from causal_theory.models import causal_softmax
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import trace_one_matrix
from verification.evidence import (
    METHODS,
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

SIZES = (3, 5)
"""Numbers of symbols, in turn."""

ROUNDOFF = 1e-12
FLOW_STEP = 5.0
"""``learning_rate * beta0 / T`` of stage 1, the same at every length."""

STAGE1_STEPS = 100_000
STAGE2 = Stage2(steps=60, learning_rate=40.0)
"""Long enough to come close to the best alpha at these lengths: the report shows both."""

SHARP = 1000.0
"""A logit that leaves nothing to other keys in floating point."""

ALPHAS = (1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0)
FITTED = (12.0, 20.0)
"""Between these the distance from the counts must fall like exp(-alpha)."""

BAND = (0.95, 1.05)
ENOUGH = 4.0
"""Standard errors that a difference of sampled means must exceed."""

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


def sources_of(graph: CausalGraph) -> Tokens:
    """Return for every context position its parent, and a root's own position, which is what position 0 attends to."""
    parents = graph.parent_array[:-1]
    return np.where(parents >= 0, parents, np.arange(len(parents)))


def counts(tokens: Tokens, sources: Tokens, size: int) -> tuple[Array, Array]:
    """Return for each sequence how often each symbol stands where the source is the query, and elsewhere; (n, S)."""
    context, query = tokens[:, :-1], tokens[:, -1:]
    matched = context[:, sources] == query
    symbols = context[:, :, None] == np.arange(size)
    return (symbols & matched[:, :, None]).sum(axis=1), (symbols & ~matched[:, :, None]).sum(axis=1)


def counting_head(tokens: Tokens, sources: Tokens, size: int, alpha: float, query_row: Array) -> Array:
    """Return the prediction of a head that weighs matching positions by ``e^alpha``, from counts alone."""
    here, elsewhere = counts(tokens, sources, size)
    query = tokens[:, -1:]
    on_query = (tokens == query) @ query_row
    own = np.exp(alpha * (on_query[:, None] - 1.0)) * (np.arange(size) == query)
    weighted = here + np.exp(-alpha) * elsewhere + own
    prediction: Array = weighted / weighted.sum(axis=1, keepdims=True)
    return prediction


def total_variation(one: Array, other: Array) -> Array:
    """Half the sum of absolute differences, for each sequence."""
    distance: Array = 0.5 * np.abs(one - other).sum(axis=1)
    return distance


@dataclass(frozen=True)
class Head:
    """A trained model on a chain and sequences to try it on.

    Attributes
    ----------
    number : int
        Which transition matrix.
    prior : OrbitPrior
        The prior.
    run : PopulationRun
        Both stages.
    best : float
        Multiple of I for A2 with the smallest loss.
    tokens : ndarray, shape (n, T)
        Sequences of the task.
    epsilon : float
        1/T.
    """

    number: int
    prior: OrbitPrior
    run: PopulationRun
    best: float
    tokens: Tokens
    epsilon: float

    @property
    def length(self) -> int:
        """T."""
        return int(self.tokens.shape[1])

    @property
    def size(self) -> int:
        """S."""
        return self.prior.vocab_size

    @property
    def alpha(self) -> float:
        """Diagonal of the trained A2 minus the rest."""
        return float(self.run.stage2.copying[-1])

    @property
    def attention(self) -> Array:
        """Attention of the trained first layer."""
        return causal_softmax(self.run.stage1.A1)

    @property
    def leak(self) -> float:
        """Largest attention of a child row on other keys than the parent."""
        return float(1.0 - np.nanmin(self.run.stage1.attention_on_parents[-1]))

    @property
    def bound(self) -> float:
        """Total variation that an attention error of 1/T can cause: each logit moves by at most ``alpha / T``."""
        return float(np.tanh(abs(self.alpha) / (2.0 * self.length)))

    def predict(self, A1: Array, A2: Array) -> Array:
        """Return the predictions of a model with these matrices."""
        return ReducedTransformer(A1, A2, self.epsilon).forward(self.tokens)

    def copying_matrix(self, alpha: float) -> Array:
        """Return a point of the line on which stage 2 moves."""
        return alpha * (np.eye(self.size) - 1.0 / self.size)

    def sharp(self, query_row: str) -> Array:
        """Return logits that attend to the parents exactly; the query row trained, on itself or uniform."""
        logits = SHARP * np.eye(self.length, k=-1)
        logits[-1] = 0.0
        if query_row == "trained":
            logits[-1] = self.run.stage1.A1[-1]
        elif query_row == "itself":
            logits[-1, -1] = SHARP
        return logits

    def masses(self) -> Array:
        """Attention of the trained second layer on children of the query's symbol, other children, position 0, query.

        Shape (n, 4).
        """
        same = self.tokens == self.tokens[:, -1:]
        logits = self.alpha * (same @ self.attention.T)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        children, followers = weights[:, 1:-1], same[:, :-2]
        return np.stack(
            [
                (children * followers).sum(axis=1),
                (children * ~followers).sum(axis=1),
                weights[:, 0],
                weights[:, -1],
            ],
            axis=1,
        )

    def shares(self) -> Array:
        """Share of the positions that are children of the query's symbol, for each sequence."""
        share: Array = (self.tokens[:, :-2] == self.tokens[:, -1:]).sum(axis=1) / self.length
        return share

    def transition_estimate(self) -> tuple[NDArray[np.bool_], Array]:
        """Return which sequences have a child of the query's symbol, and for those the estimate ``N_qb / N_q``."""
        after = self.tokens[:, :-2] == self.tokens[:, -1:]
        followers = (after[:, :, None] & (self.tokens[:, 1:-1, None] == np.arange(self.size))).sum(axis=1)
        total = followers.sum(axis=1)
        known = total > 0
        return known, followers[known] / total[known, None]

    def count_limit(self) -> Array:
        """Return the counts to which the head tends when its query row is on itself.

        Two transitions are added to those of the chain: position 0 to itself, and the query to itself.
        """
        here, _ = counts(self.tokens, sources_of(CausalGraph.chain(self.length)), self.size)
        here = here + (self.tokens[:, -1:] == np.arange(self.size))
        limit: Array = here / here.sum(axis=1, keepdims=True)
        return limit


def train(matrix: Array, number: int, length: int, sequences: int, rng: np.random.Generator) -> Head:
    """Run both stages on a chain, and draw sequences."""
    prior = OrbitPrior(matrix)
    task = InContextTask(CausalGraph.chain(length), prior)
    beta0 = Stage1().beta0
    stage1 = Stage1(steps=STAGE1_STEPS, learning_rate=FLOW_STEP * length / beta0)
    run = train_population(task, epsilon=1.0 / length, stage1=stage1, stage2=STAGE2)
    best, _ = best_multiple(task, epsilon=1.0 / length)
    return Head(number, prior, run, best, task.sample(sequences, rng).tokens, 1.0 / length)


def _heads(profile: Profile, context: Context, lengths: Sequence[int]) -> list[Head]:
    jobs = [(k, length) for length in lengths for k in range(profile.training_matrices)]
    found = []
    for k, length in context.track(jobs, "both stages"):
        matrix = trace_one_matrix(SIZES[k % len(SIZES)], context.rng("matrix", k))
        found.append(train(matrix, k, length, profile.training_sequences, context.rng("tokens", k, length)))
    return found


def _distances(head: Head, tokens: Tokens, graph: CausalGraph, A1: Array, A2: Array, alpha: float) -> Array:
    """Total variation between a model and the counting head on the edges of a graph, for each sequence."""
    predicted = ReducedTransformer(A1, A2, head.epsilon).forward(tokens)
    expected = counting_head(tokens, sources_of(graph), head.size, alpha, causal_softmax(A1)[-1])
    return total_variation(predicted, expected)


def _identity_part(heads: Sequence[Head]) -> Part:
    """Exact attention to the parents, any alpha, three query rows: an identity."""
    worst, number = 0.0, 0
    for head in heads:
        graph = CausalGraph.chain(head.length)
        for query_row in ("trained", "itself", "uniform"):
            A1 = head.sharp(query_row)
            for alpha in (head.alpha, *ALPHAS):
                # A constant in each column is invisible to the softmax.
                A2 = head.copying_matrix(alpha) + 0.3
                distances = _distances(head, head.tokens, graph, A1, A2, alpha)
                worst, number = max(worst, float(distances.max())), number + len(distances)
    return Part(
        name="exact attention to the parents",
        verdict=verdict_of(worst <= ROUNDOFF),
        predicted=Reading(f"equal to the counts formula, to {ROUNDOFF:g}", 0.0),
        measured=Reading(f"differ by at most {show(worst)} in {number} predictions", worst),
        error=Reading("roundoff"),
        method=METHODS[0],
    )


@dataclass(frozen=True)
class Trial:
    """Trained matrices on sequences, beside the counts formula.

    Attributes
    ----------
    head : Head
        Whose matrices.
    distances : ndarray
        Total variation, for each sequence.
    """

    head: Head
    distances: Array

    @property
    def used(self) -> float:
        """Largest distance over what an attention error of 1/T allows."""
        return float(self.distances.max() / self.head.bound)


def _trained_part(name: str, trials: Sequence[Trial]) -> Part:
    worst = max(trials, key=lambda trial: trial.used)
    total = sum(len(trial.distances) for trial in trials)
    largest = float(worst.distances.max())
    return Part(
        name=name,
        verdict=verdict_of(worst.used <= 1.0),
        predicted=Reading("the counts formula, to tanh(alpha / 2T)", worst.head.bound),
        measured=Reading(f"up to {show(worst.used)} of that: {show(largest)}; {total} sequences", largest),
        error=Reading("roundoff"),
        method=METHODS[0],
    )


def _arrival_part(heads: Sequence[Head]) -> Part:
    worst = max(heads, key=lambda head: head.leak * head.length)
    return Part(
        name="stage 1 reaches the parents",
        verdict=verdict_of(all(head.run.stage1.status == "converged" for head in heads)),
        predicted=Reading("attention of at least 1 - 1/T on every parent", 1.0),
        measured=Reading(f"attention on other keys at most {show(worst.leak * worst.length, 4)} / T", worst.leak),
        error=Reading("roundoff"),
        method=METHODS[0],
    )


def _sharpening(heads: Sequence[Head]) -> dict[str, Array]:
    """Mean distances from counts at each alpha, averaged over heads."""
    found: dict[str, list[list[float]]] = {"limit": [], "itself": [], "uniform": [], "trained": []}
    for head in heads:
        known, estimate = head.transition_estimate()
        limit = head.count_limit()
        own: dict[str, list[float]] = {name: [] for name in found}
        for alpha in ALPHAS:
            A2 = head.copying_matrix(alpha)
            itself = head.predict(head.sharp("itself"), A2)
            own["limit"].append(float(total_variation(itself, limit).mean()))
            rows = {
                "itself": itself,
                "uniform": head.predict(head.sharp("uniform"), A2),
                "trained": head.predict(head.run.stage1.A1, A2),
            }
            for name, predicted in rows.items():
                own[name].append(float(total_variation(predicted[known], estimate).mean()))
        for name, values in own.items():
            found[name].append(values)
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def _rate(distances: Array) -> float:
    """Rate at which a distance falls against alpha, over the fitted range."""
    first, last = (ALPHAS.index(alpha) for alpha in FITTED)
    return float(-np.polyfit(ALPHAS[first : last + 1], np.log(distances[first : last + 1]), 1)[0])


def _limit_part(curves: dict[int, dict[str, Array]]) -> Part:
    rates = [_rate(own["limit"]) for own in curves.values()]
    final = max(float(own["limit"][-1]) for own in curves.values())
    return Part(
        name="large alpha, query row on itself",
        verdict=verdict_of(all(BAND[0] <= rate <= BAND[1] for rate in rates)),
        predicted=Reading(f"distance from the counts like exp(-alpha): rate 1 (band {BAND[0]} to {BAND[1]})", 1.0),
        measured=Reading(
            f"rate {interval(rates, 4)} over T; distance {show(final)} at alpha = {ALPHAS[-1]:g}",
            float(np.median(rates)),
        ),
        error=Reading(f"spread {show(float(np.ptp(rates)))}", float(np.ptp(rates))),
        method=METHODS[0],
    )


def _floors(heads: Sequence[Head]) -> list[float]:
    """Mean distances of the two limits, with and without the two added transitions, per head."""
    found = []
    for head in heads:
        known, estimate = head.transition_estimate()
        found.append(float(total_variation(head.count_limit()[known], estimate).mean()))
    return found


def _floor_part(heads: Sequence[Head], lengths: Sequence[int]) -> Part:
    """Judge that the added transitions matter less and less as sequences grow."""
    floors = {length: _floors([head for head in heads if head.length == length]) for length in lengths}
    falls = all(
        one > other for short, long in pairwise(lengths) for one, other in zip(floors[short], floors[long], strict=True)
    )
    means = [float(np.mean(floors[length])) for length in lengths]
    exponent = float(np.polyfit(np.log(lengths), np.log(means), 1)[0])
    return Part(
        name="counts with and without the added transitions",
        verdict=verdict_of(falls),
        predicted=Reading("their distance falls with T, for every matrix"),
        measured=Reading(
            f"{', '.join(f'{show(mean)} at T = {length}' for mean, length in zip(means, lengths, strict=True))}; "
            f"exponent {show(exponent)}",
            exponent,
        ),
        error=Reading("means over sequences that contain a child of the query's symbol"),
        method=METHODS[-1],
    )


def _mass_part(heads: Sequence[Head], lengths: Sequence[int]) -> Part:
    """Judge that attention goes to the followers of the query, and more so on longer sequences."""
    surplus, growth = [], []
    for head in heads:
        surplus.append(_in_errors(head.masses()[:, 0] - head.shares()))
    ends = [[head for head in heads if head.length == length] for length in (lengths[0], lengths[-1])]
    for short, long in zip(*ends, strict=True):
        one, other = (head.masses()[:, 0] for head in (short, long))
        error = np.hypot(one.std(ddof=1), other.std(ddof=1)) / np.sqrt(len(one))
        growth.append(float((other.mean() - one.mean()) / error))
    means = [[float(head.masses()[:, 0].mean()) for head in end] for end in ends]
    return Part(
        name="attention on children of the query's symbol",
        verdict=verdict_of(min(surplus) > ENOUGH and min(growth) > ENOUGH),
        predicted=Reading(f"more than their share, and more on longer sequences, by {ENOUGH:g} s.e."),
        measured=Reading(
            f"{interval(means[0], 2)} at T = {lengths[0]}, {interval(means[1], 2)} at T = {lengths[-1]}; at least "
            f"{show(min(surplus))} s.e. above the share, grows by at least {show(min(growth))} s.e.",
            min(means[1]),
        ),
        error=Reading("standard errors of means over sequences"),
        method=METHODS[-1],
    )


def _in_errors(values: Array) -> float:
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))


def _head_table(trials: Sequence[Trial]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for trial in trials:
        head = trial.head
        children, others, first, query = head.masses().mean(axis=0)
        rows.append(
            (
                head.length,
                f"{head.number + 1} (S = {head.size})",
                show(head.alpha),
                show(head.best),
                show(float(head.shares().mean())),
                show(float(children)),
                show(float(others)),
                show(float(first)),
                show(float(query)),
                show(float(trial.distances.mean())),
                show(float(trial.distances.max())),
                show(head.bound),
            )
        )
    columns = (
        "T", "matrix", "trained alpha", "best alpha", "share of children of q", "attention on them",
        "on other children", "on position 0", "on the query", "mean distance from the formula", "largest",
        "tanh(alpha / 2T)",
    )  # fmt: skip
    title = "Trained models: attention of the second layer, and total variation from the counts formula"
    return Table(title, columns, tuple(rows))


def _query_table(heads: Sequence[Head]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for head in heads:
        transition = head.prior.transition
        drive = float(np.mean(np.diagonal(transition) / stationary_distribution(transition))) - 1.0
        row = head.attention[-1]
        rows.append(
            (
                head.length,
                f"{head.number + 1} (S = {head.size})",
                show(drive),
                show(float(row[-1])),
                show(row[:-1].max()),
            )
        )
    columns = ("T", "matrix", "sum_a pi_aa / (S mu_a) - 1", "attention on itself", "largest on another position")
    return Table("The query's own row after stage 1", columns, tuple(rows))


def _sharpening_table(curves: dict[str, Array], length: int) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (alpha, show(float(np.exp(-alpha))), *(show(float(values[k])) for values in curves.values()))
        for k, alpha in enumerate(ALPHAS)
    ]
    columns = (
        "alpha", "exp(-alpha)", "exact attention, query on itself: from counts with both additions",
        "the same: from N_qb / N_q", "exact attention, query uniform: from N_qb / N_q",
        "trained attention: from N_qb / N_q",
    )  # fmt: skip
    return Table(f"Mean total variation from counts, T = {length}", columns, tuple(rows))


def _plot(curves: dict[str, Array], length: int) -> Plot:
    x = tuple(float(np.exp(alpha)) for alpha in ALPHAS)
    labels = {
        "limit": "query on itself, from counts with additions",
        "itself": "query on itself, from N_qb / N_q",
        "uniform": "query uniform, from N_qb / N_q",
        "trained": "trained attention, from N_qb / N_q",
    }
    return Plot(
        name="induction_head",
        title=f"Distance of the head from counting, T = {length}",
        xlabel="exp(alpha)",
        ylabel="mean total variation",
        curves=(
            *(Curve(labels[name], x, tuple(values)) for name, values in curves.items()),
            Curve("slope -1, to compare with", x, tuple(2.0 / np.array(x))),
        ),
        description="Distance against exp(alpha), double logarithmic axes; only exact counts are approached for ever.",
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Train on chains, and compare predictions with counts along the chain."""
    lengths = profile.training_lengths
    heads = _heads(profile, context, lengths)
    trials = []
    for head in heads:
        A1, A2 = head.run.stage1.A1, head.run.stage2.A2
        trials.append(Trial(head, _distances(head, head.tokens, CausalGraph.chain(head.length), A1, A2, head.alpha)))
    curves = {length: _sharpening([head for head in heads if head.length == length]) for length in lengths}
    identity, trained = _identity_part(heads), _trained_part("trained attention", trials)
    limit = _limit_part(curves)
    parts = (
        identity,
        _arrival_part(heads),
        trained,
        limit,
        _floor_part(heads, lengths),
        _mass_part(heads, lengths),
    )
    longest = lengths[-1]
    priors = [head.prior for head in heads if head.length == longest]
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=Reading("the counts formula: exactly, and to tanh(alpha / 2T) after training"),
        measured=Reading(
            f"{show(identity.measured.number or 0.0)} with exact attention; after training {trained.measured.text}",
            trained.measured.number,
        ),
        error=Reading("roundoff; sequences are a sample"),
        method=METHODS[-1],
        assumptions=summarise_assumptions("orbit priors of trace 1", priors),
        regime=Regime(
            False,
            f"the formula at every T; attention on children of the query's symbol still grows at T = {longest}",
        ),
        parts=parts,
        details=(_head_table(trials), _query_table(heads), _sharpening_table(curves[longest], longest)),
        plots=(_plot(curves[longest], longest),),
        notes=(
            "The formula is evaluated from counts alone, the prediction by the model, on "
            f"{profile.training_sequences} sequences per model; the formula must hold on every one.",
            "An attention error of 1/T moves each logit by at most alpha / T, down where the parent equals the query "
            "and up elsewhere: ratios of weights move by at most e^(2 alpha / T), hence the weights by at most "
            "tanh(alpha / 2T) in total variation.",
            "Position 0 has no parent and a single key, its own: it counts as a transition from s_0 to s_0.",
            "The query's own row is trained as well. It always equals itself, so that its own score does not fade as "
            "those of the others in this row do: its limit is sum_a pi_aa / (S mu_a) - 1 (eps to 0). Where that is "
            "positive the row is driven to itself, and once it is there the head counts a transition from q to q that "
            "never happened; a weak drive does not get there before stage 1 ends. Where it is negative the row turns "
            "away from itself and spreads over the others. Stage 2 is run with a uniform key for the query, which is "
            "close to the second case. The difference is one term beside N_q.",
            "Trained heads are soft. At finite T the best alpha is finite: part of the attention stays on other "
            "children, which smooths the estimate. Attention on children of the query's symbol comes near 1 only as T "
            "grows.",
            "With trained attention alpha cannot grow for ever: once alpha / T is large, small differences between "
            "rows decide which child wins, and the distance from N_qb / N_q rises again (last column).",
        ),
    )


def _other_graphs(length: int) -> dict[str, CausalGraph]:
    """Graphs whose edges are not those of the chain: every second one, and none."""
    shifted = [-1, -1, *range(length - 3)]
    return {"pairs": CausalGraph.pairs(length), "parents two positions back": CausalGraph.from_parents(shifted)}


def control(profile: Profile, context: Context) -> Evidence:
    """Ask the same of the trained matrices on other graphs, and of a first layer that was not trained."""
    length = profile.training_lengths[0]
    heads = _heads(profile, context, [length])
    trials: dict[str, list[Trial]] = {}
    for head in heads:
        A1, A2 = head.run.stage1.A1, head.run.stage2.A2
        for name, graph in _other_graphs(length).items():
            rng = context.rng("tokens", name, head.number)
            tokens = InContextTask(graph, head.prior).sample(profile.training_sequences, rng).tokens
            found = _distances(head, tokens, graph, A1, A2, head.alpha)
            trials.setdefault(f"chain's matrices on {name}", []).append(Trial(head, found))
        untrained = _distances(head, head.tokens, CausalGraph.chain(length), np.zeros_like(A1), A2, head.alpha)
        trials.setdefault("first layer not trained", []).append(Trial(head, untrained))
    parts = [_trained_part(name, own) for name, own in trials.items()]
    mildest = min(parts, key=lambda part: part.measured.number or 0.0)
    return Evidence(
        verdict=combine_verdicts(parts),
        predicted=mildest.predicted,
        measured=Reading(f"{mildest.name}: {mildest.measured.text}", mildest.measured.number),
        error=mildest.error,
        method=METHODS[0],
        assumptions=summarise_assumptions("orbit priors of trace 1", [head.prior for head in heads]),
        regime=Regime(None, f"T = {length}"),
        parts=tuple(parts),
        details=(
            Table(
                f"Total variation from the counts formula, T = {length}",
                ("setting", "mean", "largest", "bound"),
                tuple(
                    (
                        name,
                        interval([float(trial.distances.mean()) for trial in own]),
                        interval([float(trial.distances.max()) for trial in own]),
                        interval([trial.head.bound for trial in own]),
                    )
                    for name, own in trials.items()
                ),
            ),
        ),
    )


CLAIM = Claim(
    name="induction_head",
    number=10,
    title="On a chain the trained model is an induction head",
    statement=(
        r"Let $N_{qb}$ count the positions $i \ge 1$ of the context with $s_{i-1} = q$ and $s_i = b$, and $M_b$ those "
        r"with $s_{i-1} \ne q$ and $s_i = b$. With $A_2 = \alpha (I - 11^T/S) + \mathrm{const}$ and a first layer that "
        r"attends to the parents the model predicts exactly "
        r"$f_b \propto e^{\alpha} N_{qb} + M_b + e^{\alpha [s_0 = q]} [s_0 = b] + e^{\alpha\kappa} [q = b]$, with "
        r"$\kappa$ the attention of the query's row on tokens equal to $q$. After stage 1 it does so up to the "
        r"attention error $1/T$: total variation at most $\tanh(\alpha / 2T)$. As $\alpha$ grows $f$ tends to the "
        r"empirical transition estimate $N_{qb} / N_q$, up to the terms of position 0 and of the query, which are "
        r"$O(1 / N_q)$; to the counts with both of these terms, where the query's row attends to itself, it tends like "
        r"$e^{-\alpha}$. Training moves attention to the positions whose parent equals the query, the more the longer "
        r"the sequence."
    ),
    source=(
        "Olsson et al., In-context learning and induction heads (2022), for the name; Nichani, Damian, Lee (ICML "
        "2024): on a chain Algorithm 1 learns one"
    ),
    predicted="equal to the counts formula, exactly or within the attention error",
    assumptions=("lower_bound", "non_degeneracy", "symmetry", "constant_mean"),
    run=run,
    control_statement=(
        "The matrices trained on a chain on sequences of other graphs, with counts along their edges; and a first "
        "layer that was not trained, on the chain."
    ),
    control=control,
)
