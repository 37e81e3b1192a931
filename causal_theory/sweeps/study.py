"""A study: a plain function that a sweep repeats, with parameters read from its signature."""

import importlib
import inspect
import math
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from causal_theory.errors import InvalidArgumentError
from causal_theory.validation import LARGEST_INTEGER, shown

Scalar = int | float | str | bool
StudyFunction = Callable[..., Mapping[str, Any]]

KINDS: tuple[type, ...] = (int, float, str, bool)
RNG = "rng"
RESERVED = frozenset({"repeat", "seed"})
"""Columns of every table, which a parameter or a result would hide."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a study.

    Attributes
    ----------
    name : str
        As in the signature.
    kind : {int, float, str, bool}
        What its values are.
    default : int, float, str, bool or None
        ``None`` when there is none and a value is required.
    """

    name: str
    kind: type
    default: Scalar | None

    def convert(self, value: object) -> Scalar:
        """Return a value in the one form that it has in a store, or refuse it.

        Integers become floats where floats are declared; nothing else is converted, except NumPy's scalars.

        Parameters
        ----------
        value : object
            The value.

        Returns
        -------
        int, float, str or bool
            It, as the kind of the parameter.

        Raises
        ------
        InvalidArgumentError
            If it is of another kind, or not finite.

        Examples
        --------
        >>> Parameter("epsilon", float, None).convert(1)
        1.0
        """
        plain: Any = value.item() if isinstance(value, np.generic) else value
        if self.kind is float and isinstance(plain, int) and not isinstance(plain, bool):
            plain = float(plain) if abs(plain) < LARGEST_INTEGER else math.inf
        if self.kind is int and isinstance(plain, int) and abs(plain) > LARGEST_INTEGER:
            raise InvalidArgumentError(
                f"{self.name} must be an integer of at most {LARGEST_INTEGER}, got {shown(plain)}"
            )
        fits = isinstance(plain, self.kind) and isinstance(plain, bool) == (self.kind is bool)
        if not fits or (self.kind is float and not math.isfinite(plain)):
            raise InvalidArgumentError(f"{self.name} must be {_DESCRIPTIONS[self.kind]}, got {shown(value)}")
        # Zero has two signs, and would have two keys.
        found: Scalar = plain + 0.0 if self.kind is float else plain
        return found


_DESCRIPTIONS = {int: "an integer", float: "a finite number", str: "a text", bool: "True or False"}


