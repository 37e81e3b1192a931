"""What a terminal is told while a kernel is being compiled; and nothing where none is, or nothing is compiled."""

from contextlib import redirect_stderr

import numba
import pytest

from causal_theory import progress
from causal_theory.kernels import _jit, cache

from .test_progress import Terminal, terminal  # noqa: F401 - a fixture

pytestmark = pytest.mark.compiled

SAID = "compiling, once: test kernel announcements: double"


def _double(x):
    return 2 * x


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(cache.SAID, raising=False)


def test_once_and_not_when_it_is_loaded(terminal):  # noqa: F811
    with redirect_stderr(terminal):
        assert _jit.kernel(_double)(3) == 6
    assert SAID in terminal.text()
    again = Terminal()
    with redirect_stderr(again):
        assert _jit.kernel(_double)(3) == 6
    assert again.getvalue() == ""


def test_also_where_nothing_can_be_kept(terminal, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cache.KernelCache, "_folder", "no place")
    with redirect_stderr(terminal), pytest.warns(RuntimeWarning, match="no place"):
        assert _jit.kernel(_double)(3) == 6
    assert SAID in terminal.text()


@pytest.mark.parametrize("silent", ["no terminal", "another program draws"])
def test_silence(terminal, monkeypatch, silent):  # noqa: F811
    if silent == "no terminal":
        monkeypatch.setattr(Terminal, "isatty", lambda self: False)
    else:
        monkeypatch.setenv("TTY_COMPATIBLE", "0")
    with redirect_stderr(terminal):
        assert _jit.kernel(_double)(3) == 6
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_or_ctrl_c_clears_the_line(terminal, tmp_path, monkeypatch, error):  # noqa: F811
    kernel = _jit.kernel(_double)

    def fail(*arguments):
        raise error

    monkeypatch.setattr(kernel._compiler, "compile", fail)
    with redirect_stderr(terminal), pytest.raises(error):
        kernel(3)
    assert SAID in terminal.text()
    assert terminal.getvalue().rstrip().endswith("\x1b[2K")  # the line is empty
    assert progress._drawn is None
    assert not list(tmp_path.rglob("*.kernel"))


def test_a_line_of_the_bar_in_whose_block_it_happens(terminal):  # noqa: F811
    with redirect_stderr(terminal), progress.ProgressBar("training", 40) as bar:
        assert _jit.kernel(_double)(3) == 6
        bar.update(9)
    assert SAID in terminal.text()
    assert "9/40" in terminal.text()
    assert terminal.getvalue().count("\x1b[?25l") == 1  # one that draws
