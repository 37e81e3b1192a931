"""Claim 9: the best loss of stage 2 approaches the entropy floor where the effective length grows."""

from typing import Any

import numpy as np

from causal_theory import InContextTask, OrbitPrior, learning_curve, stationary_distribution
from causal_theory.chains import mixing_decay
from causal_theory.claims import Check, budget, claim
from verification.claims._excess import BAND, PRICED, slopes
from verification.ensembles import STAR, Array, family_graph, trace_one_matrix

SYMBOLS = 3
GROWING = ("chain", "pairs", "binary tree")
"""Families whose effective length grows with T."""

GROWS = 1.2
"""A length that grows by less than this factor from one sequence to the next explains nothing."""

EXPONENT = "exponent of the excess in T over the two longest sequences is -1"
EFFECTIVE = "the excess falls at least as fast in the mixing length, where that grows: exponent"
PRICE = "excess over the price of counting at the longest sequence is 1"
SPREAD = "exponent of the excess in T: median and spread over matrices"
STAR_EXCESS = "star, whose effective length stays bounded: excess at the longest sequence"
STAR_EXPONENT = "star, whose effective length stays bounded: exponent of the excess in T"


def _study(
    check: Check, name: str, number: int, transition: Array, lengths: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """Judge a learning curve and return T, the mixing length and the excess; the star is only judged in the control."""
    graphs = {length: family_graph(name, length, check.rng("graph", name, length)) for length in lengths}
    prior, decay = OrbitPrior(transition), mixing_decay(transition)
    curve = learning_curve(lambda length: InContextTask(graphs[length], prior), lengths, fit_last=2)
    children = np.array([len(graph.edges) for graph in graphs.values()])
    rarity = float(np.mean(1.0 / stationary_distribution(transition)))
    mixing = np.array([graph.mixing_effective_length(decay) for graph in graphs.values()])
    # What counting costs to leading order, (S - 1)/(2 m) times the mean of 1/mu_q for m children.
    price = (len(transition) - 1) / (2.0 * children) * rarity
    at: dict[str, Any] = {"by": name, "matrix": number}
    excess = curve.normalised_excess
    if name == STAR and not check.control:
        check.measure(STAR_EXCESS, excess[-1], unit="nats", **at)
        check.measure(STAR_EXPONENT, slopes(curve.lengths, excess)[-1], **at)
    else:
        check.within(EXPONENT, slopes(curve.lengths, excess)[-1], *BAND, **at)
        check.within(PRICE, excess[-1] / price[-1], *PRICED, **at)
        if mixing[-1] > GROWS * mixing[-2]:
            check.within(EFFECTIVE, slopes(mixing, excess)[-1], high=BAND[1], **at)
    for r, length in enumerate(curve.lengths.tolist()):
        cells: dict[str, Any] = {"graph": name, "matrix": number, "T": length, "mixing length": mixing[r]}
        cells |= {"best multiple of I": curve.multiples[r], "loss - floor": curve.excess[r]}
        cells |= {"normalised excess": excess[r], "over its price": None if name == STAR else excess[r] / price[r]}
        check.row(f"Best loss over the one-parameter path, S = {SYMBOLS}, eps = 1/T, in nats", cells)
    return curve.lengths.astype(np.float64), mixing, excess


@claim(
    9,
    source="Nichani, Damian, Lee (ICML 2024), main theorem: the loss after both stages",
    control="The same demand on the star, whose effective length stays bounded.",
    breaks=(EXPONENT, PRICE),
    assumptions=("lower_bound", "non_degeneracy", "symmetry"),
)
def loss_reaches_floor(
    check: Check,
    lengths: tuple[int, ...] = budget(quick=(40, 160, 640, 2560), full=(40, 160, 640, 2560, 10_240)),
    matrices: int = budget(tiny=1, quick=2, full=6),
) -> None:
    r"""The loss reaches the entropy floor.

    With the first layer on the parents, $A_2 = \alpha I$ at its best $\alpha$ and $\varepsilon = 1/T$, the excess of
    the loss over the entropy floor $L^* = E\,\frac1S \sum_a H(\pi_{a\cdot})$ falls like $1/T$ for chain, pairs and
    binary tree, whose effective length grows; for the star it does not fall. Long sequences pay the price of counting,
    $\frac{S-1}{2m}\,\mathrm{mean}_q(1/\mu_q)$ nats for $m$ children.
    """
    names = (STAR,) if check.control else (*GROWING, STAR)
    lengths, matrices = (lengths[:3], 1) if check.control else (lengths, matrices)
    transitions = [trace_one_matrix(SYMBOLS, check.rng("matrix", k)) for k in range(matrices)]
    firsts: dict[str, tuple[Array, Array, Array]] = {}
    exponents: dict[str, list[float]] = {name: [] for name in names}
    for name, k in check.track([(name, k) for name in names for k in range(matrices)], "learning curves"):
        study = _study(check, name, k + 1, transitions[k], lengths)
        firsts.setdefault(name, study)
        exponents[name].append(slopes(study[0], study[-1])[-1])
    for name, own in exponents.items():
        check.measure(SPREAD, np.median(own), error=np.ptp(own), kind="spread", by=name)
    for axis, x in enumerate(("length T", "mixing effective length")):
        check.figure(
            f"Normalised excess of the best loss over the entropy floor, against the {x}",
            {name: (study[axis], study[-1]) for name, study in firsts.items()},
            x=x,
            y="normalised excess (nats)",
            description="First matrix; double logarithmic axes. All families but the star fall with slope -1.",
        )
    check.assumptions("orbit priors of trace 1", [OrbitPrior(matrix) for matrix in transitions])
    check.note("""The plain excess, loss minus floor, is no good measure of learning at eps = 1/T. The attended
    frequencies plus eps sum to 1 + S eps, which gains log(1 + S eps), about S/T nats; counting m children costs about
    (S - 1)/(2 m) mean(1/mu_q) nats, on a chain S (S - 1)/(2 T) at least. For three symbols the two cancel to leading
    order; for two the loss lies below the floor. The normalised excess is that of (f + eps)/(1 + S eps), a probability
    vector; it cannot be negative, and exponents are fitted to it.

    What the excess tends to is the price of counting, which knows the number of children and the rarest symbols but not
    how fast tokens mix: on binary trees under a slowly mixing matrix it falls faster than one over the mixing length. A
    growing effective length makes counting possible; it does not set the rate.

    The best multiple of I keeps growing, by a constant for each doubling of T: the weight of keys that do not match has
    to vanish faster than their number grows.

    The star's children all have one parent: they say nothing about the rows of pi that this parent does not show,
    however many they are.""")
