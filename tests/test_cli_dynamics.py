"""``causal-theory dynamics``: its numbers are those of the API, its files agree, mistakes and divergence are plain."""

import json
from csv import DictReader

import numpy as np
import pytest
from typer.testing import CliRunner

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    OrbitPrior,
    PointPrior,
    counts_rule_loss,
    edge_scores,
    excess_loss,
    loss_floor,
    parent_attention_loss,
    unigram_loss,
)
from causal_theory.cli import app, dynamics
from causal_theory.cli.output import Outputs, figure
from causal_theory.dynamics import Stage1, Stage2, stage2, train_population
from causal_theory.errors import CausalTheoryError, InvalidArgumentError, OutputError, TooLargeError
from causal_theory.graphs.files import write_graph
from causal_theory.priors.drawn import DrawnPrior

from .helpers import assert_close

MATRIX = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]
TEXT = json.dumps(MATRIX)
ORBIT = ("--prior", "orbit", "--transition", TEXT)
POINT = ("--prior", "point", "--transition", TEXT)
QUICK = ("dynamics", "--length", 6, *ORBIT, "--steps2", 3)
ARRAYS = {
    "stage1": ("A1", "steps", "attention_on_parents", "root_deviation"),
    "stage2": ("A2", "losses", "trajectory"),
}


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
    for stage, names in ARRAYS.items():
        api = getattr(expected, stage)
        assert content[stage]["status"] == api.status
        for name in names:
            assert np.array_equal(as_array(content[stage][name]), as_array(getattr(api, name)), equal_nan=True), name


