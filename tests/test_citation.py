"""CITATION.cff: in the form of its version of the format, and in step with the package."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import causal_theory
from causal_theory.cli import app

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_has_what_the_format_requires(citation):
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["message"]
    assert citation["title"].startswith("causal_theory")


def test_agrees_with_the_package(citation, project):
    assert citation["version"] == causal_theory.__version__
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert set(citation["keywords"]) <= set(project["keywords"])


def test_names_the_paper(citation):
    (paper,) = citation["references"]
    assert paper["type"] == "conference-paper"
    assert paper["title"] == "How Transformers Learn Causal Structure with Gradient Descent"
    assert [author["family-names"] for author in paper["authors"]] == ["Nichani", "Damian", "Lee"]
    assert paper["year"] == 2024
    assert [one["value"] for one in paper["identifiers"]] == ["arXiv:2402.14735"]


def entry(text):
    """The fields of a BibTeX entry."""
    return dict(re.findall(r"^  (\w+) = \{(.*)\},$", text, flags=re.MULTILINE))


def names(people):
    return " and ".join(
        f"{one['family-names']}, {one['given-names']}" if "family-names" in one else f"{{{one['name']}}}"
        for one in people
    )


def test_the_command_says_the_same_in_bibtex(citation):
    shown = CliRunner().invoke(app, ["--cite"])
    assert shown.exit_code == 0
    paper, software = map(entry, shown.stdout.strip().split("\n\n"))
    (cited,) = citation["references"]
    assert paper == {
        "title": cited["title"],
        "author": names(cited["authors"]),
        "booktitle": cited["conference"]["name"],
        "year": str(cited["year"]),
        "eprint": cited["identifiers"][0]["value"].removeprefix("arXiv:"),
        "archiveprefix": "arXiv",
    }
    assert software == {
        "title": citation["title"],
        "author": names(citation["authors"]),
        "version": citation["version"],
        "license": citation["license"],
    }
