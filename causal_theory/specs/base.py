"""Dataclasses of plain values, one field of which is an option of the command line, a key of TOML and one of JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self, get_args, get_type_hints

from causal_theory.choices import Registry, brief
from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.specs.readers import Reader, choice
from causal_theory.specs.readers import options as read_options


@dataclass(frozen=True)
class Option:
    """The description of a field, besides its name, type and default.

    Parameters
    ----------
    help : str
        What it is.
    panel : str, optional
        Heading in the help of a command.
    read : callable, optional
        Brings a value into its one form; by default one of the names of a ``Literal``.
    name : str, optional
        On the command line, if it is not that of the field.
    default : object, optional
        The default that is told, if it is not that of the field or of a registry.
    registry : Registry, optional
        Where the field is the name of a choice.
    metavar : str, optional
        What the help shows for a value.
    is_file : bool, optional
        Whether a text is the name of a file, in a file of settings relative to its folder.
    """

    help: str
    panel: str | None = None
    read: Reader | None = None
    name: str | None = None
    default: Any = None
    registry: Registry[Any] | None = None
    metavar: str | None = None
    is_file: bool = False


def options_of(spec: Any) -> Mapping[str, Option]:
    """Return the options of a dataclass by field, in their order; fields without one are left out."""
    return _options_of(spec)


@cache
def _options_of(spec: Any) -> Mapping[str, Option]:
    hints = get_type_hints(spec, include_extras=True)
    return {
        entry.name: option
        for entry in fields(spec)
        for option in getattr(hints[entry.name], "__metadata__", ())
        if isinstance(option, Option)
    }


def option_type(spec: Any, name: str) -> Any:
    """Return the type of a field without None: int, float, str, a ``Literal``, or another."""
    return _option_type(spec, name)


@cache
def _option_type(spec: Any, name: str) -> Any:
    hint = get_type_hints(spec)[name]
    parts = [part for part in get_args(hint) if part is not type(None)]
    return parts[0] if type(None) in get_args(hint) and len(parts) == 1 else hint


@cache
def _takes_none(spec: Any, name: str) -> bool:
    hint = get_type_hints(spec)[name]
    return hint is Any or type(None) in get_args(hint)


@dataclass(frozen=True, repr=False)
class Spec(Shown):
    """Plain values, each read and checked when the spec is made; None where nothing was said.

    A subclass declares fields like ``length: Annotated[int | None, Option("Tokens.", read=integer(2))] = None``.
    """

    REGISTRIES: ClassVar[Mapping[str, Registry[Any]]] = {}
    """Fields that name a choice; the options of the choice are fields too."""

    WHAT: ClassVar[str] = "settings"
    """What the fields are called in a message."""

    def __post_init__(self) -> None:
        """Bring every value into its one form."""
        spec: Any = type(self)
        known = options_of(spec)
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name in known and not (value is None and _takes_none(spec, entry.name)):
                object.__setattr__(self, entry.name, self.read(entry.name, value))

    def __repr__(self) -> str:
        """Show what differs from the defaults; evaluating it gives the spec back."""
        shown = (
            f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if getattr(self, one.name) != one.default
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def read(cls, name: str, value: object, said: str | None = None) -> Any:
        """Return the value of a field in its one form.

        Parameters
        ----------
        name : str
            The field.
        value : object
            The value.
        said : str, optional
            What the field is called in a message.

        Returns
        -------
        object
            The value.

        Raises
        ------
        InvalidArgumentError
            If it does not fit.
        """
        option, said = options_of(cls)[name], said or name
        if option.registry is not None:
            return option.registry.read(said, value)
        return (option.read or choice(get_args(option_type(cls, name))))(said, value)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return a spec from values by name.

        Parameters
        ----------
        content : mapping
            Values by name.

        Returns
        -------
        Spec
            With these values.

        Raises
        ------
        InvalidArgumentError
            If a name is unknown, or a value does not fit.
        """
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            raise InvalidArgumentError(f"{cls.WHAT} must be a mapping from names to values, got {brief(content)}")
        known = [entry.name for entry in fields(cls)]
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise InvalidArgumentError(f"{cls.WHAT} must be among {', '.join(known)}, got {', '.join(unknown)}")
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """Return what was given by name, in terms of JSON.

        Returns
        -------
        dict
            From which `from_dict` makes an equal spec.
        """
        return {name: _plain(value) for name, value in self.given().items()}

    def given(self, *names: str) -> dict[str, Any]:
        """Return those of some fields, by default of all, that are not None.

        Parameters
        ----------
        *names : str
            The fields.

        Returns
        -------
        dict
            Values by name.
        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in values.items() if value is not None and name in (names or values)}

    def options(self, chosen: str) -> dict[str, Any]:
        """Return the options of a choice that were given.

        Parameters
        ----------
        chosen : str
            The field that names the choice.

        Returns
        -------
        dict
            Values by name.
        """
        return self.given(*self.REGISTRIES[chosen].options)

    def extra(self, chosen: str) -> Mapping[str, Any]:
        """Return what was given for parameters of a choice that are no fields.

        Parameters
        ----------
        chosen : str
            The field that names the choice.

        Returns
        -------
        mapping
            Values by name.
        """
        return getattr(self, f"{self.REGISTRIES[chosen].what}_options", None) or {}

    def name_of(self, chosen: str) -> str:
        """Return the name of a choice: the given one or the default.

        Parameters
        ----------
        chosen : str
            The field that names the choice.

        Returns
        -------
        str
            As in its registry, or ``"module:name"``.
        """
        return getattr(self, chosen) or self.REGISTRIES[chosen].default

    def complete(self) -> Self:
        """Return the spec with defaults where nothing was given and there is one.

        Returns
        -------
        Spec
            Equal to that of any other spec that means the same.
        """
        values = self.given()
        for chosen, registry in self.REGISTRIES.items():
            name = self.name_of(chosen)
            values |= {chosen: name} | registry.complete(name, self.options(chosen))
        return type(self)(**values)

    def relevant(self) -> Self:
        """Return the spec without options that its choices do not have.

        Returns
        -------
        Spec
            One that can be built.
        """
        values = self.given()
        for chosen, registry in self.REGISTRIES.items():
            kept = registry.relevant(self.name_of(chosen), self.options(chosen))
            values = {name: value for name, value in values.items() if name not in registry.options} | kept
        return type(self)(**values)

    def over(self, lower: Self) -> Self:
        """Return these values, and those of another spec where there are none.

        Another choice takes the options along that belong to the replaced one.

        Parameters
        ----------
        lower : Spec
            What is overridden.

        Returns
        -------
        Spec
            The values of both.
        """
        below = lower.given()
        for chosen, registry in self.REGISTRIES.items():
            if getattr(self, chosen) not in (None, lower.name_of(chosen)):
                for name in (*registry.options, f"{registry.what}_options"):
                    below.pop(name, None)
        return type(self)(**(below | self.given()))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def own_options(registry: Registry[Any], panel: str) -> Option:
    """Return the option of the field that holds parameters of a user's choice which are no fields."""
    return Option(
        f"A parameter of a {registry.what} of your own, {registry.pattern}; may be repeated.",
        panel,
        read_options,
        name=f"{registry.what}_option",
        metavar="NAME=VALUE",
    )
