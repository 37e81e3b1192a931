"""Say what is wrong with the arguments of a call that failed: a graph in place of a task, options without a name.

This runs after Python's own error, so that calls that are right pay nothing.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from causal_theory.errors import CallError, InvalidArgumentError, TaskError

BRIEF = 6
"""Names that a message lists at most."""


def mistake(
    function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
) -> InvalidArgumentError | None:
    """Return the error to raise in place of a TypeError or an AttributeError; None when the arguments look right.

    Parameters
    ----------
    function : callable
        What was called.
    given, named : sequence, mapping
        Its arguments.

    Examples
    --------
    >>> def area(shape, *, unit): ...
    >>> mistake(area, ("square", "m"), {})
    CallError('area must get unit by name, area(shape, unit=...), got 2 positional arguments')
    """
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    places = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    options = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    values: dict[str, Any] = {**dict(zip(places, given, strict=False)), **named}
    told = _wrong_kind(function.__name__, values, given)
    if told is not None or len(given) <= len(places) or not options:
        return told
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None
    required = [one.name for one in options if one.default is one.empty and one.name not in named]
    listed = required or [one.name for one in options][:BRIEF]
    call = ", ".join([*places, *(f"{name}=..." for name in listed[:1])])
    name, own = function.__name__, places[:1] == ["self"]
    return CallError(
        f"{name} must get {', '.join(listed)} by name, {name}({call.removeprefix('self, ')}), "
        f"got {len(given) - own} positional arguments"
    )


def _wrong_kind(name: str, values: Mapping[str, Any], given: Sequence[Any]) -> InvalidArgumentError | None:
    """Return the error about an argument that is a graph, a prior or a task in place of another one of these."""
    if "task" in values and not _is_task(values["task"]):
        found = values["task"]
        kind = type(found).__name__
        fix = "; InContextTask(graph, prior) makes one" if _is_graph(found) or _is_prior(found) else ""
        if any(map(_is_task, given)):
            fix = f"; the task comes first, {name}(task, ...)"
        return TaskError(f"task must be an InContextTask, got {kind}{fix}")
    if "scores" in values and (_is_task(values["scores"]) or _is_graph(values["scores"])):
        kind = type(values["scores"]).__name__
        return InvalidArgumentError(
            f"scores must be a matrix (T, T), got {kind}; edge_scores(task, epsilon=...) makes one"
        )
    if "graph" in values and _is_task(values["graph"]):
        return InvalidArgumentError("graph must be a CausalGraph, got InContextTask; its graph is task.graph")
    return None


def _is_task(value: object) -> bool:
    return hasattr(value, "graph") and hasattr(value, "prior")


def _is_graph(value: object) -> bool:
    return hasattr(value, "parents") and hasattr(value, "target_parents")


def _is_prior(value: object) -> bool:
    return hasattr(value, "vocab_size") and hasattr(value, "rule")
