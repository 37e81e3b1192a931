"""Recovery of edges: in exact scores, and in the mean of scores over draws from a prior."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from causal_theory import CausalGraph, EdgeReport, InContextTask, PointPrior, edge_scores
from causal_theory.claims.records import Number
from causal_theory.priors import Prior
from causal_theory.recovery import ERROR_BARS
from verification.ensembles import Array

EPSILON = 0.01


@dataclass(frozen=True)
class ExactRecovery:
    """Recovery under a point or orbit prior: smallest margin over child rows and its error bound.

    Of all child ``rows`` some prefer themselves to all earlier tokens: ``self_rows``.
    """

    margin: float
    error: float
    self_rows: int
    rows: int

    @property
    def lost(self) -> bool:
        """Whether some parent does not win by more than the error allows."""
        return not self.margin > ERROR_BARS * self.error


def recover_exactly(graph: CausalGraph, prior: Prior) -> ExactRecovery:
    """Compare parent and rivals in the scores under a point or orbit prior."""
    report = EdgeReport(edge_scores(InContextTask(graph, prior), epsilon=EPSILON), graph)
    children = np.flatnonzero(report.true >= 0)
    closest = children[int(np.argmin(report.margin[children]))]
    own = int((report.best_key[children] == children).sum())
    return ExactRecovery(float(report.margin[closest]), float(report.margin_error[closest]), own, len(children))


@dataclass(frozen=True)
class SampledRecovery:
    """Recovery under a prior that is averaged over draws.

    ``margin`` is that of the pair (child row, rival) whose mean margin is the fewest standard errors above zero, and
    ``error`` its standard error; both scores come from the same draws, so it is that of the paired difference.
    ``smallest`` is the smallest mean margin, ``failing`` the number of draws at which, taken alone, some child row does
    not prefer its parent.
    """

    margin: float
    error: float
    smallest: float
    failing: int
    draws: int

    @property
    def deviations(self) -> float:
        """The margin in standard errors."""
        return self.margin / self.error

    @property
    def number(self) -> Number:
        """The margin with its standard error."""
        return Number(self.margin, self.error, "standard error")


def recover_from_draws(graph: CausalGraph, matrices: Iterable[Array]) -> SampledRecovery:
    """Compare parent and rivals in the mean of the scores over transition matrices."""
    stack = np.stack([edge_scores(InContextTask(graph, PointPrior(pi)), epsilon=EPSILON).value for pi in matrices])
    parents = graph.parent_array
    failed = np.zeros(len(stack), dtype=bool)
    margins, errors = [], []
    for i in np.flatnonzero(parents >= 0):
        rivals = np.delete(np.arange(i + 1), parents[i])
        ahead = stack[:, i, parents[i], None] - stack[:, i, rivals]
        failed |= (ahead <= 0.0).any(axis=1)
        margins.append(ahead.mean(axis=0))
        errors.append(ahead.std(axis=0, ddof=1) / np.sqrt(len(stack)))
    margin, error = np.concatenate(margins), np.concatenate(errors)
    # Draws that agree to the last bit leave no error: such a margin is as certain as its sign.
    certainty = np.divide(margin, error, out=np.copysign(np.inf, margin), where=error > 0.0)
    closest = int(np.argmin(certainty))
    return SampledRecovery(
        float(margin[closest]), float(error[closest]), float(margin.min()), int(failed.sum()), len(stack)
    )


def worst_of(found: Iterable[SampledRecovery]) -> SampledRecovery:
    """Return the least certain margin of several graphs, and the mean number of failing draws."""
    several = list(found)
    closest = min(several, key=lambda one: one.deviations)
    smallest, failing = min(one.smallest for one in several), sum(one.failing for one in several)
    return SampledRecovery(closest.margin, closest.error, smallest, round(failing / len(several)), closest.draws)
