"""A certificate checked by a route of its own, entry by entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from causal_theory.certificates.certificate import (
    Certificate,
    ExactMargin,
    check_cost,
    margins_of,
    moved_by,
    root_distribution,
)
from causal_theory.certificates.enumeration import enumerated_pairs, enumerated_scores
from causal_theory.certificates.evaluation import evaluated_pairs, evaluated_scores
from causal_theory.certificates.form import malformed
from causal_theory.certificates.rationals import Matrix, closed_rows, fraction_text, plain_fraction
from causal_theory.errors import InvalidArgumentError, TooLargeError, TransitionError

MOST_SEQUENCES = 3_000
"""Up to this many sequences are enumerated; longer ones are evaluated at points, with another order of elimination."""

Route = Literal["enumeration", "evaluation"]


@dataclass(frozen=True)
class Verification:
    """The outcome of checking a certificate.

    Attributes
    ----------
    valid : bool
        Whether every entry is true.
    failures : tuple of str
        One line for every entry that is not: its name, what the certificate says, and what is true.
    route : {"enumeration", "evaluation"} or None
        How the numbers were computed anew: by definition, over all sequences; or from values of the polynomials at
        whole numbers, with messages that run outwards from each key. ``None`` when nothing had to be computed to see
        that the certificate is not valid.
    """

    failures: tuple[str, ...]
    route: Route | None

    @property
    def valid(self) -> bool:
        """Whether every entry is true."""
        return not self.failures

    def __repr__(self) -> str:
        """Return one line with the verdict and the first failure."""
        if self.valid:
            return f"Verification(valid, by {self.route})"
        more = f" and {len(self.failures) - 1} more" if len(self.failures) > 1 else ""
        how = "" if self.route is None else f", by {self.route}"
        return f"Verification(not valid{how}: {self.failures[0]}{more})"


def verify_certificate(certificate: Certificate) -> Verification:
    """Check every field of a certificate, and every number against an independent computation in rational arithmetic.

    Fields have the types that :func:`causal_theory.certify_edge_scores` gives them: rows are tuples, numbers are
    ``Fraction``. Whatever else stands in one makes the certificate invalid, as does an instance that
    ``certify_edge_scores`` refuses. Where floats were given, it is checked that the fractions are what they stand for,
    and that they were moved by as much as the certificate says.

    Up to 3000 sequences everything is summed by definition. Beyond, the scores are computed from values of the
    generating polynomials at T whole numbers, with numbers instead of polynomials and another order of elimination
    than :func:`causal_theory.certify_edge_scores` uses, and informations from joint laws that are carried along paths.

    Parameters
    ----------
    certificate : Certificate
        From :func:`causal_theory.certify_edge_scores` or :func:`causal_theory.certificates.read_certificate`.

    Returns
    -------
    Verification
        Whether all is true, and each entry that is not.

    Raises
    ------
    InvalidArgumentError
        If ``certificate`` is no certificate at all.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from causal_theory import CausalGraph, certify_edge_scores, verify_certificate
    >>> certificate = certify_edge_scores(CausalGraph.chain(4), [["1/5", "4/5"], ["4/5", "1/5"]], "1/10")
    >>> verify_certificate(certificate)
    Verification(valid, by enumeration)
    >>> verify_certificate(replace(certificate, epsilon=certificate.epsilon / 2)).failures[0]
    'scores[0][0]: the certificate says -729/2975, true is -1883/6600'
    """
    if not isinstance(certificate, Certificate):
        raise InvalidArgumentError(f"certificate must be a Certificate, got {type(certificate).__name__}")
    wrong = list(malformed(certificate))
    if wrong:
        return Verification(tuple(wrong), None)
    graph, transition, epsilon = certificate.graph, certificate.transition, certificate.epsilon
    parents = [entry[0] if entry else -1 for entry in graph.parents[:-1]]
    try:
        law = root_distribution(transition, certificate.root_law)
        check_cost(parents, transition, law, epsilon)
    except (TransitionError, TooLargeError) as error:
        return Verification((f"transition: {error}",), None)
    wrong += _input_differences(certificate)
    route: Route = "enumeration" if len(transition) ** graph.length <= MOST_SEQUENCES else "evaluation"
    if route == "enumeration":
        scores = enumerated_scores(parents, transition, law, epsilon)
        pairs = enumerated_pairs(parents, transition, law)
    else:
        scores = evaluated_scores(parents, transition, law, epsilon)
        pairs = evaluated_pairs(parents, transition, law)
    wrong += _differences("scores", certificate.scores, scores)
    if certificate.limit_scores is not None:
        wrong += _differences("limit_scores", certificate.limit_scores, _limits(pairs, transition, law))
    wrong += _differences("information", certificate.information, _informations(pairs, graph.length))
    wrong += _margin_differences(certificate.margins, margins_of(parents, scores))
    return Verification(tuple(wrong), route)


def _input_differences(certificate: Certificate) -> Iterator[str]:
    """Yield where the fractions are not what the floats that were given stand for."""
    given, transition = certificate.given, certificate.transition
    moved = moved_by(transition, certificate.epsilon, given)
    if certificate.moved is not None and given is None:
        yield "moved: must be None, for the certificate holds no floats that were given"
    elif certificate.moved != moved:
        yield f"moved: the certificate says {_text(certificate.moved)}, true is {_text(moved)}"
    if given is None:
        return
    if given.epsilon is not None and plain_fraction(given.epsilon) != certificate.epsilon:
        yield (
            f"epsilon: the certificate says {_text(certificate.epsilon)}, the float that was given stands for "
            f"{_text(plain_fraction(given.epsilon))}"
        )
    if given.transition is None:
        if given.epsilon is None:
            yield "given: must hold a float, or be None"
        return
    if all(entry is None for row in given.transition for entry in row):
        yield "given.transition: must hold a float, or be None"
    try:
        true = closed_rows("transition", transition, given.transition)
    except TransitionError as error:
        yield f"given.{error}"
        return
    for a, (row, other) in enumerate(zip(transition, true, strict=True)):
        for b, (entry, found) in enumerate(zip(row, other, strict=True)):
            if entry != found:
                yield (
                    f"transition[{a}][{b}]: the certificate says {_text(entry)}, the floats that were given stand for "
                    f"{_text(found)}"
                )


def _text(value: Fraction | None) -> str:
    return "None" if value is None else fraction_text(value)


def _differences(name: str, said: Sequence[Sequence[Fraction]], true: Sequence[Sequence[Fraction]]) -> Iterator[str]:
    for i, (row, other) in enumerate(zip(said, true, strict=True)):
        for j, (entry, found) in enumerate(zip(row, other, strict=True)):
            if entry != found:
                yield f"{name}[{i}][{j}]: the certificate says {_text(entry)}, true is {_text(found)}"


def _margin_differences(said: Sequence[ExactMargin], true: Sequence[ExactMargin]) -> Iterator[str]:
    for k, (one, other) in enumerate(zip(said, true, strict=True)):
        if one != other:
            yield f"margins[{k}]: the certificate says {one}, true is {other}"


def _limits(
    pairs: dict[tuple[int, int], list[list[Fraction]]], transition: Matrix, law: Sequence[Fraction]
) -> list[list[Fraction]]:
    """Return the limit scores by their definition; the query meets every other token by chance."""
    size, context = len(law), max(i for _, i in pairs) + 1
    seen = [(a, b) for a in range(size) for b in range(size) if law[b]]

    def limit(joint: Sequence[Sequence[Fraction]]) -> Fraction:
        return sum((transition[a][b] / law[b] * (joint[a][b] - law[a] * law[b]) for a, b in seen), Fraction(0)) / size

    same = [[law[a] if a == b else Fraction(0) for b in range(size)] for a in range(size)]
    own = sum((transition[a][b] / law[b] * ((a == b) - law[b]) for a, b in seen), Fraction(0)) / size
    rows = [[limit(pairs[j, i]) for j in range(i + 1)] for i in range(context)]
    return [*rows, [limit(same)] * context + [own]]


def _informations(pairs: dict[tuple[int, int], list[list[Fraction]]], length: int) -> list[list[Fraction]]:
    """Return the chi-square distances of the joint laws from independence."""

    def information(joint: Sequence[Sequence[Fraction]]) -> Fraction:
        rows = [sum(row) for row in joint]
        columns = [sum(column) for column in zip(*joint, strict=True)]
        return sum(
            ((joint[a][b] - p * q) ** 2 / (p * q) for a, p in enumerate(rows) for b, q in enumerate(columns) if p * q),
            Fraction(0),
        )

    below = [[information(pairs[j, i]) for j in range(i)] for i in range(length - 1)]
    return [*below, [Fraction(0)] * (length - 1)]
