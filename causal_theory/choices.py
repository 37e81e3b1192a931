"""Choose by name how a thing is made: the registries of graph families, priors and models are of this kind.

A name of the package stands for a `Choice`, which knows its own options and their defaults. A name like
``module:function`` or ``module:Class`` stands for one of the user's, whose options are the parameters of its signature.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from typing_extensions import override

from causal_theory.errors import CausalTheoryError, InvalidArgumentError
from causal_theory.validation import shown

REQUIRED: Final = object()
"""Stands for the default of an option that must be given."""

OTHER_NAMES: Mapping[str, str] = {"symbols": "vocab_size"}
"""Names of parameters that stand for an option where a signature does not have the option's own name."""

BRIEF = 60
"""Characters of a value that a message quotes."""


@dataclass(frozen=True)
class Choice:
    """One way to make a thing.

    Parameters
    ----------
    make : callable
        Makes it; is called by keywords.
    options : mapping
        Its own options and their defaults, `REQUIRED` for one that must be given.
    help : str
        What it is, for the documentation and the command line.
    require : callable, optional
        Raises ImportError when a package that it needs is missing.
    """

    make: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    help: str = ""
    require: Callable[[], object] | None = None

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The parameters of the signature, by name; none of what is compiled and has no signature."""
        try:
            return inspect.signature(self.make).parameters
        except ValueError:
            return {}

    def takes(self, name: str) -> str | None:
        """Return the parameter that an option is passed as, None if there is none."""
        found = [one for one in (name, OTHER_NAMES.get(name)) if one in self.parameters]
        return found[0] if found else None

    @property
    def is_random(self) -> bool:
        """Whether it draws from a generator."""
        return "rng" in self.parameters


C = TypeVar("C", bound=Choice)


class Registry(Mapping[str, C], Generic[C]):
    """Choices by name.

    Parameters
    ----------
    what : str
        What is chosen, in one word: ``"graph"``.
    pattern : str
        What one of the user's looks like: ``"module:function"``.
    default : str
        The name that is taken when nothing is said.
    choices : mapping
        The choices of the package.
    base : type, optional
        What is made is one of these.

    Examples
    --------
    >>> registry = Registry("greeting", "module:function", "plain", {"plain": Choice(lambda name: f"Hello {name}")})
    >>> registry.make("plain", {}, {"name": "world"})
    'Hello world'
    >>> registry.make("plain", {"volume": 11}, {"name": "world"})
    Traceback (most recent call last):
    causal_theory.errors.InvalidArgumentError: volume must not be given together with greeting plain, got 11
    """

    def __init__(self, what: str, pattern: str, default: str, choices: Mapping[str, C], base: type = object) -> None:
        self.what, self.pattern, self.default, self.base = what, pattern, default, base
        self._choices = dict(choices)

    @override
    def __getitem__(self, name: str) -> C:
        return self._choices[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    @override
    def __len__(self) -> int:
        return len(self._choices)

    @property
    def options(self) -> tuple[str, ...]:
        """The options of all choices, each once."""
        return tuple(dict.fromkeys(name for choice in self.values() for name in choice.options))

    def default_of(self, option: str) -> Any:
        """Return the default of an option: that of the first choice which has it."""
        return next(choice.options[option] for choice in self.values() if option in choice.options)

    def read(self, key: str, value: object) -> str:
        """Return a name as it is written here; hyphens and underscores count as the same.

        Parameters
        ----------
        key : str
            The name of the argument, for the message.
        value : object
            The name of a choice, or ``module:name``.

        Returns
        -------
        str
            The name.

        Raises
        ------
        InvalidArgumentError
            If it is neither.
        """
        if isinstance(value, str):
            if is_address(value):
                return value
            for name in self:
                if same_name(name, value):
                    return name
        listed = ", ".join(map(repr, self))
        raise InvalidArgumentError(f"{key} must be one of {listed}, or {self.pattern}, got {shown(value)}")

    def find(self, name: str) -> Choice:
        """Return a choice by its name; one of the user's is imported.

        Raises
        ------
        InvalidArgumentError
            If there is none of this name, or its module cannot be imported.
        """
        name = self.read(self.what, name)
        return self[name] if name in self else Choice(import_address(self.what, self.pattern, name))

    def complete(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a choice: the given ones, and defaults for the rest that have one."""
        own = self[name].options if name in self else {}
        return {key: value for key, value in own.items() if value is not REQUIRED} | dict(given)

    def relevant(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of some options that the choice has."""
        choice = self.find(name)
        known = choice.options if name in self else [key for key in given if choice.takes(key)]
        return {key: value for key, value in given.items() if key in known}

    def check(
        self,
        name: str,
        given: Mapping[str, Any],
        common: Container[str] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> Choice:
        """Return a choice after a look at its options.

        Parameters
        ----------
        name : str
            The choice.
        given : mapping
            Options that were given.
        common : container of str
            Parameters that are there for every choice.
        extra : mapping, optional
            Further parameters of the signature.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect, one that is required is missing, or a package is missing.
        """
        choice = self.find(name)
        relevant = self.relevant(name, given)
        for key, value in given.items():
            if key not in relevant:
                raise InvalidArgumentError(
                    f"{key} must not be given together with {self.what} {name}, got {brief(value)}{self._owners(key)}"
                )
        own = {choice.takes(key) for key in self.options}
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        known = [
            key
            for key, one in choice.parameters.items()
            if one.kind not in variable and key not in own and key not in common
        ]
        for key in extra or ():
            if key not in known:
                raise InvalidArgumentError(
                    f"{self.what}_options of {name} must be among {', '.join(known) or 'none'}, got {key!r}"
                )
        for key, default in choice.options.items():
            if default is REQUIRED and key not in given:
                raise InvalidArgumentError(f"{key} must be given for {self.what} {name}, got nothing")
        if choice.require is not None:
            try:
                choice.require()
            except ImportError as error:
                raise InvalidArgumentError(
                    f"{self.what} must be another one than {name} without what it needs: {error}"
                ) from error
        return choice

    def make(
        self, name: str, given: Mapping[str, Any], common: Mapping[str, Any], extra: Mapping[str, Any] | None = None
    ) -> Any:
        """Make the thing.

        Parameters
        ----------
        name : str
            The choice.
        given : mapping
            Options that were given.
        common : mapping
            What is there for every choice, and passed to those that have a parameter of that name.
        extra : mapping, optional
            Further parameters of the signature.

        Returns
        -------
        object
            The thing.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect, one that is required is missing, or something of the user's fails.
        """
        choice = self.check(name, given, common, extra)
        values = dict(common) | self.complete(name, given) | dict(extra or {})
        arguments = {taken: value for key, value in values.items() if (taken := choice.takes(key)) is not None}
        if name in self:
            return choice.make(**arguments)
        missing = [key for key, one in choice.parameters.items() if _is_required(one) and key not in arguments]
        if missing:
            raise InvalidArgumentError(f"{', '.join(missing)} must be given for {self.what} {name}, got nothing")
        try:
            made = choice.make(**arguments)
        except CausalTheoryError:
            raise
        except (Exception, SystemExit) as error:
            said = str(error) if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {error}"
            raise InvalidArgumentError(f"{self.what} must be one that can be made, got {name!r}: {said}") from error
        if not isinstance(made, self.base):
            raise InvalidArgumentError(
                f"{self.what} must be a {self.base.__name__}, got {name!r}, which makes {brief(made)}"
            )
        return made

    def _owners(self, key: str) -> str:
        """Return in words which choices have an option."""
        owners = [name for name, choice in self.items() if key in choice.options]
        return f"; it belongs to {', '.join(owners)}" if owners else ""


def brief(value: object) -> str:
    """Return a value for a message, cut when it is long."""
    text = shown(value)
    return text if len(text) <= BRIEF else text[:BRIEF] + "..."


def same_name(name: str, value: object) -> bool:
    """Return whether a value is a name, but for hyphens and underscores."""
    return isinstance(value, str) and value.replace("_", "-") == name.replace("_", "-")


def look_in(folder: str | os.PathLike[str]) -> None:
    """Have modules looked for in a folder first, also by processes that are started later."""
    path = os.path.abspath(folder)
    if path not in sys.path:
        sys.path.insert(0, path)


def import_address(what: str, pattern: str, address: str) -> Callable[..., Any]:
    """Return the object that ``module:name`` stands for; the module may lie in the current folder.

    Parameters
    ----------
    what, pattern : str
        What it is for and what it looks like, for messages.
    address : str
        Module and name.

    Returns
    -------
    callable
        A function or a class.

    Raises
    ------
    InvalidArgumentError
        If the module cannot be imported, or holds no such callable.

    Examples
    --------
    >>> import_address("graph", "module:function", "math:prod")([2, 3])
    6
    """
    look_in(os.getcwd())
    module, _, name = address.partition(":")
    found: Any = None
    try:
        found = home = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        # A module of Python's or an installed one may have the name of the user's.
        where = "" if found is None else f" (it is {getattr(home, '__file__', None) or 'in no file'})"
        raise InvalidArgumentError(
            f"{what} must be {pattern} of a module that can be imported, got {address!r}: "
            f"{type(error).__name__}: {' '.join(str(error).split())}{where}"
        ) from error
    if not callable(found):
        raise InvalidArgumentError(f"{what} must be {pattern}, got {address!r}, which is {brief(found)}")
    made: Callable[..., Any] = found
    return made


def is_address(value: str) -> bool:
    """Return whether a text looks like ``module:name``."""
    module, colon, name = value.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and not variable
