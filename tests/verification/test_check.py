"""The verbs that record numbers: what holds, what is closest to failing, and what is kept."""

from fractions import Fraction

import numpy as np
import pytest

from causal_theory import CausalGraph, DirichletPrior, Estimate, OrbitPrior, PointPrior
from causal_theory.claims import Check
from causal_theory.claims.records import FAILS, HOLDS, MEASURED, OUTSIDE, Number
from causal_theory.claims.text import cell_text, closest_text, interval_text, requirement, show
from causal_theory.errors import InvalidArgumentError
from tests.helpers import assert_close


@pytest.fixture
def check():
    return Check("made_up", outside=("beyond",))


def only_part(check):
    (part,) = check.findings().parts
    return part


def test_a_graph_among_matrices_is_drawn_as_one():
    """The record has its edges, as those of the matrix beside it."""
    check, graph = Check("made_up"), CausalGraph.chain(3)
    check.matrices("m", {"graph": graph, "scores": np.zeros((3, 3))}, graph=graph, description="d")
    drawn, scores = check.findings().figures[0].panels
    assert (drawn.drawn, scores.drawn) == ("graph", "matrix")
    assert drawn.marked == scores.marked == ((1, 0),)
    assert drawn.values == tuple(map(tuple, graph.adjacency.tolist()))


@pytest.mark.parametrize(
    ("value", "low", "high", "holds"),
    [
        (1.0, 1.0, 2.0, True),
        (2.0, 1.0, 2.0, True),
        (2.5, 1.0, 2.0, False),
        (0.5, 1.0, 2.0, False),
        (-1e300, None, 2.0, True),
        (np.inf, 1.0, None, True),
        (np.nan, 1.0, None, False),
        (np.nan, None, 2.0, False),
        ([1.0, np.nan], 1.0, 2.0, False),
    ],
)
def test_within_has_closed_and_open_ends(check, value, low, high, holds):
    assert check.within("part", value, low, high) is holds
    assert only_part(check).verdict == (HOLDS if holds else FAILS)


def test_errors_excuse_and_are_counted(check):
    """Against error bars and nothing else: one number inside, one outside within its bar, one beyond it."""
    assert not check.within("slack", [1.0, -1e-3, -1e-3, 0.0], low=0, error=[0.0, 1e-2, 1e-4, 0.0])
    total = only_part(check).total
    assert (total.count, total.failures, total.borderline) == (4, 1, 1)
    assert (total.smallest, total.largest, total.largest_error) == (-1e-3, 1.0, 1e-2)
    assert (total.closest.value.error, total.closest.at) == (1e-4, {"entry": "2"})


def test_the_closest_is_counted_in_error_bars(check):
    """-0.5 is half an error bar, -0.2 is ten."""
    check.within("slack", [-0.5, -0.2], low=0, error=[1.0, 0.02], case=["sure", "unsure"])
    assert only_part(check).total.closest.at == {"case": "unsure"}


def test_positive_numbers_exceed_their_error(check):
    assert check.positive("margin", 0.2, error=0.1)
    assert not check.positive("margin", 0.1, error=0.1)
    assert not check.positive("margin", 0.3, error=0.1, bars=3.0)
    assert not check.positive("zero", 0.0)
    assert not check.positive("nothing", np.nan)


def test_standard_errors_are_granted_four_times(check):
    assert check.positive("mean", 0.41, error=0.1, kind="standard error")
    assert not check.positive("mean", 0.39, error=0.1, kind="standard error")
    assert only_part(check).kind == "standard error"


def test_equal_compares_with_tolerance_and_both_errors(check):
    assert check.equal("numbers", 1.0, 1.0 + 1e-13, tolerance=1e-12)
    assert not check.equal("numbers", [1.0, 2.0], [1.0, 2.1], tolerance=1e-12)
    closest = only_part(check).total.closest
    assert_close(closest.excess, 0.1, rtol=1e-12)
    one, other = (Estimate(np.array(x), np.array(0.06), "exact") for x in (1.0, 1.1))
    assert check.equal("estimates", one, other)
    assert not check.equal("estimates", one, 1.1)


def test_rationals_are_judged_without_rounding(check):
    """A difference of 1e-40 is lost in floating point."""
    third = Fraction(1, 3)
    assert check.equal("exact", third, third)
    assert not check.equal("exact", third + Fraction(1, 10**40), third)
    closest = only_part(check).total.closest
    assert Fraction(closest.value.exact) == third + Fraction(1, 10**40)
    assert closest.excess == 1e-40
    assert not check.positive("sign", [Fraction(1, 10**40), Fraction(-1, 10**400)])


