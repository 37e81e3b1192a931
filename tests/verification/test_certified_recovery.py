"""The library of certificates: complete, true, as its index says; and what is altered is named."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from causal_theory import CausalGraph, OrbitPrior, certify_edge_scores, check_assumptions
from causal_theory.certificates.files import certificate_to_dict
from causal_theory.chains import chi2_matrix
from causal_theory.claims import Check
from causal_theory.errors import FileFormatError
from verification.certificates import CONDITIONS, LIBRARY, check_conditions, read_library
from verification.certificates.conditions import GAMMA
from verification.certificates.instances import INSTANCES
from verification.certificates.library import write_library
from verification.claims.certified_recovery import (
    ALONE,
    LOST,
    PHRASES,
    RECOVERED,
    TRUE,
    altered,
    check_entry,
    kind_of,
    record_entry,
    sparse_matrix,
)

ENTRIES = read_library()
SMALL = [entry for entry in ENTRIES if entry.certificate.graph.length <= 10]


def verdicts(checked):
    """Record one entry, and return the verdict of every part."""
    check = Check("test")
    record_entry(check, checked)
    return {part.name: part.verdict for part in check.findings().parts}


def changed_library(path, change):
    """Write the library anew after ``change`` has been applied to the content of the file."""
    content = json.loads(LIBRARY.read_text(encoding="utf-8"))
    change({one["name"]: one for one in content["entries"]})
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def matrix_of(entry):
    return np.array(entry.certificate.transition, dtype=np.float64)


class TestLibrary:
    def test_names_are_unique(self):
        assert len({entry.name for entry in ENTRIES}) == len(ENTRIES) >= 50

    def test_the_file_is_small(self):
        assert LIBRARY.stat().st_size < 1_000_000

    def test_covers_families_sizes_and_lengths(self):
        assert {entry.family for entry in ENTRIES} == {"chain", "pairs", "binary tree", "star", "random forest"}
        assert {len(entry.certificate.transition) for entry in ENTRIES} == {2, 3, 4, 5}
        assert {6, 20} <= {entry.certificate.graph.length for entry in ENTRIES}

    def test_has_failures_for_each_condition(self):
        kinds = [kind_of(entry) for entry in ENTRIES if not entry.holds]
        assert len(kinds) >= 10
        assert set(kinds) == {*PHRASES.values(), ALONE}

    def test_holds_what_instances_say(self):
        assert [entry.name for entry in ENTRIES] == [one.name for one in INSTANCES]
        for entry, one in zip(ENTRIES, INSTANCES, strict=True):
            certificate = entry.certificate
            assert certificate.graph.parents == one.graph.parents
            assert certificate.transition == tuple(tuple(map(Fraction, row)) for row in one.transition)
            assert certificate.epsilon == Fraction(one.epsilon)

    def test_is_what_the_build_writes(self, tmp_path):
        some = [one for one in INSTANCES if one.graph.length <= 8]
        made = [(one.name, one.family, certify_edge_scores(one.graph, one.transition, one.epsilon)) for one in some]
        written = write_library(made, tmp_path / "some.json")
        names = [one.name for one in some]
        assert written == read_library(tmp_path / "some.json") == tuple(e for e in ENTRIES if e.name in names)
        lines = LIBRARY.read_text(encoding="utf-8").splitlines()
        # All but the opening and closing lines, and commas that the last entry does not have.
        found = (tmp_path / "some.json").read_text(encoding="utf-8").splitlines()
        assert {line.rstrip(",") for line in found} <= {line.rstrip(",") for line in lines}
        assert len(found) - len(lines) == len(some) - len(ENTRIES)

    @pytest.mark.parametrize("entry", SMALL, ids=[entry.name for entry in SMALL])
    def test_verifies(self, entry):
        """Longer ones are verified by the claim, which the tests of all claims run."""
        assert check_entry(entry, entry.certificate).problems == ()


class TestAlterations:
    @pytest.mark.parametrize("seed", range(5))
    def test_an_altered_score_is_named(self, seed):
        entry = SMALL[seed * 7 % len(SMALL)]
        changed, name = altered(entry.certificate, np.random.default_rng(seed))
        found = check_entry(entry, changed)
        assert [problem.partition(":")[0] for problem in found.problems] == [name]
        assert found.wrong == name
        assert {name for name, verdict in verdicts(found).items() if verdict == "fails"} == {TRUE}

    def test_an_altered_file_is_named(self, tmp_path):
        """One digit of one number of one certificate."""
        name = "chain-8-turning"

        def change(entries):
            rows = entries[name]["certificate"]["information"]
            rows[3][1] = str(Fraction(rows[3][1]) + Fraction(1, 7**20))

        wrong = [
            one
            for entry in read_library(changed_library(tmp_path / "library.json", change))
            if entry.certificate.graph.length <= 8
            for one in [check_entry(entry, entry.certificate)]
            if one.problems
        ]
        assert [(one.entry.name, one.wrong) for one in wrong] == [(name, "information[3][1]")]

    def test_a_wrong_index_is_found(self):
        entry = next(one for one in SMALL if one.violates == ("constant_mean",))
        problems = check_entry(replace(entry, violates=()), entry.certificate).problems
        assert problems == ("violates: the index says , true is constant_mean",)
        problems = check_entry(replace(entry, holds=not entry.holds), entry.certificate).problems
        assert [problem.partition(":")[0] for problem in problems] == ["holds"]

    def test_a_failure_where_all_conditions_hold_fails_the_claim(self):
        lost = next(one for one in SMALL if not one.holds)
        entry = replace(lost, violates=())
        assert kind_of(entry) == "all conditions hold"
        assert verdicts(check_entry(entry, lost.certificate)) == {TRUE: "fails", RECOVERED: "fails"}
        assert verdicts(check_entry(lost, lost.certificate)) == {TRUE: "holds", LOST: "holds"}
        won = next(one for one in SMALL if one.holds)
        assert verdicts(check_entry(won, won.certificate)) == {TRUE: "holds", RECOVERED: "holds"}

    def test_a_broken_certificate_is_refused(self, tmp_path):
        path = changed_library(tmp_path / "library.json", lambda e: e[ENTRIES[0].name]["certificate"].pop("scores"))
        with pytest.raises(FileFormatError, match=ENTRIES[0].name):
            _ = read_library(path)[0].certificate


class TestConditions:
    @pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
    def test_agree_with_floating_point(self, entry):
        """Against singular values and the checks of priors; the matrices are not within roundoff of a threshold."""
        matrix, size = matrix_of(entry), len(entry.certificate.transition)
        report = check_assumptions(OrbitPrior(matrix))
        dependence = chi2_matrix(matrix)
        norm, decay = np.linalg.norm(dependence), np.linalg.norm(dependence, 2)
        expected = {
            "constant_mean": report.constant_mean.holds,
            "non_degeneracy": norm >= float(GAMMA),
            "lower_bound": report.lower_bound.value >= float(GAMMA) - 1e-12,  # gamma is met exactly by some
            "mixing": decay < 1.0 - float(GAMMA) / size,
            "effective_length": entry.certificate.graph.leaf_effective_length >= 1.5,
            "small_epsilon": entry.certificate.epsilon <= Fraction(1, 10),
            "length": entry.certificate.graph.length >= 8,
        }
        assert set(expected) == set(CONDITIONS)
        assert entry.found == tuple(name for name in CONDITIONS if not expected[name])

    def test_the_lower_bound_implies_mixing(self):
        """So that mixing cannot fail alone."""
        rng = np.random.default_rng(0)
        for _ in range(200):
            size = int(rng.integers(2, 5))
            raw = rng.integers(0, 40, (size, size)) ** 3 + 1
            rows = tuple(
                tuple((1 - GAMMA) * Fraction(int(x), int(row.sum())) + GAMMA / size for x in row) for row in raw
            )
            found = {one.name: one.holds for one in check_conditions(CausalGraph.chain(9), rows, Fraction(1, 100))}
            assert found["lower_bound"]
            assert found["mixing"]

    def test_mixing_is_decided_exactly(self):
        """Two symbols: the singular value is |1 - a - b|, the threshold 19/20."""
        for entry, expected in ((Fraction(39, 40), False), (Fraction(39, 40) - Fraction(1, 10**40), True)):
            rows = ((entry, 1 - entry), (1 - entry, entry))
            found = {one.name: one.holds for one in check_conditions(CausalGraph.chain(9), rows, Fraction(1, 100))}
            assert found["mixing"] is expected

    def test_searched_matrices_violate_the_lower_bound_alone(self):
        found = [matrix for k in range(60) if (matrix := sparse_matrix(Check("a").rng(k))) is not None]
        assert len(found) > 10
        for matrix in found:
            report = check_assumptions(OrbitPrior(matrix))
            assert report.constant_mean.holds
            assert report.non_degeneracy.value >= float(GAMMA)
            assert report.lower_bound.value < float(GAMMA)
            assert np.linalg.norm(chi2_matrix(matrix), 2) < 1.0


def test_failures_alone_are_sorted_by_condition():
    for entry in SMALL:
        name, others = kind_of(entry), set(entry.violates) - {"lower_bound"}
        assert name not in PHRASES.values() or {PHRASES[other] for other in others} == {name}


def test_certificates_in_the_file_keep_their_content():
    for entry in SMALL:
        assert certificate_to_dict(entry.certificate) == entry.content
