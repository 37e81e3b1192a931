"""The record of a run, as plain frozen dataclasses."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

FORMAT: Literal[2] = 2

Verdict = Literal["holds", "fails", "outside its assumptions", "measured"]
"""``"holds"``: everything lies where it should. ``"fails"``: something does not. ``"outside its assumptions"``: the
part lies outside what the claim promises and decides nothing. ``"measured"``: nothing was asked of the numbers."""

HOLDS: Verdict = "holds"
FAILS: Verdict = "fails"
OUTSIDE: Verdict = "outside its assumptions"
MEASURED: Verdict = "measured"

Kind = Literal["none", "bound", "quadrature", "standard error", "spread"]
"""What an error is, from the most to the least certain: absent, a bound on roundoff, a bound with the truncation of an
integral, one standard error, or half a range over repetitions."""

KINDS: tuple[Kind, ...] = ("none", "bound", "quadrature", "standard error", "spread")


class _Strict:
    """Lets no file hold a field that a record does not have."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - a dataclass would take an annotation for a field


@dataclass(frozen=True)
class Number(_Strict):
    """A number that needs more than JSON has: an error of some kind, a unit, all its digits, or no finite value.

    ``exact`` is the number as a fraction, when it was computed without rounding.
    """

    value: float
    error: float | None = None
    kind: Kind = "none"
    unit: str = ""
    exact: str | None = None


Cell = bool | int | float | str | Number | None


def make_cell(value: object) -> Cell:
    """Return a value as a cell: numbers stay numbers, whatever library made them.

    Examples
    --------
    >>> make_cell(0.5), make_cell(Fraction(1, 3)).exact, make_cell(float("inf"))
    (0.5, '1/3', Number(value=inf, error=None, kind='none', unit='', exact=None))
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return Number(value)
    if isinstance(value, Fraction):
        return Number(float(value), exact=str(value))
    return value if isinstance(value, bool | int | float | str | Number) or value is None else str(value)


@dataclass(frozen=True)
class Comparison(_Strict):
    """One number beside the interval it should lie in; an end that is None is open.

    ``allowed`` is how far outside it may lie (a tolerance, or so many error bars), ``excess`` how far it does: negative
    inside, the distance from an expected value, None where nothing is asked. ``at`` tells it from all others.
    """

    value: Number
    low: float | None
    high: float | None
    allowed: float
    excess: float | None
    at: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally(_Strict):
    """Many comparisons together: how many, how many fail, how many lie outside by no more than is allowed, extremes.

    ``closest`` is the comparison closest to failing; any that fails comes before all that do not.
    """

    count: int
    failures: int
    borderline: int
    smallest: float
    largest: float
    largest_error: float | None
    largest_excess: float | None
    closest: Comparison


@dataclass(frozen=True)
class Part(_Strict):
    """One sentence of a claim with its own verdict.

    ``verb`` is the method of ``Check`` that recorded its numbers, ``kind`` the least certain kind of error among them,
    and ``bars`` the error bars that a number must clear or may be off. Groups divide the total.
    """

    name: str
    verb: str
    verdict: Verdict
    unit: str
    kind: Kind
    bars: float
    total: Tally
    groups: dict[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True)
class Table(_Strict):
    """Rows of numbers; columns that a row does not have are None there."""

    title: str
    columns: tuple[str, ...]
    units: dict[str, str]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Curve(_Strict):
    """Points of a line in a figure."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Panel(_Strict):
    """A matrix in a figure; the entries of ``marked`` get a square. It may be drawn as the graph with these edges."""

    label: str
    values: tuple[tuple[float, ...], ...]
    unit: str = ""
    marked: tuple[tuple[int, int], ...] = ()
    drawn: Literal["matrix", "graph"] = "matrix"


@dataclass(frozen=True)
class Figure(_Strict):
    """Curves on double logarithmic axes, or matrices side by side, as numbers.

    ``description`` says in words what is to be seen; titles and axes have units.
    """

    title: str
    x: str
    y: str
    description: str
    curves: tuple[Curve, ...] = ()
    panels: tuple[Panel, ...] = ()


@dataclass(frozen=True)
class Assumption(_Strict):
    """One of the four assumptions of the theory, over one kind of prior: how many of those checked satisfy it.

    ``value`` and ``witness`` (the constant gamma, the change or the trace) are those of the prior that does least.
    """

    name: str
    priors: str
    satisfied: int
    checked: int
    value: float
    witness: str


