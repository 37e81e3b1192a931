"""Edge scores: the fixed matrix that drives the first stage of training, exactly at any length."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_prior
from causal_theory.estimate import Estimate
from causal_theory.kernels.tilted import tilted_masses, tilted_sums, tilted_sums_serial
from causal_theory.models import causal_softmax, check_attention_matrix
from causal_theory.population.enumeration import MAX_SEQUENCES, check_sequences, enumerated_scores
from causal_theory.population.lanes import Lanes, keep_heavy_lanes, reciprocal_lanes
from causal_theory.population.splitting import split_forest
from causal_theory.progress import track
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_matrix, check_positive

__all__ = ["edge_scores", "first_order_gradient"]

ScoreMethod = Literal["transform", "enumerate"]
PRUNE_FROM = 64
"""Length from which it pays to find the nodes at which ``z^n`` vanishes."""

PIECE_PER_SYMBOL = 4
"""Positions per symbol from which a piece is worth splitting: a separator costs S^3 per position, a pair S^2."""

WORK_PER_CALL = 1e10
"""Multiplications per kernel call (about a second), after which progress is shown and Ctrl-C is heard."""

Array = NDArray[np.float64]


def edge_scores(
    task: InContextTask,
    *,
    epsilon: float,
    method: ScoreMethod = "transform",
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
    max_sequences: int = MAX_SEQUENCES,
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

    Returns
    -------
    Estimate
        Matrix (T, T), dimensionless, zero above the diagonal; row *i* is the query position, column *j* the key
        position. Exact for point and orbit priors: ``error`` then bounds quadrature and roundoff.

    Raises
    ------
    InvalidArgumentError
        If ``epsilon`` is not positive or the method is unknown.
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
    epsilon = check_positive("epsilon", epsilon)
    check_choice("method", method, get_args(ScoreMethod))
    task.require_query("edge_scores")
    if method == "enumerate":
        check_sequences(task, max_sequences, "method='transform'")

    def evaluate(transition: Array) -> tuple[Array, Array]:
        if method == "enumerate":
            return enumerated_scores(task, transition, epsilon)
        return transform_scores(task, transition, epsilon)

    return average_over_prior(task.prior, evaluate, label_invariant=True, draws=draws, rng=rng)


def transform_scores(
    task: InContextTask, transition: Array, epsilon: float, *, nodes: int | None = None
) -> tuple[Array, Array]:
    """Return the scores and their error bound for one transition matrix, by the integral transform."""
    length, size = task.length, task.vocab_size
    lanes = reciprocal_lanes(epsilon, length, size, nodes)
    parents = task.graph.parent_array[:-1]
    root_law = task.root_distribution(transition)
    if length >= PRUNE_FROM:
        masses = tilted_masses(parents, transition, root_law, lanes.symbols, lanes.nodes)
        lanes = keep_heavy_lanes(lanes, masses, length, size)
    splitting, farthest = split_forest(task.graph, PIECE_PER_SYMBOL * size).kernel_arguments
    pairs = np.zeros((length, length))
    moments = np.zeros(length)
    for chunk in track(_chunks(lanes, length, size), "edge scores"):
        block_lanes = (lanes.symbols[chunk], lanes.nodes[chunk], lanes.weights[chunk])
        pair_blocks = max(0, lanes.pair_blocks - chunk.start)
        arguments = (parents, splitting, farthest, transition, root_law, block_lanes, pair_blocks)
        if lanes.parts == 1:
            pair_sums, moment_sums = tilted_sums_serial(*arguments)
        else:
            pair_sums, moment_sums = tilted_sums(*arguments, lanes.parts)
        pairs += pair_sums
        moments += moment_sums
    # sum_b y_b ([s_i = b] + eps) / (c_b + eps) = pairs + eps * moments; the query column has no [s_j = query].
    expected = np.full(length, 1.0 / size)
    expected[-1] = 1.0
    means = epsilon * moments / size
    pairs /= size
    scores = np.tril(pairs + (means - expected))
    relative = lanes.relative_error + _roundoff(task)
    return scores, np.tril(relative * (pairs + means + expected) + (1.0 + epsilon) * lanes.dropped)


def _chunks(lanes: Lanes, length: int, size: int) -> list[slice]:
    """Cut the blocks into runs of bounded work, each a multiple of the number of parts."""
    blocks, width = lanes.symbols.shape
    work = (0.5 * length**2 * size + 8.0 * length * size**3) * width
    step = max(1, int(WORK_PER_CALL / work / lanes.parts)) * lanes.parts
    return [slice(start, min(start + step, blocks)) for start in range(0, blocks, step)]


def _roundoff(task: InContextTask) -> float:
    """Relative roundoff of a sum of positive terms, each a product along a path of at most T matrices."""
    path = 2 * int(task.graph.depth.max()) + 2
    return float(np.finfo(float).eps) * (path * (task.vocab_size + 4) + task.length + 8)


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
