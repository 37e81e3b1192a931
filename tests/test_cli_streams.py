"""Output that cannot be written: one line and status 2, or silence for a reader that has gone; nothing half-written."""

import os

import pytest

from tests.programs import PROGRAM, run_program

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); " + PROGRAM
QUICK = ("--length", "4", "--symbols", "2")
ODD_NAME = b"caf\xe9-\xff"
COMMANDS = [
    ("--version",),
    ("--help",),
    ("scores", "--help"),
    ("scores", *QUICK),
    ("scores", *QUICK, "--json"),
    ("information", *QUICK, "--json"),
    ("sample", "--length", "300", "--symbols", "2", "--size", "100", "--json"),
    ("sample", *QUICK, "--size", "3"),
    ("assumptions", "--json"),
    ("falsify", "--budget", "5"),
    ("falsify", "--budget", "5", "--json"),
]


def one_line(done):
    """Return the only line of a mistake."""
    text = done.stderr.decode()
    assert done.returncode == 2, text
    assert text.startswith("error: "), text
    assert text.count("\n") == 1, text
    return text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_full_disk(arguments):
    with open("/dev/full", "wb") as full:
        done = run_program(*arguments, stdout=full.fileno())
    assert "standard output must be open for writing, got: No space left on device" in one_line(done)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_disk_on_both():
    with open("/dev/full", "wb") as full:
        assert run_program("scores", *QUICK, stdout=full.fileno(), stderr=full.fileno()).returncode == 2
        assert run_program("scores", "--length", "1", stderr=full.fileno()).returncode == 2


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_closed_pipe(arguments):
    """The reader has gone before the first line: silence, and the status of a program that the signal ended."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run_program(*arguments, stdout=writer)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 141


def test_closed_output():
    done = run_program("scores", *QUICK, "--json", code="import os; os.close(1); " + PROGRAM)
    assert "standard output must be open for writing, got: Bad file descriptor" in one_line(done)


@pytest.mark.parametrize("option", ["--csv", "--npz", "--plot"])
def test_disk_full_while_a_file_is_written(tmp_path, option):
    """Files may have 200 bytes: the second one asked for, or the first, does not fit, and none is left."""
    if option == "--plot":
        pytest.importorskip("matplotlib")
    name = str(tmp_path / ("out.png" if option == "--plot" else "out"))
    done = run_program("scores", "--length", "9", "--symbols", "2", option, name, code=LIMITED)
    assert "output must be a file that can be written" in one_line(done)
    assert "File too large" in done.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_disk_full_while_a_certificate_is_written(tmp_path):
    arguments = ("falsify", "--family", "chain", "--lengths", "4", "4", "--symbols", "2", "2", "--out")
    done = run_program(*arguments, str(tmp_path / "c.json"), code=LIMITED)
    assert "path must be a file that can be written" in one_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [("scores", *QUICK, "--csv"), ("falsify", "--budget", "5", "--out")], ids=lambda a: a[0]
)
def test_what_is_no_plain_file_stays(tmp_path, arguments):
    """Renaming a file to the name of a device would replace the device, which root can do."""
    os.mkfifo(tmp_path / "pipe")
    one_line(run_program(*arguments, str(tmp_path / "pipe")))
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_writers_replace_no_device(tmp_path):
    from causal_theory import CausalGraph
    from causal_theory.errors import OutputError
    from causal_theory.graphs import read_graph, write_graph

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name, kind in (("pipe", "device"), ("link", "device"), (".", "folder")):
        with pytest.raises(OutputError, match=f"path must be a file that can be written, got .*: it is a {kind}"):
            write_graph(tmp_path / name, CausalGraph.chain(4))
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "to graph").symlink_to(tmp_path / "graph.json")
    write_graph(tmp_path / "to graph", CausalGraph.chain(4))
    assert (tmp_path / "to graph").is_symlink()
    assert read_graph(tmp_path / "graph.json") == CausalGraph.chain(4)


class TestNamesThatAreNoText:
    """Bytes of a file name that are not UTF-8 arrive as lone surrogates."""

    def name(self, folder, ending):
        return os.fsdecode(os.fsencode(folder) + b"/" + ODD_NAME + ending)

    def test_are_written(self, tmp_path):
        pytest.importorskip("matplotlib")
        names = [self.name(tmp_path, ending) for ending in (b".csv", b".npz", b".png")]
        done = run_program("scores", *QUICK, "--csv", names[0], "--npz", names[1], "--plot", names[2])
        assert done.returncode == 0, done.stderr
        assert rb"caf\udce9-\udcff.csv" in done.stdout.replace(b"\n", b"")
        assert sorted(os.listdir(os.fsencode(tmp_path))) == [ODD_NAME + b".csv", ODD_NAME + b".npz", ODD_NAME + b".png"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("scores", "--graph-file"),
            ("scores", "--prior", "point", "--transition"),
            ("train", "--config"),
            ("sweep-status",),
            ("falsify", "--lower-bound"),
            ("falsify", "--epsilon"),
        ],
        ids=" ".join,
    )
    def test_are_named_in_mistakes(self, tmp_path, arguments):
        assert r"caf\udce9-\udcff" in one_line(run_program(*arguments, os.fsdecode(ODD_NAME), cwd=tmp_path))

    def test_in_usage_errors(self):
        for arguments in (("scores", "--graph", "\udcff"), ("\udcff",), ("scores", "--\udcff")):
            done = run_program(*arguments)
            assert done.returncode == 2
            assert b"Traceback" not in done.stderr

    @pytest.mark.parametrize(
        "content", ['{"parents": ["\\ud800"]}', '{"parents": [-1], "\\ud800": 1}', '{"parents": "\\ud800"}', "[\x00"]
    )
    def test_in_json_files(self, tmp_path, content):
        (tmp_path / "g.json").write_text(content, encoding="utf-8")
        one_line(run_program("scores", "--graph-file", str(tmp_path / "g.json")))

    def test_in_json_arguments(self):
        line = one_line(run_program("scores", "--prior", "point", "--transition", '[["\\ud800", 1], [1, 0]]'))
        assert r'got "\ud800"' in line
