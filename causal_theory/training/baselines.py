"""The losses of simple predictors on given sequences, so that a model can be compared with them on the same sample."""

import numpy as np
from numpy.typing import NDArray

from causal_theory.graphs import CausalGraph
from causal_theory.population.several_parents.baselines import counted_tokens

Array = NDArray[np.float64]

ONE_PARENT = "counts_parent_"
"""Counting by one of several parents: its number, from 1 on, follows."""

NAMES = {
    "floor": "entropy floor",
    "counts": "counting along the edges",
    "unigram": "counting tokens",
    "uniform": "uniform guess",
}
SHORT_NAMES = {"floor": "entropy floor", "counts": "counts rule", "unigram": "unigram", "uniform": "uniform, log S"}


def baseline_name(key: str) -> str:
    """Return what a baseline of :func:`sample_baselines` is, in words.

    Examples
    --------
    >>> baseline_name("counts"), baseline_name("counts_parent_2")
    ('counting along the edges', 'counting along the edges to parent 2 alone')
    """
    if key.startswith(ONE_PARENT):
        return f"{NAMES['counts']} to parent {key.removeprefix(ONE_PARENT)} alone"
    return NAMES[key]


def short_baseline_name(key: str) -> str:
    """Return the same for tables and figures.

    Examples
    --------
    >>> short_baseline_name("counts"), short_baseline_name("counts_parent_2")
    ('counts rule', 'counts, parent 2 alone')
    """
    if key.startswith(ONE_PARENT):
        return f"counts, parent {key.removeprefix(ONE_PARENT)} alone"
    return SHORT_NAMES[key]


def sample_baselines(
    graph: CausalGraph, tokens: NDArray[np.int64], targets: Array, smoothing: float
) -> dict[str, float]:
    r"""Return the mean losses, in nats, of simple predictors on a sample.

    A counts rule looks at the positions that have as many parents as the target, k, and counts the tokens of those
    whose parents have the tokens of the target's parents; others are skipped. With :math:`n_b` the counts it guesses

    .. math:: (n_b + c) / (n + S c)

    ``"floor"`` knows the target. ``"counts"`` compares all k parents, and for k >= 2 ``"counts_parent_1"``, ...,
    ``"counts_parent_k"`` compare one of them alone, in the order in which the graph lists them. ``"unigram"`` counts
    the tokens that :func:`causal_theory.unigram_loss` counts: all but a last one without parents. ``"uniform"`` knows
    nothing.

    Parameters
    ----------
    graph : CausalGraph
        The graph of the task.
    tokens : ndarray of int64, shape (n, T)
        Sequences.
    targets : ndarray, shape (n, S)
        Laws of the next token.
    smoothing : float
        c; `Prior.smoothing` is the one that fits a prior.

    Returns
    -------
    dict of str to float
        Losses by name.

    Examples
    --------
    >>> from causal_theory import DirichletPrior, InContextTask
    >>> task = InContextTask(CausalGraph.ngram(8, 2), DirichletPrior(3, 0.1))
    >>> sample = task.sample(100, rng=0)
    >>> list(sample_baselines(task.graph, sample.tokens, sample.targets, 0.1))
    ['floor', 'counts', 'counts_parent_1', 'counts_parent_2', 'unigram', 'uniform']
    """
    count, size = targets.shape
    slots = len(graph.target_parents)
    children = [i for i, entry in enumerate(graph.parents) if len(entry) == slots]
    rows = np.arange(count)
    both = np.zeros((count, size))
    single = np.zeros((slots, count, size))
    for child in children:
        agree = tokens[:, graph.parents[child]] == tokens[:, graph.target_parents]
        both[rows, tokens[:, child]] += agree.all(axis=1)  # each row once
        for slot in range(slots):
            single[slot, rows, tokens[:, child]] += agree[:, slot]
    seen = np.zeros((count, size))
    for i in range(counted_tokens(graph)):
        seen[rows, tokens[:, i]] += 1.0
    logs = np.log(targets, out=np.zeros_like(targets), where=targets > 0.0)
    alone = {f"{ONE_PARENT}{slot + 1}": _loss(counts, targets, smoothing) for slot, counts in enumerate(single)}
    return {
        "floor": float(-(targets * logs).sum(axis=1).mean()),
        "counts": _loss(both, targets, smoothing),
        **(alone if slots > 1 else {}),
        "unigram": _loss(seen, targets, smoothing),
        "uniform": float(np.log(size)),
    }


def _loss(counts: Array, targets: Array, smoothing: float) -> float:
    guess = (counts + smoothing) / (counts.sum(axis=1, keepdims=True) + counts.shape[1] * smoothing)
    return float(-(targets * np.log(guess)).sum(axis=1).mean())
