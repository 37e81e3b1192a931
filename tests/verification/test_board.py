"""What the terminal shows when claims have been run."""

from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from causal_theory.claims import find_claims
from causal_theory.claims.board import summary_sentence, summary_table
from causal_theory.claims.describe import describe_run
from causal_theory.claims.runner import run_claim
from tests.verification import made_up
from tests.verification.made_up import claims_of


def test_table_at_80_columns(tmp_path):
    """Whole words, and no line that is cut or goes on below."""
    claims_of(tmp_path, made_up.HOLDS)
    found = run_claim(find_claims(tmp_path)[0], "tiny", 0, lambda *_: None)
    longest = replace(found, number=21, name="pairwise_information_is_not_enough", seconds=12345.0)
    run = describe_run((longest.name, "not_begun"), "tiny", seed=0, jobs=1, command="verify", folder=str(tmp_path))
    console = Console(width=80, file=StringIO())
    console.print(summary_table(replace(run, claims=(longest,), unfinished=None, passed=None)))
    words = console.file.getvalue().split()
    assert words[:5] == ["claim", "verdict", "control", "measured", "seconds"]
    assert words[6:12] == ["21", "pairwise_information_is_not_enough", "holds", "fails", "1", "12345.0"]
    assert words[12:] == ["not_begun", "none"]


@pytest.mark.parametrize(
    ("passed", "sentence"),
    [
        ([], "No claim was finished."),
        ([True], "The claim holds, and its control fails, as it must."),
        ([False], "1 of 1 claim does not pass: claim_1."),
        ([True, False, False], "2 of 3 claims do not pass: claim_2, claim_3."),
    ],
)
def test_summary_in_a_sentence(passed, sentence):
    claims = [SimpleNamespace(name=f"claim_{k}", passed=one) for k, one in enumerate(passed, 1)]
    assert summary_sentence(SimpleNamespace(claims=claims)) == sentence
