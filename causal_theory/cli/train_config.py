"""What is to be trained: the options of the command line, over those of a file, over those of a preset."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import numpy as np

from causal_theory.cli import options
from causal_theory.cli.toml_file import Parser, check_keys, integer, number, parse, read_section, read_toml, text
from causal_theory.errors import InvalidArgumentError
from causal_theory.models import DisentangledTransformer, ReducedTransformer, StandardTransformer, TrainableModel
from causal_theory.models.standard import Residual, require_torch
from causal_theory.tasks import InContextTask
from causal_theory.training import Preset, TrainingSettings, find_preset
from causal_theory.validation import check_positive

__all__ = ["Choices", "ModelName", "ModelPlan", "Plan", "make_plan", "read_config"]

Values = dict[str, Any]

PRIOR = options.PriorName.DIRICHLET
HEADS = (1, 1)
SCALE = 0.0
BETA0 = 0.01
RESIDUAL: Residual = "joint"


class ModelName(StrEnum):
    """The models."""

    DISENTANGLED = "disentangled"
    REDUCED = "reduced"
    STANDARD = "standard"


OWN: Mapping[ModelName, tuple[str, ...]] = {
    ModelName.DISENTANGLED: ("heads", "scale"),
    ModelName.REDUCED: ("epsilon", "beta0"),
    ModelName.STANDARD: ("heads", "scale", "residual"),
}
"""The options of each model."""


@dataclass
class Choices:
    """Values that somebody chose: nothing here is a default."""

    preset: str | None = None
    seed: int | None = None
    task: Values = field(default_factory=dict)
    model: Values = field(default_factory=dict)
    training: Values = field(default_factory=dict)

    def over(self, other: "Choices") -> "Choices":
        """Return these choices, and those of another one where there are none.

        Another graph, prior or model takes the options along that only the replaced one has.
        """
        task, model = dict(other.task), dict(other.model)
        kind = _kind_of(self.preset if self.preset is not None else other.preset)
        for own, values, key, default, belonging in (
            (self.task, task, "graph", None, ("root_probability", "order", "parents", "graph_file")),
            (self.task, task, "graph_file", None, ("graph", "length", "root_probability", "order", "parents")),
            (self.task, task, "prior", PRIOR, ("transition", "symbols", "concentration", "floor")),
            (self.model, model, "kind", kind, ("heads", "scale", "epsilon", "beta0", "residual")),
        ):
            if key in own and own[key] != values.get(key, default):
                for name in belonging:
                    values.pop(name, None)
        return Choices(
            preset=self.preset if self.preset is not None else other.preset,
            seed=self.seed if self.seed is not None else other.seed,
            task=task | self.task,
            model=model | self.model,
            training=other.training | self.training,
        )


def _kind_of(preset: str | None) -> ModelName:
    """Return the model that is trained when none is named."""
    return ModelName.DISENTANGLED if preset is None else ModelName(find_preset(preset).kind)


def _one_of(names: tuple[str, ...], make: Callable[[str], Any] = str) -> Parser:
    def parse(value: object) -> Any:
        for name in names:
            if isinstance(value, str) and value.replace("_", "-") == name.replace("_", "-"):
                return make(name)
        raise ValueError(f"one of {', '.join(map(repr, names))}")

    return parse


def _enum(kind: type[StrEnum]) -> Parser:
    return _one_of(tuple(map(str, kind)), kind)


def _matrix(value: object) -> str:
    """Return what the option on the command line would be."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value) if isinstance(value, list) else text(None)
    except (TypeError, ValueError) as error:  # dates are no JSON
        raise ValueError("rows of numbers, or the name of a file") from error


def read_heads(value: object) -> tuple[int, ...]:
    """Return heads per layer from a text like ``"2,1"`` or from a list of integers."""
    try:
        return tuple(map(int, value.split(","))) if isinstance(value, str) else tuple(map(integer, value))  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"heads must be integers separated by commas, one for each layer, got {value!r}"
        ) from error


def _parser_of(hint: Any) -> Parser:
    if hint in (int, float):
        return integer if hint is int else number
    return _one_of(get_args(hint))


SECTIONS: Mapping[str, Mapping[str, Parser]] = {
    "task": {
        "graph": _enum(options.GraphName),
        "graph_file": text,
        "length": integer,
        "root_probability": number,
        "order": integer,
        "parents": integer,
        "prior": _enum(options.PriorName),
        "transition": _matrix,
        "symbols": integer,
        "concentration": number,
        "floor": number,
        "root_law": _enum(options.RootName),
    },
    "model": {
        "kind": _enum(ModelName),
        "heads": read_heads,
        "scale": number,
        "epsilon": number,
        "beta0": number,
        "residual": _one_of(get_args(Residual)),
    },
    "training": {entry.name: _parser_of(entry.type) for entry in fields(TrainingSettings)},
}
SINGLE: Mapping[str, Parser] = {"preset": text, "seed": integer}


def read_config(path: Path) -> Choices:
    """Read a TOML file with the sections ``task``, ``model`` and ``training``, and ``preset`` and ``seed`` before them.

    Names of files are relative to the folder of this one.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is not TOML, or holds an unknown key or a value of the wrong type.
    """
    name, content = read_toml(path)
    check_keys(f"{name}: keys", content, (*SINGLE, *SECTIONS))
    single = parse(f"{name}:", {key: content[key] for key in SINGLE if key in content}, SINGLE)
    found: dict[str, Values] = {}
    for section, parsers in SECTIONS.items():
        table = read_section(name, content, section)
        check_keys(f"{name}: keys of [{section}]", table, parsers)
        found[section] = parse(f"{name}: [{section}]", table, parsers)
    task = found["task"]
    if "graph_file" in task:
        task["graph_file"] = path.parent / task["graph_file"]
    if "transition" in task and task["transition"].lstrip()[:1] not in ("[", "{"):
        task["transition"] = str(path.parent / task["transition"])
    return Choices(single.get("preset"), single.get("seed"), **found)


