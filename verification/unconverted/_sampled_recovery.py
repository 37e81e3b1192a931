"""Recovery of edges under priors that are averaged over draws, in the mean and draw by draw."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior, edge_scores
from verification.context import Context
from verification.ensembles import FAMILIES, STAR, family_graph
from verification.evidence import METHODS, OUTSIDE, Part, Reading, Table, verdict_of
from verification.profiles import Profile
from verification.text import show

__all__ = [
    "CONCENTRATIONS",
    "ENOUGH",
    "SINGLE",
    "SIZES",
    "STAR_MEAN",
    "SampledRecovery",
    "recover_from_draws",
    "sample_all",
    "sampled_parts",
    "sampled_table",
    "single_part",
]

EPSILON = 0.01
LENGTH = 20
CONCENTRATIONS = (0.1, 1.0)
SIZES = (3, 10)

ENOUGH = 4.0
"""Standard errors by which every mean margin must exceed zero: by chance one in 30,000, and a few hundred are tried."""

SINGLE, STAR_MEAN = "single Dirichlet draws", "star, Dirichlet mean"
MONTE_CARLO = METHODS[-1]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SampledRecovery:
    """Recovery under a prior that is averaged over draws.

    Attributes
    ----------
    margin, error : float
        Of all pairs (child row, rival) the one whose mean margin is the fewest standard errors above zero: that
        margin and its standard error. Both scores come from the same draws, so the error is that of the paired
        difference.
    smallest : float
        Smallest mean margin.
    failing : int
        Draws at which, taken alone, some child row does not prefer its parent.
    draws : int
        Number of draws.
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
    def failing_share(self) -> float:
        """Share of single draws that fail."""
        return self.failing / self.draws

    @property
    def failing_error(self) -> float:
        """Standard error of this share, with one draw added to each side so that it is never zero."""
        share = (self.failing + 1.0) / (self.draws + 2.0)
        return float(np.sqrt(share * (1.0 - share) / self.draws))


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


def _worst_of(found: Iterable[SampledRecovery]) -> SampledRecovery:
    """Return the least certain margin of several graphs, and the mean number of failing draws."""
    several = list(found)
    closest = min(several, key=lambda one: one.deviations)
    return SampledRecovery(
        closest.margin,
        closest.error,
        min(one.smallest for one in several),
        round(sum(one.failing for one in several) / len(several)),
        closest.draws,
    )


@dataclass(frozen=True)
class Setting:
    """One Dirichlet prior, length and graph family."""

    concentration: float
    size: int
    length: int
    graph: str


def _settings(profile: Profile) -> list[Setting]:
    families = (*FAMILIES, STAR)
    usual = [Setting(c, size, LENGTH, name) for size in SIZES for c in CONCENTRATIONS for name in families]
    longer = [
        Setting(c, SIZES[-1], length, name)
        for length in profile.long_recovery_lengths
        for c in CONCENTRATIONS
        for name in FAMILIES
    ]
    return usual + longer


def sample_all(profile: Profile, context: Context) -> dict[Setting, SampledRecovery]:
    """All settings with Dirichlet priors; graphs of one prior and length share their draws."""
    found = {}
    for setting in context.track(_settings(profile), "Dirichlet priors"):
        draws = profile.prior_draws if setting.length == LENGTH else profile.long_prior_draws
        prior = DirichletPrior(setting.size, setting.concentration)
        names = ("dirichlet", setting.size, setting.length, str(setting.concentration))
        matrices = prior.sample(draws, context.rng(*names))
        count = profile.random_forests if setting.graph == "random forest" and setting.length == LENGTH else 1
        graphs = [family_graph(setting.graph, setting.length, context.rng(*names, k)) for k in range(count)]
        found[setting] = _worst_of(recover_from_draws(graph, matrices) for graph in graphs)
    return found


def _sampled_part(name: str, found: list[SampledRecovery], *, promised: bool) -> Part:
    closest = min(found, key=lambda one: one.deviations)
    return Part(
        name=name,
        verdict=verdict_of(closest.deviations > ENOUGH) if promised else OUTSIDE,
        predicted=Reading(
            f"mean margin > 0 by {ENOUGH:g} s.e." if promised else "nothing: effective length is bounded"
        ),
        measured=Reading(
            f"smallest {show(min(one.smallest for one in found))}, at least {show(closest.deviations)} s.e.",
            closest.deviations,
        ),
        error=Reading(f"s.e. {show(closest.error)}", closest.error),
        method=MONTE_CARLO,
    )


def sampled_parts(found: dict[Setting, SampledRecovery]) -> list[Part]:
    """Judge the mean over each prior, families together; the star is outside."""
    parts = []
    for size in SIZES:
        for concentration in CONCENTRATIONS:
            own = [
                one
                for s, one in found.items()
                if (s.size, s.concentration) == (size, concentration) and s.graph != STAR
            ]
            name = f"Dirichlet {concentration:g}, S = {size}, mean over the prior"
            parts.append(_sampled_part(name, own, promised=True))
    parts.append(_sampled_part(STAR_MEAN, [one for s, one in found.items() if s.graph == STAR], promised=False))
    return parts


def single_part(found: dict[Setting, SampledRecovery]) -> Part:
    """Report the share of single draws that fail: a single draw is a point prior, whose trace is not one."""
    shares = {
        size: [one for s, one in found.items() if s.size == size and s.length == LENGTH and s.graph != STAR]
        for size in SIZES
    }
    text = "; ".join(
        f"S = {size}: {show(min(o.failing_share for o in own), 2)} to {show(max(o.failing_share for o in own), 2)}"
        for size, own in shares.items()
    )
    worst = max(shares[SIZES[0]], key=lambda one: one.failing_share)
    return Part(
        name=SINGLE,
        verdict=OUTSIDE,
        predicted=Reading("nothing: one draw has neither a symmetric law nor a constant mean"),
        measured=Reading(f"share of draws that lose an edge, {text}", worst.failing_share),
        error=Reading(f"s.e. up to {show(worst.failing_error, 2)}", worst.failing_error),
        method=MONTE_CARLO,
    )


def sampled_table(found: dict[Setting, SampledRecovery]) -> Table:
    """Return one row per prior, length and family."""
    rows = tuple(
        (
            s.concentration,
            s.size,
            s.length,
            s.graph,
            one.draws,
            show(one.smallest),
            f"{one.deviations:.1f}",
            f"{one.failing_share:.1%} ± {one.failing_error:.1%}",
        )
        for s, one in found.items()
    )
    columns = (
        "concentration", "S", "T", "graph", "draws", "smallest mean margin", "smallest in s.e.", "single draws failing",
    )  # fmt: skip
    return Table(f"Dirichlet priors, eps = {EPSILON}: the mean over the prior, and single draws", columns, rows)
