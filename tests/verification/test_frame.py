"""Claims and their budgets, folders of claims, and what makes a claim pass."""

import pickle

import pytest

from causal_theory.claims import Check, budget, claim, find_claims, load_claim, select_claims
from tests.verification import made_up
from tests.verification.made_up import claims_of, write_claim


def made(**changes):
    def addition(check: Check, amount: int = budget(tiny=1, quick=2, full=3), other: int = 7) -> None:
        """Two and two.

        They are $4$,
        always.
        """
        check.equal("sum", 2 + 2, 5 if check.control else 4)
        check.measure("amount", amount)

    declared = {"number": 1, "source": "s", "control": "c", "breaks": ("sum",), **changes}
    return claim(declared.pop("number"), **declared)(addition)


def test_the_docstring_is_title_and_statement():
    assert (made().name, made().title, made().statement) == ("addition", "Two and two", "They are $4$, always.")


def test_budgets_follow_the_profile():
    assert made().budgets("tiny") == {"amount": 1, "other": 7}
    assert made().run("full").parts[1].total.largest == 3
    assert made().run("full", amount=9).parts[1].total.largest == 9
    with pytest.raises(ValueError, match="profile must be one of tiny, quick, full, got 'huge'"):
        made().budgets("huge")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": 0}, "number must be at least 1, got 0"),
        ({"assumptions": ("sunshine",)}, r"assumptions must be among .*, got \['sunshine'\]"),
        ({"breaks": ()}, "breaks must name a part"),
        ({"breaks": "sum"}, "breaks must be a tuple of names, got 'sum'"),
        ({"outside": "sum"}, "outside must be a tuple of names, got 'sum'"),
        ({"control": ""}, r"source and control must be sentences, got \('s', ''\)"),
    ],
)
def test_claims_check_what_they_declare(changes, message):
    with pytest.raises(ValueError, match=message):
        made(**changes)


def test_claims_need_a_docstring():
    with pytest.raises(ValueError, match="docstring must be a title"):
        claim(1, source="s", control="c", breaks=("p",))(lambda check: None)


def test_parameters_need_defaults():
    """Budgets are all that a claim is run with."""

    def without(check, amount, other=1):
        """Title.

        Statement.
        """

    with pytest.raises(ValueError, match=r"parameters after check must have a default or a budget, \['amount'\]"):
        claim(1, source="s", control="c", breaks=("p",))(without)


def test_a_new_file_is_picked_up_by_itself(tmp_path):
    (tmp_path / "_helper.py").write_text("VALUE = 1.5\n", encoding="utf-8")
    write_claim(tmp_path, 2)
    write_claim(tmp_path, 1, "import _helper\n" + f"check.within({made_up.PART!r}, _helper.VALUE, high=2.0)")
    found = find_claims(tmp_path)
    assert [one.name for one in found] == ["claim_1", "claim_2"]
    assert found[0].run().parts[0].total.largest == 1.5


def test_a_changed_file_is_read_again(tmp_path):
    (first,) = claims_of(tmp_path, made_up.HOLDS)
    (second,) = claims_of(tmp_path, made_up.FAILS)
    assert (first.run().verdict, second.run().verdict) == ("holds", "fails")


def test_claims_travel_as_files(tmp_path):
    """The decorator hides the function from being found by name."""
    (found,) = claims_of(tmp_path, made_up.HOLDS)
    again = pickle.loads(pickle.dumps(found))
    assert (again.name, again.run(seed=3)) == (found.name, found.run(seed=3))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "claims must be a folder with a Python file for each claim"),
        ({"claim_1": "x = 1\n"}, "claim_1.py must define a claim, a function 'claim_1' under @claim, got None"),
        ({"json": "x = 1\n"}, "name of a claim must differ from that of a module in use, got 'json'"),
    ],
)
def test_folders_without_claims_are_refused(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        find_claims(tmp_path)


def test_other_paths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="claims must be a folder, got"):
        find_claims(tmp_path / "none")
    with pytest.raises(ValueError, match="file must be a Python file, got"):
        load_claim(tmp_path / "none.py")


def test_numbers_must_differ(tmp_path):
    write_claim(tmp_path, 1, name="first")
    write_claim(tmp_path, 1, name="second")
    with pytest.raises(ValueError, match=r"different numbers, first and second are 1"):
        find_claims(tmp_path)


def test_selection_keeps_the_order_and_names_what_there_is(tmp_path):
    claims = claims_of(tmp_path, made_up.HOLDS, made_up.HOLDS)
    assert select_claims(claims, ["claim_2", "claim_1"]) == claims
    assert select_claims(claims, []) == claims
    with pytest.raises(ValueError, match="claim must be one of claim_1, claim_2, got 'claim_3'"):
        select_claims(claims, ["claim_3"])