@dataclass(frozen=True)
class Study:
    """A function that can be swept, and what is known about it.

    Attributes
    ----------
    name : str
        Name of the function; on the command line with hyphens.
    summary : str
        First line of its docstring.
    function : callable
        Takes its parameters by keyword, and returns a mapping from names to numbers, texts and arrays.
    parameters : tuple of Parameter
        In the order of the signature, without ``rng``.
    takes_rng : bool
        Whether the function draws random numbers: it is then given a generator as ``rng``.
    """

    name: str
    summary: str
    function: StudyFunction
    parameters: tuple[Parameter, ...]
    takes_rng: bool

    @property
    def source(self) -> str:
        """The place of the function, ``module:name``."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    def complete(self, settings: Mapping[str, object]) -> dict[str, Scalar]:
        """Return a value for every parameter, in the order of the signature: the given one, or else the default.

        Parameters
        ----------
        settings : mapping
            Values by name.

        Returns
        -------
        dict
            Values by name, of the kinds that the signature declares.

        Raises
        ------
        InvalidArgumentError
            If a parameter is unknown, has a value of another kind, or is missing.

        Examples
        --------
        >>> study = find_study("edge_recovery")
        >>> study.complete({"length": 12})["length"]
        12
        """
        self.check_names(settings)
        values: dict[str, Scalar] = {}
        for parameter in self.parameters:
            value = settings.get(parameter.name, parameter.default)
            if value is None:
                raise InvalidArgumentError(f"{parameter.name} must be given for study {self.name}, got nothing")
            values[parameter.name] = parameter.convert(value)
        return values

    def check_names(self, names: typing.Iterable[str]) -> None:
        """Refuse names that are no parameters of the study.

        Parameters
        ----------
        names : iterable of str
            The names.

        Raises
        ------
        InvalidArgumentError
            If one is unknown; a similar one is suggested.
        """
        known = [parameter.name for parameter in self.parameters]
        for name in names:
            if name not in known:
                raise InvalidArgumentError(
                    f"parameter of study {self.name} must be one of {', '.join(known)}, got {name!r}"
                    + _suggestion(str(name), known)
                )

    def __repr__(self) -> str:
        """Return one line with the parameters and their defaults."""
        told = (
            f"{one.name}: {one.kind.__name__}" + ("" if one.default is None else f" = {one.default!r}")
            for one in self.parameters
        )
        return f"Study({self.name}: {', '.join(told)})"


def find_study(study: str | StudyFunction | Study) -> Study:
    """Return a provided study by its name, or the study that a function is.

    Parameters
    ----------
    study : str or callable
        The name of a provided study, with underscores or hyphens; a function of a module, or ``"module:function"``. Its
        parameters must be keyword-only and annotated as ``int``, ``float``, ``str`` or ``bool``; a parameter ``rng`` is
        given a generator.

    Returns
    -------
    Study
        With its parameters.

    Raises
    ------
    InvalidArgumentError
        If no provided study has the name, or the function cannot be swept; the message says why.

    Examples
    --------
    >>> find_study("edge-recovery").name
    'edge_recovery'
    """
    if isinstance(study, Study):
        return study
    if isinstance(study, str):
        if ":" in study:
            return _read_signature(_import_function(study))
        from causal_theory.sweeps.studies import PROVIDED  # noqa: PLC0415 (they import this module)

        named = {function.__name__: function for function in PROVIDED}
        name = study.replace("-", "_")
        if name not in named:
            known = sorted(named)
            raise InvalidArgumentError(
                f"study must be one of {', '.join(known)}, or a function, module:function, got {study!r}"
                + _suggestion(name, known)
            )
        return _read_signature(named[name])
    if not inspect.isfunction(study):
        raise InvalidArgumentError(f"study must be a name or a function, got {study!r}")
    return _read_signature(study)


def _import_function(address: str) -> StudyFunction:
    module, _, name = address.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidArgumentError(
            f"study must be module:function of a module that can be imported, got {address!r}: {error}"
        ) from error
    if not inspect.isfunction(found):
        raise InvalidArgumentError(f"study must be module:function, got {address!r}, which is {found!r}")
    function: StudyFunction = found
    return function


def _read_signature(function: StudyFunction) -> Study:
    name = function.__name__
    home = sys.modules.get(function.__module__)
    if getattr(home, function.__qualname__, None) is not function:
        # Other processes find the function by these two names.
        raise InvalidArgumentError(
            f"study must be a function that its module {function.__module__} holds under its own name, got "
            f"{function.__qualname__}"
        )
    hints = typing.get_type_hints(function)
    parameters, takes_rng = [], False
    for key, entry in inspect.signature(function).parameters.items():
        if entry.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise InvalidArgumentError(f"parameters of study {name} must be keyword-only, got {entry}")
        if key == RNG:
            takes_rng = True
            continue
        if key in RESERVED:
            raise InvalidArgumentError(f"parameters of study {name} must not be named like a column, got {key!r}")
        kind = hints.get(key)
        if kind not in KINDS:
            raise InvalidArgumentError(
                f"parameters of study {name} must be annotated as int, float, str or bool, got {entry}"
            )
        parameter = Parameter(key, kind, None)
        if entry.default is not inspect.Parameter.empty:
            parameter = Parameter(key, kind, parameter.convert(entry.default))
        parameters.append(parameter)
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    return Study(name, summary, function, tuple(parameters), takes_rng)


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
