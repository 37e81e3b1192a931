"""Claim 10: after both stages the model on a chain is an induction head: it counts what followed the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics import best_multiple
from causal_theory.models import causal_softmax
from verification.ensembles import Array, trace_one_matrix

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
FITTED = ALPHAS[4:]
"""For these, from 12 on, the distance from the counts must fall like exp(-alpha)."""

BAND = (0.95, 1.05)
ENOUGH = 4.0
"""Standard errors that a difference of sampled means must exceed."""

LIMIT = "query on itself, from counts with both additions"
CURVES = (LIMIT, *(f"{case}, from N_qb / N_q" for case in ("query on itself", "query uniform", "trained attention")))
"""Predictions, attention exact unless trained, and the counts from which their distance is taken."""

EXACT = "with exact attention to the parents the model predicts what the counts formula does"
ARRIVAL = "stage 1 ends with attention of at least 1 - 1/T on every parent"
TRAINED = "total variation of the trained model from the counts formula, over tanh(alpha / 2T)"
RATE = "the distance from the counts with both additions falls like exp(-alpha): its rate"
FLOOR = "the distance between counts with and without the additions falls with T, for every matrix"
SURPLUS = "attention on children of the query's symbol exceeds their share of the positions"
GROWTH = "attention on children of the query's symbol grows from the shortest sequences to the longest"

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
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def total_variation(one: Array, other: Array) -> Array:
    """Half the sum of absolute differences, for each sequence."""
    return np.asarray(0.5 * np.abs(one - other).sum(axis=1))


@dataclass(frozen=True)
class Head:
    """A trained model on a chain, and sequences of the task, (n, T), to try it on.

    ``number`` tells the transition matrix, ``run`` has both stages, ``best`` is the multiple of I of smallest loss.
    """

    number: int
    length: int
    size: int
    prior: OrbitPrior
    run: PopulationRun
    best: float
    tokens: Tokens

    @property
    def label(self) -> dict[str, Any]:
        """Name the head in tables and comparisons."""
        return {"T": self.length, "matrix": self.number + 1, "S": self.size}

    @property
    def alpha(self) -> float:
        """Diagonal of the trained A2 minus the rest."""
        return float(self.run.stage2.copying[-1])

    @property
    def attention(self) -> Array:
        """Attention of the trained first layer."""
        return causal_softmax(self.run.stage1.A1)

    def predict(self, A1: Array, A2: Array, tokens: Tokens | None = None) -> Array:
        """Return the predictions of a model with these matrices."""
        return ReducedTransformer(A1, A2, 1.0 / self.length).forward(self.tokens if tokens is None else tokens)

    def copying_matrix(self, alpha: float) -> Array:
        """Return a point of the line on which stage 2 moves."""
        return alpha * (np.eye(self.size) - 1.0 / self.size)

    def sharp(self, query_row: str) -> Array:
        """Return logits that attend to the parents exactly; the query row trained, on itself or uniform."""
        logits = SHARP * np.eye(self.length, k=-1)
        rows = {"trained": self.run.stage1.A1[-1], "itself": SHARP * np.eye(self.length)[-1], "uniform": 0.0}
        logits[-1] = rows[query_row]
        return logits

    def masses(self) -> Array:
        """Attention of the second layer, (n, 4): on children of the query's symbol, others, position 0, query."""
        same = self.tokens == self.tokens[:, -1:]
        logits = self.alpha * (same @ self.attention.T)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        children, followers = weights[:, 1:-1], same[:, :-2]
        on_children = [(children * chosen).sum(axis=1) for chosen in (followers, ~followers)]
        return np.stack([*on_children, weights[:, 0], weights[:, -1]], axis=1)

    def shares(self) -> Array:
        """Share of the positions that are children of the query's symbol, for each sequence."""
        return np.asarray((self.tokens[:, :-2] == self.tokens[:, -1:]).sum(axis=1) / self.length)

    def transition_estimate(self) -> tuple[NDArray[np.bool_], Array]:
        """Return which sequences have a child of the query's symbol, and for those the estimate ``N_qb / N_q``."""
        after = self.tokens[:, :-2] == self.tokens[:, -1:]
        followers = (after[:, :, None] & (self.tokens[:, 1:-1, None] == np.arange(self.size))).sum(axis=1)
        total = followers.sum(axis=1)
        known = total > 0
        return known, followers[known] / total[known, None]

    def from_estimate(self, predicted: Array) -> float:
        """Mean total variation from ``N_qb / N_q``, where there is one."""
        known, estimate = self.transition_estimate()
        return float(total_variation(predicted[known], estimate).mean())

    def count_limit(self) -> Array:
        """Return the counts of a query row on itself: position 0 and the query add transitions to themselves."""
        here, _ = counts(self.tokens, sources_of(CausalGraph.chain(self.length)), self.size)
        here = here + (self.tokens[:, -1:] == np.arange(self.size))
        return np.asarray(here / here.sum(axis=1, keepdims=True))