@dataclass(frozen=True)
class ModelPlan:
    """Which model is trained, and where it starts."""

    kind: ModelName
    heads: tuple[int, ...] = HEADS
    scale: float = SCALE
    epsilon: float | None = None
    beta0: float = BETA0
    residual: Residual = RESIDUAL

    def build(self, task: InContextTask, rng: np.random.Generator) -> TrainableModel:
        """Return the model at its start."""
        length, size = task.length, task.vocab_size
        if self.kind is ModelName.DISENTANGLED:
            return DisentangledTransformer(length, size, self.heads, scale=self.scale, rng=rng)
        if self.kind is ModelName.STANDARD:
            return StandardTransformer(length, size, self.heads, residual=self.residual, scale=self.scale, rng=rng)
        epsilon = 1.0 / length if self.epsilon is None else self.epsilon
        return ReducedTransformer(np.zeros((length, length)), self.beta0 * np.eye(size), epsilon)

    @property
    def start(self) -> dict[str, float]:
        """The scale of the parameters at the start."""
        return {"beta0": self.beta0} if self.kind is ModelName.REDUCED else {"scale": self.scale}


@dataclass(frozen=True)
class Plan:
    """All that is to be trained: one run for each task, drawn from one generator after another."""

    preset: Preset | None
    seed: int
    rng: np.random.Generator
    tasks: tuple[InContextTask, ...]
    model: ModelPlan
    settings: TrainingSettings


def make_plan(choices: Choices) -> Plan:
    """Return what the choices come to.

    Raises
    ------
    InvalidArgumentError
        If a choice contradicts the preset or has no effect, or a setting is missing or out of range.
    """
    preset = None if choices.preset is None else find_preset(choices.preset)
    seed = 0 if choices.seed is None else choices.seed
    if seed < 0:
        raise InvalidArgumentError(f"seed must be an integer of at least 0, got {seed}")
    rng = options.generator(seed)
    tasks: tuple[InContextTask, ...]
    start: Values = {}
    if preset is None:
        tasks = (_make_task(choices.task, rng),)
        missing = [_option(name) for name in ("steps", "batch_size", "learning_rate") if name not in choices.training]
        if missing:
            raise InvalidArgumentError(
                f"{', '.join(missing)} must be given, on the command line, by --config or by --preset, got nothing"
            )
    else:
        tasks = preset.tasks(rng)
        _check_task(choices.task, preset, tasks[0])
        start = preset.settings.as_dict()
    model = _make_model(choices.model, preset)
    return Plan(preset, seed, rng, tasks, model, TrainingSettings.from_dict(start | choices.training))


def _option(name: str) -> str:
    return "model" if name == "kind" else name.replace("_", "-")


def _make_task(task: Values, rng: np.random.Generator) -> InContextTask:
    file = task.get("graph_file")
    return options.build_task(
        options.build_graph(
            task.get("graph"),
            task.get("length"),
            task.get("root_probability"),
            None if file is None else Path(file),
            rng,
            order=task.get("order"),
            parents=task.get("parents"),
        ),
        options.build_prior(
            task.get("prior", PRIOR),
            task.get("transition"),
            task.get("symbols"),
            task.get("concentration"),
            task.get("floor"),
        ),
        task.get("root_law"),
    )


def _check_task(task: Values, preset: Preset, made: InContextTask) -> None:
    """Refuse what contradicts the task of a preset; repeating it is no contradiction."""
    family = options.GraphName(preset.family)
    fixed: Values = {
        "graph": family,
        "length": preset.length,
        "prior": PRIOR,
        "symbols": preset.vocab_size,
        "concentration": preset.concentration,
        "floor": 0.0,
        "root_law": options.RootName(str(made.root_law)),
    }
    if family is options.GraphName.RANDOM_FOREST:
        fixed["root_probability"] = 0.5
    for name, value in task.items():
        if name not in fixed:
            raise InvalidArgumentError(
                f"{_option(name)} must not be given together with --preset {preset.name}, got {value}"
            )
        if value != fixed[name]:
            raise InvalidArgumentError(
                f"{_option(name)} must be {fixed[name]} or left out together with --preset {preset.name}, got {value}"
            )


def _make_model(model: Values, preset: Preset | None) -> ModelPlan:
    kind = model.get("kind", _kind_of(None if preset is None else preset.name))
    for name in model:
        if name != "kind" and name not in OWN[kind]:
            raise InvalidArgumentError(
                f"{_option(name)} must not be given together with --model {kind}, got {model[name]}"
            )
    if kind is ModelName.STANDARD:
        try:
            require_torch()
        except ImportError as error:
            raise InvalidArgumentError(f"model must be another one than {kind} without PyTorch: {error}") from error
    for name in ("epsilon", "beta0"):
        if name in model:
            check_positive(name, model[name])
    scale = model.get("scale", preset.scale if preset is not None and kind == preset.kind else SCALE)
    if not (math.isfinite(scale) and scale >= 0.0):
        raise InvalidArgumentError(f"scale must be a finite number of at least 0, got {scale}")
    heads = HEADS if preset is None else preset.heads
    return ModelPlan(**({"kind": kind, "heads": heads, "scale": scale} | model))
