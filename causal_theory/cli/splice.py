"""Expand the parameters of a command that are dataclasses of options into one option for each field."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from causal_theory.choices import REQUIRED
from causal_theory.specs.base import Option, Spec, option_type, options_of

KEYWORD = inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True)
class _Group:
    """A parameter that stands for several options: what it becomes, and the option of each field."""

    kind: Any
    as_values: bool
    names: Mapping[str, str]

    def collect(self, given: dict[str, Any]) -> Any:
        """Take the options of the group out of those that were given, and return the value of the parameter."""
        found = {name: value for name, said in self.names.items() if (value := given.pop(said)) not in (None, [])}
        if issubclass(self.kind, Spec):
            found = {name: self.kind.read(name, value, self.names[name]) for name, value in found.items()}
        return found if self.as_values else self.kind(**found)


def spliced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that has an option for each field of the dataclasses among its parameters.

    A parameter ``task: TaskSpec`` becomes the options ``--graph``, ``--length`` and so on, none of which has a default
    here, and the command is called with the spec. ``settings: Annotated[dict[str, Any], TrainingSettings]`` gives it
    the values that were given, where a spec needs more than that; a third entry may hold the defaults that the help
    tells. Fields of other dataclasses are annotated for typer themselves.

    Parameters
    ----------
    function : callable
        The command.

    Returns
    -------
    callable
        What typer reads.

    Raises
    ------
    TypeError
        If two options have one name.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, _Group] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        kind, as_values, defaults = _kind_of(parameter.annotation)
        if kind is None:
            parameters.append(parameter.replace(kind=KEYWORD))
            continue
        made = dict(_fields(kind, defaults))
        groups[name] = _Group(kind, as_values, {field: option.name for field, option in made.items()})
        parameters += made.values()
    names = [parameter.name for parameter in parameters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TypeError(f"options of {function.__module__} must have names of their own, got {', '.join(twice)} twice")

    @wraps(function)
    def command(**given: Any) -> Any:
        made = {name: group.collect(given) for name, group in groups.items()}
        return function(**made, **given)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _kind_of(annotation: Any) -> tuple[Any, bool, Mapping[str, Any]]:
    """Return the dataclass that a parameter stands for or None, whether values alone are wanted, and told defaults."""
    marks = getattr(annotation, "__metadata__", ())
    specs = [mark for mark in marks if isinstance(mark, type) and issubclass(mark, Spec)]
    if specs:
        return specs[0], True, next((mark for mark in marks if isinstance(mark, Mapping)), {})
    return (annotation if isinstance(annotation, type) and is_dataclass(annotation) else None), False, {}


def _fields(kind: Any, defaults: Mapping[str, Any]) -> Iterator[tuple[str, inspect.Parameter]]:
    """Return the option of each field as a parameter that typer reads; other fields are left out."""
    told = options_of(kind)
    hints = get_type_hints(kind, include_extras=True)
    for entry in fields(kind):
        annotation, name, default = hints[entry.name], entry.name, entry.default
        if entry.name in told:
            option = told[entry.name]
            annotation = _annotation(kind, entry.name, option, defaults.get(entry.name, default))
            name, default = option.name or name, None
        elif get_origin(annotation) is not Annotated:
            continue
        yield entry.name, inspect.Parameter(name, KEYWORD, default=default, annotation=annotation)


def _annotation(kind: type[Spec], field: str, option: Option, default: Any) -> Any:
    """Return the annotation of an option of the command line."""
    hint: Any = option_type(kind, field)
    metavar = option.metavar if option.registry is None else f"NAME|{option.registry.pattern}"
    if get_origin(hint) is Literal:
        hint = Literal[tuple(name.replace("_", "-") for name in get_args(hint))]
    elif get_origin(hint) is dict:
        hint = list[str]
    elif hint not in (int, float, str, bool):
        hint = str
    flag = f"--{(option.name or field).replace('_', '-')}"
    told = typer.Option(flag, help=_help(kind, field, option, default), rich_help_panel=option.panel, metavar=metavar)
    return Annotated[hint | None, told]


def _help(kind: type[Spec], field: str, option: Option, default: Any) -> str:
    """Return the help of an option, with its default."""
    text = option.help
    if option.registry is not None:
        text, default = f"{text.removesuffix('.')}: {', '.join(option.registry)}.", option.registry.default
    elif option.default is not None:
        default = option.default
    elif owners := [registry for registry in kind.REGISTRIES.values() if field in registry.options]:
        default = owners[0].default_of(field)
    if default in (None, MISSING, REQUIRED) or "(default" in text:
        return text
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default).replace("_", "-")
    return f"{text.removesuffix('.')} (default {shown})."
