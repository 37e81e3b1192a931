"""What a claim is, and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from causal_theory.priors import AssumptionReport
from verification.profiles import Profile

__all__ = ["FAILS", "HOLDS", "OUTSIDE", "Claim", "Context", "Evidence", "Table", "Verdict", "assumptions_of"]

Verdict = Literal["holds", "fails", "outside its assumptions"]
HOLDS: Verdict = "holds"
FAILS: Verdict = "fails"
OUTSIDE: Verdict = "outside its assumptions"


@dataclass(frozen=True)
class Table:
    """Rows of evidence for the report; cells are text, ready to print."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Check that every row fits the columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"rows of table {self.title!r} must have {len(self.columns)} cells, got {row!r}")


@dataclass(frozen=True)
class Evidence:
    """What was found.

    Attributes
    ----------
    verdict : {"holds", "fails", "outside its assumptions"}
        The answer.
    predicted, measured : str
        One line each, numbers included.
    error : float
        Error of the decisive number: a bound for exact methods, a standard error for Monte Carlo.
    method : str
        "exact", "quadrature" or "monte carlo (standard error)".
    assumptions : str
        Which of the four assumptions on the prior hold.
    regime : str
        Whether the asymptotic regime is reached, or that the claim needs none.
    tables : tuple of Table
        The evidence in full.
    notes : tuple of str
        Anything a reader should know, above all what is uncomfortable.
    """

    verdict: Verdict
    predicted: str
    measured: str
    error: float
    method: str
    assumptions: str
    regime: str
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """What a claim may use besides its profile: its own reproducible randomness."""

    seed: int
    name: str

    def rng(self, *key: int) -> np.random.Generator:
        """Return a generator that depends on the seed, the claim and the key only, not on the order of claims."""
        name = int.from_bytes(self.name.encode(), "little")
        return np.random.default_rng(np.random.SeedSequence([self.seed, name], spawn_key=key))


Run = Callable[[Profile, Context], Evidence]


@dataclass(frozen=True)
class Claim:
    """A statement that can be checked.

    Attributes
    ----------
    number : int
        Order in the report.
    name : str
        Name of its file and of the option ``--claim``.
    statement : str
        In the terms of the paper.
    source : str
        Where it is stated or derived.
    run : callable
        Gathers the evidence.
    control : callable
        The same check on a wrong law, graph or engine; its verdict must be "fails".
    control_statement : str
        What the control does, in one line.
    """

    number: int
    name: str
    statement: str
    source: str
    run: Run
    control: Run
    control_statement: str


def assumptions_of(*reports: AssumptionReport) -> str:
    """Say in one line which assumptions hold in all of the given reports."""
    verdicts: dict[str, bool] = {}
    for report in reports:
        for check in report:
            verdicts[check.name] = verdicts.get(check.name, True) and check.holds
    return ", ".join(f"{name}: {'yes' if holds else 'no'}" for name, holds in verdicts.items())
