"""The losses of simple predictors on tasks with several parents."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.population.several_parents.moments import RowTerms, Transfers, row_moments
from causal_theory.tasks import InContextTask
from causal_theory.token_laws import joint_law

Array = NDArray[np.float64]


def counted_tokens(graph: CausalGraph) -> int:
    """Return how many tokens, from the first on, are counted by the rule: all but a last one without parents.

    Such a token is uniform and independent of all else, whatever else the target depends on. It says nothing about
    frequencies.

    Examples
    --------
    >>> counted_tokens(CausalGraph.chain(6)), counted_tokens(CausalGraph.ngram(6, 2))
    (5, 6)
    >>> counted_tokens(CausalGraph([(), (0,), ()], target_parents=(0, 2)))
    2
    """
    return graph.length if graph.parents[-1] else graph.length - 1


def entropy_at(task: InContextTask, transitions: Mapping[int, Array]) -> tuple[Array, Array]:
    """Return the mean entropy of the target's law at given transition tensors, and a bound on its roundoff."""
    degree = len(task.graph.target_parents)
    tensor = transitions[degree]
    logs = np.log(tensor, out=np.zeros_like(tensor), where=tensor > 0.0)
    entropies = -(tensor * logs).sum(axis=-1)
    value = np.asarray((joint_law(task, transitions, task.graph.target_parents) * entropies).sum())
    return value, 4.0 * float(np.finfo(float).eps) * (task.length + task.vocab_size**degree) * (1.0 + value)


def counting_loss(
    transfers: Transfers, smoothing: float, slots: tuple[int, ...], transitions: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Return the loss of counting what followed the query's tokens at some parent slots.

    Positions with as many parents as the target count when their parents at ``slots`` carry the tokens that the
    target's parents carry there.
    """
    size, degree = transfers.task.vocab_size, transfers.queries.shape[1]
    tokens = transfers.layout.parent_tokens(degree)[:, list(slots)]
    groups, group_of = np.unique(transfers.queries[:, list(slots)], axis=0, return_inverse=True)
    omega = np.zeros((len(groups), transfers.layout.count))
    omega[:, transfers.layout.rows(degree)] = (tokens[np.newaxis] == groups[:, np.newaxis]).all(axis=2)
    positions = sum(len(entry) == degree for entry in transfers.task.graph.parents)
    return _counting(transfers, transitions, smoothing, omega, group_of.ravel(), float(positions), size)


def token_counting_loss(
    transfers: Transfers, smoothing: float, transitions: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Return the loss of counting all tokens but a last one without parents."""
    omega = np.ones((1, transfers.layout.count))
    # Row 1 is the law of a last position without parents, which is not counted.
    omega[0, 1] = 0.0
    group_of = np.zeros(len(transfers.queries), dtype=np.int64)
    positions = float(transfers.task.length)
    return _counting(transfers, transitions, smoothing, omega, group_of, positions, transfers.task.vocab_size)


def _counting(
    transfers: Transfers,
    transitions: Mapping[int, Array],
    c: float,
    omega: Array,
    group_of: NDArray[np.int64],
    positions: float,
    size: int,
) -> tuple[Array, Array]:
    """Return the expected loss of ``(N_b + c) / (N + S c)``; what is counted depends on the group of the query."""
    count = len(omega)
    targets = transfers.targets(transitions)
    group = np.repeat(np.arange(count), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), count)
    plain = symbol < 0
    # [term, query]: the share of symbol b where the query belongs to the group, or one.
    share = np.where(plain[:, np.newaxis], 1.0, targets.T[symbol]) * (group_of == group[:, np.newaxis])
    constant = np.where(plain, size * c, c)
    terms = RowTerms(
        symbols=symbol,
        groups=group,
        shifts=plain.astype(np.float64),
        constants=constant,
        signs=np.where(plain, 1.0, -1.0),
        values=transfers.at_end(share),
        lowest=constant,
        log_lowest=np.log(constant),
        highest=positions + size * c,
    )
    with np.errstate(divide="ignore"):
        logs = np.log(omega)
    found = row_moments(transfers, transfers.laws(transitions), logs, terms, slopes=False)
    return np.array(found.value), np.array(found.error)
