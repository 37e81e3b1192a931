"""Information between a token and a set of earlier ones: what pairs cannot show when a token has several parents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_theory import kernels
from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError, TooLargeError
from causal_theory.estimate import Estimate
from causal_theory.floats import default_floats
from causal_theory.information.pairs import CODES, Measure
from causal_theory.kernels.codes import CHI2, MODIFIED_CHI2
from causal_theory.population.lost_symbols import lost_symbols
from causal_theory.priors.rules import DEFAULT_DRAWS, Plan
from causal_theory.tables import Tabular
from causal_theory.tasks import InContextTask
from causal_theory.token_laws.subsets import laws_with_subsets
from causal_theory.validation import SeedLike, check_choice, check_integer

SubsetMeasure = Literal[Measure, "modified_chi2"]
SUBSET_MEASURES: tuple[SubsetMeasure, ...] = get_args(SubsetMeasure)
"""The divergences of pairs, and the modified chi-square."""

MAX_SUBSETS = 100_000
SHOWN = 8

_CODES = {**CODES, "modified_chi2": MODIFIED_CHI2}

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SubsetInformations(Tabular, Shown):
    """The information between a position and every set of a given size of earlier positions.

    Attributes
    ----------
    position : int
        The position.
    subsets : ndarray of int64, shape (N, size)
        The sets, in lexicographic order.
    informations : Estimate
        Shape (N,).
    measure : str
        The divergence.
    """

    position: int
    subsets: NDArray[np.int64]
    informations: Estimate
    measure: SubsetMeasure

    @property
    @default_floats
    def order(self) -> NDArray[np.intp]:
        """Rows of ``subsets`` by falling information; equal ones in lexicographic order."""
        return np.argsort(-self.informations.value, kind="stable")

    @property
    def columns(self) -> dict[str, object]:
        """The columns of the table, one row for each set, by falling information."""
        rows = self.order
        sets = [", ".join(map(str, row)) for row in self.subsets[rows].tolist()]
        found = self.informations[rows]
        return {"subset": sets, "information": found.value, "error": found.error}

    @property
    def best(self) -> tuple[int, ...]:
        """The set with the largest information."""
        return tuple(self.subsets[self.order[0]].tolist())

    @property
    def margin(self) -> float:
        """The largest information minus the second largest; infinite for a single set."""
        if len(self.subsets) == 1:
            return float("inf")
        first, second = self.informations.value[self.order[:2]]
        return float(first - second)

    def of(self, subset: Iterable[int]) -> float:
        """Return the information of one set.

        Parameters
        ----------
        subset : iterable of int
            Its positions, in any order.

        Returns
        -------
        float
            The information.

        Raises
        ------
        InvalidArgumentError
            If the set is not among them.
        """
        wanted = tuple(sorted(subset))
        places = [k for k, row in enumerate(self.subsets.tolist()) if tuple(row) == wanted]
        if not places:
            raise InvalidArgumentError(f"subset must be one of the {len(self.subsets)} sets, got {wanted}")
        return float(self.informations.value[places[0]])

    def __repr__(self) -> str:
        """Return one line with the best set."""
        return (
            f"SubsetInformations({len(self.subsets)} sets for position {self.position}, {self.measure}, "
            f"best {self.best} by {self.margin:.3g})"
        )


@default_floats
def subset_information(
    task: InContextTask,
    position: int,
    subset: Sequence[int],
    *,
    measure: SubsetMeasure = "chi2",
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> Estimate:
    r"""Return the information between a token and a set of earlier tokens, given the tensors, averaged over the prior.

    With e the token at the position, z the tokens of the set, P their joint law and Q the product of the law of e and
    the law of z:

    ================  =============================================================================
    measure           value
    ================  =============================================================================
    "chi2"            :math:`\sum (P - Q)^2 / Q`
    "kl"              :math:`\sum P \log(P / Q)`, in nats
    "tv"              :math:`\tfrac12 \sum |P - Q|`
    "hellinger"       :math:`\tfrac12 \sum (\sqrt P - \sqrt Q)^2`
    "modified_chi2"   :math:`\sum_z P(z)^2 \big(\sum_e P(e \mid z)^2 / P(e) - 1\big)`
    ================  =============================================================================

    The first four grow when positions are added to the set (data processing). The last one weighs every z by its
    probability once more, so that a larger set must earn its place: in [1]_ it decides which parents are learned.

    Parameters
    ----------
    task : InContextTask
        Any task.
    position : int
        From 1 to T; T stands for the token that the target is the law of.
    subset : sequence of int
        Distinct positions before it.
    measure : {"chi2", "kl", "tv", "hellinger", "modified_chi2"}
        The divergence.
    draws : int
        Number of draws of the transition tensors when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    Estimate
        A scalar; exact for point and orbit priors.

    Raises
    ------
    InvalidArgumentError
        If the measure is unknown, or position or subset are out of range.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If the graph is too wide for an exact law.

    References
    ----------
    .. [1] S. Chen, H. Sheen, T. Wang, Z. Yang, "Unveiling Induction Heads: Provable Training Dynamics and Feature
       Learning in Transformers", 2024, arXiv 2409.10559.

    Examples
    --------
    >>> import numpy as np
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, subset_information
    >>> either = np.zeros((2, 2, 2))
    >>> either[0, 0, 0] = either[1, 1, 0] = either[0, 1, 1] = either[1, 0, 1] = 1.0  # exclusive or
    >>> task = InContextTask(CausalGraph.ngram(8, 2), PointPrior({2: either}))
    >>> [float(subset_information(task, 7, subset)) for subset in [(5,), (6,), (5, 6)]]
    [0.0, 0.0, 1.0]
    """
    check_choice("measure", measure, SUBSET_MEASURES)
    place = _check_position(task, position)
    chosen = _check_subset(subset, place)
    return _estimate(task, place, [chosen], measure, draws, rng, scalar=True)


@default_floats
def subset_informations(
    task: InContextTask,
    position: int,
    size: int,
    *,
    measure: SubsetMeasure = "modified_chi2",
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> SubsetInformations:
    """Return :func:`subset_information` for every set of a given size of earlier positions.

    Parameters
    ----------
    task : InContextTask
        Any task.
    position : int
        From 1 to T; T stands for the token that the target is the law of.
    size : int
        Number of positions of a set, from 1 to ``position``.
    measure : {"chi2", "kl", "tv", "hellinger", "modified_chi2"}
        The divergence.
    draws : int
        Number of draws of the transition tensors when the prior has no exact average; the same for all sets.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    SubsetInformations
        The sets with their informations.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If there are more than 100,000 sets, or the graph is too wide for an exact law.

    Examples
    --------
    >>> from causal_theory import CausalGraph, InContextTask, PointPrior, subset_informations
    >>> task = InContextTask(CausalGraph.chain(6), PointPrior([[0.9, 0.1], [0.1, 0.9]]))
    >>> subset_informations(task, 3, 1, measure="chi2")
    SubsetInformations(3 sets for position 3, chi2, best (2,) by 0.23)
    """
    check_choice("measure", measure, SUBSET_MEASURES)
    place = _check_position(task, position)
    count = check_integer("size", size, 1)
    if count > place:
        raise InvalidArgumentError(f"size must be at most the position {place}, got {count}")
    if comb(place, count) > MAX_SUBSETS:
        raise TooLargeError(
            f"size must give at most {MAX_SUBSETS} sets, got {comb(place, count)} sets of {count} among {place} "
            "positions; use subset_information for chosen ones"
        )
    subsets = list(combinations(range(place), count))
    found = _estimate(task, place, subsets, measure, draws, rng)
    return SubsetInformations(place, np.array(subsets, dtype=np.int64), found, measure)


@default_floats
def best_subset(
    task: InContextTask,
    position: int,
    size: int,
    *,
    measure: SubsetMeasure = "modified_chi2",
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = None,
) -> tuple[int, ...]:
    """Return the set of a given size of earlier positions with the largest information about a token.

    Parameters
    ----------
    task : InContextTask
        Any task.
    position : int
        From 1 to T; T stands for the token that the target is the law of.
    size : int
        Number of positions of the set.
    measure : {"chi2", "kl", "tv", "hellinger", "modified_chi2"}
        The divergence.
    draws : int
        Number of draws of the transition tensors when the prior has no exact average.
    rng : int or Generator, optional
        Source of these draws.

    Returns
    -------
    tuple of int
        Ascending; the first in lexicographic order among equal ones. :func:`subset_informations` gives the values.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If there are more than 100,000 sets, or the graph is too wide for an exact law.

    Examples
    --------
    >>> from causal_theory import CausalGraph, DirichletPrior, InContextTask, best_subset
    >>> best_subset(InContextTask(CausalGraph.ngram(9, 2), DirichletPrior(3, 1.0)), 8, 2, rng=0)
    (6, 7)
    """
    return subset_informations(task, position, size, measure=measure, draws=draws, rng=rng).best


def _check_position(task: InContextTask, position: int) -> int:
    place = check_integer("position", position, 1)
    if place > task.length:
        raise InvalidArgumentError(f"position must be at most T = {task.length}, which is the target, got {place}")
    return place


def _check_subset(subset: Sequence[int], position: int) -> tuple[int, ...]:
    if isinstance(subset, str) or not isinstance(subset, Iterable):
        raise InvalidArgumentError(f"subset must be a sequence of positions, got {subset!r}")
    chosen = tuple(check_integer("positions of subset", place, 0) for place in subset)
    if len(set(chosen)) != len(chosen) or not chosen or max(chosen) >= position:
        raise InvalidArgumentError(f"subset must hold one or more distinct positions before {position}, got {chosen}")
    return chosen


def _estimate(
    task: InContextTask,
    position: int,
    subsets: Sequence[tuple[int, ...]],
    measure: SubsetMeasure,
    draws: int,
    rng: SeedLike,
    *,
    scalar: bool = False,
) -> Estimate:
    evaluate = partial(_divergences, task, position, subsets, _CODES[measure], scalar)
    plan = Plan(evaluate, task.graph.in_degrees, label_invariant=True)
    return task.prior.average(plan, draws=draws, rng=rng)


def _divergences(
    task: InContextTask,
    position: int,
    subsets: Sequence[tuple[int, ...]],
    code: int,
    scalar: bool,
    transitions: Mapping[int, Array],
) -> tuple[Array, Array]:
    """Return the divergence for each set, and bounds on the errors, (N,), or those of the first set, ()."""
    relative = 4.0 * float(np.finfo(float).eps) * (task.length + task.vocab_size ** len(subsets[0]))
    laws = laws_with_subsets(task, transitions, position, subsets)
    values, errors = kernels.frontier.law_divergences(laws, code, relative)
    if code == CHI2:
        evaluate = partial(_laws_of_both, task, position, subsets)
        errors += lost_symbols(_of_both(laws), transitions, evaluate)
    return (values[0], errors[0]) if scalar else (values, errors)


def _laws_of_both(
    task: InContextTask, position: int, subsets: Sequence[tuple[int, ...]], transitions: Mapping[int, Array]
) -> Array:
    return _of_both(laws_with_subsets(task, transitions, position, subsets))


def _of_both(joints: Array) -> Array:
    """Return the laws of the symbols of the token, and of the combinations of those of each set, (N, S + S^m)."""
    return np.concatenate([joints.sum(axis=1), joints.sum(axis=2)], axis=1)
