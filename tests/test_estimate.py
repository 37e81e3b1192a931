"""Estimates and gradients as containers."""

import operator
from dataclasses import FrozenInstanceError
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    Estimate,
    Gradient,
    InContextTask,
    edge_scores,
    limit_edge_scores,
)
from causal_theory.errors import InvalidArgumentError
from tests.helpers import assert_close


@pytest.fixture
def scalar():
    return Estimate(np.array(0.5), np.array(1e-16), "exact")


@pytest.fixture
def table():
    return Estimate(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.1, 0.2], [0.0, 0.3]]), "monte_carlo")


class TestEstimate:
    def test_number(self, scalar):
        assert float(scalar) == 0.5

    def test_a_table_is_no_number(self, table):
        with pytest.raises(TypeError):
            float(table)

    def test_array(self, table):
        array = np.asarray(table)
        assert array.tolist() == table.value.tolist()
        assert np.asarray(table, dtype=np.float32).dtype == np.float32
        assert (np.add(table, 1.0) == table.value + 1.0).all()
        assert np.max(np.asarray(table)) == 4.0

    def test_a_copy_is_a_copy(self, table):
        copied = np.array(table, copy=True)
        copied[0, 0] = 9.0
        assert table.value[0, 0] == 1.0

    def test_it_cannot_be_changed(self, scalar):
        with pytest.raises(FrozenInstanceError):
            scalar.value = np.array(1.0)

    def test_comparison_is_by_identity(self, scalar):
        """Equality of arrays has no single truth value: an estimate equals only itself."""
        assert scalar == scalar
        assert scalar != Estimate(scalar.value, scalar.error, scalar.method)

    def test_representation(self, scalar, table):
        assert repr(scalar) == "Estimate(0.5 +- 1.0e-16 (bound), exact)"
        assert repr(table) == "Estimate(2x2 array, standard error <= 3.0e-01, monte_carlo)"
        assert repr(Estimate(np.zeros(0), np.zeros(0), "exact")) == "Estimate(0 array, bound <= 0.0e+00, exact)"

    def test_representation_of_what_has_no_mean(self):
        """One entry without an error does not hide those of the others."""
        scores = Estimate(np.zeros((2, 2)), np.array([[1e-9, 0.0], [0.0, np.inf]]), "quadrature")
        text = "Estimate(2x2 array, quadrature error <= 1.0e-09, unknown for 1 number, quadrature)"
        assert repr(scores) == text
        assert scores.largest_error == np.inf

    def test_entries(self, table):
        row = table[1]
        assert (row.value.tolist(), row.error.tolist(), row.method) == ([3.0, 4.0], [0.0, 0.3], "monte_carlo")
        assert float(table[0, 1]) == 2.0
        assert [float(one) for one in table[:, 0]] == [1.0, 3.0]
        with pytest.raises(IndexError):
            table[2]

    def test_a_single_number_has_no_entries(self, scalar):
        """Nor does it pass for an empty list; zero is a result as well."""
        with pytest.raises(TypeError, match="unsized"):
            list(scalar)
        assert scalar - scalar

    def test_format(self, scalar, table):
        assert f"{scalar:.3f} {scalar:8.2e}" == "0.500 5.00e-01"
        assert f"{scalar}" == repr(scalar)
        with pytest.raises(InvalidArgumentError, match=r"format '.3f' must be for a single number, got an estimate of"):
            f"{table:.3f}"


OPERATIONS = (operator.add, operator.sub, operator.mul, operator.truediv)
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda x: x == 0.0 or abs(x) > 1e-6)
SHARES = st.floats(-1.0, 1.0)
ERRORS = st.floats(0.0, 10.0)