def test_estimates_bring_their_kind_of_error(check):
    for method, kind in (("exact", "bound"), ("quadrature", "quadrature"), ("monte_carlo", "standard error")):
        check.within(method, Estimate(np.array(1.0), np.array(0.5), method), low=0.0)
        assert check.findings().parts[-1].kind == kind
    assert check.findings().kind == "standard error"


def test_a_failure_is_closer_than_all_that_holds_and_nan_is_worst(check):
    for value in (0.1, -5.0, 0.001, -1.0):
        check.positive("margin", value, at=value)
    assert only_part(check).total.closest.at == {"at": -5.0}
    check.positive("margin", np.nan, at="nan")
    total = only_part(check).total
    assert total.closest.at == {"at": "nan"}
    assert (total.failures, np.isnan(total.smallest)) == (3, True)


def test_groups_have_their_own_tally(check):
    for k in range(6):
        check.within("part", float(k), high=3.0, by="even" if k % 2 == 0 else "odd")
    part = only_part(check)
    assert list(part.groups) == ["even", "odd"]
    assert [group.failures for group in part.groups.values()] == [1, 1]
    assert [group.largest for group in part.groups.values()] == [4.0, 5.0]
    assert part.total.count == 6


def test_labels_that_say_nothing_are_left_out(check):
    check.within("part", 1.0, high=2.0, case="", size=3)
    assert closest_text(only_part(check)) == "1 (size 3)"


def test_exponents_are_slopes(check):
    x = np.array([1.0, 2.0, 4.0])
    assert_close(check.exponent("rate", x, 5.0 * x**-1.5, -1.6, -1.4), -1.5, rtol=1e-12)
    check.exponent("rate", x, x, -1.6, -1.4)
    assert only_part(check).total.failures == 1
    with pytest.raises(InvalidArgumentError, match=r"x must have two values at least for an exponent, got \[3\.0\]"):
        check.exponent("rate", [3.0], [1.0], 0.0, 1.0)


def test_shares_are_measured_or_judged(check):
    assert check.share("half", 5, 10, 0.4, 0.6) == 0.5
    assert check.share("drawn", 0, 98, sampled=True) == 0.0
    half, drawn = check.findings().parts
    assert (half.verdict, drawn.verdict) == (HOLDS, MEASURED)
    assert_close(drawn.total.largest_error, np.sqrt(0.01 * 0.99 / 98), rtol=1e-12)
    assert drawn.total.closest.at == {"hits": 0, "of": 98}
    with pytest.raises(ValueError, match="of must be at least 1, got 0"):
        check.share("none", 0, 0)


def test_measurements_decide_nothing(check):
    check.measure("length", [3.0, np.inf, -2.0], unit="nats")
    part = only_part(check)
    assert (part.verdict, part.unit, part.total.failures) == (MEASURED, "nats", 0)
    assert (part.total.smallest, part.total.largest) == (-2.0, np.inf)
    assert check.findings().verdict == OUTSIDE


def test_parts_outside_are_judged_and_decide_nothing(check):
    check.positive("beyond", -1.0)
    check.positive("inside", 1.0)
    found = check.findings()
    assert [part.verdict for part in found.parts] == [OUTSIDE, HOLDS]
    assert found.parts[0].total.failures == 1
    assert found.verdict == HOLDS


def test_a_part_keeps_its_verb(check):
    check.positive("part", 1.0)
    with pytest.raises(ValueError, match="part must keep its verb and unit, 'part' has 'positive'"):
        check.within("part", 1.0, high=2.0)
    with pytest.raises(ValueError, match="kind must be one of"):
        check.positive("part", 1.0, kind="guess")


def test_nothing_to_compare_is_no_part(check):
    assert check.positive("empty", [])
    assert check.findings().parts == ()


def test_rows_keep_numbers_and_units(check):
    check.row("t", T=20, smallest_gap=np.float64(0.5), loss=(0.25, "nats"))
    check.row("t", {"T": 30}, score=Estimate(np.array(2.0), np.array(0.1), "monte_carlo"), part=Fraction(1, 3))
    (table,) = check.findings().tables
    assert table.columns == ("T", "smallest gap", "loss", "score", "part")
    assert table.units == {"loss": "nats"}
    assert table.rows[0] == (20, 0.5, 0.25, None, None)
    assert table.rows[1][3:] == (Number(2.0, 0.1, "standard error"), Number(1 / 3, exact="1/3"))


