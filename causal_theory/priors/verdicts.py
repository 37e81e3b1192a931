"""Verdicts on the assumptions of the theory, and how they are reached for a matrix and for draws of a law."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import chi2_matrix, closed_classes, stationary_distributions
from causal_theory.display import Shown
from causal_theory.error_propagation import STANDARD_ERRORS
from causal_theory.errors import TransitionError
from causal_theory.tables import Tabular
from causal_theory.wording import with_error

Array = NDArray[np.float64]

TOLERANCE = 1e-12
"""Deviations up to this are roundoff: relative to the larger entry, or absolute for norms, which are of order one."""

LOWER_BOUND = "min pi >= gamma/S almost surely, for some gamma > 0"
NON_DEGENERACY = "||B||_F >= gamma almost surely, for some gamma > 0"
SYMMETRY = "the law of pi is invariant under relabeling of the symbols"
CONSTANT_MEAN = "E[pi] = 11^T/S"
PARENTS_WIN = "trace of E[pi] - 1 < E[||B||_F^2]"
"""Decides at epsilon = 0 with stationary roots: S times the limit scores of a position itself, and of its parent."""


@dataclass(frozen=True)
class AssumptionCheck(Shown):
    """One assumption and whether a prior satisfies it.

    Attributes
    ----------
    name : str
        ``"lower_bound"``, ``"non_degeneracy"``, ``"symmetry"``, ``"constant_mean"``, or ``"parents_win"``.
    statement : str
        The assumption.
    holds : bool or None
        Whether the prior satisfies it; None when draws do not refute it, which proves nothing.
    value : float
        For the first two the largest gamma for which it holds (0 if there is none; where it is open, for which it holds
        in the draws); for symmetry the largest change of an entry by a relabeling that swaps two symbols; for the mean
        the trace of ``E[pi]``; for what decides the right side minus the left one.
    witness : str
        What decides: the smallest or the offending entry, the permutation, the trace.
    """

    name: str
    statement: str
    holds: bool | None
    value: float
    witness: str

    def __repr__(self) -> str:
        """Return one line with the verdict and what decides it."""
        return f"AssumptionCheck({self.name} {self.verdict}: {self.witness})"

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"fails"`` or ``"open"``."""
        return "open" if self.holds is None else "holds" if self.holds else "fails"


