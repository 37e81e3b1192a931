"""Every claim holds and every control fails on small budgets, and results depend on the seed alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from causal_theory import CausalGraph, OrbitPrior, check_assumptions
from causal_theory.chains import chi2_matrix
from tests.helpers import assert_close
from verification.claim import ASSUMPTION_NAMES, shortcomings
from verification.claims import data_processing
from verification.claims._sampled_recovery import recover_from_draws
from verification.ensembles import FAMILIES, GAMMA, KINDS, STAR, family_graph, random_matrix, trace_one_matrix
from verification.evidence import FAILS, HOLDS, METHODS, OUTSIDE
from verification.figures import draw_figures
from verification.profiles import FULL, QUICK
from verification.registry import discover
from verification.results import describe_run, make_record, write_record
from verification.runner import run_claims

TINY = replace(
    QUICK,
    name="tiny",
    enumerated_length=6,
    parameter_draws=1,
    edge_forests=10,
    inequality_forests=40,
    lengths=(20, 40, 80, 160),
    limit_matrices=3,
    prior_draws=64,
    long_prior_draws=16,
    random_forests=1,
    orbit_matrices=3,
    recovery_lengths=(10, 20),
    long_recovery_lengths=(30,),
    training_length=5,
    training_matrices=2,
    training_steps=5,
    training_first_steps=15,
    training_sequences=300,
    training_lengths=(20, 100),
    stage1_lengths=(20, 50),
    stage1_matrices=1,
    window_lengths=(20, 50),
    curve_lengths=(40, 160, 640, 2560),
    curve_matrices=1,
    transfer_matrices=1,
    transfer_samples=1000,
    agreement_sequences=20_000,
    trajectory_batches=(32, 512),
    trajectory_repeats=4,
    short_training_steps=2000,
    search_evaluations=300,
)

LONG = {
    "certified_recovery",
    "heads_split_the_parents",
    "k_head_construction",
    "many_graphs",
    "stage1_finds_parents",
    "trained_attention_is_the_graph",
}
"""Claims that take more than five seconds even so."""

CLAIMS = discover()
BY_NAME = {claim.name: claim for claim in CLAIMS}


def gather(claims, seed, jobs, profile=TINY):
    outcomes = []
    assert run_claims(claims, profile, seed=seed, jobs=jobs, on_step=lambda *step: None, on_outcome=outcomes.append)
    return sorted(outcomes, key=lambda outcome: outcome.claim.number)


@pytest.fixture(scope="module")
def outcomes():
    return gather(CLAIMS, 1, 1)


@pytest.mark.parametrize("k", range(len(CLAIMS)), ids=[claim.name for claim in CLAIMS])
def test_the_claim_holds_and_its_control_fails(outcomes, k):
    outcome = outcomes[k]
    assert outcome.error is None, outcome.error
    assert outcome.evidence.verdict == HOLDS, outcome.evidence
    assert outcome.control.verdict == FAILS, outcome.control
    assert shortcomings(outcome.claim, outcome.evidence, outcome.control) == ()


@pytest.mark.parametrize("k", range(len(CLAIMS)), ids=[claim.name for claim in CLAIMS])
def test_evidence_says_what_a_reader_needs(outcomes, k):
    for evidence in (outcomes[k].evidence, outcomes[k].control):
        assert evidence.predicted.text
        assert evidence.measured.text
        assert evidence.error.text
        assert evidence.method in METHODS
        assert {one.name for one in evidence.assumptions} == set(ASSUMPTION_NAMES)
        assert evidence.regime.text
        assert evidence.details
        assert all(table.rows for table in evidence.details)


def test_declared_parts_are_reported_outside(outcomes):
    for outcome in outcomes:
        outside = {part.name for part in outcome.evidence.parts if part.verdict == OUTSIDE}
        assert outside == set(outcome.claim.declared_outside)


def test_seed_decides_and_jobs_do_not(outcomes):
    """Each claim draws from its own stream, so neither processes nor the choice of claims change a digit."""
    # The longest are left out; of trainings that they depend on the seed alone is tested with the trainer.
    some = [claim for claim in CLAIMS if claim.name not in LONG]
    again = gather(some[::-1], 1, 2)
    for one, two in zip([o for o in outcomes if o.claim in some], again, strict=True):
        assert (one.evidence, one.control) == (two.evidence, two.control)
    other = gather(CLAIMS[:1], 2, 1)[0]
    assert other.evidence != outcomes[0].evidence


def test_evidence_fits_the_schema(outcomes, tmp_path):
    run = describe_run(CLAIMS, TINY, seed=1, jobs=1)
    path = write_record(tmp_path, make_record(run, outcomes, complete=True, seconds=1.0))
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["passed"]
    assert len(record["claims"]) == len(CLAIMS)


def test_figures(outcomes, tmp_path):
    (tmp_path / "figures").mkdir()
    drawn = draw_figures(tmp_path, outcomes, seed=0, families=True)
    names = {figure.path.stem for figure in drawn}
    assert {f"family_{name.replace(' ', '_')}" for name in (*FAMILIES, STAR)} <= names
    assert {"informations", "first_order_gradient", "scores_reach_limit_t"} <= names
    assert {"stage1_first_order", "stage2_learns_copying", "induction_head"} <= names
    for figure in drawn:
        assert figure.title
        assert figure.description
        for ending in (".png", ".svg"):
            assert figure.path.with_suffix(ending).stat().st_size > 5000
    assert not list(tmp_path.rglob("*.tmp.*"))


def test_budgets_of_the_full_profile_are_not_smaller():
    for name, value in vars(QUICK).items():
        if isinstance(value, int):
            assert getattr(FULL, name) >= value
        elif isinstance(value, tuple):
            assert set(value) <= set(getattr(FULL, name))


# What the claims are built from.


@pytest.mark.parametrize("size", [3, 5, 10])
def test_orbits_of_trace_one_meet_all_assumptions(size):
    for seed in range(20):
        matrix = trace_one_matrix(size, np.random.default_rng(seed))
        assert_close(np.trace(matrix), 1.0, rtol=1e-14)
        assert_close(matrix.sum(axis=1), np.ones(size), rtol=1e-14)
        assert matrix.min() >= GAMMA / size
        assert np.linalg.norm(chi2_matrix(matrix)) >= GAMMA
        assert check_assumptions(OrbitPrior(matrix)).all_hold


def test_two_symbols_of_trace_one_are_refused():
    with pytest.raises(ValueError, match="size must be at least 3, got 2"):
        trace_one_matrix(2, np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_random_matrices_are_stochastic(kind):
    for seed in range(20):
        matrix = random_matrix(kind, 4, np.random.default_rng(seed))
        assert matrix.min() >= 0.0
        assert_close(matrix.sum(axis=1), np.ones(4), rtol=1e-14)


def test_random_forests_have_an_edge():
    assert all(family_graph("random forest", 3, np.random.default_rng(seed)).edges for seed in range(50))


def test_triples_are_all_tokens_between():
    """Against a walk along the parents."""
    for seed in range(20):
        graph = CausalGraph.random_forest(9, 0.2, seed)
        parent = graph.parent_array.tolist()

        def ancestors(i, parent=parent):
            return [i, *ancestors(parent[i])] if parent[i] >= 0 else [i]

        expected = set()
        for j in range(9):
            for i in range(j):
                up, other = ancestors(i), ancestors(j)
                common = [k for k in up if k in other]
                if common:
                    path = [k for k in (*up, *other) if (k in up) != (k in other)] + [common[0]]
                    expected |= {(i, k, j) for k in path if k not in {i, j}}
        assert set(zip(*(index.tolist() for index in data_processing._triples(graph)), strict=True)) == expected


def test_tally_judges_against_error_bars_only():
    tally = data_processing.Tally()
    tally.add(np.array([1.0, -1e-3, -1e-3, 0.0]), np.array([0.0, 1e-2, 1e-4, 0.0]))
    assert (tally.count, tally.within, tally.beyond) == (4, 1, 1)
    assert tally.smallest == -1e-3
    assert_close(tally.bars, -10.0, rtol=1e-12)


def test_two_parents_break_the_inequality():
    table = data_processing.two_parents()
    assert [row[-1] for row in table.rows] == ["violated"] * 4
    # Chi-square of two bits that agree with probability 0.9 is the square of their correlation, 0.8.
    assert table.rows[0][1] == "0.64"


def test_margins_are_paired():
    """Scores of parent and rival move together between draws: their difference is surer than either."""
    graph = CausalGraph.chain(6)
    pi = np.array([[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]])
    same = recover_from_draws(graph, [pi, pi[np.ix_([1, 0, 2], [1, 0, 2])], pi])
    assert same.error < 1e-14  # relabeled matrices have the same scores up to roundoff
    assert same.margin > 0.0
    assert same.failing == 0
    diagonal = 0.9 * np.eye(3) + 0.1 / 3
    mixed = recover_from_draws(graph, [pi, diagonal, pi, diagonal])
    assert (mixed.failing, mixed.draws, mixed.failing_share) == (2, 4, 0.5)
