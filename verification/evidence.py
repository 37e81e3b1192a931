"""What a check returns: a prediction beside a measurement with its error, and everything needed to judge it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from causal_theory import Estimate, check_assumptions
from causal_theory.priors import AssumptionCheck, Prior

__all__ = [
    "FAILS",
    "HOLDS",
    "METHODS",
    "OUTSIDE",
    "AssumptionSummary",
    "Cell",
    "Curve",
    "Evidence",
    "EvidenceMethod",
    "Part",
    "Plot",
    "Reading",
    "Regime",
    "Table",
    "Verdict",
    "combine_verdicts",
    "summarise_assumptions",
    "verdict_of",
    "weakest_method",
]

Verdict = Literal["holds", "fails", "outside its assumptions"]
"""``"holds"``: the prediction was seen. ``"fails"``: it was not, although it should have been. ``"outside its
assumptions"``: the case lies outside what the claim promises; it is measured and shown, and decides nothing."""

HOLDS: Verdict = "holds"
FAILS: Verdict = "fails"
OUTSIDE: Verdict = "outside its assumptions"

EvidenceMethod = Literal["exact", "quadrature", "monte carlo (standard error)"]
METHODS: tuple[EvidenceMethod, ...] = get_args(EvidenceMethod)
"""From the most to the least certain; named after the methods of an `Estimate`, in the same order."""

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Reading:
    """A statement in words, and the finite number in it when there is one."""

    text: str
    number: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that JSON cannot hold."""
        if self.number is not None:
            if not math.isfinite(self.number):
                raise ValueError(f"number must be finite or None, got {self.number!r} in {self.text!r}")
            object.__setattr__(self, "number", float(self.number))


@dataclass(frozen=True)
class Table:
    """A small table for the report; every row has one cell per column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        """Check the shape, and turn NumPy scalars into plain ones."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"rows of table {self.title!r} must have {len(self.columns)} cells, got {row!r}")
        plain = tuple(tuple(cell.item() if isinstance(cell, np.generic) else cell for cell in row) for row in self.rows)
        object.__setattr__(self, "rows", plain)


@dataclass(frozen=True)
class Curve:
    """Points of one line in a plot."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the shape, and make all numbers plain."""
        if len(self.x) != len(self.y):
            raise ValueError(f"curve {self.label!r} must have one y for each x, got {len(self.y)} and {len(self.x)}")
        object.__setattr__(self, "x", tuple(map(float, self.x)))
        object.__setattr__(self, "y", tuple(map(float, self.y)))


@dataclass(frozen=True)
class Plot:
    """A figure with double logarithmic axes, described without any drawing library.

    Attributes
    ----------
    name : str
        File name without ending.
    title, xlabel, ylabel : str
        Texts with units.
    curves : tuple of Curve
        Lines with markers.
    description : str
        The same in words, for those who do not see it.
    """

    name: str
    title: str
    xlabel: str
    ylabel: str
    curves: tuple[Curve, ...]
    description: str


@dataclass(frozen=True)
class AssumptionSummary:
    """One of the four assumptions of the theory, over one kind of prior that a claim used.

    Attributes
    ----------
    name : str
        ``"lower_bound"``, ``"non_degeneracy"``, ``"symmetry"`` or ``"constant_mean"``.
    priors : str
        Which priors were checked.
    satisfied, checked : int
        How many of them satisfy it, of how many.
    witness : str
        What decides, at the prior that satisfies it least.
    """

    name: str
    priors: str
    satisfied: int
    checked: int
    witness: str

    @property
    def holds(self) -> bool:
        """Whether all these priors satisfy it."""
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
    """What a check, or its control, found.

    Attributes
    ----------
    verdict : {"holds", "fails", "outside its assumptions"}
        The outcome.
    predicted, measured, error : Reading
        What the statement says, what was found, and how far the measurement may be off.
    method : {"exact", "quadrature", "monte carlo (standard error)"}
        How the measurement was obtained, hence what ``error`` means.
    assumptions : tuple of AssumptionSummary
        Which assumptions of the theory the priors satisfy.
    regime : Regime
        Whether the asymptotic regime is reached.
    parts : tuple of Part
        Cases with their own verdicts.
    details : tuple of Table
        Numbers for the report.
    plots : tuple of Plot
        Figures for the report.
    notes : tuple of str
        What a reader has to know to judge the numbers.
    """

    verdict: Verdict
    predicted: Reading
    measured: Reading
    error: Reading
    method: EvidenceMethod
    assumptions: tuple[AssumptionSummary, ...]
    regime: Regime
    parts: tuple[Part, ...] = ()
    details: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the words that decide."""
        judged: tuple[Evidence | Part, ...] = (self, *self.parts)
        for one in judged:
            if one.verdict not in get_args(Verdict):
                raise ValueError(f"verdict must be one of {get_args(Verdict)}, got {one.verdict!r}")
            if one.method not in METHODS:
                raise ValueError(f"method must be one of {METHODS}, got {one.method!r}")


def verdict_of(agrees: bool) -> Verdict:
    """Return the verdict on a prediction that should be seen."""
    return HOLDS if agrees else FAILS


def combine_verdicts(parts: Iterable[Part]) -> Verdict:
    """Return the verdict on a claim from its parts: one failure fails it, parts outside decide nothing."""
    found = {part.verdict for part in parts}
    if FAILS in found:
        return FAILS
    return HOLDS if HOLDS in found else OUTSIDE


def weakest_method(estimates: Iterable[Estimate]) -> EvidenceMethod:
    """Return the least certain method among the estimates."""
    order = ("exact", "quadrature", "monte_carlo")
    return METHODS[max(order.index(estimate.method) for estimate in estimates)]


def summarise_assumptions(label: str, priors: Sequence[Prior]) -> tuple[AssumptionSummary, ...]:
    """Check the four assumptions on all priors, count how many satisfy each, and quote the weakest witness."""

    def merge(checks: Sequence[AssumptionCheck]) -> AssumptionSummary:
        # The value is a constant gamma for the first two assumptions, a change or a trace for the others.
        sign = -1.0 if checks[0].name == "symmetry" else 1.0
        worst = min(checks, key=lambda check: (check.holds, sign * check.value))
        satisfied = sum(check.holds for check in checks)
        return AssumptionSummary(worst.name, label, satisfied, len(checks), worst.witness)

    return tuple(merge(checks) for checks in zip(*(check_assumptions(prior) for prior in priors), strict=True))
