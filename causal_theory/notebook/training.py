"""Show runs of stochastic training, their settings, and comparisons of gradients."""

import numpy as np

from causal_theory.notebook.arrays import array_block
from causal_theory.notebook.html import details, facts, figure, settings_table, table
from causal_theory.notebook.shown import parts_of
from causal_theory.notebook.svg import sparkline
from causal_theory.training import GradientAgreement, Preset, TrainingRun, TrainingSettings
from causal_theory.training.baselines import baseline_name
from causal_theory.wording import number

SHOWN_ENTRIES = 5
"""Entries of a gradient that are named, largest difference first."""


@parts_of.register
def _(settings: TrainingSettings) -> list[str]:
    return [settings_table("Settings of training", settings)]


@parts_of.register
def _(preset: Preset) -> list[str]:
    model = preset.model.complete()
    rows: dict[str, object] = {
        "name": preset.name,
        "graphs": f"{preset.graphs} ({preset.task.graph})",
        "tokens T": preset.task.length,
        "symbols S": preset.task.symbols,
        "prior": repr(preset.task.build_prior()),
        "model": model.kind,
        "heads per layer": ", ".join(map(str, model.heads or ())),
        "attention matrices at the start": f"Gaussian, {model.scale:g}" if model.scale else "zero",
    }
    return [facts(f"Published experiment: {preset.title}", rows), settings_table("Its training", preset.settings)]


@parts_of.register
def _(run: TrainingRun) -> list[str]:
    rows: dict[str, object] = {"model": repr(run.model)}
    if len(run.test_losses):
        rows["loss on held-out sequences"] = run.test_loss.text()
    rows |= {baseline_name(name): float(loss) for name, loss in run.baselines.items()}
    rows["mean attention on parents"] = run.mean_attention_text
    if len(run.versions) > 1:
        rows["computed by"] = "; ".join(run.versions)
    if len(run.attention) and len(run.matched_heads) > 1:
        for slot, (who, weights) in enumerate(zip(run.matched_names, run.matched_attention, strict=True)):
            rows[f"on parent {slot + 1} ({who})"] = float(np.nanmean(weights))
    parts = [facts(f"Training: {run.ending}; losses in nats", rows)]
    drawn = sparkline(
        run.losses,
        "Loss of training against steps, with the entropy floor and the loss of counting along the edges",
        lines=[run.baselines["floor"], run.baselines["counts"]],
    )
    if drawn:
        words = f"Loss of training from {number(run.losses[0])} to {number(run.losses[-1])}"
        parts.append(figure(drawn, f"{words}. Dashed: entropy floor; dotted: counting along the edges."))
    if len(run.attention) and len(run.attention[-1]):
        heads = enumerate(run.attention[-1], start=1)
        shown = [array_block(f"Attention of the first layer, head {h}", head) for h, head in heads]
        parts.append(details("Attention at the end", *shown))
    return [*parts, details("Settings", settings_table("Settings of training", run.settings))]


@parts_of.register
def _(agreement: GradientAgreement) -> list[str]:
    rows: dict[str, object] = {
        "entries compared": len(agreement.z),
        "sequences": agreement.samples,
        "exact gradient": "sum over all sequences" if agreement.method == "enumerate" else "first order",
    }
    if not len(agreement.z):
        return [facts("Sampled and exact gradient: no entry varies", rows)]
    rows["mean square of z"] = f"{number(agreement.chi_square)} (near 1 for a correct gradient)"
    rows["largest |z|"] = (
        f"{number(agreement.largest)} (by chance one as large has probability {number(agreement.chance, 2)})"
    )
    order = np.argsort(-np.abs(agreement.z), kind="stable")[:SHOWN_ENTRIES].tolist()
    worst = [[agreement.names[k], float(agreement.z[k])] for k in order]
    return [facts("Sampled and exact gradient", rows), table("Largest differences", ["entry", "z"], worst)]
