"""Closed forms: identities hold, wrong formulas do not pass, numbers agree with plain enumeration."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import pytest
import sympy as sp

from causal_theory import CausalGraph, certify_edge_scores
from causal_theory.errors import InvalidArgumentError
from causal_theory.symbolic import TwoSymbols, first_order_residual, parent_wins, softmax_jacobian_residual, two_symbols
from causal_theory.symbolic import softmax as softmax_module

FORM = TwoSymbols()


class TestIdentities:
    def test_closed_forms_hold(self):
        residuals = FORM.residuals()
        assert len(residuals) == 8
        assert set(residuals.values()) == {sp.Integer(0)}

    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    def test_jacobian_of_the_softmax(self, size):
        residual = softmax_jacobian_residual(size)
        assert residual.shape == (size, size)
        assert residual == sp.zeros(size, size)

    @pytest.mark.parametrize(("length", "query"), [(2, 0), (2, 1), (3, 2), (4, 2)])
    def test_first_order_gradient(self, length, query):
        for tokens in list(product((0, 1), repeat=length))[1::3]:
            residual = first_order_residual(length, query, tokens)
            assert residual.shape == (query + 1, 1)
            assert residual == sp.zeros(query + 1, 1)


@dataclass(frozen=True)
class WrongPower(TwoSymbols):
    @property
    def limit_score(self):
        return self.constant * self.eigenvalue**self.k


@dataclass(frozen=True)
class WrongInformation(TwoSymbols):
    @property
    def information(self):
        return self.eigenvalue**self.k


@dataclass(frozen=True)
class WrongConstant(TwoSymbols):
    @property
    def constant(self):
        return 2 * super().constant


@dataclass(frozen=True)
class WrongLaw(TwoSymbols):
    @property
    def stationary(self):
        return sp.Matrix([self.a, self.b]) / (self.a + self.b)


class TestWrongFormulas:
    @pytest.mark.parametrize(
        ("form", "wrong"),
        [
            (WrongPower(), "the limit score"),
            (WrongInformation(), "the chi-square information"),
            (WrongConstant(), "the limit score"),
            (WrongLaw(), "the law is stationary"),
        ],
    )
    def test_of_two_symbols(self, form, wrong):
        assert form.residuals()[wrong] != 0

    def test_of_the_softmax(self, monkeypatch):
        """Without the normalisation the Jacobian is another one."""
        monkeypatch.setattr(softmax_module, "_softmax", lambda logits: sp.Matrix([sp.exp(x) for x in logits]))
        assert softmax_jacobian_residual(2) != sp.zeros(2, 2)

    def test_of_the_gradient(self, monkeypatch):
        """Attention that does not sum to one has another gradient."""
        monkeypatch.setattr(softmax_module, "_softmax", lambda logits: sp.Matrix([sp.exp(x) for x in logits]))
        assert first_order_residual(3, 1, (0, 1, 1)) != sp.zeros(2, 1)


def joint_by_steps(a, b, steps):
    """Law of two tokens so many steps apart, by multiplying fractions."""
    law = (b / (a + b), a / (a + b))
    rows = ((1 - a, a), (b, 1 - b))
    joint = [[law[x] * (x == y) for y in (0, 1)] for x in (0, 1)]
    for _ in range(steps):
        joint = [[sum(joint[x][z] * rows[z][y] for z in (0, 1)) for y in (0, 1)] for x in (0, 1)]
    return law, rows, joint


class TestNumbers:
    @pytest.mark.parametrize("steps", [0, 1, 2, 5])
    @pytest.mark.parametrize("epsilon", [Fraction(0), Fraction(1, 7)])
    def test_are_those_of_the_definitions(self, steps, epsilon):
        for a, b in ((Fraction(1, 5), Fraction(2, 3)), (Fraction(3, 4), Fraction(1)), (Fraction(1, 2), Fraction(1, 2))):
            law, rows, joint = joint_by_steps(a, b, steps)
            pairs = list(product((0, 1), repeat=2))
            score = sum(rows[x][y] / (law[y] + epsilon) * (joint[x][y] - law[x] * law[y]) for x, y in pairs) / 2
            chi2 = sum(joint[x][y] ** 2 / (law[x] * law[y]) for x, y in pairs) - 1
            point = {FORM.a: a, FORM.b: b, FORM.k: steps, FORM.epsilon: epsilon}
            point = {symbol: sp.Rational(value) for symbol, value in point.items()}
            assert FORM.limit_score.subs(point) == sp.Rational(score)
            assert FORM.information.subs(point) == sp.Rational(chi2)
            assert FORM.joint.subs(point) == sp.Matrix(2, 2, lambda x, y, joint=joint: sp.Rational(joint[x][y]))

    def test_constant_is_positive(self):
        for a, b, epsilon in product((Fraction(1, 9), Fraction(1)), (Fraction(1, 9), Fraction(1)), (0, 10)):
            assert FORM.constant.subs({FORM.a: a, FORM.b: b, FORM.epsilon: epsilon}) > 0


class TestWhoWins:
    @pytest.mark.parametrize(
        ("eigenvalue", "distances", "expected"),
        [
            ("-1/2", (2, 3), True),
            ("-1/1000", (), True),
            ("1/2", (), False),
            ("0", (2,), False),
            ("1", (), False),
            ("-1", (2, 4), True),
            ("-1", (2, 3), False),
            ("-1", (), True),
        ],
    )
    def test_rule(self, eigenvalue, distances, expected):
        assert parent_wins(sp.Rational(eigenvalue), distances) is expected

    def test_rule_is_what_exact_limit_scores_say(self):
        """On every row of a tree with branches and of a second tree."""
        graph = CausalGraph.from_parents([-1, 0, 1, 1, -1, 2, 0, 4])
        seen = set()
        for a, b in product((Fraction(1, 4), Fraction(1, 2), Fraction(1)), repeat=2):
            scores = certify_edge_scores(graph, ((1 - a, a), (b, 1 - b)), 1).limit_scores
            for child, parent in enumerate(graph.parent_array.tolist()):
                if parent < 0:
                    continue
                won = all(scores[child][parent] > score for j, score in enumerate(scores[child]) if j != parent)
                apart = graph.distances[child, :child].tolist()
                others = tuple(int(d) for d in apart if d not in (1.0, float("inf")))
                assert won == parent_wins(sp.Rational(1 - a - b), others)
                seen.add((1 - a - b == -1, won))
        assert seen == {(False, False), (False, True), (True, False), (True, True)}


class TestBadInput:
    @pytest.mark.parametrize("size", [0, -1, 1.5, "2", True])
    def test_size(self, size):
        with pytest.raises(InvalidArgumentError, match="size must be an integer of at least 1, got"):
            softmax_jacobian_residual(size)

    @pytest.mark.parametrize("length", [1, 2.0, None])
    def test_length(self, length):
        with pytest.raises(InvalidArgumentError, match="length must be an integer of at least 2, got"):
            first_order_residual(length, 0, (0, 1))

    @pytest.mark.parametrize(
        ("query", "tokens", "words"),
        [
            (2, (0, 1), "query must be at most 1, got 2"),
            (-1, (0, 1), "query must be an integer"),
            (0, (0, 1, 1), "tokens must be 2 symbols"),
            (0, (0, 2), "tokens must be 2 symbols"),
        ],
    )
    def test_sequence(self, query, tokens, words):
        with pytest.raises(InvalidArgumentError, match=words):
            first_order_residual(2, query, tokens)


def test_names_are_symbols_of_the_module():
    assert (FORM.a, FORM.b, FORM.k, FORM.epsilon) == (two_symbols.A, two_symbols.B, two_symbols.K, two_symbols.EPSILON)
