"""A certificate: the exact scores of one instance, the margin of every child row, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from causal_theory.certificates.pairs import exact_information, exact_limit_scores
from causal_theory.certificates.rationals import (
    Matrix,
    Rounded,
    as_rational,
    as_rational_transition,
    bits_of,
    common_denominator,
    fraction_text,
    integer_matrix,
    short_text,
    stationary_law,
)
from causal_theory.certificates.scores import exact_scores
from causal_theory.errors import CausalTheoryError, GraphError, InvalidArgumentError, TooLargeError
from causal_theory.graphs import CausalGraph
from causal_theory.tasks import RootLaw
from causal_theory.validation import check_choice

Triangle = tuple[tuple[Fraction, ...], ...]
"""The rows of a lower triangular matrix, entry by entry up to the diagonal."""

MOST_WORK = 2e14
"""Products times the 1.6th power of their bits; one unit takes about 10 picoseconds, so that this is half an hour."""


@dataclass(frozen=True)
class ExactMargin:
    """The lead of a parent in its row.

    Attributes
    ----------
    child, parent : int
        An edge of the graph.
    rival : int
        The best other key of the row up to the diagonal; the earliest one among equals.
    margin : Fraction
        Score of the parent minus score of the rival.
    """

    child: int
    parent: int
    rival: int
    margin: Fraction

    def __repr__(self) -> str:
        """Return one line; Python's own would fail for a fraction of more than 4300 digits."""
        margin: object = self.margin
        if isinstance(margin, Fraction):
            over, _, under = fraction_text(margin).partition("/")
            margin = f"Fraction({over}, {under or 1})"
        return f"ExactMargin(child={self.child}, parent={self.parent}, rival={self.rival}, margin={margin})"


@dataclass(frozen=True)
class GivenNumbers:
    """The floats of the input, at their exact values.

    Attributes
    ----------
    transition : tuple of tuples of (Fraction or None), or None
        ``None`` for an entry that was given as a rational number, or when all were.
    epsilon : Fraction or None
        ``None`` when it was given as a rational number.
    """

    transition: tuple[tuple[Fraction | None, ...], ...] | None
    epsilon: Fraction | None


@dataclass(frozen=True)
class Certificate:
    """Exact edge scores of a forest under one transition matrix, and whether the largest of every row is its parent.

    Attributes
    ----------
    graph : CausalGraph
        A forest with an independent query.
    transition : tuple of tuples of Fraction
        The transition matrix, (S, S).
    epsilon : Fraction
        The constant inside the logarithm of the loss.
    root_law : {"stationary", "uniform"}
        The law of the roots.
    moved : Fraction or None
        The largest distance between a number that was certified and the float that was given for it; ``None`` when all
        numbers were given as rationals.
    scores : tuple of tuples of Fraction
        Row i holds ``G_ij`` for j = 0..i.
    limit_scores : tuple of tuples of Fraction, or None
        Their limit at ``eps = 0``; ``None`` with uniform roots, where there is none.
    information : tuple of tuples of Fraction
        Chi-square mutual information of each pair j < i.
    margins : tuple of ExactMargin
        One for every child row, in order.
    given : GivenNumbers or None
        The floats that were given; ``None`` when all numbers were given as rationals.

    Examples
    --------
    >>> from causal_theory import CausalGraph, certify_edge_scores
    >>> certificate = certify_edge_scores(CausalGraph.chain(4), [["1/5", "4/5"], ["4/5", "1/5"]], "1/10")
    >>> certificate
    Certificate(length=4, symbols=2, edges=2, smallest_margin=723/2975, holds)
    >>> certificate.weakest
    ExactMargin(child=2, parent=1, rival=0, margin=Fraction(723, 2975))
    """

    graph: CausalGraph
    transition: Matrix
    epsilon: Fraction
    root_law: RootLaw
    moved: Fraction | None
    scores: Triangle
    limit_scores: Triangle | None
    information: Triangle
    margins: tuple[ExactMargin, ...]
    given: GivenNumbers | None = None

    @property
    def holds(self) -> bool:
        """Whether the parent has the strictly largest score of every child row, the diagonal included."""
        return all(margin.margin > 0 for margin in self.margins)

    @property
    def weakest(self) -> ExactMargin | None:
        """The smallest margin, the first one among equals; ``None`` for a graph without edges."""
        return min(self.margins, key=lambda margin: margin.margin, default=None)

    @property
    def failures(self) -> tuple[ExactMargin, ...]:
        """The margins of the rows whose parent does not win."""
        return tuple(margin for margin in self.margins if margin.margin <= 0)

    def __repr__(self) -> str:
        """Return one line with the verdict."""
        weakest = "none" if self.weakest is None else short_text(self.weakest.margin)
        rounded = "" if self.moved is None else f", input moved by {short_text(self.moved, 0, '.1e')}"
        return (
            f"Certificate(length={self.graph.length}, symbols={len(self.transition)}, edges={len(self.margins)}, "
            f"smallest_margin={weakest}, {'holds' if self.holds else 'fails'}{rounded})"
        )


