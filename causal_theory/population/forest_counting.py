"""The losses of simple predictors on a forest with an independent query, at one transition matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory.population.log_moments import Terms, Weights, log_moments
from causal_theory.tasks import InContextTask, root_law_at

Array = NDArray[np.float64]


def entropy_floor(transition: Array) -> tuple[Array, Array]:
    """Return the mean entropy of the rows of one matrix, and a bound on its roundoff."""
    logs = np.log(transition, out=np.zeros_like(transition), where=transition > 0.0)
    value = np.array(-(transition * logs).sum() / len(transition))
    return value, 4.0 * float(np.finfo(float).eps) * len(transition) * (1.0 + value)


@dataclass(frozen=True, eq=False)
class Counting:
    """A counts rule as expected logarithms.

    Attributes
    ----------
    task : InContextTask
        The task.
    weights : Weights
        What counts.
    terms : Terms
        The logarithms.
    by_query : bool
        Whether the share of a term is that of its query, the group, or the mean over queries.
    """

    task: InContextTask
    weights: Weights
    terms: Terms
    by_query: bool

    def factors(self, transition: Array) -> Array:
        """Return the factors of the terms: the probability of each symbol with a minus, one for the totals."""
        if not self.by_query:
            return np.append(-transition.mean(axis=0), 1.0)
        query, symbol = self.terms.groups, self.terms.symbols
        return np.where(symbol < 0, 1.0, -transition[query, symbol]) / len(transition)


def forest_counting(counting: Counting, transition: Array) -> tuple[Array, Array]:
    """Return the loss of a counts rule, and a bound on its error."""
    task = counting.task
    law, factors = root_law_at(task, transition), counting.factors(transition)
    found = log_moments(task.graph, transition, law, counting.weights, counting.terms, factors, slopes=False)
    return np.array(found.value), np.array(found.error)


def counting_along_edges(task: InContextTask, c: float) -> Counting:
    """Return the rule that counts the children of tokens equal to the query, smoothed by c."""
    size = task.vocab_size
    symbol = np.tile(np.append(np.arange(size), -1), size)
    plain = symbol < 0
    constant = np.where(plain, size * c, c)
    children = int((task.graph.parent_array[:-1] >= 0).sum())
    terms = Terms(
        symbols=symbol,
        groups=np.repeat(np.arange(size), size + 1),
        shifts=plain.astype(np.float64),
        constant_logs=np.zeros(len(constant)),
        constant_shifts=constant,
        lowest=constant,
        log_lowest=np.log(constant),
        highest=float(children + size * c),
    )
    return Counting(task, _weights(np.eye(size), np.zeros(size)), terms, by_query=True)


def counting_of_tokens(task: InContextTask, c: float) -> Counting:
    """Return the rule that counts the tokens of the context, smoothed by c."""
    size, context = task.vocab_size, task.length - 1
    total = context + size * c
    constant = np.append(np.full(size, c), total)
    terms = Terms(
        symbols=np.append(np.arange(size), -1),
        groups=np.append(np.zeros(size, dtype=np.int64), 1),
        shifts=np.zeros(size + 1),
        constant_logs=np.zeros(size + 1),
        constant_shifts=constant,
        lowest=constant,
        log_lowest=np.log(constant),
        highest=total,
    )
    # The last term is the constant total: group 1 weighs nothing.
    return Counting(
        task, _weights(np.stack([np.ones(size), np.zeros(size)]), np.array([1.0, 0.0])), terms, by_query=False
    )


def _weights(omega: Array, root_omega: Array) -> Weights:
    with np.errstate(divide="ignore"):
        return Weights(np.log(omega), np.log(root_omega))
