"""Maps of the tasks in which all parents win, over two parameters."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_theory.certificates import certify_edge_scores
from causal_theory.certificates.rationals import Matrix, as_rational, as_rational_transition
from causal_theory.errors import InvalidArgumentError, TransitionError
from causal_theory.falsification.critical import GraphFamily, graph_maker, smallest_margin
from causal_theory.falsification.recovery_map import RecoveryMap, without_unit
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.priors import DirichletPrior, PointPrior
from causal_theory.priors.drawn import DrawnPrior
from causal_theory.progress import track
from causal_theory.recovery import ERROR_BARS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator, check_choice, check_integer, check_positive

Array = NDArray[np.float64]
Instance = Callable[[int, int], tuple[CausalGraph, Matrix, Fraction]]
"""Maps the places of a cell along x and y to a graph, a transition matrix and epsilon."""

CERTIFIED_LENGTH, CERTIFIED_SYMBOLS = 20, 5
"""Up to these a cell is certified: beyond, rational arithmetic takes seconds."""

PATTERN = (("0", "2/3", "1/3"), ("1/4", "0", "3/4"), ("1/2", "1/2", "0"))
"""Where a symbol goes when it changes, by default: three rows that differ."""

STAY, SHIFT = Fraction(3, 5), Fraction(1, 5)

MARGIN = "smallest margin (dimensionless)"
LENGTH = "length T (tokens)"


@default_floats
def concentration_map(
    graph_family: GraphFamily,
    lengths: Sequence[int],
    concentrations: Sequence[float],
    *,
    measure: Literal["share", "mean"] = "share",
    vocab_size: int = 3,
    epsilon: float = 0.01,
    draws: int = 64,
    rng: SeedLike = 0,
) -> RecoveryMap:
    """Return how well edges are recovered under Dirichlet priors, over the concentration and the length.

    Parameters
    ----------
    graph_family : callable or {"chain", "pairs", "binary-tree", "star"}
        Maps a length to a forest with at least one edge.
    lengths : sequence of int
        Lengths T, increasing: the vertical axis.
    concentrations : sequence of float
        Parameters of the prior, increasing: the horizontal axis.
    measure : {"share", "mean"}, default "share"
        Share of the draws at which, taken alone, all parents win; or the smallest margin of the mean over the draws.
    vocab_size : int, default 3
        S.
    epsilon : float, default 0.01
        The constant inside the logarithm of the loss.
    draws : int, default 64
        Matrices per concentration, the same ones at every length and for both measures.
    rng : seed or numpy Generator, default 0
        Source of the draws.

    Returns
    -------
    RecoveryMap
        With standard errors; nothing is certified. One draw is added to each side for the error of a share, so that it
        is never zero.

    Raises
    ------
    InvalidArgumentError
        If parameters do not increase or are out of range.
    GraphError
        If the family returns no forest of the length asked for, or one without edges.

    Examples
    --------
    >>> from causal_theory.falsification import concentration_map
    >>> found = concentration_map("chain", [5, 10], [0.1, 1.0], draws=16)
    >>> (found.values[:, 1] > found.values[:, 0]).tolist()  # rows nearer to uniform, more edges
    [True, True]
    """
    check_choice("measure", measure, ("share", "mean"))
    make, sizes = graph_maker(graph_family), _lengths(lengths)
    levels = [check_positive("concentrations", one) for one in concentrations]
    _check_increasing("concentrations", levels)
    seeds = as_generator(rng).integers(2**63, size=len(levels))
    priors = [DrawnPrior(DirichletPrior(vocab_size, c), draws, int(s)) for c, s in zip(levels, seeds, strict=True)]
    values, errors = np.empty((len(sizes), len(levels))), np.empty((len(sizes), len(levels)))
    for row, column in track(list(np.ndindex(values.shape)), "recovery map"):
        graph = make(sizes[row])
        if measure == "mean":
            values[row, column], errors[row, column], _ = smallest_margin(InContextTask(graph, priors[column]), epsilon)
        else:
            values[row, column], errors[row, column] = _share(graph, priors[column], epsilon)
    return RecoveryMap(
        x=np.array(levels),
        y=np.array(sizes, dtype=np.float64),
        values=values,
        errors=errors,
        certified=np.zeros(values.shape, dtype=bool),
        xlabel="concentration of the Dirichlet prior",
        ylabel=LENGTH,
        label="share of draws with all edges"
        if measure == "share"
        else f"{without_unit(MARGIN)} of the mean (dimensionless)",
        boundary=0.5 if measure == "share" else 0.0,
        limits=(0.0, 1.0) if measure == "share" else None,
    )


@default_floats
def trace_map(
    graph_family: GraphFamily,
    lengths: Sequence[int],
    traces: Sequence[object],
    *,
    pattern: object = PATTERN,
    epsilon: object = "1/100",
) -> RecoveryMap:
    r"""Return the smallest margin over the trace of the transition matrix and the length.

    With a pattern Q of zero diagonal the matrix is :math:`(t/S) I + (1 - t/S) Q`: a symbol stays with probability
    :math:`t/S`, and where it goes otherwise does not depend on t. The diagonal of the scores tends to
    :math:`(t - 1)/S`.

    Parameters
    ----------
    graph_family : callable or {"chain", "pairs", "binary-tree", "star"}
        Maps a length to a forest with at least one edge.
    lengths : sequence of int
        Lengths T, increasing: the vertical axis. Up to T = 20 and S = 5 cells are certified.
    traces : sequence of rational numbers
        Traces t, increasing, at least 0 and less than S: the horizontal axis.
    pattern : nested sequence of rational numbers, shape (S, S)
        Q; by default one on three symbols.
    epsilon : rational number, default 1/100
        The constant inside the logarithm of the loss.

    Returns
    -------
    RecoveryMap
        Smallest margins.

    Raises
    ------
    InvalidArgumentError
        If parameters do not increase or are out of range.
    TransitionError
        If the pattern is not a transition matrix with a zero diagonal.
    GraphError
        If the family returns no forest of the length asked for, or one without edges.

    Examples
    --------
    >>> from causal_theory.falsification import trace_map
    >>> found = trace_map("chain", [5, 10], ["1/2", 1, "3/2", 2])
    >>> found
    RecoveryMap(smallest margin over trace of the transition matrix and length T: 4 of 8 cells above 0, 8 certified)
    """
    make, sizes = graph_maker(graph_family), _lengths(lengths)
    rows, step = as_rational_transition("pattern", pattern).value, _positive("epsilon", epsilon)
    if any(row[a] for a, row in enumerate(rows)):
        raise TransitionError(f"pattern must have a zero diagonal, got {[str(row[a]) for a, row in enumerate(rows)]}")
    levels = [as_rational("traces", one).value for one in traces]
    _check_increasing("traces", levels)
    if not 0 <= levels[0] <= levels[-1] < len(rows):
        raise InvalidArgumentError(f"traces must be at least 0 and less than {len(rows)}, got {list(traces)}")

    def matrix(trace: Fraction) -> Matrix:
        stay = trace / len(rows)
        return tuple(tuple(stay if a == b else (1 - stay) * q for b, q in enumerate(row)) for a, row in enumerate(rows))

    def instance(column: int, row: int) -> tuple[CausalGraph, Matrix, Fraction]:
        return make(sizes[row]), matrix(levels[column]), step

    return _margin_map(levels, sizes, instance, "trace of the transition matrix", LENGTH)


@default_floats
def symbols_map(
    graph_family: GraphFamily,
    sizes: Sequence[int],
    epsilons: Sequence[object],
    *,
    length: int = 10,
    stay: object = STAY,
    shift: object = SHIFT,
) -> RecoveryMap:
    r"""Return the smallest margin over the number of symbols and epsilon, for matrices that meet all assumptions.

    Every row of the matrix is ``(stay, rest, ..., rest)`` with ``rest = (1 - stay)/(S - 1)``, but each symbol other
    than the first moves the share ``shift`` from the first to the one after it, and the last to the second. The trace
    is 1 for every S. With growing ``eps`` the limit of the diagonal,

    .. math:: G^\infty_{ii} = \frac1S \sum_b \frac{\mu_b}{\mu_b + \varepsilon} (\pi_{bb} - \mu_b),

    weighs the frequent first symbol more than the others, and no longer vanishes.

    Parameters
    ----------
    graph_family : callable or {"chain", "pairs", "binary-tree", "star"}
        Maps a length to a forest with at least one edge.
    sizes : sequence of int
        Numbers of symbols S, increasing, at least 3: the horizontal axis. Up to S = 5 and T = 20 cells are certified.
    epsilons : sequence of rational numbers
        Constants inside the logarithm, increasing, greater than 0: the vertical axis.
    length : int, default 10
        T.
    stay, shift : rational numbers, default 3/5 and 1/5
        ``0 < shift < stay < 1``.

    Returns
    -------
    RecoveryMap
        Smallest margins.

    Raises
    ------
    InvalidArgumentError
        If parameters do not increase or are out of range.
    GraphError
        If the family returns no forest of the length asked for, or one without edges.

    Examples
    --------
    >>> from causal_theory.falsification import symbols_map
    >>> found = symbols_map("chain", [3, 5], ["1/100", 10])
    >>> found.recovered.tolist(), bool(found.certified.all())
    ([[True, True], [True, False]], True)
    """
    graph = graph_maker(graph_family)(length)
    symbols = [check_integer("sizes", size, 3) for size in sizes]
    _check_increasing("sizes", symbols)
    steps = [_positive("epsilons", one) for one in epsilons]
    _check_increasing("epsilons", steps)
    first, moved = as_rational("stay", stay).value, as_rational("shift", shift).value
    if not 0 < moved < first < 1:
        raise InvalidArgumentError(f"stay and shift must have 0 < shift < stay < 1, got {stay} and {shift}")

    def matrix(size: int) -> Matrix:
        rows = [[first] + [(1 - first) / (size - 1)] * (size - 1) for _ in range(size)]
        for a in range(1, size):
            rows[a][0] -= moved
            rows[a][a % (size - 1) + 1] += moved
        return tuple(map(tuple, rows))

    def instance(column: int, row: int) -> tuple[CausalGraph, Matrix, Fraction]:
        return graph, matrix(symbols[column]), steps[row]

    return _margin_map(symbols, steps, instance, "symbols S", "epsilon")


def _margin_map(
    x: Sequence[int | Fraction], y: Sequence[int | Fraction], instance: Instance, xlabel: str, ylabel: str
) -> RecoveryMap:
    """Return the smallest margin in every cell, certified where that is quick."""
    shape = (len(y), len(x))
    values, errors, certified = np.empty(shape), np.empty(shape), np.zeros(shape, dtype=bool)
    for row, column in track(list(np.ndindex(shape)), "recovery map"):
        graph, matrix, epsilon = instance(column, row)
        certified[row, column] = graph.length <= CERTIFIED_LENGTH and len(matrix) <= CERTIFIED_SYMBOLS
        values[row, column], errors[row, column] = (_certified if certified[row, column] else _floating)(
            graph, matrix, epsilon
        )
    places = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)
    return RecoveryMap(*places, values, errors, certified, xlabel, ylabel, MARGIN, 0.0)


def _certified(graph: CausalGraph, matrix: Matrix, epsilon: Fraction) -> tuple[float, float]:
    """Return the exact margin to the nearest float, which keeps its sign, and half a unit in the last place."""
    value = float(min(one.margin for one in certify_edge_scores(graph, matrix, epsilon).margins))
    return value, abs(value) * 2.0**-53


def _floating(graph: CausalGraph, matrix: Matrix, epsilon: Fraction) -> tuple[float, float]:
    task = InContextTask(graph, PointPrior(np.array(matrix, dtype=np.float64)))
    margin, error, _ = smallest_margin(task, float(epsilon))
    return margin, error


def _share(graph: CausalGraph, prior: DrawnPrior, epsilon: float) -> tuple[float, float]:
    """Return the share of the draws at which all parents win, and its standard error."""
    won = 0
    for matrix in prior.matrices:
        margin, error, _ = smallest_margin(InContextTask(graph, PointPrior(matrix)), epsilon)
        won += margin > ERROR_BARS * error
    count = len(prior.matrices)
    guess = (won + 1.0) / (count + 2.0)
    return won / count, float(np.sqrt(guess * (1.0 - guess) / count))


def _lengths(lengths: Sequence[int]) -> list[int]:
    sizes = [check_integer("lengths", length, 2) for length in lengths]
    _check_increasing("lengths", sizes)
    return sizes


def _positive(name: str, value: object) -> Fraction:
    found: Fraction = as_rational(name, value).value
    if found <= 0:
        raise InvalidArgumentError(f"{name} must be a rational number greater than 0, got {value!r}")
    return found


def _check_increasing(name: str, values: Sequence[float | Fraction]) -> None:
    if not values or any(a >= b for a, b in pairwise(values)):
        raise InvalidArgumentError(f"{name} must be increasing, at least one, got {[str(one) for one in values]}")