@dataclass(frozen=True)
class Findings(_Strict):
    """The numbers that a check, or its control, recorded, in the order in which it did."""

    parts: tuple[Part, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = ()
    verdict: Verdict | None = None
    """One part that fails decides; parts outside and measurements decide nothing."""

    def __post_init__(self) -> None:
        """Derive the verdict."""
        found = {part.verdict for part in self.parts}
        _derive(self, "verdict", FAILS if FAILS in found else HOLDS if HOLDS in found else OUTSIDE)

    @property
    def judged(self) -> tuple[Part, ...]:
        """The parts that decide."""
        return tuple(part for part in self.parts if part.verdict in {HOLDS, FAILS})

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the parts that fail."""
        return tuple(part.name for part in self.parts if part.verdict == FAILS)

    @property
    def kind(self) -> Kind:
        """The least certain kind of error among the parts that decide."""
        return KINDS[max((KINDS.index(part.kind) for part in self.judged), default=0)]


@dataclass(frozen=True)
class Declaration(_Strict):
    """The words of a claim, before it is checked.

    ``name`` is that of the function and its file, ``number`` the place in the report. Title and statement are Markdown
    with mathematics between dollar signs. ``control`` says what is made wrong in the control, which must fail in the
    parts ``breaks`` and no others. Parts ``outside`` are measured outside the assumptions of the claim, ``assumptions``
    those of the four on the prior that it needs.
    """

    name: str
    number: int
    title: str
    statement: str
    source: str
    control: str
    breaks: tuple[str, ...]
    outside: tuple[str, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class ClaimRecord(Declaration):
    """A claim after its check (``run``) and its control (``opposed``).

    Either is None when an error came first, whose traceback is ``error``.
    """

    budgets: dict[str, Cell | tuple[Cell, ...]]
    run: Findings | None = None
    opposed: Findings | None = None
    error: str | None = None
    seconds: float = 0.0
    control_seconds: float = 0.0

    shortcomings: tuple[str, ...] | None = None
    """Why the claim does not pass."""
    passed: bool | None = None
    """Whether the claim holds and its control fails in the parts that it must break, and in no other."""

    def __post_init__(self) -> None:
        """Derive what decides."""
        _derive(self, "shortcomings", tuple(self._missing()))
        _derive(self, "passed", not self.shortcomings)

    def _missing(self) -> Iterator[str]:
        if self.run is None or self.opposed is None:
            yield f"an error stopped it: {(self.error or 'no result').strip().splitlines()[-1]}"
            return
        yield from (f"part {one!r} fails" for one in self.run.broken)
        if not self.run.judged:
            yield "nothing was judged"
        names = {part.name for part in self.run.parts}
        yield from (f"no part is named {one!r}, which is declared outside" for one in self.outside if one not in names)
        broken = self.opposed.broken
        yield from (f"the control must break part {one!r}, it does not" for one in self.breaks if one not in broken)
        yield from (f"the control breaks part {one!r} as well" for one in broken if one not in self.breaks)


@dataclass(frozen=True)
class Quote(_Strict):
    """A sentence about one part of a claim, and a number to set beside it; ``{count}`` stands for what was counted."""

    claim: str
    part: str
    says: str
    shows: str = ""


@dataclass(frozen=True)
class Head(_Strict):
    """Words above the report: a title, the theory and its source, what was checked, and the best of it.

    ``figures`` are titles of figures, ``numbers`` what speaks most for the theory, ``stops`` where it ends, both in the
    order of their importance.
    """

    title: str
    theory: str
    checked: str
    figures: tuple[str, ...] = ()
    numbers: tuple[Quote, ...] = ()
    stops: tuple[Quote, ...] = ()


@dataclass(frozen=True)
class Record(_Strict):
    """A run, finished or not: what was asked for, on what it ran, and the claims that have finished, by number.

    ``command`` starts such a run, up to the name of a claim, ``repeat`` the same run; ``folder`` is where the claims
    are, which may say what stands above the report.
    """

    profile: str
    seed: int
    jobs: int
    started: str
    command: str
    folder: str
    versions: dict[str, str]
    machine: dict[str, Cell]
    commit: str | None
    requested: tuple[str, ...]
    claims: tuple[ClaimRecord, ...] = ()
    complete: bool = False
    seconds: float = 0.0
    repeat: str = ""
    head: Head | None = None
    format: Literal[2] = FORMAT

    unfinished: tuple[str, ...] | None = None
    """Names of the claims that were asked for and have not finished."""
    passed: bool | None = None
    """Whether every claim that was asked for has finished and passes."""

    def __post_init__(self) -> None:
        """Derive what decides."""
        finished = {claim.name for claim in self.claims}
        _derive(self, "unfinished", tuple(name for name in self.requested if name not in finished))
        whole = self.complete and bool(self.claims) and not self.unfinished
        _derive(self, "passed", whole and all(claim.passed for claim in self.claims))


def _derive(record: Any, name: str, value: object) -> None:
    """Set a field that follows from the others; refuse a file in which it does not."""
    given = getattr(record, name)
    if given is not None and given != value:
        raise ValueError(f"{name} must be {value!r}, as the rest of the record says, got {given!r}")
    object.__setattr__(record, name, value)
