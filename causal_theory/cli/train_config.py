"""Plan a training run: the options of the command line, over those of a file, over those of a preset."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from causal_theory.cli import options
from causal_theory.errors import InvalidArgumentError
from causal_theory.models.by_name import MODELS
from causal_theory.specs import ModelSpec, Spec, TaskSpec
from causal_theory.specs.readers import integer, text
from causal_theory.specs.toml import check_keys, read_keys, read_table, read_toml
from causal_theory.tasks import InContextTask
from causal_theory.training import Preset, TrainingSettings, find_preset
from causal_theory.validation import LARGEST_SEED

SINGLE = {"preset": text, "seed": integer(0, LARGEST_SEED)}
SECTIONS: Mapping[str, type[Spec]] = {"task": TaskSpec, "model": ModelSpec, "training": TrainingSettings}
REQUIRED = ("steps", "batch_size", "learning_rate")


@dataclass(frozen=True)
class Choices:
    """Values that somebody chose, on the command line or in a file: nothing here is a default."""

    preset: str | None = None
    seed: int | None = None
    task: TaskSpec = field(default_factory=TaskSpec)
    model: ModelSpec = field(default_factory=ModelSpec)
    training: Mapping[str, Any] = field(default_factory=dict)


def read_config(path: Path) -> Choices:
    """Read a TOML file with the sections ``task``, ``model`` and ``training``, and ``preset`` and ``seed`` before them.

    Names of files are relative to the folder of this one.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is not TOML, or holds an unknown key or a value that does not fit.
    """
    name, content = read_toml(path)
    check_keys(f"{name}: keys", content, (*SINGLE, *SECTIONS))
    single = read_keys(f"{name}:", content, SINGLE)
    found = {section: read_table(name, content, section, spec, path.parent) for section, spec in SECTIONS.items()}
    task, model = TaskSpec(**found["task"]), ModelSpec(**found["model"])
    return Choices(**single, task=task, model=model, training=found["training"])


@dataclass(frozen=True)
class Plan:
    """All that is to be trained: one run for each task, drawn from one generator after another."""

    preset: Preset | None
    seed: int
    rng: np.random.Generator
    tasks: tuple[InContextTask, ...]
    model: ModelSpec
    settings: TrainingSettings


def make_plan(upper: Choices, lower: Choices | None = None) -> Plan:
    """Return what some choices, over others, come to.

    Raises
    ------
    InvalidArgumentError
        If a choice contradicts the preset or has no effect, or a setting is missing or out of range.
    """
    lower = lower or Choices()
    name = lower.preset if upper.preset is None else upper.preset
    preset = None if name is None else find_preset(name)
    seed = next((choices.seed for choices in (upper, lower) if choices.seed is not None), 0)
    rng = options.generator(seed)
    task, training = upper.task.over(lower.task), {**lower.training, **upper.training}
    if preset is None:
        tasks: tuple[InContextTask, ...] = (task.build(rng),)
        options.say_divided(tasks[0].prior)
        missing = [_option(name) for name in REQUIRED if name not in training]
        if missing:
            raise InvalidArgumentError(
                f"{', '.join(missing)} must be given, on the command line, by --config or by --preset, got nothing"
            )
    else:
        tasks = preset.tasks(rng)
        _check_task(task, preset, tasks[0])
        training = preset.settings.to_dict() | training
    model = _make_model(upper.model, lower.model, preset)
    return Plan(preset, seed, rng, tasks, model, TrainingSettings.from_dict(training))


def _option(name: str) -> str:
    return name.replace("_", "-")


def _check_task(task: TaskSpec, preset: Preset, made: InContextTask) -> None:
    """Refuse what contradicts the task of a preset; repeating it is no contradiction."""
    fixed = preset.task.complete().given() | {"root_law": made.root_law}
    for name, value in task.given().items():
        if name not in fixed:
            raise InvalidArgumentError(
                f"{_option(name)} must not be given together with --preset {preset.name}, got {value}"
            )
        if value != fixed[name]:
            raise InvalidArgumentError(
                f"{_option(name)} must be {fixed[name]} or left out together with --preset {preset.name}, got {value}"
            )


def _make_model(upper: ModelSpec, lower: ModelSpec, preset: Preset | None) -> ModelSpec:
    """Return the model with all its options; another one than that of the preset has its heads, if it has any."""
    base = ModelSpec() if preset is None else preset.model
    kind = upper.kind or lower.kind or base.name_of("kind")
    if kind != base.name_of("kind"):
        base = ModelSpec(kind=kind, **MODELS.relevant(kind, base.given("heads")))
    model = upper.over(lower.over(base))
    model.check()
    return model.complete()