@dataclass(frozen=True)
class AssumptionReport(Tabular, Shown):
    """The four checks, in the order of the theory, and what decides where they fail. Iterating yields the four.

    Attributes
    ----------
    lower_bound, non_degeneracy, symmetry, constant_mean : AssumptionCheck
        One check each.
    parents_win : AssumptionCheck or None
        Constant mean is sufficient, and no estimated matrix has it. What decides, at ``epsilon = 0`` with stationary
        roots, is whether ``trace of E[pi] - 1 < E[||B||_F^2]``: the two sides are S times the limit scores of a
        position itself and of its parent, the same for every child of every forest. Where it holds and all entries are
        positive the parent of every child has the largest limit score; with zeros other keys may have the same. None
        when a prior of your own does not say.
    """

    lower_bound: AssumptionCheck
    non_degeneracy: AssumptionCheck
    symmetry: AssumptionCheck
    constant_mean: AssumptionCheck
    parents_win: AssumptionCheck | None = None

    def __iter__(self) -> Iterator[AssumptionCheck]:
        """Yield the four checks."""
        return iter((self.lower_bound, self.non_degeneracy, self.symmetry, self.constant_mean))

    @property
    def columns(self) -> dict[str, list[object]]:
        """The columns of the table, one row for each assumption."""
        names = ("name", "holds", "value", "statement", "witness")
        return {name: [getattr(check, name) for check in self] for name in names}

    @property
    def all_hold(self) -> bool:
        """Whether the prior is known to satisfy all four."""
        return all(check.holds is True for check in self)

    def __str__(self) -> str:
        """Return one line per assumption; what decides stands beside constant mean."""
        lines = [f"{check.name}: {check.verdict} ({check.witness})" for check in self]
        if self.parents_win is not None:
            lines[-1] += f"; parents_win: {self.parents_win.verdict} ({self.parents_win.witness})"
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return one line with the verdicts."""
        return f"AssumptionReport({', '.join(f'{check.name} {check.verdict}' for check in self)})"


def _entry(matrix: Array, where: tuple[int, int], name: str = "pi") -> str:
    return f"{name}[{where[0]}, {where[1]}] = {matrix[where]:.6g}"


def _argmax(matrix: Array) -> tuple[int, int]:
    row, column = divmod(int(matrix.argmax()), matrix.shape[1])
    return row, column


def norms_of_draws(matrices: Array) -> Array | None:
    """Return ``||B||_F`` of every matrix of a stack (n, S, S); None if one has several closed classes."""
    try:
        return _chi2_norms(matrices, stationary_distributions(matrices))
    except TransitionError:
        return None


def drawn_lower_bound(matrices: Array) -> AssumptionCheck:
    """Look for entries of zero in draws of a law (n, S, S): without any the verdict is open."""
    size, smallest = matrices.shape[1], matrices.min(axis=0)
    gamma = size * float(smallest.min())
    witness = (
        f"smallest entry in {len(matrices)} draws: {_entry(smallest, _argmax(-smallest))}, gamma at most {gamma:.6g}"
    )
    return AssumptionCheck("lower_bound", LOWER_BOUND, None if gamma > 0.0 else False, gamma, witness)


def drawn_non_degeneracy(matrices: Array) -> AssumptionCheck:
    """Look for a norm of zero in draws of a law (n, S, S): without any the verdict is open."""
    norms = norms_of_draws(matrices)
    if norms is None:
        witness = f"among {len(matrices)} draws some have several closed classes: B is undefined"
        return AssumptionCheck("non_degeneracy", NON_DEGENERACY, False, 0.0, witness)
    least = float(norms.min())
    holds = None if least > TOLERANCE else False
    witness = f"smallest ||B||_F in {len(matrices)} draws: {least:.6g}"
    return AssumptionCheck("non_degeneracy", NON_DEGENERACY, holds, least if holds is None else 0.0, witness)


def _chi2_norms(matrices: Array, laws: Array) -> Array:
    """Frobenius norms of the chi-square matrices of a stack (n, S, S) with stationary laws (n, S)."""
    root = np.sqrt(laws)
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
    scaled = root[:, :, np.newaxis] * matrices * inverse[:, np.newaxis, :]
    norms: Array = np.linalg.norm(scaled - root[:, :, np.newaxis] * root[:, np.newaxis, :], axis=(1, 2))
    return norms


def matrix_lower_bound(matrix: Array) -> AssumptionCheck:
    """Return the largest gamma for one matrix."""
    gamma = len(matrix) * float(matrix.min())
    witness = f"gamma = {gamma:.6g}, smallest entry {_entry(matrix, _argmax(-matrix))}"
    return AssumptionCheck("lower_bound", LOWER_BOUND, gamma > 0.0, gamma, witness)


def matrix_non_degeneracy(matrix: Array) -> AssumptionCheck:
    """Return the norm of one matrix."""
    classes = closed_classes(matrix)
    if len(classes) > 1:
        listed = ", ".join(map(str, classes))
        witness = f"B is undefined: the stationary law is not unique, closed classes of symbols: {listed}"
        return AssumptionCheck("non_degeneracy", NON_DEGENERACY, False, 0.0, witness)
    norm = float(np.linalg.norm(chi2_matrix(matrix)))
    holds = norm > TOLERANCE
    witness = f"||B||_F = {norm:.6g}" if holds else "||B||_F = 0 up to roundoff"
    return AssumptionCheck("non_degeneracy", NON_DEGENERACY, holds, norm if holds else 0.0, witness)


def matrix_symmetry(matrix: Array, name: str = "pi") -> AssumptionCheck:
    """Try all swaps of two symbols on one matrix: they generate every relabeling."""
    change, swap, where = 0.0, (0, 1), (0, 0)
    for first, second in combinations(range(len(matrix)), 2):
        order = np.arange(len(matrix))
        order[[first, second]] = second, first
        deviation = np.abs(matrix[np.ix_(order, order)] - matrix)
        if deviation.max() > change:
            change, swap, where = float(deviation.max()), (first, second), _argmax(deviation)
    if change <= TOLERANCE * float(matrix.max()):
        witness = f"{name} has one value on the diagonal and one off it"
        return AssumptionCheck("symmetry", SYMMETRY, True, change, witness)
    source = tuple({swap[0]: swap[1], swap[1]: swap[0]}.get(k, k) for k in where)
    witness = f"swapping symbols {swap[0]} and {swap[1]} changes {_entry(matrix, where, name)} to {matrix[source]:.6g}"
    return AssumptionCheck("symmetry", SYMMETRY, False, change, witness)


def matrix_mean(mean: Array) -> AssumptionCheck:
    """Compare a mean matrix with the uniform one."""
    uniform = 1.0 / len(mean)
    trace = float(np.trace(mean))
    deviation = np.abs(mean - uniform)
    where = _argmax(deviation)
    holds = float(deviation[where]) <= TOLERANCE * uniform
    witness = f"trace of E[pi] = {trace:.12g}"
    if not holds:
        witness += f", {_entry(mean, where, 'E[pi]')} instead of {uniform:.6g}"
    return AssumptionCheck("constant_mean", CONSTANT_MEAN, holds, trace, witness)


def matrix_parents_win(matrix: Array) -> AssumptionCheck:
    """Compare the limit scores of parents and of positions themselves for one matrix."""
    if len(closed_classes(matrix)) > 1:
        witness = "B is undefined: the stationary law is not unique"
        return AssumptionCheck("parents_win", PARENTS_WIN, False, float("nan"), witness)
    itself, parent = _excess_trace(matrix), float(np.linalg.norm(chi2_matrix(matrix)) ** 2)
    holds = parent - itself > TOLERANCE
    witness = f"trace - 1 = {itself:.6g} {'<' if holds else 'not below'} ||B||_F^2 = {parent:.6g}"
    if holds and not matrix.all():
        witness += ", but entries of 0 allow other keys the same score"
    return AssumptionCheck("parents_win", PARENTS_WIN, holds, parent - itself, witness)


def _excess_trace(matrix: Array) -> float:
    """Return the trace minus one, zero where that is roundoff."""
    excess = float(np.trace(matrix)) - 1.0
    return 0.0 if abs(excess) <= TOLERANCE else excess


def drawn_parents_win(mean: Array, norms: Array | None) -> AssumptionCheck:
    """Compare them for a law with a known mean from the norms ``||B||_F`` of draws."""
    itself = _excess_trace(mean)
    if norms is None or len(norms) < 2:
        witness = "too few draws, or some with several closed classes: B is undefined"
        return AssumptionCheck("parents_win", PARENTS_WIN, None, float("nan"), witness)
    parent, bar = float(np.mean(norms**2)), float(np.std(norms**2, ddof=1)) / len(norms) ** 0.5
    gap = parent - itself
    holds = None if abs(gap) <= STANDARD_ERRORS * bar + TOLERANCE else gap > 0.0
    witness = f"trace - 1 = {itself:.6g}, mean of ||B||_F^2 in {len(norms)} draws: {with_error(parent, bar)}"
    return AssumptionCheck("parents_win", PARENTS_WIN, holds, gap, witness)


def drawn_report(mean: Array, matrices: Array, *, stated_symmetric: bool) -> AssumptionReport:
    """Judge a prior of which only its mean and some draws are known, and whether it says to be symmetric."""
    symmetry = matrix_symmetry(mean, "E[pi]")
    if stated_symmetric and symmetry.holds:
        symmetry = AssumptionCheck("symmetry", SYMMETRY, True, 0.0, "stated by the prior")
    elif symmetry.holds:
        symmetry = AssumptionCheck("symmetry", SYMMETRY, None, symmetry.value, f"not refuted: {symmetry.witness}")
    wins = drawn_parents_win(mean, norms_of_draws(matrices))
    bounds = drawn_lower_bound(matrices), drawn_non_degeneracy(matrices)
    return AssumptionReport(*bounds, symmetry, matrix_mean(mean), wins)
