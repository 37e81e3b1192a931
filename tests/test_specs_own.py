"""Choices of a user's own by name: priors, graphs and models as `module:name` in Python, commands, files and sweeps."""

import json
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from causal_theory import (
    CausalGraph,
    ModelSpec,
    TaskSpec,
    edge_scores,
)
from causal_theory.sweeps import sweep

from .test_specs import fail, run_json

OWN = '''
import numpy as np
from causal_theory import CausalGraph, DirichletPrior, DisentangledTransformer
from causal_theory.priors import Prior


class Mixture(Prior):
    """Half of the draws from each of two Dirichlet laws."""

    def __init__(self, symbols, concentration, other=1.0):
        self.symbols, self.concentration, self.other = symbols, concentration, other

    @property
    def vocab_size(self):
        return self.symbols

    @property
    def mean(self):
        return np.full((self.symbols, self.symbols), 1.0 / self.symbols)

    def sample(self, size, rng=None):
        generator = np.random.default_rng(rng)
        laws = (DirichletPrior(self.symbols, one) for one in (self.concentration, self.other))
        first, second = (law.sample(size, generator) for law in laws)
        return np.where(generator.random(size)[:, None, None] < 0.5, first, second)


def comb(length, teeth=2):
    """Every position follows the one before it, but the first of each tooth follows position 0."""
    return [-1] + [0 if i % teeth == 1 else i - 1 for i in range(1, length - 1)]


def fixed(length):
    return CausalGraph.star(length)


def wrong(length):
    return "no graph"


class Small(DisentangledTransformer):
    def __init__(self, length, vocab_size, scale=0.0, rng=None, factor=1.0):
        super().__init__(length, vocab_size, (1, 1), scale=factor * scale, rng=rng)


class Broken(Mixture):
    def __init__(self, symbols):
        raise ValueError("not today")


def nothing():
    return None


NUMBER = 3
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a module of a user's own into the current folder, under a new name for every test."""
    name = f"own_{abs(hash(str(tmp_path))):x}"
    (tmp_path / f"{name}.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


class TestOfOnesOwn:
    def test_prior_graph_and_model(self, own):
        spec = TaskSpec(
            graph=f"{own}:comb", length=6, graph_options={"teeth": 3}, prior=f"{own}:Mixture", symbols=3,
            concentration=0.5, prior_options={"other": 2.0},
        )  # fmt: skip
        task = TaskSpec.from_dict(json.loads(json.dumps(spec.to_dict()))).build(0)
        assert task.graph.parents == ((), (0,), (1,), (2,), (0,), ())
        assert (task.vocab_size, task.prior.concentration, task.prior.other) == (3, 0.5, 2.0)
        model = ModelSpec(kind=f"{own}:Small", scale=0.1, model_options={"factor": 0.0}).build(task, 0)
        assert (model.parameters == 0.0).all()
        assert TaskSpec(graph=f"{own}:fixed", length=5).build_graph() == CausalGraph.star(5)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--prior", "{}:Mixture"), "symbols, concentration must be given for prior {}:Mixture, got nothing"),
            (("--prior", "{}:Mixture", "--floor", 0.1), "floor must not be given together with prior {}:Mixture"),
            (("--prior", "{}:Mixture", "--prior-option", "othr=1"), "prior_options of {}:Mixture must be among other,"),
            (("--prior", "{}:Absent"), "prior must be module:Class of a module that can be imported"),
            (("--prior", "{}absent:Mixture"), "prior must be module:Class of a module that can be imported"),
            (("--prior", "{}:NUMBER"), "prior must be module:Class, got '{}:NUMBER', which is 3"),
            (
                ("--prior", "{}:Broken", "--symbols", 3),
                "prior must be one that can be made, got '{}:Broken': not today",
            ),
            (("--prior", "{}:nothing"), "prior must be a Prior, got '{}:nothing', which makes None"),
            (("--graph", "{}:wrong"), "graph must be a CausalGraph or a list of parents, got 'no graph'"),
            (("--graph", "{}:comb", "--order", 2), "order must not be given together with graph {}:comb, got 2"),
            (("--graph", "{}:comb", "--graph-option", "tooth=2"), "graph_options of {}:comb must be among teeth, got"),
        ],
    )
    def test_mistakes_are_one_line(self, own, arguments, message):
        given = [str(word).replace("{}", own) for word in arguments]
        assert re.search(message.replace("{}", own), fail("sample", *given))

    @pytest.mark.compiled
    def test_every_command_takes_them(self, own):
        prior = ("--prior", f"{own}:Mixture", "--symbols", 3, "--concentration", 0.5, "--prior-option", "other=2")
        task = ("--graph", f"{own}:comb", "--length", 5, *prior)
        kind = {"kind": f"{own}:Mixture", "symbols": 3, "concentration": 0.5, "other": 2}
        scores = run_json("scores", *task, "--draws", 4, "--seed", 2)
        rng = np.random.default_rng(2)
        spec = TaskSpec(
            graph=f"{own}:comb", length=5, prior=f"{own}:Mixture", symbols=3, concentration=0.5,
            prior_options={"other": 2},
        )  # fmt: skip
        expected = edge_scores(spec.build(rng), epsilon=0.01, draws=4, rng=rng)
        assert scores["scores"]["value"] == expected.value.tolist()
        assert scores["task"]["prior"].items() >= kind.items()
        assert run_json("information", *task, "--draws", 4)["task"]["parents"] == [-1, 0, 1, 0, -1]
        assert run_json("dynamics", *task, "--draws", 2, "--steps1", 3, "--steps2", 1)["draws"] == 2
        assert len(run_json("sample", *task)["tokens"]) == 10
        assert run_json("assumptions", *prior, "--draws", 20)["prior"].items() >= kind.items()
        short = ("--steps", 2, "--batch-size", 4, "--learning-rate", 0.1, "--test-size", 4)
        trained = run_json("train", *task, *short, "--model", f"{own}:Small", "--model-option", "factor=2")
        assert trained["runs"][0]["task"]["prior"].items() >= kind.items()

    @pytest.mark.compiled
    def test_in_a_file(self, own, tmp_path):
        folder = tmp_path / "sub"
        folder.mkdir()
        (folder / "beside_it.py").write_text(OWN, encoding="utf-8")
        (folder / "run.toml").write_text(
            '[task]\nlength = 5\nprior = "beside_it:Mixture"\nsymbols = 3\nconcentration = 0.5\n'
            "[task.prior_options]\nother = 2.0\n"
            "[training]\nsteps = 2\nbatch_size = 4\nlearning_rate = 1\ntest_size = 4\n",
            encoding="utf-8",
        )
        content = run_json("train", "--config", "sub/run.toml")
        assert content["runs"][0]["task"]["prior"]["other"] == 2.0
        assert content["settings"]["learning_rate"] == 1.0

    @pytest.mark.compiled
    def test_in_other_processes(self, own):
        spec = TaskSpec(length=5, prior=f"{own}:Mixture", symbols=3, concentration=0.5)
        task = spec.build()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            there = pool.submit(edge_scores, task, epsilon=0.1, draws=4, rng=1).result()
            again = pool.submit(TaskSpec.build, spec).result()
        assert there.value.tolist() == edge_scores(task, epsilon=0.1, draws=4, rng=1).value.tolist()
        assert type(again.prior) is type(task.prior)

    @pytest.mark.compiled
    def test_in_a_sweep(self, own, tmp_path):
        grid = {"prior": [f"{own}:Mixture", "dirichlet"], "length": [5]}
        result = sweep("margins", grid, store=tmp_path / "s.sqlite", processes=1)
        assert (result.done, result.failed) == (2, 0), result.table().failures
        rows = result.table()
        assert rows["smallest"][0] != rows["smallest"][1]
