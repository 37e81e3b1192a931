r"""Matrices of small fractions near a matrix of floats, and exact checks of the assumptions on them.

With :math:`D = \mathrm{diag}(\mu)` all that is asked of ``B`` can be decided in fractions:

.. math::

    \lVert B \rVert_F^2 = \sum_{ab} \frac{\mu_a}{\mu_b} \pi_{ab}^2 - 1, \qquad
    D^{1/2} (m^2 I - B^\top B) D^{1/2} = m^2 D - \pi^\top D \pi + \mu \mu^\top,

and the largest singular value of ``B`` is at most m when the second matrix is positive semidefinite.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from causal_theory.certificates.rationals import Matrix, stationary_law
from causal_theory.errors import TransitionError
from causal_theory.falsification.space import SearchSpace
from causal_theory.floats import default_floats

Array = NDArray[np.float64]

DENOMINATORS = (*range(1, 41), *(times * 10**power for power in (1, 2, 3, 4, 5, 6) for times in (5, 10, 20)))
"""Common denominators that are tried, simplest first."""


CUTOFFS = (5e-5, 5e-6, 5e-7)
"""Entries below become zero, however fine the denominator of the others: simplest first."""


@dataclass(frozen=True)
class ExactCheck:
    """An assumption on one matrix, decided in rational arithmetic.

    Attributes
    ----------
    name : {"lower_bound", "non_degeneracy", "constant_mean", "mixing"}
        The assumption.
    quantity : str
        What is measured.
    value : Fraction or float
        It. Exact, but for the largest singular value of mixing, a float beside an exact verdict.
    required : str
        What it must satisfy; without a constant of its own, for some constant.
    kept : bool
        Whether the search space asked for it.
    holds : bool
        The verdict.
    """

    name: str
    quantity: str
    value: Fraction | float
    required: str
    kept: bool
    holds: bool

    def __repr__(self) -> str:
        """Return one line with the verdict."""
        value = self.value if isinstance(self.value, Fraction) else f"{self.value:.6g}"
        return f"ExactCheck({self.name} {'holds' if self.holds else 'fails'}: {self.quantity} = {value})"


@default_floats
def exact_checks(matrix: Matrix, space: SearchSpace) -> tuple[ExactCheck, ...]:
    """Check what a space keeps, and what it does not, on a matrix of fractions.

    Parameters
    ----------
    matrix : tuple of tuples of Fraction
        A transition matrix with a unique stationary law.
    space : SearchSpace
        Its constants; an assumption that it does not keep is checked for some constant.

    Returns
    -------
    tuple of ExactCheck
        Lower bound, non-degeneracy, constant mean, mixing.

    Raises
    ------
    TransitionError
        If the stationary law is not unique.
    """
    size, law = len(matrix), stationary_law(matrix)
    gamma = size * min(map(min, matrix))
    seen = [k for k in range(size) if law[k]]
    norm = sum((law[a] * matrix[a][b] ** 2 / law[b] for a in seen for b in seen), Fraction(-1))
    trace = sum((matrix[k][k] for k in range(size)), Fraction(0))
    least = None if space.non_degeneracy is None else space.non_degeneracy**2
    sign = _definiteness(_slack(matrix, law, seen, space.mixing or Fraction(1)))
    mixes = sign > 0 if space.mixing is None else sign >= 0
    below = "< 1" if space.mixing is None else f"<= {space.mixing}"
    largest = _largest(matrix, law, seen)
    return (
        _at_least("lower_bound", "S min pi", gamma, space.lower_bound),
        _at_least("non_degeneracy", "||B||_F^2", norm, least),
        ExactCheck("constant_mean", "tr pi", trace, "= 1", space.constant_mean, trace == 1),
        ExactCheck("mixing", "||B||_2", largest, below, space.mixing is not None, mixes),
    )


def _at_least(name: str, quantity: str, value: Fraction, least: Fraction | None) -> ExactCheck:
    """Compare with a constant that is kept, or else ask for some constant."""
    if least is None:
        return ExactCheck(name, quantity, value, "> 0", False, value > 0)
    return ExactCheck(name, quantity, value, f">= {least}", True, value >= least)


def _slack(matrix: Matrix, law: Sequence[Fraction], seen: Sequence[int], bound: Fraction) -> list[list[Fraction]]:
    """Return ``bound^2 D - pi^T D pi + mu mu^T`` over the symbols that occur."""
    return [
        [
            bound**2 * law[b] * (b == c) - sum(law[a] * matrix[a][b] * matrix[a][c] for a in seen) + law[b] * law[c]
            for c in seen
        ]
        for b in seen
    ]


def _definiteness(rows: list[list[Fraction]]) -> int:
    """Return 1 for a positive definite symmetric matrix, 0 for a semidefinite one, -1 for any other."""
    left = list(range(len(rows)))
    while left:
        pivot = max(left, key=lambda k: rows[k][k])
        if rows[pivot][pivot] <= 0:
            # Without a positive diagonal only zero is semidefinite.
            return 0 if all(rows[j][k] == 0 for j in left for k in left) else -1
        left.remove(pivot)
        for j in left:
            factor = rows[j][pivot] / rows[pivot][pivot]
            for k in left:
                rows[j][k] -= factor * rows[pivot][k]
    return 1


def _largest(matrix: Matrix, law: Sequence[Fraction], seen: Sequence[int]) -> float:
    root = np.sqrt([float(law[k]) for k in seen])
    entries = np.array([[float(matrix[a][b]) for b in seen] for a in seen])
    return float(np.linalg.norm(root[:, None] * entries / root - np.outer(root, root), 2))


def fractions_near(matrix: Array, space: SearchSpace) -> Iterator[Matrix]:
    """Yield matrices of fractions near one of floats that satisfy all that a space keeps, simplest first.

    Entries are rounded to one common denominator so that rows, the trace and the lower bound are exact. For each
    denominator there are others, in which entries too small for it are powers of ten instead of zero.

    Parameters
    ----------
    matrix : ndarray, shape (S, S)
        A transition matrix.
    space : SearchSpace
        Which assumptions to keep.

    Yields
    ------
    tuple of tuples of Fraction
        Different matrices, by increasing denominators.
    """
    tried = set()
    for denominator in DENOMINATORS:
        rounded = _rounded(matrix, denominator, space)
        if rounded is None:
            continue
        for candidate in (rounded, *(_with_tiny(rounded, matrix, denominator, cutoff) for cutoff in CUTOFFS)):
            if candidate in tried:
                continue
            tried.add(candidate)
            try:
                checks = exact_checks(candidate, space)
            except TransitionError:
                continue
            if all(check.holds for check in checks if check.kept):
                yield candidate


def _with_tiny(rounded: Matrix, matrix: Array, denominator: int, cutoff: float) -> Matrix:
    """Put powers of ten where entries off the diagonal were lost; the largest other one of the row pays for them."""
    rows = [list(row) for row in rounded]
    for a, row in enumerate(rows):
        payer = max((b for b in range(len(row)) if b != a), key=row.__getitem__)
        for b, entry in enumerate(matrix[a]):
            if row[b] == 0 and b != a and cutoff < entry < 0.5 / denominator:
                row[b] = Fraction(1, 10 ** round(-np.log10(entry)))
                row[payer] -= row[b]
        if row[payer] < 0:
            return rounded
    return tuple(map(tuple, rows))


def _rounded(matrix: Array, denominator: int, space: SearchSpace) -> Matrix | None:
    """Return the matrix in units of one over the denominator, or None when these are too coarse."""
    size = len(matrix)
    least = 0 if space.lower_bound is None else ceil(space.lower_bound * denominator / size)
    scaled = matrix * denominator
    if not space.constant_mean:
        rows = [_apportion(row, denominator, least) for row in scaled]
    else:
        diagonal = _apportion(np.diagonal(scaled), denominator, least)
        if diagonal is None:
            return None
        rows = []
        for a, own in enumerate(diagonal):
            rest = _apportion(np.delete(scaled[a], a), denominator - own, least)
            rows.append(None if rest is None else [*rest[:a], own, *rest[a:]])
    if any(row is None for row in rows):
        return None
    return tuple(tuple(Fraction(entry, denominator) for entry in row) for row in rows if row is not None)


def _apportion(shares: Array, total: int, least: int) -> list[int] | None:
    """Return integers of at least ``least`` near the shares with the given sum, by largest remainders."""
    if least * len(shares) > total:
        return None
    whole = np.maximum(np.floor(shares), least).astype(int)
    while (gap := total - int(whole.sum())) != 0:
        off = shares - whole
        if gap > 0:
            whole[int(np.argmax(off))] += 1
        else:
            whole[int(np.argmin(np.where(whole > least, off, np.inf)))] -= 1
    return [int(entry) for entry in whole]
