"""``causal-theory train``: its runs are those of the API, presets, files of settings, checkpoints, mistakes."""

import json
import os
import re
import shlex
import signal
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
from causal_theory.cli.train_figure import TrainFigure
from causal_theory.errors import CausalTheoryError, InvalidArgumentError
from causal_theory.graphs.files import write_graph
from causal_theory.training import PRESETS, trainer
from causal_theory.training.outcome import rank_correlation

from .helpers import assert_close

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


class TestExample:
    def test_of_the_help(self, folder):
        """A chain is learned: most attention of every child row is on its parent."""
        name, *arguments = shlex.split(train.EXAMPLES[0])
        assert name == "causal-theory"
        summary = run_json(*arguments)["summary"]
        assert summary["edges"] == 10
        assert summary["mean_attention"] > 0.6
        assert (folder / "train.png").exists()