def train(matrix: Array, number: int, length: int, sequences: int, rng: np.random.Generator) -> Head:
    """Run both stages on a chain, and draw sequences."""
    prior = OrbitPrior(matrix)
    task = InContextTask(CausalGraph.chain(length), prior)
    stage1 = Stage1(steps=STAGE1_STEPS, learning_rate=FLOW_STEP * length / Stage1().beta0)
    run = train_population(task, epsilon=1.0 / length, stage1=stage1, stage2=STAGE2)
    best, _ = best_multiple(task, epsilon=1.0 / length)
    return Head(number, length, prior.vocab_size, prior, run, best, task.sample(sequences, rng).tokens)


def _distances(head: Head, tokens: Tokens, graph: CausalGraph, A1: Array, A2: Array, alpha: float) -> Array:
    """Total variation between a model and the counting head on the edges of a graph, for each sequence."""
    expected = counting_head(tokens, sources_of(graph), head.size, alpha, causal_softmax(A1)[-1])
    return total_variation(head.predict(A1, A2, tokens), expected)


def judge_trained(check: Check, setting: str, head: Head, graph: CausalGraph, tokens: Tokens, A1: Array) -> None:
    """Record distances of the trained A2 from the counts formula, over what an attention error of 1/T allows."""
    distances = _distances(head, tokens, graph, A1, head.run.stage2.A2, head.alpha)
    bound = float(np.tanh(abs(head.alpha) / (2.0 * head.length)))  # each logit moves by at most alpha / T
    check.within(TRAINED, distances / bound, high=1.0, by=setting, **head.label)
    cells = {"mean": float(distances.mean()), "largest": float(distances.max()), "tanh(alpha / 2T)": bound}
    check.row("Total variation from the counts formula", {"setting": setting, **head.label, **cells})


def _judge_exact(check: Check, head: Head) -> None:
    """Exact attention to the parents, any alpha, three query rows: an identity."""
    graph = CausalGraph.chain(head.length)
    for query_row in ("trained", "itself", "uniform"):
        for alpha in (head.alpha, *ALPHAS):
            # A constant in each column is invisible to the softmax.
            A2 = head.copying_matrix(alpha) + 0.3
            distances = _distances(head, head.tokens, graph, head.sharp(query_row), A2, alpha)
            check.within(EXACT, distances, high=ROUNDOFF, by=f"query row {query_row}", alpha=alpha, **head.label)


def _show_head(check: Check, head: Head) -> None:
    """Record what stage 1 reached, and where both layers attend to."""
    reached = np.nanmin(head.run.stage1.attention_on_parents[-1])
    leak = float(1.0 - reached)
    check.within(ARRIVAL, reached, low=1.0 - 1.0 / head.length, **head.label)
    masses, shares = head.masses().T, head.shares()
    surplus = masses[0] - shares
    error = surplus.std(ddof=1) / np.sqrt(len(surplus))
    check.positive(SURPLUS, surplus.mean(), error=error, kind="standard error", bars=ENOUGH, **head.label)
    cells = {**head.label, "trained alpha": head.alpha, "best alpha": head.best}
    columns = ("attention on children of q", "on other children", "on position 0", "on the query")
    cells |= {column: float(mass.mean()) for column, mass in zip(columns, masses, strict=True)}
    cells |= {"share of children of q": float(shares.mean())}
    check.row("Trained models: attention of the second layer", cells)
    row, transition = head.attention[-1], head.prior.transition
    drive = float(np.mean(np.diagonal(transition) / stationary_distribution(transition))) - 1.0
    cells = {**head.label, "most on other keys than the parent": leak, "that times T": leak * head.length}
    cells |= {"sum_a pi_aa / (S mu_a) - 1": drive}
    cells |= {"query's row: on itself": float(row[-1]), "most on another position": float(row[:-1].max())}
    check.row("Attention of the first layer after stage 1", cells)


