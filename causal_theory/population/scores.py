"""Edge scores: the fixed matrix that drives the first stage of training, exactly at any length."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing
from os import PathLike
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_prior
from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.foreign import WORKER_TIMEOUT, check_executor, wrong_result
from causal_theory.kernels.tilted import tilted_masses
from causal_theory.models import causal_softmax, check_attention_matrix
from causal_theory.population.array_files import array_paths, new_arrays
from causal_theory.population.enumeration import MAX_SEQUENCES, check_sequences, enumerated_scores
from causal_theory.population.lanes import keep_heavy_lanes, reciprocal_lanes
from causal_theory.population.units import Unit, in_order, make_units, unit_sums
from causal_theory.priors import OrbitPrior, PointPrior
from causal_theory.progress import track
from causal_theory.tasks import InContextTask
from causal_theory.validation import (
    SeedLike,
    check_choice,
    check_epsilon,
    check_integer,
    check_matrix,
    check_memory,
    check_positive,
)

__all__ = ["edge_scores", "first_order_gradient"]

ScoreMethod = Literal["transform", "enumerate"]
PRUNE_FROM = 64
"""Length from which it pays to find the nodes at which ``z^n`` vanishes."""

PIECE_PER_SYMBOL = 4
"""Positions per symbol from which a piece is worth splitting: a separator costs S^3 per position, a pair S^2."""

WINDOW = 64
"""Units that are submitted to an executor and not yet added up."""

CACHED_ENTRIES = 2**16
"""Entries of the scores that are put together at once."""

Array = NDArray[np.float64]


@default_floats
def edge_scores(
    task: InContextTask,
    *,
    epsilon: float,
    method: ScoreMethod = "transform",
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
    max_sequences: int = MAX_SEQUENCES,
    executor: Executor | None = None,
    window: int = WINDOW,
    worker_timeout: float = WORKER_TIMEOUT,
    out: str | PathLike[str] | None = None,
) -> Estimate:
    r"""Return the edge scores: the population gradient of the first attention matrix, to first order.

    .. math::

        G_{ij} = E\Big[\sum_b y_b \frac{[s_i = b] - c_b}{c_b + \varepsilon} [s_j = \text{query}]\Big]

    with :math:`c_b` the frequency of symbol *b* among all *T* tokens and :math:`y = \pi(\text{query}, \cdot)`. For
    ``A2 = beta0 I`` and every ``A1`` the loss has
    :math:`-\partial L / \partial A1_i = (\beta_0 / T) (\mathrm{diag}(a_i) - a_i a_i^T) G_i + O(\beta_0^2)`.

    Parameters
    ----------
    task : InContextTask
        A task on a forest whose last token is an independent query; any root law.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    method : {"transform", "enumerate"}
        ``"transform"``: message passing under an integral, :math:`O((T^2 S^2 + T S^4 \log T) \log T)`, any length.
        ``"enumerate"``: sum over all :math:`S^T` sequences.
    draws : int
        Transition matrices to draw when the prior has no exact average: a Dirichlet prior on more than two symbols.
    rng : int or Generator, optional
        Source of these draws.
    max_sequences : int
        The largest number of sequences that ``"enumerate"`` accepts.
    executor : concurrent.futures.Executor, optional
        Workers for ``"transform"``: processes, the executor of a Dask client, MPI. The result is the same to the last
        bit as without, when the threads of this process do the work. What it returns is never written to.
    window : int
        Units of work that the executor holds at most: no fewer than it has workers.
    worker_timeout : float, default 60
        Seconds after which a Dask cluster without workers is given up. Other executors do not say how many they have:
        they are waited for until Ctrl-C.
    out : path, optional
        A file ``x.npy`` for the value; the error goes to ``x.error.npy`` beside it. Both appear, or replace what was
        there, only when they are complete, and the estimate holds them as read-only memory maps.

    Returns
    -------
    Estimate
        Matrix (T, T), dimensionless, zero above the diagonal; row *i* is the query position, column *j* the key
        position. Exact for point and orbit priors: ``error`` then bounds quadrature and roundoff.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive, the method is unknown, the executor has no ``submit``, returns something else
        than the sums it was asked for, has no workers or is given with ``"enumerate"``, or ``out`` does not end in
        ``.npy``. Errors that the executor raises come through as they are.
    OutputError
        If a file ``out`` cannot be written; the disk is reserved before the work begins.
    TaskError
        If the graph is not a forest with an independent query.
    TooLargeError
        If ``"enumerate"`` would visit more than ``max_sequences`` sequences.

    Notes
    -----
    :math:`1/(n/T + \varepsilon) = T \int_0^1 z^{n + \varepsilon T - 1} dz`, and :math:`z^{n}` is a product over
    tokens: under the integral the law of the tokens stays a Markov field on the forest. Short sequences use the
    Gauss-Radau rule with a node at zero, exact from :math:`\lceil T/2 \rceil` interior nodes on, or as soon as the
    error measured on all counts 0..T is roundoff; from about 70 tokens on a sum of :math:`O(\log T)` exponentials with
    a proven relative error of 1.4e-15 and roundoff.

    A unit of work is some lanes (symbol and node) and some rows of at most :math:`2^{24}` entries. A worker needs 128
    MB for these, as much again while it sends them, and seven arrays of messages of at most 32 MB, or of
    :math:`128\, T S` bytes where that is more: in all 0.6 GB with its libraries at T = 20,000 and S = 4. This process
    holds the sums of one block of rows, and of up to ``window`` units that were done before their turn. With ``out``
    matrices (T, T) are files only, unless they are averages over several transition matrices, which are formed in
    memory, one matrix after the other. Tasks of a single unit never reach the executor.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores
    >>> task = InContextTask(CausalGraph.chain(5), PointPrior([[0.3, 0.7], [0.7, 0.3]]))
    >>> scores = edge_scores(task, epsilon=0.1)
    >>> scores.value.argmax(axis=1)[1:4]  # the parents of positions 1, 2, 3
    array([0, 1, 2])
    >>> bool(abs(scores.value - edge_scores(task, epsilon=0.1, method="enumerate").value).max() < 1e-14)
    True
    """
    epsilon = check_epsilon(epsilon)
    check_choice("method", method, get_args(ScoreMethod))
    window = check_integer("window", window, 1)
    worker_timeout = check_positive("worker_timeout", worker_timeout)
    if executor is not None:
        _check_executor(executor, method)
    task.require_query("edge_scores")
    if method == "enumerate":
        check_sequences(task, max_sequences, "method='transform'")
    paths = None if out is None else array_paths(out)
    single = method == "transform" and isinstance(task.prior, PointPrior | OrbitPrior)
    if paths is None or not single:
        check_memory(f"edge_scores at length {task.length}", (16 if single else 48) * task.length**2)

    def average(into: tuple[Array, Array] | None) -> Estimate:
        def evaluate(transition: Array) -> tuple[Array, Array]:
            if method == "enumerate":
                return enumerated_scores(task, transition, epsilon)
            return transform_scores(
                task, transition, epsilon, executor=executor, window=window, worker_timeout=worker_timeout, into=into
            )

        return average_over_prior(task.prior, evaluate, label_invariant=True, draws=draws, rng=rng)

    if paths is None:
        return average(None)
    with new_arrays(paths, (task.length, task.length)) as (value, error):
        # The only evaluation may fill the files themselves; the arrays of several have to be averaged first.
        estimate = average((value, error) if single else None)
        if not single:
            value[:], error[:] = estimate.value, estimate.error
    value, error = (np.load(path, mmap_mode="r") for path in paths)
    return Estimate(value, error, estimate.method)


def _check_executor(executor: object, method: str) -> None:
    check_executor(executor)
    if method == "enumerate":
        raise InvalidArgumentError(f"executor must be None for method='enumerate', got {executor!r}")


def transform_scores(
    task: InContextTask,
    transition: Array,
    epsilon: float,
    *,
    nodes: int | None = None,
    executor: Executor | None = None,
    window: int = WINDOW,
    worker_timeout: float = WORKER_TIMEOUT,
    into: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """Return the scores and their error bound for one transition matrix, by the integral transform.

    ``into`` are two arrays (T, T) of zeros to fill; otherwise there are new ones.
    """
    length, size = task.length, task.vocab_size
    lanes = reciprocal_lanes(epsilon, length, size, nodes)
    root_law = task.root_distribution(transition)
    if length >= PRUNE_FROM:
        parents = task.graph.parent_array[:-1]
        masses = tilted_masses(parents, transition, root_law, lanes.symbols, lanes.nodes)
        lanes = keep_heavy_lanes(lanes, masses, length, size)
    plan = list(make_units(task.graph, PIECE_PER_SYMBOL * size, transition, root_law, lanes))
    value, error = into or (np.zeros((length, length)), np.zeros((length, length)))
    # sum_b y_b ([s_i = b] + eps) / (c_b + eps) = pairs + eps * moments; the query column has no [s_j = query].
    expected = np.full(length, 1.0 / size)
    expected[-1] = 1.0
    means = np.zeros(length)
    relative = lanes.relative_error + _roundoff(task)
    for (first, last), sums, moments in _block_sums(plan, executor, window, worker_timeout):
        if first == 0:
            means = epsilon * moments / size
        # A few rows at a time: they stay in the cache from one operation to the next.
        step = max(1, CACHED_ENTRIES // last)
        for start in range(first, last, step):
            end = min(start + step, last)
            pairs = sums[start - first : end - first, :end] / size
            value[start:end, :end] = np.tril(pairs + (means - expected)[:end], k=start)
            bound = relative * (pairs + (means + expected)[:end]) + (1.0 + epsilon) * lanes.dropped
            error[start:end, :end] = np.tril(bound, k=start)
    return value, error


def _block_sums(
    plan: list[tuple[tuple[int, int], list[Unit]]], executor: Executor | None, window: int, worker_timeout: float
) -> Iterator[tuple[tuple[int, int], Array, Array]]:
    """Yield for each block of rows the sums of its units, added in their order; moments are whole in the first.

    They are for reading. What an executor returns may have other holders, and is added into new arrays; the arrays that
    threads of this process have made nobody else holds, and at these sizes every new one counts.
    """
    units = [unit for _, some in plan for unit in some]
    if len(units) == 1:
        yield units[0].rows, *unit_sums(units[0])
        return
    last_of = {id(some[-1]) for _, some in plan}
    total: list[Array] = []
    ours = False
    with closing(in_order(unit_sums, units, executor, window, worker_timeout)) as results:
        for unit, found in zip(track(units, "edge scores"), results, strict=True):
            sums = found if executor is None else _checked_sums(unit, found)
            if not total:
                total, ours = list(sums), executor is None
            else:
                total = [
                    np.add(whole, more, out=whole if ours else None) for whole, more in zip(total, sums, strict=True)
                ]
                ours = True
            if id(unit) in last_of:
                yield unit.rows, total[0], total[1]
                total = []


def _checked_sums(unit: Unit, found: object) -> tuple[Array, Array]:
    """Return what an executor gave as the sums of a unit, if that is what it is."""
    first, last = unit.rows
    shapes = (last - first, last), (unit.graph.length,)
    if not (
        isinstance(found, tuple)
        and len(found) == len(shapes)
        and all(isinstance(one, np.ndarray) and one.dtype == np.float64 for one in found)
        and tuple(one.shape for one in found) == shapes
    ):
        raise wrong_result(f"a pair of float64 arrays of shapes {shapes[0]} and {shapes[1]}", found)
    # Subclasses, as maps of files that workers share, add up to arrays.
    return np.asarray(found[0]), np.asarray(found[1])


def _roundoff(task: InContextTask) -> float:
    """Relative roundoff of a sum of positive terms, each a product along a path of at most T matrices."""
    path = 2 * int(task.graph.depth.max()) + 2
    return float(np.finfo(float).eps) * (path * (task.vocab_size + 4) + task.length + 8)


@default_floats
def first_order_gradient(scores: Estimate | ArrayLike, A1: ArrayLike, beta0: float) -> Array:
    r"""Return the gradient of the loss by ``A1`` to first order in ``beta0``, for ``A2 = beta0 I``.

    .. math::

        \frac{\partial L}{\partial A1_i} = -\frac{\beta_0}{T} (\mathrm{diag}(a_i) - a_i a_i^T) G_i,
        \qquad a_i = \mathrm{softmax}(A1_{i, \le i})

    Parameters
    ----------
    scores : Estimate or array_like, shape (T, T)
        The edge scores ``G``.
    A1 : array_like, shape (T, T)
        First attention matrix; entries above the diagonal are ignored.
    beta0 : float
        Scale of the second attention matrix, greater than 0.

    Returns
    -------
    ndarray, shape (T, T)
        The gradient (not its negative), zero above the diagonal. The scores do not depend on ``A1``, so a whole
        run of stage 1 needs them once.

    Raises
    ------
    InvalidArgumentError
        If the shapes differ or ``beta0`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import first_order_gradient
    >>> first_order_gradient(np.tril(np.ones((3, 3))), np.zeros((3, 3)), 0.1)
    array([[0., 0., 0.],
           [0., 0., 0.],
           [0., 0., 0.]])
    """
    matrix = np.asarray(scores, dtype=np.float64)
    matrix = check_matrix("scores", matrix, (len(matrix), len(matrix)) if matrix.ndim == 2 else (0, 0))
    weights = causal_softmax(check_attention_matrix("A1", A1, len(matrix)))
    beta0 = check_positive("beta0", beta0)
    kept = np.tril(matrix)
    mean = (weights * kept).sum(axis=1, keepdims=True)
    gradient: Array = -(beta0 / len(matrix)) * weights * (kept - mean)
    return gradient + 0.0
