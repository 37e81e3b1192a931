"""Runs and reports with made-up numbers, so that no figure depends on the last digits of a computation."""

import numpy as np

from causal_theory import CausalGraph, DisentangledTransformer, EdgeReport, Estimate, TrainingRun, TrainingSettings
from causal_theory.dynamics import Stage1Run, Stage2Run

__all__ = ["BASELINES", "UNIFORM", "first_stage", "report", "second_stage", "training_run"]

UNIFORM = np.tril(1.0 / np.arange(1.0, 6.0)[:, np.newaxis] * np.ones((5, 5)))
BASELINES = {"floor": 0.5, "counts": 0.8, "unigram": 1.2, "uniform": np.log(3)}


def first_stage(children=(), roots=(), **marks):
    """A run of stage 1 with given curves: rows 1, 2, ... are children, the next ones roots, the last one the query."""
    curves = np.array([np.zeros(4), *children, *roots, np.linspace(0.0, 0.9, 4)]).T
    child = np.arange(curves.shape[1]) % curves.shape[1] <= len(children)
    child[0] = False
    known = {"slowest_child": -1, "fastest_root": -1, "status": "stopped"} | marks
    return Stage1Run(
        A1=np.zeros((curves.shape[1],) * 2),
        steps=np.array([0, 10, 20, 30]),
        attention_on_parents=np.where(child, curves, np.nan),
        root_deviation=np.where(child, np.nan, curves),
        **known,
    )


def second_stage(losses, **marks):
    trajectory = np.zeros((len(losses), 3, 3))
    return Stage2Run(trajectory[-1], np.array(losses), trajectory, **({"status": "stopped"} | marks))


def training_run(weights=(0.7,), parents=(-1, 0, 1, 2), model=None, **changes):
    """A run on five tokens; each head gives its weight to all parents."""
    graph = CausalGraph.from_parents(list(parents))
    attention = np.array([UNIFORM] * len(weights))
    for h, weight in enumerate(weights):
        for parent, child in graph.edges:
            attention[h, child, : child + 1] = (1.0 - weight) / child
            attention[h, child, parent] = weight
    content = {
        "model": DisentangledTransformer(5, 3, (len(weights), 1)) if model is None else model,
        "settings": TrainingSettings(steps=40, batch_size=8, learning_rate=1.0),
        "steps": np.array([10, 20, 30, 40]),
        "losses": np.array([1.0, 0.9, 0.85, 0.82]),
        "snapshot_steps": np.array([0, 20, 40]),
        "test_losses": np.array([1.09, 0.9, 0.83]),
        "test_errors": np.array([0.0, 0.01, 0.02]),
        "attention": np.array([[UNIFORM] * len(weights), attention]),
        "baselines": BASELINES,
        "status": "finished",
        "diverged_at": -1,
        "graph": graph,
    }
    return TrainingRun(**(content | changes))


def report(parents, predicted, margins, errors=0.0, method="monte_carlo"):
    """A report in which row i predicts ``predicted[i]`` and has the given margin; the query comes last in all three.

    The best key scores 0.2 if an edge is predicted or the diagonal wins, else 0.01, which is below the threshold of
    0.05. A margin of a row whose parent wins is that of its score over all others; where the parent does not win it
    must be below zero, and is that of its score over the best key.
    """
    graph = CausalGraph.from_parents(list(parents))
    length = graph.length
    value = np.zeros((length, length))
    for i, (parent, best, margin) in enumerate(zip(graph.parent_array, predicted, margins, strict=True)):
        top = 0.2 if best >= 0 else 0.01
        if parent < 0:
            value[i, 0] = 0.1 if best == i else 0.0
            value[i, max(best, 0)] = top
            continue
        wins = best in (parent, -1)
        value[i, : i + 1] = top - margin if wins else 0.0
        value[i, parent] = top if wins else top + margin
        if not wins:
            value[i, best] = top
    return EdgeReport(Estimate(value, np.full((length, length), errors), method), graph, threshold=0.05)
