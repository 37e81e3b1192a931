"""The record of a training run in terms of JSON: two runs with the same record take the same steps."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.models import TrainableModel
from causal_theory.provenance import check_unedited, code_version, fingerprint
from causal_theory.tasks import InContextTask
from causal_theory.training.settings import TrainingSettings

LIBRARIES = ("numpy", "numba", "python")
"""What a version names first besides the code: another one may change the last bits of a run, and is told."""


def describe_run(
    task: InContextTask,
    model: TrainableModel,
    settings: TrainingSettings,
    label: str,
    generator: np.random.Generator,
    keys: Mapping[str, NDArray[np.uint64]],
) -> dict[str, Any]:
    """Return everything that determines a run but the code.

    Parameters
    ----------
    task : InContextTask
        Where sequences come from.
    model : TrainableModel
        At its start.
    settings : TrainingSettings
        All that concerns the steps.
    label : str
        What else identifies the run.
    generator : Generator
        What the keys were drawn from.
    keys : mapping
        Keys of the streams of random numbers. The run depends on the generator through them alone: they stand for its
        seed and its state.

    Returns
    -------
    dict
        Sections in the order in which differences are to be told.
    """
    return {
        "label": label,
        "task": describe_task(task),
        "model": _describe_model(model),
        "training": {name: _plain(value) for name, value in settings.to_dict().items()},
        "rng": {"source": _describe_generator(generator)}
        | {name: "".join(f"{word:016x}" for word in words) for name, words in keys.items()},
    }


def is_same_stream(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two sections on random numbers are of the same streams, wherever those come from."""
    return {**one, "source": ""} == {**other, "source": ""}


def describe_version(task: InContextTask, model: TrainableModel) -> dict[str, str]:
    """Return what computes a run in this process, refused when it is not what the source files hold.

    Raises
    ------
    InvalidArgumentError
        If a source file was edited after it was loaded.
    """
    used = type(model), type(task.prior), type(task.graph)
    check_unedited(*used)
    return asdict(code_version(*used)) | {name: metadata.version(name) for name in model.libraries}


def describe_versions(versions: list[dict[str, str]]) -> tuple[str, ...]:
    """Return one line for each of several versions."""
    return tuple(
        ", ".join(
            [
                f"{one['package']} {one['code'][:8]}",
                *(f"{name} {one[name]}" for name in LIBRARIES if name in one),
                *(f"{name} {one[name]}" for name in sorted(one) if name not in ("package", "code", *LIBRARIES)),
            ]
        )
        for one in versions
    )


def describe_task(task: InContextTask) -> dict[str, Any]:
    """Return everything that determines the law of the sequences."""
    return {
        "parents": [list(entry) for entry in task.graph.parents],
        "target_parents": list(task.graph.target_parents),
        "prior": task.prior.identity(),
        "root_law": task.root_law,
    }


def _describe_model(model: TrainableModel) -> dict[str, Any]:
    flat = model.parameters
    start = {f"start of {name}": fingerprint(flat[part]) for name, part in model.groups.items()}
    return {"class": type(model).__name__} | model.describe() | start | {"start": fingerprint(flat)}


def _describe_generator(generator: np.random.Generator) -> str:
    source = generator.bit_generator
    seed: Any = getattr(source, "seed_seq", None)
    spawned = f", spawned {list(seed.spawn_key)}" if getattr(seed, "spawn_key", ()) else ""
    return f"{type(source).__name__} with the seed {getattr(seed, 'entropy', 'unknown')}{spawned}"


def _plain(value: Any) -> Any:
    """Return a number or a text in terms of JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, bool | int | float | str) else float(value)
