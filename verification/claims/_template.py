"""Template of a claim: copy this file under the name of your claim, without underscore, and change it from the top.

It is complete: the copy is found by itself, holds, and its control fails. What it checks is a small statement that
needs no assumption on the prior: the edge scores do not depend on the names of the symbols.

The report is written from what the functions below return. A check says what was predicted, what was measured, and how
far the measurement may be off; the verdict follows from these three and from nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from causal_theory import CausalGraph, InContextTask, PointPrior, edge_scores
from verification.claim import Claim
from verification.context import Context
from verification.ensembles import KINDS, random_matrix, random_size
from verification.evidence import Evidence, Reading, Regime, Table, summarise_assumptions, verdict_of
from verification.profiles import Profile
from verification.text import show

# Constants of the check come first, each with its reason. A tolerance is the hardest thing to defend in a claim:
# compare with error bars instead wherever there are some, as here.
EPSILON = 0.01
LENGTHS, SIZES = (4, 12), (2, 4)

BARS = 1.0
"""Largest difference that passes, in units of its error bar; the bars are bounds, not standard errors."""

Array = NDArray[np.float64]


def _difference(rng: np.random.Generator, kind: str, *, names: str) -> tuple[float, float, PointPrior]:
    """Return the largest difference between scores before and after renaming: absolute, and in error bars.

    One function serves the check and the control, so that they differ in one word only.
    """
    length, size = random_size(rng, LENGTHS, SIZES)
    graph = CausalGraph.random_forest(length, 0.3, rng)
    matrix = random_matrix(kind, size, rng)
    order = np.roll(np.arange(size), 1)  # a cycle: no symbol keeps its name
    renamed = matrix[np.ix_(order, order)] if names == "both" else matrix[order]
    before, after = (edge_scores(InContextTask(graph, PointPrior(pi)), epsilon=EPSILON) for pi in (matrix, renamed))
    change, bar = np.abs(before.value - after.value), before.error + after.error
    return float(change.max()), float((change[bar > 0.0] / bar[bar > 0.0]).max()), PointPrior(matrix)


def _check(profile: Profile, context: Context, *, names: str) -> Evidence:
    """Compare on random forests; ``names`` says what is renamed."""
    changes, bars, priors, rows = [], [], [], []
    kinds = tuple(KINDS)
    # Budgets come from the profile, so that --profile full does more: take one of its fields, or add your own there.
    # ``context.track`` shows progress; ``context.rng(...)`` is a random stream of its own for each name, so that
    # results depend on the seed alone, not on the order of the claims or the number of processes.
    for k in context.track(range(profile.edge_forests), "random forests"):
        change, bar, prior = _difference(context.rng(k), kinds[k % len(kinds)], names=names)
        changes.append(change)
        bars.append(bar)
        priors.append(prior)
    for k, kind in enumerate(kinds):
        own = bars[k :: len(kinds)]
        rows.append((kind, len(own), show(max(own))))
    worst = max(changes)
    return Evidence(
        # "holds" or "fails". With cases of their own verdicts: parts=(Part(...), ...) and combine_verdicts(parts).
        # A case outside the assumptions is a Part with the verdict OUTSIDE, whose name the claim declares.
        verdict=verdict_of(max(bars) <= BARS),
        # In words, and as the one number in these words if there is one.
        predicted=Reading("no difference", 0.0),
        measured=Reading(f"at most {show(worst)} over {len(changes)} forests", worst),
        error=Reading(f"the largest difference is {show(max(bars))} of its error bar"),
        # "exact", "quadrature" or "monte carlo (standard error)"; of several Estimates weakest_method(...).
        method="exact",
        # Which of the four assumptions the priors satisfy: counted, with the weakest witness.
        assumptions=summarise_assumptions("point priors", priors),
        # For a statement about long sequences: whether they were long enough, and how that was judged.
        regime=Regime(None, "holds at every length"),
        # Tables and figures of the report. Plot(name, title, xlabel, ylabel, curves, description) has logarithmic axes.
        details=(Table("By kind of transition matrix", ("matrices", "forests", "error bars"), tuple(rows)),),
        # What a reader has to know to judge the numbers.
        notes=("The new names are a cycle of the old ones: no symbol keeps its own.",),
    )


def run(profile: Profile, context: Context) -> Evidence:
    """Rename the symbols of parents and children alike."""
    return _check(profile, context, names="both")


def control(profile: Profile, context: Context) -> Evidence:
    """Rename those of the parents alone: another matrix, not the same one in other words."""
    return _check(profile, context, names="parents")


CLAIM = Claim(
    # The name of the file; the command line knows the claim by it. A fixed string does as well.
    name=__name__.rpartition(".")[2],
    # The place in the report, different from all others.
    number=1000,
    title="Scores do not know the names of the symbols",
    # Markdown with formulas; what a referee would want to read.
    statement=(
        r"For every forest, every $\pi$ and every relabeling $P$ of the symbols the edge scores of $\pi$ and of "
        r"$P \pi P^\top$ are the same. An orbit prior therefore needs one matrix, without averaging."
    ),
    # The theorem, lemma or figure; or who noticed it.
    source="a template; it is what makes orbit priors exact",
    predicted=f"differences within {BARS:g} error bar",
    # Which of "lower_bound", "non_degeneracy", "symmetry" and "constant_mean" the statement needs.
    assumptions=(),
    run=run,
    # What is made wrong. On the wrong object the same check must fail: a claim that cannot fail says nothing.
    control_statement="The rows of the matrix are permuted, its columns are not.",
    control=control,
    # Names of the parts that may be outside the assumptions.
    declared_outside=(),
)