def freeze(rows: Sequence[Sequence[Fraction]]) -> Triangle:
    """Return rows that cannot be changed."""
    return tuple(map(tuple, rows))


def margins_of(parents: Sequence[int], scores: Sequence[Sequence[Fraction]]) -> tuple[ExactMargin, ...]:
    """Return the lead of the parent in every child row."""
    found = []
    for child, parent in enumerate(parents):
        if parent >= 0:
            row = scores[child]
            rival = max((j for j in range(child + 1) if j != parent), key=lambda j: (row[j], -j))
            found.append(ExactMargin(child, parent, rival, row[parent] - row[rival]))
    return tuple(found)


def root_distribution(transition: Matrix, root_law: RootLaw) -> Sequence[Fraction]:
    """Return the law of the roots.

    Raises
    ------
    TransitionError
        If a stationary law is asked for and not unique.
    TooLargeError
        If it would take hours.
    """
    size = len(transition)
    if root_law == "uniform":
        return (Fraction(1, size),) * size
    # Elimination: S^3 steps, each quadratic in the bits of a determinant, whose rows have a denominator each.
    bits = sum(common_denominator(row).bit_length() + 1 for row in transition)
    if 0.1 * size**3 * bits**2 > MOST_WORK:
        raise TooLargeError(
            f"transition has {size} symbols and denominators of {bits:,} bits, whose stationary law would take hours; "
            "use fewer symbols, or smaller denominators"
        )
    return stationary_law(transition)


def check_cost(parents: Sequence[int], transition: Matrix, law: Sequence[Fraction], epsilon: Fraction) -> None:
    """Refuse what would take hours.

    S^3 T^2 products of polynomials, whose cost grows like the 1.6th power of bits; and S^2 T^2 sums of fractions with
    the denominators of all ``1/(n/T + eps)``, whose cost grows like the square of bits.

    Raises
    ------
    TooLargeError
        With the numbers that make it so.
    """
    size, length = len(law), len(parents)
    _, step = integer_matrix(transition)
    _, start = integer_matrix([law])
    roots = sum(parent < 0 for parent in parents)
    bits = length * (roots * start.bit_length() + (length - roots) * step.bit_length() + 8)
    if size**3 * length**2 * bits**1.6 > MOST_WORK:
        raise TooLargeError(
            f"graph and transition need {size**3 * length**2:,} products of polynomials of {bits:,} "
            "bits, which would take hours; use a shorter graph, or a matrix with smaller denominators"
        )
    shifts = length * bits_of(epsilon)
    if (size * length * shifts) ** 2 / 9.0 > MOST_WORK:
        raise TooLargeError(
            f"graph and epsilon need {(size * length) ** 2:,} sums of fractions of {shifts:,} bits, which would take "
            "hours; use a shorter graph, or an epsilon with a smaller numerator and denominator"
        )


def graph_problem(graph: object) -> str | None:
    """Return what is wrong with the graph of a certificate, ``None`` for a forest with an independent query."""
    if not isinstance(graph, CausalGraph):
        return f"must be a CausalGraph, got {type(graph).__name__}"
    try:
        if CausalGraph(graph.parents, graph.target_parents) != graph:
            return "must hold tuples of integers"
    except (CausalTheoryError, AttributeError) as error:
        return f"must be a causal graph: {error}"
    if any(len(entry) > 1 for entry in graph.parents) or not graph.has_query:
        return f"must be a forest with an independent query, got {graph!r}"
    return None


