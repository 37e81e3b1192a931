"""The wheel and the source archive: what is in them, what their metadata promise, and that they install and work."""

import email
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

import causal_theory
from tests.verification.made_up import write_claim

ROOT = Path(__file__).parent.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
CONSTRAINTS = ["--constraint", str(ROOT / "constraints.txt")]


def call(*command: str, cwd: Path = ROOT) -> str:
    """Run a command without the variables that would let it see this checkout; the test fails if it fails."""
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)


def build_wheel(source: Path, folder: Path) -> Path:
    """Build with the installed build backend, without a network."""
    offline = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(folder)]
    call(*PIP, "wheel", *offline, str(source))
    (path,) = folder.glob("causal_theory-*.whl")
    return path


@pytest.fixture(scope="module")
def wheel_path(tmp_path_factory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel(wheel_path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(wheel_path) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    call(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder))
    (path,) = folder.glob("causal_theory-*.tar.gz")
    return path


@pytest.fixture(scope="module")
def sources(sdist_path) -> set[str]:
    """The files of the source archive, without the folder that holds them all."""
    with tarfile.open(sdist_path) as archive:
        names = [PurePosixPath(member.name) for member in archive.getmembers() if member.isfile()]
    assert {name.parts[0] for name in names} == {f"causal_theory-{causal_theory.__version__}"}
    return {PurePosixPath(*name.parts[1:]).as_posix() for name in names}


def read(wheel: zipfile.ZipFile, ending: str) -> str:
    (name,) = (name for name in wheel.namelist() if name.endswith(ending))
    return wheel.read(name).decode()


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """The folder of the commands of a new environment with the dependencies that the wheel declares."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    metadata = email.message_from_string(read(wheel, ".dist-info/METADATA"))
    needed = [text for text in metadata.get_all("Requires-Dist") if "extra ==" not in text]
    install = [*PIP, "--python", str(commands / "python"), "install", "--retries", "1"]
    probe = run(*install, "--dry-run", "--no-deps", "packaging")
    if probe.returncode:
        pytest.skip(f"no package index can be reached: {probe.stderr.strip().splitlines()[-1]}")
    call(*install, "--no-compile", *CONSTRAINTS, *needed)
    return commands


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
    extras = {"plot", "verify", "test", "dev", "docs", "autodiff", "exact", "sweep", "torch"}
    assert set(metadata.get_all("Provides-Extra")) == extras
    assert "Redistribution and use" in read(wheel, "LICENSE")


def test_command_points_into_the_wheel(wheel):
    (line,) = (line for line in read(wheel, "entry_points.txt").splitlines() if line.startswith("causal-theory"))
    module = line.partition("=")[2].strip().partition(":")[0].replace(".", "/")
    assert {f"{module}.py", f"{module}/__init__.py"} & set(wheel.namelist())


class TestSourceArchive:
    def test_holds_what_tests_documentation_and_claims_need(self, sources):
        top = ".ci/run CITATION.cff CHANGELOG.md CONTRIBUTING.md LICENSE Makefile PKG-INFO README.md constraints.txt"
        assert {*top.split(), "pyproject.toml"} <= sources
        for name in ("causal_theory/kernels/gth.py", "docs/conf.py", "tests/oracles.py", "verification/__main__.py"):
            assert name in sources

    def test_holds_every_file_under_version_control(self, sources):
        """Apart from what serves the checkout itself."""
        if not (ROOT / ".git").exists() or shutil.which("git") is None:
            pytest.skip("the files under version control are those of a checkout, and git lists them")
        listed = call("git", "ls-files", "-z").split("\0")
        kept = {name for name in listed if name and not name.startswith(".") and (ROOT / name).exists()}
        assert len(kept) > 100
        assert kept - sources == set()

    def test_holds_nothing_that_was_built(self, sources):
        parts = {part for name in sources for part in PurePosixPath(name).parts}
        assert not parts & {"__pycache__", "_build", "generated", "results", ".venv", ".git"}

    def test_gives_the_same_wheel(self, sdist_path, wheel, tmp_path):
        with zipfile.ZipFile(build_wheel(sdist_path, tmp_path)) as other:
            assert {one.filename: one.CRC for one in other.infolist()} == {
                one.filename: one.CRC for one in wheel.infolist()
            }


@pytest.mark.slow
class TestInstalled:
    """In an environment that holds nothing else, from a folder that holds nothing."""

    def install(self, environment: Path, path: Path) -> None:
        """Install without an index, so that a dependency that is not declared stays missing."""
        into = [
            *PIP,
            "--python",
            str(environment / "python"),
            "install",
            "--no-index",
            "--force-reinstall",
            "--no-deps",
        ]
        call(*into, str(path))
        call(*PIP, "--python", str(environment / "python"), "check")

    @pytest.mark.compiled
    def test_wheel(self, environment, wheel_path, tmp_path):
        self.install(environment, wheel_path)
        where = call(
            str(environment / "python"), "-c", "import causal_theory; print(causal_theory.__file__)", cwd=tmp_path
        )
        assert Path(where.strip()).is_relative_to(environment.parent)
        shutil.copy(ROOT / "README.md", tmp_path)
        test = "import doctest; print(doctest.testfile('README.md', module_relative=False))"
        assert "failed=0, attempted=7" in call(str(environment / "python"), "-c", test, cwd=tmp_path)
        assert "scores" in call(str(environment / "causal-theory"), "--help", cwd=tmp_path)

    def test_source_archive(self, environment, sdist_path, tmp_path):
        self.install(environment, build_wheel(sdist_path, tmp_path))
        empty = tmp_path / "empty"
        empty.mkdir()
        code = "import causal_theory, causal_theory.cli, causal_theory.testing; print(causal_theory.__version__)"
        assert call(str(environment / "python"), "-c", code, cwd=empty).strip() == causal_theory.__version__

    def test_claims(self, environment, wheel_path, tmp_path):
        """The wheel holds the template of the report; what draws it comes with the extra, and is asked for by name."""
        self.install(environment, wheel_path)
        write_claim(tmp_path / "claims", 1)
        command = [str(environment / "causal-theory"), "verify", "--claims", "claims"]
        refused = run(*command, cwd=tmp_path)
        assert refused.returncode == 2
        assert 'pip install ".[verify]"' in refused.stderr
        into = [*PIP, "--python", str(environment / "python"), "install", "--no-compile", *CONSTRAINTS]
        call(*into, f"causal-theory[verify] @ {wheel_path.as_uri()}")
        assert "passed  1 claim_1" in call(*command, cwd=tmp_path)
        assert "1 of 1 claims" in (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
