"""Joint laws and mutual informations of pairs of tokens, exactly."""

from typing import Literal, get_args

from causal_theory.errors import TooLargeError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.kernels.codes import CHI2, HELLINGER, KL, TV
from causal_theory.pair_structure import PAIR_BYTES
from causal_theory.population.engines import choose_engine
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, check_choice, check_memory

Measure = Literal["chi2", "kl", "tv", "hellinger"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""The divergences of a joint law from the product of its marginals."""

CODES = {"chi2": CHI2, "kl": KL, "tv": TV, "hellinger": HELLINGER}
MAX_JOINT_ENTRIES = 2**29


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
        If the prior has no transition tensor for a number of parents in the graph.
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
    code = CODES[check_choice("measure", measure, MEASURES)]
    check_memory(f"pairwise_information at length {task.length}", PAIR_BYTES * task.length**2)
    plan = choose_engine(task, "pairwise_information").divergences(code)
    return task.prior.average(plan, draws=draws, rng=rng)


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
        If the prior has no transition tensor for a number of parents in the graph.
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
    return task.prior.average(choose_engine(task, "pairwise_joint").joints(), draws=draws, rng=rng)
