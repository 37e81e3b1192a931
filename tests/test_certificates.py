"""Certificates: three routes to the same fractions, reference values, bad input, files, what verification says."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import CausalGraph, InContextTask, PointPrior, certify_edge_scores, edge_scores, verify_certificate
from causal_theory.certificates import read_certificate, write_certificate
from causal_theory.certificates.certificate import freeze
from causal_theory.certificates.enumeration import enumerated_pairs, enumerated_scores
from causal_theory.certificates.evaluation import evaluated_pairs, evaluated_scores, point_weights
from causal_theory.certificates.files import certificate_from_dict, certificate_to_dict
from causal_theory.certificates.rationals import as_rational, as_rational_transition, stationary_law
from causal_theory.certificates.scores import exact_scores
from causal_theory.errors import FileFormatError, GraphError, InvalidArgumentError, TooLargeError, TransitionError
from causal_theory.testing import forests
from tests.helpers import assert_close

THREE = (("1/5", "7/10", "1/10"), ("1/10", "1/2", "2/5"), ("3/5", "1/10", "3/10"))
CASES = json.loads((Path(__file__).parent / "data" / "small_cases.json").read_text(encoding="utf-8"))


@st.composite
def rational_matrices(draw, most: int = 3):
    """Transition matrices with small denominators, zeros included, and a unique stationary law."""
    size = draw(st.integers(2, most))
    rows = []
    for _ in range(size):
        shares = draw(st.lists(st.integers(0, 5), min_size=size, max_size=size).filter(any))
        rows.append(tuple(Fraction(share, sum(shares)) for share in shares))
    matrix = tuple(rows)
    try:
        stationary_law(matrix)
    except TransitionError:
        # A single state that all reach makes the law unique.
        matrix = tuple((Fraction(1), *(Fraction(0),) * (size - 1)) for _ in range(size))
    return matrix


def parents_of(graph):
    return [entry[0] if entry else -1 for entry in graph.parents[:-1]]


class TestRoutes:
    """Message passing with polynomials, values at points, and the sum over all sequences."""

    @given(forests(max_length=5), rational_matrices(), st.fractions(Fraction(1, 50), 3, max_denominator=60))
    def test_agree_exactly(self, graph, matrix, epsilon):
        parents, law = parents_of(graph), stationary_law(matrix)
        by_messages = exact_scores(parents, matrix, law, epsilon)
        assert by_messages == evaluated_scores(parents, matrix, law, epsilon)
        assert by_messages == enumerated_scores(parents, matrix, law, epsilon)

    @given(forests(max_length=5), rational_matrices())
    def test_joint_laws_agree_exactly(self, graph, matrix):
        parents, law = parents_of(graph), stationary_law(matrix)
        assert evaluated_pairs(parents, matrix, law) == enumerated_pairs(parents, matrix, law)

    @pytest.mark.parametrize(
        "graph",
        [CausalGraph.chain(14), CausalGraph.pairs(15), CausalGraph.star(14), CausalGraph.binary_tree(16)],
        ids=["chain", "pairs", "star", "binary tree"],
    )
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_agree_beyond_enumeration(self, graph, root_law):
        certificate = certify_edge_scores(graph, THREE, "1/20", root_law=root_law)
        law = stationary_law(certificate.transition) if root_law == "stationary" else (Fraction(1, 3),) * 3
        found = evaluated_scores(parents_of(graph), certificate.transition, law, certificate.epsilon)
        assert certificate.scores == freeze(found)

    @given(st.lists(st.fractions(), min_size=1, max_size=7))
    def test_point_weights_integrate_powers(self, moments):
        weights = point_weights(moments)
        assert [sum(w * k**n for k, w in enumerate(weights)) for n in range(len(moments))] == moments

    def test_by_hand(self):
        """A root and the query, two symbols that alternate with certainty: y is the symbol that the query is not.

        When the root equals the query, y does not occur and every term is 0. Otherwise only the query is a key that
        equals itself; as the position it has [q = b] - c_b = -1/2 over 1/2 + 1/3, with a chance of one half.
        """
        certificate = certify_edge_scores(CausalGraph.from_parents([-1]), [[0, 1], [1, 0]], "1/3")
        assert certificate.scores == ((Fraction(0),), (Fraction(0), Fraction(-3, 10)))


class TestFloats:
    """The engines in floating point against the fractions."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case['parents']) + 1} tokens")
    def test_reference_values(self, case):
        certificate = certify_edge_scores(
            CausalGraph.from_parents(case["parents"]), case["transition"], case["epsilon"]
        )
        assert certificate.moved < Fraction(1, 10**15)
        for name, rows in (("scores", certificate.scores), ("chi2", certificate.information)):
            expected = np.asarray(case[name])
            scale = np.abs(np.tril(expected)).max()
            for i, row in enumerate(rows):
                for j, entry in enumerate(row):
                    if name == "scores" or j < i < len(rows) - 1:
                        assert abs(float(entry) - expected[i, j]) < 1e-14 * max(scale, 1.0)

    def test_long_graph(self):
        """T = 40 is beyond any enumeration."""
        graph = CausalGraph.random_forest(40, 0.3, rng=5)
        certificate = certify_edge_scores(graph, [["1/4", "3/4"], ["2/3", "1/3"]], "1/40")
        floats = edge_scores(InContextTask(graph, PointPrior([[0.25, 0.75], [2 / 3, 1 / 3]])), epsilon=1 / 40)
        for i, row in enumerate(certificate.scores):
            assert_close(floats.value[i, : i + 1], [float(entry) for entry in row], rtol=0.0, atol=1e-13)