class TestArithmetic:
    @given(
        operation=st.sampled_from(OPERATIONS), a=NUMBERS, b=NUMBERS, errors=st.tuples(ERRORS, ERRORS),
        shares=st.tuples(SHARES, SHARES), methods=st.tuples(*[st.sampled_from(["exact", "quadrature"])] * 2),
    )  # fmt: skip
    def test_bounds_hold_for_all_that_they_admit(self, operation, a, b, errors, shares, methods):
        """In rational arithmetic, for any numbers within the errors of the operands."""
        one, other = (Estimate(np.array(x), np.array(e), m) for x, e, m in zip((a, b), errors, methods, strict=True))
        found = operation(one, other)
        assert found.method == ("exact" if methods == ("exact", "exact") else "quadrature")
        first, second = (
            Fraction(x) + Fraction(share) * Fraction(e) for x, share, e in zip((a, b), shares, errors, strict=True)
        )
        if operation is operator.truediv and abs(b) <= errors[1]:
            assert not np.isfinite(found.error)
        else:
            truth = operation(first, second)
            assert abs(truth - Fraction(float(found.value))) <= Fraction(float(found.error))

    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("errors", [(1.0, 0.5), (1e-3, 1e-4)])
    @pytest.mark.parametrize(("a", "b"), [(2.0, 3.0), (1e-3, -20.0), (-5.0, 11.0)])
    def test_bounds_hold_at_the_ends(self, operation, a, b, errors):
        """Where both operands are off by as much as they may: products need the product of the errors."""
        found = operation(*(Estimate(np.array(x), np.array(e), "exact") for x, e in zip((a, b), errors, strict=True)))
        ends = [[Fraction(x) + sign * Fraction(e) for sign in (-1, 1)] for x, e in zip((a, b), errors, strict=True)]
        off = max(abs(operation(x, y) - Fraction(float(found.value))) for x in ends[0] for y in ends[1])
        assert off <= Fraction(float(found.error))

    @given(b=NUMBERS, error=ERRORS, number=NUMBERS, operation=st.sampled_from(OPERATIONS))
    def test_numbers_have_no_error(self, b, error, number, operation):
        estimate, exact = (
            Estimate(np.array(b), np.array(error), "exact"),
            Estimate(np.array(number), np.zeros(()), "exact"),
        )
        for found, same in (
            (operation(estimate, number), operation(estimate, exact)),
            (operation(number, estimate), operation(exact, estimate)),
        ):
            assert type(found) is Estimate
            np.testing.assert_array_equal([found.value, found.error], [same.value, same.error])

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_standard_errors_are_those_of_independent_samples(self, operation):
        """Against the spread of a million pairs, whose errors are small beside the numbers."""
        rng = np.random.default_rng(5)
        a, b = 3.0 + 0.02 * rng.standard_normal(10**6), 2.0 + 0.03 * rng.standard_normal(10**6)
        one, other = (Estimate(np.array(x), np.array(e), "monte_carlo") for x, e in ((3.0, 0.02), (2.0, 0.03)))
        found = operation(one, other)
        assert found.method == "monte_carlo"
        # The spread of a million has a relative error of 0.0007; the second order is smaller still.
        assert abs(operation(a, b).std() / found.error - 1.0) < 0.004

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_mixtures_say_so(self, operation):
        drawn, exact = (
            Estimate(np.array(3.0), np.array(0.5), "monte_carlo"),
            Estimate(np.array(2.0), np.array(0.25), "exact"),
        )
        for found in (operation(drawn, exact), operation(exact, drawn), operation(operation(drawn, exact), exact)):
            assert found.method == "mixed"
            assert "bound and standard error" in repr(found)
        assert float((drawn + exact).error) == pytest.approx(0.75, rel=1e-12)

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_arrays_on_the_left_keep_the_error(self, table, operation):
        for left in (np.full((2, 2), 2.0), np.float64(2.0), 2):
            found = operation(left, table)
            assert type(found) is Estimate
            same = operation(Estimate(np.full((2, 2), 2.0), np.zeros((2, 2)), "monte_carlo"), table)
            np.testing.assert_array_equal(found.value, same.value)
            np.testing.assert_array_equal(found.error, same.error)

    def test_numpy_takes_the_value(self, table):
        """Comparisons and functions work as with an array; the four operations keep the error."""
        assert (table.value == table).all()
        assert (table == table.value).all()
        assert (np.full((2, 2), 2.5) < table).tolist() == [[False, False], [True, True]]
        assert (table < np.full((2, 2), 2.5)).tolist() == [[True, True], [False, False]]
        assert np.sqrt(table).tolist() == np.sqrt(table.value).tolist()
        assert np.add.reduce(table).tolist() == [4.0, 6.0]
        out = np.zeros((2, 2))
        np.multiply(table, 2.0, out=out)
        assert out.tolist() == [[2.0, 4.0], [6.0, 8.0]]
        for found in (np.add(table, 1.0), np.subtract(1.0, table), np.multiply(table, table), np.divide(table, 2.0)):
            assert type(found) is Estimate

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_what_is_unknown_stays_unknown(self, operation):
        """Silently: infinite errors are what estimates of rows without data have."""
        unknown = Estimate(np.array([np.inf, 2.0, 1e300]), np.array([0.0, np.inf, 1e290]), "monte_carlo")
        for other in (0.0, unknown, np.array([1.0, 0.0, 1e300])):
            found = operation(unknown, other)
            assert not np.isnan(found.error).any()
            assert np.isinf(found.error[1])
            assert not unknown.exceeds(unknown).any()

    def test_a_divisor_that_can_be_zero(self):
        small = Estimate(np.array([1.0, 0.0]), np.array([2.0, 0.0]), "exact")
        assert np.isinf((1.0 / small).error).all()

    def test_opposite(self, table):
        assert ((-table).value.tolist(), (-table).error.tolist()) == ((-table.value).tolist(), table.error.tolist())

    def test_other_things(self, table):
        masked = np.ma.array([1.0, 2.0], mask=[False, True])
        wrongs = ("3", b"3", None, object(), [[1.0], [1.0, 2.0]], np.datetime64(5, "s"), 1j, np.array([1j, 2j]), masked)
        for wrong in wrongs:
            with pytest.raises(InvalidArgumentError, match="operand must be a number, an array or an Estimate, got"):
                table + wrong


