"""Claim 21: trained from a small start, two heads of the first layer take one of two parents each."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from causal_theory import CausalGraph, DisentangledTransformer, InContextTask, TrainingRun
from causal_theory.claims import Check, budget, claim
from causal_theory.training import PRESETS, TrainingSettings, train_with_settings
from causal_theory.training.baselines import sample_baselines
from verification.ensembles import Array

PUBLISHED = PRESETS["paper-two-parents"]
PRIOR = PUBLISHED.task.build_prior()
SHORT = replace(PUBLISHED.settings, batch_size=256, learning_rate=0.02)
"""The reduced budget, but for the number of steps."""

LENGTH = 20
SCALE = 0.01
"""Of the attention matrices at the start of a reduced run: from 1e-4 one head runs ahead of the other for longer."""

CHAIN, TREE, SHORT_TREE = "order-2 chain", "published graph", "published graph, reduced budget"

ENOUGH = 0.5
"""Mean attention of a head on the parent it is matched to, from which the parent counts as taken."""

WEAK = 0.25
"""Attention below which an edge counts as lost."""

ERRORS = 4.0
"""Standard errors by which the loss must be below that of the better single parent."""

CONSTANTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
"""Constants of counting by one parent. That of the prior is too small for it: one parent leaves more noise than two."""

COUNTED = 8192
"""Sequences on which the best of them is found."""

HEADS = f"mean attention of each matched head on a parent of its own is at least {ENOUGH}"
ABOVE = "test loss is above the floor: the difference"
BELOW = "test loss is below that of counting by one parent: the difference"
ALONE = "how far the test loss of a single head is below that of counting by one parent"
SHORT_HEADS = f"{SHORT_TREE}: mean attention of each matched head"


@dataclass(frozen=True)
class Split:
    """A trained model, and the loss of counting by one parent, by the better one and with the best constant."""

    name: str
    run: TrainingRun
    single: float

    @property
    def means(self) -> Array:
        """Mean attention of the matched head on each parent, shape (k,)."""
        return np.asarray(np.nanmean(self.run.matched_attention, axis=1))

    def record(self, check: Check) -> None:
        """Judge whether each head has a parent of its own, and whether the loss shows that both are used."""
        loss, at = self.run.test_loss, {"by": self.name}
        slots = list(range(1, len(self.means) + 1))
        if self.name == SHORT_TREE:
            check.within(SHORT_HEADS, self.means, low=ENOUGH, parent=slots)
            return
        check.within(HEADS, self.means, low=ENOUGH, parent=slots, **at)
        check.positive(ABOVE, float(loss) - self.run.baselines["floor"], unit="nats", **at)
        options: dict[str, Any] = {"error": loss.error, "kind": "standard error", "unit": "nats", **at}
        if check.control:  # A single head may come below it or not, as chance has it.
            check.measure(ALONE, self.single - float(loss), **options)
        else:
            check.positive(BELOW, self.single - float(loss), bars=ERRORS, **options)

    def show(self, check: Check) -> None:
        """Add a row."""
        run, attention = self.run, self.run.matched_attention
        heads, steps = run.attention.shape[1], run.snapshot_steps[-1]
        cells = {"task": self.name, "T": run.graph.length, "heads": heads, "steps": steps}
        cells |= {f"attention on parent {k + 1}": mean for k, mean in enumerate(self.means)}
        cells |= {f"edges below {WEAK}": (attention < WEAK).sum(), "edges": np.isfinite(attention).sum()}
        cells["test loss"] = run.test_loss
        cells |= {"floor": run.baselines["floor"], "counts, both": run.baselines["counts"]}
        cells |= {"counts, one parent": self.single, "tokens": run.baselines["unigram"]}
        check.row("Trained models, losses in nats on the same held-out sequences", cells)


def one_parent(task: InContextTask, rng: np.random.Generator) -> float:
    """Return the smallest loss of counting by one parent, over parents and constants."""
    sample = task.sample(COUNTED, rng)
    rules = [sample_baselines(task.graph, sample.tokens, sample.targets, constant) for constant in CONSTANTS]
    return min(loss for rule in rules for name, loss in rule.items() if name.startswith("counts_parent"))


def train(
    check: Check, name: str, graph: CausalGraph, settings: TrainingSettings, scale: float = SCALE,
    heads: tuple[int, ...] = PUBLISHED.model.heads or (),
) -> Split:  # fmt: skip
    """Train one model on the published prior."""
    rng = check.rng(name)
    task = InContextTask(graph, PRIOR)
    model = DisentangledTransformer(graph.length, PRIOR.vocab_size, heads, scale=scale, rng=rng)
    run = train_with_settings(task, model, settings, rng=rng, progress=False)
    return Split(name, run, one_parent(task, check.rng(name, "one parent")))


def _trained(check: Check, steps: int, *, published: bool) -> list[Split]:
    short = replace(SHORT, steps=steps)
    if check.control:
        half = replace(SHORT, steps=steps // 2)
        return [train(check, "one head", CausalGraph.ngram(LENGTH, 2), half, heads=(1, 1))]
    graphs = {CHAIN: CausalGraph.ngram(LENGTH, 2), SHORT_TREE: CausalGraph.binary_tree_and_previous(LENGTH)}
    found = [train(check, name, graphs[name], short) for name in check.track(list(graphs), "training")]
    if published:
        found.append(train(check, TREE, PUBLISHED.tasks()[0].graph, PUBLISHED.settings, PUBLISHED.model.scale or 0.0))
    return found


@claim(
    21,
    source="Nichani, Damian, Lee (ICML 2024), experiment on the graph with two parents",
    control="One head where every token has two parents.",
    breaks=(HEADS,),
    outside=(SHORT_HEADS,),
    cost=15,
)
def heads_split_the_parents(
    check: Check,
    steps: int = budget(tiny=2000, quick=2500, full=2500),
    published: bool = budget(quick=False, full=True),
) -> None:
    r"""Two heads take one parent each.

    The disentangled transformer with heads (2, 1), trained by AdamW from a small random start on fresh sequences in
    which every token has two parents ($S = 5$, Dirichlet prior 0.1), attends in each head of its first layer to one of
    the parents, each to another, and its loss is below that of counting by one parent.
    """
    curves = {}
    for one in _trained(check, steps, published=published):
        one.record(check)
        one.show(check)
        floor, at = one.run.baselines["floor"], one.run.snapshot_steps[1:]
        curves[one.name] = (at, one.run.test_losses[1:] - floor)
        curves[f"{one.name}: counts, one parent"] = (at[[0, -1]], np.full(2, one.single - floor))
    check.assumptions("Dirichlet prior 0.1", [PRIOR])
    check.figure(
        "Excess of the trained models over the entropy floor",
        curves,
        x="step",
        y="test loss - floor (nats)",
        description="Held-out loss minus its entropy floor during training, beside counting by the better single "
        "parent; double logarithmic axes.",
    )
    check.note("""No theorem stands behind this claim: it is the published experiment, and one that is cheaper.

    The cheaper task was chosen because the heads split there. In trials with other sizes and budgets the weaker head
    reached 0.54 to 0.58 with ten tokens and 0.67 to 0.81 with sixteen; with three symbols, and with twelve tokens from
    a start of 0.001, it stayed below 0.25.

    Which head takes which parent is left to chance; heads are matched to parents by the largest mean attention, no two
    to the same.

    On the published graph the reduced budget does not find both parents; the full profile trains there with the
    published budget as well, which does.

    Counting by one parent has the best of several constants: with that of the prior its loss is up to 0.1 nats higher.
    A loss below it is no proof that the heads are split: a single head, the control, comes a little below it as well,
    and attends to one parent only.""")