class TestVerdict:
    def test_alternating_symbols_hold(self):
        certificate = certify_edge_scores(CausalGraph.chain(8), [["1/5", "4/5"], ["4/5", "1/5"]], "1/100")
        assert certificate.holds
        assert certificate.failures == ()
        assert [margin.child for margin in certificate.margins] == list(range(1, 7))
        assert all(margin.parent == margin.child - 1 for margin in certificate.margins)
        assert certificate.weakest.margin == min(margin.margin for margin in certificate.margins) > 0

    def test_repeating_symbols_fail_at_the_diagonal(self):
        certificate = certify_edge_scores(CausalGraph.chain(8), [["4/5", "1/5"], ["1/5", "4/5"]], "1/100")
        assert not certificate.holds
        assert {margin.rival - margin.child for margin in certificate.failures} == {0}

    def test_a_tie_is_no_win(self):
        """Independent tokens: all scores of a row but the diagonal are equal."""
        certificate = certify_edge_scores(CausalGraph.chain(5), [["1/2", "1/2"], ["1/2", "1/2"]], "1/10")
        assert not certificate.holds
        assert any(margin.margin == 0 for margin in certificate.margins)

    def test_without_edges(self):
        certificate = certify_edge_scores(CausalGraph.from_parents([-1, -1]), THREE, 1)
        assert certificate.holds
        assert certificate.margins == ()
        assert certificate.weakest is None
        assert "smallest_margin=none" in repr(certificate)

    def test_limit_of_an_edge_is_its_information(self):
        certificate = certify_edge_scores(CausalGraph.binary_tree(9), THREE, "1/7")
        for margin in certificate.margins:
            edge = certificate.information[margin.child][margin.parent]
            assert 3 * certificate.limit_scores[margin.child][margin.parent] == edge

    def test_uniform_roots_have_no_limit(self):
        assert certify_edge_scores(CausalGraph.chain(4), THREE, 1, root_law="uniform").limit_scores is None


