"""A claim: a statement, the function that could refute it, and a control on which the same function must fail."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from causal_theory.claims.check import Check, Listener
from causal_theory.claims.folder import load_claim
from causal_theory.claims.records import Declaration, Findings
from causal_theory.errors import InvalidArgumentError

ASSUMPTION_NAMES = ("lower_bound", "non_degeneracy", "symmetry", "constant_mean")

PROFILES = ("tiny", "quick", "full")
"""Amounts of work: enough to run every line, under a minute or two on two cores, and larger samples and lengths."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Budget:
    tiny: Any
    quick: Any
    full: Any


def budget(*, tiny: T | None = None, quick: T, full: T) -> T:
    """Return the default of a claim's parameter that depends on the profile; ``tiny`` is ``quick`` unless given.

    Examples
    --------
    >>> from causal_theory.claims import Check, claim
    >>> @claim(1, source="arithmetic", control="five instead of four", breaks=("two and two are four",))
    ... def addition(check: Check, repeats: int = budget(tiny=1, quick=10, full=100)) -> None:
    ...     "Two and two are four."
    ...     for k in range(repeats):
    ...         check.equal("two and two are four", 2 + 2, 5 if check.control else 4)
    >>> addition.budgets("quick"), addition.run("tiny").verdict, addition.run("tiny", control=True).verdict
    ({'repeats': 10}, 'holds', 'fails')
    """
    return cast(T, _Budget(quick if tiny is None else tiny, quick, full))


@dataclass(frozen=True, eq=False)
class Claim(Declaration):
    """A statement of the theory that can be checked by ``function(check, **budgets)``; made by :func:`claim`.

    ``cost`` is about how many seconds it takes; what takes longest starts first.
    """

    function: Callable[..., None]
    cost: float = 0.0

    def __post_init__(self) -> None:
        """Check what the frame relies on."""
        if self.name != self.name.lower():
            raise InvalidArgumentError(f"name must be a lower-case identifier, got {self.name!r}")
        if self.number < 1:
            raise InvalidArgumentError(f"number must be at least 1, got {self.number}")
        if unknown := sorted(set(self.assumptions) - set(ASSUMPTION_NAMES)):
            raise InvalidArgumentError(f"assumptions must be among {ASSUMPTION_NAMES}, got {unknown}")
        if not self.breaks:
            raise InvalidArgumentError("breaks must name a part that fails in the control, got none")
        if not self.source or not self.control:
            raise InvalidArgumentError(f"source and control must be sentences, got {(self.source, self.control)}")
        if not self.title or not self.statement:
            raise InvalidArgumentError(f"docstring must be a title, an empty line and a statement, got {self.title!r}")
        parameters = list(inspect.signature(self.function).parameters.values())
        if not parameters:
            raise InvalidArgumentError(f"function must take a check first, {self.name!r} takes nothing")
        if bare := [one.name for one in parameters[1:] if one.default is one.empty]:
            raise InvalidArgumentError(f"parameters after check must have a default or a budget, {bare} have none")

    def __reduce__(self) -> tuple[Callable[[Path], "Claim"], tuple[Path]]:
        """Travel to another process as a file: the decorator hides the function from being found by name."""
        return load_claim, (Path(self.function.__code__.co_filename).resolve(),)

    def budgets(self, profile: str) -> dict[str, Any]:
        """Return the parameters of the function under a profile."""
        if profile not in PROFILES:
            raise InvalidArgumentError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
        parameters = list(inspect.signature(self.function).parameters.values())[1:]
        defaults = {one.name: one.default for one in parameters}
        return {name: getattr(one, profile) if isinstance(one, _Budget) else one for name, one in defaults.items()}

    def run(
        self,
        profile: str = "quick",
        *,
        seed: int = 0,
        control: bool = False,
        listener: Listener = Check.listener,
        **budgets: Any,
    ) -> Findings:
        """Run the check, or its control, and return what it found.

        Parameters
        ----------
        profile : str
            One of ``PROFILES``.
        seed : int
            The same seed finds the same.
        control : bool
            Whether to make wrong what the control makes wrong.
        listener : callable
            Receives progress.
        **budgets
            Parameters of the function, in place of those of the profile.

        Returns
        -------
        Findings
        """
        check = Check(self.name, control, seed, self.outside, listener)
        self.function(check, **{**self.budgets(profile), **budgets})
        return check.findings()


def claim(
    number: int,
    *,
    source: str,
    control: str,
    breaks: tuple[str, ...],
    outside: tuple[str, ...] = (),
    assumptions: tuple[str, ...] = (),
    cost: float = 0.0,
) -> Callable[[Callable[..., None]], Claim]:
    """Make a claim of a function; see :class:`Claim` for the parameters, and :func:`budget` for an example.

    Raises
    ------
    InvalidArgumentError
        If the name, the number or an assumption is not allowed, nothing breaks, the docstring is empty, or a parameter
        has no default.
    """
    for name, several in (("breaks", breaks), ("outside", outside), ("assumptions", assumptions)):
        if isinstance(several, str):
            raise InvalidArgumentError(f"{name} must be a tuple of names, got {several!r}")

    def make(function: Callable[..., None]) -> Claim:
        title, _, statement = inspect.cleandoc(function.__doc__ or "").partition("\n")
        words = " ".join(statement.split()) or title
        return Claim(
            function.__name__, number, title.strip().removesuffix("."), words, source, control, tuple(breaks),
            tuple(outside), tuple(assumptions), function, cost,
        )  # fmt: skip

    return make
