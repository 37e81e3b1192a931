"""The progress bar: what it shows on a terminal, and that nothing is written elsewhere."""

import io
import re
from contextlib import redirect_stderr

import pytest

from causal_theory import progress as progress_module
from causal_theory.progress import ProgressBar, track


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def text(self):
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    return Terminal()


def test_shows_steps_and_note(terminal):
    with redirect_stderr(terminal), ProgressBar("training", 40, done=7) as bar:
        bar.update(9, "loss 1.2345  [red]2 failed[/red]")
    shown = terminal.text()
    assert re.search(r"training .* 7/40", shown)
    assert re.search(r"training .* 9/40 +loss 1\.2345 {2}2 failed", shown)


@pytest.mark.parametrize("options", [{"wanted": False}, {"patience": 1000.0}])
def test_stays_away(terminal, options):
    with redirect_stderr(terminal), ProgressBar("training", 40, **options) as bar:
        bar.update(9)
    assert terminal.getvalue() == ""


def test_writes_nothing_where_no_terminal_is(terminal, monkeypatch):
    monkeypatch.setattr(Terminal, "isatty", lambda self: False)
    with redirect_stderr(terminal), ProgressBar("training", 40) as bar:
        bar.update(9)
    assert terminal.getvalue() == ""


def test_an_error_clears_the_bar(terminal, monkeypatch):
    stopped = []
    original = progress_module.Progress.stop
    monkeypatch.setattr(progress_module.Progress, "stop", lambda bar: (stopped.append(1), original(bar)))
    with pytest.raises(KeyError), redirect_stderr(terminal), ProgressBar("training", 40):
        raise KeyError
    assert stopped == [1]


def test_track_appears_after_a_while(terminal, monkeypatch):
    with redirect_stderr(terminal):
        assert list(track(range(3), "short")) == [0, 1, 2]
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", 0.0)
    with redirect_stderr(terminal):
        assert list(track(range(3), "long")) == [0, 1, 2]
    assert re.search(r"long .* [012]/3", terminal.text())


def test_an_abandoned_loop_clears_the_bar(terminal, monkeypatch):
    stopped = []
    original = progress_module.Progress.stop
    monkeypatch.setattr(progress_module.Progress, "stop", lambda bar: (stopped.append(1), original(bar)))
    monkeypatch.setattr(progress_module, "PATIENCE_SECONDS", 0.0)
    with redirect_stderr(terminal):
        loop = track([1, 2, 3], "abandoned")
        assert next(loop) == 1
        loop.close()
    assert stopped == [1]


def test_a_bar_within_another_is_a_line_of_it(terminal):
    with redirect_stderr(terminal), ProgressBar("outer", 40) as outer:
        with ProgressBar("inner", None):
            pass
        outer.update(3)
    shown = terminal.text()
    assert re.search(r"outer .* 0/40.*\n.*inner .* 0/\?", shown)
    assert re.search(r"outer .* 3/40", shown)
    assert "inner" not in shown.rpartition("3/40")[2]
    assert progress_module._drawn is None
