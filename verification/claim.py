"""What a claim is and what it returns: a statement, a check, a control that must fail, and the evidence."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from causal_theory import Estimate, check_assumptions
from causal_theory.priors import Prior
from verification.context import Context
from verification.profiles import Profile

__all__ = [
    "METHOD_NAMES",
    "Assumption",
    "Cell",
    "Claim",
    "Evidence",
    "EvidenceMethod",
    "Part",
    "Reading",
    "Regime",
    "Table",
    "Verdict",
    "assumptions_of",
    "combine_verdicts",
    "method_of",
    "verdict_of",
]

Verdict = Literal["holds", "fails", "outside its assumptions"]
"""``"holds"``: the prediction was seen. ``"fails"``: it was not, although it should have been. ``"outside its
assumptions"``: the case lies outside what the claim promises, and is shown for what it is."""

EvidenceMethod = Literal["exact", "quadrature", "monte carlo (standard error)"]
METHOD_NAMES: dict[str, EvidenceMethod] = {
    "exact": "exact",
    "quadrature": "quadrature",
    "monte_carlo": "monte carlo (standard error)",
}
"""The name in a report of each method of an `Estimate`."""

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Reading:
    """A statement in words, and the number in it when there is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Table:
    """A small table for the report; every row has one cell per column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        """Check that the rows fit the columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"rows of table {self.title!r} must have {len(self.columns)} cells, got {row!r}")


@dataclass(frozen=True)
class Assumption:
    """One of the four assumptions of the theory, over the priors that a claim used.

    Attributes
    ----------
    name : str
        ``"lower_bound"``, ``"non_degeneracy"``, ``"symmetry"`` or ``"constant_mean"``.
    priors : str
        Which priors were checked.
    satisfied, checked : int
        How many of them satisfy it, of how many.
    witness : str
        What decides, for the prior with the smallest value.
    """

    name: str
    priors: str
    satisfied: int
    checked: int
    witness: str

    @property
    def holds(self) -> bool:
        """Whether all priors satisfy it."""
        return self.satisfied == self.checked


@dataclass(frozen=True)
class Regime:
    """Whether the asymptotic regime of the statement is reached; ``None`` when the statement is not asymptotic."""

    reached: bool | None
    text: str


@dataclass(frozen=True)
class Part:
    """One case of a claim with its own verdict."""

    name: str
    verdict: Verdict
    predicted: Reading
    measured: Reading
    error: Reading
    method: EvidenceMethod


@dataclass(frozen=True)
class Evidence:
    """What a run of a claim, or of its control, found.

    Attributes
    ----------
    verdict : Verdict
        The outcome.
    predicted, measured, error : Reading
        What the statement says, what was found, and how far the measured number may be off.
    method : EvidenceMethod
        How the measured number was obtained, hence what ``error`` means.
    assumptions : tuple of Assumption
        Which assumptions of the theory the priors satisfy.
    regime : Regime
        Whether the asymptotic regime is reached.
    parts : tuple of Part
        Cases with their own verdicts.
    tables : tuple of Table
        Numbers for the report.
    notes : tuple of str
        What a reader has to know to judge the numbers.
    """

    verdict: Verdict
    predicted: Reading
    measured: Reading
    error: Reading
    method: EvidenceMethod
    assumptions: tuple[Assumption, ...]
    regime: Regime
    parts: tuple[Part, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


Check = Callable[[Profile, Context], Evidence]


@dataclass(frozen=True)
class Claim:
    """A statement of the theory that can be checked, and a control on which the same check must fail.

    Attributes
    ----------
    name : str
        Identifier; also the name of the file.
    number : int
        Place in the order of the report.
    statement : str
        The statement, in the terms of the paper.
    source : str
        Where it comes from.
    run : callable
        ``run(profile, context) -> Evidence``.
    control_statement : str
        What is made wrong in the control.
    control : callable
        The same check on the wrong object; its verdict must be ``"fails"``.
    """

    name: str
    number: int
    statement: str
    source: str
    run: Check
    control_statement: str
    control: Check


def verdict_of(agrees: bool) -> Verdict:
    """Return the verdict on a prediction that should be seen."""
    return "holds" if agrees else "fails"


def combine_verdicts(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a claim from those on its parts: one failure fails it, parts outside do not count."""
    found = set(verdicts)
    if "fails" in found:
        return "fails"
    return "holds" if "holds" in found else "outside its assumptions"


def method_of(estimate: Estimate) -> EvidenceMethod:
    """Return the name in a report of the method of an estimate."""
    return METHOD_NAMES[estimate.method]


def assumptions_of(label: str, priors: Iterable[Prior]) -> tuple[Assumption, ...]:
    """Check the four assumptions on all priors and count how many satisfy each."""
    reports = [check_assumptions(prior) for prior in priors]
    merged = []
    for checks in zip(*reports, strict=True):
        weakest = min(checks, key=lambda check: (check.holds, check.value))
        satisfied = sum(check.holds for check in checks)
        merged.append(Assumption(weakest.name, label, satisfied, len(checks), weakest.witness))
    return tuple(merged)
