"""Statements that a search may try to falsify: each has a margin in floats, and the same one in fractions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.certificates import Certificate
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.falsification.instance import Instance
from causal_theory.information import pairwise_information
from causal_theory.population.limit import limit_edge_scores
from causal_theory.population.scores import edge_scores
from causal_theory.validation import check_choice, check_positive

Array = NDArray[np.float64]
INFINITE = float("inf")


@dataclass(frozen=True)
class Statement:
    """A statement about single instances, with a margin that says how far it is from failing.

    Parameters
    ----------
    name : str
        Identifier.
    sentence : str
        The statement in words.
    margin : callable
        ``margin(instance) -> float`` from the float engines: positive where the statement holds, infinite where it is
        empty. It decides where the search goes, never whether a counterexample is one.
    certified_margin : callable
        ``certified_margin(instance) -> Fraction``, the same in exact arithmetic, for an instance of fractions.
    error : float, default 1e-9
        Margins this close to zero are not told from zero by the search. The engines are surer than that; the default
        leaves room for statements that hold with equality and for rare symbols.

    Raises
    ------
    InvalidArgumentError
        If ``name`` is not an identifier, a margin cannot be called, or ``error`` is not positive.

    Examples
    --------
    Is the edge into the last token of the context the one with the largest score?

    >>> from fractions import Fraction
    >>> from causal_theory import CausalGraph, edge_scores
    >>> from causal_theory.falsification import Statement, Instance
    >>> def margin(instance):
    ...     scores = edge_scores(instance.task, epsilon=instance.epsilon).value
    ...     return scores[1, 0] - scores[1, 1]
    >>> def certified(instance):
    ...     row = instance.certificate.scores[1]
    ...     return row[0] - row[1]
    >>> statement = Statement("first_edge", "G_10 > G_11 when 0 is the parent of 1", margin, certified)
    >>> p = Fraction(1, 4)
    >>> statement.certified_margin(Instance(CausalGraph.chain(3), ((p, 1 - p), (1 - p, p)), Fraction(1, 10)))
    Fraction(315, 598)
    """

    name: str
    sentence: str
    margin: Callable[[Instance], float]
    certified_margin: Callable[[Instance], Fraction]
    error: float = 1e-9

    def __post_init__(self) -> None:
        """Refuse what a search could not use."""
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InvalidArgumentError(f"name must be an identifier, got {self.name!r}")
        for field in ("margin", "certified_margin"):
            if not callable(getattr(self, field)):
                raise InvalidArgumentError(f"{field} must be a function of an instance, got {getattr(self, field)!r}")
        check_positive("error", self.error)

    def __repr__(self) -> str:
        """Return the name and the sentence."""
        return f"Statement({self.name}: {self.sentence})"


def as_statement(statement: object) -> Statement:
    """Return a statement itself, or the one of that name."""
    if isinstance(statement, Statement):
        return statement
    return STATEMENTS[check_choice("statement", statement, STATEMENTS)]


def _smallest_lead(instance: Instance, scores: Array) -> float:
    """Return the least lead of a parent over the best other key of its row, the diagonal included."""
    parents = instance.graph.parent_array
    children = np.flatnonzero(parents >= 0)
    if not children.size:
        return INFINITE
    rows = np.where(np.tri(len(scores), dtype=np.bool_), scores, -INFINITE)[children]
    lines = np.arange(len(children))
    parent = rows[lines, parents[children]].copy()
    rows[lines, parents[children]] = -INFINITE
    return float((parent - rows.max(axis=1)).min())


def _score_margin(instance: Instance) -> float:
    return _smallest_lead(instance, edge_scores(instance.task, epsilon=float(instance.epsilon)).value)


def _certified_score_margin(instance: Instance) -> Fraction:
    weakest = instance.certificate.weakest
    return Fraction(1) if weakest is None else weakest.margin


def _limit_margin(instance: Instance) -> float:
    return _smallest_lead(instance, limit_edge_scores(instance.task).value)


def _exact_limits(certificate: Certificate) -> tuple[tuple[Fraction, ...], ...]:
    if certificate.limit_scores is None:
        raise TaskError(f"root_law must be 'stationary' for limit scores, got {certificate.root_law!r}")
    return certificate.limit_scores


def _rivals(parents: list[int], *, diagonal: bool) -> Iterator[tuple[int, int, int]]:
    """Yield child, parent and each other key of the row."""
    for child, parent in enumerate(parents):
        if parent >= 0:
            yield from ((child, parent, j) for j in range(child + diagonal) if j != parent)


def _least(values: Any) -> Fraction:
    """Return the smallest value, 1 for a statement about nothing."""
    return min(values, default=Fraction(1))


def _certified_limit_margin(instance: Instance) -> Fraction:
    limits = _exact_limits(instance.certificate)
    return _least(limits[i][p] - limits[i][j] for i, p, j in _rivals(instance.parents, diagonal=True))


def _bound_margin(instance: Instance) -> float:
    """Return the least slack of ``limit_ij <= I_{i,p(i)}/S``."""
    limits = limit_edge_scores(instance.task).value
    information = pairwise_information(instance.task, "chi2").value
    pairs = [information[i, p] / instance.task.vocab_size - limits[i, j] for i, p, j in _rows(instance)]
    return float(min(pairs, default=INFINITE))


def _certified_bound_margin(instance: Instance) -> Fraction:
    limits, information = _exact_limits(instance.certificate), instance.certificate.information
    size = len(instance.transition)
    return _least(information[i][p] / size - limits[i][j] for i, p, j in _rows(instance))


def _fading_margin(instance: Instance) -> float:
    information = pairwise_information(instance.task, "chi2").value
    return float(min((information[i, p] - information[i, j] for i, p, j in _rows(instance)), default=INFINITE))


def _certified_fading_margin(instance: Instance) -> Fraction:
    information = instance.certificate.information
    return _least(information[i][p] - information[i][j] for i, p, j in _rows(instance))


def _rows(instance: Instance) -> Iterator[tuple[int, int, int]]:
    return _rivals(instance.parents, diagonal=False)


STATEMENTS = {
    one.name: one
    for one in (
        Statement(
            "top_scores_are_edges",
            "in every child row the parent has the strictly largest edge score, the diagonal included",
            _score_margin,
            _certified_score_margin,
        ),
        Statement(
            "limit_scores_are_edges",
            "in every child row the parent has the strictly largest limit score at eps = 0, the diagonal included",
            _limit_margin,
            _certified_limit_margin,
        ),
        Statement(
            "limit_bounded_by_information",
            "limit_ij <= I_{i,p(i)}/S for every child i and every j < i (a theorem)",
            _bound_margin,
            _certified_bound_margin,
        ),
        Statement(
            "information_fades",
            "I_ij <= I_{i,p(i)} for every child i and every j < i (the data-processing inequality)",
            _fading_margin,
            _certified_fading_margin,
        ),
    )
}
"""The statements that the package knows, by name."""
