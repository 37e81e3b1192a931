"""CITATION.cff: in the form of its version of the format, and in step with the package."""

import tomllib
from pathlib import Path

import pytest
import yaml

import causal_theory

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
