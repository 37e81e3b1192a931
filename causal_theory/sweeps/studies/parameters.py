"""Give a study parameters that are fields of specs."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Literal, get_origin

import numpy as np

from causal_theory.choices import OTHER_NAMES
from causal_theory.specs import Spec
from causal_theory.specs.base import option_type, options_of

Result = dict[str, float | int | bool | str | np.ndarray]

REQUIRED = inspect.Parameter.empty
"""Stands for the default of a parameter that must be given."""


def parameters(defaults: Mapping[str, Any]) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return a decorator that makes a function with specs among its parameters a study.

    Units of work are named by all parameters with their values, which seed their random numbers: a name, or a default
    that changes, changes every number. They therefore stand here, not in the specs.

    Parameters
    ----------
    defaults : mapping
        Name and default of each parameter of the study, in their order. Each is a parameter of the function, or a field
        of one of its specs, by its own name or the one that it has elsewhere: ``vocab_size`` for ``symbols``, ``model``
        for ``kind``.

    Returns
    -------
    callable
        The decorator.

    Raises
    ------
    TypeError
        If a name is that of no field or of several, or a field is not plain.
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        own = dict(inspect.signature(function).parameters)
        specs = {name: one.annotation for name, one in own.items() if _is_spec(one.annotation)}
        places: dict[str, tuple[str, str]] = {}
        signature = []
        for name, default in defaults.items():
            kind: Any = own[name].annotation if name in own and name not in specs else None
            if kind is None:
                group, field = _place(name, specs)
                places[name] = group, field
                kind = option_type(specs[group], field)
            plain = str if get_origin(kind) is Literal else kind
            if plain not in (int, float, str, bool):
                raise TypeError(f"parameters of a study must be plain, got {name} of {kind}")
            signature.append(inspect.Parameter(name, KEYWORD, default=default, annotation=plain))
        if "rng" in own:
            signature.append(own["rng"].replace(kind=KEYWORD))

        @wraps(function)
        def study(**given: Any) -> Result:
            values = {name: value for name, value in defaults.items() if value is not REQUIRED} | given
            missing = [name for name in defaults if name not in values]
            unknown = [name for name in values if name not in defaults and name not in own]
            if missing or unknown:
                raise TypeError(f"{function.__name__} takes {', '.join(defaults)}, got {', '.join(given)}")
            groups: dict[str, dict[str, Any]] = {name: {} for name in specs}
            for name, (group, field) in places.items():
                groups[group][field] = specs[group].read(field, values.pop(name), name)
            return function(**{name: specs[name](**found) for name, found in groups.items()}, **values)

        study.__signature__ = inspect.Signature(signature, return_annotation=Result)  # type: ignore[attr-defined]
        study.__annotations__ = {one.name: one.annotation for one in signature} | {"return": Result}
        return study

    return decorate


KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _is_spec(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Spec)


def _place(name: str, specs: Mapping[str, type[Spec]]) -> tuple[str, str]:
    """Return the spec and the field that a parameter of a study is."""
    found = [(group, field) for group, spec in specs.items() for field, names in _names(spec) if name in names]
    if len(found) != 1:
        raise TypeError(f"parameters of a study must be fields of one spec, got {name}, of {len(found)}")
    return found[0]


def _names(spec: type[Spec]) -> Iterator[tuple[str, set[str | None]]]:
    """Return the names that each field goes by."""
    for field, option in options_of(spec).items():
        yield field, {field, OTHER_NAMES.get(field), option.name if option.registry is not None else None}
