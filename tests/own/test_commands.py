"""A prior, a graph family and a model in files of a user's: every command, sweeps, checkpoints, other processes."""

import inspect
import json
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import causal_theory as ct
from causal_theory.cli import COMMANDS, app
from causal_theory.sweeps import sweep
from causal_theory.sweeps.executors import ProcessPool
from causal_theory.sweeps.studies import PROVIDED

from .mixture_prior import Mixture
from .small_model import Small
from .test_own import EPSILON, GRAPH, LENGTH, SHORT, SYMBOLS, TASK

PLAIN = {"prior": "mixture_prior:Mixture", "graph": "comb_graph:comb", "model": "small_model:Small"}
PRIOR = ("--prior", PLAIN["prior"], "--symbols", SYMBOLS, "--prior-option", "share=0.4")
OWN_TASK = ("--graph", PLAIN["graph"], "--length", LENGTH, "--graph-option", "teeth=2", *PRIOR)
TRAINED = ("--model", PLAIN["model"], "--scale", 0.1, "--steps", 8, "--batch-size", 16, "--learning-rate", 0.5)
COMMAND_LINES = {
    "scores": (*OWN_TASK, "--draws", 3),
    "information": (*OWN_TASK, "--draws", 3),
    "dynamics": (*OWN_TASK, "--draws", 3, "--steps1", 3, "--steps2", 2),
    "train": (*OWN_TASK, *TRAINED, "--test-size", 32),
    "sample": (*OWN_TASK, "--size", 4),
    "assumptions": (*PRIOR, "--draws", 20),
    "falsify": ("--statement", "information_fades", "--family", PLAIN["graph"], "--budget", 3),
}
FORGOTTEN = [address.partition(":")[0] for address in PLAIN.values()]


def forget():
    for name in FORGOTTEN:
        sys.modules.pop(name, None)


