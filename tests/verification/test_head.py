"""What stands above a report: the file of a folder of claims, and numbers that come from the record alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from causal_theory.claims import Check
from causal_theory.claims.describe import describe_run
from causal_theory.claims.head import FILE_NAME, limits, read_head, told
from causal_theory.claims.records import OUTSIDE, Quote
from tests.verification import made_up
from tests.verification.made_up import claims_of

WHOLE = 'title = "t"\ntheory = "of $x$"\nchecked = "all"\n'
STOP = '[[stops]]\nclaim = "c"\npart = "p"\nsays = "{}"\n'


def recorded(outside=(), **parts):
    """A claim as far as the head looks at it: parts by name, with the numbers that must not exceed 2."""
    check = Check("made_up", outside=outside)
    for name, numbers in parts.items():
        check.within(name, numbers, high=2.0)
    return SimpleNamespace(name="made_up", run=check.findings())


def test_a_folder_that_says_nothing_has_no_head(tmp_path):
    assert read_head(tmp_path) is None


def test_a_head_is_read(tmp_path):
    (tmp_path / FILE_NAME).write_text(WHOLE + STOP.format("{failures} of {count:,}"), encoding="utf-8")
    head = read_head(tmp_path)
    assert (head.title, head.theory, head.numbers) == ("t", "of $x$", ())
    assert head.stops == (Quote("c", "p", "{failures} of {count:,}"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "Invalid value"),
        ('title = "t"\nchecked = "all"', "theory: Field required"),
        (WHOLE + "subtitle = 1", "subtitle: Unexpected"),
        (WHOLE + STOP.format("{counts}"), "KeyError: 'counts'"),
        (WHOLE + STOP.format("{}"), "IndexError"),
        (WHOLE + STOP.format("{count.no}"), "AttributeError"),
        (WHOLE + STOP.format("{count"), "expected '}'"),
        (WHOLE + STOP.format("{count:x^y^z}"), "Invalid format specifier"),
    ],
)
def test_files_that_are_no_head_are_refused(tmp_path, text, message):
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"report.toml must say what stands above a report, got .*{message}"):
        read_head(tmp_path)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("{failures} of {count}, {succeeded} hold", "1 of 3, 2 hold"),
        ("{smallest} to {largest}", "0.123 to 3"),
        ("{smallest:.0%}", "12%"),
        ("{largest_excess:.1e}", "1.0e+00"),
    ],
)
def test_numbers_come_from_the_record(says, expected):
    (found,) = told([Quote("made_up", "p", "x", says)], [recorded(p=[0.123456, 1.0, 3.0])])
    assert (found.says, found.shows, found.part.name) == ("x", expected, "p")


def test_large_counts_can_have_commas():
    (found,) = told([Quote("made_up", "p", "{count:,}")], [recorded(p=[1.0] * 1234)])
    assert found.says == "1,234"


def test_what_was_not_recorded_is_not_told():
    claims = [recorded(p=[1.0]), SimpleNamespace(name="broken", run=None)]
    quotes = [Quote("made_up", "other", "x"), Quote("broken", "p", "x"), Quote("absent", "p", "x")]
    assert told(quotes, claims) == []


def test_limits_are_in_the_order_of_the_head_and_then_the_worst_first():
    claim = recorded(("a", "b", "c", "d"), a=[1.0], b=[1.0, 3.0], c=[3.0], d=[1.0], inside=[3.0])
    head = SimpleNamespace(stops=[Quote("made_up", name, "said") for name in ("d", "inside", "b")])
    found = limits(SimpleNamespace(head=head, claims=[claim]))
    # Nothing fails in d, whatever the head has to say of it.
    assert [(one.part.name, one.says) for one in found] == [
        ("inside", "said"),
        ("b", "said"),
        ("c", ""),
        ("a", ""),
        ("d", ""),
    ]
    without = limits(SimpleNamespace(head=None, claims=[claim]))
    assert [one.part.name for one in without] == ["c", "b", "a", "d"]
    assert {one.part.verdict for one in without} == {OUTSIDE}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [(("claim_1", "claim_2"), ""), (("claim_2",), " --only claim_2")],
)
def test_the_command_repeats_the_run(tmp_path, names, chosen):
    claims_of(tmp_path, made_up.HOLDS, made_up.HOLDS)
    run = describe_run(names, "tiny", seed=7, jobs=1, command="verify --claims x --only", folder=str(tmp_path))
    assert run.repeat == f"verify --claims x --profile tiny --seed 7{chosen}"


def test_the_head_travels_with_the_record(tmp_path):
    claims_of(tmp_path, made_up.HOLDS)
    (tmp_path / FILE_NAME).write_text(WHOLE, encoding="utf-8")
    run = describe_run(("claim_1",), "tiny", seed=0, jobs=1, command="verify", folder=str(tmp_path))
    assert replace(run).head == read_head(tmp_path)
