"""Mistakes on the command line: one line that says what is wrong, exit status 2, and nothing written."""

import os
import re
import stat
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from causal_theory import CausalTheoryError, cli
from causal_theory.cli import app, output, scores
from causal_theory.errors import FileFormatError, InvalidArgumentError, OutputError, TooLargeError, TransitionError
from tests.programs import run_program

POINT = ("--prior", "point", "--transition")
QUICK = ("scores", "--length", "4", "--symbols", "2")


def fail(*arguments):
    """Run a command that must fail, and return what it raised."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert isinstance(result.exception, CausalTheoryError), result.output
    assert result.stdout == ""
    return result.exception


def program(*arguments, **options):
    """Run the program as users do, with its handling of errors."""
    done = run_program(*arguments, **options)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


OPTIONS = [
    (("scores", "--epsilon", "0"), "epsilon must be a finite number greater than 0, got 0.0"),
    (("scores", "--epsilon", "nan"), "epsilon must be a finite number greater than 0, got nan"),
    (("scores", "--limit", "--epsilon", "-1", *POINT, "[[0.5,0.5],[0.5,0.5]]"), "epsilon must be .* at least 0"),
    (("scores", "--length", "1"), "length must be an integer of at least 2, got 1"),
    (("scores", "--graph", "random-forest", "--root-probability", "2"), "root_probability must be .* between 0 and 1"),
    (("scores", "--draws", "1"), "draws must be an integer of at least 2, got 1"),
    (("scores", "--threshold", "nan", "--length", "4", "--symbols", "2"), "threshold must be .* got nan"),
    (("scores", "--limit", "--method", "enumerate"), "method must be 'transform' together with --limit"),
    (("scores", "--limit", "--root-law", "uniform"), "root_law='stationary'"),
    (("information", "--concentration", "-1"), "concentration must be"),
    (("information", "--symbols", "1"), "symbols must be an integer of at least 2, got 1"),
    (("information", "--floor", "1.5"), "floor must be"),
    (("sample", "--size", "0"), "size must be an integer of at least 1, got 0"),
    (("assumptions", "--prior", "orbit"), "transition must be given for prior orbit, got nothing"),
]

WITHOUT_EFFECT = [
    (
        ("--transition", "[[1,0],[0,1]]"),
        "transition must not be given together with prior dirichlet, .*; it belongs to point, orbit",
    ),
    ((*POINT, "[[0.5,0.5],[0.5,0.5]]", "--symbols", "3"), "symbols must not be given together with prior point"),
    ((*POINT, "[[0.5,0.5],[0.5,0.5]]", "--floor", "0"), "floor must not be given together with prior point"),
    (
        (*POINT, "[[0.5,0.5],[0.5,0.5]]", "--concentration", "2"),
        "concentration must not be given together with prior point, got 2.0; it belongs to dirichlet",
    ),
    (
        ("--root-probability", "0.5"),
        "root_probability must not be given together with graph chain, got 0.5; it belongs to random-",
    ),
    (("--graph-file", "g.json", "--length", "9"), "length must not be given together with graph_file, got 9"),
    (("--graph-file", "g.json", "--graph", "star"), "graph must not be given together with graph_file, got 'star'"),
]

TRANSITIONS = [
    ("[[1,2]", "transition must be a matrix in JSON"),
    ('{"a": 1}', "transition must be a matrix in JSON, a list of rows"),
    ("[0.5, 0.5]", "transition must be a matrix in JSON, a list of rows"),
    ("[]", "transition must be a matrix in JSON, a list of rows"),
    ("[[0.5,0.5],[1]]", r"rows of one length, got the lengths '\[2, 1\]'"),
    ("[[0.5,0.5]]", r"square matrix with at least 2 symbols, got shape \(1, 2\)"),
    ("[[1]]", "at least 2 symbols"),
    ('[["0.5","0.5"],["0.5","0.5"]]', 'array of real numbers, got "0.5"'),
    ("[[true,false],[false,true]]", "array of real numbers, got true"),
    ("[[null,1],[0.5,0.5]]", "array of real numbers, got null"),
    ("[[NaN,1],[0.5,0.5]]", "finite entries of at least 0, got nan"),
    ("[[0.5,0.6],[0.5,0.5]]", "rows that sum to 1 within 1e-10, got 1.1 in row 0"),
    ("[[1.5,-0.5],[0.5,0.5]]", r"finite entries of at least 0, got -0.5 at \(0, 1\)"),
    ("[[1,0],[0,1]]", "closed classes"),
    ("[" * 100_000, "transition must be a matrix in JSON"),
    (f"[[{'9' * 400},0],[0,1]]", "entries between 0 and 1, got an integer beyond any float"),
    (f"[[{'9' * 5000},0],[0,1]]", "transition must be a matrix in JSON"),
    ("missing.json", "JSON or a readable file, got 'missing.json': No such file"),
    ("x" * 5000, "JSON or a readable file, got 'x*[.]{3}': File name too long"),
    (".", "JSON or a readable file, got '.': Is a directory"),
]

TRANSITION_FILES = [
    ("pi.json", b"[[0.5,", "transition file .*pi.json.* must be a matrix in JSON"),
    ("pi.json", b"", "must be a matrix in JSON, got ''"),
    ("pi.json", b"\xff\xfe\x00", "must be a UTF-8 text file"),
    ("pi.csv", b"", "must hold numbers separated by commas, got no line"),
    ("pi.csv", b"0.5,0.5\n0.5;0.5\n", "got '0.5;0.5' in line 2"),
    ("pi.csv", b"0.5,0.5\n1\n", "rows of one length"),
    ("pi.npy", b"", "must be a readable file that holds one array"),
    ("pi.npy", b"\x93NUMPY\x01\x00", "must be a readable file that holds one array"),
]

GRAPH_FILES = [
    ("{", "line 1: must be valid JSON"),
    ("[1, 2]", 'must be an object with a list "parents"'),
    ('{"parents": "chain"}', 'must be an object with a list "parents"'),
    ('{"parents": [0]}', "position 0"),
    ('{"parents": [-1, 0.5]}', "0.5"),
    ('{"parents": [-1], "colour": 1}', "got .'colour'."),
    ('{"parents": [-1], "parents": [-1]}', "keys must be distinct"),
    ('{"parents": [-1, 0], "length": 9}', '"length" must be the number of entries'),
    ('{"parents": [-1, -1, [0, 1]]}', "at most one parent"),
    ("", 'must start with a line "length T"'),
    ("length three\n", 'line 1: must be "length T"'),
    ("length 4\n1 0\n", "line 2: must be .parent child."),
    ("length 4\n0 9\n", "line 2: must be .parent child."),
    ("length 4\n0 1\n0 1\n", "line 3: edges must be distinct"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestMessages:
    @pytest.mark.parametrize(("arguments", "message"), OPTIONS)
    def test_values(self, arguments, message, folder):
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail(*arguments, "--npz", "out.npz", "--json")
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("command", ["scores", "information", "dynamics", "sample"])
    @pytest.mark.parametrize(("arguments", "message"), WITHOUT_EFFECT)
    def test_options_without_effect_are_refused(self, command, arguments, message):
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail(command, *arguments)

    @pytest.mark.parametrize(("text", "message"), TRANSITIONS)
    def test_transitions(self, text, message, folder):
        with pytest.raises(TransitionError, match=message) as caught:
            raise fail("information", *POINT, text, "--csv", "out.csv")
        assert len(str(caught.value)) < 400
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize(("name", "content", "message"), TRANSITION_FILES)
    def test_transition_files(self, folder, name, content, message):
        (folder / name).write_bytes(content)
        with pytest.raises(TransitionError, match=message):
            raise fail("information", *POINT, name)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.eye(2) + 0j, "array of real numbers, got type complex128"),
            (np.array([[{}, {}], [{}, {}]]), "one array of numbers"),
            (np.full(2, 0.5), r"square matrix with at least 2 symbols, got shape \(2,\)"),
        ],
    )
    def test_arrays(self, folder, array, message):
        np.save(folder / "pi.npy", array)
        with pytest.raises(TransitionError, match=message):
            raise fail("information", *POINT, "pi.npy")

    def test_archive_is_not_an_array(self, folder):
        np.savez(folder / "pi.npz", pi=np.eye(2))
        (folder / "pi.npz").rename(folder / "pi.npy")
        with pytest.raises(TransitionError, match="got an archive of several"):
            raise fail("information", *POINT, "pi.npy")

    def test_byte_order_mark_is_no_mistake(self, folder):
        (folder / "pi.json").write_text("[[0.5,0.5],[0.5,0.5]]", encoding="utf-8-sig")
        assert CliRunner().invoke(app, ["information", *POINT, "pi.json"]).exit_code == 0

    @pytest.mark.parametrize(("content", "message"), GRAPH_FILES)
    def test_graph_files(self, folder, content, message):
        (folder / "graph").write_text(content, encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail("scores", "--graph-file", "graph", "--symbols", 2)

    def test_missing_graph_file(self):
        with pytest.raises(FileFormatError, match=r"missing\.json: cannot be read: No such file"):
            raise fail("scores", "--graph-file", "missing.json")

    def test_enumeration_that_is_too_long_names_the_way_out(self):
        with pytest.raises(TooLargeError, match=r"S\^T = 2\^40 = 1.1e\+12"):
            raise fail("scores", "--symbols", 2, "--length", 40, "--method", "enumerate")
        with pytest.raises(TooLargeError, match="max_sequences=100"):
            raise fail("scores", "--symbols", 2, "--length", 7, "--method", "enumerate", "--max-sequences", 100)


class TestOutputs:
    @pytest.mark.parametrize("option", ["--csv", "--npz", "--plot"])
    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("no/such/folder/x.png", "in a folder that exists and can be written"),
            ("file/x.png", "in a folder that exists and can be written.*Not a directory"),
            ("folder.png", "a plain file, got the folder 'folder.png'"),
            ("x" * 300 + ".png", "File name too long"),
            ("loop.png", "Too many levels of symbolic links"),
            (os.devnull, "a plain file, got the device"),
        ],
    )
    def test_refused_before_any_work(self, folder, monkeypatch, option, path, message):
        (folder / "file").touch()
        (folder / "folder.png").mkdir()
        (folder / "loop.png").symlink_to("loop.png")
        before = sorted(folder.iterdir())
        monkeypatch.setattr(scores, "edge_scores", lambda *args, **kwargs: pytest.fail("computed before checking"))
        with pytest.raises(OutputError, match=f"{option[2:]} must .*{message}"):
            raise fail(*QUICK, option, path)
        assert sorted(folder.iterdir()) == before

    def test_closed_folder(self, monkeypatch):
        # Permissions do not bind the superuser, who may run this test.
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(OutputError, match=r"csv must be in a folder that exists and can be written, got 'x\.csv'"):
            raise fail(*QUICK, "--csv", "x.csv")

    def test_unknown_figure_format(self):
        with pytest.raises(OutputError, match=r"plot must end in one of .png, .svg, .pdf, .eps, got 'picture.bmp'"):
            raise fail(*QUICK, "--plot", "picture.bmp")

    @pytest.mark.parametrize("other", ["same", "./same", "link"])
    def test_one_file_for_two_outputs(self, folder, other):
        (folder / "link").symlink_to("same")
        with pytest.raises(OutputError, match="output files must differ"):
            raise fail(*QUICK, "--csv", "same", "--npz", other)

    @pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_when_one_file_fails_none_appears_and_old_ones_stay(self, folder, monkeypatch, fault):
        def savez(file, **arrays):
            file.write(b"half")
            raise fault

        (folder / "x.csv").write_text("old", encoding="utf-8")
        monkeypatch.setattr(output.np, "savez", savez)
        result = CliRunner().invoke(app, [*QUICK, "--csv", "x.csv", "--npz", "x.npz"])
        assert result.exit_code != 0
        if isinstance(fault, OSError):
            assert re.search("output must be .* got 'x.npz': No space left", str(result.exception))
        assert [path.name for path in folder.iterdir()] == ["x.csv"]
        assert (folder / "x.csv").read_text(encoding="utf-8") == "old"

    def test_a_link_stays_a_link_and_permissions_stay(self, folder):
        real = folder / "real.csv"
        real.touch(mode=0o600)
        (folder / "link.csv").symlink_to("real.csv")
        assert CliRunner().invoke(app, [*QUICK, "--csv", "link.csv"]).exit_code == 0
        assert (folder / "link.csv").is_symlink()
        assert np.loadtxt(real, delimiter=",", skiprows=1, usecols=range(7, 11)).shape == (4, 4)
        assert stat.S_IMODE(real.stat().st_mode) == 0o600

    def test_new_files_have_usual_permissions(self, folder):
        mask = os.umask(0o027)
        try:
            CliRunner().invoke(app, [*QUICK, "--csv", "new.csv"])
        finally:
            os.umask(mask)
        assert stat.S_IMODE((folder / "new.csv").stat().st_mode) == 0o640


class TestProgram:
    def test_prints_one_line_and_exits_with_2(self):
        done = program("scores", "--epsilon", "-1")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "error: epsilon must be a finite number greater than 0, got -1.0\n"

    def test_brackets_are_not_markup(self):
        done = program("scores", *POINT, "[red]")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "'[red]'" in done.stderr

    def test_unknown_choice_and_command(self):
        assert program("scores", "--graph", "ring").returncode == 2
        assert program("levitate").returncode == 2

    def test_figures_need_no_display(self, folder):
        """A windowing backend that is not installed, or has no display, is never loaded."""
        done = program(*QUICK, "--plot", "x.png", MPLBACKEND="gtk4agg", DISPLAY="")
        assert done.returncode == 0, done.stderr
        assert (folder / "x.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (OutputError("two\n  lines"), "error: two lines\n"),
            (MemoryError("Unable to allocate 1 TiB"), "error: not enough memory: Unable to allocate 1 TiB\n"),
        ],
    )
    def test_every_user_error_is_one_line(self, monkeypatch, capsys, error, message):
        def broken():
            raise error

        monkeypatch.setattr(cli, "app", broken)
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 2
        assert capsys.readouterr().err == message

    def test_bugs_are_not_hidden(self, monkeypatch):
        def broken():
            raise ZeroDivisionError

        monkeypatch.setattr(cli, "app", broken)
        with pytest.raises(ZeroDivisionError):
            cli.main()

    def test_missing_matplotlib_is_told_before_any_work(self, monkeypatch, folder):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        monkeypatch.setattr(scores, "edge_scores", lambda *args, **kwargs: pytest.fail("computed before checking"))
        with pytest.raises(OutputError, match=r'plot must .* pip install "\.\[plot\]"'):
            raise fail(*QUICK, "--plot", "x.png")
        assert list(folder.iterdir()) == []
