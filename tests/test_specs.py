"""Tasks and models as data: one reader for Python, the command line, TOML and JSON, and choices of a user's own."""

import json
import pickle
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from typing import Annotated

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from causal_theory import (
    CausalGraph,
    DirichletPrior,
    InContextTask,
    ModelSpec,
    OrbitPrior,
    ReducedTransformer,
    TaskSpec,
    TrainingSettings,
    edge_scores,
)
from causal_theory.choices import REQUIRED, Choice, Registry
from causal_theory.cli import app
from causal_theory.cli.splice import spliced
from causal_theory.cli.train_config import read_config
from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs.families import FAMILIES
from causal_theory.priors.by_name import PRIORS
from causal_theory.specs import PriorSpec, Spec
from causal_theory.specs.base import options_of
from causal_theory.sweeps import find_study, sweep
from causal_theory.sweeps.studies.parameters import parameters

MATRIX = ((0.2, 0.7, 0.1), (0.1, 0.5, 0.4), (0.6, 0.1, 0.3))

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


def run_json(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def fail(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert isinstance(result.exception, InvalidArgumentError), result.output
    message = str(result.exception)
    assert "\n" not in message
    return message


numbers = st.floats(0.01, 5.0)
graphs = st.one_of(
    st.fixed_dictionaries({}, optional={"graph": st.sampled_from(["chain", "pairs", "star", "recursive-forest"])}),
    st.fixed_dictionaries({"graph": st.just("random-forest")}, optional={"root_probability": st.floats(0.0, 1.0)}),
    st.fixed_dictionaries({"graph": st.sampled_from(["ngram"])}, optional={"order": st.integers(1, 3)}),
    st.fixed_dictionaries({"graph": st.just("random-dag")}, optional={"parents": st.integers(1, 3)}),
)
priors = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "prior": st.just("dirichlet"),
            "symbols": st.integers(2, 5),
            "concentration": numbers,
            "floor": st.floats(0.0, 0.9),
        },
    ),
    st.fixed_dictionaries({"prior": st.sampled_from(["point", "orbit"]), "transition": st.just(MATRIX)}),
)
rest = st.fixed_dictionaries({}, optional={"length": st.integers(4, 9), "root_law": st.just("uniform")})
tasks = st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()}, graphs, priors, rest)


def to_toml(values):
    plain = {
        name: [list(row) for row in value] if isinstance(value, tuple) else value for name, value in values.items()
    }
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in plain.items())


@spliced
def show(task: TaskSpec) -> None:
    """Print the task that was asked for."""
    print(json.dumps(task.to_dict()))


shown = typer.Typer()
shown.command()(show)