def _sharpening(heads: Sequence[Head]) -> dict[str, Array]:
    """Mean distances from counts at each alpha, averaged over heads."""
    found = []
    for head in heads:
        limit, own = head.count_limit(), []
        for alpha in ALPHAS:
            layers = (head.sharp("itself"), head.sharp("uniform"), head.run.stage1.A1)
            predicted = [head.predict(A1, head.copying_matrix(alpha)) for A1 in layers]
            own.append([total_variation(predicted[0], limit).mean(), *map(head.from_estimate, predicted)])
        found.append(own)
    return dict(zip(CURVES, np.mean(found, axis=0).T, strict=True))


def rate(distances: Array) -> float:
    """Rate at which a distance falls against alpha, over the fitted range."""
    return float(-np.polyfit(FITTED, np.log(distances[-len(FITTED) :]), 1)[0])


def _sharpen(check: Check, by_length: dict[int, list[Head]]) -> None:
    """Let alpha grow, with exact and with trained attention."""
    rates, curves = [], {}
    for length, heads in by_length.items():
        curves = _sharpening(heads)
        rates.append(rate(curves[LIMIT]))
        check.within(RATE, rates[-1], *BAND, T=length)
        for k, alpha in enumerate(ALPHAS):
            cells = {"T": length, "alpha": alpha, "exp(-alpha)": float(np.exp(-alpha))}
            cells |= {name: float(values[k]) for name, values in curves.items()}
            check.row("Mean total variation from counts", cells)
    check.measure("median and spread of these rates", np.median(rates), error=np.ptp(rates), kind="spread")
    x = np.array([float(np.exp(alpha)) for alpha in ALPHAS])
    lines = {**{name: (x, values) for name, values in curves.items()}, "slope -1, to compare with": (x, 2.0 / x)}
    title = f"Distance of the head from counting, T = {length}"
    text = "Distance against exp(alpha), double logarithmic axes; only exact counts are approached for ever."
    check.figure(title, lines, x="exp(alpha)", y="mean total variation", description=text)


def _lengthen(check: Check, by_length: dict[int, list[Head]]) -> None:
    """Compare sequences of different lengths under the same matrices."""
    lengths = list(by_length)
    floors = [[head.from_estimate(head.count_limit()) for head in heads] for heads in by_length.values()]
    means = [float(np.mean(own)) for own in floors]
    for length, mean in zip(lengths, means, strict=True):
        check.measure("mean distance between counts with and without the additions", mean, by=f"T = {length}")
    for longer, (short, long) in zip(lengths[1:], pairwise(floors), strict=True):
        drop = np.subtract(short, long)
        check.positive(FLOOR, drop, T=longer, matrix=np.arange(1, len(drop) + 1))
    check.measure("exponent of this mean distance in T", np.polyfit(np.log(lengths), np.log(means), 1)[0])
    for one, other in zip(by_length[lengths[0]], by_length[lengths[-1]], strict=True):
        first, last = (head.masses()[:, 0] for head in (one, other))
        error = np.hypot(first.std(ddof=1), last.std(ddof=1)) / np.sqrt(len(first))
        grown = last.mean() - first.mean()
        check.positive(GROWTH, grown, error=error, kind="standard error", bars=ENOUGH, matrix=one.number + 1)


def other_graphs(length: int) -> dict[str, CausalGraph]:
    """Graphs whose edges are not those of the chain: every second one, and none."""
    shifted = [-1, -1, *range(length - 3)]
    return {"pairs": CausalGraph.pairs(length), "parents two positions back": CausalGraph.from_parents(shifted)}


def _oppose(check: Check, head: Head, sequences: int) -> None:
    """Ask the same of the trained matrices on other graphs, and of a first layer that was not trained."""
    for name, graph in other_graphs(head.length).items():
        tokens = InContextTask(graph, head.prior).sample(sequences, check.rng("tokens", name, head.number)).tokens
        judge_trained(check, f"chain's matrices on {name}", head, graph, tokens, head.run.stage1.A1)
    chain, uniform = CausalGraph.chain(head.length), np.zeros((head.length, head.length))
    judge_trained(check, "first layer not trained", head, chain, head.tokens, uniform)


