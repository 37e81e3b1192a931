"""Files of settings for ``causal-theory train``, and mistakes in options."""

import pytest

from causal_theory import (
    CausalGraph,
    DisentangledTransformer,
)
from causal_theory.cli.train_config import Choices, make_plan
from causal_theory.cli.train_figure import TrainFigure
from causal_theory.errors import FileFormatError, InvalidArgumentError, OutputError
from causal_theory.graphs.files import write_graph
from causal_theory.training import TrainingSettings
from tests.test_cli_train import MATRIX, QUICK, SHORT, TEXT, fail, only, run, run_json


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
