"""Claim 17: what it reports is what the searches found, and its searches can fail."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest

from causal_theory import CausalGraph, verify_certificate
from causal_theory.claims import Check
from causal_theory.falsification import Instance, find_counterexample
from causal_theory.falsification.rational import exact_checks
from verification.claims import no_counterexample_inside as claim


def parts_of(findings):
    return {part.name: part for part in findings.parts}


@pytest.fixture(scope="module")
def findings():
    return claim.no_counterexample_inside.run("tiny")


@pytest.fixture(scope="module")
def rows(findings):
    """Rows of the searches by name, as dictionaries."""
    table = findings.tables[0]
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_one_search_for_each_assumption(findings):
    parts = parts_of(findings)
    assert parts[claim.MIXING].verdict == "outside its assumptions"
    assert [parts[name].verdict for name in (claim.NONE, claim.SPENT, claim.CERTIFIED)] == ["holds"] * 3
    assert set(parts[claim.CERTIFIED].groups) == set(claim.DROPPED) - {claim.MIXING_NAME}


def test_each_counterexample_violates_what_was_dropped_alone(rows):
    """With the constants of the claim, on matrices that were not asked to satisfy more than what was kept."""
    assert rows["constant mean dropped"]["violates"] == "constant mean"
    assert rows["lower bound dropped"]["violates"] == "lower bound"
    assert rows["non-degeneracy dropped"]["violates"] == "non-degeneracy"
    assert rows["effective length dropped: star"]["violates"] == "effective length"


def test_margins_are_negative_where_certified(rows):
    for name, row in rows.items():
        if name in (claim.INSIDE_NAME, claim.MIXING_NAME):
            assert row["certified margin"] is None
            assert row["smallest margin"] > 0.0
        else:
            assert row["certified margin"] < 0.0


def test_the_whole_budget_is_spent_inside(rows):
    assert rows[claim.INSIDE_NAME]["evaluations"] == 300


def test_a_search_cut_short_does_not_hold():
    result, check = find_counterexample("top_scores_are_edges", claim.INSIDE, 50, 0), Check("test")
    claim.record_search(check, claim.INSIDE_NAME, claim.Searched(replace(result, budget=60), False))
    parts = parts_of(check.findings())
    assert (parts[claim.NONE].verdict, parts[claim.SPENT].verdict) == ("holds", "fails")


def test_a_false_certificate_proves_nothing():
    result, check = find_counterexample("top_scores_are_edges", claim.DROPPED[claim.MEAN_NAME], 500, 0), Check("test")
    assert claim.Searched(result, True).proved is not None
    assert claim.Searched(result, False).proved is None
    claim.record_search(check, claim.MEAN_NAME, claim.Searched(result, False))
    part = parts_of(check.findings())[claim.CERTIFIED]
    assert part.verdict == "fails"
    assert math.isnan(part.total.closest.value.value)


def test_control_fails():
    part = parts_of(claim.no_counterexample_inside.run("tiny", control=True))[claim.NONE]
    assert part.verdict == "fails"
    assert part.total.closest.at["margin"] < 0.0


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
