"""Stage 2 exactly: the model whose first layer attends to the parents, for any second attention matrix."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_prior
from causal_theory.estimate import Estimate
from causal_theory.population.log_moments import LogMoments, Terms, Weights, log_moments
from causal_theory.population.loss import ignores_labels, mean_over_relabelings
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_matrix, check_positive

__all__ = [
    "check_second_matrix",
    "parent_attention_gradient",
    "parent_attention_loss",
    "parent_attention_loss_and_gradient",
    "parent_loss_at",
]

Array = NDArray[np.float64]


def parent_attention_loss(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the loss, in nats, of the model whose first layer attends to the parents.

    The key of a child is the token of its parent, the key of a root and of the query is uniform:

    .. math::

        w_i \propto \exp(A2_{s_{p(i)}, q}), \qquad w_i \propto \exp\Big(\frac1S \sum_a A2_{aq}\Big), \qquad
        L = -E \sum_b \pi_{qb} \log(f_b + \varepsilon)

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any root law, any length.
    A2 : array_like, shape (S, S)
        Second attention matrix, ``A2[key symbol, query symbol]``.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        A scalar, exact for point priors, and for orbit priors when ``A2`` lies in the span of I and 11^T (otherwise
        all S! relabelings are averaged). ``error`` bounds quadrature and roundoff.

    Raises
    ------
    InvalidArgumentError
        If ``A2`` has the wrong shape or ``epsilon`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    Notes
    -----
    ``f_b + eps`` is a ratio of two sums over edges, and ``log x - log y`` is an integral of ``exp(-t y) - exp(-t x)``,
    which factorises over edges: one message pass for each query symbol, target symbol and quadrature node.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, parent_attention_loss
    >>> task = InContextTask(CausalGraph.chain(40), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> losses = [float(parent_attention_loss(task, beta * np.eye(2), epsilon=0.01)) for beta in (0.0, 2.0, 4.0)]
    >>> losses[0] > losses[1] > losses[2]
    True
    """
    matrix, epsilon = check_second_matrix(task, A2, epsilon, "parent_attention_loss")

    def evaluate(transition: Array) -> tuple[Array, Array]:
        return parent_loss_at(task, transition, matrix, epsilon)

    return average_over_prior(task.prior, evaluate, label_invariant=ignores_labels(matrix), draws=draws, rng=rng)


def parent_attention_gradient(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the derivative of :func:`parent_attention_loss` by ``A2``, shape (S, S).

    Under an orbit prior the derivative at a matrix in the span of I and 11^T lies in that span.

    Parameters
    ----------
    task : InContextTask
        A task on a forest with an independent query; any root law, any length.
    A2 : array_like, shape (S, S)
        Second attention matrix, ``A2[key symbol, query symbol]``.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        Matrix (S, S), in nats; exact for the priors for which :func:`parent_attention_loss` is.

    Raises
    ------
    InvalidArgumentError
        If ``A2`` has the wrong shape or ``epsilon`` is not positive.
    TaskError
        If the graph is not a forest with an independent query.

    Notes
    -----
    Uses :math:`1/x = \int_0^\infty e^{-tx} dt` and the edge marginals of the tilted law: one downward pass more.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, parent_attention_gradient
    >>> task = InContextTask(CausalGraph.chain(20), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> gradient = parent_attention_gradient(task, np.zeros((2, 2)), epsilon=0.01).value
    >>> bool(gradient[0, 0] < 0 < gradient[0, 1])  # descent raises the diagonal: the model learns to copy
    True
    """
    check_second_matrix(task, A2, epsilon, "parent_attention_gradient")
    return parent_attention_loss_and_gradient(task, A2, epsilon=epsilon, draws=draws, rng=rng)[1]


def parent_attention_loss_and_gradient(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> tuple[Estimate, Estimate]:
    """Return :func:`parent_attention_loss` and its gradient from the same passes, for the price of the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, parent_attention_loss
    >>> from causal_theory.population.parent_attention import parent_attention_loss_and_gradient
    >>> task = InContextTask(CausalGraph.chain(20), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> loss, gradient = parent_attention_loss_and_gradient(task, np.eye(2), epsilon=0.01)
    >>> bool(np.isclose(float(loss), float(parent_attention_loss(task, np.eye(2), epsilon=0.01)), rtol=1e-13))
    True
    """
    matrix, epsilon = check_second_matrix(task, A2, epsilon, "parent_attention_loss_and_gradient")
    size = task.vocab_size

    def evaluate(transition: Array) -> tuple[Array, Array]:
        found, constants, groups = _evaluate(task, transition, matrix, epsilon, slopes=True)
        shared = found.by_root + np.bincount(groups, weights=found.reciprocals * constants, minlength=size)
        slopes = (found.by_omega + shared[:, None] / size).T
        errors = np.append(np.full(slopes.size, found.slope_error), found.error)
        return np.append(slopes, found.value), errors

    def symmetrise(joined: Array) -> Array:
        return np.append(mean_over_relabelings(joined[:-1].reshape(size, size)), joined[-1])

    joined = average_over_prior(
        task.prior,
        evaluate,
        label_invariant=False,
        symmetrise=symmetrise if ignores_labels(matrix) else None,
        draws=draws,
        rng=rng,
    )
    loss = Estimate(joined.value[-1].reshape(()), joined.error[-1].reshape(()), joined.method)
    shape = (size, size)
    return loss, Estimate(joined.value[:-1].reshape(shape), joined.error[:-1].reshape(shape), joined.method)


def parent_loss_at(task: InContextTask, transition: Array, A2: Array, epsilon: float) -> tuple[Array, Array]:
    """Return the loss at one transition matrix, and a bound on its error."""
    found = _evaluate(task, transition, A2, epsilon, slopes=False)[0]
    return np.array(found.value), np.array(found.error)


def _evaluate(
    task: InContextTask, transition: Array, A2: Array, epsilon: float, *, slopes: bool
) -> tuple[LogMoments, Array, NDArray[np.int64]]:
    """Return the expected logarithms at one matrix, the constants of the terms, and their groups (query symbols)."""
    size = task.vocab_size
    highest = A2.max(axis=0)
    omega = np.exp((A2 - highest).T)
    root_omega = np.exp(A2.mean(axis=0) - highest)
    parents = task.graph.parent_array[:-1]
    children = int((parents >= 0).sum())
    roots = len(parents) - children + 1
    # Terms of a query symbol q: log(N_b + eps D) for every b, and log D.
    query = np.repeat(np.arange(size), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), size)
    plain = symbol < 0
    shift = np.where(plain, 1.0, epsilon)
    factor = np.where(plain, 1.0, -transition[query, symbol]) / size
    constant = root_omega[query] * (shift + (symbol == query))
    smallest = children * omega.min(axis=1) + roots * root_omega
    largest = children + roots * root_omega
    terms = Terms(
        symbols=symbol,
        groups=query,
        shifts=shift,
        constants=constant,
        factors=factor,
        lowest=shift * smallest[query],
        highest=float((1.0 + epsilon) * largest.max()),
    )
    root_law = task.root_distribution(transition)
    found = log_moments(parents, transition, root_law, Weights(omega, root_omega), terms, slopes=slopes)
    return found, constant, query


def check_second_matrix(task: InContextTask, A2: ArrayLike, epsilon: float, caller: str) -> tuple[Array, float]:
    """Return the checked matrix and constant of a model with local attention."""
    task.require_query(caller)
    matrix = check_matrix("A2", A2, (task.vocab_size, task.vocab_size))
    return matrix, check_positive("epsilon", epsilon)
