"""Independent Dirichlet rows."""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors.base import Prior
from causal_theory.priors.batches import Batches, DirichletBatches, DirichletRowBatches, is_single_parent
from causal_theory.priors.binary_rule import binary_dirichlet_rule, radius_error
from causal_theory.priors.rules import DEFAULT_DRAWS, RefinedQuadrature, Rule
from causal_theory.priors.verdicts import (
    CONSTANT_MEAN,
    LOWER_BOUND,
    NON_DEGENERACY,
    SYMMETRY,
    AssumptionCheck,
    AssumptionReport,
    drawn_parents_win,
    norms_of_draws,
)
from causal_theory.validation import (
    SeedLike,
    as_generator,
    check_integer,
    check_memory,
    check_positive,
    check_probability,
)

LOW_QUANTILE = 0.01


class DirichletPrior(Prior, draws_laws=True, kind="dirichlet"):
    r"""Rows drawn independently from a symmetric Dirichlet law.

    .. math:: \pi_{ab} = \mathrm{floor} / S + (1 - \mathrm{floor}) D_{ab}, \qquad
              D_{a \cdot} \sim \mathrm{Dirichlet}(\alpha, \dots, \alpha)

    Kernels of several parents have independent rows of the same law, one for each combination of parents.
    A positive ``floor`` makes every entry at least ``floor / S``, as the theory assumes; the plain Dirichlet law
    has no such bound.

    Parameters
    ----------
    vocab_size : int
        S >= 2.
    concentration : float
        The parameter alpha > 0 of every entry; 1 is uniform on the simplex, small values favour sparse rows.
    floor : float, default 0.0
        In [0, 1).

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range.

    Notes
    -----
    An entry D whose exact value is below the smallest positive double is drawn as 0. For a concentration of 0.1 this
    practically never happens (probability about 1e-32 per entry); for 0.01 it happens to one entry in 1700, and a
    drawn matrix can then have several closed classes in floating point.

    Examples
    --------
    >>> prior = DirichletPrior(4, 0.1, floor=0.5)
    >>> prior
    DirichletPrior(4, 0.1, floor=0.5)
    >>> bool(prior.sample(100, rng=0).min() >= 0.125)
    True
    """

    def __init__(self, vocab_size: int, concentration: float, *, floor: float = 0.0) -> None:
        self._vocab_size = check_integer("vocab_size", vocab_size, 2)
        check_memory(f"a matrix over vocab_size {self._vocab_size} symbols", 8 * self._vocab_size**2)
        self._concentration = check_positive("concentration", concentration)
        self._floor = check_probability("floor", floor)
        if self._floor == 1.0:
            raise InvalidArgumentError("floor must be less than 1 (at 1 the matrix is constant), got 1.0")

    def __repr__(self) -> str:
        """Show the arguments."""
        floor = f", floor={self._floor:g}" if self._floor else ""
        return f"DirichletPrior({self._vocab_size}, {self._concentration:g}{floor})"

    @override
    def facts(self) -> dict[str, object]:
        floor = f"{self._floor:g} (every entry is at least {self._floor / self._vocab_size:.3g})" if self._floor else 0
        return {"law": "independent Dirichlet rows", "concentration": f"{self._concentration:g}", "floor": floor}

    @property
    @override
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    @override
    def in_degrees(self) -> None:
        return None

    @property
    def concentration(self) -> float:
        """The Dirichlet parameter of every entry."""
        return self._concentration

    @property
    def floor(self) -> float:
        """The weight of the uniform matrix; every entry is at least ``floor / S``."""
        return self._floor

    @property
    @override
    @default_floats
    def mean(self) -> NDArray[np.float64]:
        return np.full((self._vocab_size, self._vocab_size), 1.0 / self._vocab_size)

    @property
    @override
    def symmetric(self) -> bool:
        return True

    @override
    def rule(self, in_degrees: Sequence[int] = (1,), *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Rule:
        if self._vocab_size == 2 and tuple(in_degrees) == (1,) and self._draws_laws:
            return RefinedQuadrature(partial(binary_dirichlet_rule, self._concentration, self._floor), radius_error)
        return super().rule(in_degrees, draws=draws, rng=rng)

    @override
    def batches(self, graph: CausalGraph, root_law: str) -> Batches:
        if not self._draws_laws:  # a subclass may draw another law
            return super().batches(graph, root_law)
        if is_single_parent(graph):
            return DirichletBatches(graph, root_law, self._concentration, self._floor, repr(self))
        return DirichletRowBatches(graph, self._vocab_size, self._concentration, self._floor)

    @override
    def identity(self) -> dict[str, Any]:
        if not self._draws_laws:
            return super().identity()
        return self._named(concentration=self._concentration, floor=self._floor)

    @property
    @override
    def mean_ratio_exists(self) -> bool:
        # mu_a is as small as the S - 1 entries that lead to a.
        return self._floor > 0.0 or (self._vocab_size - 1) * self._concentration > 1.0

    @property
    @override
    def smoothing(self) -> float:
        return self._concentration

    @override
    @default_floats
    def assumptions(self, *, draws: int = 1000, rng: SeedLike = 0) -> AssumptionReport:
        gamma, count = self._floor, check_integer("draws", draws, 1)
        reached = (
            f"gamma = floor = {gamma:g}" if gamma else "entries come arbitrarily close to 0 (floor = 0): gamma = 0"
        )
        # The density is positive near the uniform matrix, where B vanishes, so that no gamma works.
        near = "matrices near 11^T/S have positive probability: gamma = 0"
        norms = norms_of_draws(self.sample(count, rng))
        if norms is None:
            near += f"; among {count} draws some have several closed classes in floating point"
        else:
            near += (
                f"; {LOW_QUANTILE:.0%} quantile of ||B||_F over {count} draws: {np.quantile(norms, LOW_QUANTILE):.6g}, "
                f"smallest: {norms.min():.6g}"
            )
        return AssumptionReport(
            AssumptionCheck("lower_bound", LOWER_BOUND, gamma > 0.0, gamma, reached),
            AssumptionCheck("non_degeneracy", NON_DEGENERACY, False, 0.0, near),
            AssumptionCheck("symmetry", SYMMETRY, True, 0.0, "rows and entries are exchangeable"),
            AssumptionCheck("constant_mean", CONSTANT_MEAN, True, 1.0, "trace of E[pi] = 1, all entries are equal"),
            drawn_parents_win(self.mean, norms),
        )

    @override
    def sample(self, size: int, rng: SeedLike = None) -> NDArray[np.float64]:
        return self._rows((check_integer("size", size, 1), self._vocab_size), as_generator(rng))

    @override
    @default_floats
    def sample_transitions(
        self, size: int, in_degrees: Sequence[int], rng: SeedLike = None
    ) -> dict[int, NDArray[np.float64]]:
        count, generator = check_integer("size", size, 1), as_generator(rng)
        return {k: self._rows((count, *[self._vocab_size] * k), generator) for k in in_degrees}

    def _rows(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw an array of independent rows: gamma variables divided by their sum.

        They are drawn as logarithms, ``log G(alpha) = log G(alpha + 1) - E / alpha`` with E standard exponential, so
        that small concentrations do not underflow before the division.
        """
        shape = (*shape, self._vocab_size)
        check_memory(f"{shape[0]} draws from {self!r}", 8 * prod(shape))
        draws = np.log(generator.standard_gamma(self._concentration + 1.0, size=shape))
        draws -= generator.standard_exponential(size=shape) / self._concentration
        draws -= draws.max(axis=-1, keepdims=True)
        np.exp(draws, out=draws)
        draws /= draws.sum(axis=-1, keepdims=True)
        if self._floor:
            draws *= 1.0 - self._floor
            draws += self._floor / self._vocab_size
        return draws