@claim(
    10,
    source=(
        "Olsson et al., In-context learning and induction heads (2022), for the name; Nichani, Damian, Lee (ICML "
        "2024): on a chain Algorithm 1 learns one"
    ),
    control=(
        "The matrices trained on a chain on sequences of other graphs, with counts along their edges; and a first "
        "layer that was not trained, on the chain."
    ),
    breaks=(TRAINED,),
    assumptions=("lower_bound", "non_degeneracy", "symmetry", "constant_mean"),
)
def induction_head(
    check: Check,
    lengths: tuple[int, ...] = budget(tiny=(20, 100), quick=(20, 50, 100), full=(20, 50, 100, 200, 400)),
    matrices: int = budget(quick=2, full=8),
    sequences: int = budget(tiny=300, quick=1000, full=4000),
) -> None:
    r"""On a chain the trained model is an induction head.

    Let $N_{qb}$ count the positions $i \ge 1$ of the context with $s_{i-1} = q$ and $s_i = b$, and $M_b$ those with
    $s_{i-1} \ne q$ and $s_i = b$. With $A_2 = \alpha (I - 11^T/S) + \mathrm{const}$ and a first layer that attends to
    the parents the model predicts exactly $f_b \propto e^{\alpha} N_{qb} + M_b + e^{\alpha [s_0 = q]} [s_0 = b] +
    e^{\alpha\kappa} [q = b]$, with $\kappa$ the attention of the query's row on tokens equal to $q$. After stage 1 it
    does so up to the attention error $1/T$: total variation at most $\tanh(\alpha / 2T)$. As $\alpha$ grows $f$ tends
    to the empirical transition estimate $N_{qb} / N_q$, up to the terms of position 0 and of the query, which are
    $O(1 / N_q)$; to the counts with both of these terms, where the query's row attends to itself, it tends like
    $e^{-\alpha}$. Training moves attention to the positions whose parent equals the query, the more the longer the
    sequence.
    """
    by_length: dict[int, list[Head]] = {length: [] for length in lengths[: 1 if check.control else None]}
    for length, k in check.track([(t, k) for t in by_length for k in range(matrices)], "both stages"):
        matrix = trace_one_matrix(SIZES[k % len(SIZES)], check.rng("matrix", k))
        head = train(matrix, k, length, sequences, check.rng("tokens", k, length))
        by_length[length].append(head)
        if check.control:
            _oppose(check, head, sequences)
            continue
        _judge_exact(check, head)
        _show_head(check, head)
        judge_trained(check, "trained attention", head, CausalGraph.chain(length), head.tokens, head.run.stage1.A1)
    check.assumptions("orbit priors of trace 1", [head.prior for head in by_length[length]])
    if check.control:
        return
    _sharpen(check, by_length)
    _lengthen(check, by_length)
    check.note(f"""The formula is evaluated from counts alone, the prediction by the model; the formula must hold on
    every sequence, at every T. Position 0 has no parent and a single key, its own: it counts as a transition from s_0
    to s_0. Attention on children of the query's symbol still grows at T = {lengths[-1]}.

    An attention error of 1/T moves each logit by at most alpha / T, down where the parent equals the query and up
    elsewhere: ratios of weights move by at most e^(2 alpha / T), hence the weights by at most tanh(alpha / 2T) in total
    variation.

    The query's own row always equals itself, so that its own score does not fade as others in this row do: its limit is
    sum_a pi_aa / (S mu_a) - 1 (eps to 0). Where that is positive the row is driven to itself, and once it is there the
    head counts a transition from q to q that never happened; a weak drive does not get there before stage 1 ends. Where
    it is negative the row turns away from itself and spreads over the others. Stage 2 is run with a uniform key for the
    query, which is close to the second case. The difference is one term beside N_q.

    Trained heads are soft: at finite T the best alpha is finite, and attention left on other children smooths the
    estimate. Nor can alpha grow for ever with trained attention: once alpha / T is large, small differences between
    rows decide which child wins, and the distance from N_qb / N_q rises again.""")
