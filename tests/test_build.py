"""The wheel: what is in it and what its metadata promise."""

import email
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import causal_theory

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Iterator[zipfile.ZipFile]:
    """A wheel built from the working tree with the installed build backend, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("causal_theory-*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def read(wheel: zipfile.ZipFile, ending: str) -> str:
    (name,) = (name for name in wheel.namelist() if name.endswith(ending))
    return wheel.read(name).decode()


def test_holds_the_package_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"causal_theory", f"causal_theory-{causal_theory.__version__}.dist-info"}


def test_holds_every_source_file(wheel):
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "causal_theory").rglob("*.py")}
    assert "causal_theory/kernels/gth.py" in sources
    assert {name for name in wheel.namelist() if name.endswith(".py")} == sources


def test_holds_no_caches(wheel):
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc"))]


def test_is_typed(wheel):
    assert "causal_theory/py.typed" in wheel.namelist()


def test_metadata(wheel):
    metadata = email.message_from_string(read(wheel, ".dist-info/METADATA"))
    assert metadata["Name"] == "causal-theory"
    assert metadata["Version"] == causal_theory.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert set(metadata.get_all("Provides-Extra")) == {"plot", "verify", "test", "dev", "docs", "autodiff"}
    assert "Redistribution and use" in read(wheel, "LICENSE")


def test_command_points_into_the_wheel(wheel):
    (line,) = (line for line in read(wheel, "entry_points.txt").splitlines() if line.startswith("causal-theory"))
    module = line.partition("=")[2].strip().partition(":")[0].replace(".", "/")
    assert {f"{module}.py", f"{module}/__init__.py"} & set(wheel.namelist())
