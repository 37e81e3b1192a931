"""The search: what it finds is small, proved and within what is kept; what it cannot find it does not find."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from causal_theory import CausalGraph, OrbitPrior, check_assumptions, verify_certificate
from causal_theory.chains import chi2_matrix, mixing_decay
from causal_theory.errors import GraphError, InvalidArgumentError, TaskError, TransitionError
from causal_theory.falsification import STATEMENTS, Instance, SearchSpace, Statement, find_counterexample
from causal_theory.testing import forests, transition_matrices

from .helpers import assert_close

TOP = "top_scores_are_edges"
THEOREMS = ("limit_bounded_by_information", "information_fades")
KEEP = SearchSpace(
    lengths=(8, 10), symbols=(3, 5), lower_bound="1/10", non_degeneracy="1/2", constant_mean=True, mixing="4/5"
)


def as_floats(matrix):
    return np.array([[float(entry) for entry in row] for row in matrix])


def third():
    p = Fraction(1, 3)
    return Instance(CausalGraph.chain(3), ((1 - p, p), (p, 1 - p)), Fraction(1, 100))


class TestWhatIsFound:
    @pytest.mark.parametrize("seed", range(3))
    def test_smallest_case_without_a_constant_mean(self, seed):
        """Two symbols, three tokens, a chain, and a positive eigenvalue: then the diagonal wins."""
        found = find_counterexample(TOP, SearchSpace(lengths=(3, 10), symbols=(2, 4)), 2000, seed).counterexample
        (stay, _), (_, remain) = found.instance.transition
        assert found.instance.parents == [-1, 0]
        assert found.family == "chain"
        assert stay + remain > 1
        assert "constant_mean" in found.violated
        assert found.certificate.weakest.rival == 1

    @pytest.mark.parametrize("name", [TOP, "limit_scores_are_edges"])
    def test_certificates_are_true_by_another_route(self, name):
        found = find_counterexample(name, SearchSpace(lengths=(6, 8), lower_bound=0.1), 1000, 0).counterexample
        assert found.margin < 0
        assert verify_certificate(found.certificate).valid
        assert found.certificate == found.instance.certificate
        assert found.margin == STATEMENTS[name].certified_margin(found.instance)
        assert_close(STATEMENTS[name].margin(found.instance), float(found.margin), rtol=0.0, atol=1e-12)

    def test_the_code_certifies_it_again(self):
        found = find_counterexample(TOP, SearchSpace(lower_bound=0.1), 500, 0).counterexample
        names = {}
        exec(f"from causal_theory import CausalGraph, certify_edge_scores\nagain = {found.instance.code}", names)
        assert names["again"] == found.certificate

    def test_three_symbols_with_a_constant_mean(self):
        """Trace 1 is kept exactly; weak dependence is what is left to fail with."""
        space = SearchSpace(lengths=(4, 6), symbols=(3, 3), lower_bound="1/10", constant_mean=True)
        found = find_counterexample(TOP, space, 2000, 0).counterexample
        matrix = found.instance.transition
        assert sum(matrix[k][k] for k in range(3)) == 1
        assert min(map(min, matrix)) >= Fraction(1, 30)
        assert all(sum(row) == 1 for row in matrix)
        assert np.linalg.norm(chi2_matrix(as_floats(matrix))) < 0.3

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"constant_mean": False}, "constant_mean"),
            ({"non_degeneracy": None}, "non_degeneracy"),
            ({"families": ("star",)}, ""),
        ],
    )
    def test_what_is_kept_holds_exactly(self, change, name):
        space = replace(KEEP, **change)
        found = find_counterexample(TOP, space, 3000, 1).counterexample
        assert {check.name for check in found.assumptions if check.kept} == set(space.kept)
        assert all(check.holds for check in found.assumptions if check.kept)
        # The same again from the definitions.
        matrix = as_floats(found.instance.transition)
        roundoff = 1e-12
        assert 5 * matrix.min() >= 0.1 - roundoff or len(matrix) < 5
        assert len(matrix) * matrix.min() >= 0.1 - roundoff
        assert mixing_decay(matrix) <= 0.8 + roundoff
        assert (np.linalg.norm(chi2_matrix(matrix)) >= 0.5 - roundoff) or name == "non_degeneracy"
        trace = sum(found.instance.transition[k][k] for k in range(len(matrix)))
        assert trace == 1 or name == "constant_mean"

    def test_without_a_lower_bound_rare_symbols_hide_the_dependence(self):
        space = replace(KEEP, lower_bound=None, lengths=(10, 10), symbols=(5, 5))
        found = find_counterexample(TOP, space, 6000, 0).counterexample
        assert all(check.holds for check in found.assumptions if check.kept)
        matrix = as_floats(found.instance.transition)
        assert 5 * matrix.min() < 0.1
        # Without its two rare symbols the chain hardly depends on what comes before.
        common = matrix[:3, :3] / matrix[:3, :3].sum(axis=1, keepdims=True)
        assert np.linalg.norm(chi2_matrix(common)) < 0.2
        assert verify_certificate(found.certificate).valid

    def test_the_assumption_report_agrees(self):
        found = find_counterexample(TOP, SearchSpace(lower_bound=0.1), 500, 0).counterexample
        report = check_assumptions(OrbitPrior(as_floats(found.instance.transition)))
        exact = {check.name: check.holds for check in found.assumptions}
        assert [check.holds for check in report] == [
            exact["lower_bound"],
            exact["non_degeneracy"],
            True,
            exact["constant_mean"],
        ]


class TestWhatIsNotFound:
    @pytest.mark.parametrize("name", THEOREMS)
    @pytest.mark.parametrize("seed", [0, 1])
    def test_theorems_are_not_falsified(self, name, seed):
        space = SearchSpace(families=("chain", "star", "random-forest"), lengths=(3, 9), symbols=(2, 4))
        result = find_counterexample(name, space, 600, seed)
        assert result.counterexample is None
        assert result.evaluations == 600
        assert result.smallest_margin >= -1e-9

    def test_nothing_within_the_assumptions(self):
        result = find_counterexample(TOP, replace(KEEP, lengths=(10, 12)), 800, 0)
        assert not result.found
        assert (result.evaluations, result.budget) == (800, 800)
        assert 0.0 < result.smallest_margin < 0.2
        assert_close(STATEMENTS[TOP].margin(result.closest), result.smallest_margin, rtol=0.0)

    def test_graphs_without_edges_end_the_search(self):
        result = find_counterexample(TOP, SearchSpace(lengths=(2, 2)), 100, 0)
        assert (result.found, result.evaluations, result.closest) == (False, 0, None)
        assert result.smallest_margin == float("inf")


class TestBudget:
    @pytest.mark.parametrize("budget", [1, 7, 61, 250])
    def test_is_spent_to_the_last_evaluation(self, budget):
        calls = []

        def margin(instance):
            calls.append(instance)
            return 1.0

        statement = Statement("always", "nothing fails", margin, lambda instance: Fraction(1))
        result = find_counterexample(statement, SearchSpace(), budget, 0)
        assert len(calls) == result.evaluations == budget

    def test_points_without_a_matrix_count(self):
        """The norm of B would have to be near its maximum."""
        space = SearchSpace(symbols=(3, 3), lower_bound=0.9, non_degeneracy=1.4)
        result = find_counterexample(TOP, space, 200, 0)
        assert result.evaluations == result.rejected == 200
        assert result.closest is None

    def test_one_evaluation_can_be_enough(self):
        never = Statement("never", "all fails", lambda instance: -1.0, lambda instance: Fraction(-1))
        result = find_counterexample(never, SearchSpace(lengths=(3, 30)), 1, 0)
        assert result.evaluations == 1
        assert result.counterexample.instance.graph.length == 3


class TestDeterminism:
    def test_same_seed_same_result(self):
        space = SearchSpace(lengths=(5, 8), symbols=(2, 4), epsilon_range=("1/100", "1/2"), lower_bound=0.1)
        one, two = (find_counterexample(TOP, space, 800, np.random.default_rng(5)) for _ in range(2))
        assert one == two
        assert repr(one) == repr(two)

    def test_another_seed_looks_elsewhere(self):
        one, two = (find_counterexample("information_fades", SearchSpace(), 100, seed) for seed in (0, 1))
        assert one.smallest_margin != two.smallest_margin

    def test_progress_changes_nothing(self):
        one, two = (
            find_counterexample(TOP, SearchSpace(lower_bound=0.1), 300, 0, progress=flag) for flag in (True, False)
        )
        assert one == two

    def test_what_else_is_imported_changes_nothing(self, tmp_path):
        """Hypothesis mixes constants of modules beside the running script into integers, and keeps them in a folder."""
        (tmp_path / "constants.py").write_text("VALUES = [3, 4, 5, 6, 7, 8, 9, 10, 1000]\n", encoding="utf-8")
        code = (
            "from causal_theory.falsification import SearchSpace, find_counterexample\n"
            "space = SearchSpace(lengths=(3, 12), constant_mean=True, symbols=(3, 3), non_degeneracy=0.5)\n"
            "print(find_counterexample('top_scores_are_edges', space, 400, 3).smallest_margin)"
        )
        outputs = {
            subprocess.run(
                [sys.executable, "-c", start + code], cwd=tmp_path, capture_output=True, text=True, check=True
            ).stdout
            for start in ("", "import constants\n")
        }
        assert len(outputs) == 1
        assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["constants.py"]


class TestYourOwnStatement:
    def test_shrinks_to_the_first_length_that_fails(self):
        """Fails from nine tokens on, for four symbols, on binary trees: the least of each is found."""

        def margin(instance):
            worse = instance.graph == CausalGraph.binary_tree(instance.graph.length)
            return -1.0 if instance.graph.length >= 9 and len(instance.transition) >= 4 and worse else 1.0

        statement = Statement("mine", "made up", margin, lambda instance: Fraction(margin(instance)))
        space = SearchSpace(families=("chain", "star", "binary-tree"), lengths=(3, 14), symbols=(2, 6))
        found = find_counterexample(statement, space, 20_000, 0).counterexample
        assert (found.instance.graph.length, len(found.instance.transition), found.family) == (9, 4, "binary-tree")

    def test_floats_alone_are_no_counterexample(self):
        """A margin that is negative in floats and positive in fractions is an artefact."""
        statement = Statement("mine", "made up", lambda instance: -1.0, lambda instance: Fraction(1))
        result = find_counterexample(statement, SearchSpace(lengths=(3, 4)), 500, 0)
        assert not result.found
        assert result.evaluations == 500

    def test_its_errors_come_out(self):
        def broken(instance):
            raise ZeroDivisionError("mine")

        statement = Statement("mine", "made up", broken, lambda instance: Fraction(1))
        with pytest.raises(ZeroDivisionError, match="mine"):
            find_counterexample(statement, SearchSpace(), 10, 0)

    @pytest.mark.parametrize(
        ("margin", "certified", "message"),
        [
            (lambda instance: float("nan"), lambda instance: Fraction(1), "margin of mine must be a number, got nan"),
            (lambda instance: -1.0, lambda instance: -0.5, "certified_margin of mine must be a Fraction, got -0.5"),
        ],
    )
    def test_margins_must_be_margins(self, margin, certified, message):
        with pytest.raises(InvalidArgumentError, match=message):
            find_counterexample(Statement("mine", "made up", margin, certified), SearchSpace(), 500, 0)


class TestStatements:
    @pytest.mark.parametrize("name", STATEMENTS)
    @settings(max_examples=15)
    @given(graph=forests(min_length=3, max_length=6), matrix=transition_matrices(max_size=3, near_deterministic=False))
    def test_floats_and_fractions_agree(self, name, graph, matrix):
        rows = tuple(tuple(Fraction(float(entry)) for entry in row) for row in matrix)
        instance = Instance(graph, rows, Fraction(1, 10))
        margin = STATEMENTS[name].margin(instance)
        if np.isfinite(margin):
            assert_close(margin, float(STATEMENTS[name].certified_margin(instance)), rtol=1e-10, atol=1e-10)
        else:
            assert STATEMENTS[name].certified_margin(instance) == 1

    def test_uniform_roots_have_no_limit(self):
        with pytest.raises(TaskError, match="root_law"):
            find_counterexample("limit_scores_are_edges", SearchSpace(root_law="uniform"), 10, 0)

    def test_uniform_roots_have_scores(self):
        found = find_counterexample(TOP, SearchSpace(root_law="uniform", lower_bound=0.1), 1000, 0).counterexample
        assert found.certificate.root_law == "uniform"
        assert verify_certificate(found.certificate).valid


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("no_such_claim", SearchSpace(), 10, 0), "statement must be one of 'top_scores_are_edges'"),
            ((TOP, {"lengths": (3, 4)}, 10, 0), "search_space must be a SearchSpace, got dict"),
            ((TOP, SearchSpace(), 0, 0), "budget must be an integer of at least 1, got 0"),
            ((TOP, SearchSpace(), -3, 0), "budget must be an integer of at least 1, got -3"),
            ((TOP, SearchSpace(), 10.5, 0), "budget must be an integer of at least 1, got 10.5"),
            ((TOP, SearchSpace(), 10, "seed"), "rng must be a seed or a numpy Generator"),
        ],
    )
    def test_searches(self, arguments, message):
        with pytest.raises(InvalidArgumentError, match=message):
            find_counterexample(*arguments)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("name", "two words", "name must be an identifier, got 'two words'"),
            ("margin", 3, "margin must be a function of an instance, got 3"),
            ("certified_margin", None, "certified_margin must be a function of an instance, got None"),
            ("error", 0, "error must be a finite number greater than 0, got 0"),
        ],
    )
    def test_statements(self, field, value, message):
        with pytest.raises(InvalidArgumentError, match=message):
            replace(STATEMENTS[TOP], **{field: value})

    def test_instances(self):
        good = third()
        with pytest.raises(GraphError, match="graph must be a CausalGraph, got list"):
            replace(good, graph=[-1, 0])
        with pytest.raises(TransitionError, match="rows that sum to 1"):
            replace(good, transition=((0.5, 0.6), (0.5, 0.5)))
        with pytest.raises(InvalidArgumentError, match="epsilon must be a finite number greater than 0, got -1"):
            replace(good, epsilon=-1)
        with pytest.raises(InvalidArgumentError, match="root_law must be one of"):
            replace(good, root_law="normal")


class TestShown:
    def test_repr_is_one_line(self):
        result = find_counterexample(TOP, SearchSpace(lower_bound=0.1), 500, 0)
        assert repr(result).startswith("SearchResult(top_scores_are_edges: Counterexample(chain, length=3, symbols=2,")
        assert "\n" not in repr(result)
        assert repr(STATEMENTS[TOP]).startswith("Statement(top_scores_are_edges: in every child row")

    def test_notebook(self):
        result = find_counterexample(TOP, SearchSpace(lower_bound=0.1), 500, 0)
        for shown in (result, result.counterexample):
            markup = shown._repr_html_()
            assert markup.count("<table") == markup.count("</table>") >= 3
            assert "2/3" in markup
        nothing = find_counterexample("information_fades", SearchSpace(), 20, 0)
        assert "none found" in nothing._repr_html_()


def test_no_folder_is_left_behind():
    """The examples of Hypothesis are kept in a folder of the working directory; the search keeps none."""
    code = (
        "from causal_theory.falsification import SearchSpace, find_counterexample\n"
        "print(find_counterexample('top_scores_are_edges', SearchSpace(lower_bound=0.1), 300, 0).found)"
    )
    root = Path(__file__).parent.parent
    before = sorted(path.name for path in root.iterdir())
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert sorted(path.name for path in root.iterdir()) == before
