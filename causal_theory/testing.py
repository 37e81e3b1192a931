"""Hypothesis strategies for property tests of code that works with causal graphs and transition matrices.

The rest of the package imports Hypothesis only to search for counterexamples.

All probabilities drawn here are multiples of a power of two, and rows sum to exactly one in floating point as well as
in rational arithmetic: ``fractions.Fraction`` gives the same matrix without rounding.
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
"""Small entries of a near-deterministic row are ``2**-k`` with k in this range."""


def _check_range(low_name: str, low: object, high_name: str, high: object, minimum: int) -> tuple[int, int]:
    smallest = check_integer(low_name, low, minimum)
    return smallest, check_integer(high_name, high, smallest)


@st.composite
def _forest(draw: st.DrawFn, smallest: int, largest: int) -> CausalGraph:
    length = draw(st.integers(smallest, largest), label="T")
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
        If ``2 <= min_length <= max_length`` does not hold.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(forests(max_length=5))
    ... def check(graph):
    ...     assert graph.is_forest and graph.has_query and 2 <= graph.length <= 5
    >>> check()
    """
    return _forest(*_check_range("min_length", min_length, "max_length", max_length, 2))


@st.composite
def _causal_graph(draw: st.DrawFn, lengths: tuple[int, int], most: int) -> CausalGraph:
    length = draw(st.integers(*lengths), label="T")

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
        If a bound is too small.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(causal_graphs(max_length=4))
    ... def check(graph):
    ...     assert max(graph.in_degrees) <= 2
    >>> check()
    """
    lengths = _check_range("min_length", min_length, "max_length", max_length, 2)
    return _causal_graph(lengths, check_integer("max_parents", max_parents, 1))


@st.composite
def _row(draw: st.DrawFn, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    if near_deterministic and draw(st.integers(0, 3)) == 3:
        tiny = 2.0 ** -draw(st.integers(*TINY_BITS))
        row = np.full(size, tiny)
        row[draw(st.integers(0, size - 1))] = 1.0 - (size - 1) * tiny
        return row
    weights = np.array(draw(st.lists(st.integers(0 if zeros else 1, 20), min_size=size, max_size=size)))
    if not weights.any():
        weights[draw(st.integers(0, size - 1))] = 1
    units = (weights * 2**WEIGHT_BITS) // weights.sum()
    units[np.argmax(units)] += 2**WEIGHT_BITS - units.sum()
    return np.asarray(units / 2.0**WEIGHT_BITS, dtype=np.float64)


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
    matrix = np.array([draw(_row(size, zeros, near_deterministic)) for _ in range(size)])
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
        Bounds of the number of symbols S, at least 2.
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
        If ``2 <= min_size <= max_size`` does not hold.

    Examples
    --------
    >>> from hypothesis import given
    >>> from causal_theory import stationary_distribution
    >>> @given(transition_matrices(max_size=3))
    ... def check(pi):
    ...     assert (pi.sum(axis=1) == 1.0).all() and abs(stationary_distribution(pi).sum() - 1.0) < 1e-14
    >>> check()
    """
    sizes = _check_range("min_size", min_size, "max_size", max_size, 2)
    return _transition_matrix(sizes, zeros, near_deterministic, unique_stationary)


@st.composite
def _kernel(draw: st.DrawFn, parents: int, size: int, zeros: bool, near_deterministic: bool) -> NDArray[np.float64]:
    rows = [draw(_row(size, zeros, near_deterministic)) for _ in range(size**parents)]
    return np.array(rows).reshape((size,) * (parents + 1))


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
        If ``parents`` is below 1 or ``size`` below 2.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(kernels(2, 3))
    ... def check(kernel):
    ...     assert kernel.shape == (3, 3, 3) and (kernel.sum(axis=-1) == 1.0).all()
    >>> check()
    """
    count, symbols = check_integer("parents", parents, 1), check_integer("size", size, 2)
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
        If a bound is too small.

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
    return _kernel_task(graphs, _check_range("min_size", 2, "max_size", max_size, 2), (zeros, near_deterministic))


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
        If a bound is below 2, or a sequence is empty or holds an unknown name.

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
        if isinstance(values, str) or not values:
            raise InvalidArgumentError(f"{name} must be a sequence of at least one name, got {values!r}")
        for value in values:
            check_choice(name, value, allowed)
    sizes = _check_range("min_size", 2, "max_size", max_size, 2)
    options = {"zeros": zeros, "near_deterministic": near_deterministic}
    return _task(forests(max_length=max_length), sizes, tuple(root_laws), tuple(priors), options)


@st.composite
def _matrix(draw: st.DrawFn, size: int, entries: st.SearchStrategy[float]) -> NDArray[np.float64]:
    values = draw(st.lists(entries, min_size=size**2, max_size=size**2))
    return np.array(values, dtype=np.float64).reshape(size, size)


def attention_matrices(size: int, *, magnitude: float = 3.0) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw a square matrix of attention logits, for either layer.

    Parameters
    ----------
    size : int
        T for the first layer, S for the second.
    magnitude : float
        Largest absolute value of an entry, greater than 0.

    Returns
    -------
    SearchStrategy of ndarray of shape (size, size)
        Entries above the diagonal are drawn too; the first layer ignores them. Examples shrink towards zeros.

    Raises
    ------
    InvalidArgumentError
        If ``size`` is below 1 or ``magnitude`` is not a positive number.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(attention_matrices(3, magnitude=2.0))
    ... def check(matrix):
    ...     assert matrix.shape == (3, 3) and abs(matrix).max() <= 2.0
    >>> check()
    """
    bound = check_positive("magnitude", magnitude)
    entries: Any = st.floats(-bound, bound, allow_nan=False, allow_subnormal=False)
    return _matrix(check_integer("size", size, 1), entries)
