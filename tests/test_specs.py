"""Tasks and models as data: one reader for Python, the command line, TOML and JSON."""

import json
import pickle
from dataclasses import replace

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
)
from causal_theory.choices import REQUIRED, Choice, Registry
from causal_theory.cli import app
from causal_theory.cli.splice import spliced
from causal_theory.cli.train_config import read_config
from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs.families import FAMILIES
from causal_theory.priors.by_name import PRIORS
from causal_theory.specs import PriorSpec

MATRIX = ((0.2, 0.7, 0.1), (0.1, 0.5, 0.4), (0.6, 0.1, 0.3))


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
