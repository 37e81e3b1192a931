"""The state of a search: its attempts and failures, and the search and certificate of one choice."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Rational

import numpy as np
from numpy.typing import NDArray

from causal_theory.certificates.rationals import common_denominator
from causal_theory.errors import InvalidArgumentError
from causal_theory.falsification.instance import Instance
from causal_theory.falsification.matrices import coordinates, matrix_at
from causal_theory.falsification.rational import exact_checks, fractions_near
from causal_theory.falsification.result import Counterexample
from causal_theory.falsification.space import Choice, SearchSpace
from causal_theory.falsification.statements import Statement
from causal_theory.graphs import CausalGraph

Array = NDArray[np.float64]

FIRST_EVALUATIONS = 60
"""Evaluations for each choice in the first round; every further round has twice as many."""

POPULATION = 14
"""Points that the optimiser moves at once."""

DEEPER_EVALUATIONS = 300
"""Evaluations that make the smallest failure a clear one: then coarser fractions fail as well."""

HOPELESS = 40
"""A choice is given up when none of this many points has a matrix within the assumptions."""

OUTSIDE = 1e6
"""Objective of the optimiser where there is no matrix, beyond the margins of interest."""


class Stop(BaseException):
    """Ends a search from within; not an ``Exception``, which Hypothesis would take for a failure of its test."""


class BudgetSpent(Stop):
    """No evaluation is left."""


class MarginError(Stop):
    """Carries an error of a margin out of the search."""


class Enough(Exception):
    """Ends the optimiser."""


@dataclass(frozen=True)
class Failure:
    """A matrix with a negative margin, and its point."""

    margin: float
    matrix: Array
    point: Array


@dataclass
class Search:
    """The state of one search."""

    statement: Statement
    space: SearchSpace
    budget: int
    seed: int
    ticks: Iterator[int]
    evaluations: int = 0
    rejected: int = 0
    smallest: float = float("inf")
    closest: Instance | None = None
    best: dict[int, tuple[float, Array]] = field(default_factory=dict)
    failing: dict[Choice, list[Failure]] = field(default_factory=dict)
    verdicts: dict[tuple[int, Choice], bool] = field(default_factory=dict)

    def fails(self, round_number: int, choice: Choice) -> bool:
        """Return whether a choice was seen to fail; within a round the same question has the same answer."""
        key = round_number, choice
        if key not in self.verdicts:
            start = self.best.get(choice.symbols)
            trial = Trial(self, choice, self.space.graph(choice), FIRST_EVALUATIONS * 2**round_number)
            # What is bad for one graph is often bad for the next.
            self._minimise(trial, round_number, None if start is None else start[1])
            self.verdicts[key] = choice in self.failing
        return self.verdicts[key]

    def deepen(self, choice: Choice) -> None:
        """Go on where a choice failed, towards a clearer failure."""
        trial = Trial(self, choice, self.space.graph(choice), DEEPER_EVALUATIONS, until_failure=False)
        # Rounds count from 0.
        self._minimise(trial, -1, self.failing[choice][-1].point)

    def _minimise(self, trial: "Trial", stream: int, start: Array | None) -> None:
        """Minimise the margin over matrices until the trial has had enough."""
        from scipy.optimize import Bounds, differential_evolution

        if not trial.graph.edges:
            return
        rng = np.random.default_rng((self.seed, stream + 1, *vars(trial.choice).values()))
        points = rng.random((POPULATION, coordinates(trial.choice.symbols)))
        if start is not None:
            points[0] = start
        bounds = Bounds(np.zeros(points.shape[1]), np.ones(points.shape[1]))
        with suppress(Enough):
            differential_evolution(trial, bounds, init=points, seed=rng, polish=False, maxiter=10**6, tol=0.0)

    def evaluate(self, choice: Choice, graph: CausalGraph, point: Array) -> float | None:
        """Return the margin at a point, None where there is no matrix within the assumptions."""
        if self.evaluations == self.budget:
            raise BudgetSpent
        self.evaluations += 1
        next(self.ticks)
        matrix = matrix_at(point, choice.symbols, self.space)
        if matrix is None:
            self.rejected += 1
            return None
        epsilon = self.space.epsilon_values(choice.length)[choice.epsilon]
        instance = Instance(graph, tuple(map(tuple, matrix.tolist())), epsilon, self.space.root_law)
        margin = self._margin(instance)
        if margin < self.smallest:
            self.smallest, self.closest = margin, instance
        if choice.symbols not in self.best or margin < self.best[choice.symbols][0]:
            self.best[choice.symbols] = margin, point.copy()
        failures = self.failing.get(choice, [])
        if margin < (failures[-1].margin if failures else -self.statement.error):
            self.failing[choice] = [*failures, Failure(margin, matrix, point.copy())]
        return margin

    def _margin(self, instance: Instance) -> float:
        try:
            margin = float(self.statement.margin(instance))
        except Exception as error:
            raise MarginError from error
        if np.isnan(margin):
            raise MarginError from InvalidArgumentError(
                f"margin of {self.statement.name} must be a number, got nan at {instance!r}"
            )
        return margin

    def certify(self) -> Counterexample | None:
        """Return the simplest certified counterexample of the smallest choice that has one."""
        for choice in sorted(self.failing):
            with suppress(BudgetSpent):
                self.deepen(choice)
            failures = self.failing[choice]
            found = [self._certify(choice, failure.matrix) for failure in (failures[0], failures[-1])]
            proved = [one for one in found if one is not None]
            if proved:
                return min(
                    proved, key=lambda one: (common_denominator(sum(one.certificate.transition, ())), one.margin)
                )
        return None

    def _certify(self, choice: Choice, matrix: Array) -> Counterexample | None:
        """Return the counterexample with the smallest denominator near a matrix."""
        graph, epsilon = self.space.graph(choice), self.space.epsilon_values(choice.length)[choice.epsilon]
        for rational in fractions_near(matrix, self.space):
            instance = Instance(graph, rational, epsilon, self.space.root_law)
            # A tie would falsify some statements as well, but every statement ties on matrices without information.
            if self._margin(instance) >= -self.statement.error:
                continue
            certified = self._certified_margin(instance)
            if certified < 0:
                family = self.space.families[choice.family]
                checks = exact_checks(rational, self.space)
                return Counterexample(instance, family, instance.certificate, certified, checks)
        return None

    def _certified_margin(self, instance: Instance) -> Fraction:
        certified = self.statement.certified_margin(instance)
        if not isinstance(certified, Rational):
            raise InvalidArgumentError(
                f"certified_margin of {self.statement.name} must be a Fraction, got {certified!r}"
            )
        return Fraction(certified)


@dataclass
class Trial:
    """The margin as a function of a point, until enough is known about one choice."""

    search: Search
    choice: Choice
    graph: CausalGraph
    left: int
    until_failure: bool = True
    in_vain: int = 0
    feasible: bool = False

    def __call__(self, point: Array) -> float:
        """Return the margin there."""
        if self.left == 0:
            raise Enough
        self.left -= 1
        margin = self.search.evaluate(self.choice, self.graph, point)
        self.feasible = self.feasible or margin is not None
        self.in_vain += 1
        failed = self.until_failure and self.choice in self.search.failing
        if failed or (self.in_vain >= HOPELESS and not self.feasible):
            raise Enough
        return OUTSIDE if margin is None else min(margin, OUTSIDE)
