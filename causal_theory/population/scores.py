"""Edge scores: the fixed matrix that drives the first stage of training, exactly at any length."""

from concurrent.futures import Executor
from dataclasses import replace
from os import PathLike
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.foreign import WORKER_TIMEOUT, check_executor
from causal_theory.models import causal_softmax, check_attention_matrix
from causal_theory.population.array_files import array_paths, new_arrays
from causal_theory.population.engines import choose_engine
from causal_theory.population.enumeration import MAX_SEQUENCES
from causal_theory.population.work_items import IN_FLIGHT, Workers
from causal_theory.priors.rules import DEFAULT_DRAWS
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

ScoreMethod = Literal["transform", "enumerate"]

ONE, SEVERAL = 16, 48
"""Bytes for every pair of positions, when the scores are those of one matrix, and of several."""

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
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.
    max_sequences : int
        The largest number of sequences that ``"enumerate"`` accepts.
    executor : concurrent.futures.Executor, optional
        Workers for ``"transform"``: short for :func:`edge_scores_on`, which says more about them.

    Returns
    -------
    Estimate
        Matrix (T, T), dimensionless, zero above the diagonal; row *i* is the query position, column *j* the key
        position. Exact for point and orbit priors: ``error`` then bounds quadrature and roundoff.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive, the method is unknown, or ``"enumerate"`` is given an executor.
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
    if executor is not None:
        if method != "transform":
            raise InvalidArgumentError(f"executor must come with method='transform', got method={method!r}")
        return edge_scores_on(executor, task, epsilon=epsilon, draws=draws, rng=rng)
    engine = choose_engine(task, "edge_scores")
    plan = engine.enumerated_scores(epsilon, max_sequences) if method == "enumerate" else engine.scores(epsilon)
    rule = task.prior.rule_for(plan, draws=draws, rng=rng)
    cheap = method == "transform" and rule.is_single(plan)
    check_memory(f"edge_scores at length {task.length}", (ONE if cheap else SEVERAL) * task.length**2)
    return replace(rule.average(plan), of_scores=True)


@default_floats
def edge_scores_on(
    executor: Executor | None,
    task: InContextTask,
    *,
    epsilon: float,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
    in_flight: int = IN_FLIGHT,
    worker_timeout: float = WORKER_TIMEOUT,
    out: str | PathLike[str] | None = None,
) -> Estimate:
    r"""Return :func:`edge_scores`, computed by the workers of an executor, in memory or in files.

    The result is the same to the last bit as that of :func:`edge_scores`, whoever does the work.

    Parameters
    ----------
    executor : concurrent.futures.Executor or None
        Workers: processes, the executor of a Dask client, MPI. What it returns is never written to. None for the
        threads of this process.
    task : InContextTask
        A task on a forest whose last token is an independent query; any root law.
    epsilon : float
        The constant inside the logarithm of the loss, greater than 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.
    in_flight : int
        Items of work that the executor holds at most: no fewer than it has workers.
    worker_timeout : float, default 60
        Seconds after which a Dask cluster without workers is given up. Other executors do not say how many they have:
        they are waited for until Ctrl-C.
    out : path, optional
        A file ``x.npy`` for the value; the error goes to ``x.error.npy`` beside it. Both appear, or replace what was
        there, only when they are complete, and the estimate holds them as read-only memory maps.

    Returns
    -------
    Estimate
        Matrix (T, T), as of :func:`edge_scores`.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive, the executor has no ``submit``, returns something else than the sums it was
        asked for or has no workers, or ``out`` does not end in ``.npy``. Errors that the executor raises come through
        as they are.
    OutputError
        If a file ``out`` cannot be written; the disk is reserved before the work begins.
    TaskError
        If the graph is not a forest with an independent query.

    Notes
    -----
    An item of work is some lanes (symbol and node) and some rows of at most :math:`2^{24}` entries. A worker needs 128
    MB for these, as much again while it sends them, and seven arrays of messages of at most 32 MB, or of
    :math:`128\, T S` bytes where that is more: in all 0.6 GB with its libraries at T = 20,000 and S = 4. This process
    holds the sums of one block of rows, and of up to ``in_flight`` items that were done before their turn. With ``out``
    matrices (T, T) are files only, unless they are averages over several transition matrices, which are formed in
    memory, one matrix after the other. Tasks of a single item never reach the executor.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores, edge_scores_on
    >>> task = InContextTask(CausalGraph.chain(150), PointPrior([[0.3, 0.7], [0.7, 0.3]]))
    >>> with ThreadPoolExecutor(2) as pool:
    ...     found = edge_scores_on(pool, task, epsilon=0.1)
    >>> bool((found.value == edge_scores(task, epsilon=0.1).value).all())
    True
    """
    epsilon = check_epsilon(epsilon)
    in_flight = check_integer("in_flight", in_flight, 1)
    worker_timeout = check_positive("worker_timeout", worker_timeout)
    if executor is not None:
        check_executor(executor)
    engine, workers = choose_engine(task, "edge_scores_on"), Workers(executor, in_flight, worker_timeout)
    paths = None if out is None else array_paths(out)
    plan = engine.scores(epsilon, workers)
    rule = task.prior.rule_for(plan, draws=draws, rng=rng)
    single = rule.is_single(plan)
    if paths is None or not single:
        check_memory(f"edge_scores_on at length {task.length}", (ONE if single else SEVERAL) * task.length**2)
    if paths is None:
        return replace(rule.average(plan), of_scores=True)
    with new_arrays(paths, (task.length, task.length)) as (value, error):
        # The only evaluation may fill the files themselves; the arrays of several have to be averaged first.
        estimate = rule.average(engine.scores(epsilon, workers, into=(value, error)) if single else plan)
        if not single:
            value[:], error[:] = estimate.value, estimate.error
    value, error = (np.load(path, mmap_mode="r") for path in paths)
    return Estimate(value, error, estimate.method, of_scores=True)


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
