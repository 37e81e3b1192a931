"""``causal-theory train``: its runs are those of the API, presets, files of settings, checkpoints, mistakes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from csv import DictReader
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from typer.testing import CliRunner

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    DisentangledTransformer,
    EdgeReport,
    InContextTask,
    OrbitPrior,
    PointPrior,
    ReducedTransformer,
    edge_scores,
    train_sgd,
)
from causal_theory.cli import app, train
from causal_theory.cli.train_config import Choices, make_plan
from causal_theory.cli.train_figure import TrainFigure
from causal_theory.errors import CausalTheoryError, FileFormatError, InvalidArgumentError, OutputError
from causal_theory.graphs.files import write_graph
from causal_theory.provenance import code_version
from causal_theory.training import PRESETS, TrainingSettings, trainer
from causal_theory.training.interrupts import Terminated
from causal_theory.training.outcome import rank_correlation

from .helpers import PATIENCE, assert_close, wait_until

pytestmark = pytest.mark.compiled

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
TEXT = json.dumps(MATRIX)
SHORT = ("--steps", 6, "--batch-size", 16, "--learning-rate", 0.5, "--test-size", 32)
QUICK = ("train", "--length", 5, "--symbols", 3, *SHORT)
SETTINGS = {"steps": 6, "batch_size": 16, "learning_rate": 0.5, "test_size": 32}
CURVES = ("steps", "losses", "snapshot_steps", "test_losses", "test_errors", "attention_on_parents")
MANY = ("train", "--preset", "paper-many-graphs", "--steps", 3, "--batch-size", 8, "--test-size", 16)
CHAIN = InContextTask(CausalGraph.chain(5), DirichletPrior(3, 1.0))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def run_json(*arguments, status=0):
    result = run(*arguments, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def fail(*arguments):
    """Run a command that must fail, and return what it raised."""
    result = run(*arguments)
    assert isinstance(result.exception, CausalTheoryError), result.output
    assert result.stdout == ""
    return result.exception


def as_array(rows):
    """Numbers from JSON, whose null stands for NaN."""
    return np.array(rows, dtype=np.float64)


def assert_same_run(content, expected):
    assert content["status"] == expected.status
    assert content["baselines"] == expected.baselines
    for name in CURVES:
        assert np.array_equal(as_array(content[name]), as_array(getattr(expected, name)), equal_nan=True), name


def only(content):
    (one,) = content["runs"]
    return one


def interrupt(monkeypatch, after):
    """Press Ctrl-C after some steps of every run."""

    class Bar(trainer.ProgressBar):
        def update(self, done, note=""):
            if done == after:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(trainer, "ProgressBar", Bar)


class TestTraining:
    def test_disentangled(self):
        content = run_json(
            *("train", "--graph", "random-forest", "--length", 6, "--root-probability", 0.3, "--symbols", 3),
            *("--concentration", 0.5, "--floor", 0.1, "--root-law", "uniform", "--heads", "2,1", "--scale", 0.3),
            *("--seed", 7, *SHORT, "--optimizer", "adamw", "--schedule", "cosine", "--weight-decay", 0.1),
            *("--beta1", 0.8, "--beta2", 0.95, "--adam-epsilon", 1e-6, "--records", 3, "--snapshots", 2),
        )
        rng = np.random.default_rng(7)
        task = InContextTask(CausalGraph.random_forest(6, 0.3, rng), DirichletPrior(3, 0.5, floor=0.1), "uniform")
        model = DisentangledTransformer(6, 3, (2, 1), scale=0.3, rng=rng)
        settings = SETTINGS | {"optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.1, "beta1": 0.8}
        settings |= {"beta2": 0.95, "adam_epsilon": 1e-6, "records": 3, "snapshots": 2}
        expected = train_sgd(task, model, rng=rng, **settings)
        assert_same_run(only(content), expected)
        assert content["settings"] == asdict(expected.settings)
        assert content["model"]["heads"] == [2, 1]
        assert content["model"]["start"] == {"scale": 0.3}
        assert content["seed"] == 7
        margins = EdgeReport(edge_scores(task, epsilon=1 / 6, rng=rng), task.graph)
        assert np.array_equal(as_array(only(content)["margin"]), margins.margin, equal_nan=True)
        assert np.array_equal(as_array(only(content)["margin_error"]), margins.margin_error, equal_nan=True)

    def test_reduced_in_two_stages(self):
        content = run_json(
            *("train", "--model", "reduced", "--graph", "pairs", "--length", 6, "--prior", "orbit"),
            *("--transition", TEXT, "--epsilon", 0.05, "--beta0", 0.2, *SHORT, "--recipe", "two-stage"),
            *("--first-steps", 2),
        )
        task = InContextTask(CausalGraph.pairs(6), OrbitPrior(MATRIX))
        model = ReducedTransformer(np.zeros((6, 6)), 0.2 * np.eye(3), 0.05)
        expected = train_sgd(task, model, rng=0, recipe="two_stage", first_steps=2, **SETTINGS)
        assert_same_run(only(content), expected)
        assert content["model"] == {
            "kind": "reduced",
            "length": 6,
            "vocab_size": 3,
            "epsilon": 0.05,
            "start": {"beta0": 0.2},
            "parameters": 45,
        }
        # f + eps sums to 1 + 3 eps.
        assert_close(
            [only(content)["test_loss_normalised"], only(content)["excess_normalised"]],
            np.array([expected.test_losses[-1], expected.excess]) + np.log(1.15),
            rtol=1e-14,
        )

    def test_defaults_of_the_reduced_model(self):
        content = run_json(*QUICK, "--model", "reduced")
        model = ReducedTransformer(np.zeros((5, 5)), 0.01 * np.eye(3), 0.2)
        assert_same_run(only(content), train_sgd(CHAIN, model, rng=0, **SETTINGS))

    def test_point_prior_and_a_graph_from_a_file(self, folder):
        write_graph(folder / "g.json", CausalGraph.from_parents([-1, 0, 0, -1, 3]))
        content = run_json(
            "train", "--graph-file", "g.json", "--prior", "point", "--transition", TEXT, *SHORT, "--seed", 1
        )
        told = only(content)["task"]
        task = InContextTask(CausalGraph.from_parents(told["parents"][:-1]), PointPrior(told["prior"]["transition"]))
        assert told["parents"] == [-1, 0, 0, -1, 3, -1]
        assert_same_run(only(content), train_sgd(task, DisentangledTransformer(6, 3), rng=1, **SETTINGS))

    def test_a_last_position_with_a_parent_has_no_scores(self, folder):
        (folder / "g.json").write_text('{"parents": [-1, 0, 1, 2], "length": 4}', encoding="utf-8")
        content = run_json("train", "--graph-file", "g.json", "--symbols", 3, *SHORT)
        assert only(content)["margin"] == [None] * 4
        assert only(content)["rank_correlation"] is None
        assert content["summary"]["edges"] == 3
        assert "none" in run("train", "--graph-file", "g.json", "--symbols", 3, *SHORT, "--plot", "t.png").output

    def test_a_graph_without_edges(self):
        content = run_json("train", "--length", 2, "--symbols", 3, *SHORT, "--plot", "t.png")
        assert content["summary"]["mean_attention"] is None
        assert "no child rows" in run("train", "--length", 2, "--symbols", 3, *SHORT).output


class TestSummary:
    def test_attention_of_the_best_head(self):
        content = run_json(*QUICK, "--heads", "2,1", "--scale", 1.0)
        one = only(content)
        best = as_array(one["attention_on_parents"])[:, 1:4].max(axis=0)
        summary = content["summary"]
        assert_close(summary["mean_attention"], best.mean(), rtol=1e-14)
        assert (summary["edges"], summary["below"]) == (3, (best < 0.25).sum())
        assert summary["standard_deviation"] is None
        correlation = spearmanr(as_array(one["margin"])[1:4], best)
        assert_close([one["rank_correlation"], one["p_value"]], list(correlation), rtol=1e-14)

    @pytest.mark.parametrize(
        ("x", "y"),
        [([1.0, 2.0], [1.0, 2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, np.nan], [1.0, 2.0, 3.0])],
    )
    def test_rank_correlation_that_says_nothing(self, x, y):
        assert rank_correlation(np.array(x), np.array(y)) == (None, None)

    def test_rank_correlation_leaves_out_roots(self):
        x, y = np.array([np.nan, 1.0, 2.0, 4.0]), np.array([0.0, 0.1, 0.3, 0.2])
        assert_close(rank_correlation(x, y)[0], 0.5, rtol=1e-14)

    def test_tables_fit_eighty_columns(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        result = run(*QUICK, "--model", "reduced")
        assert result.exit_code == 0, result.output
        assert max(map(len, result.output.splitlines())) <= 80
        for text in (
            "finished after 6 steps",
            "mean attention on the parents",
            "the same, normalised",
            "entropy floor",
        ):
            assert text in result.output


class TestOutputs:
    def test_files(self, folder):
        content = run_json(
            *(*QUICK, "--model", "reduced", "--records", 4, "--csv", "t.csv", "--npz", "t.npz", "--plot", "t.png")
        )
        expected = train_sgd(
            CHAIN, ReducedTransformer(np.zeros((5, 5)), 0.01 * np.eye(3), 0.2), rng=0, records=4, **SETTINGS
        )
        with open("t.csv", encoding="utf-8", newline="") as file:
            rows = list(DictReader(file))
        assert [int(row["step"]) for row in rows] == expected.steps.tolist()
        assert [float(row["loss"]) for row in rows] == expected.losses.tolist()
        assert {row["graph"] for row in rows} == {"0"}
        with np.load("t.npz") as arrays:
            for name in ("steps", "losses", "snapshot_steps", "test_losses", "test_errors", "attention"):
                assert np.array_equal(arrays[name][0], getattr(expected, name)), name
            assert np.array_equal(arrays["parameters"][0], expected.model.parameters)
            assert np.array_equal(arrays["A1"][0], expected.model.A1)
            assert np.array_equal(arrays["A2"][0], expected.model.A2)
            assert arrays["parents"].tolist() == [only(content)["task"]["parents"]]
            assert np.array_equal(arrays["margin"][0], as_array(only(content)["margin"]), equal_nan=True)
            for name, loss in expected.baselines.items():
                assert {float(row[name]) for row in rows} == {loss}
                assert arrays[f"loss_{name}"].tolist() == [loss]
        assert (folder / "t.png").read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in folder.iterdir()) == ["t.csv", "t.npz", "t.png"]

    def test_matrices_of_the_layers(self):
        run_json(*QUICK, "--heads", "2,1", "--npz", "t.npz")
        model = train_sgd(CHAIN, DisentangledTransformer(5, 3, (2, 1)), rng=0, **SETTINGS).model
        with np.load("t.npz") as arrays:
            assert np.array_equal(arrays["layer1"][0], model.layers[0])
            assert np.array_equal(arrays["layer2"][0], model.layers[1])
            assert np.array_equal(arrays["output"][0], model.output)

    @pytest.mark.parametrize(
        ("arguments", "titles"),
        [
            (
                (),
                ["true graph", "attention of layer 1", "matrix of layer 1", "matrix of layer 2"],
            ),
            (
                ("--heads", "2,1"),
                [
                    "true graph",
                    "attention of layer 1, head 1",
                    "attention of layer 1, head 2",
                    "matrix of layer 1, head 1",
                    "matrix of layer 1, head 2",
                    "matrix of layer 2",
                ],
            ),
            (("--model", "reduced"), ["true graph", "attention of layer 1", "second attention matrix"]),
        ],
    )
    def test_panels(self, monkeypatch, arguments, titles):
        panels = []
        draw = TrainFigure.draw
        monkeypatch.setattr(TrainFigure, "draw", lambda self, *axes: panels.extend(axes) or draw(self, *axes))
        run_json(*QUICK, *arguments, "--plot", "t.png")
        curves = ["loss", "attention on the parent", "margins of the scores"]
        assert [ax.get_title() for ax in panels if ax.axison] == titles + curves
        assert [ax.get_title() for ax in panels if not ax.axison] == [""] * (len(panels) - len(titles) - 3)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """All graphs after a few steps, and the folder with the files."""
    folder = tmp_path_factory.mktemp("many")
    files = ("--checkpoint", folder / "g.npz", "--csv", folder / "t.csv", "--npz", folder / "t.npz")
    return run_json(*MANY, "--seed", 1, *files, "--plot", folder / "t.png"), folder


class TestPresets:
    @pytest.mark.parametrize("name", ["paper-chain", "paper-pairs", "paper-random"])
    def test_one_graph(self, name):
        content = run_json("train", "--preset", name, "--steps", 3, "--batch-size", 8, "--test-size", 16, "--seed", 2)
        rng = np.random.default_rng(2)
        preset = PRESETS[name]
        (task,) = preset.tasks(rng)
        settings = replace(preset.settings, steps=3, batch_size=8, test_size=16)
        assert_same_run(only(content), train_sgd(task, preset.model.build(task), rng=rng, **asdict(settings)))
        assert content["preset"] == name
        assert content["changed_settings"] == {"steps": [3, 2**17], "batch_size": [8, 1024]}
        assert content["published"] is None

    def test_many_graphs(self, many):
        content, folder = many
        rng = np.random.default_rng(1)
        preset = PRESETS["paper-many-graphs"]
        tasks = preset.tasks(rng)
        settings = asdict(replace(preset.settings, steps=3, batch_size=8, test_size=16))
        runs = [train_sgd(task, preset.model.build(task), rng=rng, **settings) for task in tasks]
        assert len(content["runs"]) == 20
        for one, expected in zip(content["runs"], runs, strict=True):
            assert_same_run(one, expected)
        with np.load(folder / "t.npz") as arrays:
            assert np.array_equal(arrays["parameters"], [expected.model.parameters for expected in runs])
            assert np.array_equal(arrays["attention"], [expected.attention for expected in runs])
        with open(folder / "t.csv", encoding="utf-8", newline="") as file:
            assert [row["graph"] for row in DictReader(file)] == [str(k) for k in range(20) for _ in range(3)]
        report = EdgeReport(edge_scores(tasks[0], epsilon=1 / 20, rng=rng), tasks[0].graph)
        assert np.array_equal(as_array(content["runs"][0]["margin"]), report.margin, equal_nan=True)

    def test_statistics_over_graphs(self, many):
        content, _ = many
        parts = [as_array(one["attention_on_parents"])[0] for one in content["runs"]]
        weights = [part[~np.isnan(part)] for part in parts]
        means = np.array([part.mean() for part in weights])
        whole = np.concatenate(weights)
        summary = content["summary"]
        assert content["published"] == {
            "mean_attention": 0.8366,
            "standard_deviation": 0.054,
            "edges": 182,
            "below": 6,
        }
        assert (summary["graphs"], summary["edges"]) == (20, len(whole))
        assert 0 < summary["below"] == (whole < 0.25).sum() < len(whole)
        assert_close(summary["mean_attention"], whole.mean(), rtol=1e-14)
        assert_close(summary["mean_over_graphs"], means.mean(), rtol=1e-14)
        deviation = np.sqrt(((means - means.mean()) ** 2).sum() / 19)
        assert_close(summary["standard_deviation"], deviation, rtol=1e-12)
        assert_close(summary["standard_error"], deviation / np.sqrt(20), rtol=1e-12)
        correlations = [one["rank_correlation"] for one in content["runs"]]
        assert_close(summary["mean_rank_correlation"], np.mean(correlations), rtol=1e-14)
        margins = np.concatenate([as_array(one["margin"]) for one in content["runs"]])
        pooled = spearmanr(margins[~np.isnan(margins)], whole)
        assert_close(summary["pooled_rank_correlation"], pooled.statistic, rtol=1e-14)

    def test_finished_graphs_are_not_trained_again(self, many, monkeypatch):
        content, folder = many
        names = [f"g-{k:02d}.npz" for k in range(20)]
        assert sorted(path.name for path in folder.glob("g*")) == names
        assert [one["checkpoint"] for one in content["runs"]] == [str(folder / name) for name in names]
        (folder / "g-19.npz").unlink()
        trained = []
        step = DisentangledTransformer.gradient_at
        monkeypatch.setattr(
            DisentangledTransformer, "gradient_at", lambda self, *rest: trained.append(1) or step(self, *rest)
        )
        again = run_json(*MANY, "--seed", 1, "--checkpoint", folder / "g.npz", "--resume")
        assert len(trained) == 3
        assert again == content

    def test_tables_of_many_graphs(self, many, monkeypatch):
        content, folder = many
        monkeypatch.setenv("COLUMNS", "80")
        result = run(*MANY, "--seed", 1, "--checkpoint", folder / "g.npz", "--resume")
        assert max(map(len, result.output.splitlines())) <= 80
        (line,) = re.findall(r"mean over all edges +│ +([\d.]+) │ +([\d.]+)", result.output)
        assert line == (f"{content['summary']['mean_attention']:.4f}", "0.8366")
        assert re.search(r"edges below 0.25 +│ +\d+ │ +6 ", result.output)
        assert "not as published: steps 3 instead of 16384, batch_size 8 instead of 1024" in result.output

    def test_repeating_the_task_is_no_contradiction(self):
        arguments = ("--preset", "paper-random", "--graph", "recursive-forest", "--length", 20)
        arguments += ("--prior", "dirichlet", "--symbols", 10, "--concentration", 0.1, "--floor", 0)
        content = run_json("train", *arguments, "--steps", 1, "--batch-size", 4, "--test-size", 4)
        assert content["preset"] == "paper-random"

    def test_other_models_on_the_task_of_a_preset(self):
        arguments = ("--preset", "paper-chain", "--steps", 2, "--batch-size", 4, "--test-size", 4)
        assert run_json("train", *arguments, "--heads", "2,1")["changed_settings"]["heads"] == [[2, 1], [1, 1]]
        reduced = run_json("train", *arguments, "--model", "reduced", "--recipe", "two-stage")
        assert reduced["changed_settings"]["model"] == ["reduced", "disentangled"]

    @pytest.mark.parametrize(
        ("name", "arguments", "message"),
        [
            ("paper-chain", ("--graph", "pairs"), "graph must be chain or left out .* paper-chain, got pairs"),
            ("paper-pairs", ("--length", "21"), "length must be 20 or left out"),
            ("paper-random", ("--graph", "random-forest"), "graph must be recursive-forest or left out"),
            ("paper-many-graphs", ("--root-probability", "0.4"), "root-probability must be 0.5 or left out"),
            ("paper-chain", ("--root-probability", "0.5"), "root-probability must not be given together with --preset"),
            ("paper-many-graphs", ("--symbols", "10"), "symbols must be 3 or left out"),
            ("paper-chain", ("--concentration", "1"), "concentration must be 0.1 or left out"),
            ("paper-chain", ("--floor", "0.1"), "floor must be 0.0 or left out"),
            ("paper-chain", ("--prior", "orbit"), "prior must be dirichlet or left out"),
            ("paper-chain", ("--transition", TEXT), "transition must not be given together with --preset"),
            ("paper-chain", ("--graph-file", "g.json"), "graph-file must not be given together with --preset"),
            ("paper-chain", ("--root-law", "uniform"), "root-law must be stationary or left out"),
            ("paper-chain", ("--recipe", "two-stage"), "recipe must be 'joint' for a model"),
            ("paper-star", (), "preset must be one of paper-chain, paper-pairs, .* got 'paper-star'"),
        ],
    )
    def test_contradictions(self, name, arguments, message):
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail("train", "--preset", name, *arguments)


GOOD = """
seed = 7
[task]
graph = "random-forest"
length = 6
root_probability = 0.3
symbols = 3
concentration = 0.5
[model]
kind = "disentangled"
heads = [2, 1]
scale = 1
[training]
steps = 6
batch_size = 16
learning_rate = 0.5
test_size = 32
optimizer = "adamw"
"""
OPTIONS = (
    *("train", "--seed", 7, "--graph", "random-forest", "--length", 6, "--root-probability", 0.3, "--symbols", 3),
    *("--concentration", 0.5, "--heads", "2,1", "--scale", 1, *SHORT, "--optimizer", "adamw"),
)

BAD = [
    ("sed = 1", "config 'run.toml': keys must be among preset, seed, task, model, training, got 'sed'"),
    ("[task]\nlenght = 5", r"keys of \[task\] must be among graph, graph_file, .*, root_law, got 'lenght'"),
    ("[model]\nmodel = 'reduced'", r"keys of \[model\] must be among kind, heads, .*, got 'model'"),
    ("[training]\nlr = 1", r"keys of \[training\] must be among steps, batch_size, .*, snapshots, got 'lr'"),
    ("task = 3", r"task must be a section \[task\], got 3"),
    ("seed = 1.5", "seed must be an integer of at least 0, got 1.5"),
    ("seed = -1", "seed must be an integer of at least 0, got -1"),
    ("preset = 1", "preset must be a text, got 1"),
    ("preset = 'mine'", "preset must be one of paper-chain"),
    ("[task]\nlength = '5'", r"\[task\] length must be an integer of at least 2, got '5'"),
    ("[task]\nlength = true", r"\[task\] length must be an integer of at least 2, got True"),
    ("[task]\ngraph = 'ring'", r"\[task\] graph must be one of 'chain', .*, got 'ring'"),
    ("[task]\nconcentration = '1'", r"\[task\] concentration must be a finite number greater than 0, got '1'"),
    ("[task]\ntransition = 3", r"\[task\] transition must be rows of numbers, or the name of a file, got 3"),
    ("[task]\ntransition = [2000-01-01]", r"\[task\] transition must be an array of real numbers"),
    ("[task]\nprior = 'point'\ntransition = [[1, 2], [3, 4]]", "transition must have rows that sum to 1"),
    ("[task]\ngraph_file = 7", r"\[task\] graph_file must be a text, got 7"),
    (
        "[model]\nkind = 'large'",
        r"\[model\] kind must be one of 'disentangled', 'reduced', 'standard', or module:Class, got 'large'",
    ),
    ("[model]\nheads = [1.5]", r"\[model\] heads must be integers separated by commas, .*, got \[1.5\]"),
    ("[model]\nheads = 2", r"\[model\] heads must be integers separated by commas, .*, got 2"),
    ("[training]\nsteps = 2.5", r"\[training\] steps must be an integer of at least 1, got 2.5"),
    (
        "[training]\nlearning_rate = 'fast'",
        r"\[training\] learning_rate must be a finite number greater than 0, got 'fast'",
    ),
    ("[training]\noptimizer = 'newton'", r"\[training\] optimizer must be one of 'sgd', 'adamw', got 'newton'"),
    ("[training]\nsteps = 2\nbatch_size = 2", "learning-rate must be given, .* got nothing"),
    ("[training]\nsteps = 0\nbatch_size = 2\nlearning_rate = 1", "steps must be an integer of at least 1, got 0"),
    ("[training]\nsteps = 2\nbatch_size = 2\nlearning_rate = nan", "learning_rate must be a finite number"),
    ("preset = 'paper-chain'\n[task]\nlength = 9", "length must be 20 or left out together with --preset paper-chain"),
    ("[task", "config 'run.toml' must be a TOML file"),
]


class TestConfig:
    def test_a_file_says_what_options_say(self, folder):
        (folder / "run.toml").write_text(GOOD, encoding="utf-8")
        assert run_json("train", "--config", "run.toml") == run_json(*OPTIONS)

    def test_options_override_the_file(self, folder):
        (folder / "run.toml").write_text(GOOD, encoding="utf-8")
        changes = ("--seed", 8, "--length", 5, "--heads", "1,1", "--steps", 4, "--optimizer", "sgd")
        assert run_json("train", "--config", "run.toml", *changes) == run_json(*OPTIONS, *changes)

    @pytest.mark.parametrize(
        ("changes", "same"),
        [
            (("--graph", "pairs"), ("--graph", "pairs", "--length", 6, "--symbols", 3, "--concentration", 0.5)),
            (
                ("--prior", "orbit", "--transition", TEXT, "--graph", "chain"),
                ("--length", 6, "--prior", "orbit", "--transition", TEXT),
            ),
            (("--graph-file", "g.json"), ("--graph-file", "g.json", "--symbols", 3, "--concentration", 0.5)),
        ],
    )
    def test_another_graph_or_prior_takes_its_options_along(self, folder, changes, same):
        write_graph(folder / "g.json", CausalGraph.star(5))
        (folder / "run.toml").write_text(GOOD, encoding="utf-8")
        model = ("--heads", "2,1", "--scale", 1, "--seed", 7, "--optimizer", "adamw")
        assert run_json("train", "--config", "run.toml", *changes) == run_json("train", *same, *SHORT, *model)

    def test_the_same_prior_keeps_its_options(self, folder):
        (folder / "run.toml").write_text(GOOD, encoding="utf-8")
        content = run_json("train", "--config", "run.toml", "--prior", "dirichlet")
        assert only(content)["task"]["prior"]["symbols"] == 3

    def test_another_model(self, folder):
        (folder / "run.toml").write_text(GOOD, encoding="utf-8")
        assert run_json("train", "--config", "run.toml", "--model", "reduced")["model"]["start"] == {"beta0": 0.01}

    def test_preset_in_a_file(self, folder):
        text = 'preset = "paper-pairs"\n[training]\nsteps = 5\nbatch_size = 4\ntest_size = 4'
        (folder / "run.toml").write_text(text, encoding="utf-8")
        content = run_json("train", "--config", "run.toml", "--steps", 2)
        assert content["preset"] == "paper-pairs"
        assert (content["settings"]["steps"], content["settings"]["batch_size"]) == (2, 4)
        assert content["settings"]["schedule"] == "cosine"
        other = run_json("train", "--config", "run.toml", "--preset", "paper-chain")
        assert other["preset"] == "paper-chain"

    def test_files_are_beside_the_file(self, folder):
        (folder / "sub").mkdir()
        write_graph(folder / "sub" / "g.json", CausalGraph.star(4))
        (folder / "sub" / "pi.json").write_text(TEXT, encoding="utf-8")
        text = '[task]\ngraph_file = "g.json"\nprior = "point"\ntransition = "pi.json"\nroot_law = "uniform"\n'
        (folder / "sub" / "run.toml").write_text(text, encoding="utf-8")
        content = run_json("train", "--config", "sub/run.toml", *SHORT)
        assert only(content)["task"] == {
            "parents": CausalGraph.star(4).parent_array.tolist(),
            "prior": {"kind": "point", "transition": MATRIX},
            "root_law": "uniform",
        }

    def test_matrix_in_the_file(self, folder):
        text = f'[task]\nlength = 4\nprior = "point"\ntransition = {TEXT}\n[model]\nkind = "reduced"'
        text += '\n[training]\nrecipe = "two_stage"'
        (folder / "run.toml").write_text(text, encoding="utf-8")
        content = run_json("train", "--config", "run.toml", *SHORT)
        assert only(content)["task"]["prior"]["transition"] == MATRIX
        assert content["settings"]["recipe"] == "two_stage"

    @pytest.mark.parametrize(("text", "message"), BAD)
    def test_bad_files(self, folder, text, message):
        (folder / "run.toml").write_text(text, encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail("train", "--config", "run.toml", "--json")

    def test_files_that_cannot_be_read(self, folder):
        (folder / "run.toml").write_bytes(b"\xff\xfe\x00")
        for name, message in (
            ("run.toml", "must be a TOML file"),
            ("no.toml", "can be read: No such file"),
            (".", "directory"),
        ):
            with pytest.raises(FileFormatError, match=message):
                raise fail("train", "--config", name)


def test_choices_override_presets():
    plan = make_plan(Choices(preset="paper-chain", training={"steps": 3, "optimizer": "adamw"}))
    assert (plan.settings.steps, plan.settings.optimizer) == (3, "adamw")
    assert (plan.settings.batch_size, plan.settings.schedule) == (1024, "cosine")


class TestCheckpoints:
    def test_interrupted_runs_resume_to_the_last_bit(self, monkeypatch):
        whole = run_json(*QUICK, "--scale", 0.1)
        with monkeypatch.context() as patch:
            interrupt(patch, 4)
            result = run(*QUICK, "--scale", 0.1, "--checkpoint", "c.npz", "--csv", "t.csv")
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr == "interrupted: the checkpoint is c.npz; repeat the command with --resume to go on\n"
        with np.load("c.npz") as archive:
            assert int(archive["step"]) == 4
        resumed = run_json(*QUICK, "--scale", 0.1, "--checkpoint", "c.npz", "--resume")
        assert only(resumed).pop("checkpoint") == "c.npz"
        assert only(whole).pop("checkpoint") is None
        assert (len(only(resumed).pop("versions")), only(whole).pop("versions")) == (1, [])
        assert resumed == whole

    def test_interrupted_without_a_checkpoint(self, monkeypatch, folder):
        interrupt(monkeypatch, 4)
        result = run(*QUICK, "--csv", "t.csv", "--json")
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr == "interrupted: nothing is kept; with --checkpoint PATH a run can be resumed\n"
        assert list(folder.iterdir()) == []

    def test_interrupted_among_many_graphs(self, monkeypatch):
        interrupt(monkeypatch, 2)
        train_whole = train.train_with_settings
        calls = []

        def third_is_interrupted(task, model, settings, **options):
            calls.append(1)
            return train_whole(task, model, settings if len(calls) == 3 else replace(settings, steps=1), **options)

        monkeypatch.setattr(train, "train_with_settings", third_is_interrupted)
        arguments = ("--preset", "paper-many-graphs", "--steps", 3, "--batch-size", 4, "--test-size", 4)
        result = run("train", *arguments, "--checkpoint", "g.npz")
        assert result.exit_code == 130
        assert "interrupted in graph 2 of 20: the checkpoint is g-02.npz" in result.stderr

    def test_interrupted_within_compiled_code(self, monkeypatch):
        """There Ctrl-C comes out as an error of another kind, and the state of the run cannot be kept."""

        def broken(*args, **kwargs):
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as error:
                raise SystemError("returned a result with an exception set") from error

        monkeypatch.setattr(train, "train_with_settings", broken)
        result = run(*QUICK, "--checkpoint", "c.npz")
        assert (result.exit_code, result.stderr) == (130, "interrupted: there is no checkpoint c.npz yet\n")

    def test_terminated_within_compiled_code(self, monkeypatch):
        def broken(*args, **kwargs):
            try:
                raise Terminated
            except Terminated as error:
                raise SystemError("returned a result with an exception set") from error

        monkeypatch.setattr(train, "train_with_settings", broken)
        assert run(*QUICK, "--checkpoint", "c.npz").exit_code == 143

    def test_other_errors_are_not_taken_for_an_interrupt(self, monkeypatch):
        def broken(*args, **kwargs):
            raise SystemError("of another kind")

        monkeypatch.setattr(train, "train_with_settings", broken)
        assert isinstance(run(*QUICK).exception, SystemError)

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_signals_end_the_program_with_their_status(self, folder, number, status):
        # A shell that starts the tests in the background has them ignore Ctrl-C.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        code += "import sys; from causal_theory.cli import main; sys.argv[0] = 'causal-theory'; main()"
        arguments = (*QUICK, "--steps", 10**7, "--checkpoint", "c.npz", "--every", 50)
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: (folder / "c.npz").exists() or process.poll() is not None)
            process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert (process.returncode, output) == (status, ""), errors
        assert errors == "interrupted: the checkpoint is c.npz; repeat the command with --resume to go on\n"
        assert sorted(path.name for path in folder.iterdir()) == ["c.npz"]

    def test_existing_checkpoints_are_kept(self, folder):
        (folder / "c.npz").write_bytes(b"precious")
        (folder / "g-13.npz").write_bytes(b"precious")
        with pytest.raises(InvalidArgumentError, match=r"checkpoint must be a new file without --resume, got 'c\.npz'"):
            raise fail(*QUICK, "--checkpoint", "c.npz")
        with pytest.raises(InvalidArgumentError, match=r"checkpoint must be a new file .* got 'g-13\.npz'"):
            raise fail("train", "--preset", "paper-many-graphs", "--checkpoint", "g.npz")
        with pytest.raises(FileFormatError, match="checkpoint must be"):
            raise fail(*QUICK, "--checkpoint", "c.npz", "--resume")
        assert (folder / "c.npz").read_bytes() == (folder / "g-13.npz").read_bytes() == b"precious"

    def test_checkpoints_of_other_runs_are_refused(self):
        run_json(*QUICK, "--checkpoint", "c.npz")
        with pytest.raises(InvalidArgumentError, match="must belong to the same run, got training batch_size = 16"):
            raise fail(*QUICK, "--batch-size", 17, "--checkpoint", "c.npz", "--resume")
        with pytest.raises(InvalidArgumentError, match="same run, got label = 'seed 0' instead of 'seed 1'"):
            raise fail(*QUICK, "--seed", 1, "--checkpoint", "c.npz", "--resume")

    @pytest.mark.parametrize(
        ("first", "second", "message"),
        [
            (("--scale", 1e-4), ("--scale", 2.0), r"model start of layer1 = 64 numbers \(1\.257e-05, .*0\.2515"),
            (("--model", "reduced", "--beta0", 0.1), ("--model", "reduced"), r"model start of A2 = .*0\.1, .*0\.01, "),
            (("--concentration", 1.0), ("--floor", 0.1), r"task prior floor = 0\.0 instead of 0\.1"),
            (("--graph", "chain"), ("--graph", "star"), r"task parents = \[.*instead of"),
        ],
    )
    def test_checkpoints_of_another_start_or_task_are_refused_whatever_is_said(self, first, second, message):
        run_json(*QUICK, *first, "--checkpoint", "c.npz")
        for more in ((), ("--reuse-other-versions",)):
            with pytest.raises(InvalidArgumentError, match=f"must belong to the same run, got {message}"):
                raise fail(*QUICK, *second, "--checkpoint", "c.npz", "--resume", *more)

    def test_checkpoints_of_a_preset_and_of_the_same_options_are_the_same(self, folder):
        short = ("--steps", 3, "--batch-size", 8, "--test-size", 16)
        run_json("train", "--preset", "paper-chain", *short, "--checkpoint", "c.npz")
        options = (
            "--length",
            20,
            "--symbols",
            10,
            "--concentration",
            0.1,
            "--schedule",
            "cosine",
            "--learning-rate",
            1,
        )
        again = run_json("train", *options, *short, "--checkpoint", "c.npz", "--resume")
        assert only(again)["status"] == "finished"
        (folder / "run.toml").write_text('preset = "paper-chain"\n[model]\nscale = 0.5\n', encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match="must belong to the same run, got model start of layer1"):
            raise fail("train", "--config", "run.toml", *short, "--checkpoint", "c.npz", "--resume")

    def test_checkpoints_of_other_versions_are_refused_unless_wanted(self, monkeypatch):
        run_json(*QUICK, "--checkpoint", "c.npz")
        version = code_version()
        monkeypatch.setattr("causal_theory.training.record.code_version", lambda *used: replace(version, code="f" * 64))
        resumed = (*QUICK, "--checkpoint", "c.npz", "--resume")
        with pytest.raises(
            InvalidArgumentError, match=r"\(--reuse-other-versions\) is given, got .* instead of .* f{8}"
        ):
            raise fail(*resumed)
        result = run(*resumed, "--reuse-other-versions")
        assert result.exit_code == 0
        assert "computed by several versions, one after the other: " in result.output
        with pytest.raises(InvalidArgumentError, match="reuse_other_versions must not be given without --resume"):
            raise fail(*QUICK, "--checkpoint", "new.npz", "--reuse-other-versions")


class TestDivergence:
    ARGUMENTS = (*QUICK, "--learning-rate", 1e200, "--scale", 0.1, "--snapshots", 1)

    def test_what_came_before_is_written(self, folder):
        content = run_json(
            *(*self.ARGUMENTS, "--csv", "t.csv", "--npz", "t.npz", "--plot", "t.png", "--checkpoint", "c.npz"), status=1
        )
        one = only(content)
        expected = train_sgd(
            CHAIN, DisentangledTransformer(5, 3, scale=0.1, rng=(rng := np.random.default_rng(0))), rng=rng,
            **(SETTINGS | {"learning_rate": 1e200, "snapshots": 1}),
        )  # fmt: skip
        assert one["status"] == "diverged"
        assert one["diverged_at"] == expected.diverged_at == one["last_step"] >= 1
        assert one["losses"] == expected.losses.tolist()
        with np.load("t.npz") as arrays:
            assert arrays["diverged_at"].tolist() == [expected.diverged_at]
        assert (folder / "t.png").read_bytes().startswith(b"\x89PNG")

    def test_the_step_is_told(self):
        result = run(*self.ARGUMENTS)
        assert result.exit_code == 1
        output = " ".join(result.output.split())
        assert re.search(r"training diverged at step \d: shown is what came before; a smaller --learning-rate", output)

    def test_one_graph_among_many(self, monkeypatch):
        train_whole = train.train_with_settings
        calls = []

        def second_diverges(task, model, settings, **options):
            calls.append(1)
            rate = 1e200 if len(calls) == 2 else 1.0
            return train_whole(task, model, replace(settings, learning_rate=rate, snapshots=1), **options)

        monkeypatch.setattr(train, "train_with_settings", second_diverges)
        arguments = ("--preset", "paper-many-graphs", "--steps", 6, "--batch-size", 8, "--test-size", 8)
        result = run("train", *arguments, "--npz", "t.npz")
        assert result.exit_code == 1
        assert re.search(r"graph 1 diverged at step \d", result.output)
        with np.load("t.npz") as arrays:
            at = arrays["diverged_at"]
            assert np.flatnonzero(at >= 0).tolist() == [1]
            assert np.isnan(arrays["losses"]).sum() == 6 - at[1]
            assert (arrays["steps"] == -1).sum() == 6 - at[1]


MISTAKES = [
    ((), "steps, batch-size, learning-rate must be given, on the command line, by --config or by --preset"),
    (("--steps", "3"), "batch-size, learning-rate must be given"),
    ((*SHORT, "--steps", "0"), "steps must be an integer of at least 1, got 0"),
    ((*SHORT, "--learning-rate", "-1"), "learning_rate must be a finite number greater than 0, got -1.0"),
    ((*SHORT, "--weight-decay", "-1"), "weight_decay must be a finite number of at least 0, got -1.0"),
    ((*SHORT, "--beta2", "1"), "beta2 must be at least 0 and less than 1, got 1.0"),
    ((*SHORT, "--first-steps", "6", "--recipe", "two-stage", "--model", "reduced"), "first_steps must be less than"),
    ((*SHORT, "--recipe", "two-stage"), "recipe must be 'joint' for a model with the matrices"),
    ((*SHORT, "--heads", "1;1"), "heads must be integers separated by commas, one for each layer, got '1;1'"),
    ((*SHORT, "--heads", "1,0"), "heads must be an integer of at least 1, got 0"),
    ((*SHORT, "--heads", "1"), "heads must have at least two layers"),
    ((*SHORT, "--scale", "-1"), "scale must be a finite number of at least 0, got -1.0"),
    ((*SHORT, "--scale", "nan"), "scale must be a finite number of at least 0, got nan"),
    (
        (*SHORT, "--epsilon", "0.1"),
        "epsilon must not be given together with model disentangled, got 0.1; it belongs to reduced",
    ),
    ((*SHORT, "--beta0", "0.1"), "beta0 must not be given together with model disentangled, got 0.1"),
    ((*SHORT, "--model", "reduced", "--heads", "1,1"), "heads must not be given together with model reduced"),
    ((*SHORT, "--model", "reduced", "--scale", "0.1"), "scale must not be given together with model reduced"),
    ((*SHORT, "--model", "reduced", "--epsilon", "0"), "epsilon must be a finite number greater than 0, got 0.0"),
    ((*SHORT, "--model", "reduced", "--beta0", "0"), "beta0 must be a finite number greater than 0, got 0.0"),
    ((*SHORT, "--every", "5"), "every must not be given without --checkpoint"),
    ((*SHORT, "--resume"), "resume must not be given without --checkpoint"),
    ((*SHORT, "--checkpoint", "c.npz", "--every", "0"), "every must be an integer of at least 1, got 0"),
    ((*SHORT, "--checkpoint", "no/such/c.npz"), "checkpoint must be in a folder that exists"),
    ((*SHORT, "--checkpoint", "t.npz"), "checkpoint must be another file than the outputs, got 't.npz'"),
    ((*SHORT, "--length", "1"), "length must be an integer of at least 2, got 1"),
    ((*SHORT, "--root-probability", "0.5"), "root_probability must not be given together with graph chain"),
    ((*SHORT, "--transition", TEXT), "transition must not be given together with prior dirichlet"),
    ((*SHORT, "--model", "newton"), "model must be one of 'disentangled', .* or module:Class, got 'newton'"),
    ((*SHORT, "--plot", "t.bmp"), "plot must end in one of"),
    ((*SHORT, "--csv", "t.npz"), "output files must differ"),
]


class TestExample:
    def test_of_the_help(self, folder):
        """A chain is learned: most attention of every child row is on its parent."""
        name, *arguments = shlex.split(train.EXAMPLES[0])
        assert name == "causal-theory"
        summary = run_json(*arguments)["summary"]
        assert summary["edges"] == 10
        assert summary["mean_attention"] > 0.6
        assert (folder / "train.png").exists()


class TestMistakes:
    @pytest.mark.parametrize(("arguments", "message"), MISTAKES)
    def test_are_found_before_any_training(self, folder, monkeypatch, arguments, message):
        monkeypatch.setattr(
            DisentangledTransformer, "gradient_at", lambda *args, **kwargs: pytest.fail("trained before checking")
        )
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail("train", *arguments, "--npz", "t.npz", "--json")
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("option", ["--optimizer", "--schedule", "--recipe"])
    def test_unknown_choices(self, option):
        assert run("train", *SHORT, option, "newton").exit_code == 2

    def test_when_the_figure_fails_no_file_appears(self, folder, monkeypatch):
        def broken(self, *axes):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(TrainFigure, "draw", broken)
        with pytest.raises(OutputError, match=r"got 't\.png': No space left"):
            raise fail(*QUICK, "--csv", "t.csv", "--npz", "t.npz", "--plot", "t.png")
        assert list(folder.iterdir()) == []

    def test_help(self):
        text = " ".join(run("train", "--help").output.replace("│", " ").split())
        assert "Examples:" in text
        assert "the sections task, model and training" in text
        for name in TrainingSettings(1, 1, 1.0).given():
            assert f"--{name.replace('_', '-')}" in text
