"""The standard transformer in training and on the command line: what is promised of any model, and without PyTorch.

Without PyTorch only its absence can be looked at; the other tests are skipped.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from causal_theory import CausalGraph, DirichletPrior, InContextTask, StandardTransformer, train_sgd
from causal_theory.cli import app
from causal_theory.errors import InvalidArgumentError
from causal_theory.training import find_preset, trainer

from .helpers import assert_close

pytestmark = pytest.mark.compiled

ROOT = Path(__file__).parent.parent
TASK = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.1))
SHORT = {"steps": 40, "batch_size": 32, "learning_rate": 0.01, "optimizer": "adamw", "test_size": 64}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="needs the optional extra torch")


needs_torch = pytest.mark.usefixtures("torch")


@needs_torch
class TestTraining:
    @pytest.mark.parametrize("residual", ["joint", "each"])
    def test_lowers_the_loss(self, residual):
        """By more than what the held-out sequences leave open."""
        task = InContextTask(CausalGraph.chain(6), DirichletPrior(3, 0.1))
        model = StandardTransformer(6, 3, residual=residual, rng=0)
        run = train_sgd(task, model, **(SHORT | {"steps": 300, "batch_size": 64, "test_size": 1024}), rng=0)
        assert run.status == "finished"
        assert_close(run.test_losses[0], np.log(3.0), rtol=1e-12)
        assert run.test_losses[-1] < run.test_losses[0] - 10.0 * run.test_errors[-1]
        assert run.attention_on_parents.shape == (1, 6)

    def test_same_seed_same_bits(self):
        one, same, other = (
            train_sgd(TASK, StandardTransformer(6, 3, rng=seed), **SHORT, rng=seed) for seed in (0, 0, 1)
        )
        assert np.array_equal(one.model.parameters, same.model.parameters)
        assert np.array_equal(one.test_losses, same.test_losses)
        assert not np.array_equal(one.model.parameters, other.model.parameters)

    @pytest.mark.parametrize("precision", ["float64", "float32"])
    def test_resumes_to_the_last_bit(self, precision, tmp_path, monkeypatch):
        model = StandardTransformer(6, 3, precision=precision, rng=0)
        whole = train_sgd(TASK, model, **SHORT, rng=0)

        class Bar(trainer.ProgressBar):
            def update(self, done, note=""):
                if done == 17:
                    signal.raise_signal(signal.SIGINT)  # in this thread, not in one of PyTorch

        path = tmp_path / "run.npz"
        with monkeypatch.context() as patch:
            patch.setattr(trainer, "ProgressBar", Bar)
            with pytest.raises(KeyboardInterrupt):
                train_sgd(TASK, model, **SHORT, rng=0, checkpoint=path, every=100)
        with np.load(path) as kept:
            assert kept["step"] == 17
        again = train_sgd(TASK, model, **SHORT, rng=0, checkpoint=path, resume=True)
        assert np.array_equal(again.model.parameters, whole.model.parameters)
        assert np.array_equal(again.test_losses, whole.test_losses)
        assert np.array_equal(again.attention, whole.attention)

    @pytest.mark.parametrize(("name", "value"), [("residual", "each"), ("precision", "float32"), ("heads", (2, 1))])
    def test_checkpoint_of_another_model_is_refused(self, name, value, tmp_path):
        path = tmp_path / "run.npz"
        train_sgd(TASK, StandardTransformer(6, 3, rng=0), **(SHORT | {"steps": 2}), rng=0, checkpoint=path)
        other = StandardTransformer(6, 3, rng=0, **{name: value})
        with pytest.raises(InvalidArgumentError, match=f"must belong to the same run, got model {name} ="):
            train_sgd(TASK, other, **(SHORT | {"steps": 2}), rng=0, checkpoint=path, resume=True)

    def test_two_stages_are_refused(self):
        with pytest.raises(
            InvalidArgumentError, match="recipe must be 'joint' for a model with the matrices embedding"
        ):
            train_sgd(TASK, StandardTransformer(6, 3, rng=0), **(SHORT | {"recipe": "two_stage"}))


class TestPreset:
    def test_is_the_published_one(self):
        preset = find_preset("paper-standard")
        sizes = preset.task.length, preset.task.symbols, preset.task.concentration, preset.graphs
        assert sizes == (20, 10, 0.1, 1)
        model = preset.model.complete()
        assert (model.kind, model.heads, model.scale) == ("standard", (1, 1), 0.0)
        (task,) = preset.tasks()
        assert task.graph == CausalGraph.chain(20)
        settings = preset.settings
        assert (settings.steps, settings.batch_size, settings.learning_rate) == (4096, 1024, 0.01)
        assert (settings.optimizer, settings.schedule, settings.weight_decay) == ("adamw", "cosine", 2e-4)

    @needs_torch
    def test_model(self):
        preset = find_preset("paper-standard")
        model = preset.model.build(preset.tasks()[0], 3)
        assert isinstance(model, StandardTransformer)
        assert model.residual == "joint"
        assert np.array_equal(model.parameters, StandardTransformer(20, 10, rng=3).parameters)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@needs_torch
class TestCommand:
    QUICK = ("train", "--preset", "paper-standard", "--steps", 4, "--batch-size", 8, "--test-size", 16, "--seed", 2)

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def test_is_the_run_of_the_preset(self):
        result = run(*self.QUICK, "--json", "--npz", "run.npz", "--plot", "run.png")
        assert result.exit_code == 0, result.output
        content = json.loads(result.stdout)
        rng = np.random.default_rng(2)
        preset = find_preset("paper-standard")
        (task,) = preset.tasks(rng)
        settings = asdict(replace(preset.settings, steps=4, batch_size=8, test_size=16))
        expected = train_sgd(task, preset.model.build(task, rng), rng=rng, **settings)
        (one,) = content["runs"]
        assert one["losses"] == expected.losses.tolist()
        assert np.array_equal(
            np.array(one["attention_on_parents"], dtype=np.float64), expected.attention_on_parents, equal_nan=True
        )
        assert content["model"]["kind"] == "standard"
        assert content["model"]["start"] == {"scale": 0.0}
        assert content["changed_settings"] == {"steps": [4, 4096], "batch_size": [8, 1024]}
        with np.load("run.npz") as arrays:
            assert np.array_equal(arrays["parameters"], [expected.model.parameters])
            assert np.array_equal(arrays["layer2_values"], [expected.model.layers[1].values])
            assert np.array_equal(arrays["position_embedding"], [expected.model.position_embedding])
        assert Path("run.png").stat().st_size > 10_000

    def test_says_what_it_trained(self):
        result = run(*self.QUICK, "--residual", "each", "--heads", "2,1", "--plot", "run.png")
        assert result.exit_code == 0, result.output
        said = " ".join(result.output.split())
        assert "training (standard, heads 2,1, residual each, precision float64; adamw" in said
        assert "mean attention on the parents" in said
        assert "heads [2, 1] instead of [1, 1], residual each instead of joint" in said

    def test_goes_on_from_its_checkpoint(self):
        whole = json.loads(run(*self.QUICK, "--json").stdout)
        assert run(*self.QUICK, "--checkpoint", "c.npz", "--every", 2, "--json").exit_code == 0
        content = json.loads(run(*self.QUICK, "--checkpoint", "c.npz", "--resume", "--json").stdout)
        assert content["runs"][0]["test_losses"] == whole["runs"][0]["test_losses"]

    def test_from_a_file(self):
        Path("run.toml").write_text(
            '[task]\nlength = 5\nsymbols = 3\n[model]\nkind = "standard"\nresidual = "each"\nscale = 0.2\n'
            "[training]\nsteps = 2\nbatch_size = 4\nlearning_rate = 0.01\ntest_size = 8\n",
            encoding="utf-8",
        )
        content = json.loads(run("train", "--config", "run.toml", "--json").stdout)
        assert content["model"]["residual"] == "each"
        assert content["model"]["start"] == {"scale": 0.2}
        # Another model takes along what only the replaced one has.
        content = json.loads(run("train", "--config", "run.toml", "--model", "disentangled", "--json").stdout)
        assert content["model"]["kind"] == "disentangled"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--beta0", 1), "beta0 must not be given together with model standard, got 1.0; it belongs to reduced"),
            (
                ("--epsilon", 1),
                "epsilon must not be given together with model standard, got 1.0; it belongs to reduced",
            ),
            (
                ("--model", "disentangled", "--residual", "each"),
                "residual must not be given together with model disentangled, got 'each'",
            ),
            (("--recipe", "two-stage"), "recipe must be 'joint' for a model with the matrices embedding"),
        ],
    )
    def test_options_of_other_models_are_refused(self, arguments, message):
        result = run(*self.QUICK, *arguments)
        assert isinstance(result.exception, InvalidArgumentError)
        assert message in str(result.exception)


class TestWithoutTorch:
    """In processes that cannot import it."""

    @pytest.fixture
    def call(self, tmp_path):
        (tmp_path / "torch.py").write_text("raise ImportError('not here')\n", encoding="utf-8")

        def call(*arguments):
            return subprocess.run(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )

        return call

    def test_the_package_does_without(self, call):
        done = call(
            "-c", "import causal_theory, causal_theory.cli, causal_theory.training, sys; print('torch' in sys.modules)"
        )
        assert done.stdout.strip() == "False", done.stderr

    def test_a_model_says_what_is_missing(self, call):
        done = call("-c", "from causal_theory import StandardTransformer; StandardTransformer(4, 2)")
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("ImportError: the standard transformer needs PyTorch")
        assert 'pip install ".[torch]"' in last

    def test_bad_shapes_are_told_first(self, call):
        done = call("-c", "from causal_theory import StandardTransformer; StandardTransformer(1, 2)")
        assert "length must be an integer of at least 2" in done.stderr.strip().splitlines()[-1]

    def test_the_command_says_so_before_any_work(self, call, tmp_path):
        code = "from causal_theory.cli import main; main()"
        path = tmp_path / "c.npz"
        done = call("-c", code, "train", "--preset", "paper-standard", "--checkpoint", str(path))
        assert done.returncode == 2
        assert done.stderr.startswith("error: model must be another one than standard without what it needs: the")
        assert 'pip install ".[torch]"' in done.stderr
        assert not path.exists()
