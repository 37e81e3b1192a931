"""The command line: its numbers are those of the API, its files can be read, mistakes end in one line."""

import importlib.metadata
import io
import json
import platform
from csv import DictReader as csv_reader

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import causal_theory
from causal_theory import (
    CausalGraph,
    DirichletPrior,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    PointPrior,
    check_assumptions,
    edge_scores,
    limit_edge_scores,
    pairwise_information,
)
from causal_theory.cli import app
from causal_theory.cli.output import matrix_table
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
        with csv.open(encoding="utf-8", newline="") as file:
            rows = list(csv_reader(file))
        assert_close(np.array([[float(row[f"score_{j}"]) for j in range(6)] for row in rows]), expected, rtol=0.0)
        assert [row["parent"] for row in rows] == ["-1", "0", "1", "2", "3", "-1"]
        report = EdgeReport(
            edge_scores(InContextTask(CausalGraph.chain(6), PointPrior(MATRIX)), epsilon=0.01), CausalGraph.chain(6)
        )
        assert [row["margin"] for row in rows] == ["", *map(repr, report.margin[1:5].tolist()), ""]
        with np.load(npz) as arrays:
            assert_close(arrays["scores"], expected, rtol=0.0)
            assert arrays["true"].tolist() == [-1, 0, 1, 2, 3, -1]
            assert arrays["best_key"].tolist() == report.best_key.tolist()
            assert_close(arrays["margin"][1:5], report.margin[1:5], rtol=0.0)
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["s.csv", "s.npz", "s.png"]

    def test_archive_without_suffix_keeps_its_name(self, tmp_path):
        result = run("scores", "--length", 5, "--prior", "point", "--transition", TEXT, "--npz", tmp_path / "data")
        assert result.exit_code == 0, result.output
        assert [path.name for path in tmp_path.iterdir()] == ["data"]
        with np.load(tmp_path / "data") as arrays:
            assert arrays["scores"].shape == (5, 5)

    @pytest.mark.parametrize("length", [6, 60, 300])
    def test_every_position_has_its_margin_at_every_length(self, length, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        result = run("scores", "--length", length, "--prior", "orbit", "--transition", TEXT)
        assert "graph recovered" in result.output
        lines = result.output.splitlines()
        assert max(map(len, lines)) <= 80
        report = EdgeReport(
            edge_scores(InContextTask(CausalGraph.chain(length), OrbitPrior(MATRIX)), epsilon=0.01),
            CausalGraph.chain(length),
        )
        rows = [line.split() for line in lines if line.endswith(("  right", "  wrong"))]
        assert [int(row[0]) for row in rows] == list(range(length))
        shown = [[row[1], row[3], row[4]] for row in rows[1:-1]]
        expected = zip(report.true[1:-1], report.best_key[1:-1], report.margin[1:-1], strict=True)
        assert shown == [[str(parent), str(best), f"{margin:.4g}"] for parent, best, margin in expected]

    def test_versions_are_in_the_json(self):
        found = run_json("scores", "--length", 4, "--symbols", 2)["versions"]
        assert found["numba"] == importlib.metadata.version("numba")
        assert found["numpy"] == np.__version__
        assert found["python"] == platform.python_version()
        assert found["causal_theory"] == causal_theory.__version__

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
        rng = np.random.default_rng(5)
        task = InContextTask(CausalGraph.random_forest(9, 0.3, rng), DirichletPrior(4, 1.0))
        with np.load(npz) as arrays:
            assert np.array_equal(arrays["tokens"], task.sample(25, rng).tokens)

    def test_sample_csv_holds_integers(self, tmp_path):
        csv = tmp_path / "d.csv"
        run("sample", "--length", 5, "--symbols", 3, "--size", 4, "--csv", csv)
        assert set(csv.read_text(encoding="utf-8")) <= set("012,\n")

    def test_assumptions(self):
        content = run_json("assumptions", "--prior", "orbit", "--transition", "[[0.2,0.8],[0.8,0.2]]")
        verdicts = {check["name"]: check["holds"] for check in content["assumptions"]}
        assert content["prior"] == {"kind": "orbit", "transition": [[0.2, 0.8], [0.8, 0.2]]}
        assert verdicts == {
            "lower_bound": True,
            "non_degeneracy": True,
            "symmetry": True,
            "constant_mean": False,
        }
        table = run("assumptions", "--symbols", 3)
        assert "E[pi]" in table.output

    def test_assumptions_files(self, tmp_path):
        csv, npz, figure = tmp_path / "a.csv", tmp_path / "a.npz", tmp_path / "a.pdf"
        matrix = "[[0.9,0.1],[0.2,0.8]]"
        result = run(
            *("assumptions", "--prior", "point", "--transition", matrix),
            *("--csv", csv, "--npz", npz, "--plot", figure),
        )
        assert result.exit_code == 0, result.output
        report = check_assumptions(PointPrior([[0.9, 0.1], [0.2, 0.8]]))
        with csv.open(encoding="utf-8", newline="") as file:
            rows = list(csv_reader(file))
        assert [(row["name"], row["holds"], float(row["value"])) for row in rows] == [
            (check.name, str(check.holds), check.value) for check in report
        ]
        with np.load(npz) as arrays:
            assert arrays["holds"].tolist() == [check.holds for check in report]
            assert arrays["mean"].tolist() == [[0.9, 0.1], [0.2, 0.8]]
        assert figure.read_bytes().startswith(b"%PDF")

    def test_all_commands_draw_the_same_forest(self, tmp_path):
        arguments = ("--graph", "random-forest", "--length", 9, "--seed", 7, "--symbols", 2)
        forests = [run_json(name, *arguments)["task"]["parents"] for name in ("scores", "information", "sample")]
        forests.append(run_json("dynamics", *arguments, "--draws", 2, "--steps2", 1)["task"]["parents"])
        assert forests[0] == forests[1] == forests[2] == forests[3]
        expected = CausalGraph.random_forest(9, 0.5, np.random.default_rng(7))
        assert forests[0] == expected.parent_array.tolist()

    def test_json_tells_what_was_computed(self):
        content = run_json("scores", "--length", 4, "--symbols", 2, "--epsilon", 0.5, "--root-law", "uniform")
        assert content["task"] == {
            "parents": [-1, 0, 1, -1],
            "prior": {"kind": "dirichlet", "symbols": 2, "concentration": 1.0, "floor": 0.0},
            "root_law": "uniform",
        }
        assert (content["epsilon"], content["limit"], content["seed"]) == (0.5, False, 0)

    def test_default_table_fits_eighty_columns(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        result = run("scores", "--prior", "orbit", "--transition", TEXT)
        assert "i\\j" in result.output
        assert max(map(len, result.output.splitlines())) <= 80
        monkeypatch.setenv("COLUMNS", "40")
        narrow = run("scores", "--prior", "orbit", "--transition", TEXT).output
        assert "too wide" in narrow
        assert "i\\j" not in narrow

    @pytest.mark.parametrize(("scale", "unit"), [(1.0, "0.01"), (1e-9, "1e-11"), (3e5, "10000")])
    def test_table_chooses_its_unit(self, scale, unit):
        matrix = scale * np.array([[0.25, 0.0], [-0.994, 0.01]])
        console = Console(width=80, file=io.StringIO())
        table = matrix_table(console, matrix, "numbers", {1: [0]})
        assert table is not None
        assert table.title == f"numbers, in units of {unit}"
        cells = [list(column.cells) for column in table.columns]
        if scale != 3e5:
            assert cells == [["0", "1"], ["25", "[bold green]-99[/bold green]"], ["", "1"]]
        else:
            assert cells == [["0", "1"], ["8", "[bold green]-30[/bold green]"], ["", "0"]]

    def test_version_and_help(self):
        assert run("--version").stdout.startswith("causal-theory ")
        for name in ("scores", "information", "dynamics", "sample", "assumptions"):
            assert "Examples:" in run(name, "--help").output


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