class TestInput:
    @pytest.mark.parametrize(
        "value",
        [Fraction(1, 5), "1/5", "0.2", Decimal("0.2"), sympy.Rational(1, 5)],
        ids=lambda value: type(value).__name__,
    )
    def test_rationals_are_exact(self, value):
        assert as_rational("x", value).value == Fraction(1, 5)
        assert as_rational("x", value).moved is None

    def test_integers_of_every_kind(self):
        assert [as_rational("x", value).value for value in (2, np.int64(2), sympy.Integer(2))] == [2, 2, 2]

    def test_plain_floats_are_what_they_look_like(self):
        found = as_rational("x", 0.7)
        assert found.value == Fraction(7, 10)
        assert found.moved == abs(Fraction(7, 10) - Fraction(0.7)) > 0

    def test_other_floats_are_binary(self):
        found = as_rational("x", 0.1234567891234567)
        assert found.value == Fraction(0.1234567891234567)
        assert found.moved == 0

    def test_rows_of_floats_are_closed(self):
        matrix = np.random.default_rng(0).dirichlet(np.ones(4), 4)
        found = as_rational_transition("x", matrix)
        assert all(sum(row) == 1 for row in found.value)
        assert found.moved < Fraction(1, 10**15)
        assert_close([[float(entry) for entry in row] for row in found.value], matrix, rtol=1e-15)

    def test_certificate_says_what_was_moved(self):
        exact = certify_edge_scores(CausalGraph.chain(3), THREE, "1/10")
        rounded = certify_edge_scores(CausalGraph.chain(3), [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]], 0.1)
        assert exact.moved is None
        assert "moved" not in repr(exact)
        assert rounded.scores == exact.scores
        assert 0 < rounded.moved < Fraction(1, 10**15)
        assert "input moved by" in repr(rounded)

    @pytest.mark.parametrize(
        ("transition", "words"),
        [
            ([[sympy.sqrt(2) / 2, 1 - sympy.sqrt(2) / 2], [1, 0]], "rational number, got sqrt"),
            ([[nan, 1], [1, 0]], "rational number, got nan"),
            ([[inf, 1], [1, 0]], "rational number, got inf"),
            ([["a", 1], [1, 0]], "got 'a'"),
            ([[True, False], [1, 0]], "got True"),
            ([["1/3", "1/3"], [1, 0]], "sum to 1 exactly, got 2/3 in row 0"),
            ([[0.5, 0.4], [0.5, 0.5]], "sum to 1, got 0.9 in row 0"),
            ([["-1/2", "3/2"], [1, 0]], r"at least 0, got '-1/2' at \(0, 0\)"),
            ([[1, 0], [0, 1]], "unique stationary law, got 2 closed classes"),
            ([[1]], "at least 2 symbols"),
            ([[1, 0], [1]], "square"),
            (3, "square"),
            (None, "square"),
        ],
    )
    def test_bad_transitions(self, transition, words):
        with pytest.raises(TransitionError, match=words):
            certify_edge_scores(CausalGraph.chain(4), transition, 1)

    @pytest.mark.parametrize("epsilon", [0, -1, "x", nan, sympy.pi, None, True])
    def test_bad_epsilon(self, epsilon):
        with pytest.raises(InvalidArgumentError, match="epsilon must be a"):
            certify_edge_scores(CausalGraph.chain(4), THREE, epsilon)

    @pytest.mark.parametrize(
        "graph",
        ["chain", CausalGraph([[], [0], [0, 1], []]), CausalGraph([[], [0]])],
        ids=["text", "two parents", "no query"],
    )
    def test_bad_graphs(self, graph):
        with pytest.raises(GraphError, match="graph must be"):
            certify_edge_scores(graph, THREE, 1)

    def test_bad_root_law(self):
        with pytest.raises(InvalidArgumentError, match="root_law"):
            certify_edge_scores(CausalGraph.chain(4), THREE, 1, root_law="fixed")

    def test_what_would_take_hours_is_refused(self):
        with pytest.raises(TooLargeError, match="use a shorter graph"):
            certify_edge_scores(CausalGraph.chain(400), THREE, 1)


@pytest.fixture
def certificate():
    return certify_edge_scores(CausalGraph.random_forest(8, 0.3, rng=2), THREE, "1/10")


