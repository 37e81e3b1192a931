"""Expectations over the prior: the one place that knows how each prior is averaged.

====================  =======================================================================================
prior                 how a quantity ``f(pi)`` is averaged
====================  =======================================================================================
point                 one evaluation
orbit                 one evaluation when ``f`` does not depend on the names of the symbols, or when the average
                      over names has a closed form (``symmetrise``); otherwise all S! relabelings
Dirichlet, S = 2      product quadrature over the two free entries, refined until it settles
Dirichlet, S > 2      independent draws with a standard error, each averaged over names where that has a closed form
drawn                 the same with draws that were fixed once
your own              independent draws with a standard error, whose names are kept
====================  =======================================================================================
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import factorial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import TaskError, TooLargeError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, Prior
from causal_theory.priors.base import draw_laws
from causal_theory.priors.binary_rule import binary_dirichlet_rule, radius_error
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.validation import SeedLike, as_generator, check_integer

__all__ = [
    "DEFAULT_DRAWS",
    "Evaluation",
    "KernelEvaluation",
    "average_over_kernels",
    "average_over_prior",
    "average_relabelings",
]

DEFAULT_DRAWS = 256
"""Draws of the transition matrix for a Dirichlet prior with more than two symbols."""

MAX_RELABELINGS = factorial(8)
QUADRATURE_NODES = (10, 15, 23, 35, 52)
QUADRATURE_TOLERANCE = 2e-14
MOST_POINTS = 20_000
"""Points of a rule that is the last one even if it has not settled: a rule with panels has many of them."""

ROUNDOFF, NEGLIGIBLE_SHARE = 1e-9, 1e-3
"""Mean errors of single evaluations below these shares of the mean or of its standard error are left out."""

NOTHING = 1e-300

Array = NDArray[np.float64]
Drawn = TypeVar("Drawn")
"""A matrix, or kernels by number of parents."""

Evaluation = Callable[[Array], tuple[Array, Array]]
"""A function of the transition matrix: value and error bound, two arrays of one shape."""

KernelEvaluation = Callable[[Mapping[int, Array]], tuple[Array, Array]]
"""The same for a kernel for each number of parents."""


@default_floats
def average_over_prior(
    prior: Prior,
    evaluate: Evaluation,
    *,
    label_invariant: bool,
    symmetrise: Callable[[Array], Array] | None = None,
    rarest: float = 1.0,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    """Return the expectation of ``evaluate(pi)`` when ``pi`` is drawn from the prior.

    Parameters
    ----------
    prior : Prior
        Law of the transition matrix.
    evaluate : callable
        Maps a matrix (S, S) to a value and a bound on its error.
    label_invariant : bool
        Whether ``evaluate(P pi P^T) = evaluate(pi)`` for every relabeling ``P``.
    symmetrise : callable, optional
        For quantities that are not invariant: the average over relabelings as a function of the value at one matrix.
    rarest : float
        Stationary probabilities around this one decide the value: that of terms ``1 / (mu_b + rarest)``. One, the
        default, when there are none. The quadrature for two symbols is then refined near zero.
    draws, rng
        Number of draws and source of randomness, for priors without an exact average.
    """
    if isinstance(prior, PointPrior):
        value, error = evaluate(prior.transition)
        return Estimate(value, error, "exact")
    if isinstance(prior, OrbitPrior):
        if label_invariant:
            value, error = evaluate(prior.transition)
            return Estimate(value, error, "exact")
        if symmetrise is not None:
            value, error = evaluate(prior.transition)
            return Estimate(symmetrise(value), symmetrise(error), "exact")
        return average_relabelings(prior, evaluate)
    if isinstance(prior, DirichletPrior) and prior.vocab_size == 2:
        return _average_binary(prior, evaluate, label_invariant, rarest)
    if symmetrise is not None and isinstance(prior, DirichletPrior | DrawnPrior):
        # The names carry no information under these priors: averaging over them is exact and takes away noise. Of a
        # prior of somebody's own that is not known.
        evaluate = _at_all_names(evaluate, symmetrise)
    if isinstance(prior, DrawnPrior):
        matrices = prior.matrices
    else:
        matrices = draw_laws(prior, check_integer("draws", draws, 2), (1,), as_generator(rng))[1]
    return _average_draws(matrices, evaluate)


@default_floats
def average_over_kernels(
    prior: Prior,
    in_degrees: Sequence[int],
    evaluate: KernelEvaluation,
    *,
    label_invariant: bool,
    symmetrise: Callable[[Array], Array] | None = None,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    """Return the expectation of a function of the kernels for several numbers of parents.

    The kernels of point and orbit priors are averaged as their matrices are; all others are drawn, except that a single
    parent is left to :func:`average_over_prior`.

    Parameters
    ----------
    prior : Prior
        Law of the kernels.
    in_degrees : sequence of int
        Numbers of parents whose kernels ``evaluate`` needs.
    evaluate : callable
        Maps kernels by number of parents to a value and a bound on its error.
    label_invariant, symmetrise, draws, rng
        As for :func:`average_over_prior`.
    """
    prior.require_kernels(in_degrees)
    if tuple(in_degrees) == (1,):
        return average_over_prior(
            prior,
            lambda matrix: evaluate({1: matrix}),
            label_invariant=label_invariant,
            symmetrise=symmetrise,
            draws=draws,
            rng=rng,
        )
    kernels = prior.representative_kernels
    if kernels is not None:
        if isinstance(prior, OrbitPrior) and not label_invariant and symmetrise is None:
            check_relabelings(prior)
            weight = 1.0 / prior.permutations_count
            elements = ((element, weight) for element in prior.kernel_relabelings(in_degrees))
            return Estimate(*_weighted_sum(evaluate, elements), "exact")
        value, error = evaluate(kernels)
        if isinstance(prior, OrbitPrior) and not label_invariant and symmetrise is not None:
            value, error = symmetrise(value), symmetrise(error)
        return Estimate(value, error, "exact")
    if symmetrise is not None and isinstance(prior, DirichletPrior):
        evaluate = _at_all_names(evaluate, symmetrise)
    drawn = draw_laws(prior, check_integer("draws", draws, 2), in_degrees, as_generator(rng))
    return _average_draws(({k: drawn[k][n] for k in in_degrees} for n in range(draws)), evaluate)


@default_floats
def average_relabelings(prior: OrbitPrior, evaluate: Evaluation) -> Estimate:
    """Average over all S! relabelings of the matrix of an orbit prior."""
    check_relabelings(prior)
    weight = 1.0 / prior.permutations_count
    value, error = _weighted_sum(evaluate, ((matrix, weight) for matrix in prior.relabelings()))
    return Estimate(value, error, "exact")


def check_relabelings(prior: OrbitPrior) -> None:
    """Refuse an orbit with too many relabelings to sum over."""
    if prior.permutations_count > MAX_RELABELINGS:
        raise TooLargeError(
            f"prior must have at most {MAX_RELABELINGS} relabelings for a quantity that depends on the names of the "
            f"symbols, got {prior.vocab_size}! = {prior.permutations_count}; use parameters in the span of I and 11^T, "
            "or Monte Carlo"
        )


def _weighted_sum(
    evaluate: Callable[[Drawn], tuple[Array, Array]], elements: Iterable[tuple[Drawn, float]]
) -> tuple[Array, Array]:
    value: Array | None = None
    error: Array | None = None
    for element, weight in elements:
        one_value, one_error = evaluate(element)
        if value is None or error is None:
            value, error = weight * one_value, weight * one_error
        else:
            value += weight * one_value
            error += weight * one_error
    if value is None or error is None:
        raise TaskError("prior must have at least one transition matrix")
    return value, error


def _average_binary(prior: DirichletPrior, evaluate: Evaluation, label_invariant: bool, rarest: float) -> Estimate:
    coarse: Array | None = None
    before: Array | None = None
    value = error = np.zeros(())
    for nodes in QUADRATURE_NODES:
        matrices, weights = binary_dirichlet_rule(
            prior.concentration, prior.floor, nodes, label_invariant=label_invariant, rarest=rarest
        )
        value, error = _weighted_sum(evaluate, zip(matrices, weights, strict=True))
        if coarse is not None:
            step = np.abs(value - coarse)
            error = error + _remaining(step, before)
            before = step
            largest = max(float(np.abs(value).max()), 1e-300)
            # Terms 1 / (mu + eps) may be huge in one entry: the others are refined for themselves.
            size = largest if rarest == 1.0 else np.maximum(np.abs(value), min(largest, 1.0))
            settled = (step <= QUADRATURE_TOLERANCE * size).all()
            if settled or (nodes > QUADRATURE_NODES[1] and len(weights) > MOST_POINTS):
                break
        coarse = value
    error = error + radius_error(rarest) * np.abs(value)
    return Estimate(value, error, "quadrature")


def _remaining(step: Array, before: Array | None) -> Array:
    """Estimate what further refinements would add, from the last step and the one before: a geometric series.

    Absolute values (total variation) leave kinks at which the rule converges slowly, and the last step alone would
    understate the error.
    """
    if before is None:
        return step
    ratio = np.divide(step, before, out=np.zeros_like(step), where=before > 0.0)
    remaining: Array = step / (1.0 - np.clip(ratio, 0.0, 0.9))
    return remaining


def _at_all_names(
    evaluate: Callable[[Drawn], tuple[Array, Array]], symmetrise: Callable[[Array], Array]
) -> Callable[[Drawn], tuple[Array, Array]]:
    """Return the evaluation averaged over relabelings."""

    def averaged(drawn: Drawn) -> tuple[Array, Array]:
        value, error = evaluate(drawn)
        return symmetrise(value), symmetrise(error)

    return averaged


def _average_draws(elements: Iterable[Drawn], evaluate: Callable[[Drawn], tuple[Array, Array]]) -> Estimate:
    draws = 0
    mean: Array | None = None
    spread: Array | None = None
    errors: Array | None = None
    for k, element in enumerate(elements):
        value, error = evaluate(element)
        draws += 1
        if mean is None or spread is None or errors is None:
            mean, spread, errors = value.astype(np.float64), np.zeros_like(value), np.array(error, dtype=np.float64)
            continue
        # Welford's update: the spread is summed around the running mean, without cancellation.
        delta = value - mean
        mean = mean + delta / (k + 1)
        spread += delta * (value - mean)
        errors += error
    if mean is None or spread is None or errors is None:
        raise TaskError("prior must have at least one transition matrix")
    standard = np.sqrt(spread / (draws - 1) / draws)
    errors /= draws
    # Roundoff is not mentioned beside a standard error; what single matrices leave open is.
    beyond = errors > np.maximum(np.maximum(ROUNDOFF * np.abs(mean), NEGLIGIBLE_SHARE * standard), NOTHING)
    return Estimate(mean, standard + np.where(beyond, errors, 0.0), "monte_carlo")
