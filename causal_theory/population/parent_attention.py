"""Stage 2 exactly: the model whose first layer attends to the parents, for any second attention matrices.

On a forest with an independent query the sums over sequences run over its edges; on any other graph over the states of
its frontier, with one first-layer head and one second matrix for each parent.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_kernels
from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.population.levels import (
    NEGLIGIBLE,
    Windows,
    exact_integers,
    find_windows,
    gap_that_separates,
)
from causal_theory.population.log_moments import LogMoments, Terms, Weights, log_moments
from causal_theory.population.loss import ignores_labels, mean_over_relabelings
from causal_theory.population.monte_carlo import DEFAULT_SAMPLES
from causal_theory.population.several_parents.construction import (
    construction_levels,
    construction_loss,
    construction_slopes,
    pattern_levels,
)
from causal_theory.population.several_parents.moments import Sweep, prepare_sweep
from causal_theory.population.several_parents.sampled import sampled_construction
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_epsilon, check_integer, check_matrix, check_real

__all__ = [
    "ExactOrSampled",
    "along_multiples",
    "check_second_matrix",
    "construction_loss_at",
    "parent_attention_gradient",
    "parent_attention_loss",
    "parent_attention_loss_and_gradient",
]

ExactOrSampled = Literal["exact", "monte_carlo"]

Array = NDArray[np.float64]


@default_floats
def parent_attention_loss(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    method: ExactOrSampled = "exact",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the loss, in nats, of the model whose first layer attends to the parents.

    The key of a child is the token of its parent, the key of a root and of the query is uniform:

    .. math::

        w_i \propto \exp(A2_{s_{p(i)}, q}), \qquad w_i \propto \exp\Big(\frac1S \sum_a A2_{aq}\Big), \qquad
        L = -E \sum_b \pi_{qb} \log(f_b + \varepsilon)

    With k parents there is a head for each of them, which carries the token of that parent (and a uniform key where
    there is none); the target's parents are the query, one token for each head, and all T positions take part:

    .. math::

        w_i \propto \exp\Big(\sum_{h \le k} A2^h_{s_{p_h(i)}, q_h}\Big), \qquad
        L = -E \sum_b \pi^{(k)}_{q_1 \dots q_k b} \log(f_b + \varepsilon)

    Parameters
    ----------
    task : InContextTask
        Any task whose graph has a narrow frontier, of any length: forests with an independent query, order-k chains.
    A2 : array_like, shape (S, S) or (k, S, S)
        Second attention matrices, ``A2[h, key symbol, query symbol]``, one for each parent of the target; a single one
        may come without the first axis.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    method : {"exact", "monte_carlo"}
        ``"monte_carlo"`` averages ``samples`` independent sequences: the way for graphs with a wide frontier.
    samples : int
        Sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices, or kernels, to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of draws and sequences.

    Returns
    -------
    Estimate
        A scalar, exact for point priors, and for orbit priors when ``A2`` lies in the span of I and 11^T (otherwise
        all S! relabelings are averaged). ``error`` bounds quadrature and roundoff; for Monte Carlo it is one standard
        error.

    Raises
    ------
    InvalidArgumentError
        If ``A2`` has the wrong shape, ``epsilon`` is not positive or the method is unknown.
    TaskError
        If the prior has no kernel for a number of parents in the graph, or ``A2`` is one matrix and a position has
        several parents.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

    Notes
    -----
    ``f_b + eps`` is a ratio of two sums over edges, and ``log x - log y`` is an integral of ``exp(-t y) - exp(-t x)``,
    which factorises over edges: one message pass for each query symbol, target symbol and quadrature node. With several
    parents it factorises over positions: one sweep over ``S^k`` states for each query, symbol and node, so that an
    order-k chain costs ``O(T S^(2k + 2))`` times the number of nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, OrbitPrior, parent_attention_loss
    >>> task = InContextTask(CausalGraph.chain(40), OrbitPrior([[0.2, 0.8], [0.8, 0.2]]))
    >>> losses = [float(parent_attention_loss(task, beta * np.eye(2), epsilon=0.01)) for beta in (0.0, 2.0, 4.0)]
    >>> losses[0] > losses[1] > losses[2]
    True
    >>> from causal_theory import DirichletPrior, PointPrior
    >>> kernel = DirichletPrior(2, 0.5).sample_kernels(1, (2,), rng=0)[2][0]
    >>> trigram = InContextTask(CausalGraph.ngram(40, 2), PointPrior({2: kernel}))
    >>> copy = np.stack([np.eye(2), np.eye(2)])
    >>> losses = [float(parent_attention_loss(trigram, beta * copy, epsilon=0.01)) for beta in (0.0, 4.0)]
    >>> losses[0] > losses[1]
    True
    """
    caller = "parent_attention_loss"
    matrices, epsilon = check_second_matrix(task, A2, epsilon, caller)
    if check_choice("method", method, get_args(ExactOrSampled)) == "monte_carlo":
        return sampled_construction(task, _with_heads(matrices), epsilon, _check_samples(samples), rng)[0]
    sweep = None if is_forest_task(task) else prepare_sweep(task, caller)

    def evaluate(kernels: Mapping[int, Array]) -> tuple[Array, Array]:
        return construction_loss_at(task, sweep, kernels, matrices, epsilon)

    return average_over_kernels(
        task.prior,
        task.graph.in_degrees,
        evaluate,
        label_invariant=heads_ignore_labels(matrices),
        draws=draws,
        rng=rng,
    )