class TestOneReader:
    @given(tasks)
    def test_json_and_back(self, values):
        spec = TaskSpec(**values)
        assert TaskSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
        assert eval(repr(spec)) == spec

    @given(tasks)
    def test_pickle_and_back(self, values):
        assert pickle.loads(pickle.dumps(TaskSpec(**values))) == TaskSpec(**values)

    @given(tasks)
    @settings(max_examples=30)
    def test_command_line(self, values):
        arguments = [
            word
            for name, value in values.items()
            for word in (f"--{name.replace('_', '-')}", json.dumps(value) if isinstance(value, tuple) else str(value))
        ]
        result = CliRunner().invoke(shown, arguments)
        assert result.exit_code == 0, result.output
        assert TaskSpec.from_dict(json.loads(result.stdout)) == TaskSpec(**values)

    @given(tasks)
    @settings(max_examples=30)
    def test_toml(self, tmp_path_factory, values):
        path = tmp_path_factory.mktemp("toml") / "run.toml"
        path.write_text(f"[task]\n{to_toml(values)}\n", encoding="utf-8")
        assert read_config(path).task == TaskSpec(**values)

    @given(tasks)
    def test_defaults_change_nothing(self, values):
        spec = TaskSpec(**values)
        first, second = spec.build(3), spec.complete().build(3)
        assert first.graph == second.graph
        assert first.prior.to_dict() == second.prior.to_dict()
        assert first.root_law == second.root_law
        assert spec.complete().complete() == spec.complete()

    def test_numbers_and_names_in_other_forms(self):
        spec = TaskSpec(graph="binary_tree", length=np.int64(6), concentration=np.float32(0.5), transition=None)
        assert spec == TaskSpec(graph="binary-tree", length=6, concentration=0.5)
        assert TaskSpec(transition=np.array(MATRIX)) == TaskSpec(transition=[list(row) for row in MATRIX])
        assert TaskSpec(transition=json.dumps(MATRIX)).transition == MATRIX
        assert ModelSpec(heads="2,1") == ModelSpec(heads=[2, 1]) == ModelSpec(heads=(2, 1))
        assert PriorSpec(prior_options=["weight=0.5", "name=ab"]).prior_options == {"weight": 0.5, "name": "ab"}
        assert TrainingSettings(2, 2, 1.0, recipe="two-stage").recipe == "two_stage"

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"length": 1}, "length must be an integer of at least 2, got 1"),
            ({"length": "5"}, "length must be an integer of at least 2, got '5'"),
            ({"length": True}, "length must be an integer of at least 2, got True"),
            ({"graph": "ring"}, "graph must be one of 'chain', .*, or module:function, got 'ring'"),
            ({"graph": "a:b c"}, "graph must be one of"),
            ({"prior": 3}, "prior must be one of 'point', 'orbit', 'dirichlet', or module:Class, got 3"),
            ({"concentration": -1}, "concentration must be a finite number greater than 0, got -1"),
            ({"root_probability": 2}, "root_probability must be a number between 0 and 1, got 2"),
            ({"root_law": "fair"}, "root_law must be one of 'stationary', 'uniform', got 'fair'"),
            ({"transition": 3}, "transition must be rows of numbers, or the name of a file, got 3"),
            ({"prior_options": "weight"}, "prior_options must be names with values, like weight=0.5, got 'weight'"),
            ({"prior_options": 3}, "prior_options must be names with values"),
        ],
    )
    def test_errors_name_key_value_and_requirement(self, tmp_path, values, message):
        with pytest.raises(InvalidArgumentError, match=message):
            TaskSpec(**values)
        (tmp_path / "run.toml").write_text(f"[task]\n{to_toml(values)}\n", encoding="utf-8")
        with pytest.raises(InvalidArgumentError, match=rf"run\.toml': \[task\] {message}"):
            read_config(tmp_path / "run.toml")

    def test_unknown_names(self):
        with pytest.raises(InvalidArgumentError, match=r"task must be among graph, .*, got lenght"):
            TaskSpec.from_dict({"lenght": 3})
        with pytest.raises(InvalidArgumentError, match=r"settings must be among steps, .*, got lr"):
            TrainingSettings.from_dict({"steps": 1, "batch_size": 1, "learning_rate": 1, "lr": 2})