class TestExceeds:
    def test_by_more_than_the_error(self):
        one, other = Estimate(np.array(1.0), np.array(0.2), "exact"), Estimate(np.array(0.5), np.array(0.2), "exact")
        assert one.exceeds(other) is True
        assert other.exceeds(one) is False
        assert one.exceeds(0.9) is False
        assert one.exceeds(other, bars=2) is False

    def test_four_standard_errors(self):
        drawn = Estimate(np.array([1.0, 1.0]), np.array([0.24, 0.26]), "monte_carlo")
        assert drawn.exceeds(0.0).tolist() == [True, False]
        assert drawn.exceeds(0.0, bars=1).tolist() == [True, True]

    def test_what_is_unknown_does_not_exceed(self):
        unknown = Estimate(np.array([np.nan, 1.0]), np.array([0.0, np.inf]), "exact")
        assert unknown.exceeds(-1e300).tolist() == [False, False]

    def test_bars(self, scalar):
        with pytest.raises(InvalidArgumentError, match="bars must be"):
            scalar.exceeds(0.0, bars=-1.0)


class TestGradient:
    def test_fields(self, scalar, table):
        gradient = Gradient(table, table, scalar)
        assert gradient.A1 is table
        assert gradient.A2 is table
        assert gradient.loss is scalar
        with pytest.raises(FrozenInstanceError):
            gradient.A1 = scalar


class TestScores:
    """The error that is told of a matrix of scores: the row of the query decides nothing."""

    @pytest.fixture
    def scores(self):
        error = np.tril(np.full((3, 3), 0.25))
        error[2], error[0, 2] = 7.0, 9.0
        return Estimate(np.ones((3, 3)), error, "monte_carlo", of_scores=True)

    def test_the_query_and_later_keys_are_left_out(self, scores):
        assert repr(scores) == "Estimate(3x3 array, standard error <= 2.5e-01, monte_carlo)"
        assert scores.largest_error == 0.25
        assert "error at most 0.25" in scores._repr_html_()

    def test_arithmetic_keeps_it(self, scores):
        for made in (scores - scores, 2.0 * scores, scores / 2.0, -scores, scores + np.ones((3, 3))):
            assert made.of_scores
        assert not scores[0].of_scores
        assert not (scores * np.ones((2, 3, 3))).of_scores

    def test_scores_of_a_task(self):
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 1.0))
        for found in (edge_scores(task, epsilon=0.01, draws=50, rng=0), limit_edge_scores(task, draws=50, rng=0)):
            assert found.error[-1, -1] > 2.0 * found.error[:-1].max()
            assert found.largest_error == found.error[:-1].max()
            assert f"<= {found.largest_error:.1e}" in repr(found)