@default_floats
def parent_attention_gradient(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    method: ExactOrSampled = "exact",
    samples: int = DEFAULT_SAMPLES,
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the derivative of :func:`parent_attention_loss` by ``A2``, of the shape of ``A2``.

    Under an orbit prior the derivative at a matrix in the span of I and 11^T lies in that span.

    Parameters
    ----------
    task : InContextTask
        Any task whose graph has a narrow frontier, of any length: forests with an independent query, order-k chains.
    A2 : array_like, shape (S, S) or (k, S, S)
        Second attention matrices, ``A2[h, key symbol, query symbol]``, one for each parent of the target; a single one
        may come without the first axis.
    epsilon : float
        The constant inside the logarithm, greater than 0.
    method : {"exact", "monte_carlo"}
        ``"monte_carlo"`` averages ``samples`` independent sequences: the way for graphs with a wide frontier.
    samples : int
        Sequences for Monte Carlo, at least 2.
    draws : int
        Transition matrices, or kernels, to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of draws and sequences.

    Returns
    -------
    Estimate
        Of the shape of ``A2``, in nats; exact for the priors for which :func:`parent_attention_loss` is.

    Raises
    ------
    InvalidArgumentError
        If ``A2`` has the wrong shape, ``epsilon`` is not positive or the method is unknown.
    TaskError
        If the prior has no kernel for a number of parents in the graph, or ``A2`` is one matrix and a position has
        several parents.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

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
    return parent_attention_loss_and_gradient(
        task, A2, epsilon=epsilon, method=method, samples=samples, draws=draws, rng=rng
    )[1]


@default_floats
def parent_attention_loss_and_gradient(
    task: InContextTask,
    A2: ArrayLike,
    *,
    epsilon: float,
    method: ExactOrSampled = "exact",
    samples: int = DEFAULT_SAMPLES,
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
    caller = "parent_attention_gradient"
    matrices, epsilon = check_second_matrix(task, A2, epsilon, caller)
    shape = matrices.shape
    if check_choice("method", method, get_args(ExactOrSampled)) == "monte_carlo":
        loss, gradient = sampled_construction(task, _with_heads(matrices), epsilon, _check_samples(samples), rng)
        return loss, _reshaped(gradient, shape)
    sweep = None if is_forest_task(task) else prepare_sweep(task, caller)

    def evaluate(kernels: Mapping[int, Array]) -> tuple[Array, Array]:
        if sweep is None:
            value, error, slopes, slope_error = _forest_slopes(task, kernels[1], _with_heads(matrices)[0], epsilon)
        else:
            found, slopes = construction_slopes(sweep, kernels, _with_heads(matrices), epsilon)
            value, error, slope_error = found.value, found.error, found.slope_error
        return np.append(slopes, value), np.append(np.full(slopes.size, slope_error), error)

    def symmetrise(joined: Array) -> Array:
        heads = joined[:-1].reshape(_with_heads(matrices).shape)
        return np.append([mean_over_relabelings(head) for head in heads], joined[-1])

    joined = average_over_kernels(
        task.prior,
        task.graph.in_degrees,
        evaluate,
        label_invariant=False,
        symmetrise=symmetrise if heads_ignore_labels(matrices) else None,
        draws=draws,
        rng=rng,
    )
    loss = Estimate(joined.value[-1].reshape(()), joined.error[-1].reshape(()), joined.method)
    gradient = Estimate(joined.value[:-1], joined.error[:-1], joined.method)
    return loss, _reshaped(gradient, shape)


def construction_loss_at(
    task: InContextTask, sweep: Sweep | None, kernels: Mapping[int, Array], A2: Array, epsilon: float
) -> tuple[Array, Array]:
    """Return the loss at given kernels and a bound on its error; ``sweep`` is None for forests with a query."""
    if sweep is None:
        found = _evaluate(task, kernels[1], _with_heads(A2)[0], epsilon, slopes=False)[0]
        return np.array(found.value), np.array(found.error)
    moments = construction_loss(sweep, kernels, _with_heads(A2), epsilon)
    return np.array(moments.value), np.array(moments.error)


@np.errstate(under="ignore")
def along_multiples(
    task: InContextTask,
    sweep: Sweep | None,
    kernels: Mapping[int, Array],
    pattern: Array,
    multiple: float,
    epsilon: float,
) -> tuple[Array, Array]:
    """Return loss, slope and the share below the top at a multiple of a pattern (k, S, S), with bounds on their errors.

    The last is the sum over the logarithms, by their absolute factors, of the mean distance of a logit of the pattern
    from the largest of its query, under the weights in the argument. It falls with the multiple.
    """
    A2 = multiple * pattern
    if sweep is None:
        found, signed, shares = _forest_levels(task, kernels[1], A2[0], epsilon)
        value, error, slope_error = found.value, found.error, found.slope_error
        levels = np.column_stack([pattern[0].T, pattern[0].mean(axis=0)])
    else:
        moments, signed, shares = construction_levels(sweep, kernels, A2, epsilon)
        value, error, slope_error = moments.value, moments.error, moments.slope_error
        levels = pattern_levels(pattern, sweep)
    below = levels.max(axis=1, keepdims=True) - levels
    values = np.array([value, (signed * levels).sum(), (shares * below).sum()])
    return values, np.array([error, slope_error * np.abs(levels).sum(), slope_error * below.sum()])


def is_forest_task(task: InContextTask) -> bool:
    """Whether the sums run over the edges of a forest with an independent query."""
    return task.graph.is_forest and task.graph.has_query


def heads_ignore_labels(A2: Array) -> bool:
    """Whether every matrix lies in the span of I and 11^T."""
    return all(ignores_labels(head) for head in _with_heads(A2))


def _with_heads(A2: Array) -> Array:
    return A2[np.newaxis] if A2.ndim == 2 else A2


def _reshaped(estimate: Estimate, shape: tuple[int, ...]) -> Estimate:
    return Estimate(estimate.value.reshape(shape), estimate.error.reshape(shape), estimate.method)


def _check_samples(samples: int) -> int:
    return check_integer("samples", samples, 2)


@np.errstate(under="ignore")
def _forest_slopes(
    task: InContextTask, transition: Array, A2: Array, epsilon: float
) -> tuple[float, float, Array, float]:
    """Return the loss with its error, and the derivative by ``A2`` with its error, at one transition matrix."""
    size = task.vocab_size
    found, by_level, _ = _forest_levels(task, transition, A2, epsilon)
    slopes = (by_level[:, :size] + by_level[:, size:] / size).T
    return found.value, found.error, slopes, found.slope_error


@np.errstate(under="ignore")
def _forest_levels(
    task: InContextTask, transition: Array, A2: Array, epsilon: float
) -> tuple[LogMoments, Array, Array]:
    """Return the loss, its derivatives by the logits of children and of roots, (S, S + 1), and these without signs.

    The derivative of ``log X`` by a logit is the share that positions with it have in ``X``. Without signs: the sum of
    these shares over the logarithms, by their absolute factors.
    """
    size = task.vocab_size
    found, terms, windows = _evaluate(task, transition, A2, epsilon, slopes=True)
    signed, shares = np.zeros((size, size + 1)), np.zeros((size, size + 1))
    by_level = np.column_stack([found.by_omega, found.by_root])
    np.add.at(signed, windows.queries, by_level)
    np.add.at(signed[:, size], windows.queries[terms.groups], found.by_constant)
    np.add.at(shares, windows.queries, found.shares)
    np.add.at(shares[:, size], windows.queries[terms.groups], np.abs(found.by_constant))
    return found, signed, shares


def _evaluate(
    task: InContextTask, transition: Array, A2: Array, epsilon: float, *, slopes: bool
) -> tuple[LogMoments, Terms, Windows]:
    """Return the expected logarithms at one matrix, their terms, and the windows, which are the groups of the terms."""
    size = task.vocab_size
    parents = task.graph.parent_array[:-1]
    children = int((parents >= 0).sum())
    roots = len(parents) - children + 1
    integers, unit = exact_integers(A2)
    # The query never lacks: its level, that of the roots, is always there.
    levels = np.column_stack([integers.T * size, integers.sum(axis=0)])
    occurs = np.append(np.full(size, children > 0), True)
    windows = find_windows(levels, unit * size, occurs, size, gap_that_separates(task.length, epsilon))
    terms = _forest_terms(windows, transition, epsilon, children, roots)
    root_law = task.root_distribution(transition)
    weights = Weights(windows.logs[:, :-1], windows.logs[:, -1])
    found = log_moments(parents, transition, root_law, weights, terms, slopes=slopes)
    # The shares of all queries sum to one, and the absolute factors of each share to two.
    doubt = 2.0 * (windows.rounding + 2.0 * np.exp(-NEGLIGIBLE))
    return replace(found, error=found.error + doubt, slope_error=found.slope_error + 2.0 * doubt), terms, windows


@np.errstate(divide="ignore", under="ignore")
def _forest_terms(windows: Windows, transition: Array, epsilon: float, children: int, roots: int) -> Terms:
    """Return ``log(N_b + eps D)`` for every b, and ``log D``, for every window."""
    size, count = len(transition), len(windows.queries)
    group = np.repeat(np.arange(count), size + 1)
    symbol = np.tile(np.append(np.arange(size), -1), count)
    query, plain = windows.queries[group], symbol < 0
    shift = np.where(plain, 1.0, epsilon)
    logs, root_logs = windows.logs[:, :-1], windows.logs[:, -1]
    finite = np.where(np.isfinite(logs), logs, -np.inf)
    smallest = children * np.exp(logs.min(axis=1)) + roots * np.exp(root_logs)
    log_smallest = np.logaddexp(np.log(children) + logs.min(axis=1), np.log(roots) + root_logs)
    largest = children * np.exp(finite.max(axis=1)) + roots * np.exp(root_logs)
    low, log_low = windows.lower_bounds(epsilon, shift, group, smallest, log_smallest)
    return Terms(
        symbols=symbol,
        groups=group,
        shifts=shift,
        factors=np.where(plain, 1.0, -transition[query, symbol]) / size,
        constant_logs=root_logs[group],
        constant_shifts=shift + (symbol == query),
        lowest=low,
        log_lowest=log_low,
        highest=float((1.0 + epsilon) * largest.max()),
    )


@default_floats
def check_second_matrix(task: InContextTask, A2: ArrayLike, epsilon: float, caller: str) -> tuple[Array, float]:
    """Return the checked matrices, of the shape given, and the constant of a model with local attention."""
    size, heads = task.vocab_size, len(task.graph.target_parents)
    given = check_real("A2", A2)
    if given.ndim == 3:
        most = max(task.graph.in_degrees)
        if given.shape != (heads, size, size) or most > heads:
            needed = f"one matrix for each of the {heads} parents of the target"
            if most > heads:
                needed += f", and the target as many parents as any position, which is {most}"
            raise InvalidArgumentError(
                f"A2 must have shape {(heads, size, size)}, {needed}, got shape {given.shape} for {task.graph!r}"
            )
        matrices = check_matrix("A2", given.reshape(heads * size, size), (heads * size, size))
        return matrices.reshape(heads, size, size), check_epsilon(epsilon)
    if not task.is_single_parent:
        raise TaskError(
            f"{caller} with one matrix A2 needs a graph in which a position and the target have at most one parent, "
            f"got {task.graph!r}; give A2 of shape {(heads, size, size)}, one matrix for each parent of the target"
        )
    return check_matrix("A2", given, (size, size)), check_epsilon(epsilon)
