"""Hypothesis strategies for property tests of code that works with causal graphs and transition matrices.

The rest of the package imports Hypothesis only to search for counterexamples.

All probabilities drawn here are multiples of a power of two, and rows sum to exactly one in floating point as well as
in rational arithmetic: ``fractions.Fraction`` gives the same matrix without rounding.

Hypothesis decides every parent and every entry of small objects, and shrinks them. Of what has more than some hundreds
of these it draws the shape and a seed: such examples stay as large as they are.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from causal_theory.chains import closed_classes
from causal_theory.errors import InvalidArgumentError
from causal_theory.graphs import CausalGraph
from causal_theory.priors import DirichletPrior, OrbitPrior, PointPrior, Prior
from causal_theory.tasks import InContextTask, RootLaw
from causal_theory.validation import check_choice, check_integer, check_positive

__all__ = [
    "PRIOR_KINDS",
    "attention_matrices",
    "causal_graphs",
    "forests",
    "kernel_tasks",
    "kernels",
    "tasks",
    "transition_matrices",
]

PRIOR_KINDS = ("point", "orbit", "dirichlet")
"""Names of the priors that `tasks` can draw."""

WEIGHT_BITS = 30
"""Ordinary entries are multiples of ``2**-WEIGHT_BITS``."""

TINY_BITS = (12, 44)
"""Small entries of a near-deterministic row are ``2**-k`` with k in this range; from more bits in a very long row."""

MOST_DRAWN = 256
"""Most parents, or entries, that Hypothesis decides one by one: it gives up on examples of some thousands."""

LONGEST = 100_000
"""Longest graph that is drawn."""

MOST_ENTRIES = 2**22
"""Most entries of an array that is drawn, so that a wrong number does not fill the memory."""


def _check_range(
    low_name: str, low: object, high_name: str, high: object, minimum: int, maximum: int
) -> tuple[int, int]:
    smallest = check_integer(low_name, low, minimum)
    return smallest, check_integer(high_name, high, smallest, maximum)


def _check_lengths(low: object, high: object) -> tuple[int, int]:
    return _check_range("min_length", low, "max_length", high, 2, LONGEST)


def _check_sizes(low: object, high: object) -> tuple[int, int]:
    """Return bounds of the number of symbols whose square matrices are not too large."""
    return _check_range("min_size", low, "max_size", high, 2, int(MOST_ENTRIES**0.5))


def _check_entries(size_name: str, size: int, parents_name: str, parents: int) -> None:
    """Refuse a kernel that is too large."""
    # The number of axes is bounded first, so that no power is computed that has millions of digits.
    if parents >= MOST_ENTRIES.bit_length() or size ** (parents + 1) > MOST_ENTRIES:
        raise InvalidArgumentError(
            f"{size_name} ** ({parents_name} + 1), the entries of a kernel, must be at most {MOST_ENTRIES}, "
            f"got {size_name} = {size} and {parents_name} = {parents}"
        )


def _seeded(draw: st.DrawFn) -> np.random.Generator:
    """Return a generator with a drawn seed, for what is too large to be drawn piece by piece."""
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))


@st.composite
def _forest(draw: st.DrawFn, smallest: int, largest: int) -> CausalGraph:
    length = draw(st.integers(smallest, largest), label="T")
    if length > MOST_DRAWN:
        share = draw(st.sampled_from([0.0, 0.01, 0.3, 0.9]), label="share of roots")
        return CausalGraph.random_forest(length, share, _seeded(draw))
    return CausalGraph.from_parents([draw(st.integers(-1, i - 1)) for i in range(length - 1)])


def forests(*, min_length: int = 2, max_length: int = 8) -> st.SearchStrategy[CausalGraph]:
    """Draw forests in which each position is a root or follows any earlier one.

    Parameters
    ----------
    min_length, max_length : int
        Bounds of T, the query included; at least 2. Examples shrink towards short graphs without edges.

    Returns
    -------
    SearchStrategy of CausalGraph
        Every forest of these lengths has a positive probability; the query is appended as a root.

    Raises
    ------
    InvalidArgumentError
        If ``2 <= min_length <= max_length <= 100000`` does not hold.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(forests(max_length=5))
    ... def check(graph):
    ...     assert graph.is_forest and graph.has_query and 2 <= graph.length <= 5
    >>> check()
    """
    return _forest(*_check_lengths(min_length, max_length))


@st.composite
def _causal_graph(draw: st.DrawFn, lengths: tuple[int, int], most: int) -> CausalGraph:
    length = draw(st.integers(*lengths), label="T")
    if length * min(most, length) > MOST_DRAWN:
        rng = _seeded(draw)

        def any_of(positions: int, fewest: int) -> NDArray[np.int64]:
            number = rng.integers(fewest, min(most, positions), endpoint=True)
            return rng.choice(positions, number, replace=False, shuffle=True)

        return CausalGraph([any_of(i, 0) if i else () for i in range(length)], any_of(length, 1))

    def some(positions: int, fewest: int) -> tuple[int, ...]:
        places = st.integers(0, positions - 1)
        return tuple(draw(st.lists(places, unique=True, min_size=fewest, max_size=min(most, positions))))

    return CausalGraph([some(i, 0) if i else () for i in range(length)], some(length, 1))


def causal_graphs(*, min_length: int = 2, max_length: int = 6, max_parents: int = 2) -> st.SearchStrategy[CausalGraph]:
    """Draw graphs in which positions and the target have any parents, in any order.

    Parameters
    ----------
    min_length, max_length : int
        Bounds of T, at least 2. Examples shrink towards short graphs without edges.
    max_parents : int
        Largest number of parents of a position and of the target, at least 1.

    Returns
    -------
    SearchStrategy of CausalGraph
        Every such graph has a positive probability; the last position may have parents, and the target has one or more.

    Raises
    ------
    InvalidArgumentError
        If a bound is too small, a length above 100000, or ``max_length * max_parents`` above 2**22.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(causal_graphs(max_length=4))
    ... def check(graph):
    ...     assert max(graph.in_degrees) <= 2
    >>> check()
    """
    lengths = _check_lengths(min_length, max_length)
    most = check_integer("max_parents", max_parents, 1)
    if lengths[1] * min(most, lengths[1]) > MOST_ENTRIES:
        raise InvalidArgumentError(
            f"max_length * max_parents must be at most {MOST_ENTRIES}, got {lengths[1]} * {min(most, lengths[1])}"
        )
    return _causal_graph(lengths, most)


@st.composite
def _row(draw: st.DrawFn, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    if near_deterministic and draw(st.integers(0, 3)) == 3:
        tiny = 2.0 ** -draw(st.integers(*_tiny_bits(size)))
        row = np.full(size, tiny)
        row[draw(st.integers(0, size - 1))] = 1.0 - (size - 1) * tiny
        return row
    weights = np.array(draw(st.lists(st.integers(0 if zeros else 1, 20), min_size=size, max_size=size)))
    if not weights.any():
        weights[draw(st.integers(0, size - 1))] = 1
    return _exact_laws(weights)


def _tiny_bits(size: int) -> tuple[int, int]:
    """Return the range of k for which all but ``2**-7`` of a row stays with one entry."""
    return max(TINY_BITS[0], size.bit_length() + 7), TINY_BITS[1]


def _exact_laws(weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return laws in the ratio of the weights along the last axis, rounded so that they sum to one."""
    units = (weights * 2**WEIGHT_BITS) // weights.sum(axis=-1, keepdims=True)
    largest = units.argmax(axis=-1, keepdims=True)
    rest = 2**WEIGHT_BITS - units.sum(axis=-1, keepdims=True)
    np.put_along_axis(units, largest, np.take_along_axis(units, largest, axis=-1) + rest, axis=-1)
    return np.asarray(units / 2.0**WEIGHT_BITS, dtype=np.float64)