class TestTraining:
    @pytest.mark.parametrize("method", ["first-order", "flow", "exact"])
    @pytest.mark.parametrize("path", ["full", "one-parameter"])
    def test_equals_the_api(self, method, path):
        content = run_json(
            *("dynamics", "--graph", "binary-tree", "--length", 6, *POINT, "--epsilon", 0.05, "--beta0", 0.02),
            *("--steps1", 40, "--natural-rate1", 0.5, "--method", method, "--leave", 0.05),
            *("--steps2", 4, "--natural-rate2", 1.5, "--path", path),
        )
        task = InContextTask(CausalGraph.binary_tree(6), PointPrior(MATRIX))
        largest = edge_scores(task, epsilon=0.05).value.max()
        first = Stage1(
            steps=40,
            learning_rate=0.5 * (6 / (0.02 * largest)),
            beta0=0.02,
            method=method.replace("-", "_"),
            leave=0.05,
        )
        second = Stage2(steps=4, learning_rate=4.5, path=path.replace("-", "_"))
        assert content["settings"] == {"stage1": first.to_dict(), "stage2": second.to_dict()}
        assert_same_run(content, train_population(task, epsilon=0.05, stage1=first, stage2=second))

    def test_json_suffices_to_repeat_the_run(self):
        content = run_json(
            "dynamics", "--graph", "pairs", "--length", 7, "--root-law", "uniform", *ORBIT, "--steps2", 3
        )
        told = content["task"]
        assert told["prior"]["kind"] == "orbit"
        task = InContextTask(
            CausalGraph.from_parents(told["parents"][:-1]), OrbitPrior(told["prior"]["transition"]), told["root_law"]
        )
        settings = content["settings"]
        again = train_population(
            task,
            epsilon=content["epsilon"],
            stage1=Stage1(**settings["stage1"]),
            stage2=Stage2(**settings["stage2"]),
        )
        assert content["draws"] is None
        assert_same_run(content, again)

    @pytest.mark.parametrize("symbols", [2, 3])
    def test_draws_of_a_dirichlet_prior(self, symbols):
        content = run_json(
            *("dynamics", "--graph", "random-forest", "--length", 8, "--root-probability", 0.3, "--seed", 7),
            *("--symbols", symbols, "--concentration", 0.5, "--floor", 0.1, "--draws", 4, "--steps2", 2),
        )
        rng = np.random.default_rng(7)
        graph = CausalGraph.random_forest(8, 0.3, rng)
        prior = DrawnPrior(DirichletPrior(symbols, 0.5, floor=0.1), 4, rng)
        settings = content["settings"]
        again = train_population(
            InContextTask(graph, prior),
            epsilon=1.0 / 8,
            stage1=Stage1(**settings["stage1"]),
            stage2=Stage2(**settings["stage2"]),
        )
        assert (content["draws"], content["seed"]) == (4, 7)
        assert content["task"]["prior"]["kind"] == "dirichlet"
        assert_same_run(content, again)

    def test_epsilon_is_one_over_the_length(self, folder):
        write_graph(folder / "graph.json", CausalGraph.chain(5))
        assert run_json("dynamics", "--graph-file", "graph.json", *ORBIT, "--steps2", 1)["epsilon"] == 0.2
        assert "(default 1/T, T the tokens)" in " ".join(run("dynamics", "--help").output.replace("│", " ").split())

    def test_unit_of_the_first_learning_rate_is_that_of_the_context(self):
        """The row of the query, which holds the largest score by far here, does not set the scale."""
        matrix = [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]]
        task = InContextTask(CausalGraph.chain(6), PointPrior(matrix))
        scores = np.abs(edge_scores(task, epsilon=1.0 / 6).value)
        assert scores[-1].max() > 2.0 * scores[:-1].max()
        arguments = ("dynamics", "--length", 6, "--prior", "point", "--transition", json.dumps(matrix), "--steps2", 1)
        rate = run_json(*arguments, "--natural-rate1", 3)["settings"]["stage1"]["learning_rate"]
        assert_close(rate, 3 * 6 / (0.01 * scores[1:-1].max()), rtol=1e-14)

    def test_plain_rates_are_taken_as_they_are(self):
        content = run_json(*QUICK, "--steps1", 5, "--learning-rate1", 700, "--learning-rate2", 2.5)
        stages = content["settings"]
        assert (stages["stage1"]["learning_rate"], stages["stage2"]["learning_rate"]) == (700.0, 2.5)
        assert (content["natural_rate1"], content["natural_rate2"]) == (None, None)
        task = InContextTask(CausalGraph.chain(6), OrbitPrior(MATRIX))
        first, second = Stage1(steps=5, learning_rate=700.0), Stage2(steps=3, learning_rate=2.5)
        assert_same_run(content, train_population(task, epsilon=1 / 6, stage1=first, stage2=second))

    def test_natural_rates_are_those_of_python(self):
        content = run_json(*QUICK, "--steps1", 5, "--natural-rate1", 0.3, "--natural-rate2", 2.0)
        task = InContextTask(CausalGraph.chain(6), OrbitPrior(MATRIX))
        first, second = Stage1(steps=5, natural_rate=0.3), Stage2(steps=3, natural_rate=2.0)
        assert first.learning_rate is None
        assert_same_run(content, train_population(task, epsilon=1 / 6, stage1=first, stage2=second))
        assert content["settings"]["stage2"]["learning_rate"] == 6.0

    def test_nothing_sets_a_scale_without_a_row_of_several_keys(self):
        """The score of position 0 with itself is roundoff, which must not become the unit."""
        matrix = "[[0.9, 0.1], [0.2, 0.8]]"
        content = run_json("dynamics", "--length", 2, "--prior", "point", "--transition", matrix, "--steps2", 1)
        assert_close(content["settings"]["stage1"]["learning_rate"], 0.1 * 2 / 0.01, rtol=1e-14)

    def test_the_scale_of_beta0_does_not_matter_to_first_order(self):
        first, second = (run_json(*QUICK, "--beta0", beta0)["stage1"] for beta0 in (0.01, 0.04))
        assert_close(first["A1"], second["A1"], rtol=1e-9, atol=1e-12)
        assert first["steps"] == second["steps"]

    def test_no_logit_moves_by_more_than_half_the_rate(self):
        """``|a_j (G_j - sum_k a_k G_k)| <= 2 a_j (1 - a_j) max|G| <= max|G| / 2``."""
        one = np.abs(run_json(*QUICK, "--steps1", 1, "--natural-rate1", 0.8)["stage1"]["A1"])
        assert 0.05 < one[:-1].max() <= 0.4

    def test_defaults_converge(self):
        """The promise of the help: about 20 T steps in stage 1, and a second stage that has settled."""
        content = run_json("dynamics", "--graph", "chain", *ORBIT)
        assert content["stage1"]["status"] == "converged"
        assert 15 * 20 < content["stage1"]["slowest_child"] < 30 * 20
        losses = content["stage2"]["losses"]
        assert losses[-3] - losses[-1] < 0.01 * (losses[0] - losses[-1])