@contextmanager
def own_folder(path):
    """A folder with the three files, which is the current one."""
    for name in FORGOTTEN:
        (path / f"{name}.py").write_text(Path(__file__).with_name(f"{name}.py").read_text("utf-8"), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        patch.chdir(path)
        forget()
        yield path
        forget()


@pytest.fixture
def folder(tmp_path):
    with own_folder(tmp_path) as path:
        yield path


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def content_of(*arguments):
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


class TestCommandLine:
    @pytest.mark.parametrize("name", COMMAND_LINES)
    def test_json_and_files(self, name, folder):
        outputs = [(f"--{kind}", f"out.{end}") for kind, end in (("csv", "csv"), ("npz", "npz"), ("plot", "svg"))]
        files = () if name == "falsify" else sum(outputs, ())
        content = content_of(name, *COMMAND_LINES[name], *files)
        assert all(Path(file).stat().st_size for file in files[1::2])
        text = json.dumps(content)
        if name != "falsify":
            assert '"kind": "mixture_prior:Mixture", "symbols": 3' in text
            assert '"share": 0.4' in text

    @pytest.mark.parametrize("name", COMMAND_LINES)
    def test_tables(self, name, folder):
        result = invoke(name, *COMMAND_LINES[name])
        assert result.exit_code == 0, (result.output, result.exception)
        assert "object at 0x" not in result.output

    def test_all_commands_are_here(self):
        taken = {"prior", "graph", "model", "family"}
        modules = {name: import_module(f"causal_theory.cli.{name.replace('-', '_')}") for name in COMMANDS}
        takes = {name for name, one in modules.items() if taken & set(inspect.signature(one.command).parameters)}
        assert takes == set(COMMAND_LINES)

    def test_scores_are_those_of_python(self, folder):
        rng = np.random.default_rng(2)
        found = content_of("scores", *COMMAND_LINES["scores"], "--seed", 2, "--epsilon", EPSILON)["scores"]["value"]
        task = ct.InContextTask(GRAPH, Mixture(SYMBOLS, share=0.4))
        assert found == ct.edge_scores(task, epsilon=EPSILON, draws=3, rng=rng).value.tolist()


@pytest.fixture(scope="class")
def place(tmp_path_factory):
    """The folder, and a process that was started there."""
    with own_folder(tmp_path_factory.mktemp("sweeps")) as path, ProcessPool(1) as pool:
        yield path, pool


class TestSweeps:
    @pytest.mark.parametrize("study", [one.__name__ for one in PROVIDED])
    def test_studies(self, study, place):
        """In another process, like here."""
        folder, pool = place
        signature = inspect.signature(next(one for one in PROVIDED if one.__name__ == study)).parameters
        values = {
            "length": LENGTH, "vocab_size": SYMBOLS, "shortest": 4, "longest": 8, "points": 2, "steps": 3,
            "batch_size": 8, "learning_rate": 0.1, "test_size": 16, **PLAIN,
            "prior": "mixture_prior:MixtureOfFewDraws",
        }  # fmt: skip
        grid = {name: [value] for name, value in values.items() if name in signature}
        here = sweep(study, grid, store=folder / f"{study}.sqlite", processes=0, progress=False)
        there = sweep(study, grid, store=folder / "there.sqlite", executor=pool, progress=False)
        for result in (here, there):
            assert (result.done, result.failed) == (1, 0), result.table().failures
        one, other = here.table(), there.table()
        for column in one.columns:
            np.testing.assert_array_equal(one[column], other[column])

    def test_command(self, folder):
        text = 'study = "margins"\n[grid]\nlength = [4, 5]\n[settings]\n' + "".join(
            f'{name} = "{PLAIN[name]}"\n' for name in ("prior", "graph")
        )
        (folder / "sweep.toml").write_text(text, "utf-8")
        assert content_of("sweep", "--config", "sweep.toml", "--processes", 0)["computed"] == 2


class Stop(Exception):
    """Raised in the middle of a run."""


class TestCheckpoints:
    def test_killed_half_way_and_resumed(self, tmp_path, monkeypatch):
        whole = ct.train_sgd(TASK, Small(LENGTH, SYMBOLS), **SHORT)
        path, original, calls = tmp_path / "run.npz", Small.gradient_at, []

        def counted(self, *arguments):
            calls.append(1)
            if len(calls) == 6:
                raise Stop
            return original(self, *arguments)

        with monkeypatch.context() as context:
            context.setattr(Small, "gradient_at", counted)
            with pytest.raises(Stop):
                ct.train_sgd(TASK, Small(LENGTH, SYMBOLS), checkpoint=path, every=2, **SHORT)
        with np.load(path) as archive:
            assert 0 < int(archive["step"]) < SHORT["steps"]
        resumed = ct.train_sgd(TASK, Small(LENGTH, SYMBOLS), checkpoint=path, every=2, resume=True, **SHORT)
        assert np.array_equal(resumed.model.parameters, whole.model.parameters)
        assert np.array_equal(resumed.losses, whole.losses)
        assert np.array_equal(resumed.test_losses, whole.test_losses)

    @pytest.mark.parametrize("module", ["mixture_prior", "small_model"])
    def test_edited_in_between(self, module, folder):
        line = ("train", *COMMAND_LINES["train"], "--checkpoint", "run.npz", "--resume")
        first = content_of(*line)
        assert content_of(*line)["runs"] == first["runs"]
        file = folder / f"{module}.py"
        file.write_text(file.read_text("utf-8") + "# Another version.\n", "utf-8")
        result = invoke(*line)
        assert re.search(rf"{module}.py', which was edited after it was loaded", str(result.exception))
        forget()
        result = invoke(*line)
        assert "must belong to the same version of the code unless" in str(result.exception)
        forget()
        assert content_of(*line, "--reuse-other-versions")["runs"][0]["status"] == "finished"


def scores_of(task):
    return ct.edge_scores(task, epsilon=EPSILON, draws=3, rng=5).value


def test_in_other_processes(folder):
    """Workers find the classes of a spec where this process found them."""
    spec = ct.TaskSpec(length=LENGTH, **{name: PLAIN[name] for name in ("prior", "graph")})
    task = spec.build()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there, again = pool.submit(scores_of, task).result(), pool.submit(ct.TaskSpec.build, spec).result()
    assert np.array_equal(there, scores_of(task))
    assert type(again.prior) is type(task.prior)