@st.composite
def _laws(draw: st.DrawFn, count: int, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    """Draw ``count`` laws of ``size`` symbols."""
    if count * size <= MOST_DRAWN:
        return np.array([draw(_row(size, zeros, near_deterministic)) for _ in range(count)])
    rng, rows = _seeded(draw), np.arange(count)
    weights = rng.integers(1, 20, (count, size), endpoint=True)
    if zeros:
        weights[rng.random((count, size)) < rng.random((count, 1))] = 0
        weights[rows, rng.integers(0, size, count)] += 1
    laws = _exact_laws(weights)
    if near_deterministic:
        chosen = rows[rng.random(count) < 0.25]
        tiny = 2.0 ** -rng.integers(*_tiny_bits(size), chosen.size, endpoint=True)
        laws[chosen] = tiny[:, None]
        laws[chosen, rng.integers(0, size, chosen.size)] = 1.0 - (size - 1) * tiny
    return laws


def _join_classes(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Open all closed classes but the first: half of one row of each moves on to the class before it."""
    for before, after in pairwise([symbols[0] for symbols in closed_classes(matrix)]):
        matrix[after] *= 0.5
        matrix[after, before] += 0.5
    return matrix


@st.composite
def _transition_matrix(
    draw: st.DrawFn, sizes: tuple[int, int], zeros: bool, near_deterministic: bool, unique_stationary: bool
) -> NDArray[np.float64]:
    size = draw(st.integers(*sizes), label="S")
    matrix = draw(_laws(size, size, zeros, near_deterministic))
    return _join_classes(matrix) if unique_stationary else matrix


def transition_matrices(
    *,
    min_size: int = 2,
    max_size: int = 4,
    zeros: bool = True,
    near_deterministic: bool = True,
    unique_stationary: bool = True,
) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw transition matrices, hard ones included.

    Parameters
    ----------
    min_size, max_size : int
        Bounds of the number of symbols S, from 2 to 2048.
    zeros : bool
        Whether ordinary rows may contain zeros, up to rows with a single one.
    near_deterministic : bool
        Whether a quarter of the rows have one entry near 1 and all others equal to ``2**-k``, k between 12 and 44.
    unique_stationary : bool
        Whether the matrix must have one closed class, hence a unique stationary law. Transient symbols (stationary
        probability zero) occur in any case when zeros are allowed.

    Returns
    -------
    SearchStrategy of ndarray of shape (S, S)
        Rows sum to one without rounding.

    Raises
    ------
    InvalidArgumentError
        If ``2 <= min_size <= max_size <= 2048`` does not hold.

    Examples
    --------
    >>> from hypothesis import given
    >>> from causal_theory import stationary_distribution
    >>> @given(transition_matrices(max_size=3))
    ... def check(pi):
    ...     assert (pi.sum(axis=1) == 1.0).all() and abs(stationary_distribution(pi).sum() - 1.0) < 1e-14
    >>> check()
    """
    sizes = _check_sizes(min_size, max_size)
    return _transition_matrix(sizes, zeros, near_deterministic, unique_stationary)


@st.composite
def _kernel(draw: st.DrawFn, parents: int, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    return draw(_laws(size**parents, size, zeros, near_deterministic)).reshape((size,) * (parents + 1))


def kernels(
    parents: int, size: int, *, zeros: bool = True, near_deterministic: bool = True
) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw kernels of several parents, hard ones included.

    Parameters
    ----------
    parents : int
        Number of parents k, at least 1.
    size : int
        S, at least 2.
    zeros, near_deterministic : bool
        As for :func:`transition_matrices`.

    Returns
    -------
    SearchStrategy of ndarray of shape (S,) * k + (S,)
        Rows along the last axis sum to one without rounding.

    Raises
    ------
    InvalidArgumentError
        If ``parents`` is below 1, ``size`` below 2, or the kernel has more than 2**22 entries.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(kernels(2, 3))
    ... def check(kernel):
    ...     assert kernel.shape == (3, 3, 3) and (kernel.sum(axis=-1) == 1.0).all()
    >>> check()
    """
    count, symbols = check_integer("parents", parents, 1), check_integer("size", size, 2)
    _check_entries("size", symbols, "parents", count)
    return _kernel(count, symbols, zeros, near_deterministic)


@st.composite
def _kernel_task(
    draw: st.DrawFn, graphs: st.SearchStrategy[CausalGraph], sizes: tuple[int, int], options: tuple[bool, bool]
) -> InContextTask:
    graph = draw(graphs, label="graph")
    size = draw(st.integers(*sizes), label="S")
    return InContextTask(graph, PointPrior({k: draw(_kernel(k, size, *options)) for k in graph.in_degrees}))


def kernel_tasks(
    *,
    max_length: int = 5,
    max_size: int = 3,
    max_parents: int = 2,
    zeros: bool = True,
    near_deterministic: bool = True,
) -> st.SearchStrategy[InContextTask]:
    """Draw tasks with several parents under point priors: a kernel for each number of parents in the graph.

    Parameters
    ----------
    max_length : int
        Largest T, at least 2.
    max_size : int
        Largest number of symbols S, at least 2.
    max_parents : int
        Largest number of parents, at least 1.
    zeros, near_deterministic : bool
        As for :func:`transition_matrices`.

    Returns
    -------
    SearchStrategy of InContextTask
        Graphs come from :func:`causal_graphs`, kernels from :func:`kernels`; roots are uniform.

    Raises
    ------
    InvalidArgumentError
        If a bound is too small, or kernels could have more than 2**22 entries.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from causal_theory import pairwise_information
    >>> @settings(max_examples=10, deadline=None)
    ... @given(kernel_tasks(max_length=4))
    ... def check(task):
    ...     assert (pairwise_information(task, "tv").value >= 0.0).all()
    >>> check()
    """
    graphs = causal_graphs(max_length=max_length, max_parents=max_parents)
    sizes = _check_sizes(2, max_size)
    _check_entries("max_size", sizes[1], "max_parents", min(max_parents, max_length))
    return _kernel_task(graphs, sizes, (zeros, near_deterministic))


@st.composite
def _task(
    draw: st.DrawFn,
    graphs: st.SearchStrategy[CausalGraph],
    sizes: tuple[int, int],
    root_laws: tuple[RootLaw, ...],
    priors: tuple[str, ...],
    matrix_options: dict[str, bool],
) -> InContextTask:
    graph = draw(graphs, label="graph")
    root_law = draw(st.sampled_from(root_laws), label="root law")
    kind = draw(st.sampled_from(priors), label="prior")
    prior: Prior
    if kind == "dirichlet":
        size = draw(st.integers(*sizes), label="S")
        concentration = draw(st.sampled_from([1.0, 0.3, 3.0]), label="concentration")
        prior = DirichletPrior(size, concentration, floor=draw(st.sampled_from([0.0, 0.25]), label="floor"))
    else:
        matrix = draw(_transition_matrix(sizes, unique_stationary=root_law == "stationary", **matrix_options))
        prior = PointPrior(matrix) if kind == "point" else OrbitPrior(matrix)
    return InContextTask(graph, prior, root_law)


def tasks(
    *,
    max_length: int = 6,
    max_size: int = 3,
    root_laws: Sequence[RootLaw] = ("stationary", "uniform"),
    priors: Sequence[str] = ("point",),
    zeros: bool = True,
    near_deterministic: bool = True,
) -> st.SearchStrategy[InContextTask]:
    """Draw tasks on forests with an independent query.

    Parameters
    ----------
    max_length : int
        Largest T, at least 2.
    max_size : int
        Largest number of symbols S, at least 2.
    root_laws : sequence of {"stationary", "uniform"}
        The laws of the roots to draw from. With uniform roots the matrix may have several closed classes.
    priors : sequence of {"point", "orbit", "dirichlet"}
        The kinds of priors to draw from; the default has an exact expectation for every quantity.
    zeros, near_deterministic : bool
        As for :func:`transition_matrices`.

    Returns
    -------
    SearchStrategy of InContextTask
        Graphs come from :func:`forests`, matrices from :func:`transition_matrices`.

    Raises
    ------
    InvalidArgumentError
        If a bound is below 2 or too large, or a sequence is empty or holds an unknown name.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from causal_theory import pairwise_information
    >>> @settings(max_examples=10, deadline=None)
    ... @given(tasks(max_length=4))
    ... def check(task):
    ...     assert (pairwise_information(task, "tv").value >= 0.0).all()
    >>> check()
    """
    for name, values, allowed in (("root_laws", root_laws, ("stationary", "uniform")), ("priors", priors, PRIOR_KINDS)):
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise InvalidArgumentError(f"{name} must be a sequence of at least one name, got {values!r}")
        for value in values:
            check_choice(name, value, allowed)
    sizes = _check_sizes(2, max_size)
    options = {"zeros": zeros, "near_deterministic": near_deterministic}
    return _task(forests(max_length=max_length), sizes, tuple(root_laws), tuple(priors), options)


@st.composite
def _matrix(draw: st.DrawFn, size: int, bound: float) -> NDArray[np.float64]:
    if size**2 > MOST_DRAWN:
        return bound * _seeded(draw).uniform(-1.0, 1.0, (size, size))
    entries: Any = st.floats(-bound, bound, allow_nan=False, allow_subnormal=bound < float(np.finfo(np.float64).tiny))
    values = draw(st.lists(entries, min_size=size**2, max_size=size**2))
    return np.array(values, dtype=np.float64).reshape(size, size)


def attention_matrices(size: int, *, magnitude: float = 3.0) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw a square matrix of attention logits, for either layer.

    Parameters
    ----------
    size : int
        T for the first layer, S for the second; from 1 to 2048.
    magnitude : float
        Largest absolute value of an entry, greater than 0.

    Returns
    -------
    SearchStrategy of ndarray of shape (size, size)
        Entries above the diagonal are drawn too; the first layer ignores them. Examples shrink towards zeros.

    Raises
    ------
    InvalidArgumentError
        If ``size`` is not an integer from 1 to 2048 or ``magnitude`` is not a positive number.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(attention_matrices(3, magnitude=2.0))
    ... def check(matrix):
    ...     assert matrix.shape == (3, 3) and abs(matrix).max() <= 2.0
    >>> check()
    """
    bound = check_positive("magnitude", magnitude)
    return _matrix(_check_range("size", 1, "size", size, 1, int(MOST_ENTRIES**0.5))[1], bound)
