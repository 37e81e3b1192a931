"""The examples of the README run and print what it says."""

import doctest
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from causal_theory.cli import app

README = Path(__file__).resolve().parent.parent / "README.md"


def test_python_examples():
    results = doctest.testfile(str(README), module_relative=False)
    assert results.attempted >= 5
    assert results.failed == 0


def test_command_line_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^causal-theory (.+)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    said = {"scores": "graph recovered", "dynamics": "converged"}
    assert [line.split()[0] for line in lines] == list(said)
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line))
        assert result.exit_code == 0, result.output
        assert said[line.split()[0]] in result.output
    assert (tmp_path / "dynamics.png").exists()
