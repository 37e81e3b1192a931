"""Programs that tests run end as every interpreter does; and what a run of tests says of those it skipped."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import pytest_terminal_summary
from tests.programs import run_program


@pytest.mark.parametrize(
    ("code", "status", "out", "err"),
    [
        ("import sys; print(sys.argv[1:], end='')", 0, "['a', '\\udcff']", ""),
        ("import sys; print('left in a buffer'); sys.exit(3)", 3, "left in a buffer\n", ""),
        ("raise SystemExit('last words')", 1, "", "last words\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, "", ""),
        ("import os; print(os.environ['ANSWER'], os.getcwd())", 0, "42 /\n", ""),
        ("print('x' * 200_000)", 0, "x" * 200_000 + "\n", ""),
    ],
)
def test_ends_as_an_interpreter(code, status, out, err):
    done = run_program("a", "\udcff", code=code, cwd="/", ANSWER="42")
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (status, out, err)


def test_error_that_nobody_catches():
    done = run_program(code="1 / 0")
    assert done.returncode == 1
    assert done.stderr.endswith(b"ZeroDivisionError: division by zero\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_what_cannot_be_written_is_told():
    """At the end, or at once where the environment wants no buffers."""
    code = "print('lost')"
    with open("/dev/full", "wb") as full:
        real = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
        copy = run_program(code=code, stdout=full.fileno())
    assert copy.returncode == real.returncode > 0
    assert copy.stderr.splitlines()[-1] == real.stderr.splitlines()[-1]


def test_runs_know_nothing_of_each_other():
    run_program(code="import os, sys; sys.answer = 42; os.environ['ANSWER'] = '42'")
    assert run_program(code="import os, sys; print(hasattr(sys, 'answer'), 'ANSWER' in os.environ)").stdout == (
        b"False False\n"
    )
    assert "ANSWER" not in os.environ


def test_skipped_tests_are_counted_by_their_reason():
    said = []
    skipped = [SimpleNamespace(longrepr=("file", 1, f"Skipped: {why}")) for why in ("no a", "no b", "no b")]
    reporter = SimpleNamespace(stats={"skipped": skipped}, section=said.append, line=said.append)
    pytest_terminal_summary(reporter)
    assert said == ["skipped", "   2  no b", "   1  no a"]