class TestEffect:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"order": 2}, "order must not be given together with graph chain, got 2; it belongs to ngram"),
            ({"graph": "ngram", "parents": 2}, "parents must not be given together with graph ngram"),
            ({"transition": MATRIX}, "transition must not be given together with prior dirichlet, .* point, orbit"),
            ({"prior": "point"}, "transition must be given for prior point, got nothing"),
            ({"graph_file": "g.json", "length": 3}, "length must not be given together with graph_file, got 3"),
            ({"prior_options": {"a": 1}}, "prior_options of dirichlet must be among none, got 'a'"),
        ],
    )
    def test_options_without_effect_are_refused(self, values, message):
        with pytest.raises(InvalidArgumentError, match=message):
            TaskSpec(**values).build(0)

    def test_of_a_model(self):
        with pytest.raises(InvalidArgumentError, match="beta0 must not be given together with model disentangled"):
            ModelSpec(beta0=0.1).check()
        with pytest.raises(InvalidArgumentError, match="model_options of reduced must be among none, got 'precision'"):
            ModelSpec(kind="reduced", model_options={"precision": "float32"}).check()

    def test_relevant_leaves_out_what_has_none(self):
        spec = TaskSpec(graph="chain", root_probability=0.5, symbols=3, order=2, prior="orbit", transition=MATRIX)
        assert spec.relevant() == TaskSpec(graph="chain", prior="orbit", transition=MATRIX)

    def test_a_replaced_choice_takes_its_options_along(self):
        lower = TaskSpec(graph="random-forest", root_probability=0.2, length=7, symbols=3, concentration=0.5)
        assert TaskSpec(graph="pairs").over(lower) == TaskSpec(graph="pairs", length=7, symbols=3, concentration=0.5)
        assert TaskSpec(graph="random_forest").over(lower) == lower
        orbit = TaskSpec(prior="orbit", transition=MATRIX)
        assert orbit.over(lower) == replace(lower, prior="orbit", transition=MATRIX, symbols=None, concentration=None)
        assert TaskSpec(graph_file="g").over(lower) == TaskSpec(graph_file="g", symbols=3, concentration=0.5)
        assert TaskSpec(graph="star").over(TaskSpec(graph_file="g")) == TaskSpec(graph="star")

    def test_a_choice_that_lacks_a_package(self):
        def absent():
            raise ImportError("pip install it")

        registry = Registry("model", "module:Class", "a", {"a": Choice(lambda: None, require=absent)})
        with pytest.raises(InvalidArgumentError, match="model must be another one than a without what it needs: pip"):
            registry.make("a", {}, {})


STEPS = {"steps": 3, "batch_size": 4, "learning_rate": 0.5}
ODD = [
    (TaskSpec, {"length": np.int64(8), "symbols": np.int32(3), "concentration": np.float32(0.5)}),
    (TaskSpec, {"prior": "point", "transition": np.array(((0.5, 0.5), (0.2, 0.8)))}),
    (TaskSpec, {"prior": "a:B", "prior_options": {"x": np.float64(1.5), "y": np.arange(3), "z": (1, 2), "n": None}}),
    (ModelSpec, {"kind": "m:C", "model_options": {"a": {"b": [1, {"c": 2}]}}}),
    (ModelSpec, {"heads": np.array([2, 1])}),
    (TrainingSettings, STEPS | {"steps": np.int64(3), "beta1": np.float64(0.5), "weight_decay": np.int64(0)}),
]


class TestValues:
    @pytest.mark.parametrize(("spec", "values"), ODD)
    def test_round_trips(self, spec, values):
        one = spec(**values)
        content = one.to_dict()
        text = json.dumps(content)
        for other in (spec.from_dict(content), spec.from_dict(json.loads(text)), pickle.loads(pickle.dumps(one))):
            assert other == one
            assert hash(other) == hash(one)
        assert "np." not in repr(one)

    @pytest.mark.parametrize(
        ("spec", "values", "message"),
        [
            (TaskSpec, {"concentration": True}, "concentration must be a finite number greater than 0, got True"),
            (TaskSpec, {"concentration": np.inf}, "concentration must be a finite number greater than 0, got inf"),
            (TaskSpec, {"floor": True}, "floor must be a number between 0 and 1, got True"),
            (TaskSpec, {"length": 10**400}, "length must be an integer of at most .*, got an integer of 1329 bits"),
            (TaskSpec, {"prior_options": {"f": print}}, "prior_options f must be a number, a text, or lists"),
            (TaskSpec, None, "task must be a mapping from names to values, got None"),
            (TaskSpec, {3: 4}, "task must be a mapping from names to values, got {3: 4}"),
            (TrainingSettings, None, "settings must be a mapping from names to values, got None"),
            (TrainingSettings, STEPS | {"steps": None}, "steps must be an integer of at least 1, got None"),
            (TrainingSettings, STEPS | {"optimizer": None}, "optimizer must be one of 'sgd', .*got None"),
            (TrainingSettings, STEPS | {"learning_rate": True}, "learning_rate must be a finite number greater than 0"),
        ],
    )
    def test_are_refused(self, spec, values, message):
        with pytest.raises(InvalidArgumentError, match=message):
            spec.from_dict(values)


