"""CONTRIBUTING.md says where changes go: what it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def text():
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_named_files_and_commands_exist(text):
    names = re.findall(r"`([\w./-]+/[\w./-]*|[\w.-]+\.(?:py|md|toml|txt))`", text)
    assert {"docs/how-to/", "tests/browser/", "constraints.txt"} <= set(names)
    missing = [name for name in names if not (ROOT / name).exists() and not (ROOT / "causal_theory" / name).exists()]
    assert missing == []
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