def test_curves_have_one_y_for_each_x(check):
    with pytest.raises(ValueError, match="curve 'c' must have one y for each x, got 1 and 2"):
        check.figure("f", {"c": ((1.0, 2.0), (1.0,))}, x="x", y="y", description="d")


def test_assumptions_are_counted_and_the_weakest_witness_is_quoted():
    pi, weak = [[0.2, 0.8], [0.8, 0.2]], [[0.05, 0.95], [0.8, 0.2]]
    check = Check("made_up")
    check.assumptions("some", [OrbitPrior(pi), OrbitPrior(weak)])
    check.assumptions("mixed", [PointPrior(weak), DirichletPrior(2, 1.0)])
    some, mixed = ({one.name: one for one in check.findings().assumptions[k : k + 4]} for k in (0, 4))
    assert (some["lower_bound"].satisfied, some["lower_bound"].checked) == (2, 2)
    assert_close(some["lower_bound"].value, 0.1, rtol=1e-12)
    assert (mixed["symmetry"].satisfied, mixed["symmetry"].checked) == (1, 2)
    assert "swapping" in mixed["symmetry"].witness
    assert mixed["lower_bound"].value == 0.0


def test_randomness_depends_on_seed_claim_role_and_names_only():
    checks = [Check(name, control, seed) for name in "ab" for control in (False, True) for seed in (0, 1)]
    draws = {check.rng(name).random() for check in checks for name in ("x", 1, "1")}
    assert len(draws) == 8 * 3
    assert Check("a").rng("x", 2).random() == Check("a").rng("x", 2).random()


def test_progress_is_reported():
    seen = []
    check = Check("a", listener=lambda *step: seen.append(step))
    assert list(check.track("ab", "letters")) == ["a", "b"]
    assert seen == [("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234567.0, "1.23e6"), (-0.5, "-0.5"), (1e-13, "1e-13"), (float("inf"), "inf"), (float("nan"), "-")],
)
def test_numbers_are_short(value, text):
    assert show(value) == text
    assert interval_text(value, value) == text


def test_cells_and_requirements_in_words(check):
    assert [cell_text(cell) for cell in (True, None, 7, "a", 0.123456)] == ["yes", "", "7", "a", "0.1235"]
    check.equal("equal", 1.0, 1.5, tolerance=0.1)
    check.within("low", 1.0, low=0.5)
    check.within("both", 1.0, 0.5, 2.0, case=3)
    check.positive("margin", 1.0, error=0.1, bars=3.0)
    check.measure("seen", 1.0)
    parts = check.findings().parts
    assert [requirement(part) for part in parts] == [
        "equal up to 0.1", ">= 0.5", "0.5 to 2", "> 0 by 3 times the error", "nothing",
    ]  # fmt: skip
    assert [closest_text(part) for part in parts] == ["off by 0.5", "1", "1 (case 3)", "1 ± 0.1", "1"]


def test_groups_are_labels_of_the_closest():
    check = Check("x")
    check.within("part", [1.0, 9.0], high=5, by="a", T=3)
    check.within("part", 2.0, high=5, by=("b", 1))
    (part,) = check.findings().parts
    assert part.total.closest.at == {"group": "a", "T": 3, "entry": "1"}
    assert part.groups["('b', 1)"].closest.at == {"group": "('b', 1)"}
    assert closest_text(part) == "9 (group a, T 3, entry 1)"


def test_infinity_equals_itself():
    check, inf = Check("x"), float("inf")
    assert check.equal("part", [inf, -inf], [inf, -inf])
    assert check.within("other part", [inf, -inf], -inf, inf)
    assert not check.equal("part", inf, -inf)
    assert not check.equal("part", [float("nan")], [inf])


def test_an_empty_line_begins_another_note():
    check = Check("x")
    check.note("""One
    note.

    Another.""")
    assert check.findings().notes == ("One note.", "Another.")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda check: check.within(0.5, 1.0, high=2), "part must be a sentence, got 0.5"),
        (lambda check: check.within("part", None, high=2), "value must be a number, .* got None for 'part'"),
        (lambda check: check.matrices("m", {"a": [1.0]}, description="d"), r"panel 'a' must be square, .* \(1,\)"),
        (
            lambda check: check.matrices("m", {"a": [[1.0]]}, graph=CausalGraph.chain(3), description="d"),
            r"panel 'a' must be square, as long as the graph, got shape \(1, 1\)",
        ),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(Check("x"))
