"""From which length the top scores are the edges: the smallest margin of every length, and where it turns positive."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from causal_theory.display import Shown
from causal_theory.error_propagation import Method
from causal_theory.errors import GraphError, InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.by_name import graph_by_name
from causal_theory.graphs.families import FAMILIES
from causal_theory.population.engines import choose_engine
from causal_theory.priors import Draws, Prior
from causal_theory.priors.rules import DEFAULT_DRAWS
from causal_theory.progress import track
from causal_theory.recovery import ERROR_BARS
from causal_theory.tasks import InContextTask, RootLaw
from causal_theory.validation import SeedLike, check_epsilon, check_integer

Array = NDArray[np.float64]
GraphFamily = str | Callable[[int], CausalGraph]

LENGTHS = range(3, 65)
"""Looked at by default: from the first length at which every family has an edge."""


@dataclass(frozen=True, eq=False)
class CriticalLength(Shown):
    """The smallest margin of the edges at every length, and from which length on all parents win.

    Attributes
    ----------
    lengths : ndarray of int64, shape (R,)
        Lengths T, increasing.
    epsilons : ndarray, shape (R,)
        The constant inside the logarithm at each length.
    margins, errors : ndarray, shape (R,)
        Score of a parent minus score of a rival, at the pair that decides the length, and its error bar: a bound on
        roundoff, or one standard error of the paired difference.
    method : {"exact", "quadrature", "monte_carlo"}
        How the margins were obtained.
    """

    lengths: NDArray[np.int64]
    epsilons: Array
    margins: Array
    errors: Array
    method: Method

    @property
    @default_floats
    def decided(self) -> NDArray[np.bool_]:
        """Whether the margin of a length is beyond two of its error bars, on either side (R,)."""
        found: NDArray[np.bool_] = np.abs(self.margins) > ERROR_BARS * self.errors
        return found

    @property
    def recovered(self) -> NDArray[np.bool_]:
        """Whether all parents win, each by more than its error allows (R,)."""
        return self.decided & (self.margins > 0.0)

    @property
    def undecided(self) -> tuple[int, ...]:
        """Lengths at which the error bar hides the sign; a tie of two scores is always among them."""
        return tuple(self.lengths[~self.decided].tolist())

    @property
    @default_floats
    def first(self) -> int | None:
        """The smallest length at which all parents win; ``None`` if there is none."""
        where = np.flatnonzero(self.recovered)
        return int(self.lengths[where[0]]) if len(where) else None

    @property
    @default_floats
    def stays(self) -> int | None:
        """The smallest length from which they win at every length looked at; ``None`` if not at the largest."""
        lost = np.flatnonzero(~self.recovered)
        start = int(lost[-1]) + 1 if len(lost) else 0
        return int(self.lengths[start]) if start < len(self.lengths) else None

    def __repr__(self) -> str:
        """Return one line: both lengths, the range looked at, and how many lengths are undecided."""
        unsure = f", {len(self.undecided)} undecided" if self.undecided else ""
        return (
            f"CriticalLength(first={self.first}, stays={self.stays}, T = {self.lengths[0]} to {self.lengths[-1]}, "
            f"{self.method}{unsure})"
        )


@default_floats
def critical_length(
    graph_family: GraphFamily,
    prior: Prior,
    epsilon: float | Callable[[int], float],
    *,
    lengths: Iterable[int] = LENGTHS,
    root_law: RootLaw = "stationary",
    draws: int = DEFAULT_DRAWS,
    rng: SeedLike = 0,
) -> CriticalLength:
    r"""Return from which length on the largest score of every child row is at its parent.

    At each length T the smallest margin is

    .. math:: \min_{i\ \text{child}} \Big( G_{i,p(i)} - \max_{j \le i,\, j \ne p(i)} G_{ij} \Big),

    the diagonal included. A margin counts beyond two of its error bars, to either side. Margins are not monotone in T:
    ``first`` and ``stays`` may differ.

    Parameters
    ----------
    graph_family : callable or str
        Maps a length to a forest of that length with at least one edge; or the name of a family that draws nothing.
    prior : Prior
        Exact for point and orbit priors. Under a Dirichlet prior the margins are those of the mean over the prior: by
        quadrature for two symbols, otherwise over draws, the same ones at every length, with the standard error of the
        paired difference. Of many pairs some look decided by chance: judge margins of few standard errors with care.
    epsilon : float or callable
        The constant inside the logarithm of the loss, or a function of T such as ``lambda T: 1 / T``.
    lengths : iterable of int, default 3 to 64
        Increasing. Cost grows like their cubes: all lengths up to 200 take some seconds with three symbols.
    root_law : {"stationary", "uniform"}, default "stationary"
        The law of the roots.
    draws : int, default 256
        Number of matrices for priors that are averaged over draws.
    rng : seed or numpy Generator, default 0
        Source of these draws.

    Returns
    -------
    CriticalLength
        Both lengths, and the smallest margin of every length with its error bar.

    Raises
    ------
    InvalidArgumentError
        If the lengths do not increase, ``epsilon`` is not positive, the name of the family is unknown, or ``draws`` is
        less than 2.
    GraphError
        If the family returns no forest of the length asked for, or one without edges.

    References
    ----------
    E. Nichani, A. Damian, J. D. Lee, "How Transformers Learn Causal Structure with Gradient Descent", ICML 2024.

    Examples
    --------
    A prior of trace 1 with little dependence: a tree of a few tokens does not show it.

    >>> from causal_theory import OrbitPrior
    >>> from causal_theory.falsification import critical_length
    >>> prior = OrbitPrior([[0.84, 0.12, 0.04], [0.78, 0.12, 0.10], [0.84, 0.12, 0.04]])
    >>> found = critical_length("binary-tree", prior, 0.01, lengths=range(4, 20))
    >>> found
    CriticalLength(first=7, stays=7, T = 4 to 19, exact)
    """
    sizes = [check_integer("lengths", length, 2) for length in lengths]
    if not sizes or any(a >= b for a, b in pairwise(sizes)):
        raise InvalidArgumentError(f"lengths must be increasing integers, at least one, got {sizes}")
    make = graph_maker(graph_family)
    if prior.rule(draws=draws, rng=rng).kind == "monte_carlo":
        prior = prior.fixed(draws, rng)
    constants, margins, errors = [], [], []
    method: Method = "exact"
    for length in track(sizes, "critical length"):
        graph = make(length)
        constants.append(check_epsilon(epsilon(length) if callable(epsilon) else epsilon))
        task = InContextTask(graph, prior, root_law)
        margin, error, used = smallest_margin(task, constants[-1])
        margins.append(margin)
        errors.append(error)
        method = max(method, used, key=get_args(Method).index)
    return CriticalLength(np.array(sizes), np.array(constants), np.array(margins), np.array(errors), method)


def graph_maker(family: GraphFamily) -> Callable[[int], CausalGraph]:
    """Return the function of a family, which refuses graphs of another length, without edges, or that are no forest."""
    make = _named(FAMILIES.read("graph_family", family)) if isinstance(family, str) else family
    if not callable(make):
        raise InvalidArgumentError(f"graph_family must be a name or a function of the length, got {family!r}")

    def checked(length: int) -> CausalGraph:
        graph = make(length)
        if not isinstance(graph, CausalGraph) or graph.length != length or not graph.is_forest:
            raise GraphError(f"graph_family must return a forest of length {length}, got {graph!r}")
        if not graph.edges:
            raise GraphError(f"graph_family must return a forest with an edge, got none at length {length}")
        return graph

    return checked


def _named(name: str) -> Callable[[int], CausalGraph]:
    if FAMILIES.find(name).is_random:
        raise InvalidArgumentError(f"graph_family must be one that draws nothing, or a function, got {name!r}")
    return partial(graph_by_name, name)


@default_floats
def smallest_margin(
    task: InContextTask, epsilon: float, *, draws: int = DEFAULT_DRAWS, rng: SeedLike = 0
) -> tuple[float, float, Method]:
    """Return the margin that decides whether all parents win, its error bar, and how both were obtained.

    It belongs to the pair of parent and rival with the lowest upper end if some parent loses beyond its error bar, else
    to the one with the lowest lower end. Its sign is therefore certain exactly if the verdict on the graph is.
    """
    plan = choose_engine(task, "smallest_margin").scores(check_epsilon(epsilon))
    rule = task.prior.rule_for(plan, draws=draws, rng=rng)
    if isinstance(rule, Draws):
        own, others = _parent_and_rivals(np.stack([plan.evaluate(one)[0] for one in rule]), task.graph)
        lead, bar = (own - others).mean(axis=0), (own - others).std(axis=0, ddof=1) / np.sqrt(len(own))
    else:
        found = rule.average(plan)
        own, others = _parent_and_rivals(found.value, task.graph)
        lead, bar = own - others, sum(_parent_and_rivals(found.error, task.graph))
    upper, lower = lead + ERROR_BARS * bar, lead - ERROR_BARS * bar
    where = int(np.argmin(upper if (upper < 0.0).any() else lower))
    return float(lead[where]), float(bar[where]), rule.kind


def _parent_and_rivals(matrix: Array, graph: CausalGraph) -> tuple[Array, Array]:
    """Return the entries at the parent and at the rival, for all pairs of child row and rival on the last axis."""
    parents, keys = graph.parent_array, np.arange(graph.length)
    rows, rivals = np.nonzero((parents[:, None] >= 0) & (keys <= keys[:, None]) & (keys != parents[:, None]))
    return matrix[..., rows, parents[rows]], matrix[..., rows, rivals]
