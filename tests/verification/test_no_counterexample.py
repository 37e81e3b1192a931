"""Claim 17: what it reports is what the searches found, and its searches can fail."""

from dataclasses import replace
from fractions import Fraction

import pytest
from verification.context import Context
from verification.evidence import FAILS, HOLDS, OUTSIDE
from verification.profiles import QUICK

from causal_theory import CausalGraph, verify_certificate
from causal_theory.falsification import Instance, find_counterexample
from causal_theory.falsification.rational import exact_checks
from verification.claims import no_counterexample_inside as claim

SMALL = replace(QUICK, search_evaluations=300)


@pytest.fixture(scope="module")
def evidence():
    return claim.run(SMALL, Context(0, ("no_counterexample_inside", "run")))


def test_one_search_for_each_assumption(evidence):
    verdicts = {part.name: part.verdict for part in evidence.parts}
    assert verdicts.pop(claim.MIXING_NAME) == OUTSIDE
    assert set(verdicts) == {claim.INSIDE_NAME, *claim.DROPPED} - {claim.MIXING_NAME}
    assert set(verdicts.values()) == {HOLDS}


def test_each_counterexample_violates_what_was_dropped_alone(evidence):
    """With the constants of the claim, on matrices that were not asked to satisfy more than what was kept."""
    rows = {row[0]: row for row in evidence.details[0].rows}
    assert rows["constant mean dropped"][-1] == "constant mean"
    assert rows["lower bound dropped"][-1] == "lower bound"
    assert rows["non-degeneracy dropped"][-1] == "non-degeneracy"
    assert rows["effective length dropped: star"][-1] == "effective length"


def test_margins_are_negative_where_certified(evidence):
    for part in evidence.parts:
        certified = part.name not in (claim.INSIDE_NAME, claim.MIXING_NAME)
        assert (part.measured.number < 0.0) == certified


def test_the_whole_budget_is_spent_inside(evidence):
    assert {row[0]: row[1] for row in evidence.details[0].rows}[claim.INSIDE_NAME] == 300


def test_a_search_cut_short_does_not_hold():
    result = find_counterexample("top_scores_are_edges", claim.INSIDE, 50, 0)
    part = claim._inside_part(claim.Searched(claim.INSIDE, replace(result, budget=60), False))
    assert part.verdict == FAILS


def test_a_false_certificate_proves_nothing():
    space = claim.DROPPED["constant mean dropped"]
    result = find_counterexample("top_scores_are_edges", space, 500, 0)
    assert claim.Searched(space, result, True).proved is not None
    assert claim.Searched(space, result, False).proved is None
    assert claim._dropped_part("constant mean dropped", claim.Searched(space, result, False)).verdict == FAILS


def test_control_fails():
    evidence = claim.control(SMALL, Context(0, ("no_counterexample_inside", "control")))
    assert evidence.verdict == FAILS
    assert evidence.parts[0].measured.number < 0.0


@pytest.mark.parametrize("graph", [CausalGraph.chain(10), CausalGraph.binary_tree(10)])
def test_rare_symbols_hide_the_dependence(graph):
    """A matrix in round numbers that satisfies all but the lower bound, and loses an edge."""
    rows = (
        "1/20 9/20 499/1000 1/1000 0",
        "1/10 9/20 9/20 0 0",
        "1/10 2/5 1/2 0 0",
        "2/15 2/15 2/15 0 3/5",
        "1/3 1/3 1/3 0 0",
    )
    matrix = tuple(tuple(map(Fraction, row.split())) for row in rows)
    instance = Instance(graph, matrix, Fraction(1, 100))
    checks = {check.name: check.holds for check in exact_checks(matrix, claim.INSIDE)}
    assert checks == {"lower_bound": False, "non_degeneracy": True, "constant_mean": True, "mixing": True}
    assert not instance.certificate.holds
    assert verify_certificate(instance.certificate).valid
