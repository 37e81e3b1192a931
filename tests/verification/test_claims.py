"""Every claim holds and every control fails where it must on tiny budgets, and results depend on the seed alone."""

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from causal_theory import CausalGraph, OrbitPrior, PointPrior, check_assumptions
from causal_theory.chains import chi2_matrix
from causal_theory.claims import Check, find_claims, read_record
from causal_theory.claims.claim import ASSUMPTION_NAMES
from causal_theory.claims.describe import describe_run
from causal_theory.claims.files import write_record
from causal_theory.claims.head import read_head, told
from causal_theory.claims.records import OUTSIDE
from causal_theory.claims.report import write_report
from causal_theory.claims.runner import run_claims
from tests.helpers import assert_close
from verification.claims import data_processing
from verification.claims.top_scores_are_edges import recover_from_draws
from verification.ensembles import GAMMA, KINDS, family_graph, other_graph, trace_one_matrix

FOLDER = Path(__file__).parents[2] / "verification" / "claims"
CLAIMS = find_claims(FOLDER)

LONG = {
    "certified_recovery",
    "heads_split_the_parents",
    "k_head_construction",
    "many_graphs",
    "stage1_finds_parents",
    "trained_attention_is_the_graph",
}
"""Claims that take more than five seconds even so."""


def not_drawn(_claim):
    return ()


def gather(claims, seed, jobs):
    found, events = [], {"on_step": lambda *step: None, "on_outcome": lambda claim, _: found.append(claim)}
    assert run_claims(claims, "tiny", seed=seed, jobs=jobs, draw=not_drawn, **events)
    return sorted(found, key=lambda one: one.number)


@pytest.fixture(scope="module")
def found():
    return gather(CLAIMS, 1, 1)


@pytest.mark.parametrize("k", range(len(CLAIMS)), ids=[claim.name for claim in CLAIMS])
def test_the_claim_holds_and_its_control_fails_where_it_must(found, k):
    assert found[k].error is None, found[k].error
    assert found[k].shortcomings == ()


@pytest.mark.parametrize("k", range(len(CLAIMS)), ids=[claim.name for claim in CLAIMS])
def test_findings_say_what_a_reader_needs(found, k):
    for one in (found[k].run, found[k].opposed):
        assert {assumption.name for assumption in one.assumptions} == set(ASSUMPTION_NAMES)
        assert all(part.total.count > 0 for part in one.parts)
    assert found[k].run.notes


def test_claims_are_numbered_without_a_gap():
    assert [claim.number for claim in CLAIMS] == list(range(1, len(CLAIMS) + 1))
    assert {claim.name for claim in CLAIMS} == {path.stem for path in FOLDER.glob("[!_]*.py")}


@pytest.mark.slow
def test_seed_decides_and_jobs_do_not(found):
    """Each claim draws from its own stream, so neither processes nor the choice of claims change a digit."""
    # The longest are left out; of trainings that they depend on the seed alone is tested with the trainer.
    some = [claim for claim in CLAIMS if claim.name not in LONG]
    again = gather(some[::-1], 1, 2)
    before = [one for one in found if one.name not in LONG]
    timeless = [[replace(one, seconds=0.0, control_seconds=0.0) for one in several] for several in (before, again)]
    assert timeless[0] == timeless[1]
    assert gather(CLAIMS[:1], 2, 1)[0].run != found[0].run


def test_the_record_is_read_again_and_drawn(found, tmp_path):
    names = tuple(claim.name for claim in CLAIMS)
    run = describe_run(names, "tiny", seed=1, jobs=1, command="verify", folder=str(FOLDER))
    whole = replace(run, claims=tuple(found), complete=True, unfinished=None, passed=None)
    record = read_record(write_record(tmp_path, whole))
    assert record.passed
    # NaN differs from itself, its text does not. Pytest would compare texts of a megabyte for minutes.
    pairs = zip(record.claims, whole.claims, strict=True)
    assert [one.name for one, other in pairs if repr(one) != repr(other)] == []
    bare = {"claims": (), "unfinished": None, "passed": None}
    assert repr(replace(record, **bare)) == repr(replace(whole, **bare))
    write_report(tmp_path, record)
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert {f"edge_score_is_chi2_{k}" for k in range(1, 6)} | {"first_order_gradient_1"} <= drawn
    assert all(path.stat().st_size > 5000 for path in (tmp_path / "figures").iterdir())


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])
def test_budgets_of_larger_profiles_are_not_smaller(claim):
    quick, full = claim.budgets("quick"), claim.budgets("full")
    for name, value in quick.items():
        if isinstance(value, tuple):
            assert set(value) <= set(full[name])
        else:
            assert full[name] >= value
    assert inspect.signature(claim.function).parameters["check"].annotation is Check


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
        matrix = KINDS[kind](4, np.random.default_rng(seed))
        assert matrix.min() >= 0.0
        assert_close(matrix.sum(axis=1), np.ones(4), rtol=1e-14)


def test_random_forests_have_an_edge():
    assert all(family_graph("random forest", 3, np.random.default_rng(seed)).edges for seed in range(50))


def test_graphs_too_short_for_what_is_asked_are_refused():
    with pytest.raises(ValueError, match="length must be at least 3, got 2"):
        family_graph("random forest", 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match="length must be at least 4, got 3"):
        other_graph(CausalGraph.chain(3), np.random.default_rng(0))


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


def test_two_parents_break_the_inequality():
    check = Check("made_up", control=True)
    data_processing.two_parents(check)
    (table,) = check.findings().tables
    assert [row[-1] for row in table.rows] == [True] * 4
    # Chi-square of two bits that agree with probability 0.9 is the square of their correlation, 0.8.
    assert_close(table.rows[0][1], 0.64, rtol=1e-12)


def test_margins_are_paired():
    """Scores of parent and rival move together between draws: their difference is surer than either."""
    graph = CausalGraph.chain(6)
    pi = np.array([[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]])
    same = recover_from_draws(graph, list(map(PointPrior, (pi, pi[np.ix_([1, 0, 2], [1, 0, 2])], pi))))
    assert same.error < 1e-14  # relabeled matrices have the same scores up to roundoff
    assert same.margin > 0.0
    assert same.failing == 0
    diagonal = 0.9 * np.eye(3) + 0.1 / 3
    mixed = recover_from_draws(graph, list(map(PointPrior, (pi, diagonal, pi, diagonal))))
    assert (mixed.failing, mixed.draws) == (2, 4)


def test_the_head_of_the_report_says_nothing_that_was_not_recorded(found):
    """Three numbers, three figures, and every limit that is put into words; they name parts as claims do."""
    head = read_head(FOLDER)
    parts = {(one.name, part.name): part for one in found for part in one.run.parts}
    assert [
        (quote.claim, quote.part) for quote in (*head.numbers, *head.stops) if (quote.claim, quote.part) not in parts
    ] == []
    assert len(told(head.numbers, found)) == 3
    assert set(head.figures) <= {figure.title for one in found for figure in one.run.figures}
    assert len(head.figures) == 3


def test_every_limit_that_fails_is_put_into_words(found):
    head = read_head(FOLDER)
    said = {(quote.claim, quote.part) for quote in head.stops}
    failing = {
        (one.name, part.name)
        for one in found
        for part in one.run.parts
        if part.verdict == OUTSIDE and part.total.failures
    }
    assert failing - said == set()
