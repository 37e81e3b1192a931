"""The form of a certificate, checked before its numbers are."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from causal_theory.certificates.certificate import Certificate, ExactMargin, GivenNumbers, graph_problem
from causal_theory.certificates.rationals import MOST_BITS, bits_of, check_row_length, short_text
from causal_theory.errors import TransitionError

LONGEST_FLOAT = 113
"""Bits of the longest binary floating-point numbers."""

Line = str


def malformed(certificate: Certificate) -> Iterator[Line]:
    """Yield a line for every field that cannot be that of a certificate, whatever was computed.

    Numbers are ``Fraction`` and nothing else, rows are tuples, and the graph says how many there are.
    """
    stationary, uniform = (_is_word(certificate.root_law, law) for law in ("stationary", "uniform"))
    problem = graph_problem(certificate.graph)
    if problem:
        yield f"graph: {problem}"
    yield from _transition(certificate.transition)
    yield from _number("epsilon", certificate.epsilon, MOST_BITS)
    if type(certificate.epsilon) is Fraction and certificate.epsilon <= 0:
        yield f"epsilon: must be greater than 0, the certificate says {short_text(certificate.epsilon)}"
    if not (stationary or uniform):
        yield f"root_law: must be 'stationary' or 'uniform', got {_named(certificate.root_law)}"
    elif stationary and certificate.limit_scores is None:
        yield "limit_scores: must be given with stationary roots, got None"
    elif uniform and certificate.limit_scores is not None:
        yield "limit_scores: must be None with uniform roots, which have no limit"
    if certificate.moved is not None:
        yield from _number("moved", certificate.moved)
    yield from _given(certificate)
    if problem:
        return
    length, edges = certificate.graph.length, sum(map(len, certificate.graph.parents))
    yield from _triangle("scores", certificate.scores, length, 1)
    if certificate.limit_scores is not None:
        yield from _triangle("limit_scores", certificate.limit_scores, length, 1)
    yield from _triangle("information", certificate.information, length, 0)
    yield from _margins(certificate.margins, edges)


def _is_word(value: object, word: str) -> bool:
    return isinstance(value, str) and value == word


def _named(value: object) -> str:
    """Return a short text as it is written, and the type of anything else."""
    return ascii(value) if type(value) is str and len(value) <= 40 else type(value).__name__


def _number(name: str, value: object, most_bits: int | None = None) -> Iterator[Line]:
    """Yield what is wrong with a fraction; those of the instance must be short enough to compute with."""
    if type(value) is not Fraction:
        yield f"{name}: must be a Fraction, got {type(value).__name__}"
    elif most_bits is not None and bits_of(value) > most_bits:
        yield f"{name}: must have a numerator and a denominator of at most {most_bits} bits, got {bits_of(value)} bits"


def _float(name: str, value: Any) -> Iterator[Line]:
    """Yield what is wrong with the exact value of a float, long doubles included."""
    wrong = list(_number(name, value, MOST_BITS))
    yield from wrong
    if not wrong and (value.denominator.bit_count() > 1 or _digits(value) > LONGEST_FLOAT):
        yield f"{name}: must be a binary floating-point number, got {short_text(value)}"


def _digits(value: Fraction) -> int:
    """Return the number of bits between the first and the last one of a numerator."""
    size = abs(value.numerator)
    return size.bit_length() - ((size & -size).bit_length() - 1 if size else 0)


def _tuples(name: str, rows: object) -> Iterator[Line]:
    if type(rows) is not tuple:
        yield f"{name}: must be a tuple of tuples, got {type(rows).__name__}"
        return
    for i, row in enumerate(rows):
        if type(row) is not tuple:
            yield f"{name}[{i}]: must be a tuple, got {type(row).__name__}"


def _square(name: str, rows: Any) -> Iterator[Line]:
    wrong = list(_tuples(name, rows))
    yield from wrong
    if not wrong and (len(rows) < 2 or any(len(row) != len(rows) for row in rows)):
        yield f"{name}: must be a square matrix with at least 2 symbols, got rows of {[len(row) for row in rows][:9]}"


def _transition(rows: Any) -> Iterator[Line]:
    wrong = list(_square("transition", rows))
    yield from wrong
    if wrong:
        return
    for a, row in enumerate(rows):
        wrong = [line for b, entry in enumerate(row) for line in _number(f"transition[{a}][{b}]", entry, MOST_BITS)]
        if not wrong:
            try:
                check_row_length(f"transition[{a}]:", row)
            except TransitionError as error:
                wrong = [str(error)]
        yield from wrong
        if not wrong and (any(entry < 0 for entry in row) or sum(row) != 1):
            yield f"transition[{a}]: must hold probabilities that sum to 1, sums to {short_text(sum(row))}"


def _given(certificate: Certificate) -> Iterator[Line]:
    """Yield what is wrong with the floats that were given: as many as numbers of the instance, or none at all."""
    given = certificate.given
    if given is None:
        return
    if type(given) is not GivenNumbers:
        yield f"given: must be GivenNumbers or None, got {type(given).__name__}"
        return
    if given.epsilon is not None:
        yield from _float("given.epsilon", given.epsilon)
    if given.transition is None:
        return
    wrong = list(_square("given.transition", given.transition))
    yield from wrong
    if wrong:
        return
    if type(certificate.transition) is tuple and len(given.transition) != len(certificate.transition):
        yield f"given.transition: must have {len(certificate.transition)} rows, got {len(given.transition)}"
    for a, row in enumerate(given.transition):
        for b, entry in enumerate(row):
            if entry is not None:
                yield from _float(f"given.transition[{a}][{b}]", entry)


def _triangle(name: str, rows: Any, length: int, more: int) -> Iterator[Line]:
    """Yield what is wrong with rows of ``more``, ``more + 1``, ... fractions."""
    wrong = list(_tuples(name, rows))
    yield from wrong
    if wrong:
        return
    if len(rows) != length:
        yield f"{name}: must have {length} rows, one for each position, got {len(rows)}"
        return
    for i, row in enumerate(rows):
        if len(row) != i + more:
            yield f"{name}[{i}]: must have {i + more} entries, got {len(row)}"
        for j, entry in enumerate(row):
            yield from _number(f"{name}[{i}][{j}]", entry)


def _margins(margins: Any, edges: int) -> Iterator[Line]:
    if type(margins) is not tuple:
        yield f"margins: must be a tuple, got {type(margins).__name__}"
        return
    if len(margins) != edges:
        yield f"margins: the certificate has {len(margins)}, the graph has {edges} edges"
        return
    for k, one in enumerate(margins):
        if type(one) is not ExactMargin:
            yield f"margins[{k}]: must be an ExactMargin, got {type(one).__name__}"
            continue
        for place in ("child", "parent", "rival"):
            if type(getattr(one, place)) is not int:
                yield f"margins[{k}].{place}: must be an int, got {type(getattr(one, place)).__name__}"
        yield from _number(f"margins[{k}].margin", one.margin)
