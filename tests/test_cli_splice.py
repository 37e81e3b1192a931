"""Commands and studies that take fields of specs as parameters."""

from dataclasses import dataclass, fields
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from causal_theory import (
    ModelSpec,
    TaskSpec,
    TrainingSettings,
)
from causal_theory.cli import app
from causal_theory.cli.splice import spliced
from causal_theory.graphs.families import FAMILIES
from causal_theory.specs import Spec
from causal_theory.specs.base import options_of
from causal_theory.sweeps import find_study
from causal_theory.sweeps.studies.parameters import parameters


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
