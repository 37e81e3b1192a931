"""Stage 2 exactly: the model whose first layer attends to the parents, for any second attention matrices.

On a forest with an independent query the sums over sequences run over its edges; on any other graph over the states of
its frontier, with one first-layer head and one second matrix for each parent.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_theory.errors import InvalidArgumentError, TaskError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.population.engines import choose_engine, with_heads
from causal_theory.population.monte_carlo import DEFAULT_SAMPLES
from causal_theory.population.several_parents.sampled import sampled_construction
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_epsilon, check_integer, check_matrix, check_real

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
        Transition matrices, or transition tensors, to draw when the prior has no exact average.
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
        If the prior has no transition tensor for a number of parents in the graph, or ``A2`` is one matrix and a
        position has several parents.
    TooLargeError
        If the frontier of the graph is too wide for exact sums.

    Notes
    -----
    ``f_b + eps`` is a ratio of two sums over edges, and ``log x - log y`` is an integral of ``exp(-t y) - exp(-t x)``,
    which factorises over edges: one message pass for each query symbol, target symbol and quadrature node. With several
    parents it factorises over positions: one pass over ``S^k`` states for each query, symbol and node, so that an
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
    >>> tensor = DirichletPrior(2, 0.5).sample_transitions(1, (2,), rng=0)[2][0]
    >>> trigram = InContextTask(CausalGraph.ngram(40, 2), PointPrior({2: tensor}))
    >>> copy = np.stack([np.eye(2), np.eye(2)])
    >>> losses = [float(parent_attention_loss(trigram, beta * copy, epsilon=0.01)) for beta in (0.0, 4.0)]
    >>> losses[0] > losses[1]
    True
    """
    caller = "parent_attention_loss"
    matrices, epsilon = check_second_matrix(task, A2, epsilon, caller)
    if check_choice("method", method, get_args(ExactOrSampled)) == "monte_carlo":
        return sampled_construction(task, with_heads(matrices), epsilon, _check_samples(samples), rng)[0]
    plan = choose_engine(task, caller).construction(with_heads(matrices), epsilon)
    return task.prior.average(plan, draws=draws, rng=rng)


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
        Transition matrices, or transition tensors, to draw when the prior has no exact average.
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
        If the prior has no transition tensor for a number of parents in the graph, or ``A2`` is one matrix and a
        position has several parents.
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
        loss, gradient = sampled_construction(task, with_heads(matrices), epsilon, _check_samples(samples), rng)
        return loss, _reshaped(gradient, shape)
    plan = choose_engine(task, caller).construction_slopes(with_heads(matrices), epsilon)
    joined = task.prior.average(plan, draws=draws, rng=rng)
    loss = Estimate(joined.value[-1].reshape(()), joined.error[-1].reshape(()), joined.method)
    gradient = Estimate(joined.value[:-1], joined.error[:-1], joined.method)
    return loss, _reshaped(gradient, shape)


def _reshaped(estimate: Estimate, shape: tuple[int, ...]) -> Estimate:
    return Estimate(estimate.value.reshape(shape), estimate.error.reshape(shape), estimate.method)


def _check_samples(samples: int) -> int:
    return check_integer("samples", samples, 2)


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
