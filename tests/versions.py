"""``make versions``: the package with the oldest dependencies that it promises, and with the newest there are.

The oldest are the bounds of ``pyproject.toml`` itself, on the oldest Python of its classifiers; the newest are what pip
finds, without ``constraints.txt``, on the newest Python of the classifiers that this machine has. Both are tried on the
wheel, in an environment of its own with kernels of its own. A Python that is not here is passed over, and that is said.
``python -m tests.versions 3.12`` tries the newest on that Python only.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("plot", "sweep", "verify")
TOOLS = ("pytest",)
FILES = (
    "tests/test_reference_cases.py",
    "tests/test_cli.py",
    "tests/test_cli_dynamics.py",
    "tests/test_cli_errors.py",
    "tests/test_cli_falsify.py",
    "tests/test_cli_train.py",
    "tests/test_graph_files.py",
    "tests/test_symbolic.py",
    "tests/test_testing.py",
    "tests/sweeps/test_cli.py",
    "tests/sweeps/test_cli_status.py",
    "tests/sweeps/test_export.py",
    "tests/verification/test_html.py",
)
"""Numbers from elsewhere, every command, and a small use of every dependency."""
IMPORT_ALL = """
import importlib, pkgutil, causal_theory
for module in pkgutil.walk_packages(causal_theory.__path__, "causal_theory."):
    importlib.import_module(module.name)
print(causal_theory.__file__)
"""


def pythons() -> list[Version]:
    """The versions of Python that the classifiers name, oldest first."""
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", text) for text in PROJECT["classifiers"])
    return sorted(Version(match[1]) for match in found if match)


def requirements(names: Sequence[str] = (), extras: Sequence[str] = ()) -> Iterator[Requirement]:
    """Requirements of the package, its extras and the tools named, each as ``pyproject.toml`` has it."""
    optional = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in optional[extra])]:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) != "causal-theory":
            yield requirement
    yield from (one for one in map(Requirement, optional["test"]) if one.name in names)


def oldest(requirement: Requirement) -> str:
    """The requirement at its bound: ``==`` for ``>=``."""
    bounds = list(requirement.specifier)
    if len(bounds) != 1 or bounds[0].operator != ">=":
        raise ValueError(f"requirement must be a name and its oldest version, got {requirement}")
    return f"{requirement.name}=={bounds[0].version}"


def find_python(version: Version) -> str | None:
    """A Python of this version that can make environments: this one, on the path, or one of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = (sys.executable, shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}.*/bin/python")))
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, found):
        # On the path may be a stand-in that knows of no such version.
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == str(version):
            return str(path)
    return None


def call(*command: str | Path, cwd: Path) -> None:
    """Run a command, which must succeed, without the variables that would let it see this checkout.

    What it says goes to the file ``log`` of the folder: two attempts are made at a time.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with (cwd / "log").open("a", encoding="utf-8") as log:
        subprocess.run(command, cwd=cwd, env=clean, check=True, stdout=log, stderr=log)


def try_out(python: str, wheel: Path, folder: Path, pins: Sequence[str], options: Sequence[str]) -> None:
    """Install the wheel into a new environment, and run it there."""
    call(python, "-m", "venv", folder / "environment", cwd=folder)
    own = folder / "environment" / "bin" / "python"
    pip = [own, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    call(*pip, "install", "--no-compile", f"{wheel}[{','.join(EXTRAS)}]", *pins, cwd=folder)
    call(*pip, "check", cwd=folder)
    # What the tests read of the checkout, but not the package, which is to come from the wheel.
    for name in ("tests", "verification", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build", "browser"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    call(own, *options, "-c", IMPORT_ALL, cwd=folder)
    call(folder / "environment" / "bin" / "causal-theory", "--help", cwd=folder)
    call(own, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow", "--durations=5", *options, *FILES, cwd=folder)


def attempt(which: str, python: str, wheel: Path, folder: Path, pins: Sequence[str], options: Sequence[str]) -> bool:
    """Try dependencies out, say what comes of it, and return whether they pass."""
    started = time.perf_counter()
    folder.mkdir()
    try:
        try_out(python, wheel, folder, pins, options)
    except subprocess.CalledProcessError as error:
        print((folder / "log").read_text(encoding="utf-8"), file=sys.stderr)
        print(f"versions: {which} dependencies fail: {error}", file=sys.stderr)
        return False
    said = (folder / "log").read_text(encoding="utf-8").splitlines()[-1]
    print(f"versions: {which} dependencies pass, {python}, {time.perf_counter() - started:.0f} s: {said}", flush=True)
    return True


def main() -> int:
    """Try the oldest and the newest, both at a time; return the exit status."""
    first, *others = pythons()
    chosen = [Version(text) for text in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = ["-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
        call(sys.executable, *build, "--no-index", "--wheel-dir", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        pins = [oldest(requirement) for requirement in requirements(TOOLS, EXTRAS)]
        # Old releases use what newer ones of their own dependencies deprecate, which is no fault of this package.
        calm = ["-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning"]
        attempts = [("newest", chosen or others[::-1], list(TOOLS), ["-W", "error"])]
        if not chosen:
            attempts.insert(0, ("oldest", [first], pins, calm))
        found = []
        for which, versions, needed, options in attempts:
            python = next(filter(None, map(find_python, versions)), None)
            wanted = " or ".join(map(str, versions))
            if python is None:
                print(f"versions: {which} dependencies not tried: there is no Python {wanted} here", flush=True)
                continue
            found.append((which, python, wheel, folder / which, needed, options))
        with ThreadPoolExecutor() as threads:
            passed = list(threads.map(lambda one: attempt(*one), found))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