class TestFiles:
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_round_trip(self, tmp_path, root_law):
        written = certify_edge_scores(CausalGraph.pairs(7), [[0.2, 0.8], [0.6, 0.4]], 0.3, root_law=root_law)
        write_certificate(written, tmp_path / "c.json")
        assert read_certificate(tmp_path / "c.json") == written
        assert [path.name for path in tmp_path.iterdir()] == ["c.json"]

    def test_holds_nothing_rounded(self, certificate):
        text = json.dumps(certificate_to_dict(certificate))
        assert "." not in text.replace("causal_theory", "")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda c: c.pop("scores"), r"missing \['scores'\]"),
            (lambda c: c.update(more=1), r"unknown \['more'\]"),
            (lambda c: c.update(format="other"), "format must be"),
            (lambda c: c.update(parents=[5]), "parents of position 0"),
            (lambda c: c["scores"].pop(), "scores must have rows"),
            (lambda c: c["scores"][1].append("1"), "scores must have rows"),
            (lambda c: c["scores"][1].__setitem__(0, 0.5), r"scores\[1\]\[0\] must be a fraction"),
            (lambda c: c["scores"][1].__setitem__(0, "1/0"), r"scores\[1\]\[0\] must be a fraction"),
            (lambda c: c.update(epsilon="x"), "epsilon must be a fraction"),
            (lambda c: c.update(root_law="x"), "root_law must be"),
            (lambda c: c.update(limit_scores=None), "limit_scores must be given"),
            (lambda c: c.update(transition=[["1"]]), "square matrix"),
            (lambda c: c.update(transition="x"), "transition must be a list"),
            (lambda c: c.update(margins=3), "margins must be a list"),
            (lambda c: c["margins"][0].pop("rival"), r"margins\[0\] must have child"),
            (lambda c: c["margins"][0].update(child="1"), r"margins\[0\] must have integers"),
            (lambda c: c.update(holds=not c["holds"]), "holds must agree"),
        ],
    )
    def test_malformed(self, certificate, tmp_path, change, words):
        content = certificate_to_dict(certificate)
        change(content)
        with pytest.raises(FileFormatError, match=words):
            certificate_from_dict(content)
        (tmp_path / "c.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(FileFormatError, match=r"c\.json: "):
            read_certificate(tmp_path / "c.json")

    def test_not_json(self, tmp_path):
        (tmp_path / "c.json").write_text("{", encoding="utf-8")
        with pytest.raises(FileFormatError, match="not a JSON file"):
            read_certificate(tmp_path / "c.json")
        with pytest.raises(FileFormatError, match="cannot read"):
            read_certificate(tmp_path / "none.json")
        with pytest.raises(FileFormatError, match="an object"):
            certificate_from_dict([])


def altered(rows, i, j, change=Fraction(1, 10**30)):
    """The same rows with one entry a tiny bit off."""
    return tuple(
        tuple(entry + change * ((r, c) == (i, j)) for c, entry in enumerate(row)) for r, row in enumerate(rows)
    )


class TestVerification:
    @pytest.mark.parametrize(("length", "route"), [(6, "enumeration"), (12, "evaluation")])
    @pytest.mark.parametrize("root_law", ["stationary", "uniform"])
    def test_of_true_certificates(self, length, route, root_law):
        found = verify_certificate(certify_edge_scores(CausalGraph.chain(length), THREE, "1/9", root_law=root_law))
        assert found.valid
        assert found.failures == ()
        assert found.route == route
        assert repr(found) == f"Verification(valid, by {route})"

    @pytest.mark.parametrize("length", [6, 12])
    def test_names_every_altered_entry(self, length):
        certificate = certify_edge_scores(CausalGraph.chain(length), THREE, "1/9")
        for field in ("scores", "limit_scores", "information"):
            for i, j in ((2, 0), (3, 1), (length - 1, 2)):
                changed = replace(certificate, **{field: altered(getattr(certificate, field), i, j)})
                found = verify_certificate(changed)
                assert not found.valid
                assert [line.partition(":")[0] for line in found.failures] == [f"{field}[{i}][{j}]"]

    def test_names_altered_margins(self, certificate):
        first, *others = certificate.margins
        for changed in (
            replace(first, margin=-first.margin),
            replace(first, rival=first.parent),
            replace(first, child=first.child + 1),
        ):
            found = verify_certificate(replace(certificate, margins=(changed, *others)))
            assert [line.partition(":")[0] for line in found.failures] == ["margins[0]"]
        found = verify_certificate(replace(certificate, margins=tuple(others)))
        assert found.failures[0].startswith("margins: the certificate has")

    def test_an_altered_instance_fails_throughout(self, certificate):
        changed = replace(certificate, epsilon=certificate.epsilon * 2)
        assert len(verify_certificate(changed).failures) > 10
        changed = replace(certificate, graph=CausalGraph.chain(8))
        assert not verify_certificate(changed).valid

    def test_of_what_is_no_instance(self, certificate):
        rows = altered(certificate.transition, 1, 2)
        assert verify_certificate(replace(certificate, transition=rows)).failures[0].startswith("transition[1]")
        assert verify_certificate(replace(certificate, epsilon=Fraction(0))).failures[0].startswith("epsilon")
        identity = tuple(tuple(Fraction(a == b) for b in range(3)) for a in range(3))
        found = verify_certificate(replace(certificate, transition=identity))
        assert "unique stationary law" in found.failures[0]

    def test_repr_of_failure(self, certificate):
        text = repr(verify_certificate(replace(certificate, epsilon=certificate.epsilon * 2)))
        assert text.startswith("Verification(not valid, by evaluation: scores[0][0]")
        assert " more)" in text
