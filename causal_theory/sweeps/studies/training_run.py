"""A short stochastic training run: what is learned, and whether the exact edge scores foretold it."""

import math
from dataclasses import replace

import numpy as np

from causal_theory.population.scores import edge_scores
from causal_theory.recovery import EdgeReport
from causal_theory.specs import ModelSpec, TaskSpec
from causal_theory.sweeps.studies.drawn import TASK, draw_task, epsilon_at
from causal_theory.sweeps.studies.parameters import REQUIRED, Result, parameters
from causal_theory.training.run import best_attention
from causal_theory.training.settings import TrainingSettings
from causal_theory.training.trainer import train_with_settings

PARAMETERS = {
    "length": REQUIRED,
    "steps": REQUIRED,
    "batch_size": REQUIRED,
    "learning_rate": REQUIRED,
    **TASK,
    "prior": "dirichlet",
    "model": "disentangled",
    "heads": 1,
    "beta0": 0.01,
    "optimizer": "sgd",
    "schedule": "constant",
    "test_size": 2048,
}

WEAK = 0.25
"""Attention on the parent below which an edge counts as not learned."""


@parameters(PARAMETERS)
def training_run(
    *,
    task: TaskSpec,
    model: ModelSpec,
    training: TrainingSettings,
    epsilon: float,
    heads: int,
    rng: np.random.Generator,
) -> Result:
    """Train a model on fresh sequences and set its loss and its attention beside what is known.

    Parameters
    ----------
    length : int
        T, the query included.
    steps, batch_size, learning_rate : int, int, float
        As in :func:`causal_theory.train_sgd`.
    concentration : float, default 1
        Of the Dirichlet law of the rows of the transition matrix.
    graph : str, default "chain"
        A family of forests, as on the command line.
    vocab_size : int, default 3
        S.
    floor : float, default 0
        Weight of the uniform law in every row.
    prior : {"orbit", "dirichlet"} or "module:Class", default "dirichlet"
        Every sequence draws a matrix from the Dirichlet law, or a relabeling of one matrix of that law.
    epsilon : float, default 0
        The constant inside the logarithm, of the reduced model and of the edge scores; 0 stands for 1/T.
    root_probability : float, default 0.5
        Of a random forest.
    model : str, default "disentangled"
        ``"disentangled"``, all parameters of the full model from zero; ``"reduced"``, two matrices from ``A1 = 0`` and
        ``A2 = beta0 I``; another one as on the command line.
    heads : int, default 1
        Heads of the first of two layers of the disentangled model.
    beta0 : float, default 0.01
        Start of the reduced model.
    optimizer : {"sgd", "adamw"}, default "sgd"
        As in :func:`causal_theory.train_sgd`.
    schedule : {"constant", "cosine"}, default "constant"
        As in :func:`causal_theory.train_sgd`.
    test_size : int, default 2048
        Held-out sequences.
    rng : numpy Generator
        Source of a random graph, of the matrix of an orbit, and of all sequences.

    Returns
    -------
    dict
        ``loss`` on held-out sequences at the end and ``loss_error``, its standard error; ``counts``, ``unigram``,
        ``uniform``, ``entropy_floor``: losses of simple predictors on the same sequences, in nats. ``attention``, shape
        (T,): at the end on the parent, of the head that gives most, NaN for roots; ``mean_attention`` and
        ``least_attention`` over children, and ``weak_edges``, the number below 0.25. ``margins``, shape (T,): leads of
        the parents in the edge scores, NaN for roots, and ``smallest_margin`` (dimensionless). ``diverged``: whether
        the loss or a parameter left the range of floating point; what came before is then reported.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a number out of range, or the graph no forest.

    Notes
    -----
    All but the margins comes from samples: a loss has a standard error, an attention is that of one run. The margins
    are exact where those of :func:`edge_recovery` are.

    Examples
    --------
    >>> from causal_theory.sweeps.studies import training_run
    >>> setting = {"length": 8, "concentration": 0.5, "steps": 20, "batch_size": 32, "learning_rate": 1.0}
    >>> found = training_run(**setting, test_size=64, rng=np.random.default_rng(0))
    >>> found["diverged"], bool(found["entropy_floor"] < found["loss"] < 1.2), found["attention"].shape
    (False, True, (8,))
    """
    drawn = draw_task(task, rng)
    constant = epsilon_at(drawn.length, epsilon)
    start = replace(model, heads=(heads, 1), epsilon=constant).relevant().build(drawn, rng)
    report = EdgeReport(edge_scores(drawn, epsilon=constant, rng=rng), drawn.graph)
    run = train_with_settings(drawn, start, replace(training, snapshots=1), rng=rng, progress=False)
    attention = best_attention(run)[0]
    seen = attention[~np.isnan(attention)]
    return {
        "loss": float(run.test_losses[-1]),
        "loss_error": float(run.test_errors[-1]),
        "counts": run.baselines["counts"],
        "unigram": run.baselines["unigram"],
        "uniform": run.baselines["uniform"],
        "entropy_floor": run.baselines["floor"],
        "attention": attention,
        "mean_attention": float(seen.mean()) if len(seen) else math.nan,
        "least_attention": float(seen.min()) if len(seen) else math.nan,
        "weak_edges": int((seen < WEAK).sum()),
        "margins": report.margin,
        "smallest_margin": report.smallest_margin,
        "diverged": run.status == "diverged",
    }
