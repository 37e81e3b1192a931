"""Transition matrices from data: counts of what follows what, with standard errors."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.frames import unlabelled
from causal_theory.graphs import CausalGraph
from causal_theory.validation import check_integer, check_memory, check_positive, check_real

LARGEST = 2.0**53
"""Of counts, which are exact up to here, and of what is added to them."""


@default_floats
def estimate_transition(
    data: ArrayLike, graph: CausalGraph | None = None, *, smoothing: float = 0.0, vocab_size: int | None = None
) -> Estimate:
    r"""Estimate the transition matrix from sequences, or from counts of what followed what.

    .. math:: \hat\pi_{ab} = \frac{n_{ab} + c}{n_a + S c}

    with :math:`n_{ab}` the number of edges, in all sequences, whose parent is *a* and whose child is *b*,
    :math:`n_a = \sum_b n_{ab}`, and *c* the smoothing.

    Parameters
    ----------
    data : array_like of int, shape (n, T) or (S, S)
        With a graph: sequences of symbols 0..S-1, the query included, all from one matrix. Without: counts
        :math:`n_{ab}`, or for k parents an array of shape ``(S,) * (k + 1)``.
    graph : CausalGraph, optional
        Every position that has parents has the same number of them, k.
    smoothing : float, default 0
        Added to every count; 1 is Laplace's rule. It moves the estimate towards uniform rows, which the standard error
        does not include.
    vocab_size : int, optional
        S; by default the largest symbol of the sequences, plus one.

    Returns
    -------
    Estimate
        The matrix, shape (S, S), or the transition tensor, shape ``(S,) * (k + 1)``. The error is one standard error
        :math:`\sqrt{n_a q (1 - q)} / (n_a + S c)` with :math:`q = (n_{ab} + 1/2) / (n_a + S/2)`, which is not zero
        where nothing was counted. It is infinite in rows that never occur, which are uniform with smoothing.

    Raises
    ------
    InvalidArgumentError
        If the data are no integers of such a shape, a count is negative, a symbol is out of range, or a row never
        occurs and there is no smoothing.
    TooLargeError
        If the matrix or tensor does not fit into memory.
    GraphError
        If the graph has no edges, or positions with different numbers of parents.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, estimate_transition
    >>> estimate_transition([[3, 1], [0, 4]]).value
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    >>> truth = PointPrior([[0.9, 0.1], [0.2, 0.8]])
    >>> task = InContextTask(CausalGraph.chain(30), truth)
    >>> found = estimate_transition(task.sample(500, rng=0).tokens, task.graph)
    >>> found
    Estimate(2x2 array, standard error <= 5.8e-03, monte_carlo)
    >>> bool((abs(found.value - truth.mean) < 4 * found.error).all())
    True
    """
    smoothing = check_positive("smoothing", smoothing, largest=LARGEST, or_zero=True)
    if graph is not None and not isinstance(graph, CausalGraph):
        raise InvalidArgumentError(f"graph must be a CausalGraph, got {type(graph).__name__}")
    counts = _given_counts(data, vocab_size) if graph is None else _counts(data, graph, vocab_size)
    size, seen = counts.shape[-1], counts.sum(axis=-1, keepdims=True)
    if not smoothing and not seen.all():
        never = tuple(int(k) for k in np.argwhere(seen[..., 0] == 0.0)[0])
        raise InvalidArgumentError(
            f"data must show what follows {'symbol' if len(never) == 1 else 'symbols'} {', '.join(map(str, never))}, "
            "which never occurs as a parent; give more data, or smoothing=1"
        )
    total = seen + size * smoothing
    share = (counts + 0.5) / (seen + 0.5 * size)
    error = np.where(seen > 0.0, np.sqrt(seen * share * (1.0 - share)) / total, np.inf)
    return Estimate((counts + smoothing) / total, error, "monte_carlo")


def _given_counts(data: ArrayLike, vocab_size: int | None) -> NDArray[np.float64]:
    counts = check_real("data", unlabelled("data", data)).astype(np.float64)
    if counts.ndim < 2 or len(set(counts.shape)) != 1 or counts.shape[0] < 2:
        raise InvalidArgumentError(
            f"data must be counts with axes of one length S >= 2, one for each parent and the last for the child, got "
            f"shape {counts.shape}; for sequences give the graph as well"
        )
    if vocab_size is not None and check_integer("vocab_size", vocab_size, 2) != len(counts):
        raise InvalidArgumentError(f"vocab_size must be {len(counts)} for counts of that shape, got {vocab_size!r}")
    if not ((counts >= 0.0).all() and (counts <= LARGEST).all() and (counts == np.rint(counts)).all()):
        raise InvalidArgumentError(f"data must be counts: whole numbers from 0 to {LARGEST:g}")
    return counts


def _counts(data: ArrayLike, graph: CausalGraph, vocab_size: int | None) -> NDArray[np.float64]:
    """Count what follows what along the edges of a graph."""
    degrees = {len(entry) for entry in graph.parents if entry}
    if len(degrees) != 1:
        found = "no edges" if not degrees else f"positions with {' and '.join(map(str, sorted(degrees)))} parents"
        raise GraphError(f"graph must have edges, and the same number of parents wherever there are any, got {found}")
    if isinstance(data, tuple) and hasattr(data, "tokens"):
        data = data.tokens  # a sample of a task
    tokens = check_real("data", data)
    if tokens.dtype.kind not in "iu" or tokens.ndim != 2 or tokens.shape[1] != graph.length or not tokens.size:
        raise InvalidArgumentError(
            f"data must be sequences of symbols, integers of shape (n, {graph.length}), got {tokens.dtype} of shape "
            f"{tokens.shape}; labels become integers by numpy.unique(data, return_inverse=True)"
        )
    largest = int(tokens.max())
    size = max(largest + 1, 2) if vocab_size is None else check_integer("vocab_size", vocab_size, 2)
    if int(tokens.min()) < 0 or largest >= size:
        wrong = int(tokens.min()) if int(tokens.min()) < 0 else largest
        raise InvalidArgumentError(f"data must be symbols from 0 to {size - 1}, got {wrong}")
    shape = (size,) * (degrees.pop() + 1)
    check_memory(f"vocab_size {size} and {len(shape) - 1} parents", 64 * size ** len(shape))
    counts = np.zeros(shape, dtype=np.int64)
    for child, parents in enumerate(graph.parents):
        if parents:
            code = np.ravel_multi_index(tuple(tokens[:, k] for k in (*parents, child)), shape)
            counts += np.bincount(code, minlength=counts.size).reshape(shape)
    return counts.astype(np.float64)