class TestSummaries:
    def test_stage1(self):
        content = run_json("dynamics", "--graph", "pairs", "--length", 8, *ORBIT, "--steps2", 1, "--leave", 0.2)
        stage = content["stage1"]
        steps = np.array(stage["steps"])
        attention, deviation = as_array(stage["attention_on_parents"]), as_array(stage["root_deviation"])
        assert steps.tolist() == list(range(len(steps)))  # every step is recorded, so that marks can be read off
        assert stage["slowest_child"] == np.flatnonzero((attention[:, 1:-1:2] >= 1 - 1 / 8).all(axis=1))[0]
        assert stage["fastest_root"] == np.flatnonzero((deviation[:, :-1:2] > 0.2).any(axis=1))[0]
        assert stage["window"] == stage["fastest_root"] - stage["slowest_child"]
        assert stage["smallest_attention_on_parent"] == attention[-1, [1, 3, 5]].min()
        assert stage["largest_root_deviation"] == deviation[-1, [2, 4, 6]].max()
        assert stage["query_deviation"] == deviation[-1, 7]
        assert stage["last_step"] == steps[-1]

    def test_what_is_not_reached_is_null(self):
        stage = run_json("dynamics", "--length", 6, *ORBIT, "--steps1", 5, "--steps2", 1)["stage1"]
        assert stage["status"] == "stopped"
        assert stage["last_step"] == 5
        unknown = ("slowest_child", "fastest_root", "window", "largest_root_deviation", "diverged_at")
        assert all(stage[name] is None for name in unknown)

    def test_stage2(self):
        stage = run_json("dynamics", "--length", 6, *POINT, "--steps2", 9)["stage2"]
        A2 = as_array(stage["A2"])
        basis = np.stack([np.eye(3).ravel(), np.ones(9)], axis=1)
        _, (square,), _, _ = np.linalg.lstsq(basis, A2.ravel())
        assert stage["distance_from_span"] > 0.1
        assert_close(stage["distance_from_span"], np.sqrt(square), rtol=1e-12)
        assert_close(stage["mean_diagonal"], np.trace(A2) / 3, rtol=1e-14)
        assert_close(stage["mean_off_diagonal"], (A2.sum() - np.trace(A2)) / 6, rtol=1e-12)
        assert (stage["steps"], stage["first_loss"], stage["last_loss"]) == (9, stage["losses"][0], stage["losses"][-1])

    def test_few_draws_break_no_symmetry(self):
        stage = run_json("dynamics", "--length", 6, "--symbols", 3, "--draws", 2, "--steps2", 5)["stage2"]
        assert stage["mean_diagonal"] - stage["mean_off_diagonal"] > 0.1
        assert stage["distance_from_span"] < 1e-12

    @pytest.mark.parametrize("prior", ["orbit", "dirichlet"])
    def test_losses(self, prior):
        rng = np.random.default_rng(3)
        if prior == "orbit":
            task, arguments = InContextTask(CausalGraph.chain(6), OrbitPrior(MATRIX)), ORBIT
        else:
            task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 1.0))
            arguments = ("--symbols", 3, "--draws", 5)
        content = run_json(
            *("dynamics", "--length", 6, *arguments, "--seed", 3, "--steps2", 3, "--smoothing", 0.5, "--epsilon", 0.1)
        )
        if prior == "dirichlet":
            task = InContextTask(task.graph, DrawnPrior(task.prior, 5, rng))
        A2 = content["stage2"]["A2"]
        trained = parent_attention_loss(task, A2, epsilon=0.1)
        expected = {
            "trained": trained,
            "floor": loss_floor(task),
            "counts_rule": counts_rule_loss(task, smoothing=0.5),
            "unigram": unigram_loss(task, smoothing=0.5),
        }
        found = content["losses"]
        for name, loss in expected.items():
            assert found[name]["loss"] == {"value": float(loss), "error": float(loss.error), "method": loss.method}
            assert found[name]["excess"] == float(loss) - float(expected["floor"])
        assert found["uniform"]["loss"]["value"] == np.log(3)
        # f + eps sums to 1 + 3 eps.
        assert_close(found["trained_normalised"]["loss"]["value"], float(trained) + np.log(1.3), rtol=1e-14)
        assert_close(found["trained"]["loss"]["value"], content["stage2"]["last_loss"], rtol=1e-12)
        excess = excess_loss(task, A2, epsilon=0.1)
        assert_close([content["excess"]["value"], content["excess"]["error"]], [excess.value, excess.error], rtol=1e-14)


