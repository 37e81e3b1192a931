"""Claim 20: with one head for each parent the loss reaches the entropy floor, at the price of counting all rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from causal_theory import CausalGraph, DirichletPrior, InContextTask, PointPrior, counts_rule_loss, loss_floor
from causal_theory.claims import Check, budget, claim
from causal_theory.dynamics.learning_curve import best_multiple_of
from verification.claims._excess import BAND, PRICED, slopes
from verification.ensembles import Array

SETTINGS = ((1, 3), (2, 2), (2, 3), (3, 2))
"""Parents and symbols; larger budgets add three parents with three symbols, whose 27 rows take long sequences."""

CONCENTRATION, FLOOR = 1.0, 0.1
"""Of the kernels. The floor keeps every row in use; a row that is hardly seen would be paid for late."""

SMOOTHING = 1.0
"""Of the counts rule: the concentration of the kernels."""

LARGEST_MULTIPLE = 40.0
"""Beyond it the softmax is one-hot to roundoff."""

FALLS = "the excess falls from each length to the next"
EXPONENT = "exponent of the excess in T, over the two longest sequences, is about -1"
PRICE = "at the longest sequence: excess over the price of counting the rows of all parents is about 1"
COUNTS = "at the longest sequence: excess over that of the counts rule is about 1"
ONE_HEAD = "one head alone: exponent of its excess"

Pattern = Callable[[int, int], Sequence[Array]]


def copy_all(parents: int, size: int) -> Sequence[Array]:
    """Return I for every head."""
    return [np.stack([np.eye(size)] * parents)]


def copy_one(parents: int, size: int) -> Sequence[Array]:
    """Return I for one head and nothing for the others, once for each head."""
    return [np.eye(size) * (np.arange(parents) == head)[:, np.newaxis, np.newaxis] for head in range(parents)]


def copy_wrong(parents: int, size: int) -> Sequence[Array]:
    """Return for every head the matrix that looks for the next symbol instead of that of the query."""
    return [np.stack([np.roll(np.eye(size), 1, axis=0)] * parents)]


@dataclass(frozen=True)
class Fall:
    """Best multiples at several lengths, ``eps = 1/T``, losses there and those of the counts rule, above the floor."""

    parents: int
    size: int
    lengths: tuple[int, ...]
    multiples: Array
    excess: Array
    counts: Array

    @property
    def name(self) -> str:
        """The setting in words."""
        return f"{self.parents} parent{'s' if self.parents > 1 else ''}, S = {self.size}"

    @property
    def normalised(self) -> Array:
        """Excess of ``(f + eps)/(1 + S eps)``, a probability vector: never negative."""
        return self.excess + np.log1p(self.size / np.array(self.lengths))

    @property
    def price(self) -> Array:
        """The price of counting ``S^k`` rows, to leading order."""
        children = np.array(self.lengths, dtype=np.float64) - self.parents
        return float(self.size**self.parents * (self.size - 1)) / (2.0 * children)

    @property
    def slopes(self) -> Array:
        """Exponents of the normalised excess from each length to the next."""
        return slopes(self.lengths, self.normalised)

    def record(self, check: Check) -> None:
        """Judge the fall at every length, and rate and price at the end."""
        at = {"by": self.name, "excess in nats": self.normalised[-1]}
        check.positive(FALLS, -np.diff(self.normalised), by=self.name, to_T=self.lengths[1:], unit="nats")
        check.within(EXPONENT, self.slopes[-1], *BAND, **at)
        check.within(PRICE, self.normalised[-1] / self.price[-1], *PRICED, **at)
        check.within(COUNTS, self.normalised[-1] / self.counts[-1], *PRICED, **at)

    def show(self, check: Check, label: str) -> None:
        """Add a row for each length."""
        for r, length in enumerate(self.lengths):
            cells = {"task": f"{self.name}, {label}", "T": length, "best multiple": self.multiples[r]}
            cells |= {"loss - floor": (self.excess[r], "nats"), "normalised excess": (self.normalised[r], "nats")}
            cells |= {"counts rule - floor": (self.counts[r], "nats")}
            cells |= {"excess over its price": self.normalised[r] / self.price[r]}
            cells |= {"exponent since the row before": self.slopes[r - 1] if r else None}
            check.row("Best loss of the construction on n-gram chains, eps = 1/T", cells)


def follow(
    kernel: Array, lengths: Sequence[int], patterns: Sequence[Array], slots: Sequence[int] | None = None
) -> Fall:
    """Compute one curve; at each length the best of the patterns counts, and the counts rule looks at ``slots``."""
    rows, parents, size = [], kernel.ndim - 1, len(kernel)
    for length in lengths:
        task = InContextTask(CausalGraph.ngram(length, parents), PointPrior({parents: kernel}))
        found = [best_multiple_of(task, one, epsilon=1.0 / length, upper=LARGEST_MULTIPLE) for one in patterns]
        multiple, loss = min(found, key=lambda best: best.loss)
        floor = float(loss_floor(task))
        counts = float(counts_rule_loss(task, smoothing=SMOOTHING, parents=slots))
        rows.append((multiple, loss - floor, counts - floor))
    multiples, excess, counted = np.array(rows).T
    return Fall(parents, size, tuple(lengths), multiples, excess, counted)


def kernel_of(parents: int, size: int, rng: np.random.Generator) -> Array:
    """Draw a kernel."""
    drawn: Array = DirichletPrior(size, CONCENTRATION, floor=FLOOR).sample_transitions(1, (parents,), rng)[parents][0]
    return drawn


def _falls(
    check: Check, settings: Sequence[tuple[int, int]], kernels: int, lengths: Sequence[int], pattern: Pattern
) -> dict[tuple[int, int], list[Fall]]:
    found: dict[tuple[int, int], list[Fall]] = {setting: [] for setting in settings}
    for parents, size, k in check.track([(*one, k) for one in settings for k in range(kernels)], "kernels"):
        kernel = kernel_of(parents, size, check.rng(parents, size, k))
        found[parents, size].append(follow(kernel, lengths, pattern(parents, size)))
    return found


def _one_head(check: Check, lengths: Sequence[int], parents: int = 2, size: int = 3) -> Fall:
    """Follow the better of two heads alone, beside counting by its parent."""
    kernel = kernel_of(parents, size, check.rng(parents, size, 0))
    heads = enumerate(copy_one(parents, size))
    alone = [follow(kernel, lengths, [matrices], (head,)) for head, matrices in heads]
    return min(alone, key=lambda fall: float(fall.excess[-1]))


@claim(
    20,
    source="The construction for several parents of Nichani, Damian, Lee (ICML 2024), with exact losses",
    control="Two parents with one head; three parents with heads that look for another token than the query.",
    breaks=(EXPONENT, PRICE, COUNTS),
    outside=(ONE_HEAD,),
    cost=15,
)
def k_head_construction(
    check: Check,
    lengths: tuple[int, ...] = budget(quick=(20, 80, 320, 1280), full=(20, 80, 320, 1280, 5120)),
    kernels: int = budget(tiny=1, quick=2, full=6),
    three_parent_symbols: int = budget(quick=2, full=3),
) -> None:
    r"""One head for each parent reaches the floor.

    On $n$-gram chains with $k = 1, 2, 3$ parents, the model whose first layer has one head on each parent and whose
    second layer has $A_2^h = \beta I$ for every head, at its best $\beta$ and $\varepsilon = 1/T$, has an excess over
    the entropy floor that falls at every length, in the end like $1/T$ at the price of counting $S^k$ rows,
    $\frac{S^k (S - 1)}{2T}$ nats; the counts rule for all parents pays the same. One head alone stays at the loss of
    counting by one parent.
    """
    settings = tuple(dict.fromkeys((*SETTINGS, (3, three_parent_symbols))))
    if check.control:
        several = [setting for setting in SETTINGS if setting[0] > 1]
        found = _falls(check, several[:2], 1, lengths[:3], copy_one)
        found |= _falls(check, several[2:], 1, lengths[:3], copy_wrong)
    else:
        found = _falls(check, settings, kernels, lengths, copy_all)
    curves = {falls[0].name: falls[0] for falls in found.values()}
    for falls in found.values():
        for k, fall in enumerate(falls):
            fall.record(check)
            fall.show(check, f"kernel {k + 1}")
        spread = np.ptp([fall.slopes[-1] for fall in falls])
        check.measure("spread of the exponent over kernels", spread, by=falls[0].name)
    if not check.control:
        alone = _one_head(check, lengths)
        at = {"task": alone.name, "excess in nats": alone.normalised[-1], "counting by that parent": alone.counts[-1]}
        check.within(ONE_HEAD, alone.slopes[-1], *BAND, **at)
        alone.show(check, "one head alone")
        curves[f"{alone.name}, one head alone"] = alone
    priors = [DirichletPrior(size, CONCENTRATION, floor=FLOOR) for size in sorted({size for _, size in found})]
    check.assumptions(f"Dirichlet kernels with floor {FLOOR:g}", priors)
    check.figure(
        "Excess of the construction with one head for each parent",
        {name: (fall.lengths, fall.normalised) for name, fall in curves.items()},
        x="length T",
        y="normalised excess (nats)",
        description="One line for each number of parents and symbols, first kernel. All bend into the slope -1, later "
        "the more rows the kernel has; with one head for two parents the line becomes flat.",
    )
    check.note("""The excess is that of (f + eps)/(1 + S eps), a probability vector, as in claim 9. Its rate and its
    price for one parent are those of the first group here: each of the (S - 1) S^k free entries costs 1/(2T).

    The rate sets in where T is many times S^k. Before, the best multiple of I is small: the heads average over rows
    that are not the query's, and the loss falls slowly.

    From some length on the construction is as good as counting, which knows which rows to count.""")
