"""The template of a claim is one: a copy under another name is found, holds, and its control fails."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from verification import claims, cli
from verification.registry import discover

TEMPLATE = Path(claims.__file__).with_name("_template.py")


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Copy the template into one more folder of claims; the copy is forgotten afterwards."""
    name = "scores_ignore_names"
    folder = tmp_path / "claims"
    folder.mkdir()
    shutil.copy(TEMPLATE, folder / f"{name}.py")
    monkeypatch.setattr(claims, "__path__", [*claims.__path__, str(folder)])
    yield folder / f"{name}.py"
    sys.modules.pop(f"verification.claims.{name}", None)
    vars(claims).pop(name, None)


def test_the_template_itself_is_no_claim():
    assert "_template" not in [claim.name for claim in discover()]


def test_a_copy_is_found_holds_and_its_control_fails(copied, tmp_path):
    assert discover()[-1].name == copied.stem
    out = tmp_path / "out"
    found = CliRunner().invoke(cli.app, ["--claim", copied.stem, "--out", str(out)])
    assert found.exit_code == 0, found.output
    record = json.loads((out / "verification.json").read_text(encoding="utf-8"))
    (claim,) = record["claims"]
    assert (claim["name"], claim["passed"]) == (copied.stem, True)
    assert (claim["evidence"]["verdict"], claim["control"]["verdict"]) == ("holds", "fails")
    assert claim["control"]["measured"]["number"] > 0.1
    assert claim["title"] in (out / "report.md").read_text(encoding="utf-8")


def test_a_copy_without_its_control_does_not_pass(copied, tmp_path):
    text = copied.read_text(encoding="utf-8")
    assert text.count("control=control") == 1
    copied.write_text(text.replace("control=control", "control=run"), encoding="utf-8")
    found = CliRunner().invoke(cli.app, ["--claim", copied.stem, "--out", str(tmp_path / "out")])
    assert found.exit_code == 1
    assert "it must fail" in found.output
