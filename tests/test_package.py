"""The package as a whole: its version, what importing it costs, and what its environment is made of."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name
from packaging.version import Version

import causal_theory
from tests import versions

ROOT = Path(__file__).parent.parent

COUNT_SIGNATURES = """
import sys
from numba.core.dispatcher import Dispatcher

def signatures():
    counts = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("causal_theory"):
            for key, value in vars(module).items():
                value = getattr(value, "dispatcher", value)
                if isinstance(value, Dispatcher):
                    counts[f"{name}.{key}"] = len(value.signatures)
    return counts
"""


def run_python(*arguments: str, **environment: str) -> str:
    """Standard output of a fresh interpreter; the test fails with its error output if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestVersion:
    def test_has_the_public_form(self):
        assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", causal_theory.__version__)

    def test_heads_the_changelog(self):
        headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert headings[0] == causal_theory.__version__


class TestNames:
    def test_every_public_name_exists_once(self):
        for name in causal_theory.__all__:
            assert hasattr(causal_theory, name), name
        assert len(set(causal_theory.__all__)) == len(causal_theory.__all__)

    def test_only_the_face_of_a_package_and_what_the_reference_shows_list_names(self):
        """A list of names is a promise: no other module makes one."""
        pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
        shown = set(re.findall(r"currentmodule:: (\S+)", pages))
        folder = ROOT / "causal_theory"
        listing = {
            "causal_theory." + ".".join(path.relative_to(folder).with_suffix("").parts)
            for path in folder.rglob("*.py")
            if path.name != "__init__.py" and re.search("^__all__", path.read_text(encoding="utf-8"), re.MULTILINE)
        }
        assert listing == {name for name in shown if (folder / f"{name.removeprefix('causal_theory.')}.py").exists()}


class TestImport:
    def test_warns_of_nothing(self):
        run_python("-W", "error", "-c", "import causal_theory")

    @pytest.mark.compiled
    def test_of_kernels_compiles_nothing(self):
        code = COUNT_SIGNATURES + (
            "import importlib, pkgutil, causal_theory.kernels\n"
            "for one in pkgutil.iter_modules(causal_theory.kernels.__path__):\n"
            "    importlib.import_module(f'causal_theory.kernels.{one.name}')\n"
            "print(len(signatures()), sum(signatures().values()))"
        )
        kernels, compiled = map(int, run_python("-c", code).split())
        assert kernels > 0
        assert compiled == 0

    @pytest.mark.compiled
    def test_use_compiles_something(self):
        """The count of the test above does see a compiled kernel."""
        code = COUNT_SIGNATURES + (
            "from causal_theory import chains; chains.stationary_distributions([[[0.5, 0.5], [0.25, 0.75]]] * 200_000);"
            "print(sum(signatures().values()))"
        )
        assert int(run_python("-c", code)) > 0

    def test_second_process_finds_the_kernels_on_disk(self, tmp_path):
        """Kernels that one process compiles are loaded by the next one."""
        code = (
            "from causal_theory import chains; chains.stationary_distributions([[[0.5, 0.5], [0.25, 0.75]]] * 200_000);"
            "import sys; from numba.core.dispatcher import Dispatcher;"
            "found = [v for n, m in list(sys.modules.items()) if n.startswith('causal_theory.kernels')"
            " for v in vars(m).values() if isinstance(v, Dispatcher) and v.signatures];"
            "print(sum(sum(v.stats.cache_hits.values()) for v in found),"
            " sum(sum(v.stats.cache_misses.values()) for v in found))"
        )
        first, second = (
            tuple(map(int, run_python("-c", code, NUMBA_CACHE_DIR=str(tmp_path)).split())) for _ in range(2)
        )
        assert first[0] == 0
        assert first[1] > 0
        assert second[0] > 0
        assert second[1] == 0


def requirements_of_the_project() -> set[str]:
    """Every distribution that the ``dev`` extra and the build install here, found by following the metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    open_ends = [(Requirement(text), "") for text in project["project"]["dependencies"]]
    open_ends += [(Requirement(text), "") for text in project["build-system"]["requires"]]
    for name in ("plot", "sweep", "verify", "test", "docs", "dev"):
        open_ends += [(Requirement(text), "") for text in extras[name]]
    seen: set[tuple[str, str]] = set()
    while open_ends:
        requirement, extra = open_ends.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if name == "causal-theory":
            continue
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                open_ends += [(Requirement(text), wanted) for text in importlib.metadata.requires(name) or []]
    return {name for name, _ in seen}


class TestVersionsPromised:
    """``make versions`` tries the versions that classifiers and README promise."""

    def test_pythons(self):
        tried = versions.pythons()
        assert Specifier(versions.PROJECT["requires-python"]).version == str(tried[0])
        names = f"{', '.join(map(str, tried[:-1]))} and {tried[-1]}"
        assert f"Linux (x86-64) with CPython {names}" in " ".join(
            (ROOT / "README.md").read_text(encoding="utf-8").split()
        )

    def test_platforms(self):
        systems = [text for text in versions.PROJECT["classifiers"] if text.startswith("Operating System")]
        assert systems == ["Operating System :: POSIX :: Linux"]

    def test_oldest_are_the_bounds(self):
        extras = versions.EXTRAS
        found = {pin.partition("==")[0]: pin for pin in map(versions.oldest, versions.requirements(["pytest"], extras))}
        bounds = [*versions.PROJECT["dependencies"], *versions.PROJECT["optional-dependencies"]["sweep"]]
        for text in bounds:
            name, _, version = text.partition(">=")
            assert found[name] == f"{name}=={version}"
        assert {"matplotlib", "jinja2", "pytest"} <= set(found)
        assert "causal-theory" not in found

    @pytest.mark.parametrize("text", ["numpy", "numpy<3", "numpy>=2,<3"])
    def test_bounds_are_versions(self, text):
        with pytest.raises(ValueError, match="must be a name and its oldest version"):
            versions.oldest(Requirement(text))

    def test_pins_are_no_older_than_the_bounds(self, lines):
        pinned = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
        for requirement in versions.requirements(extras=versions.EXTRAS):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement

    def test_a_python_that_is_not_here_is_none(self):
        assert versions.find_python(Version("3.2")) is None
        here = Version(f"{sys.version_info.major}.{sys.version_info.minor}")
        assert versions.find_python(here) == sys.executable


@pytest.fixture
def lines() -> list[str]:
    return (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


class TestConstraints:
    def test_are_exact_pins_without_addresses(self, lines):
        assert lines
        for line in lines:
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line

    def test_cover_everything_that_is_installed(self, lines):
        pinned = {canonicalize_name(line.partition("==")[0]) for line in lines}
        needed = requirements_of_the_project()
        assert {"numpy", "llvmlite", "pytest", "hatchling"} <= needed
        assert needed <= pinned, sorted(needed - pinned)
        # What .ci/run installs besides; of PyTorch others have a build that brings libraries of its own.
        assert {"jax", "jaxlib", "ml-dtypes", "torch"} <= pinned
