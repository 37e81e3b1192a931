"""The population loss and its gradients for any parameters: by enumeration, or by sampling with an error bar."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.estimate import Estimate, Gradient
from causal_theory.floats import default_floats
from causal_theory.models import check_attention_matrix
from causal_theory.population.engines import choose_engine
from causal_theory.population.enumeration import MAX_SEQUENCES, split_gradient
from causal_theory.population.monte_carlo import DEFAULT_SAMPLES, sampled_gradient, sampled_loss
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_epsilon, check_integer, check_matrix

LossMethod = Literal["auto", "enumerate", "monte_carlo"]
AUTO_SEQUENCES = 2**22
"""``method="auto"`` enumerates up to this many sequences: a fraction of a second."""

Array = NDArray[np.float64]


@default_floats
def population_loss(
    task: InContextTask,
    A1: ArrayLike,
    A2: ArrayLike,
    *,
    epsilon: float,
    method: LossMethod = "auto",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
    max_sequences: int = MAX_SEQUENCES,
) -> Estimate:
    r"""Return the population loss of the reduced transformer, in nats.

    .. math:: L(A1, A2) = -E \sum_b y_b \log(f_b + \varepsilon)

    Parameters
    ----------
    task : InContextTask
        A task on a forest whose last token is an independent query.
    A1 : array_like, shape (T, T)
        First attention matrix; entries above the diagonal are ignored.
    A2 : array_like, shape (S, S)
        Second attention matrix, ``A2[key symbol, query symbol]``.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    method : {"auto", "enumerate", "monte_carlo"}
        ``"enumerate"`` sums over all :math:`S^T` sequences, in constant memory and :math:`O(S)` per sequence;
        ``"monte_carlo"`` averages ``samples`` independent sequences. ``"auto"`` enumerates up to 4 million sequences
        under a prior with an exact average, as point and orbit priors, and samples otherwise.
    samples : int
        Number of sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices to draw when enumerating under a prior that has no exact average.
    rng : int or Generator, optional
        Source of randomness.
    max_sequences : int
        The largest number of sequences to enumerate per transition matrix.

    Returns
    -------
    Estimate
        A scalar. ``error`` bounds the roundoff for enumeration under point and orbit priors, and is one standard
        error for Monte Carlo.

    Raises
    ------
    InvalidArgumentError
        If a matrix has the wrong shape or entries that are not finite, ``epsilon`` is not positive, or the method is
        unknown.
    TaskError
        If the graph is not a forest with an independent query.
    TooLargeError
        If more than ``max_sequences`` sequences would be enumerated.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, population_loss
    >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.5, 0.5], [0.5, 0.5]]))
    >>> population_loss(task, np.zeros((4, 4)), np.zeros((2, 2)), epsilon=1e-3).method
    'exact'
    """
    first, second, epsilon = _check(task, A1, A2, epsilon, "population_loss")
    if _chosen(task, method) == "monte_carlo":
        return sampled_loss(task, first, second, epsilon, check_integer("samples", samples, 2), rng)
    plan = choose_engine(task, "population_loss").enumerated_loss(first, second, epsilon, max_sequences)
    return task.prior.average(plan, draws=draws, rng=rng)


@default_floats
def population_gradient(
    task: InContextTask,
    A1: ArrayLike,
    A2: ArrayLike,
    *,
    epsilon: float,
    method: LossMethod = "auto",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
    max_sequences: int = MAX_SEQUENCES,
) -> Gradient:
    r"""Return the gradients of the population loss by both attention matrices.

    With :math:`\phi_b = y_b / (f_b + \varepsilon)` and :math:`g_i = -w_i(\phi_{s_i} - \sum_b \phi_b f_b)`:

    .. math::

        \frac{\partial L}{\partial A1_{ij}} = E[g_i a_{ij} (A2_{s_j q} - k_i \cdot A2_{\cdot q})], \qquad
        \frac{\partial L}{\partial A2_{aq'}} = E\Big[\sum_i g_i k_{ia} [q = q']\Big]

    Parameters
    ----------
    task : InContextTask
        A task on a forest whose last token is an independent query.
    A1 : array_like, shape (T, T)
        First attention matrix; entries above the diagonal are ignored.
    A2 : array_like, shape (S, S)
        Second attention matrix, ``A2[key symbol, query symbol]``.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    method : {"auto", "enumerate", "monte_carlo"}
        See :func:`population_loss`.
    samples : int
        Number of sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices to draw when enumerating under a prior that has no exact average.
    rng : int or Generator, optional
        Source of randomness.
    max_sequences : int
        The largest number of sequences to enumerate per transition matrix.

    Returns
    -------
    Gradient
        Fields ``A1`` (T, T), zero above the diagonal, ``A2`` (S, S), and the ``loss`` at the same point, which costs
        nothing extra; each an :class:`Estimate`.

    Raises
    ------
    InvalidArgumentError
        If a matrix has the wrong shape or entries that are not finite, ``epsilon`` is not positive, or the method is
        unknown.
    TaskError
        If the graph is not a forest with an independent query.
    TooLargeError
        If more than ``max_sequences`` sequences would be enumerated.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, population_gradient
    >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> gradient = population_gradient(task, np.zeros((4, 4)), 0.1 * np.eye(2), epsilon=0.05)
    >>> (-gradient.A1.value[2]).argmax()  # the loss falls fastest when position 2 attends to its parent
    np.int64(1)
    """
    first, second, epsilon = _check(task, A1, A2, epsilon, "population_gradient")
    if _chosen(task, method) == "monte_carlo":
        return sampled_gradient(task, first, second, epsilon, check_integer("samples", samples, 2), rng)
    plan = choose_engine(task, "population_gradient").enumerated_gradient(first, second, epsilon, max_sequences)
    joined = task.prior.average(plan, draws=draws, rng=rng)
    parts = zip(split_gradient(joined.value, first, second), split_gradient(joined.error, first, second), strict=True)
    return Gradient(*(Estimate(value, error, joined.method) for value, error in parts))


def _check(
    task: InContextTask, A1: ArrayLike, A2: ArrayLike, epsilon: float, caller: str
) -> tuple[Array, Array, float]:
    task.require_query(caller)
    first = check_attention_matrix("A1", A1, task.length)
    second = check_matrix("A2", A2, (task.vocab_size, task.vocab_size))
    return first, second, check_epsilon(epsilon)


def _chosen(task: InContextTask, method: str) -> str:
    check_choice("method", method, get_args(LossMethod))
    if method != "auto":
        return method
    exact = task.prior.rule().kind == "exact"
    small = task.vocab_size**task.length <= AUTO_SEQUENCES
    return "enumerate" if exact and small else "monte_carlo"
