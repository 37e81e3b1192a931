"""Hypothesis profiles, Ctrl-C, warnings of kernels that run as plain Python, what was skipped, and a user's modules.

``HYPOTHESIS_PROFILE`` picks a profile, otherwise ``default``. No profile looks at the clock: the first example of a
test may compile a kernel, and the machine may be busy with something else.
"""

import gc
import importlib.util
import os
import signal
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

# Needs JAX, which is an extra of its own.
collect_ignore = ["benchmarks/alternatives.py"]

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", PATIENT, derandomize=True, max_examples=50)
settings.register_profile("thorough", PATIENT, max_examples=1000, print_blob=True)
# For the coverage run, where kernels are plain Python and a hundred times slower.
settings.register_profile("tiny", PATIENT, derandomize=True, max_examples=5)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# The garbage collector would look through all that numba, SymPy and pytest keep, again and again: a quarter of the time
# in which tests are collected.
gc.set_threshold(100_000, 50, 100)

# Programs that a shell starts in the background ignore Ctrl-C, and so would those that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let interpreted kernels divide by zero as silently as compiled ones do; all other warnings stay errors."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "1":
        config.addinivalue_line("filterwarnings", r"ignore::RuntimeWarning:causal_theory\.kernels")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process waits for another one at the end.

    Examples in docstrings that import PyTorch are skipped without it.
    """
    if importlib.util.find_spec("torch") is None:
        for item in items:
            examples = item.dtest.examples if isinstance(item, pytest.DoctestItem) else ()
            if any("torch" in example.source for example in examples):
                item.add_marker(pytest.mark.skip(reason="needs the optional extra torch"))
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Say what was skipped: a line for each reason, with the number of tests."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    if reasons:
        terminalreporter.section("skipped")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:4d}  {reason}")


class Session:
    """A folder with modules of the user's, on the path of this interpreter."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # Python takes a file of another time for another one, in whole seconds.
        self.clock = getattr(self, "clock", 1_600_000_000) + 10
        os.utime(path, (self.clock, self.clock))
        importlib.invalidate_caches()
        return path

    def load(self, name):
        return importlib.import_module(name)

    def forget(self):
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or getattr(module, "__path__", "")).find(str(self.folder)) >= 0:
                del sys.modules[name]
        importlib.invalidate_caches()


@pytest.fixture
def session(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    found = Session(folder)
    yield found
    found.forget()
