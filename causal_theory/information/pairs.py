"""Joint laws and mutual informations of pairs of tokens, in closed form along the paths of a forest."""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_theory.averaging import DEFAULT_DRAWS, average_over_kernels, average_over_prior
from causal_theory.errors import TooLargeError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.information.any_graph import divergences_of_pairs, joints_of_pairs
from causal_theory.information.lost import lost_by_depth
from causal_theory.kernels.pairs import (
    CHI2,
    HELLINGER,
    KL,
    TINY,
    TV,
    UNDERFLOW,
    kind_divergences,
    kind_divergences_parallel,
    kind_joints,
    self_divergence,
)
from causal_theory.pair_structure import PAIR_BYTES, Chain, PairStructure, chain_powers, pair_structure
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_memory

__all__ = ["MEASURES", "Measure", "pairwise_information", "pairwise_joint"]

Measure = Literal["chi2", "kl", "tv", "hellinger"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""The divergences of a joint law from the product of its marginals."""

_CODES = {"chi2": CHI2, "kl": KL, "tv": TV, "hellinger": HELLINGER}
MAX_JOINT_ENTRIES = 2**29
PARALLEL_WORK = 1_000_000
"""Multiplications from which threads are worth waking."""

Array = NDArray[np.float64]


@default_floats
def pairwise_information(
    task: InContextTask, measure: Measure = "chi2", *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None
) -> Estimate:
    r"""Return the mutual information of every pair of tokens, given the transition matrix, averaged over the prior.

    With :math:`P` the joint law of two tokens given :math:`\pi` and :math:`Q` the product of its marginals:

    ============  =============================================================
    measure       value
    ============  =============================================================
    "chi2"        :math:`\sum (P - Q)^2 / Q`
    "kl"          :math:`\sum P \log(P / Q)`, in nats
    "tv"          :math:`\tfrac12 \sum |P - Q|`
    "hellinger"   :math:`\tfrac12 \sum (\sqrt P - \sqrt Q)^2`
    ============  =============================================================

    Terms with :math:`P = Q = 0` count zero, so symbols of probability zero do not contribute (for chi-square this is
    the convention 0/0 = 0). A symbol that is possible with a probability below the smallest double adds one to the
    error of chi-square, for each of the two tokens. All four satisfy the data-processing inequality along paths of the
    graph.

    Parameters
    ----------
    task : InContextTask
        Any task. Forests, and graphs with a narrow frontier such as order-k chains, at any length; other graphs with
        several parents where an elimination needs arrays of at most 2^25 entries.
    measure : {"chi2", "kl", "tv", "hellinger"}
        The divergence.
    draws : int
        Number of transition matrices drawn when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        Symmetric matrix (T, T). The diagonal pairs a token with itself; the query is a token like the others,
        independent of them. Exact for point and orbit priors, quadrature for two symbols, Monte Carlo otherwise.

    Raises
    ------
    InvalidArgumentError
        If the measure is unknown.
    TaskError
        If the prior has no kernel for a number of parents in the graph.
    TooLargeError
        If a graph with several parents is too wide, or the matrices do not fit into memory.

    Notes
    -----
    The joint law of two tokens depends on the distances to their last common ancestor only, so each kind of pair is
    evaluated once: ``O(K S^3 + T^2)`` for ``K`` kinds, never a sum over sequences. The deviation ``P - Q`` is formed
    directly, hence small informations keep their relative accuracy.

    References
    ----------
    I. Csiszár and P. C. Shields, "Information Theory and Statistics: A Tutorial", 2004.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, pairwise_information
    >>> task = InContextTask(CausalGraph.chain(4), PointPrior([[0.9, 0.1], [0.1, 0.9]]))
    >>> pairwise_information(task, "chi2").value.round(4)
    array([[1.    , 0.64  , 0.4096, 0.    ],
           [0.64  , 1.    , 0.64  , 0.    ],
           [0.4096, 0.64  , 1.    , 0.    ],
           [0.    , 0.    , 0.    , 1.    ]])
    """
    code = _CODES[check_choice("measure", measure, MEASURES)]
    check_memory(f"pairwise_information at length {task.length}", PAIR_BYTES * task.length**2)
    if not _is_matrix_forest(task, "pairwise_information"):
        return _information_of_any_graph(task, code, draws, rng)
    structure = pair_structure(task.graph, stationary=task.root_law == "stationary")

    def evaluate(transition: Array) -> tuple[Array, Array]:
        chain, laws = _laws(task, structure, transition)
        many = len(structure.kinds) * task.vocab_size**3 > PARALLEL_WORK
        kernel = kind_divergences_parallel if many else kind_divergences
        relative = _roundoff(task)
        values, errors = kernel(structure.kinds, tuple(chain), code, relative)
        diagonal = np.array([self_divergence(law, code) for law in laws])
        diagonal_errors = 2.0 * relative * diagonal
        if code == CHI2:
            lost = lost_by_depth(task, chain, transition)
            depth, first, second = structure.kinds.T
            errors += lost[depth + first] + lost[depth + second]
            diagonal_errors += np.where(laws.min(axis=1) > 0.0, 0.0, lost[structure.depths])
        return structure.spread(values, diagonal), structure.spread(errors, diagonal_errors)

    return average_over_prior(task.prior, evaluate, label_invariant=True, draws=draws, rng=rng)


@default_floats
def pairwise_joint(task: InContextTask, *, draws: int = DEFAULT_DRAWS, rng: SeedLike = None) -> Estimate:
    r"""Return the joint law of every pair of tokens, averaged over the prior.

    ``value[i, j, a, b]`` is :math:`P(s_i = a, s_j = b)`. On the path from an ancestor it is a product of transition
    matrices; across trees the tokens are independent given :math:`\pi`.

    Parameters
    ----------
    task : InContextTask
        Any task. Forests, and graphs with a narrow frontier such as order-k chains, at any length; other graphs with
        several parents where an elimination needs arrays of at most 2^25 entries.
    draws : int
        Transition matrices to draw when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        Array (T, T, S, S); each (i, j) block sums to one. Exact for point and orbit priors.

    Raises
    ------
    TaskError
        If the prior has no kernel for a number of parents in the graph.
    TooLargeError
        If the array would have more than 2^29 entries (4 GiB), or the graph is too wide.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, pairwise_joint
    >>> task = InContextTask(CausalGraph.chain(3), PointPrior([[0.9, 0.1], [0.1, 0.9]]))
    >>> pairwise_joint(task).value[1, 0]
    array([[0.45, 0.05],
           [0.05, 0.45]])
    """
    size = task.vocab_size
    entries = task.length**2 * size**2
    if entries > MAX_JOINT_ENTRIES:
        raise TooLargeError(
            f"task must have at most {MAX_JOINT_ENTRIES} entries T^2 S^2 for pairwise_joint, got {entries}; "
            "pairwise_information does not need the joint laws"
        )
    if not _is_matrix_forest(task, "pairwise_joint"):
        return _joint_of_any_graph(task, draws, rng)
    structure = pair_structure(task.graph, stationary=task.root_law == "stationary")

    def evaluate(transition: Array) -> tuple[Array, Array]:
        chain, laws = _laws(task, structure, transition)
        joint = _spread_joint(structure, kind_joints(structure.kinds, tuple(chain)), laws)
        return joint, _joint_error(task, joint)

    return average_over_prior(
        task.prior, evaluate, label_invariant=False, symmetrise=_mean_over_names, draws=draws, rng=rng
    )


def _mean_over_names(joint: Array) -> Array:
    """Return the average of joint laws over relabelings of the symbols."""
    size = joint.shape[-1]
    diagonal = np.trace(joint, axis1=2, axis2=3)[..., None, None]
    # Summed, not subtracted from the total: the rest can be tiny.
    rest = joint.sum(axis=(2, 3), where=~np.eye(size, dtype=bool))[..., None, None] / (size * (size - 1))
    mean: Array = np.where(np.eye(size, dtype=bool), diagonal / size, rest)
    return mean


def _is_matrix_forest(task: InContextTask, caller: str) -> bool:
    """Whether all tokens follow one transition matrix along a forest; they must when the prior has nothing else."""
    known = task.prior.in_degrees
    if known == (1,):
        task.require_forest(caller)
    return task.graph.is_forest and (known is None or 1 in known)


def _information_of_any_graph(task: InContextTask, code: int, draws: int, rng: SeedLike) -> Estimate:
    relative = _roundoff(task)

    def evaluate(kernels: Mapping[int, Array]) -> tuple[Array, Array]:
        return divergences_of_pairs(task, kernels, code, relative)

    degrees = task.graph.in_degrees
    return average_over_kernels(task.prior, degrees, evaluate, label_invariant=True, draws=draws, rng=rng)


def _joint_of_any_graph(task: InContextTask, draws: int, rng: SeedLike) -> Estimate:
    def evaluate(kernels: Mapping[int, Array]) -> tuple[Array, Array]:
        joint = joints_of_pairs(task, kernels)
        return joint, _joint_error(task, joint)

    return average_over_kernels(
        task.prior,
        task.graph.in_degrees,
        evaluate,
        label_invariant=False,
        symmetrise=_mean_over_names,
        draws=draws,
        rng=rng,
    )


def _laws(task: InContextTask, structure: PairStructure, transition: Array) -> tuple[Chain, Array]:
    """Powers and laws by depth, and the law of every position."""
    stationary = task.root_law == "stationary"
    root_law = task.root_distribution(transition)
    chain = chain_powers(transition, root_law, int(structure.depths.max()), stationary=stationary)
    laws = chain.marginals[structure.depths]
    if not task.graph.parents[-1]:
        laws[-1] = 1.0 / task.vocab_size
    return chain, laws


def _spread_joint(structure: PairStructure, joints: Array, laws: Array) -> Array:
    """Give every pair the law of its kind; independent pairs the product of their laws."""
    length = len(laws)
    joint: Array = laws[:, None, :, None] * laws[None, :, None, :]
    for i in range(length):
        kinds = structure.index[i, :i]
        tied = np.flatnonzero(kinds >= 0)
        # A kind is stored with the earlier token first.
        joint[tied, i] = joints[kinds[tied]]
        joint[i, tied] = joints[kinds[tied]].transpose(0, 2, 1)
        joint[i, i] = np.diag(laws[i])
    return joint


def _joint_error(task: InContextTask, joint: Array) -> Array:
    """Bound the errors of joint probabilities: relative, but for those that may have underflowed."""
    error: Array = 2.0 * _roundoff(task) * joint + np.where(joint < TINY, UNDERFLOW, 0.0)
    return error


def _roundoff(task: InContextTask) -> float:
    """Relative roundoff of a probability that is a sum of products of at most T factors."""
    return 4.0 * float(np.finfo(float).eps) * (task.length + task.vocab_size)
