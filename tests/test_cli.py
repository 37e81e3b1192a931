"""The command line: its numbers are those of the API, its files can be read, mistakes end in one line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    PointPrior,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.cli import app
from causal_theory.graphs.files import write_graph

from .helpers import assert_close

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
TEXT = json.dumps(MATRIX)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def run_json(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def command_line(*arguments):
    """Run the installed program, with its handling of errors."""
    code = "import sys; from causal_theory.cli import main; sys.argv[0] = 'causal-theory'; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


class TestScores:
    @pytest.mark.parametrize("method", ["transform", "enumerate"])
    def test_equals_the_api(self, method):
        content = run_json(
            *("scores", "--graph", "binary-tree", "--length", 7, "--prior", "orbit", "--transition", TEXT),
            *("--epsilon", 0.05, "--method", method),
        )
        task = InContextTask(CausalGraph.binary_tree(7), OrbitPrior(MATRIX))
        expected = edge_scores(task, epsilon=0.05, method=method)
        assert_close(np.array(content["scores"]["value"]), expected.value, rtol=0.0)
        report = EdgeReport(expected, task.graph)
        assert content["predicted"] == report.predicted.tolist()
        assert content["margin"][0] is None
        assert content["recall"] == report.recall

    def test_limit(self):
        content = run_json(
            "scores", "--limit", "--length", 6, "--prior", "point", "--transition", TEXT, "--epsilon", 0.1
        )
        expected = limit_edge_scores(InContextTask(CausalGraph.chain(6), PointPrior(MATRIX)), epsilon=0.1)
        assert_close(np.array(content["scores"]["value"]), expected.value, rtol=0.0)

    def test_seed_and_draws_of_a_dirichlet_prior(self):
        arguments = ("scores", "--length", 6, "--symbols", 3, "--concentration", 0.5, "--floor", 0.1, "--draws", 5)
        content = run_json(*arguments, "--seed", 3)
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.5, floor=0.1))
        expected = edge_scores(task, epsilon=0.01, draws=5, rng=3)
        assert content["scores"]["method"] == "monte_carlo"
        assert_close(np.array(content["scores"]["value"]), expected.value, rtol=0.0)

    def test_files(self, tmp_path):
        csv, npz, figure = tmp_path / "s.csv", tmp_path / "s.npz", tmp_path / "s.png"
        result = run(
            *("scores", "--length", 6, "--prior", "point", "--transition", TEXT),
            *("--csv", csv, "--npz", npz, "--plot", figure),
        )
        assert result.exit_code == 0, result.output
        expected = edge_scores(InContextTask(CausalGraph.chain(6), PointPrior(MATRIX)), epsilon=0.01).value
        assert_close(np.loadtxt(csv, delimiter=","), expected, rtol=0.0)
        with np.load(npz) as arrays:
            assert_close(arrays["scores"], expected, rtol=0.0)
            assert arrays["true"].tolist() == [-1, 0, 1, 2, 3, -1]
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["s.csv", "s.npz", "s.png"]

    def test_archive_without_suffix_keeps_its_name(self, tmp_path):
        result = run("scores", "--length", 5, "--prior", "point", "--transition", TEXT, "--npz", tmp_path / "data")
        assert result.exit_code == 0, result.output
        assert [path.name for path in tmp_path.iterdir()] == ["data"]
        with np.load(tmp_path / "data") as arrays:
            assert arrays["scores"].shape == (5, 5)

    def test_long_graph_lists_only_what_is_wrong(self):
        result = run("scores", "--length", 60, "--prior", "orbit", "--transition", TEXT)
        assert "graph recovered" in result.output
        assert "positions that are wrong" not in result.output

    def test_table_marks_the_verdict(self):
        result = run("scores", "--length", 6, "--prior", "orbit", "--transition", "[[0.2,0.8],[0.8,0.2]]")
        assert "graph recovered" in result.output
        wrong = run("scores", "--length", 6, "--prior", "point", "--transition", "[[0.9,0.1],[0.1,0.9]]")
        assert "graph not recovered" in wrong.output


class TestOtherCommands:
    @pytest.mark.parametrize("measure", ["chi2", "kl", "tv", "hellinger"])
    def test_information(self, measure, tmp_path):
        figure = tmp_path / "i.svg"
        content = run_json(
            *("information", "--graph", "pairs", "--length", 7, "--prior", "point", "--transition", TEXT),
            *("--root-law", "uniform", "--measure", measure, "--plot", figure),
        )
        task = InContextTask(CausalGraph.pairs(7), PointPrior(MATRIX), "uniform")
        assert_close(np.array(content["information"]["value"]), pairwise_information(task, measure).value, rtol=0.0)
        assert "<svg" in figure.read_text(encoding="utf-8")

    def test_long_information_is_summarised(self):
        result = run("information", "--length", 60, "--prior", "point", "--transition", TEXT)
        assert "use --csv" in " ".join(result.output.split())

    def test_sample(self, tmp_path):
        npz = tmp_path / "d.npz"
        arguments = ("sample", "--graph", "random-forest", "--length", 9, "--root-probability", 0.3, "--symbols", 4)
        result = run(*arguments, "--size", 25, "--seed", 5, "--npz", npz)
        assert result.exit_code == 0, result.output
        assert "5 more" in result.output
        task = InContextTask(CausalGraph.random_forest(9, 0.3, 5), DirichletPrior(4, 1.0))
        with np.load(npz) as arrays:
            assert np.array_equal(arrays["tokens"], task.sample(25, 5).tokens)

    def test_sample_csv_holds_integers(self, tmp_path):
        csv = tmp_path / "d.csv"
        run("sample", "--length", 5, "--symbols", 3, "--size", 4, "--csv", csv)
        assert set(csv.read_text(encoding="utf-8")) <= set("012,\n")

    def test_assumptions(self):
        content = run_json("assumptions", "--prior", "orbit", "--transition", "[[0.2,0.8],[0.8,0.2]]")
        verdicts = {check["name"]: check["holds"] for check in content["assumptions"]}
        assert verdicts == {
            "lower_bound": True,
            "non_degeneracy": True,
            "symmetry": True,
            "constant_mean": False,
        }
        table = run("assumptions", "--symbols", 3)
        assert "E[pi]" in table.output

    def test_version_and_help(self):
        assert run("--version").stdout.startswith("causal-theory ")
        for name in ("scores", "information", "sample", "assumptions"):
            assert "Example" in run(name, "--help").output


class TestInputs:
    def test_graph_file(self, tmp_path):
        path = tmp_path / "graph.json"
        graph = CausalGraph.from_parents([-1, 0, 0, -1, 3])
        write_graph(path, graph)
        content = run_json("scores", "--graph-file", path, "--prior", "point", "--transition", TEXT)
        assert content["true"] == [-1, 0, 0, -1, 3, -1]

    def test_empty_and_complex_arrays_are_refused(self, tmp_path):
        path = tmp_path / "pi.npy"
        path.touch()
        assert "readable file" in str(run("scores", "--prior", "point", "--transition", path).exception)
        np.save(path, np.array(MATRIX) + 0j)
        assert "real numbers" in str(run("scores", "--prior", "point", "--transition", path).exception)

    @pytest.mark.parametrize("suffix", [".json", ".csv", ".npy"])
    def test_transition_file(self, tmp_path, suffix):
        path = tmp_path / f"pi{suffix}"
        if suffix == ".npy":
            np.save(path, np.array(MATRIX))
        else:
            rows = TEXT if suffix == ".json" else "\n".join(",".join(map(str, row)) for row in MATRIX)
            path.write_text(rows, encoding="utf-8")
        content = run_json("information", "--length", 4, "--prior", "point", "--transition", path)
        expected = pairwise_information(InContextTask(CausalGraph.chain(4), PointPrior(MATRIX))).value
        assert_close(np.array(content["information"]["value"]), expected, rtol=0.0)


MISTAKES = [
    (["scores", "--epsilon", "0"], "epsilon must be a finite number greater than 0, got 0.0"),
    (["scores", "--length", "1"], "length must be"),
    (["scores", "--prior", "point"], "transition must be given for --prior point"),
    (["scores", "--transition", "[[1,0],[0,1]]"], "transition is for point and orbit priors"),
    (["scores", "--prior", "point", "--transition", "[[1,2]"], "transition must be a matrix in JSON"),
    (["scores", "--prior", "point", "--transition", "[[0.5,0.6],[0.5,0.5]]"], "must have rows that sum to 1"),
    (["scores", "--prior", "point", "--transition", "[[1.5,-0.5],[0.5,0.5]]"], "finite entries of at least 0"),
    (["scores", "--prior", "point", "--transition", "missing.json"], "must be JSON or a readable file"),
    (["scores", "--prior", "point", "--transition", "[[1,0],[0,1]]"], "closed classes"),
    (["scores", "--graph-file", "missing.json"], "missing.json"),
    (["scores", "--limit", "--method", "enumerate"], "method must be 'transform' together with --limit"),
    (["scores", "--limit", "--root-law", "uniform"], "root_law='stationary'"),
    (["scores", "--method", "enumerate", "--length", "40", "--draws", "2"], "max_sequences"),
    (["scores", "--plot", "picture.bmp"], "plot must end in one of .png, .svg, .pdf"),
    (["scores", "--csv", "no/such/folder/x.csv"], "must be in a folder that exists"),
    (["information", "--concentration", "-1"], "concentration"),
    (["sample", "--size", "0"], "size must be an integer of at least 1"),
    (["scores", "--prior", "point", "--transition", '[["0.5","0.5"],["0.5","0.5"]]'], "array of real numbers"),
    (["scores", "--prior", "point", "--transition", "[" * 100_000], "transition must be a matrix in JSON"),
    (
        ["scores", "--length", "4", "--symbols", "2", "--threshold", "nan"],
        "threshold must be a number or None, got nan",
    ),
    (["scores", "--csv", "same.npz", "--npz", "same.npz"], "output files must differ"),
]


class TestMistakes:
    @pytest.mark.parametrize(("arguments", "message"), MISTAKES)
    def test_raise_before_anything_is_written(self, arguments, message, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        extra = () if "--npz" in arguments else ("--npz", "out.npz")
        result = run(*arguments, *extra)
        assert isinstance(result.exception, ValueError)
        assert message in str(result.exception)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "JSON"),
            ('{"parents": [0]}', "position 0"),
            ('{"parents": "chain"}', "parents"),
            ("length three\n", "length"),
            ("length 4\n1 0\n", "parent < child"),
            ("length 4\n0 9\n", "9"),
        ],
    )
    def test_malformed_graph_files(self, tmp_path, content, message):
        path = tmp_path / ("graph.json" if content.startswith("{") else "graph.txt")
        path.write_text(content, encoding="utf-8")
        result = run("scores", "--graph-file", path)
        assert isinstance(result.exception, ValueError)
        assert message in str(result.exception)

    def test_program_prints_one_line_and_exits_with_2(self):
        finished = command_line("scores", "--epsilon", "-1")
        assert finished.returncode == 2
        assert finished.stdout == ""
        assert finished.stderr.strip() == "error: epsilon must be a finite number greater than 0, got -1.0"

    def test_unknown_choice_exits_with_2(self):
        assert command_line("scores", "--graph", "ring").returncode == 2

    def test_failed_write_leaves_nothing(self, tmp_path, monkeypatch):
        def fail(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", fail)
        result = run("sample", "--length", 4, "--symbols", 2, "--npz", tmp_path / "x.npz")
        assert "No space left" in str(result.exception)
        assert list(tmp_path.iterdir()) == []
