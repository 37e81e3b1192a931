"""A certificate checked by a route of its own, entry by entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from causal_theory.certificates.certificate import Certificate, margins_of
from causal_theory.certificates.enumeration import enumerated_pairs, enumerated_scores
from causal_theory.certificates.evaluation import evaluated_pairs, evaluated_scores
from causal_theory.certificates.rationals import Matrix, stationary_law
from causal_theory.errors import TransitionError

__all__ = ["Verification", "verify_certificate"]

MOST_SEQUENCES = 3_000
"""Up to this many sequences are enumerated; longer ones are evaluated at points, with another order of elimination."""

Route = Literal["enumeration", "evaluation"]


@dataclass(frozen=True)
class Verification:
    """What came of checking a certificate.

    Attributes
    ----------
    valid : bool
        Whether every entry is true.
    failures : tuple of str
        One line for every entry that is not: its name, what the certificate says, and what is true.
    route : {"enumeration", "evaluation"}
        How the numbers were computed anew: by definition, over all sequences; or from values of the polynomials at
        whole numbers, with messages that run outwards from each key.
    """

    failures: tuple[str, ...]
    route: Route

    @property
    def valid(self) -> bool:
        """Whether every entry is true."""
        return not self.failures

    def __repr__(self) -> str:
        """Return one line with the verdict and the first failure."""
        if self.valid:
            return f"Verification(valid, by {self.route})"
        more = f" and {len(self.failures) - 1} more" if len(self.failures) > 1 else ""
        return f"Verification(not valid, by {self.route}: {self.failures[0]}{more})"


def verify_certificate(certificate: Certificate) -> Verification:
    """Check every number of a certificate against an independent computation in rational arithmetic.

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
    graph, transition, size = certificate.graph, certificate.transition, len(certificate.transition)
    parents = [entry[0] if entry else -1 for entry in graph.parents[:-1]]
    route: Route = "enumeration" if size**graph.length <= MOST_SEQUENCES else "evaluation"
    wrong = list(_instance(certificate))
    if wrong:
        return Verification(tuple(wrong), route)
    law: Sequence[Fraction] = (Fraction(1, size),) * size
    if certificate.root_law == "stationary":
        try:
            law = stationary_law(transition)
        except TransitionError as error:
            return Verification((f"transition: {error}",), route)
    if route == "enumeration":
        scores = enumerated_scores(parents, transition, law, certificate.epsilon)
        pairs = enumerated_pairs(parents, transition, law)
    else:
        scores = evaluated_scores(parents, transition, law, certificate.epsilon)
        pairs = evaluated_pairs(parents, transition, law)
    wrong += _differences("scores", certificate.scores, scores)
    if certificate.limit_scores is not None:
        wrong += _differences("limit_scores", certificate.limit_scores, _limits(pairs, transition, law))
    wrong += _differences("information", certificate.information, _informations(pairs, graph.length))
    wrong += _margin_differences(certificate, margins_of(parents, scores))
    return Verification(tuple(wrong), route)


def _instance(certificate: Certificate) -> Iterator[str]:
    """Yield what makes the instance itself none: it is given, not computed."""
    for a, row in enumerate(certificate.transition):
        if any(entry < 0 for entry in row) or sum(row) != 1:
            yield f"transition[{a}]: must hold probabilities that sum to 1, sums to {sum(row)}"
    if certificate.epsilon <= 0:
        yield f"epsilon: must be greater than 0, the certificate says {certificate.epsilon}"


def _differences(name: str, said: Sequence[Sequence[Fraction]], true: Sequence[Sequence[Fraction]]) -> Iterator[str]:
    for i, (row, other) in enumerate(zip(said, true, strict=True)):
        for j, (entry, found) in enumerate(zip(row, other, strict=True)):
            if entry != found:
                yield f"{name}[{i}][{j}]: the certificate says {entry}, true is {found}"


def _margin_differences(certificate: Certificate, true: Sequence[object]) -> Iterator[str]:
    if len(certificate.margins) != len(true):
        yield f"margins: the certificate has {len(certificate.margins)}, the graph has {len(true)} edges"
        return
    for k, (said, found) in enumerate(zip(certificate.margins, true, strict=True)):
        if said != found:
            yield f"margins[{k}]: the certificate says {said}, true is {found}"


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
