"""Evidence, claims, discovery, and the randomness of a claim."""

import sys
import textwrap
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from causal_theory import DirichletPrior, Estimate, OrbitPrior, PointPrior
from tests.verification import made_up
from verification.claim import Claim, shortcomings
from verification.context import Context
from verification.evidence import (
    FAILS,
    HOLDS,
    OUTSIDE,
    Curve,
    Part,
    Reading,
    Table,
    combine_verdicts,
    summarise_assumptions,
    weakest_method,
)
from verification.registry import discover, select
from verification.text import interval, show


def part(verdict):
    return Part("p", verdict, Reading("a"), Reading("b"), Reading("c"), "exact")


def test_readings_hold_finite_numbers():
    assert Reading("x", np.float64(2.0)).number == 2.0
    assert type(Reading("x", np.float64(2.0)).number) is float
    with pytest.raises(ValueError, match="number must be finite or None, got nan"):
        Reading("x", float("nan"))


def test_tables_check_their_rows_and_hold_plain_cells():
    table = Table("t", ("a", "b"), ((np.int64(1), np.float64(0.5)),))
    assert [type(cell) for cell in table.rows[0]] == [int, float]
    with pytest.raises(ValueError, match="rows of table 't' must have 2 cells"):
        Table("t", ("a", "b"), ((1,),))


def test_curves_check_their_lengths():
    with pytest.raises(ValueError, match="one y for each x"):
        Curve("c", (1.0, 2.0), (1.0,))


@pytest.mark.parametrize("field", ["verdict", "method"])
def test_evidence_checks_the_words_that_decide(field):
    from dataclasses import replace

    with pytest.raises(ValueError, match=f"{field} must be one of"):
        replace(made_up.evidence(HOLDS), **{field: "perhaps"})
    with pytest.raises(ValueError, match=f"{field} must be one of"):
        replace(made_up.evidence(HOLDS), parts=(replace(part(HOLDS), **{field: "perhaps"}),))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([HOLDS, OUTSIDE], HOLDS),
        ([OUTSIDE, FAILS, HOLDS], FAILS),
        ([OUTSIDE], OUTSIDE),
        ([], OUTSIDE),
    ],
)
def test_one_failing_part_fails_a_claim_and_parts_outside_decide_nothing(verdicts, expected):
    assert combine_verdicts(map(part, verdicts)) == expected


def test_weakest_method():
    def estimate(method):
        return Estimate(np.zeros(()), np.zeros(()), method)

    assert weakest_method([estimate("quadrature"), estimate("exact")]) == "quadrature"
    assert weakest_method([estimate("exact"), estimate("monte_carlo")]) == "monte carlo (standard error)"


def test_assumptions_are_counted_and_the_weakest_witness_is_quoted():
    pi = [[0.2, 0.8], [0.8, 0.2]]
    weak = [[0.05, 0.95], [0.8, 0.2]]
    found = {one.name: one for one in summarise_assumptions("some", [OrbitPrior(pi), OrbitPrior(weak)])}
    assert found["lower_bound"].holds
    assert found["lower_bound"].witness.startswith("gamma = 0.1,")
    mixed = {one.name: one for one in summarise_assumptions("some", [PointPrior(weak), DirichletPrior(2, 1.0)])}
    assert (mixed["symmetry"].satisfied, mixed["symmetry"].checked, mixed["symmetry"].holds) == (1, 2, False)
    assert "swapping" in mixed["symmetry"].witness
    assert "gamma = 0" in mixed["lower_bound"].witness


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Not a name"}, "name must be a lower-case identifier"),
        ({"number": 0}, "number must be at least 1"),
        ({"assumptions": ("sunshine",)}, "assumptions must be among"),
    ],
)
def test_claims_check_their_fields(changes, message):
    from dataclasses import replace

    with pytest.raises(ValueError, match=message):
        replace(made_up.claim(1), **changes)