def moved_by(transition: Matrix, epsilon: Fraction, given: GivenNumbers | None) -> Fraction | None:
    """Return the largest distance between a number and the float that was given for it."""
    if given is None:
        return None
    return max(
        (
            found
            for found in (Rounded(transition, given.transition).moved, Rounded(epsilon, given.epsilon).moved)
            if found is not None
        ),
        default=None,
    )


def certify_edge_scores(
    graph: CausalGraph, transition: object, epsilon: object, *, root_law: RootLaw = "stationary"
) -> Certificate:
    r"""Compute edge scores, limit scores and chi-square informations in rational arithmetic, and decide every row.

    Everything is rational when the matrix and ``eps`` are. For each symbol *b* the law of the tokens is tilted by z
    wherever a token equals *b*; messages along the forest are then polynomials in z, and

    .. math:: E\Big[\frac{1}{n_b/T + \varepsilon}\Big] = \sum_n \frac{[z^n] F(z)}{n/T + \varepsilon} .

    No rounding occurs after the input has been read, so the sign of every margin is a proof.

    Parameters
    ----------
    graph : CausalGraph
        A forest with an independent query; T = 60 with three symbols takes some seconds, T = 20 a tenth of one.
    transition : nested sequence, shape (S, S)
        Rows of the transition matrix: integers, ``Fraction``, ``Decimal``, strings like ``"7/10"``, or anything else
        with an integer ``numerator`` and ``denominator``, such as the rationals of sympy, gmpy2 and python-flint.
        Floats are rounded first, and the certificate says by how much: each is taken for the plain fraction it stands
        for when these sum to one in every row, and at its binary value otherwise, where the largest float of each
        row closes the sum.
    epsilon : rational number
        Greater than 0.
    root_law : {"stationary", "uniform"}, default "stationary"
        The law of the roots. The query is uniform.

    Returns
    -------
    Certificate
        Scores, limits, informations and margins as fractions.

    Raises
    ------
    TransitionError
        If an entry is irrational, negative or not finite, a row does not sum to one, or the stationary law is not
        unique.
    InvalidArgumentError
        If ``epsilon`` is not a positive rational number.
    GraphError
        If the graph is not a forest with an independent query.
    TooLargeError
        If the polynomials would be too long to compute with.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024.

    Examples
    --------
    The diagonal beats the parent when symbols tend to repeat:

    >>> from causal_theory import CausalGraph, certify_edge_scores
    >>> certificate = certify_edge_scores(CausalGraph.chain(5), [["4/5", "1/5"], ["1/5", "4/5"]], "1/100")
    >>> certificate.holds, certificate.weakest.rival
    (False, 3)
    """
    problem = graph_problem(graph)
    if problem:
        raise GraphError(f"graph {problem}")
    check_choice("root_law", root_law, ("stationary", "uniform"))
    matrix, step = as_rational_transition("transition", transition), as_rational("epsilon", epsilon)
    if step.value <= 0:
        raise InvalidArgumentError(f"epsilon must be a rational number greater than 0, got {epsilon!r}")
    given = None if matrix.given is None and step.given is None else GivenNumbers(matrix.given, step.given)
    law = root_distribution(matrix.value, root_law)
    parents = [entry[0] if entry else -1 for entry in graph.parents[:-1]]
    check_cost(parents, matrix.value, law, step.value)
    scores = freeze(exact_scores(parents, matrix.value, law, step.value))
    return Certificate(
        graph=graph,
        transition=matrix.value,
        epsilon=step.value,
        root_law=root_law,
        moved=moved_by(matrix.value, step.value, given),
        scores=scores,
        limit_scores=freeze(exact_limit_scores(parents, matrix.value, law)) if root_law == "stationary" else None,
        information=freeze(exact_information(parents, matrix.value, law)),
        margins=margins_of(parents, scores),
        given=given,
    )
