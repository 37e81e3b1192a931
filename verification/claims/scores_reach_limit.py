"""Claim 4: edge scores approach their limit like one over the effective length of the graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from causal_theory import InContextTask, OrbitPrior, edge_scores, limit_edge_scores
from causal_theory.chains import mixing_decay
from causal_theory.claims import Check, budget, claim
from verification.ensembles import GAMMA, STAR, Array, family_graph, trace_one_matrix

SYMBOLS = 3
EPSILON = 0.01
BANDS = {"chain": 0.1, "pairs": 0.1, "binary tree": 0.2}
"""Accepted distance of the median exponent from -1. On trees some matrices have not yet settled at T = 640."""

FITTED = 4
"""Lengths in a fit, the longest ones."""

GROWS = 1.5
"""A length that grows by less than this factor over the fitted range does not explain anything."""

SLOW = "binary tree, slow mixing"
MEASURES = ("T", "leaf length", "mixing length", "worst token")

RATES = {name: f"{name}: median exponent in the mixing length is -1" for name in BANDS}
OUTSIDE = {name: f"{name}: no rate in T is promised" for name in (STAR, SLOW)}


@dataclass(frozen=True)
class Study:
    """Largest ``|G - limit|`` of one family under one matrix, and the effective lengths, at all lengths."""

    gaps: Array
    scales: dict[str, Array]

    def exponent(self, measure: str) -> float | None:
        """Slope of log gap against the log of a length over the longest sequences; None when it does not grow."""
        x, y = np.log(self.scales[measure][-FITTED:]), np.log(self.gaps[-FITTED:])
        return float(np.polyfit(x, y, 1)[0]) if np.ptp(x) > np.log(GROWS) else None


def slowly_mixing_matrix() -> Array:
    """Return a matrix of trace 1: one symbol stays, two swap, and the share ``GAMMA`` is uniform noise."""
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    return (1.0 - GAMMA) * matrix + GAMMA / SYMBOLS


def _study(name: str, lengths: tuple[int, ...], transition: Array, limit_of: Array, rng: np.random.Generator) -> Study:
    graphs = [family_graph(name, length, rng) for length in lengths]
    decay = mixing_decay(transition)
    gaps = []
    # Of T tokens the most connected one leaves T / max_i sum_j decay^d(i, j) independent ones.
    most = [float(np.power(decay, graph.distances).sum(axis=1).max()) for graph in graphs]
    for graph in graphs:
        scores = edge_scores(InContextTask(graph, OrbitPrior(transition)), epsilon=EPSILON).value
        limit = limit_edge_scores(InContextTask(graph, OrbitPrior(limit_of)), epsilon=EPSILON).value
        gaps.append(np.abs(scores - limit)[:-1].max())
    scales = {
        "T": np.array(lengths, dtype=np.float64),
        "leaf length": np.array([graph.leaf_effective_length for graph in graphs]),
        "mixing length": np.array([graph.mixing_effective_length(decay) for graph in graphs]),
        "worst token": np.array(lengths) / np.array(most),
    }
    return Study(np.array(gaps), scales)


def _record(check: Check, name: str, studies: list[Study], lengths: tuple[int, ...]) -> None:
    """Judge the median exponent of a family where one is promised, and record exponents, gaps and lengths."""
    exponents = {
        measure: [found for study in studies if (found := study.exponent(measure)) is not None] for measure in MEASURES
    }
    for measure, several in exponents.items():
        cells: dict[str, Any] = {"graph": name, "length": measure, "matrices": len(several)}
        if several:
            cells |= {"median": float(np.median(several)), "smallest": min(several), "largest": max(several)}
        check.row(f"Exponents fitted over the {FITTED} longest sequences", cells)
    used = exponents["mixing length" if name in BANDS else "T"]
    middle, spread = float(np.median(used)), float(np.ptp(used)) / 2.0
    options: dict[str, Any] = {"error": spread, "kind": "spread", "matrices": len(used)}
    if name in BANDS:
        check.within(RATES[name], middle, -1.0 - BANDS[name], -1.0 + BANDS[name], **options)
    else:
        check.measure(OUTSIDE[name], middle, **options)
    gaps = np.median([study.gaps for study in studies], axis=0)
    scales = {measure: np.median([study.scales[measure] for study in studies], axis=0) for measure in MEASURES[1:]}
    for k, length in enumerate(lengths):
        cells = {"graph": name, "T": length, "max |G - limit|": gaps[k]}
        title = f"Largest |G - limit| of the context, and effective lengths: medians; S = {SYMBOLS}, eps = {EPSILON}"
        check.row(title, {**cells, **{measure: values[k] for measure, values in scales.items()}})


@claim(
    4,
    source=(
        "Nichani, Damian, Lee (ICML 2024): the population gradient approaches the information as the effective length "
        "T / max_k(leaves of tree k) grows"
    ),
    control=(
        "The limit is taken under another matrix of the same ensemble: the right graph, symmetric law and constant "
        "mean, but not the law of the tokens."
    ),
    breaks=tuple(RATES.values()),
    outside=tuple(OUTSIDE.values()),
    assumptions=("lower_bound", "non_degeneracy"),
)
def scores_reach_limit(
    check: Check,
    matrices: int = budget(tiny=2, quick=6, full=20),
    lengths: tuple[int, ...] = budget(
        tiny=(20, 40, 80, 160, 320),
        quick=(10, 20, 40, 80, 160, 320, 640),
        full=(10, 20, 40, 80, 160, 320, 640, 1280, 2560),
    ),
) -> None:
    r"""Scores approach their limit with the effective length.

    At fixed $\varepsilon$ and stationary roots $\max_{i<T-1,\,j\le i} |G_{ij} - G^\infty_{ij}|$ falls like one over the
    mixing effective length $(T^{-2} \sum_{ij} \lambda^{d(i,j)})^{-1}$, with $\lambda$ the second singular value of $B$:
    like $1/T$ for the chain and pairs, and for binary trees whose tokens mix well. It does not fall for the star, whose
    effective length stays bounded.
    """
    drawn = [trace_one_matrix(SYMBOLS, check.rng("matrix", k)) for k in range(matrices)]
    drawn.append(slowly_mixing_matrix())
    jobs = [(name, name, k) for name in (*BANDS, STAR) for k in range(matrices)]
    jobs.append((SLOW, "binary tree", matrices))
    found: dict[str, list[Study]] = {}
    for label, name, k in check.track(jobs, "scores at growing length"):
        limit_of = drawn[k - 1] if check.control else drawn[k]
        found.setdefault(label, []).append(_study(name, lengths, drawn[k], limit_of, check.rng(name)))
    for name, studies in found.items():
        _record(check, name, studies, lengths)
    for measure in ("T", "mixing length"):
        check.figure(
            f"Distance of the scores from their limit against the {measure}",
            {name: (studies[0].scales[measure], studies[0].gaps) for name, studies in found.items()},
            x=measure,
            y="max |G - limit|",
            description="First matrix of the study; double logarithmic axes. Only the star stays level.",
        )
    check.assumptions("orbit priors of trace 1", [OrbitPrior(matrix) for matrix in drawn])
    check.note("""The leaf length T / max_k(leaves of tree k) stays near 2 on the binary tree although its scores
    converge: that it grows is sufficient, not necessary. The mixing length (T^-2 sum_ij lambda^d(i,j))^-1, with lambda
    the largest singular value of B, grows on every family but the star.

    The mixing length is an average over tokens, the largest gap belongs to the token with the most neighbours. Where
    they differ the gap falls more slowly than 1 over the mixing length: on the binary tree under a slowly mixing matrix
    (lambda = 0.9) it tracks T / max_i sum_j lambda^d(i,j), the column 'worst token', which grows like T^0.15.

    A star under a matrix with weak dependence can still be falling at these lengths: its floor is of second order in
    lambda. That is the lower end of its range.""")
