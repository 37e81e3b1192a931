"""Recovery of edges under point and orbit priors, where scores are exact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, EdgeReport, InContextTask, OrbitPrior, edge_scores, stationary_distribution
from causal_theory.priors import Prior
from causal_theory.recovery import ERROR_BARS
from verification.context import Context
from verification.ensembles import FAMILIES, STAR, family_graph, trace_one_matrix
from verification.evidence import OUTSIDE, Cell, Part, Reading, Table, verdict_of
from verification.profiles import Profile
from verification.text import show

__all__ = [
    "ExactRecovery",
    "Orbits",
    "orbit_matrices",
    "orbit_part",
    "orbit_tables",
    "recover_exactly",
    "recover_orbits",
    "recover_weak",
]

EPSILON = 0.01
SIZES = (3, 5, 10)
LONG = 100
"""Length from which fewer orbit priors are tried."""

SHARES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Shares of a matrix in its blend with independent tokens of the same law."""

WEAK_FROM = 0.05
"""Below it every blend has ``||B||_F < GAMMA``: the norm is at most ``sqrt(S - 1)`` times the share."""

WEAK_LENGTHS = (10, 20, 200)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ExactRecovery:
    """Recovery in exact scores.

    Attributes
    ----------
    margin, error : float
        Smallest margin over child rows, and its error bound.
    self_rows, rows : int
        Child rows that prefer themselves to all earlier tokens; all child rows.
    """

    margin: float
    error: float
    self_rows: int
    rows: int

    @property
    def recovered(self) -> bool:
        """Whether every parent wins, by more than the error allows."""
        return self.margin > ERROR_BARS * self.error


def recover_exactly(graph: CausalGraph, prior: Prior) -> ExactRecovery:
    """Compare parent and rivals in the scores under a point or orbit prior."""
    report = EdgeReport(edge_scores(InContextTask(graph, prior), epsilon=EPSILON), graph)
    children = np.flatnonzero(report.true >= 0)
    closest = children[int(np.argmin(report.margin[children]))]
    return ExactRecovery(
        float(report.margin[closest]),
        float(report.margin_error[closest]),
        int((report.best_key[children] == children).sum()),
        len(children),
    )


Orbits = dict[tuple[str, int, int], list[ExactRecovery]]


def orbit_matrices(profile: Profile, context: Context) -> dict[int, list[Array]]:
    """Return random matrices of trace 1 for each number of symbols."""
    return {
        size: [trace_one_matrix(size, context.rng("orbit", size, k)) for k in range(profile.orbit_matrices)]
        for size in SIZES
    }


def recover_orbits(profile: Profile, context: Context, matrices: dict[int, list[Array]]) -> Orbits:
    """Exact recovery under orbit priors of trace 1: per family, S and T one entry per matrix."""
    jobs = [(name, size, length) for name in (*FAMILIES, STAR) for size in SIZES for length in profile.recovery_lengths]
    found: Orbits = {}
    for name, size, length in context.track(jobs, "orbit priors"):
        few = max(1, profile.orbit_matrices // 3) if length >= LONG else profile.orbit_matrices
        rng = context.rng("orbit graph", name, size, length)
        found[name, size, length] = [
            recover_exactly(family_graph(name, length, rng), OrbitPrior(matrix)) for matrix in matrices[size][:few]
        ]
    return found


def orbit_part(name: str, found: list[ExactRecovery], predicted: str, *, promised: bool) -> Part:
    """Judge a set of exact recoveries: no edge may be lost where the claim promises it."""
    closest = min(found, key=lambda one: one.margin)
    lost = sum(not one.recovered for one in found)
    return Part(
        name=name,
        verdict=verdict_of(lost == 0) if promised else OUTSIDE,
        predicted=Reading(predicted),
        measured=Reading(
            f"{lost} of {len(found)} settings lose an edge; smallest margin {show(closest.margin)}", closest.margin
        ),
        error=Reading(f"bound {show(closest.error)}", closest.error),
        method="exact",
    )


def orbit_tables(found: Orbits, lengths: tuple[int, ...]) -> tuple[Table, Table]:
    """Return the smallest margin of each setting, and how often the star loses an edge."""
    rows: list[tuple[Cell, ...]] = []
    star: list[tuple[Cell, ...]] = []
    for name in (*FAMILIES, STAR):
        for size in SIZES:
            cells = [found[name, size, length] for length in lengths]
            smallest = (show(min(one.margin for one in cell)) for cell in cells)
            rows.append((name, size, *smallest))
            if name == STAR:
                star.append((size, *(f"{sum(not one.recovered for one in cell)} of {len(cell)}" for cell in cells)))
    columns = tuple(f"T = {length}" for length in lengths)
    return (
        Table(
            f"Orbit priors of trace 1, eps = {EPSILON}, exact: smallest margin", ("graph", "S", *columns), tuple(rows)
        ),
        Table("Star, orbit priors of trace 1: matrices that lose an edge", ("S", *columns), tuple(star)),
    )


def _blend(transition: Array, share: float) -> Array:
    """Weaken the dependence on the parent; stationary law and trace 1 stay."""
    law = stationary_distribution(transition)
    return (1.0 - share) * law[None, :].repeat(len(law), axis=0) + share * transition


def recover_weak(context: Context, matrices: Sequence[Array]) -> tuple[list[ExactRecovery], list[OrbitPrior], Table]:
    """Let the information fade at a fixed stationary law, out of the non-degeneracy assumption."""
    everything: list[ExactRecovery] = []
    priors: list[OrbitPrior] = []
    rows: list[tuple[Cell, ...]] = []
    for share in SHARES:
        blends = [OrbitPrior(_blend(matrix, share)) for matrix in matrices]
        cells = []
        for length in WEAK_LENGTHS:
            graphs = [family_graph(name, length, context.rng("weak", name, length)) for name in FAMILIES]
            found = [recover_exactly(graph, prior) for graph in graphs for prior in blends]
            lost = sum(not one.recovered for one in found)
            cells.append(f"{lost} of {len(found)} ({show(min(one.margin for one in found), 2)})")
            everything += found if share < WEAK_FROM else []
        rows.append((share, *cells))
        priors += blends if share < WEAK_FROM else []
    title = f"Nearly independent tokens: pi blended with 1 mu^T, S = {len(matrices[0])}; settings that lose an edge"
    heads = tuple(f"T = {length} (smallest margin)" for length in WEAK_LENGTHS)
    return everything, priors, Table(title, ("share of pi", *heads), tuple(rows))