class TestOutputs:
    def test_files(self, folder):
        arguments = ("--csv", "d.csv", "--npz", "d.npz", "--plot", "d.png")
        content = run_json(*QUICK, *arguments)
        with open("d.csv", encoding="utf-8", newline="") as file:
            rows = list(DictReader(file))
        assert [int(row["step"]) for row in rows] == [0, 1, 2, 3]
        assert [float(row["loss"]) for row in rows] == content["stage2"]["losses"]
        shifts = [float(row["loss_normalised"]) - float(row["loss"]) for row in rows]
        assert_close(shifts, np.full(4, np.log(1.5)), rtol=1e-12)
        for name in ("floor", "counts_rule", "unigram", "uniform"):
            assert {float(row[name]) for row in rows} == {content["losses"][name]["loss"]["value"]}
        with np.load("d.npz") as arrays:
            for stage, names in ARRAYS.items():
                for name in names:
                    assert np.array_equal(arrays[name], as_array(content[stage][name]), equal_nan=True), name
            assert arrays["parents"].tolist() == content["task"]["parents"]
            for name, entry in content["losses"].items():
                assert arrays[f"loss_{name}"].tolist() == [entry["loss"]["value"], entry["loss"]["error"]]
        assert (folder / "d.png").read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in folder.iterdir()) == ["d.csv", "d.npz", "d.png"]

    @pytest.mark.parametrize(("name", "start"), [("d.svg", b"<?xml"), ("d.pdf", b"%PDF"), ("d.eps", b"%!PS")])
    def test_figure_formats(self, folder, name, start):
        run_json(*QUICK, "--plot", name)
        assert (folder / name).read_bytes().startswith(start)

    def test_figure_has_four_panels(self, monkeypatch):
        panels = []
        draw = dynamics.DynamicsReport.draw
        monkeypatch.setattr(
            dynamics.DynamicsReport, "draw", lambda self, *axes: panels.extend(axes) or draw(self, *axes)
        )
        run_json(*QUICK, "--plot", "d.png")
        assert [ax.get_title() for ax in panels] == [
            "stage 1: child rows",
            "stage 1: root rows",
            "stage 2: loss",
            "second attention matrix",
        ]
        written = [text.get_text() for text in panels[2].texts]
        assert [" ".join(text.split()[:-1]) for text in written] == [
            "entropy floor",
            "counts rule",
            "uniform, log S",
            "unigram",
        ]

    @pytest.mark.parametrize("length", [2, 3])
    def test_smallest_tasks(self, length):
        """A graph without edges, and one without root rows."""
        result = run("dynamics", "--length", length, *ORBIT, "--steps2", 1, "--plot", "d.png")
        assert result.exit_code == 0, result.output
        assert ("no child rows" in result.output) == (length == 2)
        assert "only position 0" in result.output

    def test_tables_fit_eighty_columns(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        result = run("dynamics", "--graph", "pairs", "--length", 8, "--symbols", 3, "--draws", 2, "--steps2", 2)
        assert result.exit_code == 0, result.output
        assert max(map(len, result.output.splitlines())) <= 80
        for text in (
            "every child row at 1 - 1/T = 0.875",
            "first root row 0.1 from uniform",
            "distance of A2 from span{I, 11^T}",
            "the same, normalised",
            "entropy floor",
            "counts rule",
            "unigram",
            "uniform, log S",
            "averages over the same matrices",
        ):
            assert text in result.output

    def test_files_are_named(self):
        result = run(*QUICK, "--csv", "losses.csv")
        assert result.output.splitlines()[-1] == "wrote losses.csv"


class TestDivergence:
    @pytest.fixture
    def content(self, monkeypatch):
        """The result of a second stage that leaves the allowed range after a few steps."""
        monkeypatch.setattr(stage2, "OVERFLOW", 1.0)
        return run_json(*QUICK, "--steps2", 40, "--csv", "d.csv", "--npz", "d.npz", "--plot", "d.png", status=1)

    def test_what_came_before_is_written(self, content, folder):
        at = content["stage2"]["diverged_at"]
        assert content["stage2"]["status"] == "diverged"
        assert 1 < at < 40
        assert len(content["stage2"]["losses"]) == at
        assert content["stage1"]["status"] == "converged"
        with open("d.csv", encoding="utf-8", newline="") as file:
            assert [float(row["loss"]) for row in DictReader(file)] == content["stage2"]["losses"]
        with np.load("d.npz") as arrays:
            assert arrays["trajectory"].shape == (at, 3, 3)
        assert (folder / "d.png").read_bytes().startswith(b"\x89PNG")

    def test_second_stage_is_told(self):
        result = run(*QUICK, "--natural-rate2", 1e6)
        assert result.exit_code == 1
        output = " ".join(result.output.split())
        assert (
            "stage 2 diverged at step 1: shown is what came before; a smaller --natural-rate2 or --learning-rate2 may "
            "help" in output
        )
        assert "diverged, last step 0" in output

    def test_first_stage_is_told(self):
        arguments = (*QUICK, "--beta0", 500, "--natural-rate1", 1e308)
        result = run(*arguments)
        assert result.exit_code == 1
        output = " ".join(result.output.split())
        assert "stage 1 diverged at step 1" in output
        assert "not before it diverged" in output
        content = run_json(*arguments, status=1)
        assert (content["stage1"]["status"], content["stage1"]["diverged_at"]) == ("diverged", 1)
        assert content["stage2"]["status"] == "stopped"


MISTAKES = [
    (("--epsilon", "0"), "epsilon must be a finite number greater than 0, got 0.0"),
    (("--smoothing", "-1"), "smoothing must be a finite number greater than 0, got -1.0"),
    (("--beta0", "0"), "beta0 must be a finite number greater than 0, got 0.0"),
    (("--steps1", "0"), "steps1 must be an integer of at least 1, got 0"),
    (("--steps2", "0"), "steps2 must be an integer of at least 1, got 0"),
    (("--learning-rate1", "nan"), "learning_rate1 must be a finite number greater than 0, got nan"),
    (("--natural-rate2", "-1"), "natural_rate2 must be a finite number greater than 0, got -1.0"),
    (("--natural-rate1", "1", "--learning-rate1", "2"), "natural_rate must not be given together with learning_rate"),
    (("--natural-rate2", "1e308"), "learning_rate must be a finite number greater than 0, got inf"),
    (("--leave", "0"), "leave must be a finite number greater than 0, got 0.0"),
    (("--draws", "1"), "draws must be an integer of at least 2, got 1"),
    (("--length", "1"), "length must be an integer of at least 2, got 1"),
    (("--root-probability", "0.5"), "root_probability must not be given together with graph chain"),
    (("--transition", TEXT), "transition must not be given together with prior dirichlet"),
    (("--plot", "d.bmp"), "plot must end in one of"),
    (("--csv", "no/such/d.csv"), "csv must be in a folder that exists"),
    (("--csv", "d.npz"), "output files must differ"),
]


class TestMistakes:
    @pytest.mark.parametrize(("arguments", "message"), MISTAKES)
    def test_are_found_before_any_training(self, folder, monkeypatch, arguments, message):
        monkeypatch.setattr(dynamics, "train_population", lambda *args, **kwargs: pytest.fail("trained first"))
        with pytest.raises(InvalidArgumentError, match=message):
            raise fail("dynamics", *arguments, "--npz", "d.npz", "--json")
        assert list(folder.iterdir()) == []

    def test_enumeration_that_is_too_long(self, folder):
        with pytest.raises(TooLargeError, match=r"S\^T = 3\^40"):
            raise fail("dynamics", "--length", 40, *ORBIT, "--method", "exact", "--csv", "d.csv")
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("option", ["--method", "--path"])
    def test_unknown_choices(self, option):
        assert run("dynamics", option, "newton").exit_code == 2

    def test_when_the_figure_fails_no_file_appears(self, folder, monkeypatch):
        def broken(self, *axes):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(dynamics.DynamicsReport, "draw", broken)
        with pytest.raises(OutputError, match=r"got 'd\.png': No space left"):
            raise fail(*QUICK, "--csv", "d.csv", "--npz", "d.npz", "--plot", "d.png")
        assert list(folder.iterdir()) == []


def test_figure_hands_out_a_grid_row_by_row(folder):
    places = []

    def draw(*axes):
        places.extend((ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in axes)

    with open("grid.png", "wb") as file:
        figure(draw, Outputs(None, None, folder / "grid.png"), grid=(2, 3))(file)
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