class TestBuild:
    def test_graph_before_prior(self):
        task = TaskSpec(graph="random-forest", length=9, root_probability=0.3, symbols=3).build(5)
        assert task.graph == CausalGraph.random_forest(9, 0.3, 5)
        assert isinstance(task.prior, DirichletPrior)

    def test_every_family_is_that_of_the_constructor(self):
        for name, family in FAMILIES.items():
            constructor = getattr(CausalGraph, name.replace("-", "_"))
            rng = [7] if family.is_random else []
            expected = constructor(9, *family.options.values(), *rng)
            assert TaskSpec(graph=name, length=9).build_graph(7) == expected
            assert all(len(parents) <= 1 for parents in expected.parents) or not family.is_forest

    def test_models(self):
        task = InContextTask(CausalGraph.chain(5), OrbitPrior(MATRIX))
        model = ModelSpec(kind="reduced", beta0=0.2).build(task)
        assert isinstance(model, ReducedTransformer)
        assert (model.epsilon, model.A2[0, 0], model.A2[0, 1]) == (0.2, 0.2, 0.0)
        assert ModelSpec(kind="reduced").start == {"beta0": 0.01}
        assert ModelSpec(scale=0.3).start == {"scale": 0.3}

    def test_required_options_have_no_default(self):
        assert PRIORS["point"].options == {"transition": REQUIRED}
        assert PriorSpec(prior="point").complete() == PriorSpec(prior="point")


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


class TestSplices:
    def test_names_given_twice_are_refused(self):
        def command(*, task: TaskSpec, length: int = 3) -> None: ...

        with pytest.raises(TypeError, match="must have names of their own, got length twice"):
            spliced(command)

    def test_values_alone(self):
        found = []

        @spliced
        def command(*, given: Annotated[dict, TrainingSettings]) -> None:
            found.append(given)

        own = typer.Typer()
        own.command()(command)
        assert CliRunner().invoke(own, ["--steps", "3", "--recipe", "two-stage"]).exit_code == 0
        assert found == [{"steps": 3, "recipe": "two_stage"}]

    def test_help_tells_defaults_and_names(self):
        text = " ".join(CliRunner().invoke(app, ["sample", "--help"]).output.replace("│", " ").split())
        for name in FAMILIES:
            assert name in text
        assert "(default 0.5)" in text
        assert "NAME|module:function" in text

    def test_studies_have_the_parameters_that_name_their_units(self):
        found = [(one.name, one.kind, one.default) for one in find_study("margins").parameters]
        assert found == [
            ("length", int, None),
            ("concentration", float, 1.0),
            ("graph", str, "chain"),
            ("vocab_size", int, 3),
            ("floor", float, 0.0),
            ("prior", str, "orbit"),
            ("epsilon", float, 0.0),
            ("root_probability", float, 0.5),
        ]

    def test_a_study_needs_fields_that_are_plain_and_of_one_spec(self):
        @dataclass(frozen=True, repr=False)
        class Other(TaskSpec):
            pass

        def study(*, task: TaskSpec, other: Other) -> dict: ...

        with pytest.raises(TypeError, match="must be fields of one spec, got length, of 2"):
            parameters({"length": 3})(study)
        with pytest.raises(TypeError, match="must be fields of one spec, got size, of 0"):
            parameters({"size": 3})(study)

        def heads(*, model: ModelSpec) -> dict: ...

        with pytest.raises(TypeError, match="must be plain, got heads"):
            parameters({"heads": 3})(heads)

    def test_every_field_with_an_option_has_help(self):
        for spec in (TaskSpec, ModelSpec, TrainingSettings):
            assert issubclass(spec, Spec)
            assert [one.name for one in fields(spec)] == list(options_of(spec))
