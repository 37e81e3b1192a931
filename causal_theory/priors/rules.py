"""Average a quantity over a prior: at one matrix, by a weighted sum, by quadrature, over draws."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import factorial
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from causal_theory.error_propagation import Method
from causal_theory.errors import InvalidArgumentError, TaskError, TooLargeError, TransitionError
from causal_theory.estimate import Estimate
from causal_theory.validation import ROW_SUM_TOLERANCE, check_integer, check_probability, check_transition_tensors

Array = NDArray[np.float64]

Transitions = Mapping[int, Array]
"""A transition tensor for each number of parents k: shape ``(S,) * k + (S,)``, the last axis a law of the child."""

DEFAULT_DRAWS = 256
"""Draws of the transition tensors for a prior without an exact average."""

MAX_RELABELINGS = factorial(8)
QUADRATURE_NODES = (10, 15, 23, 35, 52)
QUADRATURE_TOLERANCE = 2e-14
MOST_POINTS = 20_000
"""Points of a rule that is the last one even if it has not settled: a rule with panels has many of them."""

ROUNDOFF, NEGLIGIBLE_SHARE = 1e-9, 1e-3
"""Mean errors of single evaluations below these shares of the mean or of its standard error are left out."""

NOTHING = 1e-300


@dataclass(frozen=True, eq=False)
class Plan:
    """A quantity to average over a prior, as data: it can be sent to another process.

    Parameters
    ----------
    evaluate : callable
        Maps transition tensors by number of parents to a value and a bound on its error, two arrays of one shape. A
        function of a module with everything else filled in (`functools.partial`); what does not depend on the tensors
        is computed beforehand.
    in_degrees : tuple of int, optional
        Numbers of parents whose tensors it needs; ``{1: pi}`` is the transition matrix.
    label_invariant : bool
        Whether the value at ``P pi P^T`` is that at ``pi`` for every relabeling ``P``.
    over_names : callable, optional
        For quantities that are not invariant: the average over relabelings as a function of the value at one matrix.
    rarest : float
        Stationary probabilities around this one decide the value: that of terms ``1 / (mu_b + rarest)``. One, the
        default, when there are none. The quadrature for two symbols is then refined near zero.
    """

    evaluate: Callable[[Transitions], tuple[Array, Array]]
    in_degrees: tuple[int, ...] = (1,)
    label_invariant: bool = False
    over_names: Callable[[Array], Array] | None = None
    rarest: float = 1.0

    def at_all_names(self) -> "Plan":
        """Return the plan of the average over relabelings, where that is known in closed form.

        Returns
        -------
        Plan
            This very plan where it is not.
        """
        if self.over_names is None:
            return self
        return replace(self, evaluate=partial(_at_all_names, self.evaluate, self.over_names))


def _at_all_names(
    evaluate: Callable[[Transitions], tuple[Array, Array]],
    over_names: Callable[[Array], Array],
    transitions: Transitions,
) -> tuple[Array, Array]:
    value, error = evaluate(transitions)
    return over_names(value), over_names(error)


class Rule(ABC):
    """A way to average over a prior. Nothing is drawn before it is needed."""

    kind: ClassVar[Method]
    """The method of the estimates."""

    known: Sequence[Transitions] = ()
    """Transition tensors that are evaluated for sure, so that a prior can see whether they are its own."""

    def is_single(self, plan: Plan) -> bool:
        """Whether one evaluation is the whole average, to the last bit.

        Parameters
        ----------
        plan : Plan
            The quantity.

        Returns
        -------
        bool
            Unless overridden, False.
        """
        return False

    @abstractmethod
    def average(self, plan: Plan) -> Estimate:
        """Return the average of ``plan.evaluate``.

        Parameters
        ----------
        plan : Plan
            What to average.

        Returns
        -------
        Estimate
            Its method is the kind of the rule.
        """


class OneMatrix(Rule):
    """One evaluation.

    Parameters
    ----------
    transitions : mapping of int to ndarray
        The transition tensors.

    Raises
    ------
    InvalidArgumentError
        If they are no laws.

    Examples
    --------
    >>> rule = OneMatrix({1: np.eye(2)})
    >>> float(rule.average(Plan(lambda transitions: (np.trace(transitions[1]), np.zeros(())))).value)
    2.0
    """

    kind = "exact"

    def __init__(self, transitions: Transitions) -> None:
        self.known = (_laws(transitions),)

    @classmethod
    def of_laws(cls, transitions: Transitions) -> "OneMatrix":
        """Return the rule of tensors that have been checked.

        Parameters
        ----------
        transitions : mapping of int to ndarray
            Transition tensors by number of parents.

        Returns
        -------
        OneMatrix
            The rule.
        """
        rule = cls.__new__(cls)
        rule.known = (transitions,)
        return rule

    @override
    def is_single(self, plan: Plan) -> bool:
        return True

    @override
    def average(self, plan: Plan) -> Estimate:
        # The value is handed on untouched: it may be a map of a file.
        return Estimate(*plan.evaluate(self.known[0]), "exact")


class WeightedSum(Rule):
    """A sum over finitely many possible tensors.

    Parameters
    ----------
    elements : sequence of (mapping of int to ndarray, float)
        The transition tensors and their probabilities.

    Raises
    ------
    InvalidArgumentError
        If the tensors are no laws, or the probabilities do not sum to one within 1e-10.

    Examples
    --------
    >>> rule = WeightedSum([({1: np.eye(2)}, 0.25), ({1: np.full((2, 2), 0.5)}, 0.75)])
    >>> float(rule.average(Plan(lambda transitions: (np.trace(transitions[1]), np.zeros(())))).value)
    1.25
    """

    kind = "exact"

    def __init__(self, elements: Sequence[tuple[Transitions, float]]) -> None:
        self._elements = [
            (_laws(transitions), check_probability("a probability of WeightedSum", weight))
            for transitions, weight in elements
        ]
        self.known = [transitions for transitions, _ in self._elements]
        total = sum(weight for _, weight in self._elements)
        if abs(total - 1.0) > ROW_SUM_TOLERANCE:
            raise InvalidArgumentError(
                f"probabilities of WeightedSum must sum to 1 within {ROW_SUM_TOLERANCE:g}, got {total!r}"
            )

    @override
    def average(self, plan: Plan) -> Estimate:
        return Estimate(*_weighted_sum(plan, self._elements), "exact")


class Relabelings(Rule):
    """One evaluation where names do not matter or their average is known; all relabelings otherwise.

    Parameters
    ----------
    transitions : mapping of int to ndarray
        The transition tensors of one element.
    relabelings : callable
        Returns an iterator over all of them.
    vocab_size : int
        S.
    """

    kind = "exact"

    def __init__(
        self, transitions: Transitions, relabelings: Callable[[], Iterator[Transitions]], vocab_size: int
    ) -> None:
        self._transitions, self._relabelings, self._vocab_size = transitions, relabelings, vocab_size

    @override
    def is_single(self, plan: Plan) -> bool:
        return plan.label_invariant or plan.over_names is not None

    @override
    def average(self, plan: Plan) -> Estimate:
        if plan.label_invariant:
            return Estimate(*plan.evaluate(self._transitions), "exact")
        if plan.over_names is not None:
            return Estimate(*plan.at_all_names().evaluate(self._transitions), "exact")
        count = factorial(self._vocab_size)
        if count > MAX_RELABELINGS:
            raise TooLargeError(
                f"prior must have at most {MAX_RELABELINGS} relabelings for a quantity that depends on the names of "
                f"the symbols, got {self._vocab_size}! = {count}; use parameters in the span of I and 11^T, or Monte "
                "Carlo"
            )
        return Estimate(*_weighted_sum(plan, ((element, 1.0 / count) for element in self._relabelings())), "exact")


class QuadratureLevel(Protocol):
    """One level of a quadrature over matrices."""

    def __call__(self, nodes: int, *, label_invariant: bool, rarest: float) -> tuple[Array, Array]:
        """Return matrices (n, S, S) and weights (n,)."""


class RefinedQuadrature(Rule):
    """Quadrature that is refined until it settles. It names symbols as the prior does.

    Parameters
    ----------
    level : callable
        Maps a number of nodes to matrices and weights.
    relative_error : callable
        Maps the scale ``rarest`` of a plan to the relative error of the rule itself.
    """

    kind = "quadrature"

    def __init__(self, level: QuadratureLevel, relative_error: Callable[[float], float]) -> None:
        self._level, self._relative_error = level, relative_error

    @override
    def average(self, plan: Plan) -> Estimate:
        coarse: Array | None = None
        before: Array | None = None
        value = error = np.zeros(())
        for nodes in QUADRATURE_NODES:
            matrices, weights = self._level(nodes, label_invariant=plan.label_invariant, rarest=plan.rarest)
            value, error = _weighted_sum(
                plan, (({1: matrix}, weight) for matrix, weight in zip(matrices, weights, strict=True))
            )
            if coarse is not None:
                step = np.abs(value - coarse)
                error = error + _remaining(step, before)
                before = step
                largest = max(float(np.abs(value).max()), 1e-300)
                # Terms 1 / (mu + eps) may be huge in one entry: the others are refined for themselves.
                size = largest if plan.rarest == 1.0 else np.maximum(np.abs(value), min(largest, 1.0))
                settled = (step <= QUADRATURE_TOLERANCE * size).all()
                if settled or (nodes > QUADRATURE_NODES[1] and len(weights) > MOST_POINTS):
                    break
            coarse = value
        error = error + self._relative_error(plan.rarest) * np.abs(value)
        return Estimate(value, error, "quadrature")


class Draws(Rule):
    """The mean over independent draws, with its standard error.

    Parameters
    ----------
    source : callable
        Returns the draws by number of parents, shapes ``(draws,) + (S,) * k + (S,)``. Called once, when needed.
    symmetric : bool
        Whether the names carry no information: averaging over them is then exact and takes away noise.
    """

    kind = "monte_carlo"

    def __init__(self, source: Callable[[], Transitions], symmetric: bool) -> None:
        self._source, self._symmetric = source, symmetric

    @cached_property
    def _stacks(self) -> Transitions:
        return self._source()

    def __iter__(self) -> Iterator[Transitions]:
        """Yield the draws, the same ones every time."""
        count = len(next(iter(self._stacks.values())))
        return ({k: stack[n] for k, stack in self._stacks.items()} for n in range(count))

    @override
    def average(self, plan: Plan) -> Estimate:
        evaluate = plan.at_all_names().evaluate if self._symmetric else plan.evaluate
        mean: Array | None = None
        spread = errors = np.zeros(())
        draws = 0
        for draws, transitions in enumerate(self, 1):
            value, error = evaluate(transitions)
            if mean is None:
                mean, spread, errors = value.astype(np.float64), np.zeros_like(value), np.array(error, dtype=np.float64)
                continue
            # Welford's update: the spread is summed around the running mean, without cancellation.
            delta = value - mean
            mean = mean + delta / draws
            spread += delta * (value - mean)
            errors += error
        if mean is None:
            raise TaskError("prior must have at least one transition matrix")
        standard = np.sqrt(spread / (draws - 1) / draws)
        errors /= draws
        # Roundoff is not mentioned beside a standard error; what single matrices leave open is.
        beyond = errors > np.maximum(np.maximum(ROUNDOFF * np.abs(mean), NEGLIGIBLE_SHARE * standard), NOTHING)
        return Estimate(mean, standard + np.where(beyond, errors, 0.0), "monte_carlo")


def _laws(transitions: Transitions) -> Transitions:
    """Return transition tensors as arrays of laws; those that are laws already stay as they are."""
    if not isinstance(transitions, Mapping):
        raise InvalidArgumentError(
            f"transitions must be a mapping from numbers of parents to tensors, got {type(transitions).__name__}"
        )
    found = {}
    for k, tensor in transitions.items():
        parents, shape = check_integer("number of parents", k, 1), np.shape(tensor)
        if len(shape) != parents + 1 or len(set(shape)) != 1 or shape[0] < 2:
            raise TransitionError(f"the tensor for {k} parents must have {k + 1} axes of one length, got shape {shape}")
        found[k] = check_transition_tensors(f"the tensor for {k} parents", tensor, shape)
    return found


def _weighted_sum(plan: Plan, elements: Iterable[tuple[Transitions, float]]) -> tuple[Array, Array]:
    value: Array | None = None
    error: Array | None = None
    for element, weight in elements:
        one_value, one_error = plan.evaluate(element)
        if value is None or error is None:
            value, error = weight * one_value, weight * one_error
        else:
            value += weight * one_value
            error += weight * one_error
    if value is None or error is None:
        raise TaskError("prior must have at least one transition matrix")
    return value, error


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
