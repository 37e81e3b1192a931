"""Parts of the claims on tokens with several parents."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    InContextTask,
    PointPrior,
    TrainingRun,
    parent_attention_loss,
)
from causal_theory.claims import Check
from causal_theory.dynamics.learning_curve import best_multiple_of
from verification.claims import heads_split_the_parents as split
from verification.claims import k_head_construction as construction
from verification.claims import pairwise_information_is_not_enough as pairwise
from verification.claims import subset_information_finds_parents as subsets

TENTH = Fraction(1, 10)


def verdicts(check):
    """The verdict of every part that a check has recorded."""
    return {part.name: part.verdict for part in check.findings().parts}


# Claim 18: pairs of tokens.


def informations_by_hand(kernel, subset, length=9):
    """Chi-square, total variation and modified chi-square from the probability of every sequence, in fractions."""
    size = len(kernel)
    joint, sets, token = {}, {}, {}
    for sequence in product(range(size), repeat=length):
        p = Fraction(1, size**2)
        for a, b, c in zip(sequence, sequence[1:], sequence[2:], strict=False):
            p *= kernel[a, b, c]
        z, e = tuple(sequence[j] for j in subset), sequence[-1]
        joint[z, e] = joint.get((z, e), 0) + p
        sets[z] = sets.get(z, 0) + p
        token[e] = token.get(e, 0) + p
    cells = [(joint[z, e], sets[z], token[e]) for z, e in joint if sets[z] * token[e]]
    return {
        "chi2": sum((p / q / r - 1) ** 2 * q * r for p, q, r in cells),
        "tv": sum(max(p - q * r, Fraction(0)) for p, q, r in cells),
        "modified_chi2": sum(q**2 * ((p / q) ** 2 / r - r) for p, q, r in cells),
    }


@pytest.mark.parametrize("subset", [(5,), (7,), (6, 7), (2, 5)])
def test_informations_in_fractions(subset):
    kernel = pairwise.rational_kernel(2, np.random.default_rng(1))
    case = pairwise.Exact("random", kernel)
    for measure, value in informations_by_hand(kernel, subset).items():
        assert case.rational(subset, measure) == value


def test_informations_of_a_sum_in_closed_form():
    """With noise 1/10 each step of the exclusive or flips with correlation 4/5: one step from 6 and 7, two from 5."""
    case, check = pairwise.Exact("sum", pairwise.sum_of_parents(2, TENTH)), Check("test")
    assert case.rational((6, 7)) == Fraction(4, 5) ** 2
    assert case.singles == (0, 0, Fraction(4, 5) ** 8, 0, 0, Fraction(4, 5) ** 4, 0, 0)
    pairwise.check_sum(check, case)
    pairwise.check_engine(check, case)
    assert verdicts(check) == {pairwise.ALONE: "holds", pairwise.BOTH: "holds", pairwise.ENGINE: "holds"}


def test_copies_do_not_hide():
    case, check = pairwise.Exact("copy", pairwise.copy_of_a_parent(3, TENTH)), Check("test")
    assert case.singles[7] == case.rational((6, 7)) > 0
    pairwise.check_sum(check, case)
    assert verdicts(check) == {pairwise.ALONE: "fails", pairwise.BOTH: "holds"}


def test_rational_kernels_are_laws():
    kernel = pairwise.rational_kernel(3, np.random.default_rng(0))
    assert (kernel.sum(axis=2) == 1).all()
    assert {type(entry) for entry in kernel.flat} == {Fraction}
    counts, whole = pairwise.sequence_counts(kernel, 9)
    assert counts.sum() == whole
    with pytest.raises(OverflowError, match="smaller common denominator"):
        pairwise.sequence_counts(kernel, 20)


def test_an_engine_that_is_off_is_noticed(monkeypatch):
    case, check = pairwise.Exact("sum", pairwise.sum_of_parents(2, TENTH)), Check("test")
    monkeypatch.setattr(pairwise, "rational_information", lambda *_: Fraction(1, 10**9))
    pairwise.check_engine(check, case)
    assert verdicts(check) == {pairwise.ENGINE: "fails"}


def made_up(top, draws=100, lead=1.0):
    """Informations whose parents are on top for some of the draws."""
    found = np.tile([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0 + lead], (draws, 1))
    found[:, 5] = np.where(np.arange(draws) < top, 0.5, 3.0)
    found[:, :5] += np.linspace(0.0, 0.1, draws)[:, None]  # all vary, so that every lead has an error
    return pairwise.Draws(3, 0.1, found)


def test_shares_with_their_intervals():
    found = made_up(40)
    assert found.count == 40
    low, high = found.interval  # Clopper and Pearson for 40 of 100, as printed in tables
    assert (round(low, 4), round(high, 4)) == (0.3033, 0.5028)
    assert made_up(0).interval[0] == 0.0
    assert made_up(100).interval[1] == 1.0
    for one, expected in ((found, "holds"), (made_up(70), "fails")):
        check = Check("test")
        pairwise.check_draws(check, one)
        share, level = check.findings().parts[:2]
        assert (share.name, share.total.closest.value.value) == (pairwise.ON_TOP, one.count / 100)
        assert (level.name, level.verdict) == (pairwise.FISHER, expected)


def test_least_lead_is_paired():
    found = made_up(90)
    check = Check("test")
    pairwise.check_draws(check, found)
    part = check.findings().parts[-1]
    gaps = np.where(np.arange(100) < 90, 0.5, -2.0)
    assert (part.name, part.verdict) == (pairwise.LEAD, "holds")
    assert part.total.closest.at == {"group": "S = 3, concentration 0.1", "parent": 6, "over": 5}
    assert part.total.closest.value.value == pytest.approx(gaps.mean(), rel=1e-12)
    assert part.total.closest.value.error == pytest.approx(gaps.std(ddof=1) / 10.0, rel=1e-12)


# Claim 19: sets of positions.


def modified_chi2_by_hand(kernel, subset, length):
    """From the probability of every sequence of a trigram, in floating point."""
    size = len(kernel)
    joint = {}
    for sequence in product(range(size), repeat=length):
        p = 1.0 / size**2
        for a, b, c in zip(sequence, sequence[1:], sequence[2:], strict=False):
            p *= kernel[a, b, c]
        z, e = tuple(sequence[j] for j in subset), sequence[-1]
        joint[z, e] = joint.get((z, e), 0.0) + p
    sets = {z: sum(joint[z, e] for e in range(size)) for z, _ in joint}
    token = [sum(joint[z, e] for z in sets) for e in range(size)]
    return sum(q**2 * (sum(joint[z, e] ** 2 / q**2 / token[e] for e in range(size)) - 1.0) for z, q in sets.items())


def test_values_are_those_of_the_drawn_kernels():
    case = subsets.Case(subsets.TRIGRAM, CausalGraph.ngram(5, 2), 4, 2, 1.0)
    found = subsets.measure(case, 3, np.random.default_rng(5))
    kernels = case.prior.sample_transitions(3, (2,), np.random.default_rng(5))[2]
    for kernel, row in zip(kernels, found.values[3], strict=True):
        assert row[found.sets[3].index((0, 2, 3))] == pytest.approx(
            modified_chi2_by_hand(kernel, (0, 2, 3), 5), rel=1e-11
        )
    for kernel, value in zip(kernels, found.truth, strict=True):
        assert value == pytest.approx(modified_chi2_by_hand(kernel, (2, 3), 5), rel=1e-11)


def test_leads_are_paired_and_the_closest_rival_counts():
    case = subsets.Case(subsets.TRIGRAM, CausalGraph.ngram(4, 2), 3, 2, 1.0)
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    pairs = np.stack(
        [truth - 0.5 + np.array([0.0, 0.1, 0.0, 0.1]), truth - np.array([1.0, 0.0, 3.0, 0.0]), truth], axis=1
    )
    singles = np.tile([0.1, 0.2, 3.5], (4, 1))
    found = subsets.Found(case, {1: singles, 2: pairs, 3: truth[:, None] * 0.5})
    gaps = np.array([1.0, 0.0, 3.0, 0.0])
    rival, lead, bars = found.lead(2)
    assert (rival, lead.value) == ((0, 2), 1.0)
    assert lead.error == pytest.approx(gaps.std(ddof=1) / 2.0, rel=1e-12)
    assert bars == pytest.approx(1.0 / lead.error, rel=1e-12)
    assert found.lead(1)[0] == (2,)
    assert found.lead(1)[2] < 0.0
    assert (found.first, found.single) == (4, 3)
    assert found.ratio == pytest.approx(2.5 / 3.5, rel=1e-12)
    check = Check("test")
    found.record(check, subsets.AVERAGE, (1, 2))
    assert verdicts(check) == {subsets.AVERAGE: "fails"}
    closest = check.findings().parts[0].total.closest
    assert (closest.at["rival"], closest.value) == ("(2,)", found.lead(1)[1])


def test_kernels_without_a_parent():
    kernel = np.random.default_rng(0).dirichlet(np.ones(3), size=(3, 3, 3))
    found = subsets.without_last_parent(kernel)
    for a, b, c in product(range(3), repeat=3):
        assert (found[a, b, c] == kernel[a, b, 0]).all()


def test_sets_grow_under_the_ordinary_chi_square_only():
    ordinary, modified = Check("test"), Check("test")
    subsets.growth(ordinary, subsets.ORDINARY, 4)
    subsets.growth(modified, subsets.MODIFIED, 4)
    assert verdicts(ordinary) == {subsets.GROWS: "holds"}
    assert modified.findings().parts[0].total.failures > 100


def test_exclusive_or_has_a_better_pair():
    """Positions 2 and 5 repeat position 8 up to noise: each pair of steps flips with correlation 0.9^2."""
    parents, best, most = subsets.exclusive_or()
    assert parents == pytest.approx(0.9**2 / 4.0, rel=1e-12)  # the pair is uniform: chi-square over four
    assert best == (2, 5)
    assert most > parents


# Claim 20: one head for each parent.


def test_patterns_of_heads():
    (every,) = construction.copy_all(3, 2)
    assert (every == np.stack([np.eye(2)] * 3)).all()
    first, last = construction.copy_one(2, 3)
    assert (first == [np.eye(3), np.zeros((3, 3))]).all()
    assert (last == [np.zeros((3, 3)), np.eye(3)]).all()
    (wrong,) = construction.copy_wrong(2, 3)
    assert (wrong.argmax(axis=1) == [[1, 2, 0]] * 2).all()  # the key that a query symbol looks for


def test_best_multiples_are_not_beaten_by_a_grid():
    kernel = construction.kernel_of(2, 2, np.random.default_rng(3))
    task = InContextTask(CausalGraph.ngram(30, 2), PointPrior({2: kernel}))
    (every,) = construction.copy_all(2, 2)
    multiple, loss = best_multiple_of(task, every, epsilon=1.0 / 30, upper=construction.LARGEST_MULTIPLE)
    grid = [float(parent_attention_loss(task, beta * every, epsilon=1.0 / 30)) for beta in np.linspace(0.0, 12.0, 61)]
    assert loss <= min(grid)
    assert 0.0 < multiple < 12.0


def test_falls_are_judged_by_rate_price_and_counts():
    lengths = (10, 40, 160)
    price = 4 / (2.0 * (np.array(lengths) - 2))
    fall = construction.Fall(2, 2, lengths, np.ones(3), price - np.log1p(2.0 / np.array(lengths)), price)
    assert fall.normalised == pytest.approx(price, rel=1e-12)
    assert fall.price == pytest.approx(price, rel=1e-12)
    assert fall.slopes[-1] == pytest.approx(np.log(38 / 158) / np.log(4.0), rel=1e-12)

    def failing(**changes):
        check = Check("test")
        replace(fall, **changes).record(check)
        return {name for name, verdict in verdicts(check).items() if verdict == "fails"}

    assert failing() == set()
    assert {construction.EXPONENT, construction.PRICE} <= failing(excess=fall.excess + 0.02)
    assert failing(counts=price * 2.0) == {construction.COUNTS}
    assert failing(excess=fall.excess + np.array([-0.2, 0.0, 0.0])) == {construction.FALLS}


# Claim 21: two heads take one parent each.


def trained(attention, loss, error=0.01):
    """A run as the claim reads it: attention of heads on an order-2 chain of six positions."""
    graph = CausalGraph.ngram(6, 2)
    model = DisentangledTransformer(6, 5, (len(attention), 1))
    baselines = {"floor": 0.4, "counts": 0.9, "counts_parent_1": 1.2, "counts_parent_2": 1.3, "unigram": 1.4}
    steps, losses = np.array([0, 1]), np.array([1.6, loss])
    shown = np.stack([np.zeros((len(attention), 6, 6)), np.array(attention)])
    run = TrainingRun(
        model, split.SHORT, steps, losses, steps, losses, np.full(2, error), shown, baselines, "finished", -1, graph
    )
    return split.Split(split.CHAIN, run, 1.2)


def failing_parts(one):
    check = Check("test")
    one.record(check)
    return {name for name, verdict in verdicts(check).items() if verdict == "fails"}


def row_of(one):
    """What the table of the report says of a run, by column."""
    check = Check("test")
    one.show(check)
    (table,) = check.findings().tables
    return dict(zip(table.columns, table.rows[0], strict=True))


def on(shift, weight):
    """Attention of one head that gives ``weight`` to the position ``shift`` steps back."""
    return np.eye(6, k=-shift) * weight


def test_parents_are_taken_by_a_head_each():
    one = trained([on(1, 0.8), on(2, 0.6)], 1.0)
    first = CausalGraph.ngram(6, 2).parents[3].index(2)  # the slot of the previous token
    assert one.means[first] == pytest.approx(0.8, rel=1e-12)
    assert one.means[1 - first] == pytest.approx(0.6, rel=1e-12)
    row = row_of(one)
    assert (row["edges"], row["edges below 0.25"]) == (8, 0)
    assert failing_parts(one) == set()


@pytest.mark.parametrize(
    ("attention", "loss", "part"),
    [
        pytest.param([on(1, 0.8), on(1, 0.8)], 1.0, split.HEADS, id="both heads on the same parent"),
        pytest.param([on(1, 0.8), on(2, 0.4)], 1.0, split.HEADS, id="one parent hardly seen"),
        pytest.param([on(1, 0.5) + on(2, 0.5)], 1.0, split.HEADS, id="one head for both"),
        pytest.param([on(1, 0.8), on(2, 0.6)], 1.17, split.BELOW, id="no better than one parent"),
        pytest.param([on(1, 0.8), on(2, 0.6)], 0.39, split.ABOVE, id="below the floor"),
    ],
)
def test_parents_that_are_not_taken(attention, loss, part):
    assert failing_parts(trained(attention, loss)) == {part}


def test_edges_that_are_lost():
    weak = on(2, 0.6)
    weak[5, 3] = 0.2
    assert row_of(trained([on(1, 0.8), weak], 1.0))["edges below 0.25"] == 1


def test_one_parent_has_the_best_constant():
    """On the task of the claim the constant of the prior is too small for it, by hand and by the rule."""
    task = InContextTask(CausalGraph.ngram(20, 2), DirichletPrior(5, 0.1))
    best = split.one_parent(task, np.random.default_rng(0))
    sample = task.sample(split.COUNTED, np.random.default_rng(0))
    found = {}
    for slot, constant in product(range(2), (0.1, 0.5)):
        total = 0.0
        for tokens, law in zip(sample.tokens[:2000].tolist(), sample.targets, strict=False):
            counts = np.full(5, constant)
            for i, parents in enumerate(task.graph.parents):
                if parents and tokens[parents[slot]] == tokens[task.graph.target_parents[slot]]:
                    counts[tokens[i]] += 1.0
            total -= law @ np.log(counts / counts.sum())
        found[slot, constant] = total / 2000
    for slot in range(2):
        assert found[slot, 0.5] < found[slot, 0.1] - 0.05
    assert best == pytest.approx(min(found.values()), abs=0.05)
    assert best < min(found[0, 0.1], found[1, 0.1])
