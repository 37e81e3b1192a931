"""The four assumptions of the theory on the prior, checked one by one with a witness.

For some gamma > 0:

1. lower bound: ``min pi >= gamma / S`` almost surely;
2. non-degeneracy: ``||B||_F >= gamma`` almost surely, with
   ``B[a, b] = sqrt(mu_a / mu_b) pi[a, b] - sqrt(mu_a mu_b)``;
3. symmetry: the law of ``pi`` does not change when the symbols are relabelled;
4. constant mean: ``E[pi] = 11^T / S``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causal_theory.chains import chi2_matrix, closed_classes, stationary_distributions
from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.floats import default_floats
from causal_theory.priors.base import MatrixPrior, Prior
from causal_theory.priors.dirichlet import DirichletPrior
from causal_theory.priors.orbit import OrbitPrior
from causal_theory.priors.point import PointPrior
from causal_theory.validation import SeedLike, check_integer

__all__ = ["AssumptionCheck", "AssumptionReport", "check_assumptions"]

TOLERANCE = 1e-12
"""Deviations up to this are roundoff: relative to the larger entry, or absolute for norms, which are of order one."""

LOW_QUANTILE = 0.01

LOWER_BOUND = "min pi >= gamma/S almost surely, for some gamma > 0"
NON_DEGENERACY = "||B||_F >= gamma almost surely, for some gamma > 0"
SYMMETRY = "the law of pi is invariant under relabeling of the symbols"
CONSTANT_MEAN = "E[pi] = 11^T/S"


@dataclass(frozen=True)
class AssumptionCheck(Shown):
    """One assumption and whether a prior satisfies it.

    Attributes
    ----------
    name : str
        ``"lower_bound"``, ``"non_degeneracy"``, ``"symmetry"`` or ``"constant_mean"``.
    statement : str
        The assumption.
    holds : bool
        Whether the prior satisfies it.
    value : float
        For the first two the largest gamma for which it holds (0 if there is none); for symmetry the largest change
        of an entry by a relabeling that swaps two symbols; for the mean the trace of ``E[pi]``.
    witness : str
        What decides: the smallest or the offending entry, the permutation, the trace.
    """

    name: str
    statement: str
    holds: bool
    value: float
    witness: str

    def __repr__(self) -> str:
        """Return one line with the verdict and what decides it."""
        return f"AssumptionCheck({self.name} {self.verdict}: {self.witness})"

    @property
    def verdict(self) -> str:
        """``"holds"`` or ``"fails"``."""
        return "holds" if self.holds else "fails"


@dataclass(frozen=True)
class AssumptionReport(Shown):
    """The four checks, in the order of the theory. Iterating yields them.

    Attributes
    ----------
    lower_bound, non_degeneracy, symmetry, constant_mean : AssumptionCheck
        One check each.
    """

    lower_bound: AssumptionCheck
    non_degeneracy: AssumptionCheck
    symmetry: AssumptionCheck
    constant_mean: AssumptionCheck

    def __iter__(self) -> Iterator[AssumptionCheck]:
        """Yield the four checks."""
        return iter((self.lower_bound, self.non_degeneracy, self.symmetry, self.constant_mean))

    @property
    def all_hold(self) -> bool:
        """Whether the prior satisfies all four."""
        return all(check.holds for check in self)

    def __str__(self) -> str:
        """Return one line per assumption."""
        return "\n".join(f"{check.name}: {check.verdict} ({check.witness})" for check in self)

    def __repr__(self) -> str:
        """Return one line with the verdicts."""
        return f"AssumptionReport({', '.join(f'{check.name} {check.verdict}' for check in self)})"


@default_floats
def check_assumptions(prior: Prior, *, draws: int = 1000, rng: SeedLike = 0) -> AssumptionReport:
    """Check the four assumptions of the theory on a prior.

    1. lower bound: ``min pi >= gamma/S`` almost surely, for some gamma > 0;
    2. non-degeneracy: ``||B||_F >= gamma`` almost surely, with the matrix B of `chi2_matrix`;
    3. symmetry: the law of ``pi`` is invariant under relabeling of the symbols;
    4. constant mean: ``E[pi] = 11^T/S``.

    The verdicts are exact statements about the prior, up to a tolerance of 1e-12 for roundoff in the given matrix.
    Draws are only used for the witness of (2) under a Dirichlet prior.

    Parameters
    ----------
    prior : PointPrior, OrbitPrior or DirichletPrior
        The prior.
    draws : int, default 1000
        Number of matrices drawn to describe the law of ``||B||_F`` under a Dirichlet prior.
    rng : seed or numpy Generator, default 0
        Source of randomness.

    Returns
    -------
    AssumptionReport
        Four checks, each with its witness.

    Raises
    ------
    InvalidArgumentError
        If the prior is none of the three, or ``draws`` is not a positive integer.

    Examples
    --------
    >>> report = check_assumptions(DirichletPrior(3, 1.0))
    >>> [check.name for check in report if not check.holds]
    ['lower_bound', 'non_degeneracy']
    >>> print(check_assumptions(OrbitPrior([[0.25, 0.75], [0.25, 0.75]])).non_degeneracy.witness)
    ||B||_F = 0 up to roundoff
    """
    count = check_integer("draws", draws, 1)
    if isinstance(prior, DirichletPrior):
        return AssumptionReport(
            _dirichlet_lower_bound(prior),
            _dirichlet_non_degeneracy(prior, count, rng),
            AssumptionCheck("symmetry", SYMMETRY, True, 0.0, "rows and entries are exchangeable"),
            AssumptionCheck("constant_mean", CONSTANT_MEAN, True, 1.0, "trace of E[pi] = 1, all entries are equal"),
        )
    if isinstance(prior, PointPrior | OrbitPrior):
        return AssumptionReport(
            _matrix_lower_bound(prior), _matrix_non_degeneracy(prior), _matrix_symmetry(prior), _matrix_mean(prior)
        )
    raise InvalidArgumentError(
        f"prior must be a PointPrior, an OrbitPrior or a DirichletPrior, got {type(prior).__name__}"
    )


def _entry(matrix: NDArray[np.float64], where: tuple[int, int], name: str = "pi") -> str:
    return f"{name}[{where[0]}, {where[1]}] = {matrix[where]:.6g}"


def _argmax(matrix: NDArray[np.float64]) -> tuple[int, int]:
    row, column = divmod(int(matrix.argmax()), matrix.shape[1])
    return row, column


def _dirichlet_lower_bound(prior: DirichletPrior) -> AssumptionCheck:
    gamma = prior.floor
    witness = f"gamma = floor = {gamma:g}" if gamma else "entries come arbitrarily close to 0 (floor = 0): gamma = 0"
    return AssumptionCheck("lower_bound", LOWER_BOUND, gamma > 0.0, gamma, witness)


def _dirichlet_non_degeneracy(prior: DirichletPrior, draws: int, rng: SeedLike) -> AssumptionCheck:
    """Report failure: the density is positive near the uniform matrix, where B vanishes, so no gamma works."""
    witness = "matrices near 11^T/S have positive probability: gamma = 0"
    matrices = prior.sample(draws, rng)
    try:
        norms = _chi2_norms(matrices, stationary_distributions(matrices))
    except TransitionError:
        witness += f"; among {draws} draws some have several closed classes in floating point"
    else:
        witness += (
            f"; {LOW_QUANTILE:.0%} quantile of ||B||_F over {draws} draws: {np.quantile(norms, LOW_QUANTILE):.6g}, "
            f"smallest: {norms.min():.6g}"
        )
    return AssumptionCheck("non_degeneracy", NON_DEGENERACY, False, 0.0, witness)


def _chi2_norms(matrices: NDArray[np.float64], laws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frobenius norms of the chi-square matrices of a stack (n, S, S) with stationary laws (n, S)."""
    root = np.sqrt(laws)
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
    scaled = root[:, :, np.newaxis] * matrices * inverse[:, np.newaxis, :]
    norms: NDArray[np.float64] = np.linalg.norm(scaled - root[:, :, np.newaxis] * root[:, np.newaxis, :], axis=(1, 2))
    return norms