def test_a_claim_passes_when_it_holds_and_its_control_fails():
    holds, fails, outside = (made_up.evidence(verdict) for verdict in (HOLDS, FAILS, OUTSIDE))
    claim = made_up.claim(1)
    assert shortcomings(claim, holds, fails) == ()
    assert "verdict is 'fails'" in shortcomings(claim, fails, fails)[0]
    assert "verdict is 'outside its assumptions'" in shortcomings(claim, outside, fails)[0]
    assert "it must fail" in shortcomings(claim, holds, holds)[0]
    assert "it must fail" in shortcomings(claim, holds, outside)[0]


def test_parts_outside_must_be_declared():
    partly = made_up.holds_in_part(None, None)
    fails = made_up.evidence(FAILS)
    assert "does not declare" in shortcomings(made_up.claim(1), partly, fails)[0]
    assert shortcomings(made_up.claim(1, declared_outside=("beyond",)), partly, fails) == ()


def test_all_claims_are_found():
    """Every file that is no helper is a claim, and none is missing in the middle."""
    claims = discover()
    files = {path.stem for path in (Path(__file__).parents[2] / "verification" / "claims").glob("[!_]*.py")}
    assert {claim.name for claim in claims} == files
    assert len(claims) >= 17
    assert [claim.number for claim in claims] == list(range(1, len(claims) + 1))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package of claims and import it; its modules are forgotten afterwards."""

    def make(files):
        folder = tmp_path / "made_up_claims"
        folder.mkdir()
        (folder / "__init__.py").write_text("", encoding="utf-8")
        for name, text in files.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        module = ModuleType("made_up_claims")
        module.__path__ = [str(folder)]
        monkeypatch.setitem(sys.modules, "made_up_claims", module)
        return module

    yield make
    for name in [name for name in sys.modules if name.startswith("made_up_claims.")]:
        del sys.modules[name]


def test_a_new_file_is_picked_up_by_itself(package):
    text = "from tests.verification import made_up\nCLAIM = made_up.claim({number})\n"
    found = discover(
        package({"claim_2": text.format(number=2), "claim_1": text.format(number=1), "_helper": "nothing = 0\n"})
    )
    assert [claim.name for claim in found] == ["claim_1", "claim_2"]
    assert all(isinstance(claim, Claim) for claim in found)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"claim_1": "x = 1\n"}, "module claim_1 must define CLAIM"),
        ({"other": "from tests.verification import made_up\nCLAIM = made_up.claim(1)\n"}, "a Claim named 'other'"),
    ],
)
def test_files_that_define_no_claim_are_refused(package, files, message):
    with pytest.raises(ValueError, match=message):
        discover(package(files))


def test_numbers_must_differ(package):
    text = (
        "from dataclasses import replace\nfrom tests.verification import made_up\n"
        "CLAIM = replace(made_up.claim(1), name=__name__.rpartition('.')[2])\n"
    )
    with pytest.raises(ValueError, match=r"different numbers, got \[1, 1\]"):
        discover(package({"first": text, "second": text}))


def test_selection_keeps_the_order_and_names_what_there_is():
    claims = [made_up.claim(1), made_up.claim(2)]
    assert select(claims, ["claim_2", "claim_1"]) == tuple(claims)
    assert select(claims, []) == tuple(claims)
    with pytest.raises(ValueError, match="claim must be one of claim_1, claim_2, got 'claim_3'"):
        select(claims, ["claim_3"])


def test_randomness_depends_on_seed_claim_role_and_names_only():
    paths = [("a", "run"), ("a", "control"), ("b", "run")]
    draws = {Context(seed, path).rng(name).random() for seed in (0, 1) for path in paths for name in ("x", 1, "1")}
    assert len(draws) == 2 * 3 * 3
    assert Context(0, ("a", "run")).rng("x", 2).random() == Context(0, ("a", "run")).rng("x", 2).random()


def test_progress_is_reported():
    seen = []
    context = Context(0, ("a", "run"), lambda *step: seen.append(step))
    assert list(context.track("ab", "letters")) == ["a", "b"]
    assert seen == [("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234567.0, "1.23e6"), (-0.5, "-0.5"), (1e-13, "1e-13"), (float("inf"), "inf"), (float("nan"), "-")],
)
def test_numbers_are_short(value, text):
    assert show(value) == text
    assert interval([value, value]) == text
