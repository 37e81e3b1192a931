"""``causal-theory falsify``: what it prints is what the search finds, and its exit status says which."""

import json
import os
import shlex

import pytest
from typer.testing import CliRunner

from causal_theory import CausalTheoryError, verify_certificate
from causal_theory.certificates import read_certificate
from causal_theory.cli import app, falsify
from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.falsification import SearchSpace, find_counterexample

from .test_cli_errors import program

QUICK = ("falsify", "--lower-bound", "1/10", "--budget", "500")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_found():
    result = run(*QUICK)
    assert result.exit_code == 1
    expected = find_counterexample("top_scores_are_edges", SearchSpace(lower_bound="1/10"), 500, 0).counterexample
    for piece in ("2/3  1/3", "1/3  2/3", f"{expected.margin} = {float(expected.margin):.6g}", "chain, T = 3"):
        assert piece in result.output
    assert f"again: from causal_theory import CausalGraph, certify_edge_scores; {expected.instance.code}\n" in (
        result.output
    )
    assert "FAILS: tr pi = 4/3, wanted = 1" in result.output
    assert "symmetry, lower_bound" in result.output


def test_none_found():
    result = run("falsify", "--statement", "information_fades", "--budget", 50)
    assert result.exit_code == 0
    assert "no counterexample found, which proves nothing" in result.output
    assert "50 of 50" in result.output


def test_json():
    result = run(*QUICK, "--seed", 3, "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    expected = find_counterexample("top_scores_are_edges", SearchSpace(lower_bound="1/10"), 500, 3)
    found = expected.counterexample
    assert content["evaluations"] == expected.evaluations
    assert content["kept"] == ["symmetry", "lower_bound"]
    assert content["counterexample"]["margin"] == str(found.margin)
    assert content["counterexample"]["transition"] == [[str(p) for p in row] for row in found.instance.transition]
    assert [check["name"] for check in content["counterexample"]["assumptions"] if not check["holds"]] == list(
        found.violated
    )


def test_json_without_a_counterexample():
    content = json.loads(
        run("falsify", "--statement", "information_fades", "--lengths", 5, 6, "--budget", 20, "--json").stdout
    )
    assert (content["found"], content["counterexample"]) == (False, None)
    assert len(content["closest"]["transition"]) >= 2


def test_certificate(tmp_path):
    path = tmp_path / "cert.json"
    result = run(*QUICK, "--out", path)
    assert result.exit_code == 1
    assert f"wrote {path}" in result.output
    certificate = read_certificate(path)
    assert verify_certificate(certificate).valid
    assert not certificate.holds


def test_no_certificate_without_a_counterexample(tmp_path):
    assert (
        run("falsify", "--statement", "information_fades", "--budget", 20, "--out", tmp_path / "c.json").exit_code == 0
    )
    assert list(tmp_path.iterdir()) == []


def test_every_option_reaches_the_search():
    result = run(
        *("falsify", "--statement", "limit_scores_are_edges", "--family", "star", "--family", "pairs"),
        *("--lengths", 8, 9, "--symbols", 3, 4, "--epsilon", "0.02", "--epsilon-times-length", "1/2"),
        *("--lower-bound", 0.05, "--non-degeneracy", 0.3, "--mixing", 0.9, "--constant-mean"),
        *("--budget", 150, "--seed", 1, "--json"),
    )
    content = json.loads(result.stdout)
    space = SearchSpace(
        families=("star", "pairs"),
        lengths=(8, 9),
        symbols=(3, 4),
        epsilons=("0.02",),
        epsilons_times_length=("1/2",),
        lower_bound="0.05",
        non_degeneracy="0.3",
        mixing="0.9",
        constant_mean=True,
    )
    expected = find_counterexample("limit_scores_are_edges", space, 150, 1)
    assert content["smallest_margin"] == expected.smallest_margin
    assert content["closest"]["parents"] == expected.closest.parents
    assert content["kept"] == ["symmetry", *space.kept]


def test_epsilon_over_the_length_replaces_the_default():
    content = json.loads(run(*QUICK, "--epsilon-times-length", 1, "--json").stdout)
    assert content["counterexample"]["epsilon"] == "1/3"


@pytest.mark.parametrize("example", falsify.EXAMPLES)
def test_examples(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*shlex.split(example)[1:], "--budget", 300)
    assert result.exit_code in (0, 1), result.output


BAD = [
    (("--budget", 0), InvalidArgumentError, "budget must be an integer of at least 1, got 0"),
    (("--lengths", 5, 4), InvalidArgumentError, r"lengths\[1\] must be an integer of at least 5, got 4"),
    (("--lower-bound", 2), InvalidArgumentError, "lower_bound must be greater than 0 and at most 1, got 2"),
    (("--mixing", "much"), InvalidArgumentError, "mixing must be a finite rational number, got 'much'"),
    (("--epsilon", "-1"), InvalidArgumentError, r"epsilons\[0\] must be greater than 0, got '-1'"),
    (("--out", "missing/cert.json"), OutputError, "out must be a file in a folder that exists"),
    (("--out", "."), OutputError, "out must be a file in a folder that exists"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), BAD)
def test_mistakes(arguments, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("falsify", *arguments)
    assert isinstance(result.exception, kind)
    assert isinstance(result.exception, CausalTheoryError)
    with pytest.raises(kind, match=message):
        raise result.exception
    assert result.stdout == ""
    assert os.listdir(tmp_path) == []


def test_exit_status_of_the_program():
    bad = program("falsify", "--budget", "0")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.count("\n") == 1
    assert program("falsify", "--statement", "no_such_statement").returncode == 2
    assert program(*QUICK).returncode == 1