def _matrix_lower_bound(prior: MatrixPrior) -> AssumptionCheck:
    matrix = prior.transition
    gamma = prior.vocab_size * float(matrix.min())
    witness = f"gamma = {gamma:.6g}, smallest entry {_entry(matrix, _argmax(-matrix))}"
    return AssumptionCheck("lower_bound", LOWER_BOUND, gamma > 0.0, gamma, witness)


def _matrix_non_degeneracy(prior: MatrixPrior) -> AssumptionCheck:
    classes = closed_classes(prior.transition)
    if len(classes) > 1:
        listed = ", ".join(map(str, classes))
        witness = f"B is undefined: the stationary law is not unique, closed classes of symbols: {listed}"
        return AssumptionCheck("non_degeneracy", NON_DEGENERACY, False, 0.0, witness)
    norm = float(np.linalg.norm(chi2_matrix(prior.transition)))
    holds = norm > TOLERANCE
    witness = f"||B||_F = {norm:.6g}" if holds else "||B||_F = 0 up to roundoff"
    return AssumptionCheck("non_degeneracy", NON_DEGENERACY, holds, norm if holds else 0.0, witness)


def _matrix_symmetry(prior: MatrixPrior) -> AssumptionCheck:
    """Try all swaps of two symbols: they generate every relabeling."""
    if isinstance(prior, OrbitPrior):
        return AssumptionCheck("symmetry", SYMMETRY, True, 0.0, "uniform over all relabelings")
    matrix = prior.transition
    change, swap, where = 0.0, (0, 1), (0, 0)
    for first, second in combinations(range(prior.vocab_size), 2):
        order = np.arange(prior.vocab_size)
        order[[first, second]] = second, first
        deviation = np.abs(matrix[np.ix_(order, order)] - matrix)
        if deviation.max() > change:
            change, swap, where = float(deviation.max()), (first, second), _argmax(deviation)
    if change <= TOLERANCE * float(matrix.max()):
        witness = "pi has one value on the diagonal and one off it"
        return AssumptionCheck("symmetry", SYMMETRY, True, change, witness)
    source = tuple({swap[0]: swap[1], swap[1]: swap[0]}.get(k, k) for k in where)
    witness = f"swapping symbols {swap[0]} and {swap[1]} changes {_entry(matrix, where)} to {matrix[source]:.6g}"
    return AssumptionCheck("symmetry", SYMMETRY, False, change, witness)


def _matrix_mean(prior: MatrixPrior) -> AssumptionCheck:
    mean = prior.mean
    uniform = 1.0 / prior.vocab_size
    trace = float(np.trace(mean))
    deviation = np.abs(mean - uniform)
    where = _argmax(deviation)
    holds = float(deviation[where]) <= TOLERANCE * uniform
    witness = f"trace of E[pi] = {trace:.12g}"
    if not holds:
        witness += f", {_entry(mean, where, 'E[pi]')} instead of {uniform:.6g}"
    return AssumptionCheck("constant_mean", CONSTANT_MEAN, holds, trace, witness)
