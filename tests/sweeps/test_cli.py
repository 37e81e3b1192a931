"""``causal-theory sweep``: what a file says reaches the sweep; mistakes come first."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from causal_theory import (
    CausalGraph,
    CausalTheoryError,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    edge_scores,
)
from causal_theory.cli import app, sweep_status
from causal_theory.cli import sweep as sweep_command
from causal_theory.cli.sweep_config import read_sweep_config
from causal_theory.errors import FileFormatError, InvalidArgumentError, OutputError, StoreError
from causal_theory.sweeps import Store, Unit, read_store, sweep
from causal_theory.sweeps import cluster as cluster_module
from causal_theory.sweeps.figure import FigureChoice
from causal_theory.sweeps.studies import PROVIDED

from ..helpers import PATIENCE, assert_close, wait_until
from ..test_cli_errors import program

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "measured" / "edge-recovery.toml"

SMALL = """
study = "edge-recovery"
repeats = 2

[grid]
length = [6, 8]
concentration = { from = 0.1, to = 10.0, count = 3, scale = "log" }
"""


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def config(folder):
    path = folder / "sweep.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def fail(*arguments):
    """Run a command that must fail, and return what it raised."""
    result = run(*arguments)
    assert isinstance(result.exception, CausalTheoryError), result.output
    assert result.stdout == ""
    return result.exception


class TestConfig:
    def test_everything(self, folder):
        (folder / "sub").mkdir()
        path = folder / "sub" / "run.toml"
        path.write_text(
            """
            study = "stage1_window"
            store = "here.sqlite"
            seed = 7
            repeats = 3
            [grid]
            graph = ["chain", "pairs"]
            length = { from = 4, to = 9, count = 4 }
            leave = [0.1, 1]
            [settings]
            vocab_size = 4
            learning_rate = 500
            [figure]
            value = "window"
            x = "length"
            lines = "graph"
            boundary = 0
            """,
            encoding="utf-8",
        )
        found = read_sweep_config(path)
        assert found.study.name == "stage1_window"
        assert found.store == path.parent / "here.sqlite"
        assert (found.seed, found.repeats) == (7, 3)
        assert found.grid == {"graph": ["chain", "pairs"], "length": [4, 6, 7, 9], "leave": [0.1, 1.0]}
        assert [type(one) for one in found.grid["leave"]] == [float, float]
        assert found.settings == {"vocab_size": 4, "learning_rate": 500.0}
        assert found.figure == FigureChoice(value="window", x="length", lines="graph", boundary=0.0)

    def test_defaults(self, config):
        found = read_sweep_config(config)
        assert found.store == config.with_suffix(".sqlite")
        assert (found.seed, found.repeats, found.settings, found.figure) == (0, 2, {}, FigureChoice())

    def test_logarithmic_range(self, config):
        levels = read_sweep_config(config).grid["concentration"]
        assert (levels[0], levels[-1]) == (0.1, 10.0)
        assert levels[1] == 1.0  # a logarithm and its inverse may miss it, and would give the unit another name

    def test_integers_that_round_to_the_same_are_kept_once(self, folder):
        path = folder / "c.toml"
        path.write_text(
            'study = "margins"\n[grid]\nlength = { from = 4, to = 8, count = 9, scale = "log" }\n', encoding="utf-8"
        )
        assert read_sweep_config(path).grid["length"] == [4, 5, 6, 7, 8]


BAD_FILES = [
    ("study = ", "must be a TOML file"),
    ("[grid]\nlength = [4]", "study must be given, the name of one or module:function, got nothing; --list shows all"),
    ('study = "edge-recovry"\n[grid]\nlength = [4]', "study must be one of .* got 'edge-recovry'; did you mean"),
    ("study = 3\n[grid]\nlength = [4]", "study must be a text, got 3"),
    ('colour = "red"\nstudy = "margins"', "keys must be among study, store, .* got 'colour'"),
    ('study = "margins"\nseed = -1\n[grid]\nlength = [4]', "seed must be an integer of at least 0, got -1"),
    ('study = "margins"\nrepeats = 0\n[grid]\nlength = [4]', "repeats must be an integer of at least 1, got 0"),
    ('study = "margins"\nrepeats = 1.5\n[grid]\nlength = [4]', "repeats must be an integer of at least 1, got 1.5"),
    ('study = "margins"', r"\[grid\] must have values for at least one parameter, got none"),
    ('study = "margins"\ngrid = 3', r"grid must be a section \[grid\], got 3"),
    ('study = "margins"\n[grid]\nlenth = [4]', "parameter of study margins must be one of .* did you mean 'length'"),
    ('study = "margins"\n[grid]\nlength = []', "length must have a list of values, at least one"),
    ('study = "margins"\n[grid]\nlength = 4', "length must have a list of values, at least one, or a table .* got 4"),
    ('study = "margins"\n[grid]\nlength = [4.5]', "length must be an integer, got 4.5"),
    ('study = "margins"\n[grid]\nlength = [true]', "length must be an integer, got True"),
    ('study = "margins"\n[grid]\nepsilon = [nan]', "epsilon must be a finite number, got nan"),
    ('study = "margins"\n[grid]\ngraph = { from = 1, to = 2, count = 2 }', "graph must have a list of values"),
    ('study = "margins"\n[grid]\nlength = { from = 4, to = 8 }', "length must have count, got"),
    ('study = "margins"\n[grid]\nlength = { from = 8, to = 4, count = 3 }', "from of length must be less than to, 4"),
    ('study = "margins"\n[grid]\nlength = { from = 4, to = 8, count = 1 }', "count of length must be .* at least 2"),
    ('study = "margins"\n[grid]\nlength = { from = 4, to = 8, count = 10000000000 }', "count .* at most 100000"),
    ('study = "margins"\n[grid]\nlength = { from = 4, to = 8, step = 1 }', "keys of length must be among from, to"),
    ('study = "margins"\n[grid]\nlength = { from = 4, to = 8.5, count = 3 }', "length must be an integer, got 8.5"),
    ('study = "margins"\n[grid]\nlength = { from = 4, to = 8, count = 3, scale = "odd" }', "scale of length must be"),
    (
        'study = "margins"\n[grid]\nlength = [4]\nepsilon = { from = 0.0, to = 1.0, count = 3, scale = "log" }',
        "from of epsilon must be a finite number greater than 0",
    ),
    ('study = "margins"\n[grid]\nlength = [4]\n[settings]\nfloor = "low"', "floor must be a finite number, got 'low'"),
    ('study = "margins"\n[grid]\nlength = [4]\n[figure]\ncolour = "x"', r"keys of \[figure\] must be among value, x"),
]


class TestMistakes:
    @pytest.mark.parametrize(("content", "message"), BAD_FILES)
    def test_files(self, folder, content, message):
        path = folder / "bad.toml"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(FileFormatError, match=rf"config '.*bad\.toml'.*{message}"):
            raise fail("sweep", "--config", path)
        assert [one.name for one in folder.iterdir()] == ["bad.toml"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('study = "margins"\n[grid]\nepsilon = [0.1]', "length must be given for study margins, got nothing"),
            ('study = "margins"\n[grid]\nlength = [4]\n[settings]\nlength = 4', "settings must not name a parameter"),
            ('study = "margins"\n[grid]\nlength = [4, 4]', "grid must have every unit once"),
            ('study = "margins"\nrepeats = 1000000\n[grid]\nlength = [4]', "grid must have at most 100000 units"),
        ],
    )
    def test_grids(self, folder, content, message):
        path = folder / "bad.toml"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail("sweep", "--config", path)
        assert [one.name for one in folder.iterdir()] == ["bad.toml"]

    @pytest.mark.parametrize(
        ("arguments", "kind", "message"),
        [
            ((), InvalidArgumentError, "config must be given, a TOML file, or --list, got neither"),
            (("--config", "none.toml"), FileFormatError, "config 'none.toml' must be a file that can be read: No such"),
            (
                ("--config", "sweep.toml", "--repeats", 0),
                InvalidArgumentError,
                "repeats must be an integer of at least",
            ),
            (("--config", "sweep.toml", "--limit", 11), InvalidArgumentError, "at most 11 units, .* got 12"),
            (("--config", "sweep.toml", "--processes", -1), InvalidArgumentError, "processes must be an integer"),
            (("--config", "sweep.toml", "--plot", "x.bmp"), OutputError, "plot must end in one of"),
            (("--config", "sweep.toml", "--store", "no/x.sqlite"), StoreError, "store must be in a folder that exists"),
            (
                ("--config", "sweep.toml", "--scheduler", "tcp://localhost:1", "--processes", 1),
                InvalidArgumentError,
                "processes must not be given together with --scheduler, got 1",
            ),
        ],
    )
    def test_options(self, folder, config, arguments, kind, message):
        with pytest.raises(kind, match=message):
            raise fail("sweep", *arguments)
        assert [one.name for one in folder.iterdir()] == ["sweep.toml"]

    def test_figure(self, folder, config):
        config.write_text(SMALL + '[figure]\nx = "speed"\n', encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match=r"columns of the figure must be among length, .* got 'speed'"):
            raise fail("sweep", "--config", config, "--plot", "x.png")
        assert [one.name for one in folder.iterdir()] == ["sweep.toml"]

    def test_an_existing_store_is_kept(self, folder, config):
        (folder / "sweep.sqlite").write_text("important", encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match=r"store must be a new file without --resume, got .*--resume"):
            raise fail("sweep", "--config", config)
        with pytest.raises(StoreError, match="store must be a file written by a sweep"):
            raise fail("sweep", "--config", config, "--resume")
        assert (folder / "sweep.sqlite").read_text(encoding="utf-8") == "important"

    @pytest.mark.parametrize("address", ["", "localhost", "nonsense://x:1", "tcp://localhost:1"])
    def test_no_scheduler(self, folder, config, monkeypatch, address):
        pytest.importorskip("distributed")
        monkeypatch.setattr(cluster_module, "PATIENCE", "0.2s")
        with pytest.raises(
            InvalidArgumentError, match="scheduler must be the address of a Dask scheduler that answers"
        ):
            raise fail("sweep", "--config", config, "--scheduler", address)
        assert [one.name for one in folder.iterdir()] == ["sweep.toml"]

    def test_no_client_is_made_for_what_is_no_host(self, config, monkeypatch):
        distributed = pytest.importorskip("distributed")
        monkeypatch.setattr(distributed, "Client", None)  # one that cannot connect complains when it is forgotten
        for address in ("tcp://\udcff:8786", "tcp://a..b:8786", f"tcp://{'a' * 64}:8786"):
            with pytest.raises(InvalidArgumentError, match=r"scheduler must be the address .*(codec|label)"):
                raise fail("sweep", "--config", config, "--scheduler", address)

    def test_no_dask(self, config, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(InvalidArgumentError, match=r'scheduler .* pip install "\.\[sweep\]"'):
            raise fail("sweep", "--config", config, "--scheduler", "tcp://localhost:8786")

    def test_exit_status_of_the_program(self, config):
        bad = program("sweep", "--config", "none.toml")
        assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)


class TestRuns:
    def test_equals_the_api(self, folder, config):
        result = run("sweep", "--config", config, "--processes", 0)
        assert result.exit_code == 0, result.output
        assert re.search(r"units\s+│\s+12\b", result.output)
        sweep(
            "edge_recovery",
            {"length": [6, 8], "concentration": np.geomspace(0.1, 10.0, 3).tolist()},
            repeats=2,
            store=folder / "other.sqlite",
            processes=0,
        )
        with Store(folder / "sweep.sqlite") as one, Store(folder / "other.sqlite") as two:
            assert one.digest() == two.digest()

    def test_every_option_reaches_the_sweep(self, folder, config):
        config.write_text("seed = 3\n" + SMALL + "[settings]\nvocab_size = 2\n", encoding="utf-8")
        result = run("sweep", "--config", config, "--store", "x.sqlite", "--repeats", 1, "--processes", 0, "--json")
        content = json.loads(result.stdout)
        assert (content["units"], content["computed"], content["failed"]) == (6, 6, 0)
        with Store(folder / "x.sqlite") as store:
            units = store.units()
        assert {unit.settings["vocab_size"] for unit in units} == {2}
        assert {unit.entropy for unit in units} == {3}

    def test_resume(self, config):
        assert run("sweep", "--config", config, "--repeats", 1, "--processes", 0).exit_code == 0
        content = json.loads(run("sweep", "--config", config, "--resume", "--processes", 0, "--json").stdout)
        assert (content["stored_before"], content["computed"]) == (6, 6)

    def test_resume_without_a_store_starts(self, config):
        content = json.loads(run("sweep", "--config", config, "--resume", "--processes", 0, "--json").stdout)
        assert (content["stored_before"], content["computed"]) == (0, 12)

    def test_failed_units(self, config):
        config.write_text(SMALL + 'graph = ["chain", "ngram", "ring"]\n', encoding="utf-8")
        result = run("sweep", "--config", config, "--processes", 0)
        assert result.exit_code == 1
        assert re.search(r"failed\s+│\s+24\b", result.output)
        assert "12 failed: causal_theory.errors.TaskError: edge_scores needs a graph in which" in result.output
        assert "12 failed: causal_theory.errors.InvalidArgumentError: graph must be one of" in result.output
        assert "the first with length = 6, concentration = 0.1, graph = ngram" in result.output
        assert len(read_store("sweep.sqlite")) == 12
        shown = run("sweep-status", "sweep.sqlite")
        assert shown.exit_code == 0
        assert "12 failed: causal_theory.errors.TaskError" in shown.output

    def test_figure(self, folder, config):
        result = run("sweep", "--config", config, "--processes", 0, "--plot", "x.png")
        assert result.exit_code == 0, result.output
        assert "wrote x.png" in result.output
        assert (folder / "x.png").read_bytes().startswith(b"\x89PNG")

    def test_list(self):
        result = run("sweep", "--list")
        for study in PROVIDED:
            assert study.__name__.replace("_", "-") in result.output
        assert "concentration = 1.0" in result.output
        content = json.loads(run("sweep", "--list", "--json").stdout)
        assert content["critical-length"]["parameters"]["longest"] == {"kind": "int", "default": 64}

    @pytest.mark.parametrize("example", [*sweep_command.EXAMPLES, *sweep_status.EXAMPLES])
    def test_examples(self, example, config):
        words = shlex.split(example)[1:]
        more = []
        if words[0] == "sweep" and "--config" in words:
            if "--scheduler" in words:
                words = words[: words.index("--scheduler")]
            more = ["--processes", 0]
        elif words[0] == "sweep-status":
            assert run("sweep", "--config", config, "--processes", 0).exit_code == 0
        result = run(*words, *more)
        assert result.exit_code == 0, result.output


@pytest.mark.compiled
def test_a_study_of_ones_own(folder):
    """A process of its own, since this one may know the module by now; its processes find it as well."""
    (folder / "mine.py").write_text(
        '"""Squares."""\n\n\ndef square(*, number: int) -> dict[str, object]:\n    """Return the square."""\n'
        '    return {"square": number**2}\n',
        encoding="utf-8",
    )
    (folder / "own.toml").write_text('study = "mine:square"\n[grid]\nnumber = [1, 2, 3]\n', encoding="utf-8")
    for processes in ("0", "1"):
        words = ["sweep", "--config", folder / "own.toml", "--store", f"{processes}.sqlite", "--json"]
        done = program(*words, "--processes", processes, cwd=folder.parent)
        assert done.returncode == 0, done.stderr
        assert read_store(folder.parent / f"{processes}.sqlite")["square"].tolist() == [1, 4, 9]


@pytest.mark.compiled
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt(folder, number, status):
    """Each ends with its status and says how to go on; what comes of that is what an undisturbed sweep finds."""
    gate = folder / "gate"  # where units wait that come after the interrupt
    (folder / "long.toml").write_text(
        'study = "tests.sweeps.studies_for_tests:waits_at_a_gate"\nrepeats = 4\n[grid]\n'
        'number = { from = 0, to = 99, count = 100 }\n[settings]\ngate = "gate"\nfirst = 60\n',
        encoding="utf-8",
    )
    code = "import sys; from causal_theory.cli import main; sys.argv[0] = 'causal-theory'; main()"
    words = [sys.executable, "-c", code, "sweep", "--config", "long.toml", "--processes", "1"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )

    def has_units():
        try:
            return len(read_store("long.sqlite")) > 0
        except StoreError:
            return False

    try:
        wait_until(lambda: has_units() or process.poll() is not None)
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == status, said
    gate.touch()
    assert re.search(r"interrupted: \d+ of 400 units are stored in .*add --resume", said)
    stored = len(read_store("long.sqlite"))
    assert 0 < stored < 400
    content = json.loads(run("sweep", "--config", "long.toml", "--resume", "--processes", 0, "--json").stdout)
    assert (content["stored_before"], content["computed"]) == (stored, 400 - stored)
    assert run("sweep", "--config", "long.toml", "--store", "whole.sqlite", "--processes", 0).exit_code == 0
    with Store("long.sqlite") as one, Store("whole.sqlite") as two:
        assert one.digest() == two.digest()


@pytest.mark.compiled
def test_cluster(config, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster_module, "PATIENCE", f"{PATIENCE:.0f}s")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as cluster:
        result = run("sweep", "--config", config, "--scheduler", cluster.scheduler_address)
        assert result.exit_code == 0, result.output
        cluster.scale(0)
        wait_until(lambda: not cluster.scheduler.workers)
        with pytest.raises(InvalidArgumentError, match="scheduler must have workers"):
            raise fail("sweep", "--config", config, "--resume", "--scheduler", cluster.scheduler_address)
    assert run("sweep", "--config", config, "--store", "x.sqlite", "--processes", 0).exit_code == 0
    with Store("sweep.sqlite") as one, Store("x.sqlite") as two:
        assert one.digest() == two.digest()


class TestCommittedExample:
    """The phase diagram of the documentation."""

    def test_units(self):
        plan = read_sweep_config(EXAMPLE)
        assert plan.grid["length"] == [4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128]
        assert plan.grid["concentration"] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6]
        total = plan.repeats * np.prod([len(values) for values in plan.grid.values()])
        assert total <= 100_000

    @pytest.mark.parametrize("size", [2, 3])
    def test_first_units(self, size):
        """Against the stored sweep, and against a sum over all sequences for the matrix that its key draws."""
        plan = read_sweep_config(EXAMPLE)
        settings = plan.study.complete(plan.settings | {"vocab_size": size, "length": 4, "concentration": 0.1})
        for repeat, (recovered, margin) in enumerate(STORED[size]):
            unit = Unit.of(plan.study.name, settings, repeat=repeat, entropy=plan.seed)
            found = plan.study.function(**settings, rng=unit.generator())
            assert found["recovered"] == recovered
            assert_close(found["smallest_margin"], margin, rtol=1e-10, atol=1e-14)
            matrix = DirichletPrior(size, 0.1).sample(1, unit.generator())[0]
            task = InContextTask(CausalGraph.chain(4), OrbitPrior(matrix))
            report = EdgeReport(edge_scores(task, epsilon=0.25, method="enumerate"), task.graph)
            assert report.children_recovered == recovered
            assert_close(report.smallest_margin, margin, rtol=1e-10, atol=1e-14)


STORED = {
    2: (
        (False, -1.0218111390347673e-07),
        (True, 0.43655287995402736),
        (True, 0.5833176740560033),
        (True, 0.4462508472736836),
    ),
    3: (
        (True, 9.257854871602689e-09),
        (True, 0.000936936605983707),
        (False, -0.00029052848787636254),
        (True, 0.3873583463194955),
    ),
}
"""The first four units with four tokens and concentration 0.1 of the sweep in the documentation."""