class TestPandas:
    """Containers of pandas leave the operation to the estimate, on either side."""

    @pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.truediv])
    def test_either_side(self, operation):
        pandas = pytest.importorskip("pandas", reason="needs the extra sweep")
        values, row = np.array([2.0, 3.0]), Estimate(np.array([1.0, 2.0]), np.array([0.1, 0.2]), "exact")
        for container in (pandas.Series(values, index=["a", "b"]), pandas.Index(values)):
            for found, expected in (
                (operation(container, row), operation(values, row)),
                (operation(row, container), operation(row, values)),
            ):
                assert isinstance(found, Estimate)
                assert_close(found.value, expected.value, rtol=0.0)
                assert_close(found.error, expected.error, rtol=0.0)
        frame = operation(pandas.DataFrame([values, values]), row)
        assert_close(frame.error, operation(np.array([values, values]), row).error, rtol=0.0)
        single = operation(pandas.Series(values), row[0])
        assert single.value.shape == (2,)


class TestRounding:
    """Bounds at the ends of the range of doubles, and of numbers that are no doubles, against fractions."""

    def exact(self, number):
        return Estimate(np.array(number), np.array(0.0), "exact")

    @pytest.mark.parametrize(
        ("operation", "a", "b"),
        [
            (operator.mul, 1e-200, 1e-200),
            (operator.mul, 3e-162, 5e-162),
            (operator.truediv, 1e-200, 1e200),
            (operator.truediv, 5e-324, 3.0),
            (operator.mul, 5e-324, 0.3),
            (operator.add, 1.0, 2**60 + 1),
            (operator.sub, 2.0**60, 2**60 + 1),
            (operator.sub, 2.0**60, np.int64(2**60 + 1)),
            (operator.sub, 2.0**63, np.uint64(2**63 + 1)),
            (operator.mul, 3.0, 2**53 + 1),
            (operator.truediv, 1.0, 2**53 + 1),
            (operator.sub, 1.0 / 3.0, Fraction(1, 3)),
            (operator.sub, 0.1, Decimal("0.1")),
        ],
    )
    def test_bounds_hold(self, operation, a, b):
        found = operation(self.exact(a), b)
        truth = operation(Fraction(a), Fraction(int(b) if isinstance(b, np.integer) else b))
        assert abs(Fraction(float(found.value)) - truth) <= Fraction(float(found.error))

    @pytest.mark.parametrize("b", [2**53 + 1, np.array([2**60 + 1, 3]), [Fraction(1, 3)]])
    def test_on_the_left_as_on_the_right(self, b):
        for left, right in ((b + self.exact(1.0), self.exact(1.0) + b), (b * self.exact(3.0), self.exact(3.0) * b)):
            assert_close(left.error, right.error, rtol=0.0)
            assert (left.error > 0.0).all()

    @pytest.mark.parametrize("b", [3, 2.5, Fraction(1, 4), Decimal("0.5"), 2**60, True + 1])
    def test_doubles_in_other_types_are_exact(self, b):
        zero = self.exact(float(b)) - b
        assert float(zero.value) == 0.0
        if b != 2**60:  # beyond 2**53 integers count as rounded
            assert float(zero.error) == 0.0

    def test_zero_times_anything_is_known(self):
        assert float((self.exact(0.0) * 1e-300).error) == 0.0
        assert float((self.exact(0.0) / 3.0).error) == 0.0
