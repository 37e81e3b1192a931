"""The first argument of a claim's function: its own randomness, progress, and the verbs that record numbers."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from causal_theory.claims.judging import GRANTED, Graded, Requirement, join, judge
from causal_theory.claims.records import (
    FAILS,
    HOLDS,
    KINDS,
    MEASURED,
    OUTSIDE,
    Assumption,
    Cell,
    Curve,
    Figure,
    Findings,
    Kind,
    Number,
    Panel,
    Part,
    Table,
    make_cell,
)
from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.graphs import CausalGraph
from causal_theory.priors import Prior, check_assumptions

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]
"""Called with what is being done, how many items are done, and of how many."""


@dataclass
class _Growing:
    """A part while it grows."""

    verb: str
    unit: str
    kind: Kind
    bars: float
    tallies: dict[str | None, Graded] = field(default_factory=dict)
    """By group; under None that of all."""

    def add(self, found: Graded, by: object) -> None:
        for group in {None, by if by is None else str(by)}:
            self.tallies[group] = join(self.tallies[group], found) if group in self.tallies else found


@dataclass
class Check:
    """The surroundings of a claim's function, and the record that it writes.

    Every verb takes a part, which is a sentence: calls with the same sentence are tallied together. ``by`` names a
    group within the part; other keywords are labels, which tell the comparison closest to failing from all others.
    Arrays are judged entry by entry; their labels may be arrays of the same shape.

    Parameters
    ----------
    name : str
        Of the claim. With ``control`` and ``seed`` it decides all randomness, which therefore depends neither on the
        order of the claims nor on the number of processes.
    control : bool
        Whether this run is the control: something must be made wrong.
    seed : int
        Of the whole run.
    outside : tuple of str
        Parts that lie outside the assumptions and decide nothing.
    listener : callable
        Receives progress.

    Examples
    --------
    >>> check = Check("example")
    >>> check.equal("two and two are four", 2.0 + 2.0, 4.0, tolerance=1e-15)
    True
    >>> check.positive("a margin is positive", [0.3, 0.1], error=[0.01, 0.2], case=["wide", "narrow"])
    False
    >>> found = check.findings()
    >>> found.verdict, found.parts[1].total.closest.at
    ('fails', {'case': 'narrow'})
    """

    name: str
    control: bool = False
    seed: int = 0
    outside: tuple[str, ...] = ()
    listener: Listener = lambda _text, _done, _total: None

    _parts: dict[str, _Growing] = field(default_factory=dict, init=False)
    _rows: dict[str, list[dict[str, Cell]]] = field(default_factory=dict, init=False)
    _units: dict[str, dict[str, str]] = field(default_factory=dict, init=False)
    _figures: list[Figure] = field(default_factory=list, init=False)
    _priors: dict[str, list[Prior]] = field(default_factory=dict, init=False)
    _notes: list[str] = field(default_factory=list, init=False)

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a generator of its own for each sequence of names.

        Examples
        --------
        >>> check = Check("claim")
        >>> first, again, other = (check.rng(name).integers(10**9) for name in ("a", "a", "b"))
        >>> bool(first == again), bool(first == other)
        (True, False)
        """
        path = (self.name, "control" if self.control else "run")
        digest = hashlib.sha256(repr((path, names)).encode()).digest()
        key = np.frombuffer(digest[:16], dtype="<u4")
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=tuple(map(int, key))))

    def track(self, items: Sequence[Item], text: str) -> Iterator[Item]:
        """Yield the items and report how many are done."""
        for done, item in enumerate(items):
            self.listener(text, done, len(items))
            yield item
        self.listener(text, len(items), len(items))

    def equal(self, part: str, value: Any, expected: Any, *, tolerance: float = 0.0, **options: Any) -> bool:
        r"""Record that numbers are what they should be.

        A comparison holds when :math:`|x - y| \le \text{tolerance} + \text{bars} \cdot \text{error}`, where the errors
        of both sides add up.

        Parameters
        ----------
        part : str
            A sentence.
        value, expected : number, array, Fraction or Estimate
            Both sides. Fractions and integers are compared without rounding.
        tolerance : float
            Absolute.
        **options
            As for :meth:`within`.

        Returns
        -------
        bool
            Whether all comparisons hold.
        """
        error = options.pop("error", None)
        if isinstance(expected, Estimate):
            own = value.error if isinstance(value, Estimate) else 0.0 if error is None else error
            error = own + expected.error
            kinds = [_kind_of(one) for one in (value, expected) if isinstance(one, Estimate)]
            options.setdefault("kind", max(kinds, key=KINDS.index))
            value, expected = np.asarray(value), expected.value
        return self._judge(part, "equal", value, expected, expected, error=error, tolerance=tolerance, **options)

    def within(self, part: str, value: Any, low: Any = None, high: Any = None, **options: Any) -> bool:
        """Record that numbers lie in an interval, ends included, or outside by no more than their error.

        Parameters
        ----------
        part : str
            A sentence.
        value : number, array, Fraction or Estimate
            What was found; NaN lies nowhere.
        low, high : number, array or None
            Ends; None for an open end.
        **options
            ``error``: how far the numbers may be off, one or an array; an `Estimate` brings its own. ``by``: group.
            ``kind``: ``"bound"`` (when there is an error), ``"quadrature"``, ``"standard error"`` or ``"spread"``;
            a spread is recorded and excuses nothing. ``bars``: error bars that are granted, 1, of standard errors 4.
            ``unit``. Everything else is a label.

        Returns
        -------
        bool
            Whether all comparisons hold.
        """
        return self._judge(part, "within", value, low, high, **options)

    def positive(self, part: str, value: Any, **options: Any) -> bool:
        """Record that numbers are above zero by more than ``bars`` times their error; options as for :meth:`within`."""
        return self._judge(part, "positive", value, 0, None, **options)

    def exponent(self, part: str, x: ArrayLike, y: ArrayLike, low: float, high: float, **options: Any) -> float:
        """Record that ``y`` grows like a power of ``x`` with an exponent in an interval, and return the exponent.

        It is the slope of the straight line of least squares through ``(log x, log y)``.
        """
        if len(np.unique(np.asarray(x))) < 2:
            raise InvalidArgumentError(f"x must have two values at least for an exponent, got {x!r}")
        found = float(np.polyfit(np.log(x), np.log(y), 1)[0])
        self._judge(part, "exponent", found, low, high, **options)
        return found

    def share(
        self, part: str, hits: int, of: int, low: float | None = None, high: float | None = None, *,
        sampled: bool = False, **options: Any,
    ) -> float:  # fmt: skip
        """Record that a share of cases lies in an interval, and return it; without an interval it is measured.

        With ``sampled`` the cases are independent draws and the share has the standard error of one, with one draw
        added to each side so that it is never zero.
        """
        if of < 1:
            raise InvalidArgumentError(f"of must be at least 1, got {of}")
        if sampled:
            middle = (hits + 1.0) / (of + 2.0)
            options |= {"error": float(np.sqrt(middle * (1.0 - middle) / of)), "kind": "standard error"}
        verb = "measure" if low is None and high is None else "share"
        self._judge(part, verb, hits / of, low, high, hits=hits, of=of, **options)
        return hits / of

    def measure(self, part: str, value: Any, **options: Any) -> None:
        """Record numbers of which nothing is asked; options as for :meth:`within`."""
        self._judge(part, "measure", value, None, None, **options)

    def row(self, table: str, cells: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Add a row to a table; a table has the columns of all its rows.

        Parameters
        ----------
        table : str
            Title.
        cells : mapping of str
            Cells by column. An `Estimate` becomes a number with its error, a pair ``(value, unit)`` one with a unit.
        **more
            The same for columns that are identifiers; underscores are shown as spaces.
        """
        named = {**(cells or {}), **{name.replace("_", " "): value for name, value in more.items()}}
        units = self._units.setdefault(table, {})
        row = {}
        for column, value in named.items():
            if isinstance(value, tuple):
                value, units[column] = value  # noqa: PLW2901 - the unit belongs to the column
            if isinstance(value, Estimate):
                value = Number(float(value.value), float(value.error), _kind_of(value))  # noqa: PLW2901
            row[column] = make_cell(value)
        self._rows.setdefault(table, []).append(row)

    def figure(
        self, title: str, curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, x: str, y: str, description: str
    ) -> None:
        """Add curves on double logarithmic axes: label to ``(x, y)``; ``description`` says what is to be seen."""
        lines = []
        for label, (points, values) in curves.items():
            across, up = (tuple(np.asarray(one, dtype=np.float64).tolist()) for one in (points, values))
            if len(across) != len(up):
                raise InvalidArgumentError(
                    f"curve {label!r} must have one y for each x, got {len(up)} and {len(across)}"
                )
            lines.append(Curve(label, across, up))
        self._figures.append(Figure(title, x, y, description, tuple(lines)))

    def matrices(
        self, title: str, panels: Mapping[str, Any], *, graph: CausalGraph | None = None, description: str
    ) -> None:
        """Add matrices side by side: label to matrix; the edges of ``graph``, which may be a panel, are marked."""
        edges = () if graph is None else tuple((int(child), int(parent)) for parent, child in graph.edges)
        found = []
        for label, values in panels.items():
            drawn: Literal["graph", "matrix"] = "graph" if graph is not None and values is graph else "matrix"
            matrix = np.asarray(values.adjacency if drawn == "graph" else values, dtype=np.float64)
            if matrix.ndim != 2 or matrix.shape != (len(matrix) if graph is None else graph.length,) * 2:
                raise InvalidArgumentError(
                    f"panel {label!r} must be square, as long as the graph, got shape {matrix.shape}"
                )
            found.append(Panel(label, tuple(map(tuple, matrix.tolist())), marked=edges, drawn=drawn))
        self._figures.append(Figure(title, "key position j", "position i", description, panels=tuple(found)))

    def assumptions(self, label: str, priors: Sequence[Prior]) -> None:
        """Check the four assumptions on priors, count by label how many satisfy each, and keep the weakest witness."""
        self._priors.setdefault(label, []).extend(priors)

    def note(self, text: str) -> None:
        """Say what a reader has to know to judge the numbers; an empty line begins another note."""
        self._notes += [" ".join(one.split()) for one in re.split(r"\n\s*\n", text)]

    def findings(self) -> Findings:
        """Return what has been recorded so far."""
        return Findings(
            tuple(self._part(name, one) for name, one in self._parts.items() if one.tallies),
            tuple(self._table(title, rows) for title, rows in self._rows.items()),
            tuple(self._figures),
            tuple(one for label, priors in self._priors.items() for one in _assumptions(label, priors)),
            tuple(self._notes),
        )

    def _judge(
        self,
        part: str,
        verb: str,
        value: Any,
        low: Any,
        high: Any,
        *,
        error: Any = None,
        kind: Kind | None = None,
        bars: float | None = None,
        tolerance: float = 0.0,
        unit: str = "",
        by: object = None,
        **labels: Any,
    ) -> bool:
        if isinstance(value, Estimate):
            kind = kind or _kind_of(value)
            value, error = value.value, value.error if error is None else error
        if not isinstance(part, str):
            raise InvalidArgumentError(f"part must be a sentence, got {part!r}")
        if value is None:
            raise InvalidArgumentError(f"value must be a number, an array or an Estimate, got None for {part!r}")
        kind = kind or ("none" if error is None else "bound")
        if kind not in KINDS:
            raise InvalidArgumentError(f"kind must be one of {KINDS}, got {kind!r}")
        granted = GRANTED[kind] if bars is None else float(bars)
        growing = self._parts.setdefault(part, _Growing(verb, unit, kind, granted))
        if (growing.verb, growing.unit) != (verb, unit):
            raise InvalidArgumentError(
                f"part must keep its verb and unit, {part!r} has {growing.verb!r} and {growing.unit!r}, got {verb!r} "
                f"and {unit!r}"
            )
        if np.size(value) == 0:
            return True
        if by is not None:
            labels = {"group": str(by), **labels}
        growing.kind, growing.bars = max(growing.kind, kind, key=KINDS.index), max(growing.bars, granted)
        found = judge(value, Requirement(verb, low, high, error, kind, granted, tolerance, unit), labels)
        growing.add(found, by)
        return found.tally.failures == 0

    def _part(self, name: str, one: _Growing) -> Part:
        groups = {label: graded.tally for label, graded in one.tallies.items() if label is not None}
        total = one.tallies[None].tally
        judged = FAILS if total.failures else HOLDS
        verdict = OUTSIDE if name in self.outside else MEASURED if one.verb == "measure" else judged
        return Part(name, one.verb, verdict, one.unit, one.kind, one.bars, total, groups)

    def _table(self, title: str, rows: list[dict[str, Cell]]) -> Table:
        columns = tuple(dict.fromkeys(column for row in rows for column in row))
        return Table(title, columns, self._units[title], tuple(tuple(row.get(c) for c in columns) for row in rows))


def _kind_of(value: Estimate) -> Kind:
    """Return what the error of an estimate is, which follows from how it was obtained."""
    return {"exact": "bound", "quadrature": "quadrature"}.get(value.method, "standard error")  # type: ignore[return-value]


def _assumptions(label: str, priors: Sequence[Prior]) -> Iterator[Assumption]:
    for checks in zip(*map(check_assumptions, priors), strict=True):
        # The value is a constant gamma for the first two assumptions, a change or a trace for the others.
        worst = min(checks, key=lambda one: (bool(one.holds), -one.value if one.name == "symmetry" else one.value))
        satisfied = sum(one.holds is True for one in checks)
        yield Assumption(worst.name, label, satisfied, len(checks), float(worst.value), worst.witness)
