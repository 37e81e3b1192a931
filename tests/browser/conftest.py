"""A headless Chromium, started once for all tests of this folder, and the pages they open."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from causal_theory.claims import read_record
from causal_theory.claims.job import run_job
from causal_theory.claims.report import write_report
from tests.browser.checks import Visit
from tests.browser.claims import CLAIMS, COMMIT, FOLDER
from tests.helpers import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def do_without(reason: str) -> NoReturn:
    """Skip the test, or fail it where ``CI`` is set: there a missing browser is a broken set-up, not a choice."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need(*modules: str) -> None:
    """Do without, unless these modules can be imported."""
    for module in modules:
        if find_spec(module) is None:
            do_without(f"{module} is not installed")


@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """One for all tests here; closed before other folders run, because it keeps an event loop in this thread."""
    need("playwright", "axe_playwright_python")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        do_without(f"pages are opened in one of {', '.join(NAMES)}; none is installed")
    from playwright.sync_api import sync_playwright

    # Chromium has no sandbox for the superuser, as whom it runs in most containers; it opens our own pages only.
    superuser = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if superuser else [], timeout=1e3 * PATIENCE
        )
        yield running
        running.close()


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., Visit]]:
    """A function that opens a file in a window of its own, without a network, and watches what it does."""
    contexts = []

    def open_file(
        path: Path, *, width: int = 1280, scheme: str = "light", scripts: bool = True, beforehand: str = ""
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            java_script_enabled=scripts,
            offline=True,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(1e3 * PATIENCE)
        page = context.new_page()
        if beforehand:
            page.add_init_script(beforehand)
        found = Visit(page, path.as_uri())
        page.goto(found.address)
        return found

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="package")
def report(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of real claims and of made-up ones with everything that is awkward to show."""
    out = tmp_path_factory.mktemp("report")
    run_job(CLAIMS, "tiny", out, seed=0, jobs=1, command="causal-theory verify --claims claims --only", folder=FOLDER)
    # The claims made up for it lie in no checkout.
    return write_report(out, replace(read_record(out / "verification.json"), commit=COMMIT))


@pytest.fixture(scope="package")
def documentation(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages: those in the folder ``DOCUMENTATION``, where ``.ci/run`` has built them, or made here.

    From a copy, because the build writes stubs of the reference beside its sources.
    """
    if "DOCUMENTATION" in os.environ:
        return Path(os.environ["DOCUMENTATION"])
    need("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme", "sphinx_copybutton", "sphinx_design")
    folder = tmp_path_factory.mktemp("documentation")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_build", "generated", "__pycache__"))
    for path in ROOT.iterdir():  # pages include files from outside of their folder
        if path.name != "docs" and not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "auto", str(folder / "docs"), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"
