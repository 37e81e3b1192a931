"""Figures of commands: their width and style, the overview, and what is refused before any work."""

import json

import pypdf
import pytest
from typer.testing import CliRunner

from causal_theory.cli import app, scores
from causal_theory.errors import CausalTheoryError, InvalidArgumentError, OutputError
from causal_theory.plotting import plot_overview

TEXT = json.dumps([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]])
POINT = ("--length", 6, "--prior", "point", "--transition", TEXT)


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


def fail(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert isinstance(result.exception, CausalTheoryError), result.output
    return result.exception


def inches(path):
    """Width and height of the page."""
    box = pypdf.PdfReader(path).pages[0].mediabox
    return float(box.width) / 72.0, float(box.height) / 72.0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = {
    "scores": POINT,
    "information": POINT,
    "sample": POINT,
    "assumptions": POINT[2:],
    "dynamics": (*POINT, "--steps2", 1),
    "train": ("--length", 4, "--symbols", 2, "--steps", 2, "--batch-size", 4, "--learning-rate", 1),
}


@pytest.mark.parametrize("name", COMMANDS)
class TestEveryCommand:
    def test_style_for_paper(self, name, folder):
        run(name, *COMMANDS[name], "--plot", "f.pdf", "--plot-style", "paper", "--plot-width", "page")
        assert inches("f.pdf")[0] == pytest.approx(6.9, rel=1e-9)

    def test_width_must_be_one(self, name, folder):
        error = fail(name, *COMMANDS[name], "--plot", "f.pdf", "--plot-width", "3.3in")
        assert isinstance(error, InvalidArgumentError)
        assert str(error) == "plot_width must be 'column', 'page', or inches from 1 to 40, got '3.3in'"
        assert not list(folder.iterdir())

    @pytest.mark.parametrize("options", [("--plot-width", "page"), ("--plot-style", "paper")])
    def test_nothing_to_draw(self, name, options, folder):
        words = f"{options[0][2:].replace('-', '_')} must not be given without --plot, got {options[1]}"
        assert str(fail(name, *COMMANDS[name], *options)) == words


def test_a_column_on_paper(folder):
    run("scores", *POINT, "--plot", "f.pdf", "--plot-style", "paper")
    assert inches("f.pdf")[0] == pytest.approx(3.3, rel=1e-9)


def test_width_on_the_screen_keeps_proportions(folder):
    run("scores", *POINT, "--plot", "f.pdf")
    assert inches("f.pdf") == pytest.approx((4.6, 3.8), rel=1e-9)
    run("scores", *POINT, "--plot", "f.pdf", "--plot-width", 9.2)
    assert inches("f.pdf") == pytest.approx((9.2, 7.6), rel=1e-9)


def test_panels_of_a_column_stand_below_each_other(folder):
    run("dynamics", *COMMANDS["dynamics"], "--plot", "f.pdf", "--plot-style", "paper")
    # Four panels of 6 by 3.8 inches, drawn 3.3 inches wide.
    assert inches("f.pdf") == pytest.approx((3.3, 4 * 3.3 * 3.8 / 6.0), rel=1e-6)


def test_two_calls_write_the_same_bytes(folder):
    found = set()
    for _ in range(2):
        run("scores", *POINT, "--plot", "s.eps", "--overview", "o.pdf")
        found.add(((folder / "s.eps").read_bytes(), (folder / "o.pdf").read_bytes()))
    assert len(found) == 1


class TestOverview:
    def test_shows_the_scores_that_are_printed(self, folder, monkeypatch):
        given = []
        monkeypatch.setattr("causal_theory.plotting.plot_overview", lambda *args, **kwargs: _keep(given, args, kwargs))
        content = json.loads(run("scores", *POINT, "--overview", "o.svg", "--epsilon", 0.2, "--json"))
        ((task, options),) = given
        assert task.length == 6
        assert options["epsilon"] == 0.2
        assert options["scores"].value.tolist() == content["scores"]["value"]

    def test_the_limit_is_not_taken_for_scores(self, folder, monkeypatch):
        given = []
        monkeypatch.setattr("causal_theory.plotting.plot_overview", lambda *args, **kwargs: _keep(given, args, kwargs))
        run("scores", *POINT, "--overview", "o.svg", "--limit", "--epsilon", 0.1)
        assert given[0][1]["scores"] is None

    def test_beside_the_other_files(self, folder):
        output = run("scores", *POINT, "--plot", "s.svg", "--overview", "o.pdf", "--csv", "s.csv")
        assert sorted(path.name for path in folder.iterdir()) == ["o.pdf", "s.csv", "s.svg"]
        assert [line for line in output.splitlines() if line.startswith("wrote")] == [
            "wrote s.csv",
            "wrote s.svg",
            "wrote o.pdf",
        ]
        assert "limit scores" in pypdf.PdfReader("o.pdf").pages[0].extract_text()

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--overview", "o.bmp"), "overview must end in one of .png, .svg, .pdf, .eps, got 'o.bmp'"),
            (("--overview", "a.png", "--plot", "a.png"), "output files must differ, got a.png, a.png"),
            (("--overview", "none/o.png"), "overview must be in a folder that exists and can be written"),
        ],
    )
    def test_refused_before_any_work(self, options, words, folder, monkeypatch):
        monkeypatch.setattr(scores, "edge_scores", None)
        error = fail("scores", *POINT, *options)
        assert isinstance(error, OutputError)
        assert str(error).startswith(words)

    def test_when_it_fails_no_file_appears(self, folder, monkeypatch):
        def refuse(*args, **kwargs):
            raise InvalidArgumentError("no figure today")

        monkeypatch.setattr("causal_theory.plotting.plot_overview", refuse)
        assert str(fail("scores", *POINT, "--csv", "s.csv", "--overview", "o.pdf")) == "no figure today"
        assert not list(folder.iterdir())


def _keep(given, args, kwargs):
    given.append((args[0], kwargs))
    return plot_overview(*args, **kwargs)


@pytest.mark.parametrize(("command", "title"), [("scores", "edge scores without"), ("information", "chi2 information")])
def test_the_title_of_a_small_table_is_one_line(command, title, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    first = run(command, "--length", 3 if command == "information" else 2, "--symbols", 2).splitlines()[0]
    assert first.startswith(title)
    assert " in bold, in units of " in first


def test_the_style_reaches_the_overview(folder):
    run("scores", *POINT, "--overview", "o.pdf", "--plot-style", "paper", "--plot-width", 4)
    assert inches("o.pdf")[0] == pytest.approx(4.0, rel=1e-9)
