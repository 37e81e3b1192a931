"""``causal-theory sweep-status``: tables, exports and figures of a store; mistakes come first."""

import csv
import json
import re

import pytest

from causal_theory.errors import InvalidArgumentError, OutputError, StoreError
from causal_theory.sweeps import read_store
from causal_theory.sweeps.figure import VALUES, FigureChoice, complete_choice
from causal_theory.sweeps.studies import PROVIDED

from .test_cli import SMALL, fail, run


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


class TestStatus:
    @pytest.fixture(autouse=True)
    def store(self, config):
        config.write_text(SMALL + "vocab_size = [2, 3]\n", encoding="utf-8")
        assert run("sweep", "--config", config, "--processes", 0).exit_code == 0
        return "sweep.sqlite"

    def test_shows(self, store):
        result = run("sweep-status", store)
        assert result.exit_code == 0
        assert re.search(r"edge_recovery │\s+24 │\s+0 │", result.output)
        content = json.loads(run("sweep-status", store, "--json").stdout)
        assert [(one["study"], one["done"], one["failed"]) for one in content["studies"]] == [("edge_recovery", 24, 0)]

    def test_files(self, store, folder):
        result = run("sweep-status", store, "--csv", "x.csv")
        assert "wrote x.csv" in result.output
        with (folder / "x.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        table = read_store(store)
        assert [float(row["smallest_margin"]) for row in rows] == table["smallest_margin"].tolist()
        parquet = pytest.importorskip("pyarrow.parquet")
        assert run("sweep-status", store, "--parquet", "x.parquet").exit_code == 0
        assert parquet.read_table("x.parquet")["length"].to_pylist() == table["length"].tolist()

    @pytest.mark.parametrize(
        "options",
        [
            (),
            ("--x", "length"),
            ("--x", "length", "--lines", "vocab_size", "--value", "smallest_margin", "--boundary", 0),
            ("--x", "length", "--y", "concentration", "--where", "vocab_size=3"),
            ("--x", "length", "--panels", "concentration", "--where", "vocab_size = 2", "--where", "repeat=1"),
        ],
    )
    def test_figures(self, store, folder, options):
        result = run("sweep-status", store, "--plot", "x.svg", *options)
        assert result.exit_code == 0, result.output
        assert (folder / "x.svg").exists()

    def test_what_is_averaged_is_told(self, store):
        result = run("sweep-status", store, "--plot", "x.png", "--x", "length", "--where", "vocab_size=3")
        assert "the figure averages over concentration" in result.output
        assert "averages" not in run("sweep-status", store, "--plot", "x.png").output

    @pytest.mark.parametrize(
        ("arguments", "kind", "message"),
        [
            (("none.sqlite",), StoreError, "store must be a file that exists, got 'none.sqlite'"),
            (("sweep.toml",), StoreError, "store must be a file written by a sweep"),
            (("sweep.sqlite", "--study", "margins"), InvalidArgumentError, "study must be one of edge_recovery"),
            (("sweep.sqlite", "--x", "length"), InvalidArgumentError, "x must not be given without --plot, got length"),
            (("sweep.sqlite", "--plot", "a.png", "--x", "width"), InvalidArgumentError, "columns .* got 'width'"),
            (("sweep.sqlite", "--plot", "a.png", "--y", "length"), InvalidArgumentError, "x must be given together"),
            (("sweep.sqlite", "--plot", "a.png", "--value", "width"), InvalidArgumentError, "got 'width'"),
            (
                ("sweep.sqlite", "--plot", "a.png", "--where", "length"),
                InvalidArgumentError,
                "where must be names with values, like",
            ),
            (
                ("sweep.sqlite", "--plot", "a.png", "--where", "length=7"),
                InvalidArgumentError,
                "where must name a value of length, like 6, 8, got 7",
            ),
            (("sweep.sqlite", "--csv", "a", "--parquet", "a"), OutputError, "output files must differ"),
        ],
    )
    def test_mistakes(self, folder, arguments, kind, message):
        before = sorted(one.name for one in folder.iterdir())
        with pytest.raises(kind, match=message):
            raise fail("sweep-status", *arguments)
        assert sorted(one.name for one in folder.iterdir()) == before

    def test_no_pyarrow(self, monkeypatch):
        monkeypatch.setattr("causal_theory.cli.output.find_spec", lambda name: None)
        with pytest.raises(OutputError, match=r'parquet must not be given .* pip install "\.\[sweep\]"'):
            raise fail("sweep-status", "sweep.sqlite", "--parquet", "a.parquet")


class TestFigureChoice:
    def test_every_study_has_a_value(self):
        assert set(VALUES) == {study.__name__ for study in PROVIDED}

    def test_curves_when_one_number_varies(self):
        found = complete_choice(FigureChoice(), "margins", {"length": [4, 5], "graph": ["chain", "star"]})
        assert (found.x, found.y, found.panels) == ("length", None, "graph")

    def test_nothing_varies(self):
        with pytest.raises(InvalidArgumentError, match="x must be given for a figure of a sweep in which no number"):
            complete_choice(FigureChoice(), "margins", {"length": [4], "repeat": [0, 1]})

    def test_unknown_study(self):
        with pytest.raises(InvalidArgumentError, match="value must be named for a figure of study mine, got nothing"):
            complete_choice(FigureChoice(), "mine", {"length": [4, 5]})
